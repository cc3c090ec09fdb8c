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
    let now = app.clock.now_ms();
    let whose = Whose { platform_id, merchants: merchants(read, filter).await? };
    let list = indexed(&whose, filter, after, now);
    let end = if must_scan(&whose, filter) {
        // Whatever is asked for besides, so many of the newest are looked at.
        scan_end(read, aged(whose.one_merchants(), filter, after, now)).await?
    } else {
        None
    };
    let list = match &end {
        Some(end) => list.filter(Column::Id.gte(end.as_str())),
        None => list,
    };
    let list = list.filter(scanned(filter)).order_by_desc(Column::Id);
    Ok(cut(list.limit(limit + 1).all(read).await?, limit, end))
}

/// Whose orders.
#[derive(Debug, Default)]
pub struct Whose<'a> {
    /// `None`: all platforms'.
    pub platform_id: Option<&'a str>,
    /// `None`: all merchants'; those that the filter names, where it names any.
    pub merchants: Option<Vec<String>>,
}

impl Whose<'_> {
    /// All orders, or those of the one merchant, newest first by an index.
    fn one_merchants(&self) -> Select<order::Entity> {
        match self.merchants.as_deref() {
            Some([one]) => order::Entity::all_of(one),
            _ => order::Entity::find(),
        }
    }
}

/// A partner number is one platform's: several may have the same.
async fn merchants(read: &DatabaseConnection, filter: &Filter) -> Result<Option<Vec<String>>, DbErr> {
    let named = filter.terms.iter().filter_map(|term| match term {
        Term::Merchant(number) => Some(number.as_str()),
        _ => None,
    });
    let named: Vec<&str> = named.collect();
    if named.is_empty() {
        return Ok(None);
    }
    let ids = merchant::Entity::find()
        .select_only()
        .column(merchant::Column::Id)
        .filter(merchant::Column::PartnerNo.is_in(named));
    Ok(Some(ids.into_tuple().all(read).await?))
}

/// Whether orders must be looked at that are not asked for.
fn must_scan(whose: &Whose<'_>, filter: &Filter) -> bool {
    let statuses = statuses(filter);
    let by_status = match statuses.as_slice() {
        [] => true,
        [one] => RARE.contains(one),
        _ => false,
    };
    let by_merchant =
        whose.merchants.as_ref().is_none_or(|merchants| merchants.len() == 1 && statuses.is_empty());
    let by_age =
        |term: &Term| matches!(term, Term::Since(_) | Term::Before(_) | Term::Status(_) | Term::Merchant(_));
    !(by_status && by_merchant && whose.platform_id.is_none() && filter.terms.iter().all(by_age))
}

/// What an index answers: whose, in which state, and how old.
pub fn indexed(whose: &Whose<'_>, filter: &Filter, after: Option<&str>, now: i64) -> Select<order::Entity> {
    let mut list = whose.one_merchants();
    if let Some(id) = whose.platform_id {
        list = list.filter(Column::PlatformId.eq(id));
    }
    if let Some(ids) = whose.merchants.as_ref().filter(|ids| ids.len() != 1) {
        list = list.filter(Column::MerchantId.is_in(ids.iter().map(String::as_str)));
    }
    let statuses = statuses(filter);
    if !statuses.is_empty() {
        // No parameters: an index of some rows is of use only where the statement says that it is about those.
        let words: Vec<String> = statuses.iter().map(|status| format!("'{}'", status.as_str())).collect();
        list = list.filter(Expr::cust(match words.as_slice() {
            [one] => format!("status = {one}"),
            several => format!("status IN ({})", several.join(", ")),
        }));
    }
    aged(list, filter, after, now)
}

/// Behind an order, and as old as is asked for.
fn aged(
    mut list: Select<order::Entity>,
    filter: &Filter,
    after: Option<&str>,
    now: i64,
) -> Select<order::Entity> {
    if let Some(after) = after {
        list = list.filter(Column::Id.lt(after));
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

/// States that few of all orders are in: each has an index.
const RARE: [OrderStatus; 5] = [
    OrderStatus::Unknown,
    OrderStatus::Refused,
    OrderStatus::Failed,
    OrderStatus::PartiallyRefunded,
    OrderStatus::Refunded,
];

fn statuses(filter: &Filter) -> Vec<OrderStatus> {
    let of = |term: &Term| match term {
        Term::Status(status) => Some(*status),
        _ => None,
    };
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
