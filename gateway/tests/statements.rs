//! Reconciliation: ScanForPay's books beside ours, on both stores.

mod harness;

use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;
use gateway::entity::{account, refund};
use gateway::ledger::{Lane, insert_rows};
use gateway::statements::report::{self, Format};
use gateway::statements::sweep::{Asker, sweep};
use gateway::statements::{Columns, Difference, Found, Period, Scratch, check};
use harness::{Stage, web};
use http::Method;
use jiff::civil::Date;
use sandbox::{Fault, Operation, Times};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

/// The harness's clock stands on this day in Hong Kong.
const DAY: Date = Date::constant(2026, 9, 21);
const HEADER: &str = "type,partnerOrderNo,orderNo,refundNo,orderAmount,currency,status\n";

async fn account(stage: &Stage) -> account::Model {
    let found = account::Entity::find_by_id(stage.account_id()).one(&stage.app().store.read).await;
    found.expect("the store is read").expect("it is there")
}

async fn compared(stage: &Stage, statement: &str, columns: &Columns, period: &Period) -> Scratch {
    let mut scratch = Scratch::new().expect("a scratch file");
    scratch.load(statement.as_bytes(), columns).expect("it is read");
    let read = &stage.app().store.read;
    check(read, account(stage).await, period, columns, &mut scratch).await.expect("it is compared");
    scratch
}

fn period(columns: &Columns) -> Period {
    Period::new(DAY, DAY, columns).expect("a period")
}

fn found(scratch: &mut Scratch) -> Vec<Found> {
    let all = scratch.differences_after(0, 1000).expect("they are read");
    all.into_iter().map(|(_, found)| found).collect()
}

fn in_short(scratch: &mut Scratch) -> Vec<(Difference, Option<i64>, Option<String>)> {
    found(scratch).into_iter().map(|found| (found.kind, found.line, found.number)).collect()
}

/// A paid order; the number that ScanForPay was given.
async fn paid(stage: &Stage, number: &str) -> String {
    stage.open(number).await;
    let submission = stage.submission_no(number).await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    submission
}

/// A refund of `amount` that has come to its end.
async fn refunded(stage: &Stage, number: &str, amount: i64) -> String {
    let (order, app) = (stage.row(number).await, stage.app());
    let row = refund::Model {
        id: app.chance.id(),
        order_id: order.id,
        submission_id: order.submission_id,
        platform_id: order.platform_id,
        merchant_id: order.merchant_id,
        refund_no: format!("r-{number}"),
        amount,
        currency: order.currency,
        state: refund::State::Refunded,
        asked_by: "merchant".to_owned(),
        reason: None,
        approved_by: None,
        operator_id: None,
        terminal_no: None,
        code: Some(1),
        calls: 1,
        answer_due_at: None,
        look_at: None,
        looks: 0,
        created_at: app.clock.now_ms(),
        updated_at: app.clock.now_ms(),
    };
    let id = row.id.clone();
    let room = app.ledger.room(Lane::Bulk, "a test").expect("room");
    room.rows(vec![insert_rows::<refund::Entity>(&[row])]).await.expect("it is written");
    id
}

on_both!(a_statement_that_agrees_says_so, async |stage: &mut Stage| {
    let (one, two) = (paid(stage, "p1").await, paid(stage, "p2").await);
    let refund = refunded(stage, "p2", 500).await;
    let order_no = stage.row("p2").await.upstream_order_no.expect("it has one");
    let columns = Columns::default();
    let statement = format!(
        "{HEADER}payment,{one},,,2100,HKD,1\npayment,,{order_no},,2100,HKD,paid\nrefund,{two},,{refund},500,HKD,\n"
    );
    let mut scratch = compared(stage, &statement, &columns, &period(&columns)).await;
    assert_eq!(in_short(&mut scratch), []);
    assert!(scratch.summary.agrees());
    let summary = &scratch.summary;
    assert_eq!((summary.lines, summary.payments, summary.refunds, summary.ours), (3, 2, 1, 3));

    // The same in the words of another file: major units, other names, no refunds' numbers.
    let other = Columns::read("number = \"No\"\namount = \"Sum\"\namounts = \"major\"\ndelimiter = \";\"")
        .expect("read");
    let statement = format!("No;Sum\n{one};21.00\n{two};21\n{two};-5.0\n");
    let mut scratch = compared(stage, &statement, &other, &period(&other)).await;
    assert_eq!(in_short(&mut scratch), []);
});

