//! Our own books of one account, a page at a time: the orders that a statement's lines name, and the payments and
//! refunds of a period. No snapshot is held between two pages.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use ulid::Ulid;

use super::Period;
use crate::entity::{account, event, order, refund, store, submission};
use crate::orders::refund::sums::is_counted;
use crate::orders::tell::{Content, Kind};

/// Rows of a page.
pub const PAGE: u64 = 500;
/// How much earlier than booked a payment may have been paid: the notice never came, and it was asked about late.
const LAG_MS: i64 = 3 * 24 * 3_600_000;
/// How long before it ended a refund may have been begun.
const REFUND_LAG_MS: i64 = 7 * 24 * 3_600_000;

/// An account with what is needed to read its books.
pub struct Books<'a> {
    read: &'a DatabaseConnection,
    pub account: account::Model,
    stores: Vec<String>,
    merchants: Vec<String>,
}

/// An order of the account's and one of its calls to ScanForPay.
#[derive(Debug, Clone)]
pub struct Ours {
    pub order: order::Model,
    pub submission: submission::Model,
}

impl Ours {
    /// Whether the order counts what was paid through this call.
    pub fn is_counted(&self) -> bool {
        is_counted(&self.order, &self.submission)
    }
}

impl<'a> Books<'a> {
    pub async fn of(read: &'a DatabaseConnection, account: account::Model) -> Result<Self, DbErr> {
        // Across tenants: stores name accounts of their own platform only.
        let stores =
            store::Entity::find().filter(store::Column::AccountId.eq(account.id.as_str())).all(read).await?;
        let merchants: HashSet<String> = stores.iter().map(|store| store.merchant_id.clone()).collect();
        let stores = stores.into_iter().map(|store| store.id).collect();
        Ok(Self { read, account, stores, merchants: merchants.into_iter().collect() })
    }

    /// What goes under these numbers at ScanForPay, by number.
    pub async fn of_numbers(&self, numbers: &[&str]) -> Result<HashMap<String, Ours>, DbErr> {
        use submission::Column::{AccountId, Id, ImportedAt, OrderId, OwnNumber};
        if numbers.is_empty() {
            return Ok(HashMap::new());
        }
        let of_account = || submission::Entity::find().filter(AccountId.eq(self.account.id.as_str()));
        let mut calls = of_account().filter(Id.is_in(numbers.iter().copied())).all(self.read).await?;
        let imported =
            of_account().filter(OwnNumber.is_in(numbers.iter().copied())).filter(ImportedAt.is_not_null());
        calls.extend(imported.all(self.read).await?);
        if let Some(merchant) = &self.account.numbers_of {
            let orders =
                order::Entity::all_of(merchant).filter(order::Column::Number.is_in(numbers.iter().copied()));
            let orders: Vec<String> =
                orders.all(self.read).await?.into_iter().map(|order| order.id).collect();
            let own = of_account().filter(OrderId.is_in(orders)).filter(OwnNumber.is_not_null());
            calls.extend(own.all(self.read).await?);
        }
        let ours = self.with_orders(calls).await?;
        Ok(ours.into_iter().map(|ours| (ours.submission.sent_number().to_owned(), ours)).collect())
    }

    /// What ScanForPay gave these numbers, by number. An order knows that of the payment which it counts; of another one
    /// its call does.
    pub async fn of_order_nos(&self, order_nos: &[&str]) -> Result<HashMap<String, Ours>, DbErr> {
        if order_nos.is_empty() {
            return Ok(HashMap::new());
        }
        let orders = order::Entity::find()
            .filter(order::Column::MerchantId.is_in(self.merchants.iter().map(String::as_str)))
            .filter(order::Column::UpstreamOrderNo.is_in(order_nos.iter().copied()))
            .all(self.read)
            .await?;
        let ours = self.with_submissions(orders).await?;
        let second = submission::Entity::second_payments()
            .filter(submission::Column::AccountId.eq(self.account.id.as_str()))
            .filter(submission::Column::UpstreamOrderNo.is_in(order_nos.iter().copied()))
            .all(self.read)
            .await?;
        let second = self.with_orders(second).await?.into_iter();
        let second = second.filter_map(|ours| Some((ours.submission.upstream_order_no.clone()?, ours)));
        let named = ours.into_iter().filter_map(|ours| Some((ours.order.upstream_order_no.clone()?, ours)));
        Ok(second.chain(named).collect())
    }

