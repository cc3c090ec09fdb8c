//! The published contract: `openapi.yaml` is what the code writes, the running server shows it, its samples are
//! accepted, its limits are the gateway's, and everything that is really answered keeps to its schemas.

mod harness;

use gateway::{api, contract, product};
use harness::merchant::signed;
use harness::receiver::Receiver;
use harness::web::{self, Reply};
use harness::{ACCOUNT_KEY, Backend, HKD_STORE, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage};
use http::Method;
use sandbox::{Fault, Operation};
use serde_json::{Map, Value, json};
use shared::envelope::{Envelope, Side, rfc3339, seal};

#[path = "contract/limits.rs"]
mod limits;
#[path = "contract/schemas.rs"]
mod schemas;

use schemas::{Contract, Post};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.yaml");
const WRITE_IT: &str = "`cargo run -q -p gateway -- openapi > openapi.yaml` brings the file up to date";

fn file() -> String {
    std::fs::read_to_string(FILE).unwrap_or_else(|error| panic!("{FILE}: {error}; {WRITE_IT}"))
}

#[test]
fn the_file_is_what_the_code_writes() {
    let (file, code) = (file(), contract::yaml(&api::document()));
    if file == code {
        return;
    }
    let both = file.lines().zip(code.lines()).enumerate().find(|(_, (file, code))| file != code);
    match both {
        Some((at, (file, code))) => {
            panic!("openapi.yaml line {}: the file says\n  {file}\nthe code\n  {code}\n{WRITE_IT}", at + 1)
        }
        None => panic!("openapi.yaml and the code's contract differ in length; {WRITE_IT}"),
    }
}

#[test]
fn every_operation_says_what_it_takes_and_what_else_can_come() {
    let contract = Contract::published();
    let posts = contract.posts();
    assert_eq!(
        posts.iter().map(|post| post.id.as_str()).collect::<Vec<_>>(),
        [
            "placeQrcode",
            "placeOnline",
            "placeTransactionQr",
            "placeBarcode",
            "placeJspay",
            "payQuery",
            "refund"
        ],
        "an operation that is new here needs no new test below, they walk over all; only this list"
    );
    for post in &posts {
        assert!(post.operation["responses"]["default"].is_object(), "{}", post.id);
        assert_eq!(post.operation["security"], json!([]), "{}: the signature is in the body", post.id);
    }
}

on_both!(the_running_server_shows_the_contract, async |stage: &mut Stage| {
    let shown = web::get(&stage.node().url("/openapi.yaml")).await;
    assert_eq!((shown.status, shown.header("content-type")), (200, Some("application/yaml")));
    assert_eq!(shown.text(), file(), "{WRITE_IT}");

    let shown = web::get(&stage.node().url("/openapi.json")).await;
    assert_eq!((shown.status, shown.header("content-type")), (200, Some("application/json")));
    assert_eq!(shown.json(), serde_yaml_ng::from_str::<Value>(&file()).expect("the file is YAML"));

    let at = stage.node().url("/docs/reference");
    let page = web::get(&at).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let parts = linked(page.text());
    assert!(parts.contains(&"../openapi.json".to_owned()) && parts.len() >= 4, "{parts:?}");
    for part in parts {
        let url = url::Url::parse(&at).and_then(|at| at.join(&part)).expect("an address");
        let reply = web::get(url.as_str()).await;
        assert!(reply.status == 200 && !reply.body.is_empty(), "it leads to {part}: {}", reply.status);
    }
});

/// What the page loads or leads to, from this server; a data URL is loaded from nowhere.
fn linked(page: &str) -> Vec<String> {
    let after =
        ["src=\"", "href=\"", "data-url=\""].into_iter().flat_map(|attribute| page.split(attribute).skip(1));
    let links = after.filter_map(|rest| rest.split('"').next()).filter(|link| !link.starts_with("data:"));
    links.map(str::to_owned).collect()
}

