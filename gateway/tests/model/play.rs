//! A history being played: the set, the steps one after the other, and the end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway::entity::{order, submission};
use gateway::outgoing::Outgoing;
use sandbox::{Control, Gate, Operation, Payer, PaymentState, Times};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::apart::Apart;
use crate::harness::people::{NEIGHBOUR_KEY, NEIGHBOUR_NO, NEIGHBOUR_STORE};
use crate::harness::{
    Answer, HKD_STORE, MERCHANT_KEY, Node, PARTNER_NO, PLATFORM, Stage, World, empty_database,
};
use crate::steps::{ShopAnswer, Step, Who, everybody};
use crate::truth::{Evidence, Promised, Rows, Shop};

mod fate;
mod keys;
mod notices;
mod refunds;
mod shops;

/// For whatever a step waits for; nothing takes so long in a gateway that works.
pub const DEADLINE: Duration = Duration::from_mins(1);
/// Longer than `upstream.timeout` and `upstream.answer_grace`: an order without an answer is in doubt by then.
const ANSWER_DUE: Duration = Duration::from_secs(26);
/// No process starts within the millisecond in which the one before it ended: ids go on rising.
const STARTING: Duration = Duration::from_millis(1);
/// Submissions of one order that a query asks about.
const ASKED: usize = 4;
/// Attempts that a delivery has: more than there are steps.
const ATTEMPTS: usize = 99;

type Call = JoinHandle<Option<Answer>>;

struct Merchant {
    partner_no: &'static str,
    /// What its system signs and verifies with.
    key: String,
    /// What it is to change over to.
    next_key: Option<String>,
    /// All that it ever had.
    keys: Vec<String>,
    store_no: &'static str,
    shop: sandbox::shop::Shop,
}

/// A create whose answer the upstream holds back.
struct Held {
    who: Who,
    amount: i64,
    gate: Gate,
    /// `None`: it has hung up.
    client: Option<Call>,
    /// Repeats that wait for the same answer.
    joined: Vec<Call>,
}

/// A notice that was written and has not arrived, and the order as it stood then.
struct LateNotice {
    order: sandbox::Order,
    document: String,
}

pub struct Play {
    stage: Stage,
    /// Another gateway on the same store, where the store can have two. It never crashes.
    second: Option<Node>,
    /// The calls that may go to either gateway, counted.
    calls: AtomicUsize,
    /// The account's key is not the first any more.
    has_rotated: bool,
    apart: Option<Apart>,
    merchants: [Merchant; 2],
    outgoing: Outgoing,
    held: Vec<Held>,
    late: Vec<LateNotice>,
    promised: Promised,
    /// Orders answered with code 1, and the payUrl they were answered with.
    opened: BTreeMap<Who, String>,
}

/// The set.
impl Play {
    /// On this PostgreSQL database, or on a SQLite file of its own.
    pub async fn begin(database: Option<String>) -> Self {
        if let Some(database) = &database {
            empty_database(database).await;
        }
        let schedule = format!("[{}]", ["\"15s\""; ATTEMPTS].join(", "));
        let settings = [
            ("orders.query_min_interval", "0s"),
            ("orders.refund_wait", "1s"),
            ("orders.repeat_refunds", "true"),
            // Leases run in real time, also those of a gateway that has crashed.
            ("deliveries.timeout", "250ms"),
            ("deliveries.lease", "500ms"),
            ("deliveries.schedule", schedule.as_str()),
        ];
        let may_have_two = database.is_some();
        let mut stage = Stage::over(World::make_in(database).await, &settings).await;
        stage.others_move_in().await;
        let apart = Some(stage.set_apart().await);
        let second = if may_have_two { Some(stage.world.node().await) } else { None };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let settings = sandbox::shop::ShopSettings {
            partner_no: NEIGHBOUR_NO.to_owned(),
            sign_key: NEIGHBOUR_KEY.to_owned(),
            ..Default::default()
        };
        let neighbour = sandbox::shop::start(listener, settings).expect("a shop");
        let merchants = [
            Merchant {
                partner_no: PARTNER_NO,
                key: MERCHANT_KEY.to_owned(),
                next_key: None,
                keys: vec![MERCHANT_KEY.to_owned()],
                store_no: HKD_STORE,
                shop: stage.shop().clone(),
            },
            Merchant {
                partner_no: NEIGHBOUR_NO,
                key: NEIGHBOUR_KEY.to_owned(),
                next_key: None,
                keys: vec![NEIGHBOUR_KEY.to_owned()],
                store_no: NEIGHBOUR_STORE,
                shop: neighbour,
            },
        ];
        Self {
            stage,
            second,
            calls: AtomicUsize::new(0),
            has_rotated: false,
            apart,
            merchants,
            outgoing: Outgoing::for_upstream(),
            held: Vec::new(),
            late: Vec::new(),
            promised: Promised::default(),
            opened: BTreeMap::new(),
        }
    }