on_both!(every_difference_has_its_type_and_its_next_step, async |stage: &mut Stage| {
    let mut sent = Vec::new();
    for number in ["agrees", "amount", "currency", "twice", "unlisted", "unpaid-there"] {
        sent.push(paid(stage, number).await);
    }
    stage.open("unpaid-here").await;
    let unpaid = stage.submission_no("unpaid-here").await;
    let unlisted_refund = refunded(stage, "agrees", 100).await;
    let wrong_refund = refunded(stage, "amount", 200).await;
    let [agrees, amount, currency, twice, _, unpaid_there] = sent.try_into().expect("six");
    let columns = Columns::default();
    let statement = [
        HEADER.to_owned(),
        format!("payment,{agrees},,,2100,HKD,1\n"),
        format!("payment,{amount},,,2101,HKD,1\n"),
        format!("payment,{currency},,,2100,CNY,1\n"),
        format!("payment,{twice},,,2100,HKD,1\n"),
        format!("payment,{twice},,,2100,HKD,1\n"),
        format!("payment,{unpaid_there},,,2100,HKD,0\n"),
        format!("payment,{unpaid},,,2100,HKD,1\n"),
        "payment,01NOBODYS,,,2100,HKD,1\n".to_owned(),
        "payment,01NOBODYS2,,,2100,HKD,0\n".to_owned(),
        format!("refund,{amount},,{wrong_refund},300,HKD,\n"),
        format!("refund,{twice},,,100,HKD,\n"),
    ];
    let before = stage.rows().await;
    let mut scratch = compared(stage, &statement.concat(), &columns, &period(&columns)).await;
    let named = |number: &str| Some(number.to_owned());
    let expected = [
        (Difference::Duplicate, Some(5), None),
        (Difference::Amount, Some(2), named("amount")),
        (Difference::Currency, Some(3), named("currency")),
        (Difference::Status, Some(6), named("unpaid-there")),
        (Difference::Status, Some(7), named("unpaid-here")),
        (Difference::MissingHere, Some(8), None),
        (Difference::Refund, Some(10), named("amount")),
        (Difference::Refund, Some(11), named("twice")),
        (Difference::MissingThere, None, named("unpaid-there")),
        (Difference::MissingThere, None, named("unlisted")),
        (Difference::Refund, None, named("agrees")),
    ];
    let mut told = in_short(&mut scratch);
    let sort = |list: &mut Vec<(Difference, Option<i64>, Option<String>)>| {
        list.sort_by_key(|(kind, line, number)| (line.is_none(), *line, *kind, number.clone()));
    };
    let mut expected = expected.to_vec();
    sort(&mut told);
    sort(&mut expected);
    assert_eq!(told, expected);
    assert!(found(&mut scratch).iter().all(|found| found.next == found.kind.next_step()));
    assert!(found(&mut scratch).iter().any(|found| found.refund_no.as_ref() == Some(&unlisted_refund)));
    assert_eq!(stage.rows().await, before, "a check changes nothing");

    let written = |scratch: &mut Scratch, format| {
        let mut out = Vec::new();
        report::write(scratch, format, &mut out).expect("it is written");
        String::from_utf8(out).expect("text")
    };
    let json: Value = serde_json::from_str(&written(&mut scratch, Format::Json)).expect("JSON");
    assert_eq!(
        (&json["summary"]["agrees"], &json["summary"]["byType"]["refund"]),
        (&json!(false), &json!(3))
    );
    assert_eq!(json["differences"].as_array().map(Vec::len), Some(11));
    assert_eq!(written(&mut scratch, Format::Csv).lines().count(), 12);
    let table = written(&mut scratch, Format::Table);
    assert!(table.contains("missing_there") && table.contains("differs: 11 lines"), "{table}");
});

on_both!(a_payment_that_may_be_settled_later_is_no_difference_yet, async |stage: &mut Stage| {
    paid(stage, "p1").await;
    let columns = Columns { settlement_days: 2, ..Columns::default() };
    let through = |day| Period::new(DAY, Date::constant(2026, 9, day), &columns).expect("a period");
    let mut early = compared(stage, HEADER, &columns, &through(22)).await;
    assert_eq!((in_short(&mut early).len(), early.summary.pending), (0, 1));
    let mut late = compared(stage, HEADER, &columns, &through(23)).await;
    assert_eq!(in_short(&mut late), [(Difference::MissingThere, None, Some("p1".to_owned()))]);
    // Midnight is the account's: an hour later it is another day there.
    stage.advance(Duration::from_hours(2));
    paid(stage, "p2").await;
    let day = Columns::default();
    let mut scratch = compared(stage, HEADER, &day, &period(&day)).await;
    assert_eq!(in_short(&mut scratch), [(Difference::MissingThere, None, Some("p1".to_owned()))]);
});