on_both!(
    every_sample_is_accepted_when_signed_with_the_merchants_key,
    [("server.bare_platform", "demo")],
    async |stage: &mut Stage| {
        let contract = Contract::published();
        for prefix in [format!("/{PLATFORM}"), String::new()] {
            for post in contract.posts() {
                let sample = contract.sample(post.request);
                if post.id == "refund" && prefix.contains(PLATFORM) {
                    let number = sample["request"]["body"]["partnerOrderNo"].as_str().expect("a number");
                    let submission = stage.submission_no(number).await;
                    stage.pay(&submission);
                    stage.notify(&submission).await;
                }
                assert_eq!(
                    sample["request"]["header"]["partnerNo"], PARTNER_NO,
                    "the samples are the demo merchant's"
                );
                let document = signed_anew(stage, &sample["request"]);
                contract.assert_keeps(
                    post.request,
                    &serde_json::from_str(&document).expect("JSON"),
                    &post.id,
                );
                let url = stage.node().url(&post.path.replace("/{platform}", &prefix));
                let answer = answered(&contract, &post, &url, document).await;
                assert_eq!(answer["code"], 1, "{} {}: {answer}", post.id, prefix);
            }
        }
        assert!(stage.upstream().violations().is_empty(), "{:?}", stage.upstream().violations());
    }
);

/// A sample as a merchant would send it: of now, and signed over exactly these bytes.
fn signed_anew(stage: &Stage, request: &Value) -> String {
    let mut header = request["header"].clone();
    header["reqTime"] = rfc3339(stage.app().clock.now()).into();
    // An id may come again with the same bytes only, and the samples share theirs.
    header["reqMsgId"] = stage.app().chance.id().into();
    seal(Side::Request, &header.to_string(), &request["body"].to_string(), MERCHANT_KEY)
}

/// Post, and hold the answer against the contract: HTTP 200, the operation's schema, the table's codes.
async fn answered(
    contract: &Contract,
    post: &Post<'_>,
    url: &str,
    document: impl Into<bytes::Bytes>,
) -> Value {
    let reply = web::post_json(url, document).await;
    assert_answer(contract, post, &reply)
}

fn assert_answer(contract: &Contract, post: &Post<'_>, reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", post.id);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let answer = reply.json();
    contract.assert_keeps(post.answer, &answer, &post.id);
    let body = answer["response"]["body"].clone();
    let code = body["code"].as_i64().expect("the schema has it");
    assert!(contract.codes().contains(&code), "code {code} is not in the table");
    let retry_after = reply.header("retry-after");
    assert_eq!(retry_after.is_some(), code == 9, "{body}");
    if let Some(seconds) = retry_after {
        let schema = &post.operation["responses"]["200"]["headers"]["Retry-After"]["schema"];
        contract.assert_keeps(schema, &json!(seconds.parse::<i64>().expect("seconds")), "Retry-After");
    }
    body
}

on_both!(every_operation_answers_strangers_and_nonsense_within_its_schema, async |stage: &mut Stage| {
    let contract = Contract::published();
    for post in contract.posts() {
        let url = stage.node().url(&post.path.replace("{platform}", PLATFORM));
        let sample = contract.sample(post.request).to_string();
        for document in ["", "null", "[]", "{}", "not json", r#"{"request":{},"signature":""}"#, &sample] {
            let answer = answered(&contract, &post, &url, document.to_owned()).await;
            assert_eq!(answer["code"], 8, "{document}: {answer}");
            assert_eq!(
                answer.as_object().map(Map::len),
                Some(2),
                "a stranger is told code and msg: {answer}"
            );
        }
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let reply = web::exchange(method, &url, &[], bytes::Bytes::new()).await;
            assert_eq!(assert_answer(&contract, &post, &reply)["code"], 8);
        }
        let elsewhere = url.replace(PLATFORM, "nobody");
        assert_eq!(answered(&contract, &post, &elsewhere, sample).await["code"], 8);
    }
});

/// One call of a merchant, held against the contract.
async fn call(stage: &Stage, contract: &Contract, id: &str, body: &Value) -> Value {
    let posts = contract.posts();
    let post = posts.iter().find(|post| post.id == id).expect("the contract has it");
    let url = stage.node().url(&post.path.replace("{platform}", PLATFORM));
    let document = signed(PARTNER_NO, MERCHANT_KEY, "", body, stage.app().clock.now());
    answered(contract, post, &url, document).await
}

