//! The client against a server of one connection, and its pure parts.

use clap::Parser;
use shared::envelope::{Envelope, response_header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::qr::Screen;
use super::*;

const KEY: &str = "5f2b8c1e9d4a7063b1c2d3e4f5a69788";

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: ClientCommand,
}

fn parse(line: &str) -> Result<ClientCommand, clap::error::ErrorKind> {
    let words = std::iter::once("client").chain(line.split_whitespace());
    CommandLine::try_parse_from(words).map(|line| line.command).map_err(|e| e.kind())
}

fn moment() -> Moment {
    Moment { now: time::macros::datetime!(2018-07-25 18:06:05 +8), chance: [0xab; 16] }
}

fn prepare(line: &str) -> Result<Call, String> {
    match parse(line).expect("the command line is right") {
        ClientCommand::Order(args) => order(args, &moment()),
        ClientCommand::Query(args) => query(&args),
        ClientCommand::Refund(args) => refund(args, &moment()),
        ClientCommand::Diagnose(_) => panic!("a diagnosis is no call"),
        ClientCommand::SelfCheck(_) => panic!("a self-check is no signed call"),
        ClientCommand::Listen(_) => panic!("listening is no signed call"),
    }
    .map_err(|usage| usage.to_string())
}

fn answer(body: &str) -> String {
    seal(Side::Response, &response_header("10001", "m1", moment().now), body, KEY)
}

fn shown(raw: &str, subject: &Subject, screen: Option<Screen>) -> (Answer, String) {
    let answer = Answer::read(raw.as_bytes(), KEY).expect("an envelope");
    let mut out = Vec::new();
    report::show(&mut out, &answer, subject, screen).expect("memory takes it");
    (answer, String::from_utf8(out).expect("text"))
}

fn demo_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = format!(
        r#"{{"gateway":{{"base_url":"http://127.0.0.1:8080","signed_base_url":"http://127.0.0.1:8080/demo","docs_url":"","ops_url":""}},
        "sandbox":{{"base_url":"http://127.0.0.1:8081"}},"shop":{{"notify_url":"http://127.0.0.1:8083/notify","return_url":"http://127.0.0.1:8083/return"}},
        "platform":{{"slug":"demo"}},"merchant":{{"partner_no":"20001","sign_key":"{KEY}"}},
        "stores":[{{"store_no":"1","currency":"HKD","wallets":["Wechat"]}},{{"store_no":"2","currency":"HKD","wallets":["Alipay"]}},
        {{"store_no":"3","currency":"JPY","wallets":["Alipay"]}}],"operator":{{"name":"o","password":"p"}}}}"#
    );
    std::fs::write(folder.path().join("demo.json"), demo).expect("it can be written");
    folder
}

/// Answer one POST with `answer` and give back what was posted.
async fn serve_once(listener: TcpListener, answer: String) -> String {
    let (mut stream, _) = listener.accept().await.expect("a caller");
    let mut seen = Vec::new();
    let head = loop {
        stream.read_buf(&mut seen).await.expect("bytes");
        if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
    let length =
        text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).expect("a length");
    let length: usize = length.parse().expect("a number");
    while seen.len() < head + length {
        stream.read_buf(&mut seen).await.expect("bytes");
    }
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
    stream.write_all(reply.as_bytes()).await.expect("it takes the answer");
    String::from_utf8(seen).expect("text")
}

/// What one call prints and whether it was accepted, and what the server was sent.
async fn call_a_server(extra: &str, answer: String) -> (anyhow::Result<bool>, String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}/demo", listener.local_addr().expect("an address"));
    let line = format!(
        "order --base {base} --partner-no 10001 --store-no 7 --key {KEY} --wallet Alipay --amount 2100 --currency HKD {extra}"
    );
    let call = prepare(&line).expect("all is given");
    let mut out = Vec::new();
    let screen = Some(Screen { columns: 120, rows: 60 });
    let now = moment();
    let (result, posted) = tokio::join!(make(&call, &now, screen, &mut out), serve_once(listener, answer));
    (result, String::from_utf8(out).expect("text"), posted)
}

