//! Orders and what is told of them, as cells.

use std::collections::BTreeSet;

use shared::ops::{
    Breaker, Delivery, DeliveryState, Endpoint, EndpointStatus, Merchant, OrderRow, Replay, ReplayState,
};
use shared::order::OrderStatus;

use super::{Cell, Look, Table, meant, plain};
use crate::text;
use crate::theme::Meaning;

/// How the rows that were read are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Newest,
    Changed,
    Amount,
    Status,
}

impl Sort {
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Newest => Self::Changed,
            Self::Changed => Self::Amount,
            Self::Amount => Self::Status,
            Self::Status => Self::Newest,
        }
    }

    pub fn told(self) -> &'static str {
        match self {
            Self::Newest => "newest first",
            Self::Changed => "last changed first",
            Self::Amount => "largest first",
            Self::Status => "by status",
        }
    }

    pub fn apply(self, rows: &mut [OrderRow]) {
        match self {
            Self::Newest => rows.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id))),
            Self::Changed => rows.sort_by_key(|row| std::cmp::Reverse(row.updated_at)),
            Self::Amount => rows.sort_by_key(|row| std::cmp::Reverse(row.amount)),
            Self::Status => rows.sort_by_key(|row| row.status.as_str()),
        }
    }
}

pub fn status_meaning(status: OrderStatus) -> Meaning {
    match status {
        OrderStatus::Paid => Meaning::Good,
        OrderStatus::Unknown => Meaning::Bad,
        OrderStatus::Refused | OrderStatus::Failed => Meaning::Warning,
        OrderStatus::Closed => Meaning::Dim,
        _ => Meaning::Plain,
    }
}

pub fn orders(rows: &[OrderRow], is_wide: bool, look: Look) -> Table {
    let row = |order: &OrderRow| {
        let mut cells = vec![
            plain(text::time(order.created_at, look.zone)),
            meant(order.status.as_str(), status_meaning(order.status)),
            plain(text::money(order.amount, &order.currency)),
            plain(&order.number),
            plain(&order.partner_no),
            plain(order.wallet.as_deref().unwrap_or("-")),
        ];
        if is_wide {
            cells.extend([
                plain(order.store_no.as_deref().unwrap_or("-")),
                plain(&order.product),
                plain(text::money(order.paid_amount, &order.currency)),
                plain(text::money(order.refunded_amount, &order.currency)),
                plain(text::time(order.updated_at, look.zone)),
                plain(&order.platform),
                plain(&order.id),
            ]);
        }
        cells.push(plain(order.title.as_deref().unwrap_or("-")));
        cells
    };
    let mut columns = vec!["placed", "status", "amount", "number", "merchant", "wallet"];
    if is_wide {
        columns.extend(["store", "product", "paid", "refunded", "changed", "platform", "id"]);
    }
    columns.push("title");
    Table { columns, rows: rows.iter().map(row).collect() }
}

pub fn delivery_state(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Due => "due",
        DeliveryState::Waiting => "waiting",
        DeliveryState::Parked => "parked",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Exhausted => "exhausted",
        DeliveryState::Superseded => "superseded",
        DeliveryState::Cancelled => "cancelled",
    }
}

/// One that is due and has been tried is being retried.
pub fn delivery_meaning(delivery: &Delivery) -> (&'static str, Meaning) {
    match delivery.state {
        DeliveryState::Due if delivery.attempt_count > 0 => ("retrying", Meaning::Warning),
        DeliveryState::Parked => ("parked", Meaning::Warning),
        DeliveryState::Delivered => ("delivered", Meaning::Good),
        DeliveryState::Exhausted => ("exhausted", Meaning::Bad),
        DeliveryState::Superseded | DeliveryState::Cancelled => {
            (delivery_state(delivery.state), Meaning::Dim)
        }
        state => (delivery_state(state), Meaning::Plain),
    }
}

pub fn deliveries(rows: &[Delivery], marked: &BTreeSet<String>, look: Look) -> Table {
    let row = |delivery: &Delivery| {
        let (state, meaning) = delivery_meaning(delivery);
        let next = delivery.due_at.map_or("-".to_owned(), |due| match due.ms() - look.now_ms {
            ..=0 => "now".to_owned(),
            left => format!("in {}", text::age(0, left)),
        });
        vec![
            meant(if marked.contains(&delivery.id) { "●" } else { " " }, Meaning::Key),
            plain(text::age(delivery.created_at.ms(), look.now_ms)),
            meant(state, meaning),
            plain(&delivery.kind),
            plain(&delivery.number),
            plain(delivery.attempt_count.to_string()),
            plain(next),
            plain(delivery.outcome.as_deref().unwrap_or("-")),
            plain(&delivery.url),
        ]
    };
    Table {
        columns: vec![" ", "age", "state", "event", "order", "tries", "next", "last outcome", "to"],
        rows: rows.iter().map(row).collect(),
    }
}

