//! How things stand at the moment they are asked for: what waits, what room is left, who answers.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::{PREFIX, Word};
use crate::app::App;
use crate::waiting::{self, Waiting};

type Gauges<const N: usize> = Family<[(&'static str, Word); N], Gauge>;

pub(super) async fn look(app: &App) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    program(app, &mut registry);
    store(app, &mut registry);
    ledger(app, &mut registry);
    nodes(app, &mut registry);
    match waiting::look(app).await {
        Ok(waiting) => {
            gauge(&mut registry, "store_readable", "Whether the store could be read just now", 1);
            waits(app, &waiting, &mut registry);
        }
        // The rest is worth telling above all then.
        Err(error) => {
            tracing::warn!(%error, "what waits could not be looked up");
            gauge(&mut registry, "store_readable", "Whether the store could be read just now", 0);
        }
    }
    registry
}

fn program(app: &App, registry: &mut Registry) {
    let (info, store) = (Gauges::default(), if app.store.path.is_some() { "sqlite" } else { "postgresql" });
    info.get_or_create(&[("version", env!("CARGO_PKG_VERSION").into()), ("store", store.into())]).set(1);
    registry.register("build_info", "Always 1; its labels tell which program this is", info);
}

fn store(app: &App, registry: &mut Registry) {
    let disk = &app.disk;
    if let Some(free) = disk.free() {
        gauge(registry, "disk_free_bytes", "Free where the store lies, at the last look", whole(free));
        gauge(registry, "disk_is_low", "Whether new orders are refused for it", disk.is_low().into());
        gauge(registry, "disk_is_out", "Whether nothing is written for it", disk.is_out().into());
    }
    let Some(path) = &app.store.path else { return };
    let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |file| whole(file.len()));
    gauge(registry, "store_bytes", "Size of the SQLite file", size(path));
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    gauge(registry, "store_log_bytes", "Size of its write-ahead log", size(log.as_ref()));
}

fn ledger(app: &App, registry: &mut Registry) {
    let (waiting, room) = (Gauges::default(), Gauges::default());
    for (lane, held, free) in app.ledger.lanes_now() {
        let lane = [("lane", Word::from(lane.as_str()))];
        waiting.get_or_create(&lane).set(whole(held));
        room.get_or_create(&lane).set(whole(free));
    }
    registry.register("ledger_waiting", "Places in the ledger's queues that are taken", waiting);
    registry.register("ledger_room", "Places in them that are free", room);
}

fn nodes(app: &App, registry: &mut Registry) {
    let help = "The version of the directory that this node has in memory";
    gauge(registry, "directory_version", help, app.directory.version());
    gauge(registry, "merchants", "Merchants in memory", whole(app.directory.merchants()));
    let help = "Accounts that may place no orders, since their base URL is not allowed any more";
    gauge(registry, "accounts_barred", help, whole(app.directory.barred()));
    if let Some(redis) = &app.redis {
        let help = "Whether Redis is asked at present; if not, this node counts by itself";
        gauge(registry, "redis_answering", help, redis.is_answering().into());
    }
}

fn waits(app: &App, waiting: &Waiting, registry: &mut Registry) {
    gauge(registry, "deliveries_due", "Deliveries not acknowledged yet", whole(waiting.deliveries_due));
    let help =
        "The same to endpoints that are paused or disabled, or left alone for a while because they fail";
    gauge(registry, "deliveries_parked", help, whole(waiting.deliveries_parked));
    let age = waiting.oldest_due_since.map_or(0, |since| (app.clock.now_ms() - since).max(0) / 1000);
    gauge(registry, "delivery_oldest_due_seconds", "For how long the oldest of them was promised", age);
    let help = "Orders without an answer of ScanForPay after it was due";
    gauge(registry, "orders_overdue", help, whole(waiting.orders_overdue));
    let help = "Facts that differ from what was asked, held for a person to look at";
    gauge(registry, "facts_held_now", help, whole(waiting.facts_held));
    let attention = Gauges::default();
    for (matter, count) in &waiting.attention {
        attention.get_or_create(&[("matter", matter.as_str().into())]).set(whole(*count));
    }
    registry.register("attention", "What waits for a person, by what it is", attention);
    let help = "Secrets that another master key than the newest sealed";
    gauge(registry, "sealed_under_previous", help, whole(waiting.sealed_under_previous));
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: i64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn whole(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
