//! A sandbox that keeps its state: what a restart finds again, and what stands in its way.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use sandbox::shop::Shop;
use sandbox::{Clock, Pace, Payer, PaymentState, Sandbox, accounts, kept};
use serde_json::{Value, json};

use crate::client::{
    Hands, PARTNER, QRCODE, QUERY, REFUND, TRANSACTION_QR, call, code, get, opened, order, order_at,
    sandbox_at, soon, with,
};
use crate::notices::shop;

async fn keeping(file: &Path, clock: Clock) -> Sandbox {
    sandbox_at(clock, |settings| {
        settings.state_file = Some(file.to_owned());
        // So that a shop that is away is asked again only after a restart.
        settings.notice_schedule = vec![Duration::from_hours(1)];
        settings.pace = Pace { late: Duration::from_millis(1), ..Pace::default() };
    })
    .await
}

async fn told(sandbox: &Sandbox, shop: &Shop, number: &str, amount: i64) {
    let more = json!({"notifyUrl": shop.notify_url(), "orderAmount": amount});
    opened(sandbox, &with(order(number), more)).await;
    sandbox.control().pay(number, Payer::default()).expect("may be paid");
}

fn refund(number: &str, refund_no: &str, amount: i64) -> Value {
    json!({"partnerOrderNo": number, "refundNo": refund_no, "orderAmount": amount})
}

#[tokio::test]
async fn a_restart_finds_orders_payments_refunds_and_times_to_pay_again() {
    let home = tempfile::tempdir().expect("a folder");
    let (file, hands, shop) = (home.path().join("state.json"), Hands::default(), shop().await);
    let sandbox = keeping(&file, hands.clock()).await;
    let first = opened(&sandbox, &order("open")).await;
    opened(&sandbox, &order("closed")).await;
    sandbox.control().close("closed").expect("may be closed");
    call(&sandbox, TRANSACTION_QR, &order_at(TRANSACTION_QR, "expiring")).await;
    told(&sandbox, &shop, "paid", 4_040_301).await;
    soon(shop.paid(1)).await;
    soon(sandbox.control().until(|counts| counts.acknowledged == 1)).await;
    assert_eq!(code(&sandbox, REFUND, &refund("paid", "r1", 100)).await, 1);
    let before = serde_json::to_value(sandbox.control().orders()).expect("is JSON");
    soon(sandbox.stop()).await;
    let mode = std::fs::metadata(&file).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let sandbox = keeping(&file, hands.clock()).await;
    let mut after = serde_json::to_value(sandbox.control().orders()).expect("is JSON");
    assert_eq!(
        after[0]["payUrl"],
        format!("{}{first}", sandbox.base_url()),
        "the page is at today's address"
    );
    for (now, then) in
        after.as_array_mut().expect("a list").iter_mut().zip(before.as_array().expect("a list"))
    {
        now["payUrl"] = then["payUrl"].clone();
    }
    assert_eq!(after, before);
    assert_eq!(get(&sandbox.base_url(), &first).await.status, 200);
    assert_eq!(opened(&sandbox, &order("open")).await, first, "the number is known");
    assert_eq!(code(&sandbox, QRCODE, &order("closed")).await, 33);
    let answer = call(&sandbox, REFUND, &refund("paid", "r1", 100)).await.verified();
    assert_eq!(answer["status"], 0, "still in progress");
    hands.advance(Duration::from_mins(3));
    assert_eq!(call(&sandbox, REFUND, &refund("paid", "r1", 100)).await.verified()["status"], 1);
    assert_eq!(code(&sandbox, QUERY, &json!({"partnerOrderNo": "expiring"})).await, 33);
    assert_eq!(shop.received_now().len(), 1, "what was acknowledged is not told again");
}

#[tokio::test]
async fn a_restart_goes_on_telling_what_was_not_acknowledged() {
    let home = tempfile::tempdir().expect("a folder");
    let (file, shop) = (home.path().join("state.json"), shop().await);
    let sandbox = keeping(&file, Hands::default().clock()).await;
    shop.answer_next(503, "busy");
    told(&sandbox, &shop, "p1", 2_100).await;
    soon(sandbox.control().seen_notices(1)).await;
    // Never told, which a restart must not change.
    told(&sandbox, &shop, "p2", 4_040_404).await;
    soon(sandbox.stop()).await;

    let sandbox = keeping(&file, Hands::default().clock()).await;
    soon(sandbox.control().until(|counts| counts.acknowledged == 1)).await;
    let told: Vec<_> = shop.received_now().into_iter().map(|notice| notice.partner_order_no).collect();
    assert_eq!(told, ["p1", "p1"]);
    assert_eq!(
        sandbox.control().order("p2").map(|order| (order.state, order.notices)),
        Some((PaymentState::Paid, 0))
    );
}

#[tokio::test]
async fn the_file_is_written_while_the_sandbox_runs_and_has_the_partners() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("state.json");
    let sandbox = keeping(&file, Hands::default().clock()).await;
    let partners = kept::partners(&file).expect("is readable").expect("is there");
    assert_eq!(partners[0].partner_no, PARTNER);
    opened(&sandbox, &order("p1")).await;
    soon(async {
        while !std::fs::read_to_string(&file).expect("is never half there").contains("\"p1\"") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(kept::partners(&home.path().join("none")).expect("is no error").is_none());
}

#[tokio::test]
async fn a_file_of_another_sandbox_or_of_something_else_is_refused_by_name() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("state.json");
    let _running = keeping(&file, Hands::default().clock()).await;
    let open = async |file: &Path| {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut settings = sandbox::Settings::new("http://127.0.0.1", vec![accounts::make()]);
        settings.state_file = Some(file.to_owned());
        let started = sandbox::start(listener, settings, Hands::default().clock());
        format!("{:#}", started.err().expect("is refused"))
    };
    let error = open(&file).await;
    assert!(error.contains("state.json") && error.contains("another sandbox's"), "{error}");

    let other = home.path().join("other.json");
    std::fs::write(&other, "{\"version\":1,\"partners\":[{\"sign_key\":\"s3cret\"").expect("can be written");
    let error = open(&other).await;
    assert!(error.contains("other.json is no state file") && error.contains("--fresh"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
    let error = open(&home.path().join("no/such/folder.json")).await;
    assert!(error.contains("cannot be written"), "{error}");
}