on_both!(
    every_kind_of_answer_keeps_to_the_contract,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        let contract = Contract::published();
        let order = stage.order("p1").body;
        let with = |name: &str, value: Value| {
            let mut body = order.clone();
            body[name] = value;
            body
        };
        let place = async |body: &Value| call(stage, &contract, "placeQrcode", body).await;
        let ask = async |body: &Value| call(stage, &contract, "payQuery", body).await;

        assert_eq!(place(&with("storeNo", json!(""))).await["code"], 4);
        assert_eq!(place(&with("orderAmount", json!(-1))).await["code"], 5);
        assert_eq!(ask(&json!({})).await["code"], 7);
        assert_eq!(ask(&json!({ "partnerOrderNo": "p1" })).await["code"], 30);

        stage.fault(Operation::Create, Fault::Code { code: 44, took_effect: false });
        assert_eq!(place(&order).await["code"], 44);
        let opened = place(&order).await;
        assert_eq!(opened["code"], 1);
        assert_eq!(place(&order).await, opened);
        assert_eq!(place(&with("orderAmount", json!(2101))).await["code"], 31);
        assert_eq!(ask(&json!({ "partnerOrderNo": "p1" })).await["status"], 0);
        stage.deafen();
        assert_eq!(ask(&json!({ "partnerOrderNo": "p1" })).await["code"], 21);
        stage.upstream().clear_faults();
        stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
        assert_eq!(place(&with("partnerOrderNo", json!("p2"))).await["code"], 21);

        stage.pay(&stage.submission_no("p1").await);
        let paid = ask(&json!({ "orderNo": opened["orderNo"] })).await;
        assert_eq!((&paid["code"], &paid["status"]), (&json!(1), &json!(1)));
        let properties = contract.properties(&json!({ "$ref": "#/components/schemas/OrderState" }));
        for name in properties.keys() {
            assert!(paid.get(name).is_some(), "a paid order tells its {name}: {paid}");
        }
        let give_back = async |refund_no: &str, amount: i64| {
            let body = json!({ "partnerOrderNo": "p1", "refundNo": refund_no, "orderAmount": amount });
            call(stage, &contract, "refund", &body).await
        };
        let refunded = give_back("r1", 700).await;
        let properties = contract.properties(&json!({ "$ref": "#/components/schemas/RefundState" }));
        for name in properties.keys() {
            assert!(refunded.get(name).is_some(), "a refund tells its {name}: {refunded}");
        }
        assert_eq!(give_back("r1", 701).await["code"], 31);
        assert_eq!(give_back("r2", 1401).await["code"], 35);
        stage.fault(Operation::Refund, Fault::Code { code: 34, took_effect: false });
        assert_eq!(give_back("r3", 1).await["status"], 2);
        stage.fault(Operation::Refund, Fault::HangUp { took_effect: true });
        assert_eq!(give_back("r4", 1).await["status"], 0);
        assert_eq!(give_back("r5", 1).await["code"], 32);
        stage.open("p3").await;
        stage.upstream().fail(&stage.submission_no("p3").await).expect("it may fail");
        assert_eq!(ask(&json!({ "partnerOrderNo": "p3" })).await["status"], 2);
    }
);

#[tokio::test]
async fn a_busy_gateway_answers_as_the_contract_says() {
    let stage = Stage::set_with(Backend::Sqlite, &[("store.min_free_disk", "1048576GiB")]).await;
    let contract = Contract::published();
    let answer = call(&stage, &contract, "placeQrcode", &stage.order("p1").body).await;
    assert_eq!(answer["code"], 9);
    stage.strike().await;
}

on_both!(the_merchant_is_notified_as_the_contract_says, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    assert_eq!(stage.deliver_due().await, 1);
    let message = stage.shop().received_now().remove(0).raw;
    let envelope = Envelope::read(&message, Side::Response).expect("an envelope");
    assert!(envelope.verifies(MERCHANT_KEY) && !envelope.verifies(ACCOUNT_KEY));

    let contract = Contract::published();
    let webhook = contract.webhook("paymentNotification");
    let message: Value = serde_json::from_slice(&message).expect("JSON");
    contract.assert_keeps(&webhook["requestBody"]["content"]["application/json"]["schema"], &message, "paid");
    assert_eq!(message["response"]["header"]["partnerNo"], PARTNER_NO);
    assert_eq!(message["response"]["body"]["partnerOrderNo"], "p1");
    let success = &webhook["responses"]["200"]["content"]["text/plain"]["schema"]["examples"][0];
    assert_eq!(success, "success");
    assert_eq!(stage.deliver_due().await, 0, "the shop's `success` has settled it");
});

