//! The statement of a store's day: the payments and refunds that were booked on it. Booked is either when the gateway
//! learned of it, so that a day that is over never changes. Days are the store's own (`docs/MONEY.md`, Expiry).

use std::collections::HashMap;
use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, QueryFilter, QueryOrder, QuerySelect};
use ulid::Ulid;

use super::refund::sums::Sums;
use super::tell::{Content, Kind};
use crate::entity::{event, order, store, submission};

/// Bookings read at a time. No snapshot is held between two reads: it would keep the write-ahead log from shrinking.
pub const PAGE: u64 = 500;
/// How much later than the event itself its id may be.
const SLACK_MS: i64 = 60 * 60 * 1000;

/// A day of a store.
#[derive(Clone)]
pub struct Day {
    merchant_id: String,
    store: store::Model,
    zone: TimeZone,
    /// Unix milliseconds.
    span: Range<i64>,
}

/// What was booked on the day.
pub struct Line {
    pub booking: Booking,
    /// RFC 3339 in the store's time zone.
    pub booked_at: String,
    /// With the sums, number and time of the payment that the booking is about.
    pub order: order::Model,
    /// The number under which the upstream knows that payment.
    pub sent_number: String,
}

/// What was booked: a payment of the order's, or something of it that went back, in minor units.
pub enum Booking {
    Payment,
    Refund {
        refund_no: String,
        amount: i64,
    },
    /// No refund of ours.
    RefundElsewhere {
        amount: i64,
    },
}

impl Booking {
    const KINDS: [Kind; 4] =
        [Kind::OrderPaid, Kind::OrderPaidTwice, Kind::RefundSucceeded, Kind::OrderRefundedExternally];

    /// With the call that the payment came through, where that is not the one that the order counts.
    fn of(event: &event::Model) -> Option<(Self, Option<String>)> {
        if event.kind == Kind::OrderPaid.as_str() {
            return Some((Self::Payment, None));
        }
        let content: Content = serde_json::from_str(&event.content).ok()?;
        if let Some(refund) = content.refund {
            let booking = Self::Refund { refund_no: refund.refund_no, amount: refund.amount };
            return Some((booking, refund.payment));
        }
        let detail = content.detail?;
        let payment = detail["payment"].as_str().map(str::to_owned);
        if event.kind == Kind::OrderPaidTwice.as_str() {
            // That another order was paid, too, is booked as that one's.
            return payment.map(|payment| (Self::Payment, Some(payment)));
        }
        Some((Self::RefundElsewhere { amount: detail["amount"].as_i64()? }, payment))
    }
}

/// `order` as it would stand if the payment that came through `call` were the one that it counts.
fn with_payment_of(order: order::Model, call: &submission::Model) -> order::Model {
    let sums = Sums::of(&order, call);
    order::Model {
        product: call.product.clone(),
        wallet: call.wallet.clone(),
        paid_wallet: None,
        currency: call.currency.clone(),
        amount: call.amount,
        paid: sums.paid,
        refunded: sums.refunded,
        refund_reserved: sums.reserved,
        upstream_order_no: call.upstream_order_no.clone(),
        pay_time: call.second_pay_time.clone(),
        late: false,
        ..order
    }
}

impl Day {
    /// `None` where the store's time zone is none that is known.
    pub fn of(merchant_id: &str, store: store::Model, date: Date) -> Option<Self> {
        let zone = TimeZone::get(&store.time_zone).ok()?;
        let start =
            |date: Date| date.to_zoned(zone.clone()).ok().map(|start| start.timestamp().as_millisecond());
        let span = start(date)?..start(date.tomorrow().ok()?)?;
        Some(Self { merchant_id: merchant_id.to_owned(), store, zone, span })
    }

    pub fn store_no(&self) -> &str {
        &self.store.store_no
    }