    async fn with_orders(&self, calls: Vec<submission::Model>) -> Result<Vec<Ours>, DbErr> {
        let ids: Vec<&str> = calls.iter().map(|call| call.order_id.as_str()).collect();
        let orders = order::Entity::by_ids_across_tenants(&ids).all(self.read).await?;
        let orders: HashMap<String, order::Model> =
            orders.into_iter().map(|order| (order.id.clone(), order)).collect();
        let ours = calls.into_iter().filter_map(|submission| {
            let order = orders.get(&submission.order_id)?.clone();
            Some(Ours { order, submission })
        });
        Ok(ours.collect())
    }

    /// Each with its latest call, where that went through the account.
    async fn with_submissions(&self, orders: Vec<order::Model>) -> Result<Vec<Ours>, DbErr> {
        let calls = submission::Entity::by_ids(orders.iter().map(|order| order.submission_id.as_str()))
            .filter(submission::Column::AccountId.eq(self.account.id.as_str()))
            .all(self.read)
            .await?;
        let mut calls: HashMap<String, submission::Model> =
            calls.into_iter().map(|call| (call.id.clone(), call)).collect();
        let ours = orders.into_iter().filter_map(|order| {
            let submission = calls.remove(&order.submission_id)?;
            Some(Ours { order, submission })
        });
        Ok(ours.collect())
    }

    /// Payments of the period, in the order they were booked, each with its day; and where the next page begins.
    pub async fn payments(
        &self,
        period: &Period,
        after: Option<&str>,
    ) -> anyhow::Result<(Vec<(Ours, Date)>, Option<String>)> {
        let (start, end) = period.span_ms()?;
        let mut events = event::Entity::find()
            .filter(event::Column::PlatformId.eq(self.account.platform_id.as_str()))
            .filter(event::Column::Id.gte(id_at(start - LAG_MS)))
            .filter(event::Column::Id.lt(id_at(end + LAG_MS)))
            .filter(event::Column::Kind.is_in([Kind::OrderPaid, Kind::OrderPaidTwice].map(Kind::as_str)));
        if let Some(after) = after {
            events = events.filter(event::Column::Id.gt(after));
        }
        let events = events.order_by_asc(event::Column::Id).limit(PAGE).all(self.read).await?;
        let next =
            (events.len() as u64 == PAGE).then(|| events.last().map(|event| event.id.clone())).flatten();
        let ids: Vec<&str> = events.iter().map(|event| event.subject_id.as_str()).collect();
        let orders = order::Entity::by_ids_across_tenants(&ids)
            .filter(order::Column::StoreId.is_in(self.stores.iter().map(String::as_str)))
            .all(self.read)
            .await?;
        let orders: HashMap<&str, &order::Model> =
            orders.iter().map(|order| (order.id.as_str(), order)).collect();
        let booked: Vec<(i64, String)> = events
            .iter()
            .filter_map(|event| {
                let call_id = match second_payment(event) {
                    None if event.kind != Kind::OrderPaid.as_str() => return None,
                    None => orders.get(event.subject_id.as_str())?.submission_id.clone(),
                    Some(call_id) => call_id,
                };
                Some((event.created_at, call_id))
            })
            .collect();
        let calls = submission::Entity::by_ids(booked.iter().map(|(_, call_id)| call_id.as_str()))
            .filter(submission::Column::AccountId.eq(self.account.id.as_str()))
            .all(self.read)
            .await?;
        let calls: HashMap<&str, &submission::Model> =
            calls.iter().map(|call| (call.id.as_str(), call)).collect();
        let ours = booked.iter().filter_map(|(booked_at, call_id)| {
            let submission = (*calls.get(call_id.as_str())?).clone();
            let order = (*orders.get(submission.order_id.as_str())?).clone();
            let ours = Ours { order, submission };
            let day = paid_on(&ours, *booked_at, period);
            period.holds(day).then_some((ours, day))
        });
        Ok((ours.collect(), next))
    }

