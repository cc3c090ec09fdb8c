//! What the merchant is told, how, how often and signed with what.

use std::time::Duration;

use gateway::entity::delivery::State;
use gateway::orders::reconcile;
use sandbox::{Fault, Operation, Twist};
use serde_json::{Value, json};
use shared::envelope::{Envelope, Side};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::answers::fields;
use crate::harness::acts::soon;
use crate::harness::{MERCHANT_KEY, PARTNER_NO, Stage, UPSTREAM_HKD_STORE, UPSTREAM_PARTNER_NO};
use crate::on_both;

/// The waits between attempts that the manual promises.
const SCHEDULE_S: [u64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// What existing clients rely on when they cut a document by searching for the two words.
fn assert_cuttable(document: &str) {
    assert!(document.starts_with("{\"response\":{") && document.ends_with("\"}"), "{document}");
    assert!(document.contains("},\"signature\":\""), "{document}");
    for word in ["response", "signature"] {
        assert_eq!(document.matches(word).count(), 1, "{word} in {document}");
    }
}

/// Documents the shop got, as text.
fn received(stage: &Stage) -> Vec<String> {
    let received = stage.shop().received_now().into_iter();
    received.map(|notice| String::from_utf8(notice.raw).expect("text")).collect()
}

fn parsed(document: &str) -> Value {
    serde_json::from_str(document).expect("JSON")
}

/// The order's one delivery.
pub async fn delivery(stage: &Stage, number: &str) -> gateway::entity::delivery::Model {
    let mut deliveries = stage.deliveries(&stage.row(number).await.id).await;
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0)
}

on_both!(the_shop_is_told_of_a_payment_once_in_its_own_numbers_only, async |stage: &mut Stage| {
    let paid = stage.pay_one_order("p1").await;
    assert_eq!(stage.deliver_due().await, 1);
    let order = stage.row("p1").await;
    let documents = received(stage);
    assert_eq!(documents.len(), 1);
    let document = &documents[0];
    assert_cuttable(document);
    assert!(Envelope::read(document.as_bytes(), Side::Response).expect("an envelope").verifies(MERCHANT_KEY));

    let told = parsed(document);
    let (header, body) = (&told["response"]["header"], &told["response"]["body"]);
    assert_eq!(header["partnerNo"], PARTNER_NO);
    let with = paid.paid_with.expect("it was paid");
    let expected = json!({
        "code": 1, "msg": "success", "orderNo": paid.order_no, "partnerOrderNo": "p1", "orderAmount": 2100,
        "wallet": "Alipay", "status": 1, "payTime": order.pay_time, "currency": "HKD",
        "buyer": with.buyer, "buyerId": with.buyer_id,
    });
    assert_eq!(body, &expected);
    let notify_url = paid.content.notify_url.expect("we always give one");
    let token = notify_url.rsplit('/').next().expect("it ends with the token");
    for ours in [UPSTREAM_PARTNER_NO, UPSTREAM_HKD_STORE, &order.submission_id, &order.id, token] {
        assert!(!document.contains(ours), "{ours} in {document}");
    }
    assert_eq!(delivery(stage, "p1").await.state, State::Delivered);
    stage.advance(Duration::from_hours(48));
    assert_eq!(stage.deliver_due().await, 0);
});

on_both!(every_attempt_has_the_same_id_and_is_signed_anew, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    stage.shop().answer_next(500, "no");
    stage.deliver_due().await;
    stage.advance(Duration::from_secs(15));
    assert_eq!(stage.deliver_due().await, 1);
    let documents = received(stage);
    let [first, second] = [parsed(&documents[0]), parsed(&documents[1])];
    let header = |document: &Value, key: &str| document["response"]["header"][key].clone();
    assert_eq!(header(&first, "respMsgId"), header(&second, "respMsgId"));
    assert_eq!(header(&first, "respMsgId"), stage.paid_events(&stage.row("p1").await.id).await[0].id);
    assert_ne!(header(&first, "respTime"), header(&second, "respTime"));
    assert_ne!(first["signature"], second["signature"]);
    assert_eq!(first["response"]["body"], second["response"]["body"]);
    assert!(stage.shop().received_now().iter().all(|notice| notice.verified));
    assert_eq!(stage.shop().paid_now().len(), 1);
});