    /// The lines of one page, and the id behind which the next page begins, unless this is the last one.
    pub async fn page(
        &self,
        read: &DatabaseConnection,
        after: Option<&str>,
    ) -> Result<(Vec<Line>, Option<String>), DbErr> {
        let id_at = |ms: i64| Ulid::from_parts(u64::try_from(ms).unwrap_or_default(), 0).to_string();
        let mut events = event::Entity::of(&self.merchant_id)
            .filter(event::Column::Id.gte(id_at(self.span.start)))
            .filter(event::Column::Id.lt(id_at(self.span.end + SLACK_MS)))
            .filter(event::Column::CreatedAt.gte(self.span.start))
            .filter(event::Column::CreatedAt.lt(self.span.end))
            .filter(event::Column::Kind.is_in(Booking::KINDS.map(Kind::as_str)));
        if let Some(after) = after {
            events = events.filter(event::Column::Id.gt(after));
        }
        let events = events.order_by_asc(event::Column::Id).limit(PAGE).all(read).await?;
        let next =
            if events.len() as u64 == PAGE { events.last().map(|event| event.id.clone()) } else { None };
        let ids = || events.iter().map(|event| event.subject_id.as_str());
        let orders = order::Entity::all_of(&self.merchant_id)
            .filter(order::Column::StoreId.eq(self.store.id.as_str()))
            .filter(order::Column::Id.is_in(ids()))
            .all(read)
            .await?;
        let booked: Vec<_> = events.iter().filter_map(|event| Some((event, Booking::of(event)?))).collect();
        let second = booked.iter().filter_map(|(_, (_, payment))| payment.as_deref());
        let calls = orders.iter().map(|order| order.submission_id.as_str()).chain(second);
        let calls = submission::Entity::by_ids(calls).all(read).await?;
        let calls: HashMap<&str, &submission::Model> =
            calls.iter().map(|row| (row.id.as_str(), row)).collect();
        let orders: HashMap<&str, &order::Model> =
            orders.iter().map(|order| (order.id.as_str(), order)).collect();
        let lines = booked.into_iter().filter_map(|(event, (booking, payment))| {
            let mut order = (*orders.get(event.subject_id.as_str())?).clone();
            let call = calls.get(payment.as_deref().unwrap_or(&order.submission_id)).copied();
            let sent_number = call.map(|call| call.sent_number().to_owned()).unwrap_or_default();
            if let Some(call) = call.filter(|_| payment.is_some()) {
                order = with_payment_of(order, call);
            }
            Some(Line { booking, booked_at: self.written(event.created_at), order, sent_number })
        });
        Ok((lines.collect(), next))
    }

    fn written(&self, ms: i64) -> String {
        let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(zone: &str, date: Date) -> Day {
        let store = store::Model {
            id: "s".into(),
            platform_id: "p".into(),
            merchant_id: "m".into(),
            account_id: "a".into(),
            store_no: "1".into(),
            upstream_store_no: "2".into(),
            currency: "HKD".into(),
            wallets: "Alipay".into(),
            time_zone: zone.into(),
            late_payment: "tell".into(),
            status: "active".into(),
            created_at: 0,
            version: 1,
            limit_count: None,
            limit_window_ms: None,
        };
        Day::of("m", store, date).expect("a known zone")
    }

    #[test]
    fn a_day_is_the_stores_own_and_as_long_as_it_is_there() {
        let hours = |day: &Day| (day.span.end - day.span.start) / 3_600_000;
        let hong_kong = day("Asia/Hong_Kong", Date::constant(2026, 9, 21));
        assert_eq!(hong_kong.span.start, 1_789_920_000_000, "16:00 in UTC the day before");
        assert_eq!(hours(&hong_kong), 24);
        assert_eq!(hong_kong.written(hong_kong.span.start), "2026-09-21T00:00:00+08:00");
        assert_eq!(hours(&day("Europe/Berlin", Date::constant(2026, 3, 29))), 23);
        assert_eq!(hours(&day("Europe/Berlin", Date::constant(2026, 10, 25))), 25);
    }
}
