//! nginx in front of the stub: what the gateway is compared with.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use rustix::process::Signal;

use crate::process::{Server, run};

use super::{accepts, fill, free_address};

pub const CONFIG: &str = include_str!("../../nginx.conf");

/// `nginx version: …`, or none where it is not installed.
pub fn version() -> anyhow::Result<Option<String>> {
    match Command::new("nginx").arg("-v").output() {
        Ok(output) => Ok(Some(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot start nginx"),
    }
}

pub async fn start(folder: &Path, stub: SocketAddr) -> anyhow::Result<(Server, SocketAddr)> {
    let folder = folder.join("nginx");
    std::fs::create_dir(&folder)?;
    let address = free_address()?;
    let path = folder.to_str().context("the temporary folder's name is no text")?;
    let config =
        fill(CONFIG, &[("listen", &address.to_string()), ("stub", &stub.to_string()), ("folder", path)]);
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config)?;
    let nginx = || {
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
        command.arg("-e").arg(folder.join("nginx-error.log"));
        command
    };
    run("nginx -t", nginx().arg("-t"))?;
    let mut server = Server::start("nginx", nginx(), Signal::TERM, folder.join("output.log"))?;
    server.ready(async || accepts(address).await).await?;
    Ok((server, address))
}
