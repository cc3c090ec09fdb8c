//! Handlers that die: clients that hang up, stops, crashes, and answers that never come.

use std::time::Duration;

use gateway::entity::delivery;
use gateway::ledger::RowStatement;
use gateway::orders::reconcile;
use gateway::outgoing::Outgoing;
use sandbox::{Fault, Gate, Operation};
use sea_orm::sea_query::Query;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::acts::soon;
use crate::harness::merchant::{post, signed, try_post};
use crate::harness::side::Side;
use crate::harness::{Backend, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage};
use crate::on_both;

/// Upstream time-out and grace of the default configuration: when an answer to create is due.
const DUE: Duration = Duration::from_secs(25);

fn create_url(stage: &Stage) -> String {
    stage.node().url(&format!("/{PLATFORM}/api/offline/qrcode"))
}

/// The usual order as the merchant's client sends it.
fn create_document(stage: &Stage, number: &str) -> String {
    signed(PARTNER_NO, MERCHANT_KEY, "", &stage.order(number).body, stage.app().clock.now())
}

/// Place `number` from a task of its own, and hold the upstream's answer at the gate.
async fn create_held(stage: &Stage, number: &str) -> (Gate, tokio::task::JoinHandle<Option<i64>>) {
    let gate = Gate::new();
    stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
    let (url, document, before) = (create_url(stage), create_document(stage, number), stage.creates());
    let create = tokio::spawn(async move {
        let answer = try_post(&Outgoing::for_upstream(), &url, document, MERCHANT_KEY).await;
        answer.ok().map(|answer| answer.code)
    });
    soon(stage.upstream().seen_creates(before + 1)).await;
    (gate, create)
}

on_both!(a_client_that_hangs_up_discards_no_answer, async |stage: &mut Stage| {
    let gate = Gate::new();
    stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
    let document = create_document(stage, "p1");
    let mut client = TcpStream::connect(stage.node().address).await.expect("the gateway listens");
    let head = format!(
        "POST /{PLATFORM}/api/offline/qrcode HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        document.len()
    );
    client.write_all(format!("{head}{document}").as_bytes()).await.expect("the request is sent");
    soon(stage.upstream().seen_creates(1)).await;
    drop(client);
    // As long as another order takes, for the gateway to see that nobody is there any more.
    stage.open("p2").await;
    gate.open();

    let again = soon(stage.create(&stage.order("p1"))).await;
    let submission = stage.submission_no("p1").await;
    let upstream = stage.upstream().order(&submission).expect("it arrived");
    assert_eq!((again.code, again.pay_url()), (1, upstream.pay_url.as_str()));
    assert_eq!((stage.creates(), stage.queries()), (2, 0), "one call for each number");
    let order = stage.row("p1").await;
    assert_eq!(stage.journal_kinds(&order.id).await, ["placed", "answer"]);
    assert_eq!(stage.query("p1").await.body["status"], 0);
});

on_both!(
    a_full_queue_refuses_orders_and_forgets_none,
    [("store.queue", "4"), ("store.max_batch", "1")],
    async |stage: &mut Stage| {
        let mut side = Side::open(stage).await;
        side.hold_orders().await;
        let mut creates = JoinSet::new();
        for number in 0..20 {
            let number = format!("p{number}");
            let (url, document) = (create_url(stage), create_document(stage, &number));
            creates.spawn(async move { (number, post(&url, document, MERCHANT_KEY).await) });
        }
        // While nothing can be written, the only answers are those to orders that there is no room for.
        let (number, refused) = soon(creates.join_next()).await.expect("one of twenty").expect("no panic");
        assert_eq!((refused.code, refused.genuine), (9, true), "{number}: {}", refused.document);
        side.release().await;
        let mut answers = vec![(number, refused.code)];
        while let Some(answer) = soon(creates.join_next()).await {
            let (number, answer) = answer.expect("no panic");
            answers.push((number, answer.code));
        }
        let mut placed: Vec<String> =
            answers.iter().filter(|(_, code)| *code == 1).map(|(number, _)| number.clone()).collect();
        let busy = answers.iter().filter(|(_, code)| *code == 9).count();
        assert_eq!(placed.len() + busy, 20, "{answers:?}");
        assert!(!placed.is_empty(), "there was room for some");
        let mut rows: Vec<String> = stage.rows().await.into_iter().map(|order| order.number).collect();
        placed.sort();
        rows.sort();
        assert_eq!(rows, placed, "what was refused left nothing behind");
        assert!(stage.rows().await.iter().all(|order| order.status == "awaiting"));
        assert_eq!(stage.creates(), placed.len() as u64, "nothing was begun of what was refused");
    }
);

