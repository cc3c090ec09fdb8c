//! Orders as operators look for them: by the filter language over all platforms in their scope, newest first, or by any
//! number. A page looks at a bounded number of orders, as merchants' lists do (`list`), so the last page costs what the
//! first does.

use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
};
use shared::filter::{Comparison, Filter, Term};
use shared::order::OrderStatus;
use ulid::Ulid;

use super::list::{SCANNED, Window, contains, cut};
use crate::app::App;
use crate::entity::order::{self, Column};
use crate::entity::{delivery, event, merchant, platform, refund, store, submission};

/// Orders that one number may lead to.
const MOST_FOUND: u64 = 50;

/// A page of what `filter` lets through, of one platform or of all, behind the order of this id.
pub async fn page(
    app: &App,
    platform_id: Option<&str>,
    filter: &Filter,
    limit: u64,
    after: Option<&str>,
) -> Result<Window, DbErr> {
    let read = &app.store.read;
    let list = indexed(platform_id, filter, after, app.clock.now_ms());
    let end = if must_scan(filter) { scan_end(read, list.clone()).await? } else { None };
    let list = match &end {
        Some(end) => list.filter(Column::Id.gte(end.as_str())),
        None => list,
    };
    let list = list.filter(scanned(filter)).order_by_desc(Column::Id);
    Ok(cut(list.limit(limit + 1).all(read).await?, limit, end))
}

/// Whether orders must be looked at that are not asked for.
fn must_scan(filter: &Filter) -> bool {
    filter
        .terms
        .iter()
        .any(|term| !matches!(term, Term::Merchant(_) | Term::Since(_) | Term::Before(_) | Term::Status(_)))
}

/// What an index answers: whose, in which state, and how old.
pub fn indexed(
    platform_id: Option<&str>,
    filter: &Filter,
    after: Option<&str>,
    now: i64,
) -> Select<order::Entity> {
    let mut list = order::Entity::find();
    if let Some(id) = platform_id {
        list = list.filter(Column::PlatformId.eq(id));
    }
    if let Some(after) = after {
        list = list.filter(Column::Id.lt(after));
    }
    let merchants = texts(filter, |term| match term {
        Term::Merchant(number) => Some(number.as_str()),
        _ => None,
    });
    if !merchants.is_empty() {
        let ids = merchant::Entity::find()
            .select_only()
            .column(merchant::Column::Id)
            .filter(merchant::Column::PartnerNo.is_in(merchants));
        list = list.filter(Column::MerchantId.in_subquery(ids.into_query()));
    }
    let statuses = statuses(filter);
    if !statuses.is_empty() {
        if statuses.iter().all(|status| RARE.contains(status)) {
            // As the index over the rare ones says it.
            list = list.filter(in_one_of(&RARE));
        }
        list = list.filter(match statuses.as_slice() {
            [one] => Column::Status.eq(one.as_str()),
            several => in_one_of(several),
        });
    }
    for term in &filter.terms {
        let ago = |seconds: u64| now - i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
        match term {
            Term::Since(span) => {
                let from = ago(span.seconds());
                list = list.filter(Column::Id.gte(id_at(from))).filter(Column::CreatedAt.gte(from));
            }
            Term::Before(span) => {
                let to = ago(span.seconds());
                // An id may be later than its order's time, by no more than this.
                let id = id_at(to.saturating_add(3_600_000));
                list = list.filter(Column::Id.lt(id)).filter(Column::CreatedAt.lte(to));
            }
            _ => {}
        }
    }
    list
}

/// States that few of all orders are in.
const RARE: [OrderStatus; 5] = [
    OrderStatus::Unknown,
    OrderStatus::Refused,
    OrderStatus::Failed,
    OrderStatus::PartiallyRefunded,
    OrderStatus::Refunded,
];

/// No parameters: an index of some rows is of use only where the statement says that it is about those.
fn in_one_of(statuses: &[OrderStatus]) -> Expr {
    let words: Vec<String> = statuses.iter().map(|status| format!("'{}'", status.as_str())).collect();
    Expr::cust(format!("status IN ({})", words.join(", ")))
}

fn statuses(filter: &Filter) -> Vec<OrderStatus> {
    let of = |term: &Term| match term {
        Term::Status(status) => Some(*status),
        _ => None,
    };
    filter.terms.iter().filter_map(of).collect()
}

fn texts<'a>(filter: &'a Filter, of: impl Fn(&'a Term) -> Option<&'a str>) -> Vec<&'a str> {
    filter.terms.iter().filter_map(of).collect()
}

/// What is seen only by looking at each. Of the same name given twice, either may hold.
fn scanned(filter: &Filter) -> Condition {
    let mut all = Condition::all();
    let mut either = |conditions: Vec<Expr>| {
        if !conditions.is_empty() {
            let any = conditions.into_iter().fold(Condition::any(), Condition::add);
            all = std::mem::replace(&mut all, Condition::all()).add(any);
        }
    };
    let each = |of: &dyn Fn(&Term) -> Option<Expr>| filter.terms.iter().filter_map(of).collect::<Vec<_>>();
    either(each(&|term| match term {
        Term::Wallet(wallet) => {
            let paid = Func::coalesce([Expr::col(Column::PaidWallet), Expr::col(Column::Wallet)]);
            Some(Expr::expr(paid).eq(wallet.as_str()))
        }
        _ => None,
    }));
    either(each(&|term| match term {
        Term::Currency(currency) => Some(Column::Currency.eq(currency.as_str())),
        _ => None,
    }));
    either(each(&|term| match term {
        Term::Platform(slug) => {
            let ids = platform::Entity::find()
                .select_only()
                .column(platform::Column::Id)
                .filter(platform::Column::Slug.eq(slug.as_str()));
            Some(Column::PlatformId.in_subquery(ids.into_query()))
        }
        _ => None,
    }));
    either(each(&|term| match term {
        Term::Store(number) => {
            let ids = store::Entity::find()
                .select_only()
                .column(store::Column::Id)
                .filter(store::Column::StoreNo.eq(number.as_str()));
            Some(Column::StoreId.in_subquery(ids.into_query()))
        }
        _ => None,
    }));
    for term in &filter.terms {
        match term {
            Term::Amount(comparison, minor) => all = all.add(amount(*comparison, *minor)),
            Term::Text(text) => all = all.add(contains(text)),
            _ => {}
        }
    }
    all
}