    /// Orders placed within the period of which the end is not known.
    pub async fn open_orders(
        &self,
        period: &Period,
        after: Option<&str>,
    ) -> anyhow::Result<(Vec<Ours>, Option<String>)> {
        let (start, end) = period.span_ms()?;
        let mut orders = order::Entity::find()
            .filter(order::Column::MerchantId.is_in(self.merchants.iter().map(String::as_str)))
            .filter(order::Column::StoreId.is_in(self.stores.iter().map(String::as_str)))
            .filter(order::Column::Id.gte(id_at(start)))
            .filter(order::Column::Id.lt(id_at(end)))
            .filter(order::Column::Status.is_in(["submitting", "unknown", "awaiting", "failed", "closed"]));
        if let Some(after) = after {
            orders = orders.filter(order::Column::Id.gt(after));
        }
        let orders = orders.order_by_asc(order::Column::Id).limit(PAGE).all(self.read).await?;
        let next =
            (orders.len() as u64 == PAGE).then(|| orders.last().map(|order| order.id.clone())).flatten();
        Ok((self.with_submissions(orders).await?, next))
    }

    /// Refunds that ended well within the period, with their orders.
    pub async fn refunds(
        &self,
        period: &Period,
        after: Option<&str>,
    ) -> anyhow::Result<(Vec<(refund::Model, Ours)>, Option<String>)> {
        let (start, end) = period.span_ms()?;
        let mut refunds = refund::Entity::find()
            .filter(refund::Column::PlatformId.eq(self.account.platform_id.as_str()))
            .filter(refund::Column::Id.gte(id_at(start - REFUND_LAG_MS)))
            .filter(refund::Column::Id.lt(id_at(end)))
            .filter(refund::Column::State.eq(refund::State::Refunded))
            .filter(refund::Column::UpdatedAt.gte(start))
            .filter(refund::Column::UpdatedAt.lt(end));
        if let Some(after) = after {
            refunds = refunds.filter(refund::Column::Id.gt(after));
        }
        let refunds = refunds.order_by_asc(refund::Column::Id).limit(PAGE).all(self.read).await?;
        let next =
            (refunds.len() as u64 == PAGE).then(|| refunds.last().map(|refund| refund.id.clone())).flatten();
        Ok((self.through_account(refunds).await?, next))
    }

    /// The refunds of these numbers at ScanForPay, by number.
    pub async fn of_refund_nos(
        &self,
        numbers: &[&str],
    ) -> Result<HashMap<String, (refund::Model, Ours)>, DbErr> {
        let refunds = refund::Entity::find().filter(refund::Column::Id.is_in(numbers.iter().copied()));
        let refunds = if numbers.is_empty() { Vec::new() } else { refunds.all(self.read).await? };
        let through = self.through_account(refunds).await?;
        Ok(through.into_iter().map(|(refund, ours)| (refund.id.clone(), (refund, ours))).collect())
    }

    /// The refunds of what was paid through this call, oldest first.
    pub async fn refunds_of(&self, ours: &Ours) -> Result<Vec<refund::Model>, DbErr> {
        let of_call = refund::Column::SubmissionId.eq(ours.submission.id.as_str());
        refund::Entity::of_order(&ours.order.id).filter(of_call).all(self.read).await
    }

    async fn through_account(
        &self,
        refunds: Vec<refund::Model>,
    ) -> Result<Vec<(refund::Model, Ours)>, DbErr> {
        let calls = submission::Entity::by_ids(refunds.iter().map(|refund| refund.submission_id.as_str()))
            .filter(submission::Column::AccountId.eq(self.account.id.as_str()))
            .all(self.read)
            .await?;
        let ours = self.with_orders(calls).await?;
        let ours: HashMap<String, Ours> =
            ours.into_iter().map(|ours| (ours.submission.id.clone(), ours)).collect();
        let through = refunds.into_iter().filter_map(|refund| {
            let ours = ours.get(&refund.submission_id)?.clone();
            Some((refund, ours))
        });
        Ok(through.collect())
    }
}

/// The day it was paid, as ScanForPay said; as we booked it where it did not say.
fn paid_on(ours: &Ours, booked_at: i64, period: &Period) -> Date {
    let said = if ours.is_counted() { &ours.order.pay_time } else { &ours.submission.second_pay_time };
    let said = said.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    period.day_of(said.map_or(booked_at, jiff::Timestamp::as_millisecond))
}

/// The call that an order's second payment came through, where the event tells of one.
fn second_payment(event: &event::Model) -> Option<String> {
    let is_told = event.kind == Kind::OrderPaidTwice.as_str();
    let content: Content = serde_json::from_str(&event.content).ok().filter(|_| is_told)?;
    content.detail?["payment"].as_str().map(str::to_owned)
}

/// The least id that something of this time may have.
fn id_at(ms: i64) -> String {
    Ulid::from_parts(u64::try_from(ms).unwrap_or_default(), 0).to_string()
}
