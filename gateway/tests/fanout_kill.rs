//! Fan-out while everything goes wrong, on both stores: gateways are killed at random (two of them share the PostgreSQL),
//! receivers fail, hang, dribble, never stop, reset and answer the wrong text. In the end each event was acknowledged by
//! everyone who should hear it, under one id and with one content, and per order and endpoint never before the one in
//! front of it.

mod harness;

#[path = "fanout_kill/books.rs"]
mod books;
#[path = "endpoints/kit.rs"]
mod kit;
#[path = "fanout_kill/load.rs"]
mod load;
#[path = "kill/process.rs"]
mod process;
#[path = "fanout_kill/receiver.rs"]
mod receiver;
#[path = "kill/world.rs"]
mod world;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use harness::{Backend, web};
use http::Method;
use load::Load;
use process::Gateway;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use receiver::{Receiver, Wants};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

const KILLS: u32 = 10;
/// For whatever must happen; nothing waits this long in a gateway that works.
const DEADLINE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_acknowledged_in_sequence_whatever_goes_wrong_on_sqlite() {
    everything_goes_wrong(Backend::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_acknowledged_in_sequence_whatever_goes_wrong_with_two_gateways_on_postgres() {
    everything_goes_wrong(Backend::Postgres, 2).await;
}

async fn everything_goes_wrong(backend: Backend, nodes: usize) {
    let seed = harness::seed();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store_url = match backend {
        Backend::Sqlite => format!("sqlite:{}", folder.path().join("scangate.db").display()),
        Backend::Postgres => harness::new_database().await,
    };
    let sandbox = world::start_sandbox().await;
    let lives = watch::Sender::new(0);
    let mut gateways: Vec<Gateway> =
        (0..nodes).map(|node| configured(folder.path(), node, &store_url, &sandbox.base_url())).collect();
    for gateway in &mut gateways {
        gateway.lives = lives.clone();
    }
    let made = gateways[0].apply(&world::description(&sandbox.base_url()));
    let owner = Owner { key: text(&made["api_keys"][0]["key"]), base_url: gateways[0].base_url() };
    let receivers = receivers(seed).await;
    gateways[0].start().await;
    register(&owner, &receivers).await;
    share_the_master_key(folder.path(), nodes);
    for gateway in &mut gateways[1..] {
        gateway.start().await;
    }

    let bases = gateways.iter().map(Gateway::base_url).collect();
    let load = Load::new(bases, receivers[0].url(), sandbox.control(), lives.subscribe());
    let clients = load.begin(seed);
    let mut chance = StdRng::seed_from_u64(seed);
    for kill in 1..=KILLS {
        let struck = chance.random_range(0..nodes);
        come(&receivers, chance.random_range(50..400), kill).await;
        gateways[struck].kill();
        // The other takes over what the dead one had under way, for a while or until it is back.
        if nodes > 1 && chance.random_ratio(1, 2) {
            come(&receivers, 50, kill).await;
        }
        gateways[struck].start().await;
    }

    timeout(DEADLINE, load.finish(clients)).await.expect("every order is paid and refunded in the end");
    let store = world::open(&store_url).await;
    timeout(DEADLINE, world::everything_is_delivered(&store)).await.expect("every delivery comes to its end");
    for gateway in &mut gateways {
        gateway.stop().await;
    }
    let told = books::every_event_is_on_record(&store, &load.placed()).await;
    for receiver in &receivers {
        books::everything_was_acknowledged(receiver, &told);
        books::each_event_is_one_message(receiver, &told);
        books::sequence_was_kept(receiver, &told);
    }
    books::records_are_the_receivers_own(&store, &receivers).await;
    books::everything_went_wrong(&receivers);
    drop(store);
    sandbox.stop().await;
}

/// A gateway in a folder of its own, whose receivers' failures cost it as little time as is allowed.
fn configured(folder: &Path, node: usize, store_url: &str, upstream: &str) -> Gateway {
    let home = home(folder, node);
    std::fs::create_dir(&home).expect("the folder is ours");
    let mut gateway = Gateway::configure(home, store_url, upstream);
    gateway.settings = vec![
        ("SCANGATE_DELIVERIES__MAX_IN_FLIGHT_PER_ENDPOINT", "16"),
        ("SCANGATE_DELIVERIES__BREAKER_PAUSE", "200ms"),
        ("SCANGATE_DELIVERIES__BREAKER_LONGEST_PAUSE", "1s"),
        ("SCANGATE_ORDERS__REFUND_WAIT", "2s"),
        // The sandbox takes the same number for the same refund.
        ("SCANGATE_ORDERS__REPEAT_REFUNDS", "true"),
    ];
    gateway
}

fn home(folder: &Path, node: usize) -> std::path::PathBuf {
    folder.join(format!("node-{node}"))
}

/// The first one has made it.
fn share_the_master_key(folder: &Path, nodes: usize) {
    for node in 1..nodes {
        let [from, to] = [0, node].map(|node| home(folder, node).join("master.key"));
        std::fs::copy(from, to).expect("the folder is ours");
    }
}

/// An order's notifyUrl, the merchant's endpoints, and the platform's.
async fn receivers(seed: u64) -> Vec<Receiver> {
    let paid = &["order.paid"][..];
    let refunds = &["refund.succeeded"][..];
    let all = &["order.paid", "refund.succeeded"][..];
    let wanted = [
        ("notifyUrl", Wants::Success, paid),
        ("any status of success", Wants::AnySuccess, all),
        ("the text success", Wants::Success, all),
        ("a field", Wants::Field, all),
        ("refunds", Wants::Field, refunds),
        ("the platform's", Wants::Success, all),
    ];
    let mut receivers = Vec::new();
    for (salt, (name, wants, hears)) in (0_u64..).zip(wanted) {
        receivers.push(Receiver::open(name, wants, hears, seed ^ (salt << 32)).await);
    }
    receivers
}

struct Owner {
    key: String,
    base_url: String,
}

impl Owner {
    async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let reply = web::exchange(method, &format!("{}{path}", self.base_url), &headers, body).await;
        assert!((200..300).contains(&reply.status), "{path}: {}", reply.text());
        reply.json()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, and no {value}")).to_owned()
}

/// All but the first, which every order names.
async fn register(owner: &Owner, receivers: &[Receiver]) {
    let merchants = owner.call(Method::GET, "/v1/merchants", &Value::Null).await;
    let merchant_id = &merchants["data"][0]["id"];
    for receiver in &receivers[1..] {
        let mut settings = json!({
            "url": receiver.url(), "eventTypes": receiver.hears, "acknowledgement": receiver.wants.profile(),
        });
        if receiver.name != "the platform's" {
            settings["merchantId"] = merchant_id.clone();
        }
        let made = owner.call(Method::POST, "/v1/endpoints", &settings).await;
        receiver.is_registered(text(&made["id"]), text(&made["secret"]["secret"]));
        let verify = format!("/v1/endpoints/{}/verify", text(&made["id"]));
        owner.call(Method::POST, &verify, &Value::Null).await;
    }
}

/// So many more messages have come to all the receivers together.
async fn come(receivers: &[Receiver], count: usize, kill: u32) {
    let arrived = || receivers.iter().map(Receiver::count).sum::<usize>();
    let enough = arrived() + count;
    let mut look = tokio::time::interval(Duration::from_millis(1));
    timeout(DEADLINE, async {
        while arrived() < enough {
            look.tick().await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("kill {kill}: nothing is delivered"));
}
