//! Which deliveries somebody means: for lists, and for making them again. Whose they may be comes first and is not the
//! caller's to choose.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveEnum, ColumnTrait, Condition, QueryFilter, QuerySelect, QueryTrait, Select};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::directory::access::{Caller, Mode};
use crate::entity::delivery::{self, Column, State};
use crate::entity::merchant;

/// Ids of deliveries are made within this of their events.
const SLACK_MS: i64 = 60_000;

/// Whose deliveries may be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// `None`: all platforms'.
    pub platform_id: Option<String>,
    /// Only what goes to this merchant's own endpoints.
    pub merchant_id: Option<String>,
    /// `None`: live and test.
    pub mode: Option<Mode>,
}

impl Scope {
    pub fn of(caller: &Caller) -> Self {
        Self {
            platform_id: Some(caller.tenant.platform_id().to_owned()),
            merchant_id: caller.tenant.merchant_id().map(str::to_owned),
            mode: Some(caller.mode),
        }
    }

    fn condition(&self) -> Condition {
        let mut condition = Condition::all();
        if let Some(merchant_id) = &self.merchant_id {
            let own = Column::MerchantId.eq(merchant_id.as_str());
            condition = condition.add(own).add(Column::OwnerId.eq(merchant_id.as_str()));
        }
        if let Some(platform_id) = &self.platform_id {
            condition = condition.add(Column::PlatformId.eq(platform_id.as_str()));
            if let (Some(mode), None) = (self.mode, &self.merchant_id) {
                let merchants = <merchant::Entity as sea_orm::EntityTrait>::find()
                    .select_only()
                    .column(merchant::Column::Id)
                    .filter(merchant::Column::PlatformId.eq(platform_id.as_str()))
                    .filter(merchant::Column::Mode.eq(mode));
                condition = condition.add(Column::MerchantId.in_subquery(merchants.into_query()));
            }
        }
        condition
    }
}

/// What is wanted of them; all that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    pub merchant_id: Option<String>,
    pub endpoint_id: Option<String>,
    pub kinds: Vec<String>,
    pub states: Vec<String>,
    pub outcomes: Vec<String>,
    /// Unix milliseconds of the promise.
    pub from: Option<i64>,
    pub before: Option<i64>,
}

impl Filter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::all();
        if let Some(id) = &self.merchant_id {
            condition = condition.add(Column::MerchantId.eq(id.as_str()));
        }
        if let Some(id) = &self.endpoint_id {
            condition = condition.add(Column::EndpointId.eq(id.as_str()));
        }
        for (column, words) in
            [(Column::Kind, &self.kinds), (Column::State, &self.states), (Column::Outcome, &self.outcomes)]
        {
            if !words.is_empty() {
                condition = condition.add(Expr::col(column).is_in(words.iter().map(String::as_str)));
            }
        }
        // By the ids, too, which an index is in the order of.
        if let Some(from) = self.from {
            condition =
                condition.add(Column::CreatedAt.gte(from)).add(Column::Id.gte(id_at(from - SLACK_MS)));
        }
        if let Some(before) = self.before {
            let id = id_at(before.saturating_add(SLACK_MS));
            condition = condition.add(Column::CreatedAt.lt(before)).add(Column::Id.lt(id));
        }
        condition
    }
}

fn id_at(ms: i64) -> String {
    // Beyond what an id can say is its end.
    let ms = Ord::min(u64::try_from(ms).unwrap_or(0), (1 << 48) - 1);
    Ulid::from_parts(ms, 0).to_string()
}

/// What of a scope is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wanted {
    /// These deliveries.
    Named(Vec<String>),
    /// All of this order.
    Order(String),
    Filter(Filter),
    /// Those of a filter that were not acknowledged. What is still on its way is brought forward, not made again.
    Missed(Filter),
}

/// Those of `scope` that `filter` lets through, in no order.
pub fn filtered(scope: &Scope, filter: &Filter) -> Select<delivery::Entity> {
    use sea_orm::EntityTrait;
    delivery::Entity::find().filter(scope.condition()).filter(filter.condition())
}

/// The first promises among what is wanted: what came of replays is not replayed. Nor, unless that is asked for, is what was
/// superseded: a receiver would hear that an order failed after it was paid.
pub fn originals(scope: &Scope, wanted: &Wanted) -> Select<delivery::Entity> {
    let all = filtered(scope, &Filter::default());
    let telling = |list: Select<delivery::Entity>| list.filter(Column::State.ne(State::Superseded));
    let wanted = match wanted {
        Wanted::Named(ids) => all.filter(Column::Id.is_in(ids.iter().map(String::as_str))),
        Wanted::Order(id) => telling(all.filter(Column::SubjectId.eq(id.as_str()))),
        Wanted::Filter(filter) if filter.states.is_empty() => telling(filtered(scope, filter)),
        Wanted::Filter(filter) | Wanted::Missed(filter) => filtered(scope, filter),
    };
    wanted.filter(Column::ReplayId.is_null())
}

/// Not acknowledged so far, neither at first nor in a replay.
pub fn unacknowledged(list: Select<delivery::Entity>) -> Select<delivery::Entity> {
    list.filter(Column::State.ne(State::Delivered)).filter(Expr::cust(
        "NOT EXISTS (SELECT 1 FROM deliveries AS r WHERE r.subject_id = deliveries.subject_id \
         AND r.event_id = deliveries.event_id AND r.endpoint_id = deliveries.endpoint_id \
         AND r.state = 'delivered')",
    ))
}

/// As the store writes it.
pub fn state_word(state: State) -> String {
    state.to_value()
}
