//! A shop that takes notices as it should, but for one fault.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use shared::envelope::{Envelope, Side};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use crate::harness::MERCHANT_KEY;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    ComparesNoSignature,
    TakesUnsigned,
    ComparesNoAmount,
    TakesAnyStatus,
    TakesAnyOrder,
    TakesAnyMethod,
    RefusesRepeats,
    FailsAtOnce,
    TakesTheFirstPiece,
    LosesThePayment,
    CrashesOnBadOnes,
    SaysMore,
    Redirects,
    HangsUp,
    NeverAnswers,
}

/// What the shop was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub method: String,
    /// The header `ScanGate-Drill`.
    pub drill: String,
    pub body: Vec<u8>,
}

pub struct FaultyShop {
    pub url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
    serving: JoinHandle<()>,
}

struct Books {
    fault: Fault,
    number: String,
    amount: i64,
    paid: Mutex<bool>,
    both: Barrier,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl FaultyShop {
    /// It knows one order.
    pub async fn open(fault: Fault, number: &str, amount: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/notify", listener.local_addr().expect("an address"));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let books = Arc::new(Books {
            fault,
            number: number.to_owned(),
            amount,
            paid: Mutex::new(false),
            both: Barrier::new(2),
            sent: Arc::clone(&sent),
        });
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let books = Arc::clone(&books);
                connections.spawn(async move { books.serve(connection).await });
            }
        });
        Self { url, sent, serving }
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("nobody panicked").clone()
    }
}

impl Drop for FaultyShop {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Books {
    async fn serve(&self, mut connection: TcpStream) {
        let Some(sent) = request(&mut connection).await else { return };
        self.sent.lock().expect("nobody panicked").push(sent.clone());
        let (status, text) = match self.fault {
            Fault::HangsUp => return,
            Fault::NeverAnswers if sent.drill == "paid" => return std::future::pending().await,
            // The second of both finds the first still at it.
            Fault::FailsAtOnce if sent.drill == "at_once" => {
                if self.both.wait().await.is_leader() {
                    ("500 Oops", "deadlock")
                } else {
                    ("200 OK", "success")
                }
            }
            Fault::TakesTheFirstPiece if sent.drill == "slow" => {
                self.answer(&Sent { body: sent.body[..sent.body.len() / 5].to_vec(), ..sent })
            }
            Fault::Redirects => ("302 Found", ""),
            _ => self.answer(&sent),
        };
        let answer =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len());
        // Whoever asked may have gone.
        let _ = connection.write_all(answer.as_bytes()).await;
    }

    fn answer(&self, sent: &Sent) -> (&'static str, &'static str) {
        let refusal =
            if self.fault == Fault::CrashesOnBadOnes { ("500 Oops", "stack") } else { ("400 No", "fail") };
        if sent.method != "POST" {
            return if self.fault == Fault::TakesAnyMethod { ("200 OK", "success") } else { refusal };
        }
        let document: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
        let body = &document["response"]["body"];
        if !self.believes(sent, &document) || !self.knows(body) {
            return refusal;
        }
        let mut paid = self.paid.lock().expect("nobody panicked");
        match body["status"].as_i64() {
            Some(1) if *paid && self.fault == Fault::RefusesRepeats => ("409 Conflict", "paid already"),
            Some(1) if *paid && self.fault == Fault::LosesThePayment && sent.drill == "out_of_order" => {
                ("500 Oops", "paid, and then failed")
            }
            Some(1) => {
                *paid = true;
                if self.fault == Fault::SaysMore { ("200 OK", "\"success\"") } else { ("200 OK", "success") }
            }
            _ if self.fault == Fault::TakesAnyStatus => ("200 OK", "success"),
            _ => refusal,
        }
    }

    fn believes(&self, sent: &Sent, document: &Value) -> bool {
        let signed = Envelope::read(&sent.body, Side::Response).is_ok_and(|it| it.verifies(MERCHANT_KEY));
        match self.fault {
            Fault::ComparesNoSignature => document.is_object(),
            Fault::TakesUnsigned => signed || (document.is_object() && document["signature"].is_null()),
            _ => signed,
        }
    }

    fn knows(&self, body: &Value) -> bool {
        let number = body["partnerOrderNo"] == *self.number || self.fault == Fault::TakesAnyOrder;
        let amount = body["orderAmount"] == self.amount || self.fault == Fault::ComparesNoAmount;
        number && amount && body["currency"] == "HKD"
    }
}

/// The whole of a request, however many pieces it comes in.
async fn request(connection: &mut TcpStream) -> Option<Sent> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    let length: usize = header("content-length").parse().unwrap_or_default();
    while bytes.len() < end + length {
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let method = head.split(' ').next().unwrap_or_default().to_uppercase();
    Some(Sent { method, drill: header("scangate-drill"), body: bytes[end..end + length].to_vec() })
}