const OPENED: &str =
    r#"{"code":1,"msg":"success","payUrl ":"http://127.0.0.1:8081/pay/5a42","orderNo":"o1"}"#;

#[test]
fn a_refund_asks_again_under_its_own_number_and_says_how_it_stands() {
    let call = prepare("refund --base http://a/demo --partner-no 1 --key k --number p1 --amount 700");
    let call = call.expect("all is given");
    assert_eq!(
        call.body,
        r#"{"partnerOrderNo":"p1","refundNo":"r20180725180605abababab","orderAmount":700}"#
    );
    assert!(
        call.ask.ends_with("--number p1 --refund-no r20180725180605abababab --amount 700"),
        "{}",
        call.ask
    );
    let body = r#"{"code":1,"msg":"success","orderAmount":700,"status":0,"currency":"HKD","refundNo":"r1"}"#;
    let (_, out) = shown(&answer(body), &call.subject, None);
    assert!(out.contains("0 (in progress)") && out.contains("700 (7.00 HKD)"), "{out}");
}

#[tokio::test]
async fn an_order_goes_out_properly_signed_and_its_answer_is_shown_with_a_code_to_scan() {
    let (accepted, out, posted) = call_a_server("--number p1", answer(OPENED)).await;
    assert!(accepted.expect("an answer"));
    assert!(posted.starts_with("POST /demo/api/offline/qrcode HTTP/1.1\r\n"), "{posted}");
    let document = posted.split("\r\n\r\n").nth(1).expect("a body");
    let request = Envelope::read(document.as_bytes(), Side::Request).expect("an envelope");
    assert!(request.verifies(KEY));
    assert_eq!(request.header_text(&["reqTime"]).as_deref(), Some("2018-07-25T18:06:05+08:00"));
    assert_eq!(request.body.get("orderAmount").map(|amount| amount.value), Some("2100"));
    for line in ["number     p1", "code       1 (success)", "orderNo    o1", "signature  verified"] {
        assert!(out.lines().any(|shown| shown == line), "{line} in {out}");
    }
    assert!(out.contains("payUrl     http://127.0.0.1:8081/pay/5a42\n"));
    assert!(out.contains("█▀") && out.contains("client query --base"));
}

#[tokio::test]
async fn raw_shows_the_bytes_of_both_documents_and_never_the_key() {
    let answer = answer(OPENED);
    let (_, out, posted) = call_a_server("--raw", answer.clone()).await;
    let document = posted.split("\r\n\r\n").nth(1).expect("a body");
    assert!(out.contains(document) && out.contains(&answer));
    assert!(!out.contains(KEY));
}

#[tokio::test]
async fn an_answer_under_another_key_is_not_accepted_and_offers_nothing_to_scan() {
    let forged = answer(OPENED).replace("5a42", "666f");
    let (accepted, out, _) = call_a_server("", forged).await;
    assert!(!accepted.expect("an answer"));
    assert!(out.contains("signature  NOT VERIFIED") && out.contains("/pay/666f"));
    assert!(!out.contains('█'));
}

