//! Moving a running shop in: its numbers and key, and its earlier orders.

use std::time::Duration;

use bytes::Bytes;
use gateway::orders::reconcile;
use http::Method;
use sandbox::{Payer, Twist};
use serde_json::{Value, json};

use crate::harness::merchant::signed;
use crate::harness::people::{UPSTREAM_NEIGHBOUR_STORE, upstream_partner};
use crate::harness::web;
use crate::harness::{ACCOUNT_KEY, HKD_STORE, PLATFORM, Stage, UPSTREAM_HKD_STORE, UPSTREAM_PARTNER_NO};
use crate::on_both;

/// The shortest that is taken.
const BROUGHT_KEY: &str = "16 characters ok";

on_both!(a_shop_keeps_its_numbers_and_its_key, async |stage: &mut Stage| {
    stage.upstream().set_partner(upstream_partner(ACCOUNT_KEY)).expect("the upstream knows it");
    let body = json!({ "name": "A", "partnerNo": UPSTREAM_PARTNER_NO, "signKey": BROUGHT_KEY });
    let made = stage.post_once("k", "/v1/merchants", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert!(!made.text().contains(BROUGHT_KEY));
    let made = made.json();
    assert_eq!((&made["partnerNo"], made.get("signKey")), (&json!(UPSTREAM_PARTNER_NO), None));
    assert_eq!(stage.post_once("k", "/v1/merchants", body.clone()).await.json(), made);
    let store = json!({
        "merchantId": made["id"], "accountId": stage.account_id(), "upstreamStoreNo": UPSTREAM_NEIGHBOUR_STORE,
        "currency": "HKD", "wallets": ["Alipay"],
    });
    assert_eq!(stage.post("/v1/stores", store).await.status, 201);
    let mut order = stage.order("p1");
    order.partner_no = UPSTREAM_PARTNER_NO.to_owned();
    order.key = BROUGHT_KEY.to_owned();
    order.body["storeNo"] = json!(UPSTREAM_NEIGHBOUR_STORE);
    let answer = stage.create(&order).await;
    assert!(answer.code == 1 && answer.genuine, "{}", answer.body);

    let again = stage.post("/v1/merchants", body).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("partner_no_taken")));
});

on_both!(a_number_is_claimed_by_the_key_of_its_account_only, async |stage: &mut Stage| {
    let claim = |number: &str| json!({ "name": "A", "partnerNo": number });
    let refused = stage.post("/v1/merchants", claim("77777")).await;
    let problem = refused.json();
    assert_eq!((refused.status, &problem["code"]), (409, &json!("partner_no_unproven")));
    assert_eq!(problem["errors"][0]["pointer"], "/partnerNo");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("POST /v1/accounts")), "{problem}");

    let wrong = json!({ "partnerNo": "91919", "signKey": "0123456789abcdef" });
    assert_eq!(stage.post("/v1/accounts", wrong).await.status, 201);
    let refused = stage.post("/v1/merchants", claim("91919")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("partner_no_unproven")));
    let short = json!({ "name": "A", "signKey": &BROUGHT_KEY[1..] });
    let refused = stage.post("/v1/merchants", short).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!("/signKey")));

    let mut partner = upstream_partner("a key of its own, issued");
    partner.partner_no = "91920".to_owned();
    stage.upstream().set_partner(partner).expect("the upstream knows it");
    let row = |number: &str, key: &str| {
        json!({ "name": "B", "partnerNo": number, "signKey": BROUGHT_KEY, "store": {
            "account": { "partnerNo": "91920", "signKey": key },
            "upstreamStoreNo": "1", "currency": "HKD", "wallets": ["Alipay"],
        } })
    };
    let rows = json!({ "rows": [
        row("91920", "not the one issued"),
        row("91921", "a key of its own, issued"),
        row("91920", "a key of its own, issued"),
        { "name": "C", "partnerNo": "91920" },
    ] });
    let answer = stage.post("/v1/onboarding", rows).await;
    assert!(!answer.text().contains(BROUGHT_KEY) && !answer.text().contains("issued\""));
    let answer = answer.json();
    let codes: Vec<&Value> = (0..4).map(|row| &answer["results"][row]["problem"]["code"]).collect();
    let expected =
        [json!("partner_no_unproven"), json!("partner_no_unproven"), Value::Null, json!("partner_no_taken")];
    assert_eq!(codes, expected.iter().collect::<Vec<_>>(), "{answer}");
    assert_eq!(answer["results"][2].get("signKey"), None, "it was brought");
    let known = stage.app().directory.merchant(PLATFORM, "91920").expect("it is there at once");
    assert_eq!(*known.current_key().text, BROUGHT_KEY);
});

/// What the shop placed with ScanForPay itself.
async fn place_directly(stage: &Stage, number: &str) {
    let mut body = stage.order(number).body;
    body["storeNo"] = json!(UPSTREAM_HKD_STORE);
    let document = signed(UPSTREAM_PARTNER_NO, ACCOUNT_KEY, "", &body, stage.app().clock.now());
    let url = format!("{}/api/offline/qrcode", stage.world.sandbox.base_url().trim_end_matches('/'));
    let answer = web::post_json(&url, document).await;
    assert_eq!(answer.json()["response"]["body"]["code"], 1, "{}", answer.text());
}

