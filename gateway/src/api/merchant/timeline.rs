//! `/v1/orders/{number}/timeline`: what happened to an order, and the bytes in which it came.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::Any;
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::{Value, json};

use super::merchant_of;
use super::orders::found;
use crate::api::rest::{Found, Group, Page, PageQuery, Timestamp};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::directory::audit::{self, States, Subject};
use crate::directory::change::{Committed, Plan};
use crate::entity::{attempt, journal};
use crate::error::Error;
use crate::orders::history::{self, Entry};
use crate::orders::journal::Kind;

/// What an entry tells of.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "TimelineKind", rename_all = "snake_case")]
pub enum What {
    /// The order was placed.
    Placed,
    /// It was placed before the merchant moved in, and imported.
    Imported,
    /// It was sent to ScanForPay once more.
    Resubmitted,
    /// ScanForPay's answer to the order, or that there was none to rely on.
    Answer,
    /// ScanForPay told of it unasked.
    Notice,
    /// ScanForPay's answer to a query.
    Query,
    /// An answer was due and did not come.
    Overdue,
    /// A person let in what ScanForPay had said, and what had been held since.
    Released,
    /// A person turned it away.
    Rejected,
    /// The same purchase was paid with another order, too.
    PaidTwice,
    /// A refund was asked for, and its amount reserved.
    RefundAsked,
    /// A refund waits for a second operator's word.
    RefundProposed,
    /// That word was no.
    RefundDeclined,
    /// The same refund was sent to ScanForPay once more.
    RefundRepeated,
    /// ScanForPay's answer to a refund, or that there was none to rely on.
    RefundAnswer,
    /// An answer to a refund was due and did not come.
    RefundOverdue,
    /// An operator has looked how a refund ended.
    RefundWord,
    /// Nobody could say for a day how a refund ended; an operator has to look.
    RefundGivenUp,
    /// Its time to pay was over, and ScanForPay knew of no payment.
    Expired,
    /// What was told of it is told again.
    Replayed,
    /// The merchant's system was told, or it was tried.
    Attempt,
    /// What later versions tell of.
    Other,
}

impl What {
    fn of(kind: &str) -> Self {
        let kinds = [
            (Kind::Placed, Self::Placed),
            (Kind::Imported, Self::Imported),
            (Kind::Resubmitted, Self::Resubmitted),
            (Kind::Answer, Self::Answer),
            (Kind::Notice, Self::Notice),
            (Kind::Query, Self::Query),
            (Kind::Overdue, Self::Overdue),
            (Kind::Released, Self::Released),
            (Kind::Rejected, Self::Rejected),
            (Kind::PaidTwice, Self::PaidTwice),
            (Kind::RefundAsked, Self::RefundAsked),
            (Kind::RefundProposed, Self::RefundProposed),
            (Kind::RefundDeclined, Self::RefundDeclined),
            (Kind::RefundRepeated, Self::RefundRepeated),
            (Kind::RefundAnswer, Self::RefundAnswer),
            (Kind::RefundOverdue, Self::RefundOverdue),
            (Kind::RefundWord, Self::RefundWord),
            (Kind::RefundGivenUp, Self::RefundGivenUp),
            (Kind::Expired, Self::Expired),
            (Kind::Replayed, Self::Replayed),
        ];
        kinds.into_iter().find(|(known, _)| known.as_str() == kind).map_or(Self::Other, |(_, what)| what)
    }
}

/// One thing that happened to an order.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct TimelineEntry {
    pub id: String,
    pub at: Timestamp,
    pub what: What,
    /// What is known of it, by kind.
    pub note: Any<Value>,
    /// The bytes in which it came were kept: `…/timeline/{id}/raw`.
    pub has_raw: bool,
    /// Of an attempt: `delivered`, or the kind of failure.
    pub outcome: Option<String>,
    /// Of an attempt: the receiver's HTTP status.
    pub http_status: Option<i64>,
    /// Of an attempt: how long it took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// Of an attempt: how the receiver's answer begins.
    pub excerpt: Option<String>,
}

/// The bytes of an entry, without signatures.
#[derive(Object, Debug)]
pub struct RawEntry {
    pub id: String,
    pub text: String,
}

pub struct TimelineApi;

