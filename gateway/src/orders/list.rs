//! A merchant's orders, found by any of their numbers, or listed newest first. Every page costs about the same,
//! wherever it is in the list and however little of the list it matches: at most [`SCANNED`] orders are looked at,
//! and a page may then hold fewer rows than were asked for and still have a next one.

use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use shared::money::Currency;
use shared::order::OrderStatus;
use shared::wallet::Wallet;
use ulid::Ulid;

use crate::entity::order::{self, Column};
use crate::entity::submission;
use crate::orders::refund;
use crate::product::Product;

/// Orders looked at for one page where no index answers the question.
pub const SCANNED: u64 = 4_000;
/// How much later than the order itself its id may be.
const SLACK_MS: i64 = 60 * 60 * 1000;

/// Which orders are asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub status: Option<OrderStatus>,
    pub product: Option<&'static Product>,
    pub wallet: Option<Wallet>,
    pub currency: Option<Currency>,
    /// In minor units, both ends included.
    pub amount_from: Option<i64>,
    pub amount_to: Option<i64>,
    /// Unix milliseconds of creation: from here on, and before there.
    pub created_from: Option<i64>,
    pub created_before: Option<i64>,
    /// What the merchant's number starts with.
    pub prefix: Option<String>,
    /// What one of the numbers or the title contains.
    pub text: Option<String>,
    pub reference: Option<String>,
    pub paid_twice: Option<bool>,
}

impl Filter {
    /// Whether orders must be looked at that are not asked for.
    fn must_scan(&self) -> bool {
        self.product.is_some()
            || self.wallet.is_some()
            || self.currency.is_some()
            || self.amount_from.is_some()
            || self.amount_to.is_some()
            || self.prefix.is_some()
            || self.text.is_some()
    }

    /// What indexes answer.
    fn indexed(&self, merchant_id: &str) -> Select<order::Entity> {
        let mut list = order::Entity::all_of(merchant_id);
        if let Some(status) = self.status {
            list = list.filter(Column::Status.eq(status.as_str()));
        }
        if let Some(paid_twice) = self.paid_twice {
            list = list.filter(twice(paid_twice));
        }
        // Ids sort by time; the times themselves decide.
        if let Some(from) = self.created_from {
            list = list.filter(Column::Id.gte(id_at(from))).filter(Column::CreatedAt.gte(from));
        }
        if let Some(before) = self.created_before {
            let ids = id_at(before.saturating_add(SLACK_MS));
            list = list.filter(Column::Id.lt(ids)).filter(Column::CreatedAt.lt(before));
        }
        list
    }

    /// What is seen only by looking at each.
    fn scanned(&self, mut list: Select<order::Entity>, backend: DbBackend) -> Select<order::Entity> {
        if let Some(product) = self.product {
            list = list.filter(Column::Product.eq(product.name));
        }
        if let Some(wallet) = self.wallet {
            list = list.filter(Column::Wallet.eq(wallet.as_str()));
        }
        if let Some(currency) = self.currency {
            list = list.filter(Column::Currency.eq(currency.as_str()));
        }
        if let Some(from) = self.amount_from {
            list = list.filter(Column::Amount.gte(from));
        }
        if let Some(to) = self.amount_to {
            list = list.filter(Column::Amount.lte(to));
        }
        if let Some(prefix) = &self.prefix {
            list = list.filter(starts_with(prefix, backend));
        }
        if let Some(reference) = &self.reference {
            list = list.filter(Column::Reference.eq(reference.as_str()));
        }
        if let Some(text) = &self.text {
            list = list.filter(contains(text));
        }
        list
    }
}

/// A page of orders, newest first.
pub struct Window {
    pub rows: Vec<order::Model>,
    /// The id behind which the next page begins.
    pub next: Option<String>,
}

/// The merchant's orders behind `after` that `filter` lets through.
pub async fn page(
    read: &DatabaseConnection,
    merchant_id: &str,
    filter: &Filter,
    limit: u64,
    after: Option<&str>,
) -> Result<Window, DbErr> {
    let backend = read.get_database_backend();
    let is_rare = match &filter.prefix {
        _ if filter.reference.is_some() => true,
        Some(prefix) => is_rare(read, merchant_id, prefix).await?,
        None => false,
    };
    if is_rare {
        let list = of_few(merchant_id, filter, after, backend);
        return Ok(cut(list.limit(limit + 1).all(read).await?, limit, None));
    }
    let list = behind(filter.indexed(merchant_id), after);
    let end = if filter.must_scan() { scan_end(read, list.clone()).await? } else { None };
    let list = match &end {
        Some(end) => list.filter(Column::Id.gte(end.as_str())),
        None => list,
    };
    let list = filter.scanned(list, backend).order_by_desc(Column::Id);
    Ok(cut(list.limit(limit + 1).all(read).await?, limit, end))
}

/// The statement of an unfiltered page, for those who want to see its plan.
pub fn plain(merchant_id: &str, filter: &Filter, limit: u64, after: Option<&str>) -> Select<order::Entity> {
    behind(filter.indexed(merchant_id), after).order_by_desc(Column::Id).limit(limit + 1)
}