fn amount(comparison: Comparison, minor: i64) -> Expr {
    match comparison {
        Comparison::AtLeast => Column::Amount.gte(minor),
        Comparison::AtMost => Column::Amount.lte(minor),
        Comparison::Above => Column::Amount.gt(minor),
        Comparison::Below => Column::Amount.lt(minor),
        Comparison::Equal => Column::Amount.eq(minor),
    }
}

/// The last order that may be looked at, if there are more than that.
async fn scan_end(read: &DatabaseConnection, list: Select<order::Entity>) -> Result<Option<String>, DbErr> {
    let last = list.select_only().column(Column::Id).order_by_desc(Column::Id).offset(SCANNED - 1).limit(1);
    last.into_tuple().one(read).await
}

fn id_at(ms: i64) -> String {
    Ulid::from_parts(u64::try_from(ms).unwrap_or_default(), 0).to_string()
}

/// The orders that this number is one of: the merchant's, ours to the upstream, the upstream's, a refund's, an event's or a
/// delivery's; newest first.
pub async fn find(
    read: &DatabaseConnection,
    platform_id: Option<&str>,
    number: &str,
) -> Result<Vec<order::Model>, DbErr> {
    let mut ids: Vec<String> = vec![number.to_owned()];
    ids.extend(submission::Entity::find_by_id(number).one(read).await?.map(|row| row.order_id));
    ids.extend(refund::Entity::find_by_id(number).one(read).await?.map(|row| row.order_id));
    ids.extend(event::Entity::find_by_id(number).one(read).await?.map(|row| row.subject_id));
    ids.extend(delivery::Entity::find_by_id(number).one(read).await?.map(|row| row.subject_id));
    // Merchant by merchant, as the indexes have it.
    let mut merchants = merchant::Entity::find().select_only().column(merchant::Column::Id);
    if let Some(id) = platform_id {
        merchants = merchants.filter(merchant::Column::PlatformId.eq(id));
    }
    let merchants = merchants.into_query();
    let refunded: Vec<String> = refund::Entity::find()
        .select_only()
        .column(refund::Column::OrderId)
        .filter(refund::Column::MerchantId.in_subquery(merchants.clone()))
        .filter(refund::Column::RefundNo.eq(number))
        .limit(MOST_FOUND)
        .into_tuple()
        .all(read)
        .await?;
    ids.extend(refunded);
    let mut found: Vec<order::Model> = Vec::new();
    for column in [Column::Number, Column::UpstreamOrderNo] {
        let of_merchants = order::Entity::find().filter(Column::MerchantId.in_subquery(merchants.clone()));
        found.extend(of_merchants.filter(column.eq(number)).limit(MOST_FOUND).all(read).await?);
    }
    let mut by_id = order::Entity::find().filter(Column::Id.is_in(ids));
    if let Some(id) = platform_id {
        by_id = by_id.filter(Column::PlatformId.eq(id));
    }
    found.extend(by_id.limit(MOST_FOUND).all(read).await?);
    found.sort_unstable_by(|one, other| other.id.cmp(&one.id));
    found.dedup_by(|one, other| one.id == other.id);
    Ok(found)
}

/// As the language says it, of an order that is at hand.
pub fn matches(filter: &Filter, row: &shared::ops::OrderRow, now: i64) -> bool {
    let mut names: Vec<(std::mem::Discriminant<Term>, bool)> = Vec::new();
    for term in &filter.terms {
        let holds = holds(term, row, now);
        if matches!(term, Term::Amount(..) | Term::Text(_) | Term::Since(_) | Term::Before(_)) {
            if !holds {
                return false;
            }
            continue;
        }
        let name = std::mem::discriminant(term);
        match names.iter_mut().find(|(known, _)| *known == name) {
            Some((_, any)) => *any |= holds,
            None => names.push((name, holds)),
        }
    }
    names.iter().all(|(_, any)| *any)
}

fn holds(term: &Term, row: &shared::ops::OrderRow, now: i64) -> bool {
    let age = || u64::try_from((now - row.created_at.ms()) / 1_000).unwrap_or(0);
    match term {
        Term::Status(status) => row.status == *status,
        Term::Wallet(wallet) => row.wallet.as_deref() == Some(wallet.as_str()),
        Term::Currency(currency) => row.currency == currency.as_str(),
        Term::Platform(slug) => row.platform == *slug,
        Term::Merchant(number) => row.partner_no == *number,
        Term::Store(number) => row.store_no.as_deref() == Some(number),
        Term::Amount(comparison, minor) => comparison.holds(row.amount, *minor),
        Term::Since(span) => age() <= span.seconds(),
        Term::Before(span) => age() >= span.seconds(),
        Term::Text(text) => {
            let text = text.to_lowercase();
            let within =
                |field: Option<&str>| field.is_some_and(|field| field.to_lowercase().contains(&text));
            within(Some(&row.number)) || within(row.title.as_deref())
        }
    }
}
