//! Where an order stands and, if it is stuck, why: one sentence for people.

use std::time::Duration;

use humantime_serde::re::humantime::format_duration;
use shared::ops::{Delivery, DeliveryState, Moment};
use shared::order::OrderStatus;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::entity::order;

/// What is known besides the order's own row.
pub struct About<'a> {
    /// With their attempts, oldest first.
    pub deliveries: &'a [Delivery],
    /// Facts that are held for a person.
    pub held: usize,
    /// Endpoints of theirs that take nothing at present: id, and why.
    pub closed: &'a [(String, &'static str)],
    pub now: i64,
}

pub fn sentence(order: &order::Model, about: &About<'_>) -> String {
    let mut text = standing(order, about.now);
    if order.status().has_money() {
        text.push_str(&told(about));
    }
    if about.held > 0 {
        text.push_str(
            "; ScanForPay said something that differs from what was asked, and a person has to look",
        );
    }
    if order.paid_twice {
        text.push_str("; the same purchase was paid twice");
    }
    text
}

fn standing(order: &order::Model, now: i64) -> String {
    let since = |at: i64| ago(now, at);
    let next = order.look_at.map(|at| format!("; asked about in {}", until(now, at))).unwrap_or_default();
    match order.status() {
        OrderStatus::Submitting => {
            format!("sent to ScanForPay {} ago, no answer yet{next}", since(order.created_at))
        }
        OrderStatus::Unknown => {
            format!("ScanForPay has said nothing to rely on for {}{next}", since(order.created_at))
        }
        OrderStatus::Awaiting => {
            format!("waiting for the payer, for {} more{next}", until(now, order.expires_at))
        }
        OrderStatus::Refused => match order.code {
            Some(code) => format!("ScanForPay refused it with code {code}"),
            None => "ScanForPay refused it".to_owned(),
        },
        OrderStatus::Failed => "the payment failed".to_owned(),
        OrderStatus::Closed => "closed: it was not paid in time".to_owned(),
        OrderStatus::Paid => format!("paid{}", paid_at(order)),
        OrderStatus::PartiallyRefunded => format!("paid{} and refunded in part", paid_at(order)),
        OrderStatus::Refunded => format!("paid{} and refunded", paid_at(order)),
    }
}

fn paid_at(order: &order::Model) -> String {
    let late = if order.late { ", late" } else { "" };
    // ScanForPay tells it by a clock of its own.
    let at = order.pay_time.as_deref().and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok());
    at.map_or(late.to_owned(), |at| format!(" {}{late}", clock(Moment(at))))
}

/// Of those who should hear of it, how the one fares that fares worst.
fn told(about: &About<'_>) -> String {
    let firsts = about.deliveries.iter().filter(|one| one.replay_id.is_none());
    let Some(worst) = firsts.max_by_key(|one| badness(one)) else {
        return "; nobody is to be told".to_owned();
    };
    let closed = about.closed.iter().find(|(id, _)| *id == worst.endpoint_id).map(|(_, why)| *why);
    let again = about.deliveries.iter().any(|one| {
        one.replay_id.is_some()
            && one.event_id == worst.event_id
            && one.endpoint_id == worst.endpoint_id
            && one.state == DeliveryState::Delivered
    });
    match (worst.state, closed) {
        (DeliveryState::Delivered, _) => match worst.ended_at {
            Some(at) => format!("; the shop was told {}", clock(at)),
            None => "; the shop was told".to_owned(),
        },
        _ if again => "; the shop was told by a replay".to_owned(),
        (DeliveryState::Due | DeliveryState::Waiting, Some(why)) => {
            format!("; the shop is not told: its endpoint {why}")
        }
        (DeliveryState::Due, None) if worst.attempt_count == 0 => "; the shop is being told".to_owned(),
        (DeliveryState::Due, None) => {
            let next = worst.due_at.map(|at| until(about.now, at.ms())).unwrap_or_default();
            format!("; {}, next try in {next}", failed(worst))
        }
        (DeliveryState::Waiting, None) => "; the shop is told after what came before".to_owned(),
        (DeliveryState::Parked, _) => "; telling the shop is on hold with its replay".to_owned(),
        (DeliveryState::Exhausted, _) => format!("; {}, and it was given up", failed(worst)),
        (DeliveryState::Superseded | DeliveryState::Cancelled, _) => String::new(),
    }
}