on_both!(
    what_is_not_acknowledged_is_told_again_on_the_schedule_and_then_given_up,
    async |stage: &mut Stage| {
        stage.pay_one_order("p1").await;
        stage.shop().answer(500, "no");
        assert_eq!(stage.deliver_due().await, 1);
        for (made, wait) in SCHEDULE_S.into_iter().enumerate() {
            stage.advance(Duration::from_millis(wait * 1_000 - 1));
            assert_eq!(stage.deliver_due().await, 0, "attempt {} comes early", made + 2);
            stage.advance(Duration::from_millis(1));
            assert_eq!(stage.deliver_due().await, 1, "attempt {} does not come", made + 2);
        }
        let delivery = delivery(stage, "p1").await;
        assert_eq!((delivery.state, delivery.attempts), (State::Exhausted, 16));
        let attempts = stage.attempts(&delivery.id).await;
        assert_eq!(attempts.len(), 16);
        assert!(
            attempts
                .iter()
                .all(|attempt| attempt.http_status == Some(500) && attempt.excerpt.as_deref() == Some("no"))
        );

        stage.shop().answer(200, "success");
        stage.advance(Duration::from_hours(240));
        assert_eq!(stage.deliver_due().await, 0, "given up stays given up");
        assert_eq!(stage.row("p1").await.status, "paid");
    }
);

on_both!(only_status_200_and_success_acknowledge_blanks_and_capitals_forgiven, async |stage: &mut Stage| {
    let answers =
        [(500, "success"), (201, "success"), (200, ""), (200, "ok"), (200, "\"success\""), (200, "success!")];
    stage.pay_one_order("p1").await;
    for (status, text) in answers {
        stage.shop().answer_next(status, text);
        assert_eq!(stage.deliver_due().await, 1, "{status} {text}");
        stage.advance(Duration::from_hours(6));
    }
    stage.shop().answer_next(200, " \r\nSUCCess\t\n");
    assert_eq!(stage.deliver_due().await, 1);
    stage.advance(Duration::from_hours(6));
    assert_eq!(stage.deliver_due().await, 0);
    let delivery = delivery(stage, "p1").await;
    assert_eq!((delivery.state, delivery.attempts), (State::Delivered, 7));
});

on_both!(a_redirect_is_not_followed, async |stage: &mut Stage| {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let location = stage.shop().notify_url();
    let redirecting = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("somebody calls");
        let mut request = vec![0; 16 * 1024];
        let read = socket.read(&mut request).await.expect("a request");
        assert!(read > 0);
        let answer =
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 7\r\n\r\nsuccess");
        socket.write_all(answer.as_bytes()).await.expect("an answer");
    });
    let mut order = stage.order("p1");
    order.body["notifyUrl"] = json!(format!("http://{address}/notify"));
    assert_eq!(stage.create(&order).await.code, 1);
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    assert_eq!(stage.deliver_due().await, 1);
    soon(redirecting).await.expect("it was called");
    let delivery = delivery(stage, "p1").await;
    assert_eq!((delivery.state, delivery.attempts), (State::Due, 1));
    assert_eq!(stage.attempts(&delivery.id).await[0].outcome, "redirected");
    assert_eq!(stage.shop().received_now(), []);
});

on_both!(an_order_without_a_notify_url_tells_nobody, async |stage: &mut Stage| {
    let mut order = stage.order("p1");
    order.body["notifyUrl"] = json!("");
    assert_eq!(stage.create(&order).await.code, 1);
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    let row = stage.row("p1").await;
    assert_eq!(row.status, "paid");
    assert_eq!(stage.paid_events(&row.id).await.len(), 1, "that it was paid is on record");
    assert_eq!(stage.deliveries(&row.id).await, []);
    assert_eq!(stage.deliver_due().await, 0);
});

