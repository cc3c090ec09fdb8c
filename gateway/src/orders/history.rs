//! How an order came to stand as it does: its journal, and the attempts to tell the merchant of it, newest first.

use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::entity::{attempt, journal};

/// One thing that happened.
pub enum Entry {
    Journal(journal::Model),
    Attempt(attempt::Model),
}

impl Entry {
    /// Sorts by time.
    pub fn id(&self) -> &str {
        match self {
            Self::Journal(entry) => &entry.id,
            Self::Attempt(attempt) => &attempt.id,
        }
    }
}

/// What happened to an order, `limit` entries behind `after`, and the id behind which it goes on.
pub async fn page(
    read: &DatabaseConnection,
    order_id: &str,
    limit: u64,
    after: Option<&str>,
) -> Result<(Vec<Entry>, Option<String>), DbErr> {
    let journal =
        rows(journal::Entity::of_order(order_id), journal::Column::Id, limit, after).all(read).await?;
    let attempts =
        rows(attempt::Entity::of_order(order_id), attempt::Column::Id, limit, after).all(read).await?;
    let mut entries: Vec<Entry> = journal.into_iter().map(Entry::Journal).collect();
    entries.extend(attempts.into_iter().map(Entry::Attempt));
    entries.sort_by(|one, other| other.id().cmp(one.id()));
    let is_more = entries.len() as u64 > limit;
    entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = if is_more { entries.last().map(|entry| entry.id().to_owned()) } else { None };
    Ok((entries, next))
}

fn rows<E: EntityTrait>(list: Select<E>, id: E::Column, limit: u64, after: Option<&str>) -> Select<E> {
    let list = match after {
        Some(after) => list.filter(id.lt(after)),
        None => list,
    };
    list.order_by_desc(id).limit(limit + 1)
}

/// An entry of the order's journal.
pub async fn entry(
    read: &DatabaseConnection,
    order_id: &str,
    id: &str,
) -> Result<Option<journal::Model>, DbErr> {
    journal::Entity::of_order(order_id).filter(journal::Column::Id.eq(id)).one(read).await
}
