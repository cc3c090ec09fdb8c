//! The orders, as ScanForPay holds them: every order and every move of one passes here. Kept in memory and
//! bounded: when the book is full, the order that was finished longest ago makes room.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use shared::money::Currency;
use shared::wallet::Wallet;
use time::OffsetDateTime;

use crate::chance;

/// How many orders are kept.
pub const MAX_ORDERS: usize = 100_000;

/// What the partner asked for. Two calls with equal content are the same call made twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    pub partner_no: String,
    pub store_no: String,
    pub partner_order_no: String,
    pub wallet: Wallet,
    #[serde(serialize_with = "as_text")]
    pub currency: Currency,
    /// In the currency's smallest unit.
    pub amount: i64,
    pub goods_amount: Option<i64>,
    pub goods_extra_amount: Option<i64>,
    pub title: Option<String>,
    pub operator_id: Option<String>,
    pub terminal_no: Option<String>,
    pub notify_url: Option<String>,
    pub return_url: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn as_text<S: serde::Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(currency.as_str())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    Awaiting,
    /// Called off: by the payer on the page, or through the control. Queries are answered with code 33.
    Closed,
    Failed,
    Paid,
    Refunded,
}

impl PaymentState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awaiting => "awaiting",
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Paid => "paid",
            Self::Refunded => "refunded",
        }
    }

    /// `status` of a query's answer. A closed order is answered with code 33 instead.
    pub fn wire_status(self) -> i64 {
        match self {
            Self::Awaiting => 0,
            Self::Paid => 1,
            Self::Failed | Self::Closed => 2,
            Self::Refunded => 3,
        }
    }

    /// A payment can still arrive for an order that failed or was closed: late, but money.
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Awaiting, Self::Paid | Self::Failed | Self::Closed)
                | (Self::Failed, Self::Paid | Self::Closed)
                | (Self::Closed, Self::Paid)
                | (Self::Paid, Self::Refunded)
        )
    }
}

/// Who paid with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaidWith {
    pub wallet: Wallet,
    /// Masked account, at most 30 characters.
    pub buyer: String,
    pub buyer_id: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// In the order of creation.
    #[serde(skip)]
    pub id: u64,
    #[serde(flatten)]
    pub content: Content,
    /// ScanForPay's own number.
    pub order_no: String,
    pub pay_url: String,
    pub state: PaymentState,
    pub paid_with: Option<PaidWith>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub paid_at: Option<OffsetDateTime>,
    /// How often it was created: 1, and repeats with the same content.
    pub creates: u32,
    pub queries: u32,
    /// Attempts at notices, and whether one was answered with `success`.
    pub notices: u32,
    pub acknowledged: bool,
}

/// What came of asking for an order.
#[derive(Debug)]
pub(crate) enum Created {
    New(Order),
    /// The number is taken by the same content, still to be paid: the first answer again.
    Again(Order),
    /// The number is taken by other content, or by an order that is decided.
    Taken(PaymentState),
}

/// The move is not open to an order in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongState(pub PaymentState);

pub(crate) struct Orders {
    pay_base: String,
    capacity: usize,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    last_id: u64,
    orders: BTreeMap<u64, Order>,
    /// Partners number for themselves, so a number can lead to several orders.
    by_partner_order_no: HashMap<String, Vec<u64>>,
    by_order_no: HashMap<String, u64>,
    by_token: HashMap<String, u64>,
    /// In the order in which they stopped waiting for a payment.
    finished: VecDeque<u64>,
}

