//! The sandbox's other side: what a test or a script can ask it and tell it to do.

pub(crate) mod http;

use std::sync::Arc;

use serde::Deserialize;
use shared::wallet::Wallet;

use crate::chance;
use crate::directory::Partner;
use crate::faults::{Fault, Operation, Times, TooMany, WaitingFault, catalogue};
use crate::notices::{self, NoticeOutcome, Twist};
use crate::orders::{Order, PaidWith, PaymentState, Refund, RefundState, WrongState};
use crate::state::{State, some_payer};
use crate::style::Style;
use crate::traffic::{Counts, SeenRequest};
use crate::violations::Violation;

/// Handle on a running sandbox. An order is named by the partner's order number (of several partners' orders
/// with that number, the newest) or by ScanForPay's `orderNo`.
#[derive(Clone)]
pub struct Control {
    state: Arc<State>,
}

/// Why the control did not do as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlError {
    NoSuchOrder,
    /// The order is in this state, from which that move is not open.
    WrongState(PaymentState),
    /// More than this cannot be refunded.
    TooMuch(i64),
    NoSuchRefund,
    /// The order has no notifyUrl.
    NobodyToNotify,
    TooManyFaults,
    /// The fault cannot strike there.
    MisplacedFault,
    NoSuchFault,
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchOrder => f.write_str("no such order"),
            Self::WrongState(state) => write!(f, "the order is {}", state.as_str()),
            Self::TooMuch(left) => write!(f, "only {left} can be refunded still"),
            Self::NoSuchRefund => f.write_str("no such refund is in progress"),
            Self::NobodyToNotify => f.write_str("the order has no notifyUrl"),
            Self::MisplacedFault => f.write_str("this fault cannot strike this operation"),
            Self::NoSuchFault => f.write_str("no fault has this name"),
            Self::TooManyFaults => f.write_str("too many faults are waiting"),
        }
    }
}

impl std::error::Error for ControlError {}

impl From<WrongState> for ControlError {
    fn from(WrongState(state): WrongState) -> Self {
        Self::WrongState(state)
    }
}

impl From<TooMany> for ControlError {
    fn from(TooMany: TooMany) -> Self {
        Self::TooManyFaults
    }
}

/// Who pays; what is left out is the order's wallet and a made-up account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Payer {
    pub wallet: Option<Wallet>,
    pub buyer: Option<String>,
    pub buyer_id: Option<String>,
}

impl Payer {
    pub(crate) fn of(self, order: &Order) -> PaidWith {
        let wallet = self.wallet.unwrap_or(order.content.wallet);
        let usual = some_payer(wallet);
        PaidWith {
            wallet,
            buyer: self.buyer.unwrap_or(usual.buyer),
            buyer_id: self.buyer_id.unwrap_or(usual.buyer_id),
        }
    }
}

/// Orders: what there is, and what payers do.
impl Control {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// Oldest first.
    pub fn orders(&self) -> Vec<Order> {
        self.state.orders.all()
    }

    pub fn order(&self, number: &str) -> Option<Order> {
        self.state.orders.find(number)
    }

    fn known(&self, number: &str) -> Result<Order, ControlError> {
        self.order(number).ok_or(ControlError::NoSuchOrder)
    }

    /// Pay, also what failed or was closed (a late payment). Notified like a payment on the page.
    pub fn pay(&self, number: &str, payer: Payer) -> Result<Order, ControlError> {
        let order = self.known(number)?;
        let paid_with = payer.of(&order);
        Ok(self.state.pay(order.id, paid_with)?)
    }

    /// The payment fails: status 2.
    pub fn fail(&self, number: &str) -> Result<Order, ControlError> {
        self.advance(number, PaymentState::Failed)
    }

    /// The order is closed: queries are answered with code 33.
    pub fn close(&self, number: &str) -> Result<Order, ControlError> {
        self.advance(number, PaymentState::Closed)
    }

    /// Refund all that is left, as if in ScanForPay's own back office: status 3. Nobody is notified.
    pub fn refund(&self, number: &str) -> Result<Order, ControlError> {
        let left = self.known(number)?.refundable();
        self.refund_some(number, left)
    }

    /// The same with a part of it.
    pub fn refund_some(&self, number: &str, amount: i64) -> Result<Order, ControlError> {
        let order = self.known(number)?;
        let left = order.refundable();
        if left == 0 {
            return Err(ControlError::WrongState(order.state));
        }
        if !(1..=left).contains(&amount) {
            return Err(ControlError::TooMuch(left));
        }
        let refund_no = format!("elsewhere-{}", chance::digits(12));
        let refunded = self.state.orders.refund(order.id, &refund_no, amount, RefundState::Refunded, None);
        refunded.map_err(|_| ControlError::TooMuch(left))?;
        self.known(&order.order_no)
    }

    /// End a refund that is in progress, well or badly.
    pub fn end_refund(
        &self,
        number: &str,
        refund_no: &str,
        end: RefundState,
    ) -> Result<Refund, ControlError> {
        let order = self.known(number)?;
        self.state.orders.end_refund(order.id, refund_no, end).ok_or(ControlError::NoSuchRefund)
    }