    pub async fn end(self) {
        self.merchants[1].shop.stop().await;
        if let Some(second) = self.second {
            second.stop().await;
        }
        self.stage.strike().await;
        if let Some(apart) = self.apart {
            apart.end().await;
        }
    }

    /// The gateway that takes this order's creates: those that wait for each other wait at one.
    fn node_of(&self, who: Who) -> &Node {
        self.second.as_ref().filter(|_| self.is_of_second(who)).unwrap_or_else(|| self.stage.node())
    }

    fn is_of_second(&self, who: Who) -> bool {
        self.second.is_some() && who.number % 2 == 1
    }

    /// One of the gateways, by turns.
    fn some_node(&self) -> &Node {
        let turn = self.calls.fetch_add(1, Ordering::Relaxed);
        self.second.as_ref().filter(|_| turn % 2 == 1).unwrap_or_else(|| self.stage.node())
    }

    fn upstream(&self) -> &Control {
        self.stage.upstream()
    }

    /// One of the orders that the upstream has.
    fn pick(&self, nth: usize) -> Option<sandbox::Order> {
        let mut orders = self.upstream().orders();
        (!orders.is_empty()).then(|| orders.swap_remove(nth % orders.len()))
    }

    /// Look at everything there is.
    pub async fn evidence(&self) -> Evidence {
        let directory = &self.stage.app().directory;
        let shops = self.merchants.each_ref().map(|merchant| {
            let id =
                directory.merchant(PLATFORM, merchant.partner_no).expect("the merchant is there").id.clone();
            Shop { merchant_id: id, keys: merchant.keys.clone(), received: merchant.shop.received_now() }
        });
        let rows = Rows::read(&self.stage.app().store.read).await;
        Evidence { shops: shops.into(), rows, upstream: self.upstream().orders() }
    }

    pub async fn check(&mut self) {
        self.evidence().await.hold_against(&mut self.promised);
        // After the account's key was replaced a question finds out which one is taken.
        let is_breach = |violation: &sandbox::violations::Violation| {
            violation.place != "notice" && !(self.has_rotated && violation.about == "signature")
        };
        let breaches = self.upstream().violations().into_iter().filter(is_breach);
        assert_eq!(breaches.collect::<Vec<_>>(), [], "the protocol was kept");
    }

    async fn row(&self, who: Who) -> Option<order::Model> {
        let merchant = self.stage.app().directory.merchant(PLATFORM, self.merchants[who.merchant].partner_no);
        let merchant = merchant.expect("the merchant is there");
        order::Entity::of(&merchant.id, &who.name())
            .one(&self.stage.app().store.read)
            .await
            .expect("the store is read")
    }

    /// Newest first.
    async fn submissions(&self, order: &order::Model) -> Vec<submission::Model> {
        submission::Entity::of_order(&order.id)
            .all(&self.stage.app().store.read)
            .await
            .expect("the store is read")
    }
}