impl Orders {
    pub(crate) fn new(public_url: &str, capacity: usize) -> Self {
        let pay_base = format!("{}/pay/", public_url.trim_end_matches('/'));
        Self { pay_base, capacity, book: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Open an order, or find it opened before under the same partner's number.
    pub(crate) fn create(&self, content: Content, now: OffsetDateTime) -> Created {
        let mut book = self.book();
        if let Some(id) = book.of_partner(&content.partner_no, &content.partner_order_no) {
            let order = book.orders.get_mut(&id).expect("indexes name orders that are there");
            if order.state != PaymentState::Awaiting || order.content != content {
                return Created::Taken(order.state);
            }
            order.creates += 1;
            return Created::Again(order.clone());
        }
        if book.orders.len() >= self.capacity {
            book.make_room();
        }
        let order = book.open(content, &self.pay_base, now);
        Created::New(order)
    }

    /// What a create would come to, without making it.
    pub(crate) fn foresee(&self, content: &Content) -> Option<PaymentState> {
        let book = self.book();
        let id = book.of_partner(&content.partner_no, &content.partner_order_no)?;
        let order = &book.orders[&id];
        (order.state != PaymentState::Awaiting || order.content != *content).then_some(order.state)
    }

    pub(crate) fn get(&self, id: u64) -> Option<Order> {
        self.book().orders.get(&id).cloned()
    }

    pub(crate) fn of_partner(&self, partner_no: &str, partner_order_no: &str) -> Option<Order> {
        let book = self.book();
        book.of_partner(partner_no, partner_order_no).map(|id| book.orders[&id].clone())
    }

    pub(crate) fn by_order_no(&self, order_no: &str) -> Option<Order> {
        let book = self.book();
        book.by_order_no.get(order_no).map(|id| book.orders[id].clone())
    }

    pub(crate) fn by_token(&self, token: &str) -> Option<Order> {
        let book = self.book();
        book.by_token.get(token).map(|id| book.orders[id].clone())
    }

    /// The order with this `orderNo`, or the newest that any partner gave this number.
    pub(crate) fn find(&self, number: &str) -> Option<Order> {
        let book = self.book();
        let newest = || book.by_partner_order_no.get(number).and_then(|ids| ids.last());
        let id = book.by_order_no.get(number).or_else(newest)?;
        Some(book.orders[id].clone())
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> Vec<Order> {
        self.book().orders.values().cloned().collect()
    }

    /// The newest `count`, newest first.
    pub(crate) fn newest(&self, count: usize) -> Vec<Order> {
        self.book().orders.values().rev().take(count).cloned().collect()
    }

    pub(crate) fn pay(&self, id: u64, paid_with: PaidWith, now: OffsetDateTime) -> Result<Order, WrongState> {
        self.advance(id, PaymentState::Paid, |order| {
            order.paid_with = Some(paid_with);
            order.paid_at = Some(now);
        })
    }

    /// Move to a state that carries no payment of its own. The order must exist.
    pub(crate) fn become_state(&self, id: u64, next: PaymentState) -> Result<Order, WrongState> {
        self.advance(id, next, |_| ())
    }

    fn advance(
        &self,
        id: u64,
        next: PaymentState,
        change: impl FnOnce(&mut Order),
    ) -> Result<Order, WrongState> {
        let mut book = self.book();
        let Some(order) = book.orders.get_mut(&id) else { return Err(WrongState(PaymentState::Closed)) };
        if !order.state.may_become(next) {
            return Err(WrongState(order.state));
        }
        let was_awaiting = order.state == PaymentState::Awaiting;
        order.state = next;
        change(order);
        let order = order.clone();
        if was_awaiting {
            book.finished.push_back(id);
        }
        Ok(order)
    }

    pub(crate) fn note(&self, id: u64, change: impl FnOnce(&mut Order)) {
        if let Some(order) = self.book().orders.get_mut(&id) {
            change(order);
        }
    }
}

impl Book {
    fn of_partner(&self, partner_no: &str, partner_order_no: &str) -> Option<u64> {
        let ids = self.by_partner_order_no.get(partner_order_no)?;
        ids.iter().copied().find(|id| self.orders[id].content.partner_no == partner_no)
    }

    fn open(&mut self, content: Content, pay_base: &str, now: OffsetDateTime) -> Order {
        self.last_id += 1;
        let token = chance::token();
        let order = Order {
            id: self.last_id,
            order_no: self.unused_order_no(now),
            pay_url: format!("{pay_base}{token}"),
            state: PaymentState::Awaiting,
            paid_with: None,
            paid_at: None,
            creates: 1,
            queries: 0,
            notices: 0,
            acknowledged: false,
            content,
        };
        self.by_partner_order_no.entry(order.content.partner_order_no.clone()).or_default().push(order.id);
        self.by_order_no.insert(order.order_no.clone(), order.id);
        self.by_token.insert(token, order.id);
        self.orders.insert(order.id, order.clone());
        order
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

    fn make_room(&mut self) {
        let victim = self.finished.pop_front().or_else(|| self.orders.keys().next().copied());
        let Some(order) = victim.and_then(|id| self.orders.remove(&id)) else { return };
        self.by_order_no.remove(&order.order_no);
        if let Some((_, token)) = order.pay_url.rsplit_once('/') {
            self.by_token.remove(token);
        }
        let number = &order.content.partner_order_no;
        if let Some(ids) = self.by_partner_order_no.get_mut(number) {
            ids.retain(|id| *id != order.id);
            if ids.is_empty() {
                self.by_partner_order_no.remove(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::PaymentState::{Awaiting, Closed, Failed, Paid, Refunded};
    use super::*;

    const NOW: OffsetDateTime = datetime!(2018-07-25 18:06:05 +8);

    fn content(number: &str) -> Content {
        Content {
            partner_no: "10001".to_owned(),
            store_no: "100010000000002".to_owned(),
            partner_order_no: number.to_owned(),
            wallet: Wallet::Alipay,
            currency: Currency::parse("HKD").expect("a code"),
            amount: 2100,
            goods_amount: None,
            goods_extra_amount: None,
            title: None,
            operator_id: None,
            terminal_no: None,
            notify_url: None,
            return_url: None,
        }
    }

    fn opened(orders: &Orders, number: &str) -> Order {
        match orders.create(content(number), NOW) {
            Created::New(order) => order,
            other => panic!("expected a new order: {other:?}"),
        }
    }

    #[test]
    fn a_number_leads_to_one_order_of_a_partner() {
        let orders = Orders::new("http://sandbox/", 10);
        let first = opened(&orders, "p1");
        assert!(first.pay_url.starts_with("http://sandbox/pay/"));
        assert_eq!((first.order_no.len(), &first.order_no[..14]), (24, "20180725180605"));
        assert!(matches!(orders.create(content("p1"), NOW), Created::Again(again) if again.id == first.id));
        let dearer = Content { amount: 2101, ..content("p1") };
        assert!(matches!(orders.create(dearer, NOW), Created::Taken(Awaiting)));
        let another_partners = Content { partner_no: "10002".to_owned(), ..content("p1") };
        assert!(matches!(orders.create(another_partners, NOW), Created::New(_)));
        orders.become_state(first.id, Closed).expect("may be closed");
        assert!(matches!(orders.create(content("p1"), NOW), Created::Taken(Closed)));
    }

    #[test]
    fn the_moves_are_those_of_the_list() {
        let all = [Awaiting, Closed, Failed, Paid, Refunded];
        let moves: Vec<_> = all
            .into_iter()
            .flat_map(|from| all.map(|to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        assert_eq!(
            moves,
            [
                (Awaiting, Closed),
                (Awaiting, Failed),
                (Awaiting, Paid),
                (Closed, Paid),
                (Failed, Closed),
                (Failed, Paid),
                (Paid, Refunded)
            ]
        );
    }

    #[test]
    fn a_full_book_forgets_what_was_finished_first_and_only_then_what_is_oldest() {
        let orders = Orders::new("http://sandbox", 3);
        let [a, b, c] = ["a", "b", "c"].map(|number| opened(&orders, number));
        orders.become_state(c.id, Failed).expect("may fail");
        orders.become_state(b.id, Closed).expect("may be closed");
        opened(&orders, "d");
        assert!(orders.get(c.id).is_none() && orders.find("c").is_none());
        assert!(orders.by_order_no(&c.order_no).is_none());
        opened(&orders, "e");
        assert!(orders.get(b.id).is_none());
        opened(&orders, "f");
        assert!(orders.get(a.id).is_none(), "nothing is finished, so the oldest goes");
        assert_eq!(orders.newest(9).len(), 3);
        assert_eq!(orders.book().by_token.len(), 3);
        assert_eq!(orders.book().by_partner_order_no.len(), 3);
    }
}