#[tokio::test]
async fn a_page_instead_of_an_envelope_is_quoted() {
    let (result, ..) = call_a_server("", "<html>\n<h1>Bad\u{1b} gateway".to_owned()).await;
    let text = format!("{:#}", result.expect_err("no envelope"));
    assert!(text.contains(r"<html> <h1>Bad\u{1b} gateway"), "{text}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_named_and_nothing_counts_as_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let request =
        Request { address: format!("http://{address}/").parse().expect("a URL"), document: String::new() };
    match exchange::send(&request).await {
        Err(Failure::NotSent(error)) => {
            assert!(error.to_string().starts_with(&format!("nothing listens at {address}")), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_leaves_the_order_in_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let hang_up = async {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let mut seen = [0; 64];
        stream.read_exact(&mut seen).await.expect("a request's start");
    };
    let line = format!(
        "order --base {base} --partner-no 1 --store-no 7 --key k --number p9 --wallet Alipay --amount 1 --currency HKD"
    );
    let call = prepare(&line).expect("all is given");
    let (now, mut out) = (moment(), Vec::new());
    let (result, ()) = tokio::join!(make(&call, &now, None, &mut out), hang_up);
    let text = format!("{:#}", result.expect_err("no answer"));
    assert!(text.contains("may be placed all the same") && text.contains("--number p9"), "{text}");
}

#[test]
fn the_demo_gives_the_store_of_the_currency_that_takes_the_wallet_and_the_shops_addresses() {
    let folder = demo_folder();
    let order = |extra: &str| {
        prepare(&format!("order --demo --data {} --amount 2100 {extra}", folder.path().display()))
    };
    let call = order("--wallet Alipay --currency HKD").expect("there is such a store");
    assert_eq!(
        call.target.address(call.subject.path()).as_str(),
        "http://127.0.0.1:8080/demo/api/offline/qrcode"
    );
    assert!(
        call.body.starts_with(r#"{"storeNo":"2","partnerOrderNo":"p20180725180605abababab","#),
        "{}",
        call.body
    );
    assert!(
        call.body.contains(
            r#""notifyUrl":"http://127.0.0.1:8083/notify","returnUrl":"http://127.0.0.1:8083/return"#
        )
    );
    assert!(order("--wallet AlipayHK --currency HKD").expect("a store").body.contains(r#""storeNo":"1""#));
    assert!(order("--wallet Alipay --currency JPY").expect("a store").body.contains(r#""storeNo":"3""#));
    assert!(
        order("--wallet Alipay --currency JPY --store-no 9")
            .expect("named")
            .body
            .contains(r#""storeNo":"9""#)
    );
    let refused = order("--wallet Alipay --currency EUR").map(drop).expect_err("no such store");
    assert!(refused.contains("no EUR store, only HKD, HKD, JPY"), "{refused}");
}

#[test]
fn a_query_names_one_number_and_only_what_it_was_given() {
    let line = "query --base https://pay.scanforpay.com/ --partner-no 1 --key k";
    let call = prepare(&format!("{line} --number p1")).expect("all is given");
    assert_eq!(call.body, r#"{"partnerOrderNo":"p1"}"#);
    assert_eq!(
        call.target.address(call.subject.path()).as_str(),
        "https://pay.scanforpay.com/api/common/payQuery"
    );
    let call = prepare(&format!("{line} --order-no o1 --store-no 7")).expect("all is given");
    assert_eq!(call.body, r#"{"storeNo":"7","orderNo":"o1"}"#);
    assert!(parse(line).is_err());
    assert!(parse(&format!("{line} --number p1 --order-no o1")).is_err());
}

#[test]
fn what_is_missing_or_contradicts_itself_is_a_usage_error() {
    use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument, ValueValidation};
    let order =
        |rest: &str| parse(&format!("order --wallet Alipay --amount 1 --currency HKD {rest}")).map(drop);
    assert_eq!(order("--demo"), Ok(()));
    assert_eq!(order(""), Err(MissingRequiredArgument));
    assert_eq!(order("--base http://h --partner-no 1"), Err(MissingRequiredArgument));
    assert_eq!(order("--demo --base http://h"), Err(ArgumentConflict));
    assert_eq!(
        order("--base http://h --partner-no 1 --store-no 7 --key k --key-file f"),
        Err(ArgumentConflict)
    );
    assert_eq!(order("--base http://h --partner-no 1 --store-no 7 --data d"), Err(ArgumentConflict));
    for base in ["ftp://h", "h", "http://u:p@h", "http://h/?a=b", "http://h/#a"] {
        assert_eq!(
            order(&format!("--base {base} --partner-no 1 --store-no 7")),
            Err(ValueValidation),
            "{base}"
        );
    }
}

#[test]
fn the_key_comes_from_file_or_environment_and_is_never_in_debug_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).expect("it can be written");
    let line = format!("query --number p1 --base http://h --partner-no 1 --key-file {}", file.display());
    assert_eq!(prepare(&line).expect("all is given").target.key.reveal(), KEY);
    assert_eq!(target::key_from(Some(KEY.to_owned())).expect("a key").reveal(), KEY);
    assert!(target::key_from(None).is_err());
    let command = parse(&format!("query --number p1 --base http://h --partner-no 1 --key {KEY}"));
    assert!(!format!("{command:?}").contains(KEY));
}

#[test]
fn a_made_up_number_fits_and_differs_by_chance_alone() {
    let number = moment().order_number();
    assert!(number.len() <= 32, "{number}");
    assert_ne!(number, Moment { chance: [0xac; 16], ..moment() }.order_number());
    assert_eq!(moment().message_id().len(), 32);
}

#[test]
fn a_query_answer_is_explained_and_nothing_in_it_steers_the_terminal() {
    let body = r#"{"code":1,"msg":"a\u001b[2Jb\u202e","orderNo":"o1","orderAmount":2100,"currency":"HKD","status":1,"extra":{"a":1}}"#;
    let (answer, out) = shown(&answer(body), &Subject::Query, None);
    assert!(answer.accepted() && answer.warnings().is_empty());
    for line in [
        r"msg          a\u{1b}[2Jb\u{202e}",
        "orderAmount  2100 (21.00 HKD)",
        "status       1 (paid)",
        r#"extra        {"a":1}"#,
    ] {
        assert!(out.lines().any(|shown| shown == line), "{line} in {out}");
    }
}

#[test]
fn a_refusal_is_told_with_its_meaning_and_a_refused_signature_with_its_likely_cause() {
    let refused = answer(r#"{"code":5,"msg":"orderAmount is not a whole number"}"#);
    let (told, out) = shown(&refused, &Subject::Query, None);
    assert!(!told.accepted() && out.contains("code       5 (parameter invalid)"));
    let stranger = seal(Side::Response, "{}", r#"{"code":8,"msg":"no"}"#, "another key");
    let (told, _) = shown(&stranger, &Subject::Query, None);
    assert!(told.warnings().concat().contains("check the partner number and the key"));
}

#[test]
fn a_code_larger_than_the_terminal_is_replaced_by_a_word_about_it() {
    let (_, out) = shown(&answer(OPENED), &Subject::Query, Some(Screen { columns: 20, rows: 20 }));
    assert!(out.contains("(the QR code needs "), "{out}");
    let (_, out) = shown(&answer(OPENED), &Subject::Query, None);
    assert!(!out.contains("QR code") && out.contains("/pay/5a42"));
}

/// Whether `document` is diagnosed as right, and what is printed.
fn diagnosed(document: &str, extra: &str) -> (bool, String) {
    let folder = demo_folder();
    let file = folder.path().join("request.json");
    std::fs::write(&file, document).expect("it can be written");
    let line = format!("diagnose {} {extra}", file.display());
    let ClientCommand::Diagnose(args) = parse(&line).expect("the command line is right") else {
        panic!("another command");
    };
    let question = args.prepare().unwrap_or_else(|usage| panic!("{usage}"));
    let mut out = Vec::new();
    let right = diagnose::answer(&question, &mut out).expect("memory takes it");
    (right, String::from_utf8(out).expect("text"))
}

#[test]
fn a_wrong_signature_is_explained_with_what_to_do_and_a_right_one_confirmed() {
    let header = shared::envelope::request_header("20001", "m1", moment().now);
    let document = seal(Side::Request, &header, r#"{"url":"http://h"}"#, KEY);
    let (right, out) = diagnosed(&document, &format!("--key {KEY}"));
    assert!(right && out.contains("verdict    verified, with the current key"), "{out}");

    let escaped = document.replace('/', "\\/");
    let (right, out) = diagnosed(&escaped, &format!("--key {KEY} --partner-no 20002"));
    assert!(!right);
    for line in [
        "verdict    NOT VERIFIED: one mistake explains it",
        r"  mistake  slashes were hashed as / and sent as \/ (slashes_unescaped_when_signed)",
        "  do       serialise once, sign that very string, and send that very string",
        "mind       the header names another partnerNo, so another's keys are tried",
    ] {
        assert!(out.lines().any(|shown| shown == line), "{line} in {out}");
    }
    assert!(!out.contains(KEY) && !out.contains(&document[document.len() - 66..document.len() - 2]), "{out}");
}

#[test]
fn the_demos_key_needs_no_server_and_a_document_that_cannot_be_had_is_a_usage_error() {
    let folder = demo_folder();
    let document = seal(Side::Request, "{}", "{}", KEY);
    let (right, out) = diagnosed(&document, &format!("--demo --data {}", folder.path().display()));
    assert!(right && out.contains("mind       the header names no partnerNo"), "{out}");
    let ClientCommand::Diagnose(args) = parse("diagnose /nowhere --key k").expect("it parses") else {
        panic!("another command");
    };
    assert!(args.prepare().map(drop).expect_err("no file").to_string().contains("/nowhere cannot be read"));
}

#[test]
fn a_product_is_sent_to_its_own_path_with_its_own_fields_only() {
    let folder = demo_folder();
    let order = |extra: &str| {
        prepare(&format!(
            "order --demo --data {} --amount 2100 --currency HKD --number p1 {extra}",
            folder.path().display()
        ))
    };
    let sent = |extra: &str| {
        let call = order(extra).expect("all is given");
        (call.target.address(call.subject.path()).path().to_owned(), call.body)
    };
    let (path, body) = sent("--product barcode --barcode 284447106610060508");
    assert_eq!(path, "/demo/api/offline/pay");
    assert_eq!(
        body,
        r#"{"storeNo":"1","partnerOrderNo":"p1","barcode":"284447106610060508","notifyUrl":"http://127.0.0.1:8083/notify","orderAmount":2100}"#
    );
    let (path, body) = sent("--product transaction_qr --wallet Alipay --time-to-pay 10m");
    assert_eq!(path, "/demo/api/offline/create");
    assert!(body.contains(r#""it_b_pay":"10m""#) && !body.contains("currency"), "{body}");
    assert_eq!(sent("--product online --wallet Alipay").0, "/demo/api/online/create");
    assert_eq!(sent("--product jspay --wallet Alipay").0, "/demo/api/jspay/create");

    let refused = |extra: &str| order(extra).map(drop).expect_err("is refused");
    assert_eq!(refused("--product barcode --wallet Alipay"), "the product barcode needs --barcode");
    assert_eq!(refused("--barcode 28"), "--barcode is not for the product qrcode");
    assert_eq!(refused("--wallet Alipay --time-to-pay 1h"), "--time-to-pay is not for the product qrcode");
    assert!(parse("order --demo --amount 1 --currency HKD --wallet Alipay --product cash").is_err());
}

#[test]
fn a_code_to_be_shown_is_drawn_like_an_address() {
    let subject = Subject::Order { number: "p1".to_owned(), product: &crate::product::TRANSACTION_QR };
    let answer = answer(r#"{"code":1,"msg":"success","qrCode":"https://qr.example/5a42","orderNo":"o1"}"#);
    let (_, out) = shown(&answer, &subject, Some(Screen { columns: 120, rows: 60 }));
    assert!(out.contains("qrCode     https://qr.example/5a42") && out.contains("█▀"), "{out}");
}
