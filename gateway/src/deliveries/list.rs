//! Deliveries, listed newest first. Every page costs about the same, wherever it is in the list and however little of it
//! matches. What is open or was given up is found by the indexes of just that, unless there is very much of it; of
//! everything else [`SCANNED`] deliveries are looked at, and a page may then hold fewer rows than were asked for and
//! still have a next one.

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UnionType};
use sea_orm::{
    ActiveEnum, ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};

use super::select::{Filter, Scope, filtered};
use crate::entity::delivery::{self, Column, State};
use crate::entity::endpoint;
use crate::orders::list::SCANNED;

/// States that few of all deliveries are in, so that each has an index.
const RARE: [State; 3] = [State::Due, State::Waiting, State::Exhausted];

/// A page of deliveries.
pub struct Window {
    pub rows: Vec<delivery::Model>,
    /// The id behind which the next page begins.
    pub next: Option<String>,
}

/// Those of `scope` behind `after` that `filter` lets through.
pub async fn page(
    read: &DatabaseConnection,
    scope: &Scope,
    filter: &Filter,
    limit: u64,
    after: Option<&str>,
) -> Result<Window, DbErr> {
    let behind = |list: Select<delivery::Entity>| match after {
        Some(after) => list.filter(Column::Id.lt(after)),
        None => list,
    };
    let list = behind(filtered(scope, filter));
    let (list, end) = match rare(filter) {
        Some(states) if are_few(read, &states).await? => (list.filter(of_few(&states)), None),
        states => {
            let walked = behind(walked(scope, filter, states.as_deref(), merchant(read, filter).await?));
            match last(read, walked).await? {
                Some(end) => (list.filter(Column::Id.gte(end.as_str())), Some(end)),
                None => (list, None),
            }
        }
    };
    let mut rows = list.order_by_desc(Column::Id).limit(limit + 1).all(read).await?;
    let is_more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = if is_more { rows.last().map(|row| row.id.clone()) } else { end };
    Ok(Window { rows, next })
}

/// The states asked for, if each has an index.
fn rare(filter: &Filter) -> Option<Vec<State>> {
    let one = |word: &String| State::try_from_value(word).ok().filter(|state| RARE.contains(state));
    let states: Option<Vec<State>> = filter.states.iter().map(one).collect();
    states.filter(|states| !states.is_empty())
}

/// No parameter: an index of some rows is of use only where the statement itself says that it is about those.
fn is(state: State) -> Expr {
    Expr::cust(format!("state = '{}'", state.to_value()))
}

/// Whether all of them can be gone through for one page.
async fn are_few(read: &DatabaseConnection, states: &[State]) -> Result<bool, DbErr> {
    for state in states {
        let beyond = delivery::Entity::find().filter(is(*state)).offset(SCANNED).limit(1);
        let beyond = beyond.select_only().column(Column::EndpointId).into_tuple::<String>();
        if beyond.one(read).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Found by their indexes before anything else is asked of them.
fn of_few(states: &[State]) -> Expr {
    let one = |state: &State| -> SelectStatement {
        Query::select().column(Column::Id).from(delivery::Entity).and_where(is(*state)).to_owned()
    };
    let all = states.iter().map(one).reduce(|mut all, one| all.union(UnionType::All, one).to_owned());
    Expr::col((delivery::Entity, Column::Id)).in_subquery(all.expect("at least one is asked for"))
}

/// The merchant that all of what is asked for is about, where that is known.
async fn merchant(read: &DatabaseConnection, filter: &Filter) -> Result<Option<String>, DbErr> {
    if filter.merchant_id.is_some() {
        return Ok(filter.merchant_id.clone());
    }
    let Some(endpoint_id) = &filter.endpoint_id else { return Ok(None) };
    let owner = endpoint::Entity::find_by_id(endpoint_id).select_only().column(endpoint::Column::MerchantId);
    Ok(owner.into_tuple::<Option<String>>().one(read).await?.flatten())
}

/// What is looked at, by an index that is in the order of ids.
fn walked(
    scope: &Scope,
    filter: &Filter,
    states: Option<&[State]>,
    merchant_id: Option<String>,
) -> Select<delivery::Entity> {
    let times = Filter { from: filter.from, before: filter.before, ..Filter::default() };
    let all = filtered(&Scope::default(), &times);
    match (scope.merchant_id.clone().or(merchant_id), states) {
        (Some(id), _) => all.filter(Column::MerchantId.eq(id)),
        (None, Some([State::Exhausted])) => all.filter(is(State::Exhausted)),
        (None, _) => all,
    }
}

/// The last one that may be looked at, if there are more than that.
async fn last(read: &DatabaseConnection, list: Select<delivery::Entity>) -> Result<Option<String>, DbErr> {
    let last = list.select_only().column(Column::Id).order_by_desc(Column::Id).offset(SCANNED - 1).limit(1);
    last.into_tuple().one(read).await
}
