//! A running `scangate demo`, and what happens at it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::CONSOLE;
use super::called::called;

pub struct Demo {
    child: Child,
    pub folder: tempfile::TempDir,
    file: Value,
}

impl Demo {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Self::command(&folder.path().join("demo"));
        command.args(["--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0"]);
        command.args(["--ops-listen", "127.0.0.1:0", "--shop-listen", "127.0.0.1:0"]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("scangate starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let is_ready = |line: &String| line.contains("client order --demo");
        lines.by_ref().map_while(Result::ok).find(is_ready).expect("the demo says that it is ready");
        // What it prints later is read, so that it never waits for us.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let text = std::fs::read_to_string(folder.path().join("demo/demo.json")).expect("the demo wrote it");
        Self { child, folder, file: serde_json::from_str(&text).expect("it is JSON") }
    }

    fn scangate() -> PathBuf {
        let path = Path::new(CONSOLE).with_file_name("scangate");
        assert!(path.exists(), "build the gateway first: cargo build -p gateway");
        path
    }

    fn command(data: &Path) -> Command {
        let mut command = Command::new(Self::scangate());
        command.env_clear().arg("demo").arg("--data").arg(data).stdin(Stdio::null());
        command
    }

    pub fn told(&self, pointer: &str) -> &str {
        self.file.pointer(pointer).and_then(Value::as_str).expect("the demo's file has it")
    }

    /// An order that is paid, of which ScanForPay tells another amount; when it is asked again it says nothing, so that the
    /// matter waits for a person.
    pub fn order_with_another_amount(&self) {
        self.sandbox("POST", "/control/faults", r#"{"name":"notice-wrong-amount","times":1}"#);
        self.sandbox("POST", "/control/faults", r#"{"name":"query-no-answer"}"#);
        let number = self.order("A-17", &[]);
        self.pay(&number);
    }

    /// Place an order with this number of the shop's. Gives its number at ScanForPay.
    pub fn order(&self, number: &str, more: &[&str]) -> String {
        let data = self.folder.path().join("demo");
        let mut client = Command::new(Self::scangate());
        client.env_clear().args(["client", "order", "--demo", "--data"]).arg(data);
        client.args(["--wallet", "Alipay", "--amount", "2100", "--currency", "HKD", "--number", number]);
        let placed = client.args(more).output().expect("scangate runs");
        assert!(placed.status.success(), "{placed:?}");
        let orders: Value =
            serde_json::from_str(&self.sandbox("GET", "/control/orders", "")).expect("it is JSON");
        let newest = orders.as_array().and_then(|orders| orders.last()).expect("there is one");
        newest["partnerOrderNo"].as_str().expect("the order has a number").to_owned()
    }

    /// Pay it at the sandbox.
    pub fn pay(&self, number: &str) {
        self.sandbox("POST", &format!("/control/orders/{number}/pay"), "");
    }

    /// A proven endpoint of the demo's merchant. Gives its URL.
    pub fn endpoint(&self) -> String {
        let hooks = echoing();
        let address = self.told("/gateway/base_url");
        let key = self.told("/platform/api_key");
        let bearer = format!("Bearer {key}");
        let merchants = call(address, "GET", "/v1/merchants", &[("authorization", &bearer)], "");
        let merchants: Value = serde_json::from_str(&merchants).expect("it is JSON");
        let merchant = merchants.pointer("/data/0/id").and_then(Value::as_str).expect("the demo has one");
        let body = serde_json::json!({"url": hooks, "merchantId": merchant}).to_string();
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "endpoint-1")];
        let made = call(address, "POST", "/v1/endpoints", &headers, &body);
        let made: Value = serde_json::from_str(&made).expect("it is JSON");
        let id = made["id"].as_str().expect("it has an id");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", id)];
        call(address, "POST", &format!("/v1/endpoints/{id}/verify"), &headers, "");
        hooks
    }

    /// The answer's body.
    pub fn sandbox(&self, method: &str, path: &str, body: &str) -> String {
        call(self.told("/sandbox/base_url"), method, path, &[], body)
    }

    pub fn plain(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(CONSOLE);
        command.env_clear();
        if !arguments.contains(&"--demo") {
            command.args(["--url", self.told("/gateway/ops_url")]);
        }
        command.arg("--state").arg(self.state()).args(arguments);
        command.stdin(Stdio::null()).output().expect("the console runs")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Whatever happened, nothing is left running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who sends back the one thing that is sent there, which proves that the URL is theirs.
fn echoing() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hooks", listener.local_addr().expect("it has one"));
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("it is called");
        called(stream, "200 OK", <[u8]>::to_vec);
    });
    url
}

/// The answer's body.
fn call(base: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it is there");
    let lines = headers.iter().map(|(name, value)| [*name, ": ", *value, "\r\n"].concat());
    let headers: String = lines.collect();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
    answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
}
