//! From where a merchant's signed requests are taken.

use http::Method;
use serde_json::Value;

use crate::harness::merchant::signed;
use crate::harness::people::NEIGHBOUR_KEY;
use crate::harness::web::exchange;
use crate::harness::{MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage};
use crate::on_both;

impl Stage {
    async fn allow(&self, networks: &[&str]) {
        let patch = serde_json::json!({ "allowAddresses": networks });
        let reply = self.patch(&format!("/v1/merchants/{}", self.merchant_id()), patch).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["allowAddresses"], serde_json::json!(networks));
    }

    /// Query an order with this key, as a proxy would hand it on; answers with code and message.
    async fn query_from(&self, key: &str, message_id: &str, forwarded_for: &str) -> (i64, String) {
        let now = self.app().clock.now();
        let body = serde_json::json!({ "partnerOrderNo": "p1" });
        let document = signed(PARTNER_NO, key, message_id, &body, now);
        let url = self.node().url(&format!("/{PLATFORM}/api/common/payQuery"));
        let headers = [("content-type", "application/json"), ("x-forwarded-for", forwarded_for)];
        let reply = exchange(Method::POST, &url, &headers, document.into()).await;
        assert_eq!(reply.status, 200);
        let body: &Value = &reply.json()["response"]["body"];
        (body["code"].as_i64().expect("a code"), body["msg"].as_str().unwrap_or_default().to_owned())
    }
}

on_both!(
    a_verified_request_from_elsewhere_is_refused_and_told_the_address_we_saw,
    [("server.trusted_hops", "1")],
    async |stage: &mut Stage| {
        stage.open("p1").await;
        stage.allow(&["203.0.113.0/24", "2001:db8::/32"]).await;
        let refused = "requests from the address 192.0.2.1 are not allowed for this merchant";
        let ask = async |address: &str| stage.query_from(MERCHANT_KEY, "", address).await;
        assert_eq!(ask("203.0.113.255").await.0, 1);
        assert_eq!(ask("2001:db8::77").await.0, 1);
        assert_eq!(ask("203.0.113.7, 192.0.2.1").await, (3, refused.to_owned()), "the client's own word");
        assert_eq!(ask("192.0.2.1").await, (3, refused.to_owned()));
        let own = "requests from the address 127.0.0.1 are not allowed for this merchant";
        assert_eq!(ask("").await, (3, own.to_owned()));
        let create = stage.create(&stage.order("p2")).await;
        assert_eq!((create.code, create.genuine), (3, true));
        assert_eq!(stage.rows().await.len(), 1);

        let stranger = stage.query_from(NEIGHBOUR_KEY, "", "192.0.2.1").await;
        assert_eq!(stranger, stage.query_from(NEIGHBOUR_KEY, "", "203.0.113.7").await);
        assert_eq!(stranger.0, 8, "who has not proven who it is learns nothing of the list");
        stage.allow(&[]).await;
        assert_eq!(ask("192.0.2.1").await.0, 1);
    }
);

on_both!(what_is_no_network_is_refused_and_changes_nothing, async |stage: &mut Stage| {
    let path = format!("/v1/merchants/{}", stage.merchant_id());
    stage.allow(&["203.0.113.0/24"]).await;
    for wrong in [vec!["pay.example.com"], vec!["203.0.113.0/33"], vec!["203.0.113.7"; 65]] {
        let reply = stage.patch(&path, serde_json::json!({ "allowAddresses": wrong })).await;
        assert_eq!(
            (reply.status, &reply.json()["errors"][0]["pointer"]),
            (422, &"/allowAddresses".into()),
            "{wrong:?}"
        );
    }
    assert_eq!(stage.get(&path).await.json()["allowAddresses"], serde_json::json!(["203.0.113.0/24"]));
});

on_both!(
    a_refused_request_uses_up_no_message_id,
    [("server.trusted_hops", "1")],
    async |stage: &mut Stage| {
        stage.open("p1").await;
        stage.allow(&["203.0.113.0/24"]).await;
        assert_eq!(stage.query_from(MERCHANT_KEY, "m1", "192.0.2.1").await.0, 3);
        stage.advance(std::time::Duration::from_secs(1));
        assert_eq!(
            stage.query_from(MERCHANT_KEY, "m1", "203.0.113.7").await.0,
            1,
            "other bytes, the same id"
        );
    }
);