#[OpenApi(tag = "Group::Orders")]
impl TimelineApi {
    /// Get an order's timeline
    ///
    /// What happened to it, newest first: its journal, and every attempt to tell the merchant's system.
    #[oai(path = "/v1/orders/:number/timeline", method = "get", operation_id = "getOrderTimeline")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn timeline(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        request: &Request,
        number: Path<String>,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<TimelineEntry>, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let order = found(app.0, &merchant, &number).await?;
        let (entries, next) = history::page(&app.store.read, &order.id, page.limit(), page.after()).await?;
        let is_platform = caller.tenant.merchant_id().is_none();
        let rows = entries.into_iter().map(|entry| match entry {
            Entry::Journal(entry) => TimelineEntry::of_journal(entry, is_platform),
            Entry::Attempt(attempt) => TimelineEntry::from(attempt),
        });
        Ok(page.page(rows.collect(), next))
    }

    /// Read the bytes of a timeline's entry
    ///
    /// As they came, without signatures. Each reading is kept in the audit log. What ScanForPay said names the
    /// platform's own numbers there, so only a platform's key reads that.
    #[oai(path = "/v1/orders/:number/timeline/:entryId/raw", method = "get", operation_id = "getTimelineRaw")]
    async fn raw(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        number: Path<String>,
        #[oai(name = "entryId")] entry_id: Path<String>,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
    ) -> Result<Found<RawEntry>, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let order = found(app.0, &merchant, &number).await?;
        if entry_id.contains('\0') {
            return Err(Error::NotFound);
        }
        let entry = history::entry(&app.store.read, &order.id, &entry_id).await?.ok_or(Error::NotFound)?;
        if caller.tenant.merchant_id().is_some() && !is_the_merchants(&entry) {
            return Err(Error::PlatformsOnly);
        }
        let raw = entry.raw.ok_or(Error::NotFound)?;
        let subject = Subject { kind: "journal", id: &entry.id, merchant_id: Some(&merchant.id) };
        let entered = audit::entry(app.0, &caller, "journal.raw_read", subject, States::default());
        // Nothing is shown before it is on record that it was.
        match Plan::new(entered).commit(app.0).await? {
            Committed::Done => {
                Ok(Found(RawEntry { id: entry.id, text: String::from_utf8_lossy(&raw).into_owned() }))
            }
            Committed::Stale => Err(Error::Busy),
        }
    }
}

/// Whether the merchant itself sent what the entry keeps.
fn is_the_merchants(entry: &journal::Model) -> bool {
    [Kind::Placed, Kind::Resubmitted].iter().any(|kind| kind.as_str() == entry.kind)
}

impl TimelineEntry {
    fn of_journal(entry: journal::Model, is_platform: bool) -> Self {
        let mut note: Value = serde_json::from_str(&entry.note).unwrap_or_default();
        let has_raw = entry.raw.is_some() && (is_platform || is_the_merchants(&entry));
        for by in ["by", "decidedBy"] {
            // Who of the gateway's staff it was is in their own log.
            if note[by].as_str().is_some_and(|name| name.starts_with("operator:")) {
                note[by] = "operator".into();
            }
        }
        if !is_platform && let Some(held) = note["held"].as_array() {
            // What differed may be a number of the platform's own.
            note["held"] = held.iter().map(|difference| difference["field"].clone()).collect();
        }
        if !is_platform && [Kind::Released, Kind::Rejected].iter().any(|kind| kind.as_str() == entry.kind) {
            // Who of the platform decided, and what they wrote, is theirs.
            note = json!({"fact": note["fact"]});
        }
        Self {
            what: What::of(&entry.kind),
            id: entry.id,
            at: Timestamp::of(entry.at),
            note: Any(note),
            has_raw,
            outcome: None,
            http_status: None,
            duration_ms: None,
            excerpt: None,
        }
    }
}

impl From<attempt::Model> for TimelineEntry {
    fn from(attempt: attempt::Model) -> Self {
        Self {
            id: attempt.id,
            at: Timestamp::of(attempt.started_at),
            what: What::Attempt,
            note: Any(Value::Object(serde_json::Map::new())),
            has_raw: false,
            outcome: Some(attempt.outcome),
            http_status: attempt.http_status,
            duration_ms: Some(attempt.duration_ms),
            excerpt: attempt.excerpt,
        }
    }
}
