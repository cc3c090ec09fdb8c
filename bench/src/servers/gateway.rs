//! The gateway's release binary on a fresh database, with nothing set but where things are.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use rustix::process::Signal;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cast::{self, Merchant};
use crate::http1;
use crate::process::{Server, run};

use super::{fill, free_address};

pub const CONFIG: &str = include_str!("../../gateway.toml");

pub async fn start(
    program: &Path,
    folder: &Path,
    stub: SocketAddr,
    store: &str,
    merchants: &[Merchant],
) -> anyhow::Result<(Server, SocketAddr)> {
    let folder = folder.join("gateway");
    std::fs::create_dir(&folder)?;
    let address = free_address()?;
    let path = folder.to_str().context("the temporary folder's name is no text")?;
    let config = fill(
        CONFIG,
        &[
            ("listen", &address.to_string()),
            ("ops_listen", &free_address()?.to_string()),
            ("store", store),
            ("folder", path),
            ("stub", &stub.to_string()),
        ],
    );
    let config_file = folder.join("config.toml");
    std::fs::write(&config_file, config)?;
    let setup_file = folder.join("setup.toml");
    std::fs::write(&setup_file, cast::setup(merchants, &stub.to_string()))?;
    let scangate = |word: &str| {
        let mut command = Command::new(program);
        command.current_dir(&folder).arg(word);
        command
    };
    run("scangate apply", scangate("apply").arg(&setup_file).arg("--config").arg(&config_file))?;
    let mut serve = scangate("serve");
    serve.arg("--config").arg(&config_file);
    let mut server = Server::start("the gateway", serve, Signal::TERM, folder.join("gateway.log"))?;
    server.ready(async || is_ready(address).await).await?;
    Ok((server, address))
}

async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(http1::status(&answer) == 200)
    };
    ask.await.unwrap_or(false)
}

/// Build the release binary where that is needed, and say where it is.
pub fn build() -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "-p", "gateway", "--message-format=json-render-diagnostics"]);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).stdin(Stdio::null());
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the gateway could not be built");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).context("cargo did not say where the gateway's binary is")
}

/// The binary's path in cargo's messages, one JSON document a line.
fn executable(messages: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        target: Option<Target>,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == "scangate"))
        .find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"shared"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"scangate"},"executable":"/t/release/scangate"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/release/scangate")));
    }
}