on_both!(what_an_endpoint_is_sent_is_as_the_contract_says, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let wanted = json!({ "url": receiver.url("/"), "merchantId": stage.merchant_id(), "keyPair": true });
    let id = stage.post("/v1/endpoints", wanted).await.json()["id"].as_str().expect("an id").to_owned();
    for action in ["verify", "test"] {
        let reply = stage.post(&format!("/v1/endpoints/{id}/{action}"), Value::Null).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;

    let contract = Contract::published();
    let heard = receiver.heard();
    let kinds: Vec<Value> = heard.iter().map(|one| one.json()["type"].clone()).collect();
    assert_eq!(kinds, ["endpoint.challenge", "endpoint.test", "order.paid"]);
    for one in &heard {
        let message = one.json();
        let is_challenge = message["type"] == "endpoint.challenge";
        let name = if is_challenge { "endpointChallenge" } else { "eventNotification" };
        let webhook = contract.webhook(name);
        contract.assert_keeps(
            &webhook["requestBody"]["content"]["application/json"]["schema"],
            &message,
            name,
        );
        for parameter in webhook["parameters"].as_array().expect("headers") {
            let header = parameter["name"].as_str().expect("a name");
            assert_eq!(one.headers.contains_key(header), parameter["required"] == true, "{name} {header}");
        }
    }
});

on_both!(the_limits_of_the_contract_are_the_gateways, async |stage: &mut Stage| {
    let contract = Contract::published();
    for product in product::ALL {
        let word = product.name.split('_').map(|part| part[..1].to_uppercase() + &part[1..]);
        let name = format!("Place{}", word.collect::<String>());
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        let (properties, required) = (contract.properties(&schema), contract.required(&schema));
        let fields: Vec<_> = product.fields.iter().map(|field| field.name).collect();
        assert_eq!(properties.keys().collect::<Vec<_>>(), fields, "{name}: the product's own fields");
        let needed = product.fields.iter().filter(|field| field.required).map(|field| field.name.to_owned());
        assert_eq!(required, needed.collect(), "{name}: what the product requires");
        let usual = stage.order_of(product.path, "p").body;
        keep_to_the_limits(stage, &contract, &name, &usual, limits::cases(&properties, &required)).await;
    }
});

async fn keep_to_the_limits(
    stage: &Stage,
    contract: &Contract,
    name: &str,
    usual: &Value,
    cases: Vec<limits::Case>,
) {
    let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
    let mut tried = 0;
    for case in cases {
        let mut body = usual.clone();
        body["partnerOrderNo"] = format!("{name}{tried}").into();
        tried += 1;
        case.change(&mut body);
        // The longest number is the same for every product: each has to make it its own.
        if let Some(number) = body["partnerOrderNo"].as_str().filter(|number| number.chars().count() > 30) {
            body["partnerOrderNo"] =
                number.chars().skip(1).chain(name.chars().nth(5)).collect::<String>().into();
        }
        assert_eq!(contract.keeps(&schema, &body), case.within, "the schema on {case:?}");
        let answer = call(stage, contract, &name.replace("Place", "place"), &body).await;
        let msg = answer["msg"].as_str().expect("the schema has it");
        match (&case.expected, answer["code"].as_i64()) {
            (limits::Expected::Opened, code) => assert_eq!(code, Some(1), "{case:?}: {answer}"),
            // Right in itself, but nothing that this store or merchant has.
            (limits::Expected::NotTooLong, _) => assert!(!msg.contains("longer"), "{case:?}: {answer}"),
            (limits::Expected::Refused(expected), code) => {
                assert_eq!(code, Some(*expected), "{case:?}: {answer}");
                assert!(msg.starts_with(&case.field), "{case:?}: {answer}");
            }
        }
    }
    assert!(tried > 30, "the contract's limits were found: {tried}");
    assert_eq!(usual["storeNo"], HKD_STORE);
}