    /// Pay what a scanned code stands for: the text of a transaction QR code, or the address of a payment page. As a
    /// payer can: nothing that was closed.
    pub fn scan(&self, text: &str, payer: Payer) -> Result<Order, ControlError> {
        let token = text.rsplit('/').next().unwrap_or_default();
        let order = self.state.orders.by_token(token).ok_or(ControlError::NoSuchOrder)?;
        if order.state == PaymentState::Closed {
            return Err(ControlError::WrongState(order.state));
        }
        let paid_with = payer.of(&order);
        Ok(self.state.pay(order.id, paid_with)?)
    }

    fn advance(&self, number: &str, next: PaymentState) -> Result<Order, ControlError> {
        let order = self.known(number)?;
        let order = self.state.orders.become_state(order.id, next)?;
        tracing::info!(order = order.content.partner_order_no, state = next.as_str(), "moved");
        Ok(order)
    }

    /// Add a partner, or replace the one with this number (a new sign key, another store).
    pub fn set_partner(&self, partner: Partner) -> anyhow::Result<()> {
        self.state.directory.set(partner)
    }
}

/// Notices.
impl Control {
    /// Whether payments are notified by themselves from now on. What was held back is not made up for: send it
    /// with `notify_now`.
    pub fn automatic_notices(&self, automatic: bool) {
        self.state.notifier.set_automatic(automatic);
    }

    /// Make one attempt at a true notice, in whatever state the order is, and wait for its outcome.
    pub async fn notify_now(&self, number: &str) -> Result<NoticeOutcome, ControlError> {
        self.notify(number, None).await
    }

    /// The same with something wrong.
    pub async fn notify_twisted(&self, number: &str, twist: Twist) -> Result<NoticeOutcome, ControlError> {
        self.notify(number, Some(&twist)).await
    }

    pub(crate) async fn notify(
        &self,
        number: &str,
        twist: Option<&Twist>,
    ) -> Result<NoticeOutcome, ControlError> {
        let order = self.known(number)?;
        notices::send(&self.state, &order, twist).await.ok_or(ControlError::NobodyToNotify)
    }

    /// The bytes of a notice, signed, for a test that sends them itself.
    pub fn notice(&self, number: &str, twist: Option<&Twist>) -> Result<String, ControlError> {
        let order = self.known(number)?;
        notices::document(&self.state, &order, twist).ok_or(ControlError::NobodyToNotify)
    }
}

/// Faults and styles.
impl Control {
    /// Let something go wrong with the next calls, notices or payers, behind the faults that wait already.
    pub fn fault(&self, operation: Operation, fault: Fault, times: Times) -> Result<(), ControlError> {
        if !fault.fits(operation) {
            return Err(ControlError::MisplacedFault);
        }
        Ok(self.state.faults.add(operation, fault, times)?)
    }

    /// The same with a fault of the catalogue.
    pub fn fault_named(&self, name: &str, times: Times) -> Result<(), ControlError> {
        let (operation, fault) = catalogue::named(name).ok_or(ControlError::NoSuchFault)?;
        self.fault(operation, fault, times)
    }

    pub fn waiting_faults(&self) -> Vec<WaitingFault> {
        self.state.faults.waiting()
    }

    /// Forget the faults that wait. Answers held at a gate stay held.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Open every gate.
    pub fn release(&self) {
        self.state.faults.release();
    }

    /// Write answers and notices like this from now on.
    pub fn set_style(&self, style: Style) {
        self.state.set_style(style);
    }

    pub fn style(&self) -> Style {
        self.state.style()
    }
}

/// What was seen.
impl Control {
    /// The newest thousand, oldest first.
    pub fn violations(&self) -> Vec<Violation> {
        self.state.violations.list()
    }

    pub fn clear_violations(&self) {
        self.state.violations.clear();
    }

    /// The latest calls as they were sent, oldest first.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.state.traffic.requests()
    }

    pub fn counts(&self) -> Counts {
        self.state.traffic.counts()
    }

    /// Wait until the counters say so. Like all waiting here without a deadline: the caller knows how long is
    /// too long.
    pub async fn until(&self, enough: impl FnMut(&Counts) -> bool) -> Counts {
        self.state.traffic.until(enough).await
    }

    /// Wait until `count` create calls in all have arrived and been judged; their answers may not have left.
    pub async fn seen_creates(&self, count: u64) {
        self.until(|counts| counts.creates >= count).await;
    }

    pub async fn seen_queries(&self, count: u64) {
        self.until(|counts| counts.queries >= count).await;
    }

    pub async fn seen_refunds(&self, count: u64) {
        self.until(|counts| counts.refunds >= count).await;
    }

    pub async fn seen_payments(&self, count: u64) {
        self.until(|counts| counts.payments >= count).await;
    }

    /// Wait until `count` attempts at notices in all have ended, well or badly.
    pub async fn seen_notices(&self, count: u64) {
        self.until(|counts| counts.notices >= count).await;
    }
}
