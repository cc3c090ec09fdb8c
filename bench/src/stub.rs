//! The upstream everything is measured against: it takes any order from anyone and answers at once with a signed
//! success, at as little cost as a signed answer can have. It verifies nothing, for nginx and gateway alike.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use shared::envelope::rfc3339;
use shared::signature;
use time::macros::offset;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{cast, http1, now};

/// How old the time in an answer may be; formatting it each time would be a tenth of the whole work.
const CLOCK_PERIOD: Duration = Duration::from_millis(500);

#[expect(clippy::print_stdout, reason = "who starts it reads the address from here")]
pub async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen at {listen}"))?;
    println!("{}", listener.local_addr()?);
    accept(listener).await
}

pub async fn accept(listener: TcpListener) -> anyhow::Result<()> {
    accept_and_tell(listener, None).await
}

/// The same, and tell of each order that is opened.
pub async fn accept_and_tell(listener: TcpListener, opened: Option<Opened>) -> anyhow::Result<()> {
    let upstream = Rc::new(Upstream { opened, ..Upstream::default() });
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        let upstream = Rc::clone(&upstream);
        tokio::task::spawn_local(async move {
            // A peer that goes away mid-message is the peer's affair.
            let _ = upstream.converse(stream).await;
        });
    }
}

/// Hears of an order that is opened: the upstream's number of it, which it is, and the create that asked for it.
pub type Opened = Box<dyn Fn(&str, u64, &[u8])>;

#[derive(Default)]
struct Upstream {
    opened: Option<Opened>,
    keys: RefCell<HashMap<String, Rc<str>>>,
    made: Cell<u64>,
    clock: RefCell<Option<(Instant, Rc<str>)>>,
}

impl Upstream {
    async fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut seen = Vec::with_capacity(8 * 1024);
        let mut out = Vec::with_capacity(2 * 1024);
        loop {
            while let Some(head) = http1::head(&seen)? {
                let end = head.length + head.body;
                if seen.len() < end {
                    break;
                }
                self.answer(&seen[..head.length], &seen[head.length..end], &mut out);
                seen.drain(..end);
            }
            if !out.is_empty() {
                stream.write_all(&out).await?;
                out.clear();
            }
            if stream.read_buf(&mut seen).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Append the answer to one request to `out`.
    fn answer(&self, head: &[u8], body: &[u8], out: &mut Vec<u8>) {
        let Some(partner_no) = http1::quoted(body, b"\"partnerNo\":\"") else {
            out.extend_from_slice(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            return;
        };
        let id = self.made.get() + 1;
        self.made.set(id);
        let time = self.time();
        let first_line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let order_no = order_no(id);
        let said = if http1::after(first_line, b"/api/offline/qrcode").is_some() {
            if let Some(opened) = &self.opened {
                opened(&order_no, id, body);
            }
            format!(
                "\"code\":1,\"msg\":\"success\",\"payUrl\":\"https://www.scanforpay.com/api/online/pay/{id:024x}\",\
                 \"orderNo\":\"{order_no}\""
            )
        } else {
            // Whatever else is asked about an order, this upstream has nothing to tell.
            "\"code\":9,\"msg\":\"try later\"".to_owned()
        };
        let value = format!(
            "{{\"header\":{{\"version\":\"1.0\",\"partnerNo\":\"{partner_no}\",\"respMsgId\":\"m{id:023}\",\
             \"reqMsgId\":\"m{id:023}\",\"respTime\":\"{time}\",\"signType\":\"SHA256\"}},\"body\":{{{said}}}}}"
        );
        let signature = signature::sign(&value, &self.key(partner_no));
        let length =
            "{\"response\":".len() + value.len() + ",\"signature\":\"".len() + signature.len() + "\"}".len();
        out.extend_from_slice(
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n\
                 {{\"response\":{value},\"signature\":\"{signature}\"}}"
            )
            .as_bytes(),
        );
    }

    fn key(&self, partner_no: &str) -> Rc<str> {
        if let Some(key) = self.keys.borrow().get(partner_no) {
            return Rc::clone(key);
        }
        let key: Rc<str> = cast::sign_key(partner_no).into();
        self.keys.borrow_mut().insert(partner_no.to_owned(), Rc::clone(&key));
        key
    }

    fn time(&self) -> Rc<str> {
        let mut clock = self.clock.borrow_mut();
        match &*clock {
            Some((taken, text)) if taken.elapsed() < CLOCK_PERIOD => Rc::clone(text),
            _ => {
                let text: Rc<str> = rfc3339(now().to_offset(offset!(+8))).into();
                *clock = Some((Instant::now(), Rc::clone(&text)));
                text
            }
        }
    }
}

/// The upstream's number of its `id`th order.
pub fn order_no(id: u64) -> String {
    format!("s{id:023}")
}

#[cfg(test)]
mod tests {
    use shared::envelope::{Envelope, Side};

    use super::*;

    fn ask(path: &str, body: &str) -> String {
        let mut out = Vec::new();
        let head = format!("POST {path} HTTP/1.1\r\n\r\n");
        Upstream::default().answer(head.as_bytes(), body.as_bytes(), &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn an_order_is_answered_under_the_callers_own_key_with_an_exact_length() {
        for partner_no in [cast::ACCOUNT, "20001"] {
            let body = format!("{{\"request\":{{\"header\":{{\"partnerNo\":\"{partner_no}\"}}}}}}");
            let answer = ask("/bench/api/offline/qrcode", &body);
            let head = http1::head(answer.as_bytes()).expect("a head").expect("the whole of it");
            assert_eq!(head.length + head.body, answer.len());
            let envelope =
                Envelope::read(&answer.as_bytes()[head.length..], Side::Response).expect("an envelope");
            assert!(envelope.verifies(&cast::sign_key(partner_no)));
            assert_eq!(envelope.body.get("code").map(|code| code.value), Some("1"));
            assert_eq!(envelope.header_text(&["partnerNo"]).as_deref(), Some(partner_no));
            for word in ["response", "signature"] {
                assert_eq!(answer.matches(word).count(), 1);
            }
        }
    }

    #[test]
    fn anything_but_an_order_gets_no_success() {
        assert!(ask("/api/common/payQuery", r#"{"partnerNo":"10001"}"#).contains("\"code\":9"));
        assert!(ask("/api/offline/qrcode", "{}").starts_with("HTTP/1.1 400"));
    }
}
