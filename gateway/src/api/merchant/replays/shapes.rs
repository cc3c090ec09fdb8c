//! Replays as the contracts show them.

use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, Select};

use crate::api::merchant::deliveries::State as DeliveryState;
use crate::api::rest::{EventType, Page, PageQuery, Timestamp};
use crate::app::App;
use crate::deliveries::replay::{self, State};
use crate::deliveries::select::{Filter, Wanted};
use crate::entity;
use crate::error::Error;

/// Which deliveries; all that is given has to hold, and what is absent lets everything through.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct ReplayFilter {
    /// Of events about this merchant.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00]*$"))]
    pub merchant_id: Option<String>,
    /// To this endpoint.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00]*$"))]
    pub endpoint_id: Option<String>,
    /// Types of events, such as `order.paid`.
    #[oai(validator(max_items = 20, unique_items))]
    pub kinds: Option<Vec<EventType>>,
    #[oai(validator(max_items = 10, unique_items))]
    pub states: Option<Vec<DeliveryState>>,
    /// How the last attempt went, such as `timed_out`.
    #[oai(validator(max_items = 20, unique_items))]
    pub outcomes: Option<Vec<String>>,
    /// Promised at this time or later.
    pub from: Option<Timestamp>,
    /// Promised before this time.
    pub before: Option<Timestamp>,
}

impl ReplayFilter {
    pub fn read(&self) -> Filter {
        let kinds = self.kinds.iter().flatten().map(|EventType(kind)| kind.as_str().to_owned());
        Filter {
            merchant_id: self.merchant_id.clone(),
            endpoint_id: self.endpoint_id.clone(),
            kinds: kinds.collect(),
            states: self.states.iter().flatten().map(|state| state.word()).collect(),
            outcomes: self.outcomes.clone().unwrap_or_default(),
            from: self.from.map(|time| time.unix_ms),
            before: self.before.map(|time| time.unix_ms),
        }
    }
}

/// What is to be made again: exactly one of `deliveryIds`, `order` and `filter`.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct ReplayToMake {
    #[oai(validator(min_items = 1, max_items = 1000, unique_items))]
    pub delivery_ids: Option<Vec<String>>,
    /// All deliveries of an order: any of its numbers. With a platform's key `merchantId` says whose.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00]*$"))]
    pub order: Option<String>,
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00]*$"))]
    pub merchant_id: Option<String>,
    pub filter: Option<ReplayFilter>,
    /// Pass over what has been acknowledged by the time it would be sent.
    pub skip_acknowledged: Option<bool>,
    /// Deliveries a second; absent: the gateway's own.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    pub rate: Option<u32>,
    /// For the audit log and for each order's timeline.
    #[oai(validator(min_length = 1, max_length = 500, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"))]
    pub reason: String,
}

impl Example for ReplayToMake {
    fn example() -> Self {
        let outcome = ReplayFilter {
            merchant_id: None,
            endpoint_id: None,
            kinds: None,
            states: Some(vec![DeliveryState::Exhausted]),
            outcomes: Some(vec!["timed_out".into()]),
            from: Some(Timestamp::of(1_790_000_000_000)),
            before: None,
        };
        Self {
            delivery_ids: None,
            order: None,
            merchant_id: None,
            filter: Some(outcome),
            skip_acknowledged: Some(true),
            rate: Some(20),
            reason: "our firewall dropped them".into(),
        }
    }
}

/// Everything since a time that was not acknowledged.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Recovery {
    /// Promised at this time or later.
    pub since: Timestamp,
    /// Only to this endpoint.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00]*$"))]
    pub endpoint_id: Option<String>,
    /// With a platform's key: only of this merchant.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00]*$"))]
    pub merchant_id: Option<String>,
    /// Deliveries a second; absent: the gateway's own.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    pub rate: Option<u32>,
}

impl Example for Recovery {
    fn example() -> Self {
        let since = Timestamp::of(1_790_000_000_000);
        Self { since, endpoint_id: None, merchant_id: None, rate: None }
    }
}

/// That somebody has seen the preview.
#[derive(Object, Debug)]
#[oai(example)]
pub struct ReplayStart {
    /// The preview's.
    #[oai(validator(minimum(value = "0")))]
    pub total: i64,
}

impl Example for ReplayStart {
    fn example() -> Self {
        Self { total: 42 }
    }
}

/// Another pace.
#[derive(Object, Debug)]
#[oai(example)]
pub struct ReplayPace {
    /// Deliveries a second at most.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    pub rate: u32,
}

impl Example for ReplayPace {
    fn example() -> Self {
        Self { rate: 100 }
    }
}