on_both!(
    of_every_kind_of_fact_the_notify_url_hears_of_payments_only,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        // Answers to create: opened, refused, in doubt, differing; and none at all, in time.
        for number in [
            "opened",
            "failed",
            "closed",
            "closed-notice",
            "failed-notice",
            "held",
            "held-query",
            "refunded",
            "paid",
            "paid-query",
        ] {
            stage.open(number).await;
        }
        for (number, fault) in [
            ("refused", Fault::Code { code: 42, took_effect: true }),
            ("doubt", Fault::Code { code: 21, took_effect: true }),
            ("lost", Fault::HangUp { took_effect: false }),
            ("differing", fields(json!({"orderAmount": 1}))),
        ] {
            stage.fault(Operation::Create, fault);
            assert_ne!(stage.create(&stage.order(number)).await.code, 1);
        }
        stage.advance(Duration::from_mins(3));
        reconcile::sweep(stage.app()).await.expect("the store is read");

        // Answers to queries: to be paid, failed, closed, no such order (twice), differing, refunded, paid.
        let submission = async |number: &str| stage.submission_no(number).await;
        stage.query("opened").await;
        stage.upstream().fail(&submission("failed").await).expect("it may fail");
        stage.query("failed").await;
        stage.upstream().close(&submission("closed").await).expect("it may be closed");
        stage.query("closed").await;
        stage.query("lost").await;
        stage.query("lost").await;
        stage.fault(Operation::Query, fields(json!({"status": 1, "orderAmount": 1})));
        stage.query("held-query").await;
        let refunded = submission("refunded").await;
        stage.pay(&refunded);
        stage.upstream().refund(&refunded).expect("it may be refunded");
        stage.query("refunded").await;
        stage.pay(&submission("paid-query").await);
        stage.query("paid-query").await;

        // Notices: to be paid, failed, closed, differing, not genuine, refunded, paid.
        stage.notify(&submission("opened").await).await;
        stage.notify_twisted(&submission("failed-notice").await, Twist::Status(2)).await;
        stage.notify_twisted(&submission("closed-notice").await, Twist::Code(33)).await;
        stage.notify_twisted(&submission("held").await, Twist::WrongAmount).await;
        stage.notify_twisted(&submission("held").await, Twist::WrongKey).await;
        stage.notify_twisted(&submission("held").await, Twist::OtherOrder("paid".to_owned())).await;
        stage.notify(&refunded).await;
        stage.pay(&submission("paid").await);
        stage.notify(&submission("paid").await).await;
        stage.notify(&submission("paid").await).await;

        // What differed in the answer to create is asked about by a task of its own; this waits for it.
        stage.query("differing").await;
        let mut standing: Vec<(String, String)> =
            stage.rows().await.into_iter().map(|order| (order.number, order.status)).collect();
        standing.sort();
        let expected = [
            ("closed", "closed"),
            ("closed-notice", "closed"),
            ("differing", "awaiting"),
            ("doubt", "awaiting"),
            ("failed", "failed"),
            ("failed-notice", "failed"),
            ("held", "awaiting"),
            ("held-query", "awaiting"),
            ("lost", "refused"),
            ("opened", "awaiting"),
            ("paid", "paid"),
            ("paid-query", "paid"),
            ("refunded", "refunded"),
            ("refused", "refused"),
        ];
        assert_eq!(standing, expected.map(|(number, status)| (number.to_owned(), status.to_owned())));

        assert_eq!(stage.deliver_due().await, 3);
        stage.advance(Duration::from_hours(24));
        assert_eq!(stage.deliver_due().await, 0);
        let mut told = Vec::new();
        for notice in stage.shop().received_now() {
            assert!(notice.verified);
            assert_eq!((notice.code, notice.status, notice.amount), (Some(1), Some(1), Some(2100)));
            told.push(notice.partner_order_no);
        }
        told.sort();
        assert_eq!(told, ["paid", "paid-query", "refunded"]);
    }
);

on_both!(what_we_sign_can_be_cut_at_its_two_words_whatever_it_echoes, async |stage: &mut Stage| {
    let echo = "a response with a signature";
    stage.fault(
        Operation::Create,
        fields(json!({"tip": echo, "response": {"signature": 1}, "orderNo": "response"})),
    );
    let opened = stage.create(&stage.order("p1")).await;
    assert_eq!((opened.code, opened.genuine), (1, true));
    assert_eq!((&opened.body["tip"], &opened.body["response"]), (&json!(echo), &json!({"signature": 1})));
    stage.fault(Operation::Create, Fault::Code { code: 42, took_effect: false });
    let refused = stage.create(&stage.order("response")).await;
    let mut wrong = stage.order("p3");
    wrong.body["orderAmount"] = json!("signature");
    let invalid = stage.create(&wrong).await;
    let submission = stage.submission_no("p1").await;
    let queried = stage.query("p1").await;
    let by_odd_number = stage.query_body(&json!({"orderNo": "signature"})).await;
    for answer in [&opened, &refused, &invalid, &queried, &by_odd_number] {
        assert!(answer.genuine);
        assert_cuttable(&answer.document);
    }
    stage.pay(&submission);
    stage.notify(&submission).await;
    assert_eq!(stage.deliver_due().await, 1);
    assert_cuttable(&received(stage)[0]);
});
