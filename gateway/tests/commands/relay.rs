//! A way to a server that can be cut and mended: while it is cut, nothing listens, and what was open is closed.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub struct Relay {
    address: SocketAddr,
    server: SocketAddr,
    carrying: Option<JoinHandle<()>>,
}

impl Relay {
    /// `base`: the server's, without a path.
    pub async fn to(base: &str) -> Self {
        let server = base.strip_prefix("http://").expect("plain HTTP").parse().expect("an address");
        let mut relay = Self { address: free_address(), server, carrying: None };
        relay.mend().await;
        relay
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub async fn cut(&mut self) {
        let carrying = self.carrying.take().expect("it is whole");
        carrying.abort();
        assert!(carrying.await.expect_err("it never ends by itself").is_cancelled());
    }

    pub async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        let server = self.server;
        self.carrying = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.expect("a connection");
                connections.spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(server).await {
                        // Either end may break it off.
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        }));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(carrying) = self.carrying.take() {
            carrying.abort();
        }
    }
}

/// A port that stays free while it is cut: below those that the system gives to outgoing connections.
fn free_address() -> SocketAddr {
    let start = u16::from_le_bytes(gateway::chance::bytes()) % 20_000;
    let ports = (0..20_000).map(|step| 10_240 + (start + step) % 20_000);
    let mut addresses = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    addresses.find(|address| std::net::TcpListener::bind(address).is_ok()).expect("some are free")
}
