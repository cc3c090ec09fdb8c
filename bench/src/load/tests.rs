//! The driver against the stub, and against servers that misbehave.

use std::future::Future;

use shared::envelope::seal;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::*;
use crate::order::Serials;
use crate::{cast, now, stub};

fn batch(ready: usize) -> Rc<Batch> {
    Rc::new(Batch::sign(&Rc::new(Serials::starting(now())), &cast::merchants(3), ready, now()))
}

fn load(rate: Option<u32>) -> Load {
    Load { connections: 4, window: Duration::from_millis(200), rate }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

async fn with_stub(load: Load) -> Tally {
    let (listener, address) = listener().await;
    beside(stub::accept(listener), drive(address, &batch(1000), load)).await.expect("it connects")
}

/// Run `work` while `server` serves.
async fn beside<T>(server: impl Future + 'static, work: impl Future<Output = T>) -> T {
    let tasks = LocalSet::new();
    tasks.spawn_local(async move { drop(server.await) });
    tasks.run_until(work).await
}

#[tokio::test]
async fn a_closed_loop_gets_every_order_accepted() {
    let tally = with_stub(load(None)).await;
    assert!(tally.accepted() > 0);
    assert_eq!(tally.failed(), 0, "{:?}", tally.errors);
}

#[tokio::test]
async fn an_open_loop_sends_as_many_orders_as_were_due() {
    let tally = with_stub(load(Some(500))).await;
    assert_eq!(tally.accepted() + tally.failed(), 100);
    assert_eq!(tally.failed(), 0, "{:?}", tally.errors);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_counted_and_connected_to_again() {
    let (listener, address) = listener().await;
    let hang_up = async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    };
    let tally = beside(hang_up, drive(address, &batch(0), load(None))).await.expect("it connects");
    assert_eq!(tally.accepted(), 0);
    assert!(tally.failed() > 4, "{:?}", tally.errors);
    assert!(tally.errors.keys().all(|kind| kind.starts_with("connection: ")), "{:?}", tally.errors);
}

#[test]
fn orders_are_due_evenly_and_none_at_the_end() {
    let times: Vec<_> = due_times(Duration::from_secs(2), 3).map(|after| after.as_millis()).collect();
    assert_eq!(times, [0, 333, 666, 1000, 1333, 1666]);
    assert_eq!(due_times(Duration::from_secs(1), 200).count(), 200);
}

fn judged(status: &str, document: &str, key: Option<&str>) -> Outcome {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{document}", document.len());
    let head = http1::head(answer.as_bytes()).expect("a head").expect("the whole of it");
    judge(answer.as_bytes(), head, key)
}

#[test]
fn only_a_signed_success_with_an_address_counts() {
    let signed = |body: &str| seal(Side::Response, r#"{"partnerNo":"1"}"#, body, "k");
    let success = signed(r#"{"code":1,"msg":"success","payUrl":"https://h/1"}"#);
    assert_eq!(judged("200 OK", &success, None), Outcome::Accepted);
    assert_eq!(judged("200 OK", &success, Some("k")), Outcome::Accepted);
    assert_eq!(judged("200 OK", &success, Some("other")), Outcome::Untrue);
    assert_eq!(judged("200 OK", &signed(r#"{"code":1,"msg":"success"}"#), Some("k")), Outcome::Untrue);
    assert_eq!(judged("200 OK", &signed(r#"{"code":10}"#), None), Outcome::Code(10));
    assert_eq!(judged("200 OK", &signed(r#"{"code":9,"msg":"later"}"#), Some("k")), Outcome::Code(9));
    assert_eq!(judged("200 OK", "<html>", None), Outcome::Unreadable);
    assert_eq!(judged("502 Bad Gateway", &success, None), Outcome::Status(502));
}
