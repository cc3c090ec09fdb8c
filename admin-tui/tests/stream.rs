//! The stream of changes over a real connection that breaks: what was told is told once, and asked for from there.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use admin_tui::client::Client;
use admin_tui::event::{Event, Word};
use admin_tui::run::stream::listen;
use serde_json::{Value, json};
use shared::ops::Live;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

/// Nothing takes so long but what never comes.
const LONG: Duration = Duration::from_mins(1);

/// The head of a request, in lower case.
fn head(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase() + "\n").collect()
}

fn change(place: u32) -> String {
    let row: Value = json!({
        "id": format!("O{place}"), "number": "咖啡-17", "platform": "demo", "merchantId": "M1", "partnerNo": "10001",
        "product": "qr", "amount": 2100, "paidAmount": 0, "refundedAmount": 0, "currency": "HKD",
        "status": "awaiting", "createdAt": "2026-11-26T09:00:00Z", "updatedAt": "2026-11-26T09:00:00Z"
    });
    format!("id: {place}\ndata: {}\n\n", json!({"kind": "order", "row": row}))
}

async fn next(events: &mut Receiver<Event>) -> Word {
    let event = tokio::time::timeout(LONG, events.recv()).await.expect("it comes").expect("it is open");
    match event {
        Event::Stream(7, word) => word,
        _ => panic!("the stream speaks, under its number"),
    }
}

fn id_of(word: Word) -> String {
    match word {
        Word::Changed(change) => match *change {
            Live::Order(row) => row.id,
            _ => panic!("an order"),
        },
        _ => panic!("a change"),
    }
}

const BEGIN: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn heard(address: SocketAddr) -> (JoinHandle<()>, Receiver<Event>) {
    let client = Client::new(format!("http://{address}").parse().expect("a URL")).expect("a client");
    let (sender, events) = channel(16);
    let path = "/ops/v1/live?topics=orders".to_owned();
    (tokio::spawn(listen(Arc::new(client), path, 7, sender)), events)
}

#[tokio::test]
async fn without_a_place_to_go_on_from_a_gap_is_told() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (listening, mut events) = heard(server.local_addr().expect("it has one"));
    let serving = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = server.accept().expect("it is called");
            head(&stream);
            stream.write_all(BEGIN.as_bytes()).expect("it is sent");
        }
    });
    assert!(matches!(next(&mut events).await, Word::Opened));
    assert!(matches!(next(&mut events).await, Word::Broken(_)));
    assert!(matches!(next(&mut events).await, Word::Opened));
    let Word::Changed(change) = next(&mut events).await else { panic!("it is told") };
    assert_eq!(*change, Live::Gap);
    listening.abort();
    serving.join().expect("it served");
}

#[tokio::test]
async fn what_is_refused_is_not_asked_for_again() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (listening, mut events) = heard(server.local_addr().expect("it has one"));
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("it is called");
        head(&stream);
        let problem =
            json!({"title": "Forbidden", "status": 403, "code": "forbidden", "detail": "Not yours."});
        let body = problem.to_string();
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("it is sent");
    });
    let Word::Broken(failure) = next(&mut events).await else { panic!("it is told") };
    assert_eq!(failure.to_string(), "Not yours.");
    tokio::time::timeout(LONG, listening).await.expect("it ends").expect("it does not panic");
    serving.join().expect("it served");
}

#[tokio::test]
async fn it_goes_on_from_where_it_broke_off() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("it has one");
    let serving = std::thread::spawn(move || {
        let mut heads = Vec::new();
        for pieces in [vec![change(1), change(2)], vec![": beat\n\n".to_owned(), change(3)]] {
            let (mut stream, _) = server.accept().expect("it is called");
            heads.push(head(&stream));
            stream.write_all(BEGIN.as_bytes()).expect("it is sent");
            let text = pieces.concat();
            // In the midst of a character.
            let (first, second) = text.as_bytes().split_at(text.find('咖').expect("it is there") + 1);
            stream.write_all(first).and_then(|()| stream.write_all(second)).expect("it is sent");
            if heads.len() == 1 {
                // A message that is never whole is not told, and not counted as heard.
                stream.write_all(b"id: 99\ndata: {\"kind\"").expect("it is sent");
            }
        }
        heads
    });
    let (listening, mut events) = heard(address);
    let mut told = Vec::new();
    let (mut opened, mut broken) = (0, 0);
    while told.len() < 3 {
        match next(&mut events).await {
            Word::Opened => opened += 1,
            Word::Broken(_) => broken += 1,
            Word::Beat => {}
            changed @ Word::Changed(_) => told.push(id_of(changed)),
        }
    }
    listening.abort();
    assert_eq!(told, ["O1", "O2", "O3"]);
    assert_eq!((opened, broken), (2, 1));
    let heads = serving.join().expect("it served");
    assert!(heads[0].starts_with("get /ops/v1/live?topics=orders "), "{}", heads[0]);
    assert!(!heads[0].contains("last-event-id"), "{}", heads[0]);
    assert!(heads[1].contains("last-event-id: 2\n"), "{}", heads[1]);
}