/// `preview`: nothing is sent until it is started with its count.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "ReplayState", rename_all = "snake_case")]
pub enum ShownState {
    Preview,
    Running,
    Paused,
    Done,
    Cancelled,
}

/// Deliveries made again: what they are, and how far it has come.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Replay {
    pub id: String,
    pub state: ShownState,
    /// All of this order, by the gateway's own id.
    pub order_id: Option<String>,
    pub filter: Option<ReplayFilter>,
    pub skip_acknowledged: bool,
    pub reason: String,
    /// Such as `api_key:…` or `operator:anna`.
    pub asked_by: String,
    /// Deliveries a second at most that are made again; an endpoint that was away takes what has gathered at its own pace.
    pub rate: i64,
    /// How many deliveries the preview has counted.
    pub total: i64,
    /// Of those, what would go nowhere: its endpoint is gone, not verified, or another's.
    pub unsendable: i64,
    pub merchants: i64,
    pub endpoints: i64,
    /// When the oldest of them was promised.
    pub oldest_at: Option<Timestamp>,
    pub newest_at: Option<Timestamp>,
    /// How long what is left takes at this pace, if every endpoint keeps up.
    pub takes_seconds: u64,
    /// Promised anew and not ended.
    pub sending: i64,
    pub delivered: i64,
    /// Given up, or not sent: their endpoint is gone, unproven or another's.
    pub failed: i64,
    /// Passed over, because they were acknowledged meanwhile.
    pub skipped: i64,
    /// Still on their way when it came to them: sent at once instead of once more. Of `/v1/recover` only.
    pub brought_forward: i64,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

impl Replay {
    pub async fn of(app: &App, row: entity::replay::Model) -> Result<Self, Error> {
        let progress = replay::progress(app, &row).await?;
        let takes_seconds = replay::takes_seconds(&row, &progress);
        let wanted: Wanted =
            serde_json::from_str(&row.wanted).map_err(|error| Error::Failed(error.into()))?;
        let (order_id, filter) = match wanted {
            Wanted::Named(_) => (None, None),
            Wanted::Order(id) => (Some(id), None),
            Wanted::Filter(filter) | Wanted::Missed(filter) => (None, Some(shown_filter(filter))),
        };
        Ok(Self {
            id: row.id,
            state: match row.state {
                State::Preview => ShownState::Preview,
                State::Running => ShownState::Running,
                State::Paused => ShownState::Paused,
                State::Done => ShownState::Done,
                State::Cancelled => ShownState::Cancelled,
            },
            order_id,
            filter,
            skip_acknowledged: row.skip,
            reason: row.reason,
            asked_by: row.asked_by,
            rate: row.rate,
            total: row.total,
            unsendable: row.unsendable,
            merchants: row.merchants,
            endpoints: row.endpoints,
            oldest_at: row.oldest_at.map(Timestamp::of),
            newest_at: row.newest_at.map(Timestamp::of),
            takes_seconds,
            sending: progress.sending,
            delivered: progress.delivered,
            failed: progress.failed,
            skipped: progress.skipped,
            brought_forward: progress.brought_forward,
            created_at: Timestamp::of(row.created_at),
            started_at: row.started_at.map(Timestamp::of),
            ended_at: row.ended_at.map(Timestamp::of),
        })
    }
}

fn shown_filter(filter: Filter) -> ReplayFilter {
    let kinds = filter.kinds.iter().filter_map(|word| crate::orders::tell::Kind::parse(word)).map(EventType);
    let kinds: Vec<_> = kinds.collect();
    let states: Vec<_> =
        DeliveryState::ALL.into_iter().filter(|one| filter.states.contains(&one.word())).collect();
    ReplayFilter {
        merchant_id: filter.merchant_id,
        endpoint_id: filter.endpoint_id,
        kinds: Some(kinds).filter(|kinds| !kinds.is_empty()),
        states: Some(states).filter(|states| !states.is_empty()),
        outcomes: Some(filter.outcomes).filter(|outcomes| !outcomes.is_empty()),
        from: filter.from.map(Timestamp::of),
        before: filter.before.map(Timestamp::of),
    }
}

/// A page of replays, newest first.
pub async fn page(
    app: &App,
    list: Select<entity::replay::Entity>,
    page: PageQuery,
) -> Result<Page<Replay>, Error> {
    let list = match page.after() {
        Some(after) => list.filter(entity::replay::Column::Id.lt(after)),
        None => list,
    };
    let limit = page.limit();
    let mut rows = replay::newest_first(list).limit(limit + 1).all(&app.store.read).await?;
    let is_more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| is_more).map(|row| row.id.clone());
    let mut shown = Vec::with_capacity(rows.len());
    for row in rows {
        shown.push(Replay::of(app, row).await?);
    }
    Ok(page.page(shown, next))
}
