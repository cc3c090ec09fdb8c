//! Merchants' stores: making, changing and disabling them, each planned as one change. A store has one account and one
//! store number there; no two stores have the same.

mod account;

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UpdateStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use shared::money::Currency;
use shared::wallet::Wallet;

use super::access::{Caller, is_id};
use super::accounts::{self, NewAccount};
use super::audit::{self, States, Subject};
use super::change::{Plan, Refresh};
use super::merchants::{self, platform_of};
use crate::app::App;
use crate::entity::{audit_entry, merchant, store};
use crate::error::Error;
use crate::limits::Quota;
use account::account_for;
pub use account::{Pending, WantedAccount};

#[derive(Clone)]
pub struct Wanted {
    pub account: WantedAccount,
    pub upstream_store_no: String,
    /// `None`: the same as the upstream's.
    pub store_no: Option<String>,
    pub currency: String,
    pub wallets: Vec<Wallet>,
    pub time_zone: Option<String>,
    pub late_payment: Option<LatePayment>,
}

/// What becomes of a payment that comes when the order was given up already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatePayment {
    Tell,
    Refund,
}

impl LatePayment {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tell => "tell",
            Self::Refund => "refund",
        }
    }
}

/// What may be changed of a store. `None`: left as it is.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    pub wallets: Option<Vec<Wallet>>,
    pub time_zone: Option<String>,
    pub late_payment: Option<LatePayment>,
    pub is_enabled: Option<bool>,
    /// `Some(None)`: the gateway's again.
    pub limit: Option<Option<Quota>>,
}

/// A store that is about to be, with its account where that is new.
pub struct NewStore {
    pub row: store::Model,
    pub account: Option<NewAccount>,
}

const TIME_ZONE: &str = "Asia/Hong_Kong";

/// The caller's store of this id.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<store::Model, Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    let found = store::Entity::of(&caller.tenant, caller.mode).filter(store::Column::Id.eq(id));
    found.one(&app.store.read).await?.ok_or(Error::NotFound)
}

pub async fn create(
    app: &App,
    caller: &Caller,
    merchant_id: &str,
    wanted: &Wanted,
) -> Result<(Plan, NewStore), Error> {
    let merchant = match merchants::find(app, caller, merchant_id).await {
        Err(Error::NotFound) => return Err(Error::invalid("/merchantId", "there is no such merchant")),
        found => found?,
    };
    let made = prepare(app, caller, &merchant, wanted, &Pending::default(), "").await?;
    let mut plan = Plan::new(entry(app, caller, &made));
    let stands = Expr::col(merchant::Column::Id).eq(merchant_id);
    plan.while_there_is(exists(merchant::Entity, stands));
    add(app, caller, &mut plan, &made)?;
    Ok((plan, made))
}

/// Check what is wanted for a merchant, which need not be written yet, and make its rows. `at` is the pointer to it
/// in the body.
pub async fn prepare(
    app: &App,
    caller: &Caller,
    merchant: &merchant::Model,
    wanted: &Wanted,
    pending: &Pending,
    at: &str,
) -> Result<NewStore, Error> {
    let platform_id = platform_of(caller)?;
    let pointer = |field: &str| format!("{at}/{field}");
    if Currency::parse(&wanted.currency).is_none() {
        return Err(Error::invalid(&pointer("currency"), "is no ISO 4217 code that is known, such as HKD"));
    }
    let time_zone = wanted.time_zone.as_deref().unwrap_or(TIME_ZONE);
    known_time_zone(time_zone, &pointer("timeZone"))?;
    let (account_id, account) = account_for(app, caller, &wanted.account, pending, at).await?;
    let row = store::Model {
        id: app.chance.id(),
        platform_id: platform_id.to_owned(),
        merchant_id: merchant.id.clone(),
        account_id,
        store_no: wanted.store_no.clone().unwrap_or_else(|| wanted.upstream_store_no.clone()),
        upstream_store_no: wanted.upstream_store_no.clone(),
        currency: wanted.currency.clone(),
        wallets: wallets_text(&wanted.wallets),
        time_zone: time_zone.to_owned(),
        late_payment: wanted.late_payment.unwrap_or(LatePayment::Tell).as_str().to_owned(),
        status: "active".to_owned(),
        created_at: app.clock.now_ms(),
        version: 1,
        limit_count: None,
        limit_window_ms: None,
    };
    numbers_are_free(app, &row, at).await?;
    Ok(NewStore { row, account })
}

/// The audit entry of a store that is made.
pub fn entry(app: &App, caller: &Caller, made: &NewStore) -> audit_entry::Model {
    let subject = Subject { kind: "store", id: &made.row.id, merchant_id: Some(&made.row.merchant_id) };
    let states = States { before: None, after: Some(state(&made.row)) };
    audit::entry(app, caller, "store.created", subject, states)
}

