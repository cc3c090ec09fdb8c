//! What the payer's browser is given.

use sandbox::PaymentState;
use serde_json::{Value, json};

use crate::client::{QRCODE, code, get, opened, order, post_form, post_json, sandbox, with};
use crate::notices::shop;

fn returning(number: &str) -> Value {
    with(
        order(number),
        json!({"returnUrl": "http://shop.example/back?a=1&b=\"2\"", "orderTitle": "<b>Tea</b> & 茶"}),
    )
}

#[tokio::test]
async fn the_page_shows_what_is_to_be_paid_and_nothing_unescaped() {
    let sandbox = sandbox().await;
    let path = opened(&sandbox, &returning("p\"1>")).await;
    let page = get(&sandbox.base_url(), &path).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    for part in
        ["21.00 <small>HKD", "&lt;b&gt;Tea&lt;/b&gt; &amp; 茶", "p&quot;1&gt;", "100010000000002", "<svg "]
    {
        assert!(page.body.contains(part), "{part} is missing in {}", page.body);
    }
    assert!(!page.body.contains("<b>Tea"));
    for choice in ["pay", "fail", "cancel"] {
        assert!(page.body.contains(&format!("name=\"choice\" value=\"{choice}\"")));
    }
    let policy = page.header("content-security-policy");
    let nonce = policy.split("script-src 'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
    let nonce = nonce.expect("a nonce");
    assert_eq!(
        page.body.matches("<script").count(),
        page.body.matches(&format!("<script nonce=\"{nonce}\"")).count()
    );
    assert!(!page.body.contains("src=") && !page.body.contains("href="), "nothing is loaded from elsewhere");
    assert!(page.body.contains("<noscript><meta http-equiv=\"refresh\""));
}

#[tokio::test]
async fn after_payment_the_browser_is_sent_back_with_the_number_in_a_form() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    let base = sandbox.base_url();
    let path = opened(&sandbox, &with(returning("p\"1>"), json!({"notifyUrl": shop.notify_url()}))).await;
    assert_eq!(get(&base, &format!("{path}/status")).await.body, "awaiting");
    let answer = post_form(&base, &path, "choice=pay").await;
    assert_eq!(answer.status, 303);
    assert_eq!(format!("/pay/{}", answer.header("location")), path);
    assert_eq!(get(&base, &format!("{path}/status")).await.body, "paid");

    let page = get(&base, &path).await;
    let form = "<form id=\"back\" method=\"post\" action=\"http://shop.example/back?a=1&amp;b=&quot;2&quot;\">\n\
                <input type=\"hidden\" name=\"partnerOrderNo\" value=\"p&quot;1&gt;\">";
    assert!(page.body.contains(form), "{}", page.body);
    assert!(page.body.contains("getElementById(\"back\").submit()"));
    assert!(!page.header("content-security-policy").contains("form-action"));
    assert_eq!(crate::client::soon(shop.paid(1)).await[0].partner_order_no, "p\"1>");
}

#[tokio::test]
async fn cancelling_closes_the_order_and_brings_the_payer_back() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let path = opened(&sandbox, &returning("p1")).await;
    assert_eq!(post_form(&base, &path, "choice=cancel").await.status, 303);
    assert_eq!(sandbox.control().order("p1").map(|order| order.state), Some(PaymentState::Closed));
    assert!(get(&base, &path).await.body.contains("<form id=\"back\""));
    assert_eq!(post_form(&base, &path, "choice=pay").await.status, 303);
    assert_eq!(sandbox.control().order("p1").map(|order| order.state), Some(PaymentState::Closed));
}

#[tokio::test]
async fn a_failed_payment_can_be_tried_again() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let path = opened(&sandbox, &returning("p1")).await;
    post_form(&base, &path, "choice=fail").await;
    let page = get(&base, &path).await;
    assert!(page.body.contains("The payment failed") && page.body.contains("value=\"pay\""));
    assert!(page.body.contains("<form id=\"back\"") && !page.body.contains(".submit()"), "the payer decides");
    post_form(&base, &path, "choice=pay").await;
    assert_eq!(sandbox.control().order("p1").map(|order| order.state), Some(PaymentState::Paid));
}

#[tokio::test]
async fn without_a_return_url_the_page_shows_the_result() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let path = opened(&sandbox, &order("p1")).await;
    post_form(&base, &path, "choice=pay").await;
    let page = get(&base, &path).await;
    assert!(page.body.contains("Paid. Thank you.") && !page.body.contains("<form"));
    assert!(!page.body.contains("<script"));
}

#[tokio::test]
async fn nonsense_changes_nothing() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let path = opened(&sandbox, &order("p1")).await;
    assert_eq!(get(&base, "/pay/00000000000000000000000000000000").await.status, 404);
    assert_eq!(get(&base, "/pay/00000000000000000000000000000000/status").await.status, 404);
    assert_eq!(post_form(&base, &path, "choice=steal").await.status, 400);
    assert_eq!(post_form(&base, &path, "").await.status, 400);
    assert_eq!(sandbox.control().order("p1").map(|order| order.state), Some(PaymentState::Awaiting));
}

#[tokio::test]
async fn the_list_of_violations_is_a_page_and_escapes_what_it_shows() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    assert!(get(&base, "/violations").await.body.contains("None."));
    let bad = with(order("<script>alert(1)</script>"), json!({"orderAmount": 0}));
    assert_eq!(code(&sandbox, QRCODE, &bad).await, 5);
    post_json(&base, QRCODE, "{").await;
    let page = get(&base, "/violations").await;
    assert!(page.body.contains("&lt;script&gt;alert(1)") && !page.body.contains("<script"));
    assert!(page.body.contains("<strong>orderAmount</strong> must be at least 1"));
    assert!(page.body.contains("2 in all"));
    assert!(get(&base, "/").await.body.contains("Violations of the protocol: 2"));
}
