//! What the shop knows: every notice as it came, each paid order once, and how it is to answer.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::envelope::{Envelope, Side};
use shared::json::{Member, Object};
use shared::money::Currency;
use tokio::sync::watch;

use super::Belief;
use crate::faults::Gate;

/// Notices kept; older ones are forgotten, and still counted.
const MAX_RECEIVED: usize = 10_000;
/// Paid orders kept.
const MAX_PAID: usize = 100_000;

/// A notice as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub raw: Vec<u8>,
    /// Signed with the shop's key, for the shop's partnerNo.
    pub verified: bool,
    /// What it says, true or not; empty and `None` where it does not.
    pub partner_order_no: String,
    pub code: Option<i64>,
    pub status: Option<i64>,
    pub amount: Option<i64>,
    pub currency: String,
    pub wallet: String,
}

/// An order that a true notice has told to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub partner_order_no: String,
    pub amount: i64,
    pub currency: String,
    pub wallet: String,
    /// How many notices have said so.
    pub told: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub received: usize,
    pub paid: usize,
}

pub(super) struct Till {
    partner_no: String,
    print: bool,
    drawer: Mutex<Drawer>,
    counts: watch::Sender<Counts>,
}

struct Drawer {
    sign_key: String,
    received: VecDeque<Received>,
    paid: HashMap<String, Payment>,
    paid_order: VecDeque<String>,
    usual: Answer,
    queued: VecDeque<Answer>,
    gate: Option<Gate>,
}

impl Till {
    pub(super) fn new(partner_no: String, sign_key: String, print: bool) -> Self {
        let drawer = Drawer {
            sign_key,
            received: VecDeque::new(),
            paid: HashMap::new(),
            paid_order: VecDeque::new(),
            usual: Answer { status: 200, body: "success".to_owned() },
            queued: VecDeque::new(),
            gate: None,
        };
        let counts = watch::Sender::new(Counts::default());
        Self { partner_no, print, drawer: Mutex::new(drawer), counts }
    }

    fn drawer(&self) -> MutexGuard<'_, Drawer> {
        self.drawer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was posted, as far as it is a notice.
    pub(super) fn read(&self, raw: &[u8]) -> Received {
        read(raw, &self.partner_no, &self.drawer().sign_key)
    }

    /// Take a notice: what to answer, and the gate to wait at before.
    pub(super) fn receive(&self, notice: Received, belief: Belief) -> (Answer, Option<Gate>) {
        let mut drawer = self.drawer();
        let is_news = belief == Belief::Agrees && drawer.note_payment(&notice);
        if is_news && self.print {
            print_payment(&notice);
        }
        let refusal = |status| Answer { status, body: "fail".to_owned() };
        let answer = match drawer.queued.pop_front() {
            Some(answer) => answer,
            None if !notice.verified || belief == Belief::Differs => refusal(200),
            // It comes again, and by then the books may be there.
            None if belief == Belief::Unknown => refusal(503),
            None => drawer.usual.clone(),
        };
        if drawer.received.len() == MAX_RECEIVED {
            drawer.received.pop_front();
        }
        drawer.received.push_back(notice);
        let gate = drawer.gate.clone();
        drop(drawer);
        self.counts.send_modify(|counts| {
            counts.received += 1;
            counts.paid += usize::from(is_news);
        });
        (answer, gate)
    }

    pub(super) async fn until(&self, enough: impl Fn(&Counts) -> bool) {
        let mut counts = self.counts.subscribe();
        counts.wait_for(enough).await.expect("the sender is borrowed for as long as this waits");
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.drawer().received.iter().cloned().collect()
    }

    pub(super) fn paid(&self) -> Vec<Payment> {
        let drawer = self.drawer();
        drawer.paid_order.iter().map(|number| drawer.paid[number].clone()).collect()
    }

    pub(super) fn is_paid(&self, number: &str) -> bool {
        self.drawer().paid.contains_key(number)
    }

    pub(super) fn set_answer(&self, status: u16, body: &str) {
        self.drawer().usual = Answer { status, body: body.to_owned() };
    }

    pub(super) fn queue_answer(&self, status: u16, body: &str) {
        self.drawer().queued.push_back(Answer { status, body: body.to_owned() });
    }

    pub(super) fn hold(&self) -> Gate {
        let gate = Gate::new();
        self.drawer().gate = Some(gate.clone());
        gate
    }

    pub(super) fn set_sign_key(&self, sign_key: &str) {
        sign_key.clone_into(&mut self.drawer().sign_key);
    }
}

impl Drawer {
    /// Whether this is the first true notice of this order's payment.
    fn note_payment(&mut self, notice: &Received) -> bool {
        let is_true = notice.verified && notice.code == Some(1) && notice.status == Some(1);
        let Some(amount) = notice.amount.filter(|_| is_true) else { return false };
        if let Some(known) = self.paid.get_mut(&notice.partner_order_no) {
            known.told += 1;
            return false;
        }
        if self.paid_order.len() == MAX_PAID
            && let Some(oldest) = self.paid_order.pop_front()
        {
            self.paid.remove(&oldest);
        }
        self.paid_order.push_back(notice.partner_order_no.clone());
        let payment = Payment {
            partner_order_no: notice.partner_order_no.clone(),
            amount,
            currency: notice.currency.clone(),
            wallet: notice.wallet.clone(),
            told: 1,
        };
        self.paid.insert(payment.partner_order_no.clone(), payment);
        true
    }
}

fn read(raw: &[u8], partner_no: &str, sign_key: &str) -> Received {
    let envelope = Envelope::read(raw, Side::Response).ok();
    let verified = envelope.as_ref().is_some_and(|envelope| {
        envelope.header_text(&["partnerNo"]).is_some_and(|claimed| claimed == partner_no)
            && envelope.verifies(sign_key)
    });
    let body = envelope.as_ref().map(|envelope| &envelope.body);
    let text = |key| body.and_then(|body: &Object<'_>| body.get(key)).and_then(Member::string);
    let whole = |key| body.and_then(|body| body.get(key)).and_then(|member| member.integer().ok());
    Received {
        raw: raw.to_vec(),
        verified,
        partner_order_no: text("partnerOrderNo").unwrap_or_default().into_owned(),
        code: whole("code"),
        status: whole("status"),
        amount: whole("orderAmount"),
        currency: text("currency").unwrap_or_default().into_owned(),
        wallet: text("wallet").unwrap_or_default().into_owned(),
    }
}

#[expect(clippy::print_stdout, reason = "the demo shop's till roll")]
fn print_payment(notice: &Received) {
    let amount = notice.amount.unwrap_or_default();
    let amount = Currency::parse(&notice.currency)
        .map_or_else(|| amount.to_string(), |currency| currency.format(amount));
    // Debug spelling would add quotes; control characters in a number must not reach the terminal.
    let plain = |text: &str| text.replace(char::is_control, "?");
    println!(
        "shop: order {} paid {amount} {} with {}",
        plain(&notice.partner_order_no),
        plain(&notice.currency),
        plain(&notice.wallet)
    );
}
