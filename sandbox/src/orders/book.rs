//! The book of orders behind its lock: the orders, the ways to find them, and what happens by itself when its time comes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use time::OffsetDateTime;

use super::{Content, Order, PaymentState};
use crate::chance;
use crate::time_to_pay::TimeToPay;

#[derive(Default)]
pub(super) struct Book {
    pub last_id: u64,
    pub orders: BTreeMap<u64, Order>,
    /// Partners number for themselves, so a number can lead to several orders.
    pub by_partner_order_no: HashMap<String, Vec<u64>>,
    pub by_order_no: HashMap<String, u64>,
    pub by_token: HashMap<String, u64>,
    /// Those still to be paid, by when that ends.
    pub awaiting: BTreeSet<(OffsetDateTime, u64)>,
    /// Those with a refund that ends by itself, by when.
    pub settling: BTreeSet<(OffsetDateTime, u64)>,
    /// In the order in which they stopped waiting for a payment.
    pub finished: VecDeque<u64>,
}

/// `it_b_pay` counts from the creation of the order.
fn expires_at(content: &Content, now: OffsetDateTime) -> OffsetDateTime {
    let asked = content.time_to_pay.as_deref().and_then(TimeToPay::parse);
    asked.unwrap_or(TimeToPay::For(content.product.row().pay_within)).ends_at(now)
}

impl Book {
    /// Close what was not paid in time.
    pub(super) fn expire(&mut self, now: OffsetDateTime) {
        while let Some((at, id)) = self.awaiting.first().copied().filter(|(at, _)| *at <= now) {
            self.awaiting.remove(&(at, id));
            let order = self.orders.get_mut(&id).expect("indexes name orders that are there");
            order.state = PaymentState::Closed;
            tracing::info!(order = order.content.partner_order_no, "time to pay is over");
            self.finished.push_back(id);
        }
    }

    pub(super) fn settle(&mut self, now: OffsetDateTime) {
        while let Some((at, id)) = self.settling.first().copied().filter(|(at, _)| *at <= now) {
            self.settling.remove(&(at, id));
            // It may have been forgotten to make room.
            if let Some(order) = self.orders.get_mut(&id) {
                order.settle_due_refunds(now);
            }
        }
    }

    pub(super) fn of_partner(&self, partner_no: &str, partner_order_no: &str) -> Option<u64> {
        let ids = self.by_partner_order_no.get(partner_order_no)?;
        ids.iter().copied().find(|id| self.orders[id].content.partner_no == partner_no)
    }

    pub(super) fn open(&mut self, content: Content, pay_base: &str, now: OffsetDateTime) -> Order {
        self.last_id += 1;
        let order = Order {
            expires_at: expires_at(&content, now),
            id: self.last_id,
            order_no: self.unused_order_no(now),
            pay_url: format!("{pay_base}{}", chance::token()),
            state: PaymentState::Awaiting,
            paid_with: None,
            paid_at: None,
            refunds: Vec::new(),
            creates: 1,
            queries: 0,
            notices: 0,
            acknowledged: false,
            content,
        };
        self.enter(order.clone());
        order
    }

    pub(super) fn enter(&mut self, order: Order) {
        self.by_partner_order_no.entry(order.content.partner_order_no.clone()).or_default().push(order.id);
        self.by_order_no.insert(order.order_no.clone(), order.id);
        self.by_token.insert(order.token().to_owned(), order.id);
        if order.state == PaymentState::Awaiting {
            self.awaiting.insert((order.expires_at, order.id));
        }
        let ends = order.refunds.iter().filter_map(|refund| refund.ends);
        self.settling.extend(ends.map(|ending| (ending.at, order.id)));
        self.orders.insert(order.id, order);
    }

    /// 14 digits of time and 10 of chance, so that a restarted sandbox gives no number again.
    fn unused_order_no(&self, now: OffsetDateTime) -> String {
        let (date, time) = (now.date(), now.time());
        loop {
            let number = format!(
                "{:04}{:02}{:02}{:02}{:02}{:02}{}",
                date.year(),
                u8::from(date.month()),
                date.day(),
                time.hour(),
                time.minute(),
                time.second(),
                chance::digits(10)
            );
            if !self.by_order_no.contains_key(&number) {
                return number;
            }
        }
    }

    pub(super) fn make_room(&mut self) {
        let victim = self.finished.pop_front().or_else(|| self.orders.keys().next().copied());
        let Some(order) = victim.and_then(|id| self.orders.remove(&id)) else { return };
        self.by_order_no.remove(&order.order_no);
        self.by_token.remove(order.token());
        self.awaiting.remove(&(order.expires_at, order.id));
        let number = &order.content.partner_order_no;
        if let Some(ids) = self.by_partner_order_no.get_mut(number) {
            ids.retain(|id| *id != order.id);
            if ids.is_empty() {
                self.by_partner_order_no.remove(number);
            }
        }
    }
}
