//! The control over HTTP, for scripts.

use sandbox::PaymentState;
use serde_json::{Value, json};

use crate::client::{
    QRCODE, QUERY, Reply, call, code, exchange, get, opened, order, post_json, sandbox, soon, with,
};
use crate::notices::shop;

async fn send(base: &str, method: &str, path: &str, body: &Value) -> Reply {
    exchange(base, method, path, &[], &body.to_string()).await.expect("an answer")
}

#[tokio::test]
async fn a_script_can_read_and_move_orders() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    let base = sandbox.base_url();
    opened(&sandbox, &with(order("a/b c+d&e"), json!({"notifyUrl": shop.notify_url()}))).await;
    let orders = get(&base, "/control/orders").await.json();
    assert_eq!(
        (orders[0]["partnerOrderNo"].as_str(), &orders[0]["state"]),
        (Some("a/b c+d&e"), &json!("awaiting"))
    );
    let path = "/control/orders/a%2Fb%20c+d&e";
    let paid =
        send(&base, "POST", &format!("{path}/pay"), &json!({"wallet": "AlipayHK", "buyer": "me"})).await;
    assert_eq!((paid.status, &paid.json()["paidWith"]["buyer"]), (200, &json!("me")));
    assert_eq!(soon(shop.paid(1)).await[0].wallet, "AlipayHK");
    assert_eq!(get(&base, path).await.json()["paidAt"], "2018-07-25T18:06:12+08:00");
    assert_eq!(post_json(&base, &format!("{path}/refund"), "").await.json()["state"], "refunded");

    let again = post_json(&base, &format!("{path}/pay"), "").await;
    assert_eq!((again.status, again.json()), (409, json!({"error": "the order is refunded"})));
    assert_eq!(post_json(&base, "/control/orders/none/pay", "").await.status, 404);
    assert_eq!(send(&base, "POST", &format!("{path}/pay"), &json!({"buyr": "me"})).await.status, 400);
    assert_eq!(post_json(&base, &format!("{path}/explode"), "").await.status, 404);
}

#[tokio::test]
async fn a_script_can_fail_close_and_lie() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    let base = sandbox.base_url();
    for number in ["p1", "p2"] {
        opened(&sandbox, &with(order(number), json!({"notifyUrl": shop.notify_url()}))).await;
    }
    assert_eq!(send(&base, "PUT", "/control/notices", &json!({"automatic": false})).await.status, 204);
    post_json(&base, "/control/orders/p1/fail", "").await;
    post_json(&base, "/control/orders/p2/close", "").await;
    let state = |number: &str| sandbox.control().order(number).map(|order| order.state);
    assert_eq!((state("p1"), state("p2")), (Some(PaymentState::Failed), Some(PaymentState::Closed)));
    let path = "/control/orders/p1/notify";
    let outcome = send(&base, "POST", path, &json!({"twist": {"status": 1}})).await.json();
    assert_eq!(outcome, json!({"status": 200, "answer": "success", "acknowledged": true, "failure": null}));
    let outcome = send(&base, "POST", path, &json!({"twist": "wrong_key"})).await.json();
    assert_eq!(outcome["answer"], "fail");
    assert_eq!(shop.paid_now().len(), 1);
}

#[tokio::test]
async fn a_script_can_order_faults_and_styles() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let fault = json!({"operation": "create", "fault": "code", "code": 22, "took_effect": true, "times": 1});
    assert_eq!(send(&base, "POST", "/control/faults", &fault).await.status, 204);
    assert_eq!(code(&sandbox, QRCODE, &order("p1")).await, 22);
    assert_eq!(code(&sandbox, QRCODE, &order("p1")).await, 1);

    let fault = json!({"operation": "query", "fault": "http_status", "status": 503});
    assert_eq!(send(&base, "POST", "/control/faults", &fault).await.status, 204);
    let query = json!({"partnerOrderNo": "p1"});
    assert_eq!(call(&sandbox, QUERY, &query).await.status, 503);
    assert_eq!(call(&sandbox, QUERY, &query).await.status, 503);
    assert_eq!(send(&base, "DELETE", "/control/faults", &Value::Null).await.status, 204);
    assert_eq!(code(&sandbox, QUERY, &query).await, 1);
    assert_eq!(send(&base, "POST", "/control/faults", &json!({"operation": "create"})).await.status, 400);

    let held = json!({"operation": "query", "fault": "delay_answer", "times": 1});
    assert_eq!(send(&base, "POST", "/control/faults", &held).await.status, 204);
    let before = sandbox.control().counts().queries;
    let calling = tokio::spawn({
        let sandbox = sandbox.clone();
        async move { code(&sandbox, QUERY, &query).await }
    });
    soon(sandbox.control().seen_queries(before + 1)).await;
    assert_eq!(post_json(&base, "/control/faults/release", "").await.status, 204);
    assert_eq!(soon(calling).await.expect("does not panic"), 1);

    assert_eq!(send(&base, "PUT", "/control/style", &json!({"odd_key_order": true})).await.status, 204);
    assert_eq!(get(&base, "/control/style").await.json()["odd_key_order"], true);
    assert!(call(&sandbox, QRCODE, &order("p2")).await.body.starts_with("{\"signature\":"));
}

#[tokio::test]
async fn a_script_can_read_what_was_wrong_and_what_was_sent() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    assert_eq!(code(&sandbox, QRCODE, &with(order("p1"), json!({"orderAmount": 0}))).await, 5);
    let violations = get(&base, "/control/violations").await.json();
    assert_eq!((&violations[0]["about"], &violations[0]["code"]), (&json!("orderAmount"), &json!(5)));
    let requests = get(&base, "/control/requests").await.json();
    assert_eq!((&requests[0]["path"], &requests[0]["code"]), (&json!(QRCODE), &json!(5)));
    assert!(requests[0]["body"].as_str().is_some_and(|body| body.contains("\"orderAmount\":0")));
    assert_eq!(get(&base, "/control/counts").await.json()["creates"], 1);
    assert_eq!(send(&base, "DELETE", "/control/violations", &Value::Null).await.status, 204);
    assert_eq!(get(&base, "/control/violations").await.json(), json!([]));
}

#[tokio::test]
async fn a_web_page_cannot_steer_the_sandbox() {
    let sandbox = sandbox().await;
    opened(&sandbox, &order("p1")).await;
    let headers = [("origin", "http://evil.example"), ("content-type", "text/plain")];
    let reply = exchange(&sandbox.base_url(), "POST", "/control/orders/p1/pay", &headers, "").await;
    assert_eq!(reply.map(|reply| reply.status), Some(403));
    assert_eq!(sandbox.control().order("p1").map(|order| order.state), Some(PaymentState::Awaiting));
}