fn badness(delivery: &Delivery) -> (u8, i64) {
    let state = match delivery.state {
        DeliveryState::Exhausted => 5,
        DeliveryState::Due if delivery.attempt_count > 0 => 4,
        DeliveryState::Waiting | DeliveryState::Parked => 3,
        DeliveryState::Due => 2,
        DeliveryState::Delivered => 1,
        DeliveryState::Superseded | DeliveryState::Cancelled => 0,
    };
    (state, delivery.attempt_count)
}

/// What the shop did, and how often.
fn failed(delivery: &Delivery) -> String {
    let times = match delivery.attempt_count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    };
    match delivery.attempts.last() {
        Some(last) => match last.status {
            Some(status) => format!("the shop answered {status} {times}"),
            None => format!("the shop could not be told ({}) {times}", last.outcome.replace('_', " ")),
        },
        None => format!("the shop could not be told {times}"),
    }
}

/// Hour, minute and second in UTC, which the Z says.
fn clock(at: Moment) -> String {
    let (hour, minute, second) = at.0.to_offset(UtcOffset::UTC).to_hms();
    format!("{hour:02}:{minute:02}:{second:02}Z")
}

fn ago(now: i64, at: i64) -> String {
    span(now - at)
}

fn until(now: i64, at: i64) -> String {
    span(at - now)
}

/// Two units at most, such as `3m 20s`.
fn span(ms: i64) -> String {
    let seconds = u64::try_from(ms.max(0)).unwrap_or(0).div_ceil(1_000);
    let text = format_duration(Duration::from_secs(seconds)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use shared::ops::Attempt;

    use super::*;
    use crate::console::rows::moment;

    fn delivery(state: DeliveryState, attempts: i64, status: Option<u16>) -> Delivery {
        let attempt = Attempt {
            at: moment(0),
            took_ms: 5,
            status,
            outcome: if status.is_some() { "refused".into() } else { "timed_out".into() },
            excerpt: None,
        };
        Delivery {
            id: "d".into(),
            event_id: "e".into(),
            kind: "order.paid".into(),
            endpoint_id: "p".into(),
            url: "https://shop.example/".into(),
            merchant_id: "m".into(),
            number: "A-1".into(),
            state,
            attempt_count: attempts,
            outcome: None,
            due_at: Some(moment(380_000)),
            replay_id: None,
            created_at: moment(0),
            ended_at: Some(moment(50_531_000)),
            attempts: if attempts > 0 { vec![attempt] } else { Vec::new() },
        }
    }

    fn said(deliveries: &[Delivery], closed: &[(String, &'static str)]) -> String {
        told(&About { deliveries, held: 0, closed, now: 200_000 })
    }

    #[test]
    fn the_one_that_fares_worst_is_told_of() {
        use DeliveryState::{Delivered, Due, Exhausted, Waiting};
        let delivered = || delivery(Delivered, 1, Some(200));
        assert_eq!(said(&[delivered()], &[]), "; the shop was told 14:02:11Z");
        let trying = delivery(Due, 8, Some(500));
        assert_eq!(
            said(&[delivered(), trying.clone()], &[]),
            "; the shop answered 500 8 times, next try in 3m"
        );
        assert_eq!(
            said(&[delivery(Exhausted, 2, None)], &[]),
            "; the shop could not be told (timed out) twice, and it was given up"
        );
        assert_eq!(
            said(&[delivery(Waiting, 0, None)], &[("p".into(), "is paused")]),
            "; the shop is not told: its endpoint is paused"
        );
        assert_eq!(said(&[], &[]), "; nobody is to be told");
        let mut replayed = delivered();
        replayed.replay_id = Some("r".into());
        assert_eq!(said(&[delivery(Exhausted, 2, None), replayed], &[]), "; the shop was told by a replay");
    }

    #[test]
    fn every_clock_is_told_in_utc() {
        let hong_kong = OffsetDateTime::parse("2026-11-27T10:11:49+08:00", &Rfc3339).expect("a time");
        assert_eq!(clock(Moment(hong_kong)), "02:11:49Z");
    }

    #[test]
    fn a_span_has_two_units_at_most() {
        assert_eq!([0, 1, 61_000, 3_723_000].map(span), ["0s", "1s", "1m 1s", "1h 2m"]);
        assert_eq!(span(-5), "0s");
    }
}