pub(super) fn cut(mut rows: Vec<order::Model>, limit: u64, end: Option<String>) -> Window {
    let is_more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = if is_more { rows.last().map(|row| row.id.clone()) } else { end };
    Window { rows, next }
}

fn behind(list: Select<order::Entity>, after: Option<&str>) -> Select<order::Entity> {
    match after {
        Some(after) => list.filter(Column::Id.lt(after)),
        None => list,
    }
}

/// The last order that may be looked at, if there are more than that.
async fn scan_end(read: &DatabaseConnection, list: Select<order::Entity>) -> Result<Option<String>, DbErr> {
    let last = list.select_only().column(Column::Id).order_by_desc(Column::Id).offset(SCANNED - 1).limit(1);
    last.into_tuple().one(read).await
}

/// Whether few enough orders have this prefix to be sorted at once.
async fn is_rare(read: &DatabaseConnection, merchant_id: &str, prefix: &str) -> Result<bool, DbErr> {
    let all = order::Entity::all_of(merchant_id).filter(starts_with(prefix, read.get_database_backend()));
    let beyond = all.select_only().column(Column::Number).offset(SCANNED).limit(1);
    Ok(beyond.into_tuple::<String>().one(read).await?.is_none())
}

/// Those with a reference or a rare prefix: found by it, and sorted then. The id in an expression keeps the planner from walking
/// through all of the merchant's orders by id instead.
pub fn of_few(
    merchant_id: &str,
    filter: &Filter,
    after: Option<&str>,
    backend: DbBackend,
) -> Select<order::Entity> {
    let id = || Expr::cust("\"orders\".\"id\" || ''");
    let mut list = order::Entity::all_of(merchant_id);
    if let Some(status) = filter.status {
        list = list.filter(Expr::cust("\"orders\".\"status\" || ''").eq(status.as_str()));
    }
    if let Some(paid_twice) = filter.paid_twice {
        list = list.filter(twice(paid_twice));
    }
    if let Some(from) = filter.created_from {
        list = list.filter(Column::CreatedAt.gte(from));
    }
    if let Some(before) = filter.created_before {
        list = list.filter(Column::CreatedAt.lt(before));
    }
    if let Some(after) = after {
        list = list.filter(id().lt(after));
    }
    filter.scanned(list, backend).order_by_desc(id())
}

/// PostgreSQL's comparisons follow the database's collation, which knows nothing of prefixes; SQLite's `LIKE` uses no
/// index.
fn starts_with(prefix: &str, backend: DbBackend) -> Expr {
    match backend {
        DbBackend::Sqlite => {
            Column::Number.gte(prefix).and(Column::Number.lt(format!("{prefix}{}", char::MAX)))
        }
        _ => Expr::col(Column::Number).like(LikeExpr::new(format!("{}%", escaped(prefix)))),
    }
}

/// As the index over those that were says it.
fn twice(paid_twice: bool) -> Expr {
    let twice = Expr::cust("\"orders\".\"paid_twice\"");
    if paid_twice { twice } else { twice.not() }
}

pub(super) fn contains(text: &str) -> Expr {
    let pattern = format!("%{}%", escaped(&text.to_lowercase()));
    let contains = |column: Column| {
        Expr::expr(Func::lower(Expr::col(column))).like(LikeExpr::new(pattern.clone()).escape('\\'))
    };
    contains(Column::Number).or(contains(Column::UpstreamOrderNo)).or(contains(Column::Title))
}

/// For `LIKE`; a backslash is PostgreSQL's own escape.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// The least id that an order of this time may have.
fn id_at(ms: i64) -> String {
    Ulid::from_parts(u64::try_from(ms).unwrap_or_default(), 0).to_string()
}

/// The merchant's order under any of its numbers: its own before the upstream's, that before a refund's, and that before
/// the one we gave the upstream.
pub async fn find(
    read: &DatabaseConnection,
    merchant_id: &str,
    number: &str,
) -> Result<Option<order::Model>, DbErr> {
    if let Some(order) = order::Entity::of(merchant_id, number).one(read).await? {
        return Ok(Some(order));
    }
    if let Some(order) = order::Entity::of_upstream_no(merchant_id, number).one(read).await? {
        return Ok(Some(order));
    }
    let order_id = match refund::list::find(read, merchant_id, number).await? {
        Some(refund) => refund.order_id,
        // Across tenants: whose it is is seen with the order.
        None => match submission::Entity::find_by_id(number).one(read).await? {
            Some(submission) => submission.order_id,
            None => return Ok(None),
        },
    };
    order::Entity::all_of(merchant_id).filter(Column::Id.eq(order_id)).one(read).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_range_covers_its_time() {
        assert_eq!(id_at(0), "0".repeat(26));
        assert!(id_at(1) > id_at(0) && id_at(1_790_000_000_001) > id_at(1_790_000_000_000));
        assert_eq!(id_at(-1), id_at(0));
    }
}
