//! Kill -9 under load, at random moments, on both stores: every acknowledged order is there, every notice that
//! got `success` is delivered, nothing is told before it is durable, nothing is told under two ids.

mod harness;

#[path = "kill/books.rs"]
mod books;
#[path = "kill/load.rs"]
mod load;
#[path = "kill/process.rs"]
mod process;
#[path = "kill/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use harness::{Backend, MERCHANT_KEY, PARTNER_NO};
use load::Load;
use process::Gateway;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sandbox::shop::Shop;
use tokio::net::TcpListener;
use tokio::time::timeout;

const KILLS: u32 = 20;
/// For whatever must happen; nothing waits this long in a gateway that works.
const DEADLINE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_nothing_and_tell_nothing_twice_on_sqlite() {
    twenty_kills(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_nothing_and_tell_nothing_twice_on_postgres() {
    twenty_kills(Backend::Postgres).await;
}

async fn twenty_kills(backend: Backend) {
    let seed = harness::seed();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store_url = match backend {
        Backend::Sqlite => format!("sqlite:{}", folder.path().join("scangate.db").display()),
        Backend::Postgres => harness::new_database().await,
    };
    let (sandbox, shop) = (world::start_sandbox().await, start_shop().await);
    let upstream = sandbox.control();
    let mut gateway = Gateway::configure(folder.path().to_owned(), &store_url, &sandbox.base_url());
    gateway.apply(&world::description(&sandbox.base_url()));
    gateway.start().await;
    let load = Load::new(gateway.base_url(), &shop, upstream.clone(), gateway.lives.subscribe());
    let clients = load.begin(seed);

    let mut chance = StdRng::seed_from_u64(seed);
    for kill in 1..=KILLS {
        let moment = Moment::any(&mut chance);
        timeout(DEADLINE, moment.comes(&load, &shop))
            .await
            .unwrap_or_else(|_| panic!("{moment:?}, kill {kill}: no load"));
        // The shop fails now and then, so that there are deliveries to be made again.
        shop.answer_next(500, "");
        gateway.kill();
        if chance.random_ratio(1, 4) {
            kill_while_starting(&mut gateway, &load, &mut chance).await;
        }
        gateway.start().await;
    }

    timeout(DEADLINE, load.finish(clients)).await.expect("every order is answered in the end");
    timeout(DEADLINE, upstream.until(|_| books::all_acknowledged(&upstream)))
        .await
        .expect("every notice is taken");
    let paid = books::paid(&upstream);
    let told = timeout(DEADLINE, shop.paid(paid.len())).await;
    assert!(told.is_ok(), "acknowledged and never told: {:?}", books::untold(&paid, &shop.paid_now()));
    let store = world::open(&store_url).await;
    timeout(DEADLINE, world::everything_is_delivered(&store)).await.expect("every delivery comes to its end");

    books::every_acknowledged_order_is_there(&load, &paid).await;
    gateway.stop().await;
    let received = timeout(DEADLINE, shop.received(paid.len())).await.expect("they have come");
    assert!(received.len() < 10_000, "the shop has kept every message");
    books::what_was_told_is_what_was_paid(&store, &received, &paid).await;
    books::every_call_was_on_record(&store, &upstream).await;
    let breaches = upstream.violations().into_iter().filter(|violation| violation.place != "notice");
    assert_eq!(breaches.collect::<Vec<_>>(), [], "the protocol was kept");

    drop(store);
    sandbox.stop().await;
    shop.stop().await;
}

/// When to kill: so many events from now, and a little after the last of them.
#[derive(Debug)]
enum Moment {
    /// Creates that the clients got their answer of.
    Acknowledged { count: u64, after: u32 },
    /// Creates that have arrived at the sandbox; their answers are on their way.
    Placed { count: u64, after: u32 },
    /// Payments; their notices are on their way.
    Paid { count: u64, after: u32 },
    /// Notices that were answered.
    Noticed { count: u64, after: u32 },
    /// Messages that reached the shop; its answers are on their way.
    Told { count: usize, after: u32 },
}

impl Moment {
    fn any(chance: &mut StdRng) -> Self {
        let after = chance.random_range(0..20);
        let count = chance.random_range(1..=60);
        match chance.random_range(0..5) {
            0 => Self::Acknowledged { count, after },
            1 => Self::Placed { count, after },
            2 => Self::Paid { count, after },
            3 => Self::Noticed { count, after },
            _ => Self::Told { count: chance.random_range(1..=60), after },
        }
    }

    async fn comes(&self, load: &Arc<Load>, shop: &Shop) {
        let upstream = &load.upstream;
        let before = upstream.counts();
        let after = match self {
            Self::Acknowledged { count, after } => {
                let mut acknowledged = load.acknowledged.subscribe();
                let before = *acknowledged.borrow_and_update();
                acknowledged.wait_for(|now| *now >= before + count).await.expect("the load lives");
                after
            }
            Self::Placed { count, after } => {
                upstream.seen_creates(before.creates + count).await;
                after
            }
            Self::Paid { count, after } => {
                upstream.seen_payments(before.payments + count).await;
                after
            }
            Self::Noticed { count, after } => {
                upstream.until(|now| now.acknowledged >= before.acknowledged + count).await;
                after
            }
            Self::Told { count, after } => {
                let before = shop.received_now().len();
                shop.received(before + count).await;
                after
            }
        };
        for _ in 0..*after {
            tokio::task::yield_now().await;
        }
    }
}

/// Once more while it is still coming up, at the latest when it serves.
async fn kill_while_starting(gateway: &mut Gateway, load: &Load, chance: &mut StdRng) {
    let before = load.upstream.counts().notices;
    let count = chance.random_range(1..=20);
    let serves = gateway.spawn();
    let early = async {
        tokio::select! {
            () = load.upstream.seen_notices(before + count) => {}
            served = serves => served.expect("it serves"),
        }
    };
    timeout(DEADLINE, early).await.expect("it starts in time");
    gateway.kill();
}

async fn start_shop() -> Shop {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let settings = sandbox::shop::ShopSettings {
        partner_no: PARTNER_NO.to_owned(),
        sign_key: MERCHANT_KEY.to_owned(),
        ..Default::default()
    };
    sandbox::shop::start(listener, settings).expect("a shop")
}