async fn swept(stage: &Stage, asker: &Asker) -> Scratch {
    let mut scratch = Scratch::new().expect("a scratch file");
    let read = &stage.app().store.read;
    let done = sweep(read, account(stage).await, &period(&Columns::default()), asker, &mut scratch).await;
    done.expect("it is swept");
    scratch
}

on_both!(a_sweep_asks_about_each_order_and_its_answers_settle_them, async |stage: &mut Stage| {
    let known = paid(stage, "known").await;
    stage.open("unheard").await;
    let unheard = stage.submission_no("unheard").await;
    stage.pay(&unheard);
    stage.open("open").await;
    let asker = Asker::Own(stage.app().clone(), None);
    let mut first = swept(stage, &asker).await;
    assert_eq!(in_short(&mut first), [(Difference::Status, None, Some("unheard".to_owned()))]);
    assert_eq!(found(&mut first)[0].next, "settled by the answer: the order is paid now");
    assert_eq!(
        (stage.row("unheard").await.status.as_str(), stage.row("open").await.status.as_str()),
        ("paid", "awaiting")
    );
    assert_eq!(stage.deliver_due().await, 2, "the shop is told of what was found");
    let again = swept(stage, &asker).await;
    assert!(again.summary.agrees(), "{:?}", again.summary);
    assert_eq!((again.summary.ours, stage.upstream().order(&known).expect("there").queries), (3, 2));

    stage.upstream().refund(&known).expect("it is refunded");
    let mut refund = swept(stage, &asker).await;
    assert_eq!(in_short(&mut refund)[0].2, Some("known".to_owned()));
    let silent = Fault::HttpStatus { status: 502, took_effect: false };
    stage.upstream().fault(Operation::Query, silent, Times::UntilCleared).expect("room for a fault");
    let doubt = swept(stage, &asker).await;
    assert_eq!((doubt.summary.unanswered, doubt.summary.agrees()), (3, false));
});

on_both!(a_statement_is_checked_over_rest_for_platforms, async |stage: &mut Stage| {
    let one = paid(stage, "p1").await;
    let path = format!("/v1/statements/check?account={}&day=2026-09-21", stage.account_id());
    let send = async |path: &str, kind: &str, statement: String| {
        let bearer = format!("Bearer {}", stage.world.keys.test);
        let headers = [("authorization", &*bearer), ("content-type", kind)];
        web::exchange(Method::POST, &stage.node().url(path), &headers, Bytes::from(statement)).await
    };
    let agreed = send(&path, "text/csv", format!("{HEADER}payment,{one},,,2100,HKD,1\n")).await;
    assert_eq!((agreed.status, &agreed.json()["agrees"]), (200, &json!(true)), "{}", agreed.text());
    let differs = send(&path, "text/csv; charset=utf-8", HEADER.to_owned()).await.json();
    let first = &differs["differences"][0];
    assert_eq!(
        (&first["type"], &first["number"], &differs["ours"]),
        (&json!("missing_there"), &json!("p1"), &json!(1))
    );
    let unreadable = send(&path, "text/csv", "a,b\n".to_owned()).await;
    assert_eq!((unreadable.status, &unreadable.json()["code"]), (400, &json!("not_csv")));
    assert_eq!(send(&path, "application/json", "{}".to_owned()).await.status, 415);
    let columns = send(&format!("{path}&columns=numbr%3D1"), "text/csv", HEADER.to_owned()).await;
    assert_eq!((columns.status, &columns.json()["errors"][0]["parameter"]), (422, &json!("columns")));
});

/// An order that was paid through two calls: the one that it counts, and the other.
async fn paid_twice(stage: &Stage, number: &str) -> [String; 2] {
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    assert_eq!(stage.create(&stage.order(number)).await.code, 21);
    let second = stage.submission_no(number).await;
    let counted = paid(stage, number).await;
    stage.pay(&second);
    [counted, second]
}

