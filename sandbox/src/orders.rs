//! The orders, as ScanForPay holds them: every order and every move of one passes here. Kept in memory and
//! bounded: when the book is full, the order that was finished longest ago makes room.

mod book;
mod order;
mod refunds;

use std::sync::{Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use tokio::sync::watch;

use self::book::Book;
pub use self::order::{Content, Ending, Order, PaidWith, PaymentState, Refund, RefundState};
pub(crate) use self::refunds::NotRefunded;
use crate::Clock;

/// How many orders are kept.
pub const MAX_ORDERS: usize = 100_000;

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
    /// In ScanForPay's own zone.
    clock: Clock,
    book: Mutex<Book>,
    changes: watch::Sender<()>,
}

impl Orders {
    pub(crate) fn new(public_url: &str, capacity: usize, clock: Clock) -> Self {
        let pay_base = format!("{}/pay/", public_url.trim_end_matches('/'));
        Self { pay_base, capacity, clock, book: Mutex::default(), changes: watch::Sender::new(()) }
    }

    /// Orders of a sandbox that stopped, oldest first. Their pages are found at today's address.
    pub(crate) fn restore(&self, orders: Vec<Order>) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        for mut order in orders {
            order.pay_url = format!("{}{}", self.pay_base, order.token());
            book.last_id += 1;
            order.id = book.last_id;
            if order.state != PaymentState::Awaiting {
                book.finished.push_back(order.id);
            }
            book.enter(order);
        }
    }

    /// Changes once for every change of an order, or a few of them.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The book as of now: no look at it sees an order as payable whose time is over, or a refund as in
    /// progress that has ended.
    fn book(&self) -> MutexGuard<'_, Book> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.clock)();
        book.expire(now);
        book.settle(now);
        book
    }

    /// The same for changing it.
    fn book_to_change(&self) -> MutexGuard<'_, Book> {
        let book = self.book();
        // Whoever is woken by this waits for the book, and with it for the change.
        self.changes.send_replace(());
        book
    }

    /// Open an order, or find it opened before under the same partner's number.
    pub(crate) fn create(&self, content: Content) -> Created {
        let mut book = self.book_to_change();
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
        let order = book.open(content, &self.pay_base, (self.clock)());
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

    pub(crate) fn pay(&self, id: u64, paid_with: PaidWith) -> Result<Order, WrongState> {
        let now = (self.clock)();
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
        let mut book = self.book_to_change();
        let Some(order) = book.orders.get_mut(&id) else { return Err(WrongState(PaymentState::Closed)) };
        if !order.state.may_become(next) {
            return Err(WrongState(order.state));
        }
        let was_awaiting = order.state == PaymentState::Awaiting;
        order.state = next;
        change(order);
        let order = order.clone();
        if was_awaiting {
            book.awaiting.remove(&(order.expires_at, id));
            book.finished.push_back(id);
        }
        Ok(order)
    }

    /// Give it this time to pay; `None` where it is not waiting to be paid.
    pub(crate) fn expire_at(&self, id: u64, at: OffsetDateTime) -> Option<Order> {
        let mut book = self.book_to_change();
        let order = book.orders.get_mut(&id).filter(|order| order.state == PaymentState::Awaiting)?;
        let was = std::mem::replace(&mut order.expires_at, at);
        let order = order.clone();
        book.awaiting.remove(&(was, id));
        book.awaiting.insert((at, id));
        Some(order)
    }

    /// The partner's newest order but this one.
    pub(crate) fn other_than(&self, order: &Order) -> Option<Order> {
        let book = self.book();
        let partner_no = &order.content.partner_no;
        let mut others = book.orders.values().rev();
        others.find(|other| other.id != order.id && other.content.partner_no == *partner_no).cloned()
    }

    pub(crate) fn note(&self, id: u64, change: impl FnOnce(&mut Order)) {
        if let Some(order) = self.book_to_change().orders.get_mut(&id) {
            change(order);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use shared::money::Currency;
    use shared::wallet::Wallet;
    use time::macros::datetime;

    use super::PaymentState::{Awaiting, Closed, Failed, Paid, Refunded};
    use super::*;
    use crate::products::Product;

    const NOW: OffsetDateTime = datetime!(2018-07-25 18:06:05 +8);

    fn content(number: &str) -> Content {
        Content {
            product: Product::Qrcode,
            partner_no: "10001".to_owned(),
            store_no: "100010000000002".to_owned(),
            partner_order_no: number.to_owned(),
            wallet: Wallet::Alipay,
            barcode: None,
            currency: Currency::parse("HKD").expect("a code"),
            amount: 2100,
            goods_amount: None,
            goods_extra_amount: None,
            title: None,
            operator_id: None,
            terminal_no: None,
            notify_url: None,
            return_url: None,
            time_to_pay: None,
        }
    }

    fn book_of(capacity: usize) -> Orders {
        Orders::new("http://sandbox/", capacity, Arc::new(|| NOW))
    }

    fn opened(orders: &Orders, number: &str) -> Order {
        match orders.create(content(number)) {
            Created::New(order) => order,
            other => panic!("expected a new order: {other:?}"),
        }
    }

    #[test]
    fn a_number_leads_to_one_order_of_a_partner() {
        let orders = book_of(10);
        let first = opened(&orders, "p1");
        assert!(first.pay_url.starts_with("http://sandbox/pay/"));
        assert_eq!((first.order_no.len(), &first.order_no[..14]), (24, "20180725180605"));
        assert!(matches!(orders.create(content("p1")), Created::Again(again) if again.id == first.id));
        let dearer = Content { amount: 2101, ..content("p1") };
        assert!(matches!(orders.create(dearer), Created::Taken(Awaiting)));
        let another_partners = Content { partner_no: "10002".to_owned(), ..content("p1") };
        assert!(matches!(orders.create(another_partners), Created::New(_)));
        orders.become_state(first.id, Closed).expect("may be closed");
        assert!(matches!(orders.create(content("p1")), Created::Taken(Closed)));
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
        let orders = book_of(3);
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

    #[test]
    fn what_is_not_paid_in_time_is_closed_at_the_next_look() {
        let minutes = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&minutes);
        let clock: Clock = Arc::new(move || NOW + time::Duration::minutes(clock.load(Ordering::Relaxed)));
        let orders = Orders::new("http://sandbox/", 10, clock);
        let of = |product, time_to_pay: Option<&str>, number| {
            let time_to_pay = time_to_pay.map(str::to_owned);
            match orders.create(Content { product, time_to_pay, ..content(number) }) {
                Created::New(order) => order,
                other => panic!("expected a new order: {other:?}"),
            }
        };
        of(Product::TransactionQr, None, "a");
        of(Product::TransactionQr, Some("10m"), "b");
        of(Product::TransactionQr, Some("1c"), "c");
        let paid = of(Product::Qrcode, None, "d");
        let paid_with = PaidWith { wallet: Wallet::Alipay, buyer: String::new(), buyer_id: String::new() };
        orders.pay(paid.id, paid_with).expect("may be paid");
        let mut seen = Vec::new();
        for now in [2, 3, 9, 10, 353, 354, 1_500] {
            minutes.store(now, Ordering::Relaxed);
            let states: String = ["a", "b", "c", "d"]
                .map(|number| orders.find(number).expect("is there").state.as_str().chars().next())
                .into_iter()
                .flatten()
                .collect();
            seen.push(states);
        }
        assert_eq!(seen, ["aaap", "caap", "caap", "ccap", "ccap", "cccp", "cccp"]);
    }

    #[test]
    fn refunds_never_come_to_more_than_was_paid() {
        let orders = book_of(10);
        let id = opened(&orders, "p1").id;
        let ask = |number: &str, amount, state| {
            orders.refund(id, number, amount, state, None).map(|r| (r.state, r.asked))
        };
        let (done, open) = (RefundState::Refunded, RefundState::InProgress);
        assert_eq!(ask("r1", 1, done), Err(NotRefunded::NotPaid(Awaiting)));
        let paid_with = PaidWith { wallet: Wallet::Alipay, buyer: String::new(), buyer_id: String::new() };
        orders.pay(id, paid_with).expect("may be paid");
        assert_eq!(ask("r1", 2101, done), Err(NotRefunded::TooMuch(2100)));
        assert_eq!(ask("r1", 1000, done), Ok((done, 1)));
        assert_eq!(ask("r1", 1000, done), Ok((done, 2)));
        assert_eq!(ask("r1", 999, done), Err(NotRefunded::Taken));
        assert_eq!(ask("r2", 600, open), Ok((open, 1)));
        assert_eq!(ask("r3", 501, done), Err(NotRefunded::TooMuch(500)), "what is in progress is kept");
        assert_eq!(
            orders.end_refund(id, "r2", RefundState::Failed).map(|r| r.state),
            Some(RefundState::Failed)
        );
        assert_eq!(orders.end_refund(id, "r2", done), None, "an end is final");
        assert_eq!(orders.get(id).map(|order| (order.state, order.refunded())), Some((Paid, 1000)));
        assert_eq!(ask("r3", 1100, open), Ok((open, 1)));
        assert_eq!(orders.get(id).map(|order| order.state), Some(Paid));
        orders.end_refund(id, "r3", done);
        assert_eq!(orders.get(id).map(|order| (order.state, order.refundable())), Some((Refunded, 0)));
        assert_eq!(ask("r4", 1, done), Err(NotRefunded::TooMuch(0)));
        assert_eq!(ask("r1", 1000, done), Ok((done, 3)), "also after the last of it");
    }
}