/// The steps.
impl Play {
    pub async fn take(&mut self, step: &Step) {
        match step {
            Step::Place { who, dearer, fault } => {
                let fault = fault.map(Into::into);
                self.place_or_join(*who, *dearer, fault).await;
            }
            Step::Hold { who } => self.hold(*who).await,
            Step::HangUp => {
                if let Some(client) = self.held.iter_mut().find_map(|held| held.client.take()) {
                    client.abort();
                }
            }
            Step::Release { again_after } => self.release(*again_after).await,
            Step::Pay { nth } => {
                self.payer(*nth, |upstream, number| drop(upstream.pay(number, Payer::default())));
            }
            Step::Fail { nth } => self.payer(*nth, |upstream, number| drop(upstream.fail(number))),
            Step::Close { nth } => self.payer(*nth, |upstream, number| drop(upstream.close(number))),
            Step::Notify { nth } => self.notify(*nth).await,
            Step::NotifyTwice { nth } => self.notify_twice(*nth).await,
            Step::KeepNotice { nth } => self.keep_notice(*nth),
            Step::LateNotice { nth } => self.late_notice(*nth).await,
            Step::Mismatch { nth, how } => self.mismatch(*nth, *how).await,
            Step::Query { who, fault } => {
                if let Some(fault) = *fault {
                    self.upstream()
                        .fault(Operation::Query, fault.into(), Times::UntilCleared)
                        .expect("few wait");
                }
                self.query(*who, fault.is_some()).await;
                self.upstream().clear_faults();
            }
            // The clock of a held create would run and its timer would not.
            Step::Advance(by) if self.held.is_empty() => self.stage.advance(*by),
            // A create that is under way would be cut off from its answer.
            Step::RotateAccountKey if self.held.is_empty() => self.rotate_account_key().await,
            Step::Advance(_) | Step::RotateAccountKey => {}
            Step::Deliver(answer) => self.deliver(*answer).await,
            Step::Refund { who, nth, part, second, fault } => {
                let payment = if *second { self.second_payment(*who).await } else { None };
                match payment {
                    Some(payment) => self.refund_second(*who, &payment, *nth, *part, *fault).await,
                    None => self.refund(*who, *nth, *part, *fault).await,
                }
            }
            Step::EndRefund { nth, well } => self.end_refund(*nth, *well),
            Step::RotateMerchantKey { merchant } => self.rotate_merchant_key(*merchant).await,
            Step::ChangeKey { merchant } => self.change_key(*merchant),
            Step::Sweep => self.sweep().await,
            Step::Restart => self.restart().await,
            Step::Crash(during) => self.crash_during(*during).await,
        }
    }
}

/// The end.
impl Play {
    /// Everything goes well again: all that was paid is notified, all orders are queried, all is delivered.
    pub async fn come_to_rest(&mut self) {
        self.upstream().clear_faults();
        for held in std::mem::take(&mut self.held) {
            held.gate.open();
            self.released(held, true).await;
        }
        while !self.late.is_empty() {
            self.late_notice(0).await;
        }
        self.stage.advance(ANSWER_DUE);
        self.sweep().await;
        for nth in 0..self.upstream().orders().len() {
            self.notify(nth).await;
        }
        for who in everybody() {
            self.query(who, false).await;
        }
        self.end_refunds().await;
        self.check().await;
        let undelivered = async {
            // Leases of gateways that are no more run out in real time.
            let mut look = tokio::time::interval(Duration::from_millis(50));
            while self.evidence().await.is_open() {
                look.tick().await;
                self.stage.advance(Duration::from_mins(1));
                self.deliver(ShopAnswer::Success).await;
            }
        };
        tokio::time::timeout(DEADLINE, undelivered).await.expect("every delivery comes to its end");
        self.check().await;
        self.evidence().await.settle_accounts();
        for who in everybody() {
            if self.upstream().orders().iter().any(|order| Who::of(order) == who && was_paid(order)) {
                self.query(who, false).await;
                assert!(self.promised.told.contains(&who), "{who:?}: its merchant can ask");
            }
        }
    }
}

/// Whether its money came, if it was given back or not.
pub fn was_paid(order: &sandbox::Order) -> bool {
    matches!(order.state, PaymentState::Paid | PaymentState::Refunded)
}

/// Let the other tasks have so many turns.
async fn turns(count: u32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}