on_both!(each_payment_of_an_order_is_compared_by_itself, async |stage: &mut Stage| {
    let [counted, second] = paid_twice(stage, "p1").await;
    let columns = Columns::default();
    let lines = |counted_status: &str, second: &str| {
        format!("{HEADER}payment,{counted},,,2100,HKD,{counted_status}\npayment,{second}\n")
    };
    let by_number = |status: &str| format!("{second},,,2100,HKD,{status}");
    // The second payment was not heard of yet: the sweep asks about all calls of an order.
    let mut unheard = compared(stage, &lines("1", &by_number("1")), &columns, &period(&columns)).await;
    assert_eq!(in_short(&mut unheard), [(Difference::Status, Some(2), Some("p1".to_owned()))]);
    let asker = Asker::Own(stage.app().clone(), None);
    assert!(swept(stage, &asker).await.summary.agrees());
    assert_eq!(stage.row("p1").await.second_payments, 1);

    let order_no = stage.upstream().order(&second).expect("it is there").order_no;
    for line in [by_number("1"), format!(",{order_no},,2100,HKD,1")] {
        let mut scratch = compared(stage, &lines("1", &line), &columns, &period(&columns)).await;
        assert_eq!((in_short(&mut scratch), scratch.summary.ours), (vec![], 2), "{line}");
    }
    let unlisted = format!("{HEADER}payment,{counted},,,2100,HKD,1\n");
    let mut scratch = compared(stage, &unlisted, &columns, &period(&columns)).await;
    assert_eq!(in_short(&mut scratch), [(Difference::MissingThere, None, Some("p1".to_owned()))]);
    assert_eq!(found(&mut scratch)[0].sent_number.as_ref(), Some(&second));

    let refunds = format!("/v1/orders/p1/refunds?merchant={}", stage.merchant_id());
    let refund = json!({ "refundNo": "r1", "amount": 500, "payment": second });
    assert_eq!(stage.post(&refunds, refund).await.status, 201);
    let refunded =
        |call: &str, status: &str| format!("{}refund,{call},,,500,HKD,\n", lines(status, &by_number("3")));
    let mut scratch = compared(stage, &refunded(&second, "1"), &columns, &period(&columns)).await;
    assert_eq!((in_short(&mut scratch), scratch.summary.ours), (vec![], 3));
    let mut other = compared(stage, &refunded(&counted, "3"), &columns, &period(&columns)).await;
    let told: Vec<_> = in_short(&mut other).into_iter().map(|(kind, line, _)| (kind, line)).collect();
    let expected = [(Difference::Status, Some(1)), (Difference::Refund, Some(3)), (Difference::Refund, None)];
    assert_eq!(told, expected, "it was the other payment's");
});

/// A statement of many lines that no memory has to hold: each names an order that nobody has.
struct Long {
    left: u64,
    part: io::Cursor<Vec<u8>>,
}

impl Long {
    fn of(lines: u64) -> Self {
        Self { left: lines, part: io::Cursor::new(HEADER.as_bytes().to_vec()) }
    }
}

impl Read for Long {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(buffer)?;
        if read > 0 || self.left == 0 {
            return Ok(read);
        }
        let some = self.left.min(1000);
        let lines =
            (0..some).map(|n| format!("payment,01ABCDEFGHJKMNPQRS{:08},,,2100,HKD,1\n", self.left - n));
        self.part = io::Cursor::new(lines.collect::<String>().into_bytes());
        self.left -= some;
        self.part.read(buffer)
    }
}

/// What this process holds in memory, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: u64 = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("pages");
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_statement_is_compared_in_bounded_memory() {
    const LINES: u64 = 400_000;
    let stage = Stage::set(harness::Backend::Sqlite).await;
    let columns = Columns::default();
    let before = resident();
    let mut scratch = Scratch::new().expect("a scratch file");
    scratch.load(Long::of(LINES), &columns).expect("it is read");
    let read = &stage.app().store.read;
    check(read, account(&stage).await, &period(&columns), &columns, &mut scratch).await.expect("compared");
    let mut out = io::sink();
    report::write(&mut scratch, Format::Json, &mut out).expect("it is written");
    assert_eq!((scratch.summary.lines, scratch.summary.differences), (LINES, LINES));
    let grown = resident().saturating_sub(before);
    // Lines and differences are about 200 MB; other tests of this program run beside.
    assert!(grown < 128 * 1024 * 1024, "{} MB more than before", grown / 1024 / 1024);
    stage.strike().await;
}
