//! How many orders were placed and paid, minute by minute over the last day, as this node saw it since it started.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use sea_orm::DbErr;
use shared::ops::{CurrencySeries, Overview, Point, WalletShare};

use super::rows::moment;
use crate::app::App;
use crate::deliveries::service;
use crate::entity::order;
use crate::metrics::Spread;
use crate::waiting;

const MINUTE_MS: i64 = 60_000;
const MINUTES: usize = 24 * 60;

#[derive(Default)]
pub struct Pulse(Mutex<VecDeque<Minute>>);

#[derive(Default)]
struct Minute {
    /// Since 1970.
    number: i64,
    currencies: BTreeMap<String, Counts>,
    wallets: BTreeMap<String, u64>,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    placed: u64,
    paid: u64,
    paid_amount: i64,
}

/// An order that was paid just now.
#[derive(Debug, Clone)]
pub struct Payment {
    currency: String,
    wallet: Option<String>,
    amount: i64,
}

impl Payment {
    pub fn of(order: &order::Model) -> Self {
        Self {
            currency: order.currency.clone(),
            wallet: order.paid_wallet.clone().or_else(|| order.wallet.clone()),
            amount: order.paid,
        }
    }
}

impl Pulse {
    pub fn placed(&self, currency: &str, now: i64) {
        self.note(now, |minute| minute.of(currency).placed += 1);
    }

    pub fn paid(&self, payment: &Payment, now: i64) {
        self.note(now, |minute| {
            let counts = minute.of(&payment.currency);
            counts.paid += 1;
            counts.paid_amount = counts.paid_amount.saturating_add(payment.amount);
            if let Some(wallet) = &payment.wallet {
                match minute.wallets.get_mut(wallet) {
                    Some(count) => *count += 1,
                    None => drop(minute.wallets.insert(wallet.clone(), 1)),
                }
            }
        });
    }

    fn note(&self, now: i64, how: impl FnOnce(&mut Minute)) {
        let number = now.div_euclid(MINUTE_MS);
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.back().is_none_or(|last| last.number < number) {
            minutes.push_back(Minute { number, ..Minute::default() });
            if minutes.len() > MINUTES {
                minutes.pop_front();
            }
        }
        if let Some(minute) = minutes.back_mut() {
            how(minute);
        }
    }
}

impl Minute {
    fn of(&mut self, currency: &str) -> &mut Counts {
        if !self.currencies.contains_key(currency) {
            self.currencies.insert(currency.to_owned(), Counts::default());
        }
        self.currencies.get_mut(currency).expect("it is there by now")
    }
}

/// How long, and in which steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Hour,
    Day,
}

impl Span {
    /// How many steps of how many minutes.
    fn steps(self) -> (usize, i64) {
        match self {
            Self::Hour => (60, 1),
            Self::Day => (96, 15),
        }
    }
}

/// Over all platforms.
pub async fn overview(app: &App, span: Span) -> Result<Overview, DbErr> {
    let (steps, minutes) = span.steps();
    let now = app.clock.now_ms();
    let waiting = waiting::look(app).await?;
    let (currencies, wallets) = app.pulse.series(now, steps, minutes);
    let points = |spreads: Vec<Spread>| spreads.iter().map(point).collect();
    let each = u64::try_from(minutes).unwrap_or(1);
    Ok(Overview {
        at: moment(now),
        step_seconds: u32::try_from(minutes * 60).unwrap_or(u32::MAX),
        since: Some(moment(app.started_at.unix_timestamp().saturating_mul(1_000))),
        currencies,
        wallets,
        upstream: points(app.upstream.calls.recent.steps(steps, each)),
        notice_to_acknowledgement: points(app.metrics.attempts.recent.steps(steps, each)),
        deliveries_due: waiting.deliveries_due + waiting.deliveries_parked,
        oldest_due_at: waiting.oldest_due_since.map(moment),
        endpoints_failing: service::failing(app) as u64,
        limit_hits: app.limits.hits(),
        matters_waiting: Some(waiting.attention.iter().map(|(_, count)| count).sum()),
    })
}

fn point(spread: &Spread) -> Point {
    let ms = |of_100| spread.percentile(of_100).map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
    Point { p50_ms: ms(50), p99_ms: ms(99) }
}

impl Pulse {
    fn series(&self, now: i64, steps: usize, minutes: i64) -> (Vec<CurrencySeries>, Vec<WalletShare>) {
        let last = now.div_euclid(MINUTE_MS);
        let (mut series, mut shares) =
            (BTreeMap::<String, CurrencySeries>::new(), BTreeMap::<String, u64>::new());
        for minute in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let back = usize::try_from((last - minute.number) / minutes).unwrap_or(usize::MAX);
            let Some(place) = steps.checked_sub(back.saturating_add(1)) else { continue };
            for (currency, counts) in &minute.currencies {
                let of = series.entry(currency.clone()).or_insert_with(|| CurrencySeries {
                    currency: currency.clone(),
                    placed: vec![0; steps],
                    paid: vec![0; steps],
                    paid_amount: vec![0; steps],
                });
                of.placed[place] += counts.placed;
                of.paid[place] += counts.paid;
                of.paid_amount[place] = of.paid_amount[place].saturating_add(counts.paid_amount);
            }
            for (wallet, count) in &minute.wallets {
                *shares.entry(wallet.clone()).or_default() += count;
            }
        }
        let shares = shares.into_iter().map(|(wallet, paid)| WalletShare { wallet, paid }).collect();
        (series.into_values().collect(), shares)
    }
}
