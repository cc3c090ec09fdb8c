//! The servers of a comparison, each started by the bench on a free loopback port, with its files in one temporary
//! folder that goes away with them.

pub mod gateway;
pub mod nginx;
pub mod postgres;

use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::process::Server;

/// Start the stub in a process of its own, so that its processor time is its own.
pub async fn stub(folder: &Path) -> anyhow::Result<(Server, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
    let address = free_address()?;
    command.args(["stub", "--listen", &address.to_string()]);
    let mut stub = Server::start("the stub", command, Signal::TERM, folder.join("stub.log"))?;
    stub.ready(async || accepts(address).await).await?;
    Ok((stub, address))
}

/// A loopback address that nobody uses at the moment.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

async fn accepts(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_ok()
}

/// `template` with every `{{name}}` replaced.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// A password for one run: hex of 16 random bytes.
fn password() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_placeholder_stays_in_the_templates() {
        let values = ["listen", "ops_listen", "stub", "folder", "store"].map(|name| (name, "x"));
        for template in [nginx::CONFIG, gateway::CONFIG] {
            let settings = |text: &str| -> String {
                text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
            };
            assert!(settings(template).contains("{{"));
            assert!(!settings(&fill(template, &values)).contains("{{"));
        }
    }
}