pub fn standing(endpoint: &Endpoint) -> Cell {
    match (endpoint.status, endpoint.breaker) {
        (EndpointStatus::Active, Some(Breaker::Open)) => meant("left alone", Meaning::Bad),
        (EndpointStatus::Active, Some(Breaker::HalfOpen)) => meant("being tried", Meaning::Warning),
        (EndpointStatus::Active, _) if endpoint.failing_since.is_some() => meant("failing", Meaning::Warning),
        (EndpointStatus::Active, _) => meant("active", Meaning::Good),
        (EndpointStatus::Unproven, _) => meant("unproven", Meaning::Warning),
        (EndpointStatus::Paused, _) => meant("paused", Meaning::Warning),
        (EndpointStatus::Disabled, _) => meant("disabled", Meaning::Bad),
    }
}

pub fn endpoints(rows: &[Endpoint], look: Look) -> Table {
    let row = |endpoint: &Endpoint| {
        let service = &endpoint.service;
        let share = match service.attempts {
            0 => plain("-"),
            attempts => {
                let share = service.acknowledged * 100 / attempts;
                let meaning = if share < 90 { Meaning::Bad } else { Meaning::Good };
                meant(format!("{share}% of {attempts}"), meaning)
            }
        };
        let took = match (service.p50_ms, service.p99_ms) {
            (Some(p50), Some(p99)) => format!("{p50}/{p99} ms"),
            _ => "-".to_owned(),
        };
        let since = endpoint.failing_since.map_or("-".to_owned(), |at| text::age(at.ms(), look.now_ms));
        let exhausted = if service.exhausted > 0 { Meaning::Bad } else { Meaning::Plain };
        vec![
            standing(endpoint),
            plain(since),
            share,
            plain(service.backlog.to_string()),
            meant(service.exhausted.to_string(), exhausted),
            plain(&endpoint.url),
            plain(took),
            plain(&endpoint.platform),
            plain(&endpoint.kind),
        ]
    };
    Table {
        columns: vec![
            "is",
            "failing",
            "took it",
            "backlog",
            "exhausted",
            "url",
            "p50/p99",
            "platform",
            "kind",
        ],
        rows: rows.iter().map(row).collect(),
    }
}

pub fn replay_meaning(state: ReplayState) -> (&'static str, Meaning) {
    match state {
        ReplayState::Preview => ("preview", Meaning::Warning),
        ReplayState::Running => ("running", Meaning::Good),
        ReplayState::Paused => ("paused", Meaning::Warning),
        ReplayState::Done => ("done", Meaning::Plain),
        ReplayState::Cancelled => ("cancelled", Meaning::Dim),
    }
}

pub fn replays(rows: &[Replay], look: Look) -> Table {
    let row = |replay: &Replay| {
        let (state, meaning) = replay_meaning(replay.state);
        let failed = if replay.failed > 0 { Meaning::Bad } else { Meaning::Plain };
        let left = matches!(replay.state, ReplayState::Running | ReplayState::Paused | ReplayState::Preview);
        vec![
            plain(text::age(replay.created_at.ms(), look.now_ms)),
            meant(state, meaning),
            plain(progress(replay.ended(), replay.total)),
            meant(replay.failed.to_string(), failed),
            plain(replay.skipped.to_string()),
            plain(format!("{}/s", replay.rate)),
            plain(if left { text::lasting(replay.takes_seconds) } else { "-".to_owned() }),
            plain(&replay.reason),
            plain(&replay.asked_by),
        ]
    };
    Table {
        columns: vec!["age", "state", "ended", "failed", "skipped", "pace", "left", "why", "asked by"],
        rows: rows.iter().map(row).collect(),
    }
}

/// `████░░░░ 12/24`.
fn progress(ended: i64, total: i64) -> String {
    const STEPS: i64 = 8;
    let full = (ended * STEPS).checked_div(total).unwrap_or(STEPS).clamp(0, STEPS);
    let count = |steps: i64| usize::try_from(steps).unwrap_or_default();
    format!("{}{} {ended}/{total}", "█".repeat(count(full)), "░".repeat(count(STEPS - full)))
}

pub fn merchants(rows: &[Merchant], _look: Look) -> Table {
    let row = |merchant: &Merchant| {
        let state = if merchant.suspended {
            meant("suspended", Meaning::Warning)
        } else {
            meant("served", Meaning::Good)
        };
        vec![
            plain(&merchant.partner_no),
            plain(&merchant.name),
            plain(&merchant.platform),
            plain(&merchant.mode),
            plain(merchant.stores.to_string()),
            state,
            meant(&merchant.id, Meaning::Dim),
        ]
    };
    Table {
        columns: vec!["merchant", "name", "platform", "mode", "stores", "is", "id"],
        rows: rows.iter().map(row).collect(),
    }
}
