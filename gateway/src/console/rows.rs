//! Rows as the console has them (`shared::ops`).

use std::collections::HashMap;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use shared::ops::{
    Delivery, DeliveryState, Matter, Moment, OrderRow, Replay, ReplayFilter, ReplayState, Subject,
};

use crate::app::App;
use crate::attention::list::Waiting;
use crate::deliveries::replay::{Progress, State, takes_seconds};
use crate::deliveries::select::{Filter, Wanted};
use crate::entity::{self, delivery, order};

/// Milliseconds since 1970.
pub fn moment(ms: i64) -> Moment {
    Moment::of_ms(ms).unwrap_or_else(|| Moment::of_ms(0).expect("the beginning is a date"))
}

/// An order. What the directory does not know (yet) of its merchant is left empty.
pub fn order(app: &App, row: &order::Model) -> OrderRow {
    let merchant = app.directory.merchant_by_id(&row.merchant_id);
    let merchant = merchant.as_deref();
    let store = merchant.and_then(|merchant| merchant.stores.values().find(|store| store.id == row.store_id));
    let platform = app.directory.platform_by_id(&row.platform_id);
    OrderRow {
        id: row.id.clone(),
        number: row.number.clone(),
        platform: platform.map(|platform| platform.slug.clone()).unwrap_or_default(),
        merchant_id: row.merchant_id.clone(),
        partner_no: merchant.map(|merchant| merchant.partner_no.clone()).unwrap_or_default(),
        store_no: store.map(|store| store.store_no.clone()),
        product: row.product.clone(),
        wallet: row.paid_wallet.clone().or_else(|| row.wallet.clone()),
        amount: row.amount,
        paid_amount: row.paid,
        refunded_amount: row.refunded,
        currency: row.currency.clone(),
        title: row.title.clone(),
        status: row.status(),
        created_at: moment(row.created_at),
        updated_at: moment(row.updated_at),
    }
}

/// A delivery, without its attempts; `number`: its order's.
pub fn delivery(row: &delivery::Model, number: String) -> Delivery {
    Delivery {
        id: row.id.clone(),
        event_id: row.event_id.clone(),
        kind: row.kind.clone(),
        endpoint_id: row.endpoint_id.clone(),
        url: row.url.split(['?', '#']).next().unwrap_or_default().to_owned(),
        merchant_id: row.merchant_id.clone(),
        number,
        state: match row.state {
            delivery::State::Due => DeliveryState::Due,
            delivery::State::Waiting => DeliveryState::Waiting,
            delivery::State::Parked => DeliveryState::Parked,
            delivery::State::Delivered => DeliveryState::Delivered,
            delivery::State::Exhausted => DeliveryState::Exhausted,
            delivery::State::Superseded => DeliveryState::Superseded,
            delivery::State::Cancelled => DeliveryState::Cancelled,
        },
        attempt_count: row.attempts,
        outcome: row.outcome.clone(),
        due_at: (row.state == delivery::State::Due).then(|| moment(row.due_at)),
        replay_id: row.replay_id.clone(),
        created_at: moment(row.created_at),
        ended_at: row.ended_at.map(moment),
        attempts: Vec::new(),
    }
}

/// Deliveries with the numbers of their orders.
pub async fn deliveries(app: &App, rows: &[delivery::Model]) -> Result<Vec<Delivery>, DbErr> {
    let numbers: Vec<(String, String)> = order::Entity::find()
        .select_only()
        .columns([order::Column::Id, order::Column::Number])
        .filter(order::Column::Id.is_in(rows.iter().map(|row| row.subject_id.as_str())))
        .into_tuple()
        .all(&app.store.read)
        .await?;
    let numbers: HashMap<String, String> = numbers.into_iter().collect();
    let number = |row: &delivery::Model| numbers.get(&row.subject_id).cloned().unwrap_or_default();
    Ok(rows.iter().map(|row| delivery(row, number(row))).collect())
}

/// What waits for a person.
pub fn matter(waiting: Waiting) -> Matter {
    let (cause, next_step) = waiting.matter.words();
    let row = waiting.row;
    Matter {
        id: row.id,
        kind: row.kind,
        subject: Subject {
            kind: waiting.matter.subject().to_owned(),
            id: row.subject_id,
            number: waiting.number,
        },
        merchant_id: row.merchant_id,
        store_id: row.store_id,
        count: row.count,
        raised_at: moment(row.raised_at),
        seen_at: moment(row.seen_at),
        detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        cause: cause.to_owned(),
        next_step: next_step.to_owned(),
    }
}

/// A replay, and how far it has come.
pub fn replay(row: &entity::replay::Model, progress: &Progress) -> Replay {
    let wanted: Option<Wanted> = serde_json::from_str(&row.wanted).ok();
    let (order_id, filter) = match wanted {
        Some(Wanted::Order(id)) => (Some(id), None),
        Some(Wanted::Filter(filter) | Wanted::Missed(filter)) => (None, Some(replay_filter(filter))),
        Some(Wanted::Named(_)) | None => (None, None),
    };
    Replay {
        id: row.id.clone(),
        state: match row.state {
            State::Preview => ReplayState::Preview,
            State::Running => ReplayState::Running,
            State::Paused => ReplayState::Paused,
            State::Done => ReplayState::Done,
            State::Cancelled => ReplayState::Cancelled,
        },
        order_id,
        filter,
        skip_acknowledged: row.skip,
        reason: row.reason.clone(),
        asked_by: row.asked_by.clone(),
        rate: u32::try_from(row.rate).unwrap_or(u32::MAX),
        total: row.total,
        unsendable: row.unsendable,
        merchants: row.merchants,
        endpoints: row.endpoints,
        oldest_at: row.oldest_at.map(moment),
        newest_at: row.newest_at.map(moment),
        takes_seconds: takes_seconds(row, progress),
        sending: progress.sending,
        delivered: progress.delivered,
        failed: progress.failed,
        skipped: progress.skipped,
        brought_forward: progress.brought_forward,
        created_at: moment(row.created_at),
        started_at: row.started_at.map(moment),
        ended_at: row.ended_at.map(moment),
    }
}

fn replay_filter(filter: Filter) -> ReplayFilter {
    let state = |word: &String| serde_json::from_value(serde_json::Value::String(word.clone())).ok();
    ReplayFilter {
        merchant_id: filter.merchant_id,
        endpoint_id: filter.endpoint_id,
        kinds: filter.kinds,
        states: filter.states.iter().filter_map(state).collect(),
        outcomes: filter.outcomes,
        from: filter.from.map(moment),
        before: filter.before.map(moment),
    }
}
