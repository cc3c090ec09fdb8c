//! A merchant's refunds, found by their numbers or listed newest first.

use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::refund::{self, Column, State};

/// Which refunds are asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub state: Option<State>,
    /// The merchant's number of it.
    pub refund_no: Option<String>,
    /// Unix milliseconds of creation: from here on, and before there.
    pub created_from: Option<i64>,
    pub created_before: Option<i64>,
}

/// A page of refunds, newest first.
pub struct Window {
    pub rows: Vec<refund::Model>,
    /// The id behind which the next page begins.
    pub next: Option<String>,
}

/// The merchant's refunds behind `after` that `filter` lets through.
pub async fn page(
    read: &DatabaseConnection,
    merchant_id: &str,
    filter: &Filter,
    limit: u64,
    after: Option<&str>,
) -> Result<Window, DbErr> {
    let mut list = refund::Entity::all_of(merchant_id);
    if let Some(state) = filter.state {
        list = list.filter(Column::State.eq(state));
    }
    if let Some(refund_no) = &filter.refund_no {
        list = list.filter(Column::RefundNo.eq(refund_no.as_str()));
    }
    if let Some(from) = filter.created_from {
        list = list.filter(Column::CreatedAt.gte(from));
    }
    if let Some(before) = filter.created_before {
        list = list.filter(Column::CreatedAt.lt(before));
    }
    if let Some(after) = after {
        list = list.filter(Column::Id.lt(after));
    }
    let mut rows = list.order_by_desc(Column::Id).limit(limit + 1).all(read).await?;
    let is_more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| is_more).map(|row| row.id.clone());
    Ok(Window { rows, next })
}

/// The merchant's refund of this id, or the newest one under this number of its own.
pub async fn find(
    read: &DatabaseConnection,
    merchant_id: &str,
    number: &str,
) -> Result<Option<refund::Model>, DbErr> {
    let mine = || refund::Entity::all_of(merchant_id);
    if let Some(refund) = mine().filter(Column::Id.eq(number)).one(read).await? {
        return Ok(Some(refund));
    }
    mine().filter(Column::RefundNo.eq(number)).order_by_desc(Column::Id).one(read).await
}
