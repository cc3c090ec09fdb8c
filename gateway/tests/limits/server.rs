//! Redis for a test: the one that `scripts/test` started, with keys of the test's own, or a server of the test's own
//! that may be frozen, killed and started again.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use gateway::chance;
use gateway::limits::Counting;
use redis::{Client, RedisResult};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::acts::soon;
use crate::harness::{Backend, Node, Stage, World, setting};

/// Between two looks at whether something has come about.
const LOOK: Duration = Duration::from_millis(10);

/// A world with the shared Redis, seen as by nobody else. PostgreSQL, for a second node.
pub async fn stage_with_redis(settings: &[(&'static str, &str)]) -> Stage {
    stage_on(&setting("SCANGATE_TEST_REDIS"), settings).await
}

/// The same with a server of the test's own.
pub async fn stage_on(url: &str, settings: &[(&'static str, &str)]) -> Stage {
    let prefix = format!("t-{}", chance::secret_text().to_lowercase());
    // The machine may be busy: a test whose subject is not the deadline must not meet it.
    let mut all = vec![("redis.url", url), ("redis.prefix", &prefix), ("redis.deadline", "5s")];
    all.extend(settings);
    Stage::over(World::make(Backend::Postgres).await, &all).await
}

/// Until it has come about.
pub async fn until(mut has_come: impl FnMut() -> bool) {
    soon(async {
        while !has_come() {
            tokio::time::sleep(LOOK).await;
        }
    })
    .await;
}

pub async fn until_counting(node: &Node, counting: Counting) {
    until(|| node.app.limits.counting() == counting).await;
}

/// A certificate for this machine, and the files that a server and its clients need of it.
pub struct Identity {
    folder: TempDir,
}

impl Identity {
    pub fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let write = |name: &str, what: &str, der: &[u8]| {
            std::fs::write(folder.path().join(name), pem(what, der)).expect("the folder is ours");
        };
        write("cert.pem", "CERTIFICATE", made.cert.der());
        write("key.pem", "PRIVATE KEY", &made.signing_key.serialize_der());
        Self { folder }
    }

    pub fn certificate(&self) -> String {
        self.folder.path().join("cert.pem").display().to_string()
    }

    fn key(&self) -> String {
        self.folder.path().join("key.pem").display().to_string()
    }
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64"));
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.collect::<Vec<_>>().join("\n"))
}

/// A server that is spoken to over TLS only, until it is dropped.
pub struct TlsServer {
    port: u16,
    child: Child,
}

impl TlsServer {
    pub async fn start(identity: &Identity) -> Self {
        let port = free_port();
        let (certificate, key) = (identity.certificate(), identity.key());
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", "0", "--tls-port", &port.to_string()])
            .args([
                "--tls-cert-file",
                &certificate,
                "--tls-key-file",
                &key,
                "--tls-ca-cert-file",
                &certificate,
            ])
            .args(["--tls-auth-clients", "no", "--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        Self { port, child }
    }

    pub fn url(&self) -> String {
        format!("rediss://127.0.0.1:{}/", self.port)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Redis server that belongs to one test and ends with it.
pub struct Server {
    port: u16,
    child: Child,
}

impl Server {
    pub async fn start() -> Self {
        let port = free_port();
        let server = Self { port, child: spawn(port) };
        server.until_it_answers().await;
        server
    }

    /// Nothing listens there yet.
    pub fn reserved_port() -> u16 {
        free_port()
    }

    pub async fn start_on(port: u16) -> Self {
        let server = Self { port, child: spawn(port) };
        server.until_it_answers().await;
        server
    }

    pub fn url(&self) -> String {
        url(self.port)
    }

    /// It goes on listening and answers nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Gone at once, with all that it held.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it has ended");
    }

    pub async fn restart(&mut self) {
        self.child = spawn(self.port);
        self.until_it_answers().await;
    }

    pub fn run(&self, command: &[&str]) -> redis::Value {
        self.try_run(command).expect("it does as it is told")
    }

    fn try_run(&self, command: &[&str]) -> RedisResult<redis::Value> {
        let mut connection = Client::open(self.url())?.get_connection()?;
        let mut call = redis::cmd(command[0]);
        call.arg(&command[1..]).query(&mut connection)
    }

    async fn until_it_answers(&self) {
        until(|| self.try_run(&["PING"]).is_ok()).await;
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("it is ours");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A frozen process dies, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn spawn(port: u16) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server starts")
}
