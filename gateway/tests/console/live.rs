//! Changes, as they are listened to.

use std::time::Duration;

use gateway::console::live::{self, Change, since};
use gateway::directory::operators::Role;
use shared::ops::Live;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::harness::Stage;
use crate::harness::acts::soon;
use crate::harness::people::OTHER_PLATFORM;
use crate::on_both;
use crate::operating::{Ops, someone};

/// A console's stream, read as it comes.
struct Listening {
    stream: TcpStream,
    text: String,
}

impl Listening {
    async fn to(ops: &Ops, token: &str, query: &str, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(ops.address()).await.expect("it listens");
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /ops/v1/live{query} HTTP/1.1\r\nhost: ops\r\nauthorization: Bearer {token}\r\n{last}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let mut listening = Self { stream, text: String::new() };
        listening.until("event: beat").await;
        assert!(
            listening.text.contains("200 OK") && listening.text.contains("text/event-stream"),
            "{}",
            listening.text
        );
        listening
    }

    /// Until this has come; all that has.
    async fn until(&mut self, wanted: &str) -> &str {
        let mut buffer = [0; 4096];
        while !self.text.contains(wanted) {
            let read = soon(self.stream.read(&mut buffer)).await.expect("it is read");
            assert!(read > 0, "it ended without {wanted}: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        &self.text
    }

    /// The place of the last change that has come.
    fn last_id(&self) -> String {
        let mut ids = self.text.lines().filter_map(|line| line.strip_prefix("id: "));
        ids.next_back().expect("a change has come").trim().to_owned()
    }
}

fn follow(stage: &Stage) -> CancellationToken {
    let stop = CancellationToken::new();
    tokio::spawn(live::follow(stage.app().clone(), stop.clone()));
    stop
}

fn words(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .map(|change| match &change.live {
            Live::Order(row) => format!("order {} {}", row.number, row.status.as_str()),
            Live::Delivery(row) => format!("delivery {} {}", row.number, row.attempt_count),
            Live::Replay(row) => format!("replay {}", row.total),
            Live::Matter(row) => format!("matter {}", row.kind),
            Live::Gap => "gap".to_owned(),
        })
        .collect()
}

on_both!(a_console_hears_of_orders_and_deliveries_as_they_change, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Viewer, None).await;
    let token = ops.login("anna").await;
    let stop = follow(stage);
    let mut all = Listening::to(&ops, &token, "", None).await;
    let mut paid = Listening::to(&ops, &token, "?topics=orders&filter=status:paid", None).await;
    stage.open("p0").await;
    all.until("\"p0\"").await;
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    all.until("\"kind\":\"delivery\"").await;
    paid.until("\"p1\"").await;
    assert!(!paid.text.contains("\"p0\"") && !paid.text.contains("\"delivery\""), "{}", paid.text);
    stop.cancel();
});

on_both!(who_comes_back_goes_on_where_it_stopped, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Viewer, None).await;
    let token = ops.login("anna").await;
    let stop = follow(stage);
    let mut first = Listening::to(&ops, &token, "", None).await;
    stage.open("p0").await;
    let last = {
        first.until("\"p0\"").await;
        first.last_id()
    };
    drop(first);
    stage.advance(Duration::from_secs(30));
    stage.open("missed").await;
    let again = Listening::to(&ops, &token, "", Some(&last)).await;
    assert!(again.text.contains("\"missed\""), "{}", again.text);
    stage.advance(Duration::from_hours(1));
    let token = ops.login("anna").await;
    let late = Listening::to(&ops, &token, "", Some(&last)).await;
    assert!(late.text.contains("\"kind\":\"gap\""), "too long ago to be told one by one: {}", late.text);
    let unknown = ops.get("/ops/v1/live?topics=orders,weather", &token).await;
    assert_eq!(unknown.status, 422);
    stop.cancel();
});

on_both!(what_has_changed_is_told_once_and_only_to_whom_it_concerns, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "bound", Role::Viewer, Some(OTHER_PLATFORM)).await;
    let token = ops.login("bound").await;
    let stop = follow(stage);
    let mut theirs = Listening::to(&ops, &token, "", None).await;
    let from = stage.app().clock.now_ms();
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let changes = since(stage.app(), from).await.expect("the store is read");
    assert_eq!(words(&changes), ["order p1 paid", "delivery p1 1"]);
    stage.advance(Duration::from_mins(1));
    let nothing = since(stage.app(), stage.app().clock.now_ms()).await.expect("the store is read");
    assert!(nothing.is_empty(), "{nothing:?}");
    theirs.text.clear();
    theirs.until("event: beat").await;
    theirs.text.clear();
    theirs.until("event: beat").await;
    assert!(!theirs.text.contains("p1"), "{}", theirs.text);
    stop.cancel();
});
