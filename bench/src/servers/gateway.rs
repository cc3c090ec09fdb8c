//! The gateway's release binary on a fresh database, with nothing set but where things are.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::call;
use crate::cast::{self, Merchant};
use crate::process::{Server, run};

use super::{fill, free_address};

pub const CONFIG: &str = include_str!("../../gateway.toml");

/// A running gateway.
pub struct Gateway {
    pub server: Server,
    pub home: Home,
}

/// Where a gateway's files are and where it listens: what is left of it while it is stopped.
pub struct Home {
    program: PathBuf,
    folder: PathBuf,
    pub address: SocketAddr,
    pub ops: SocketAddr,
    /// The URL of its store.
    pub store: String,
}

impl Home {
    /// Set one up in a new folder of this name. `store`: PostgreSQL's URL; `None`: a SQLite file beside the rest.
    pub fn make(
        program: &Path,
        (parent, name): (&Path, &str),
        stub: SocketAddr,
        store: Option<&str>,
        merchants: &[Merchant],
    ) -> anyhow::Result<Self> {
        let folder = parent.join(name);
        std::fs::create_dir(&folder)?;
        let (address, ops) = (free_address()?, free_address()?);
        let path = folder.to_str().context("the temporary folder's name is no text")?;
        let store = store.map_or_else(|| format!("sqlite:{path}/scangate.db"), str::to_owned);
        let config = fill(
            CONFIG,
            &[
                ("listen", &address.to_string()),
                ("ops_listen", &ops.to_string()),
                ("store", &store),
                ("folder", path),
                ("stub", &stub.to_string()),
            ],
        );
        std::fs::write(folder.join("config.toml"), config)?;
        let setup_file = folder.join("setup.toml");
        std::fs::write(&setup_file, cast::setup(merchants, &stub.to_string()))?;
        let home = Self { program: program.to_owned(), folder, address, ops, store };
        run("scangate apply", home.scangate("apply").arg(&setup_file))?;
        Ok(home)
    }

    fn scangate(&self, word: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).arg(word).args(["--config", "config.toml"]);
        command
    }

    /// Start it, and wait until it is ready.
    pub async fn serve(self) -> anyhow::Result<Gateway> {
        let log = self.folder.join("gateway.log");
        let mut server = Server::start("the gateway", self.scangate("serve"), Signal::TERM, log)?;
        server.ready(async || call::is_well(self.address, "/health/ready").await).await?;
        Ok(Gateway { server, home: self })
    }
}

impl Gateway {
    pub fn stop(self) -> Home {
        self.home
    }

    /// As a machine that loses its power would.
    pub fn kill(mut self) -> anyhow::Result<Home> {
        self.server.kill()?;
        Ok(self.home)
    }

    /// A token of the operator's.
    pub async fn log_in(&self) -> anyhow::Result<String> {
        let login = json!({ "name": cast::OPERATOR, "password": cast::PASSWORD });
        let session = call::post(self.home.ops, "/ops/v1/login", "", &login.to_string()).await?;
        Ok(session["token"].as_str().context("a login without a token")?.to_owned())
    }

    /// As many consoles as that, which hear of every change for as long as the bench runs.
    pub async fn watch(&self, consoles: u32) -> anyhow::Result<()> {
        let token = if consoles > 0 { self.log_in().await? } else { return Ok(()) };
        for _ in 0..consoles {
            let mut stream = TcpStream::connect(self.home.ops).await?;
            stream.write_all(call::request("GET", "/ops/v1/live", &token, "").as_bytes()).await?;
            tokio::task::spawn_local(
                async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await },
            );
        }
        Ok(())
    }
}

/// Build a package's release binary where that is needed, and say where it is.
pub fn build(package: &str, name: &str) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "-p", package, "--message-format=json-render-diagnostics"]);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).stdin(Stdio::null());
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("{name} could not be built");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages, name).with_context(|| format!("cargo did not say where {name} is"))
}

/// The binary's path in cargo's messages, one JSON document a line.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
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
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == name))
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
        assert_eq!(executable(messages, "scangate"), Some(PathBuf::from("/t/release/scangate")));
    }
}