on_both!(a_graceful_stop_lets_creates_come_to_their_end, async |stage: &mut Stage| {
    let mut idle = TcpStream::connect(stage.node().address).await.expect("the gateway listens");
    idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n").await.expect("a request");
    let mut byte = [0];
    idle.read_exact(&mut byte).await.expect("an answer");
    let (gate, create) = create_held(stage, "p1").await;
    // Idle connections are closed when the stop begins.
    let once_stopping = async {
        idle.read_to_end(&mut Vec::new()).await.expect("the connection ends");
        gate.open();
    };
    Box::pin(soon(async { tokio::join!(stage.restart(), once_stopping) })).await;
    assert_eq!(create.await.expect("no panic"), Some(1), "the client got its answer");
    let order = stage.row("p1").await;
    assert_eq!(order.status, "awaiting");
    assert_eq!(stage.journal_kinds(&order.id).await, ["placed", "answer"]);
    assert_eq!(stage.open("p1").await.pay_url(), stage.upstream_order("p1").pay_url);
});

on_both!(an_order_without_an_answer_is_unknown_only_when_its_answer_is_due, async |stage: &mut Stage| {
    let (gate, create) = create_held(stage, "p1").await;
    stage.advance(DUE);
    assert_eq!(reconcile::sweep(stage.app()).await.expect("the store is read"), 0);
    assert_eq!(stage.row("p1").await.status, "submitting");
    stage.advance(Duration::from_millis(1));
    assert_eq!(reconcile::sweep(stage.app()).await.expect("the store is read"), 1);
    assert_eq!(stage.row("p1").await.status, "unknown");
    // An answer that comes after all is an answer.
    gate.open();
    assert_eq!(create.await.expect("no panic"), Some(1));
    let order = stage.row("p1").await;
    assert_eq!(order.status, "awaiting");
    assert_eq!(stage.journal_kinds(&order.id).await, ["placed", "overdue", "answer"]);
});

on_both!(
    a_crash_in_the_middle_of_a_create_leaves_it_unknown_and_the_repeat_asks_first,
    async |stage: &mut Stage| {
        let apart = stage.set_apart().await;
        let (gate, create) = create_held(stage, "p1").await;
        stage.crash(apart).await;
        assert_eq!(create.await.expect("no panic"), None, "nobody answered the client");
        gate.open();
        stage.start_again().await;

        assert_eq!(stage.row("p1").await.status, "submitting");
        stage.advance(DUE + Duration::from_millis(1));
        assert_eq!(reconcile::sweep(stage.app()).await.expect("the store is read"), 1);
        assert_eq!(stage.row("p1").await.status, "unknown");
        assert_eq!((stage.creates(), stage.queries()), (1, 0));
        let answer = stage.open("p1").await;
        assert_eq!((stage.creates(), stage.queries()), (2, 1));
        let order = stage.row("p1").await;
        assert_eq!(order.submissions, 2);
        assert_eq!(Some(answer.pay_url()), order.pay_url.as_deref());
    }
);

on_both!(
    a_crash_in_the_middle_of_a_create_that_is_paid_is_found_out_by_its_repeat,
    async |stage: &mut Stage| {
        let apart = stage.set_apart().await;
        let (gate, create) = create_held(stage, "p1").await;
        stage.crash(apart).await;
        create.await.expect("no panic");
        gate.open();
        stage.start_again().await;
        stage.pay(&stage.submission_no("p1").await);
        // Overdue, though no sweep has come by.
        stage.advance(DUE + Duration::from_millis(1));
        assert_eq!(stage.create(&stage.order("p1")).await.code, 32);
        assert_eq!(stage.row("p1").await.status, "paid");
        assert_eq!(stage.creates(), 1);
        assert_eq!(stage.deliver_due().await, 1);
        assert_eq!(stage.shop().paid_now().len(), 1);
    }
);

on_both!(what_was_promised_before_a_restart_is_told_after_it, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    stage.shop().answer_next(500, "no");
    assert_eq!(stage.deliver_due().await, 1);
    stage.restart().await;
    assert_eq!(stage.deliver_due().await, 0, "not before it is due");
    stage.advance(Duration::from_secs(15));
    assert_eq!(stage.deliver_due().await, 1);
    let told = stage.shop().paid_now();
    assert_eq!((told.len(), told[0].told), (1, 2));
});

on_both!(
    what_was_promised_before_a_crash_is_told_after_it,
    [("deliveries.lease", "1h")],
    async |stage: &mut Stage| {
        let apart = stage.set_apart().await;
        stage.pay_one_order("p1").await;
        stage.crash(apart).await;
        stage.start_again().await;
        if stage.world.backend == Backend::Postgres {
            // The node that is gone holds the delivery until its lease is over: another may not send it as well.
            assert_eq!(stage.deliver_due().await, 0);
            let over =
                Query::update().table(delivery::Entity).value(delivery::Column::LeasedUntil, 1).to_owned();
            stage.write(vec![RowStatement::Update(over)]).await;
        }
        assert_eq!(stage.deliver_due().await, 1);
        assert_eq!(stage.shop().received_now().len(), 1);
        assert_eq!(stage.shop().paid_now().len(), 1);
    }
);