fn path(stage: &Stage) -> String {
    format!("/v1/merchants/{}/imports", stage.merchant_id())
}

fn earlier(number: &str, status: &str) -> Value {
    json!({
        "number": number, "storeNo": HKD_STORE, "amount": 2100, "currency": "HKD", "status": status,
        "createdAt": "2026-09-20T14:13:21Z",
    })
}

async fn import_csv(stage: &Stage, text: &str) -> Value {
    let bearer = format!("Bearer {}", stage.world.keys.test);
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/csv")];
    let url = stage.node().url(&path(stage));
    let reply = web::exchange(Method::POST, &url, &headers, Bytes::from(text.to_owned())).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

on_both!(
    orders_of_before_are_answered_and_told_as_their_state_asks,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        place_directly(stage, "old-2").await;
        let text = format!(
            "number,product,storeNo,amount,currency,upstreamOrderNo,status,payTime,refunded,notifyUrl,createdAt\n\
         old-1,barcode,{HKD_STORE},4200,HKD,u-1,paid,2026-09-20T22:14:00+08:00,200,,2026-09-20T22:13:21+08:00\n\
         old-2,,{HKD_STORE},2100,HKD,,unpaid,,,{},2026-09-20T22:13:21+08:00\n\
         old-3,,{HKD_STORE},2100,HKD,,unpaid,,,,2026-09-20T22:13:21+08:00\n",
            stage.shop().notify_url()
        );
        let made = import_csv(stage, &text).await;
        assert_eq!((&made["created"], &made["refused"]), (&json!(3), &json!(0)), "{made}");
        let again = import_csv(stage, &text).await;
        assert_eq!((&again["created"], &again["there"]), (&json!(0), &json!(3)), "{again}");

        let paid = stage.query("old-1").await;
        assert_eq!((paid.code, &paid.body["status"], &paid.body["orderNo"]), (1, &json!(1), &json!("u-1")));
        assert_eq!(stage.queries(), 0, "answered from our row");
        let row = stage.row("old-1").await;
        assert_eq!((row.status.as_str(), row.paid, row.refunded), ("partially_refunded", 4200, 200));
        assert_eq!((row.product.as_str(), stage.row("old-2").await.product.as_str()), ("barcode", "qrcode"));
        assert_eq!(stage.journal_kinds(&row.id).await, ["imported"]);
        assert_eq!(stage.events(&row.id).await, [], "its shop was told before");

        let open = stage.query("old-2").await;
        assert_eq!((open.code, &open.body["status"]), (1, &json!(0)), "{}", open.body);
        assert_ne!(stage.query("old-3").await.code, 1, "the upstream knows no such order");
        stage.upstream().pay("old-2", Payer::default()).expect("it is paid");
        assert_eq!(stage.query("old-2").await.body["status"], 1);
        assert_eq!(stage.deliver_due().await, 1);
        assert_eq!(stage.shop().paid_now().len(), 1);
        assert_ne!(stage.create(&stage.order("old-1")).await.code, 1, "the number is taken");
    }
);

on_both!(a_row_is_taken_whole_or_says_why_not, async |stage: &mut Stage| {
    stage.others_move_in().await;
    stage.open("placed-here").await;
    let with = |number: &str, field: &str, value: Value| {
        let mut row = earlier(number, "paid");
        row[field] = value;
        row
    };
    let rows = json!({ "rows": [
        earlier("a", "paid"),
        with("a", "amount", json!(2101)),
        earlier("placed-here", "paid"),
        with("b", "amount", json!(0)),
        with("c", "storeNo", json!("1")),
        with("d", "currency", json!("JPY")),
        with("e", "refunded", json!(2101)),
        with("f", "createdAt", json!("yesterday")),
        with("g", "createdAt", json!("2036-09-20T14:13:21Z")),
        with("h", "notifyUrl", json!("ftp://shop.example/")),
        with("i", "status", json!("perhaps")),
        with("j", "product", json!("cash")),
        with(&"n".repeat(33), "status", json!("paid")),
        with(&"n".repeat(32), "refunded", json!(2100)),
    ] });
    let answer = stage.post(&path(stage), rows).await.json();
    assert_eq!((&answer["created"], &answer["refused"]), (&json!(2), &json!(12)), "{answer}");
    let results = answer["results"].as_array().expect("a list");
    let told: Vec<&str> =
        results.iter().filter_map(|result| result["problem"]["errors"][0]["pointer"].as_str()).collect();
    let expected = [
        "/number",
        "/number",
        "/amount",
        "/storeNo",
        "/currency",
        "/refunded",
        "/createdAt",
        "/createdAt",
        "/notifyUrl",
        "/status",
        "/product",
        "/number",
    ];
    assert_eq!(told, expected, "{answer}");
    assert_eq!(stage.row(&"n".repeat(32)).await.status, "refunded");

    // The neighbour's store is of the same account: an order there is one merchant's only.
    let neighbours = format!("/v1/merchants/{}/imports", stage.neighbour_id());
    let row = with("a", "storeNo", json!(crate::harness::people::NEIGHBOUR_STORE));
    let claimed = stage.post(&neighbours, json!({ "rows": [row] })).await.json();
    assert_eq!(claimed["results"][0]["problem"]["code"], "number_claimed", "{claimed}");
});