/// Write a new store, and its account where that is new, with a plan.
pub fn add(app: &App, caller: &Caller, plan: &mut Plan, made: &NewStore) -> Result<(), Error> {
    if let Some(account) = &made.account {
        plan.log(&accounts::entry(app, caller, account)?);
        accounts::add(plan, account);
    }
    plan.unless_there_is(exists(store::Entity, same_store_no(&made.row)));
    plan.unless_there_is(exists(store::Entity, same_upstream_store(&made.row)));
    plan.insert::<store::Entity>(&made.row);
    plan.refresh(Refresh::Merchant(made.row.merchant_id.clone()));
    Ok(())
}

/// Change a store of the caller's. Returns it as it will be; no plan where it is so already.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: &str,
    action: &'static str,
    patch: &Patch,
) -> Result<(Option<Plan>, store::Model), Error> {
    platform_of(caller)?;
    let before = find(app, caller, id).await?;
    let mut after = before.clone();
    if let Some(wallets) = &patch.wallets {
        after.wallets = wallets_text(wallets);
    }
    if let Some(time_zone) = &patch.time_zone {
        known_time_zone(time_zone, "/timeZone")?;
        after.time_zone.clone_from(time_zone);
    }
    if let Some(late_payment) = patch.late_payment {
        late_payment.as_str().clone_into(&mut after.late_payment);
    }
    if let Some(is_enabled) = patch.is_enabled {
        if is_enabled { "active" } else { "disabled" }.clone_into(&mut after.status);
    }
    if let Some(limit) = patch.limit {
        (after.limit_count, after.limit_window_ms) = Quota::columns(limit);
    }
    if after == before {
        return Ok((None, before));
    }
    after.version += 1;
    let subject = Subject { kind: "store", id, merchant_id: Some(&before.merchant_id) };
    let states = States { before: Some(state(&before)), after: Some(state(&after)) };
    let mut plan = Plan::new(audit::entry(app, caller, action, subject, states));
    plan.while_there_is(exists(store::Entity, this_version(&before)));
    plan.update(update(&before, &after));
    plan.refresh(Refresh::Merchant(before.merchant_id.clone()));
    Ok((Some(plan), after))
}

async fn numbers_are_free(app: &App, row: &store::Model, at: &str) -> Result<(), Error> {
    let taken = async |condition: Expr| {
        store::Entity::find().filter(condition).one(&app.store.read).await.map(|found| found.is_some())
    };
    if taken(same_store_no(row)).await? {
        let detail = "The merchant has a store of this number.";
        return Err(Error::conflict("store_no_taken", format!("{at}/storeNo"), detail));
    }
    if taken(same_upstream_store(row)).await? {
        return Err(claimed(at));
    }
    Ok(())
}

/// Somebody has the store. Whoever it is, the answer is the same.
pub fn claimed(at: &str) -> Error {
    let detail = "This store of the account belongs to a store already.";
    Error::conflict("store_claimed", format!("{at}/upstreamStoreNo"), detail)
}

fn known_time_zone(name: &str, pointer: &str) -> Result<(), Error> {
    match jiff::tz::TimeZone::get(name) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(Error::invalid(pointer, "is no time zone of the IANA database, such as Asia/Hong_Kong"))
        }
    }
}

fn wallets_text(wallets: &[Wallet]) -> String {
    wallets.iter().map(|wallet| wallet.as_str()).collect::<Vec<_>>().join(",")
}

/// What the audit log keeps of a store.
fn state(row: &store::Model) -> Value {
    json!({
        "merchantId": row.merchant_id, "accountId": row.account_id, "storeNo": row.store_no,
        "upstreamStoreNo": row.upstream_store_no, "currency": row.currency, "wallets": row.wallets,
        "timeZone": row.time_zone, "latePayment": row.late_payment, "status": row.status,
        "limit": Quota::said(row.limit_count, row.limit_window_ms),
    })
}

fn update(before: &store::Model, after: &store::Model) -> UpdateStatement {
    Query::update()
        .table(store::Entity)
        .value(store::Column::Wallets, after.wallets.as_str())
        .value(store::Column::TimeZone, after.time_zone.as_str())
        .value(store::Column::LatePayment, after.late_payment.as_str())
        .value(store::Column::Status, after.status.as_str())
        .value(store::Column::LimitCount, after.limit_count)
        .value(store::Column::LimitWindowMs, after.limit_window_ms)
        .value(store::Column::Version, after.version)
        .and_where(this_version(before))
        .to_owned()
}

fn this_version(row: &store::Model) -> Expr {
    Expr::col(store::Column::Id).eq(row.id.as_str()).and(Expr::col(store::Column::Version).eq(row.version))
}

fn same_store_no(row: &store::Model) -> Expr {
    let merchant = Expr::col(store::Column::MerchantId).eq(row.merchant_id.as_str());
    merchant.and(Expr::col(store::Column::StoreNo).eq(row.store_no.as_str()))
}

fn same_upstream_store(row: &store::Model) -> Expr {
    let account = Expr::col(store::Column::AccountId).eq(row.account_id.as_str());
    account.and(Expr::col(store::Column::UpstreamStoreNo).eq(row.upstream_store_no.as_str()))
}

fn exists(table: impl EntityTrait, condition: Expr) -> SelectStatement {
    Query::select().expr(Expr::val(1)).from(table).and_where(condition).to_owned()
}