on_both!(a_thousand_rows_are_imported_and_one_more_is_refused, async |stage: &mut Stage| {
    let rows = |count: usize| {
        let rows = (0..count).map(|number| earlier(&format!("old-{number}"), "paid"));
        json!({ "rows": rows.collect::<Vec<_>>() })
    };
    assert_eq!(stage.post(&path(stage), rows(1001)).await.status, 422);
    assert_eq!(stage.rows().await.len(), 0);
    let made = stage.post(&path(stage), rows(1000)).await.json();
    assert_eq!((&made["created"], stage.rows().await.len()), (&json!(1000), 1000));
    let again = stage.post(&path(stage), rows(1000)).await.json();
    assert_eq!((&again["there"], stage.rows().await.len()), (&json!(1000), 1000));
});

async fn notice_path(stage: &Stage) -> String {
    let path = format!("/v1/accounts/{}/notice-url", stage.account_id());
    let made = stage.post(&path, Value::Null).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let url = made.json()["noticeUrl"]["secret"].as_str().expect("shown once").to_owned();
    url::Url::parse(&url).expect("a URL").path().to_owned()
}

on_both!(notices_of_orders_of_before_are_taken_at_the_accounts_address, async |stage: &mut Stage| {
    for number in ["old-1", "never-imported"] {
        place_directly(stage, number).await;
        stage.upstream().pay(number, Payer::default()).expect("it is paid");
    }
    let mut row = earlier("old-1", "unpaid");
    row["notifyUrl"] = json!(stage.shop().notify_url());
    let made = stage.post(&path(stage), json!({ "rows": [row] })).await.json();
    assert_eq!(made["created"], 1, "{made}");
    let replaced = notice_path(stage).await;
    let account = stage.get(&format!("/v1/accounts/{}", stage.account_id())).await.json();
    assert!(account["noticeUrlMadeAt"].is_string(), "{account}");
    let at = notice_path(stage).await;
    let post = async |path: &str, document: &str| stage.post_to(&stage.node().url(path), document).await;
    let notice = |number: &str, twist: Option<&Twist>| {
        stage.upstream().notice(number, twist).expect("it can be notified")
    };

    assert_eq!(post(&replaced, &notice("old-1", None)).await.0, 404, "it was made again");
    assert_eq!(post(&at, &notice("old-1", Some(&Twist::WrongKey))).await.0, 400);
    assert_eq!(post(&at, "nothing signed").await.0, 400);
    let unknown = post(&at, &notice("never-imported", None)).await;
    assert_eq!(unknown.0, 404, "it comes again, and may be imported by then");
    assert_ne!(unknown.1, "success");
    assert_eq!(stage.row("old-1").await.status, "unknown");

    let paid = notice("old-1", None);
    for _ in 0..2 {
        assert_eq!(post(&at, &paid).await, (200, "success".to_owned()));
    }
    let order = stage.row("old-1").await;
    assert_eq!((order.status.as_str(), order.paid), ("paid", 2100));
    assert_eq!(stage.journal_kinds(&order.id).await, ["imported", "notice"]);
    stage.post(&path(stage), json!({ "rows": [earlier("never-imported", "unpaid")] })).await;
    assert_eq!(post(&at, &notice("never-imported", None)).await.0, 200);
    assert_eq!(stage.row("never-imported").await.status, "paid");
    let held = post(&at, &notice("old-1", Some(&Twist::WrongAmount))).await;
    assert_eq!((held.0, stage.held().await.len()), (200, 1), "the same gate as for any other notice");
    assert_eq!(stage.deliver_due().await, 1, "one of them has a notifyUrl");
    assert_eq!(stage.shop().paid_now().len(), 1);
});

on_both!(an_unpaid_order_of_before_is_asked_about_until_it_is_known, async |stage: &mut Stage| {
    place_directly(stage, "old-1").await;
    stage.upstream().pay("old-1", Payer::default()).expect("it is paid");
    let rows = [earlier("old-1", "unpaid"), earlier("nowhere", "unpaid")];
    stage.post(&path(stage), json!({ "rows": rows })).await;
    for _ in 0..3 {
        stage.advance(Duration::from_secs(11));
        reconcile::sweep(stage.app()).await.expect("the store is read");
    }
    assert_eq!(stage.row("old-1").await.status, "paid");
    assert_eq!(
        stage.row("nowhere").await.status,
        "refused",
        "ScanForPay has said twice that it knows of none"
    );
    let missing = stage.row("old-1").await.notice_due_at;
    assert_eq!(missing, None, "its notice goes to the shop");
});
