//! Taking the steps, and judging every answer.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway::entity::{order, submission};
use gateway::orders::reconcile;
use gateway::outgoing::{Limits, Outgoing, Overlong};
use sandbox::shop::Shop;
use sandbox::{Control, Gate, Operation, Payer, PaymentState, Times};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use shared::order::OrderStatus;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::apart::Apart;
use crate::harness::merchant::{signed, try_post};
use crate::harness::people::{NEIGHBOUR_KEY, NEIGHBOUR_NO, NEIGHBOUR_STORE};
use crate::harness::{Answer, HKD_STORE, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage, World, empty_database};
use crate::steps::{During, Mismatch, ShopAnswer, Step, Who, everybody};
use crate::truth::{Evidence, Promised, Rows};

/// For whatever a step waits for; nothing takes so long in a gateway that works.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Longer than `upstream.timeout` and `upstream.answer_grace`: an order without an answer is in doubt by then.
const ANSWER_DUE: Duration = Duration::from_secs(26);
/// No process starts within the millisecond in which the one before it ended: ids go on rising.
const STARTING: Duration = Duration::from_millis(1);
/// Submissions of one order that a query asks about.
const ASKED: usize = 4;
/// Creates held at one time.
const HELD: usize = 2;

const SETTINGS: [(&str, &str); 5] = [
    ("orders.query_min_interval", "0s"),
    // Leases run in real time, also those of a gateway that has crashed.
    ("deliveries.timeout", "250ms"),
    ("deliveries.lease", "500ms"),
    ("deliveries.schedule", SCHEDULE),
    ("store.writers", "2"),
];
/// So long that no delivery is given up.
const SCHEDULE: &str = "[\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\
    \"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\
    \"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\",\"15s\"]";

type Call = JoinHandle<Option<Answer>>;

struct Merchant {
    partner_no: &'static str,
    key: &'static str,
    store_no: &'static str,
    shop: Shop,
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

pub struct Play {
    stage: Stage,
    apart: Option<Apart>,
    merchants: [Merchant; 2],
    outgoing: Outgoing,
    held: Vec<Held>,
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
        let mut stage = Stage::over(World::make_in(database).await, &SETTINGS).await;
        stage.others_move_in().await;
        let apart = Some(stage.set_apart().await);
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
                key: MERCHANT_KEY,
                store_no: HKD_STORE,
                shop: stage.shop().clone(),
            },
            Merchant {
                partner_no: NEIGHBOUR_NO,
                key: NEIGHBOUR_KEY,
                store_no: NEIGHBOUR_STORE,
                shop: neighbour,
            },
        ];
        Self {
            stage,
            apart,
            merchants,
            outgoing: Outgoing::for_upstream(),
            held: Vec::new(),
            promised: Promised::default(),
            opened: BTreeMap::new(),
        }
    }

    pub async fn end(self) {
        self.merchants[1].shop.stop().await;
        self.stage.strike().await;
        if let Some(apart) = self.apart {
            apart.end().await;
        }
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
            (id, merchant.shop.received_now())
        });
        let rows = Rows::read(&self.stage.app().store.read).await;
        Evidence { shops: shops.into(), rows, upstream: self.upstream().orders() }
    }

    pub async fn check(&mut self) {
        self.evidence().await.hold_against(&mut self.promised);
        let breaches =
            self.upstream().violations().into_iter().filter(|violation| violation.place != "notice");
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

/// What merchants send.
impl Play {
    fn body(&self, who: Who, dearer: bool) -> Value {
        let Merchant { store_no, shop, .. } = &self.merchants[who.merchant];
        let amount = 1_000 * (who.merchant + 1) + 10 * who.number + usize::from(dearer);
        json!({
            "storeNo": store_no, "partnerOrderNo": who.name(), "wallet": "Alipay", "currency": "HKD",
            "orderAmount": amount, "orderTitle": who.title(), "notifyUrl": shop.notify_url(), "returnUrl": shop.return_url(),
        })
    }

    fn send(&self, who: Who, path: &str, body: &Value) -> Call {
        let Merchant { partner_no, key, .. } = self.merchants[who.merchant];
        let document = signed(partner_no, key, "", body, self.stage.app().clock.now());
        let url = self.stage.node().url(&format!("/{PLATFORM}{path}"));
        let outgoing = self.outgoing.clone();
        tokio::spawn(async move { try_post(&outgoing, &url, document, key).await.ok() })
    }

    fn create(&self, who: Who, dearer: bool) -> Call {
        self.send(who, "/api/offline/qrcode", &self.body(who, dearer))
    }

    /// A create and its judgement: the codes that may be, where the upstream is not hurt.
    async fn place(&mut self, who: Who, dearer: bool, is_hurt: bool) {
        let expected = self.expected(who, dearer).await;
        let answer = self.create(who, dearer).await.expect("it is not cut off").expect("the gateway answers");
        assert!(
            is_hurt || expected.contains(&answer.code),
            "{who:?}: expected {expected:?}, got {}",
            answer.body
        );
        self.judge(who, &answer).await;
    }

    /// What a create may be answered with now that nothing goes wrong; by the table in `docs/MONEY.md`.
    async fn expected(&self, who: Who, dearer: bool) -> Vec<i64> {
        let Some(order) = self.row(who).await else { return vec![1] };
        let newest = self.submissions(&order).await.swap_remove(0);
        let same = self.body(who, dearer)["orderAmount"] == newest.amount;
        match order.status() {
            OrderStatus::Refused => vec![1],
            _ if !same => vec![31],
            OrderStatus::Failed => vec![32],
            OrderStatus::Closed => vec![33],
            _ if order.pay_url.is_some() => vec![1],
            status if status.has_money() => vec![32],
            // In doubt, or open without a payUrl: it depends on what the upstream says when it is asked.
            _ => vec![1, 32, 33],
        }
    }

    async fn judge(&mut self, who: Who, answer: &Answer) {
        assert!(answer.genuine, "signed with the merchant's key: {}", answer.document);
        if answer.code != 1 {
            let known = [2, 3, 4, 5, 9, 21, 31, 32, 33, 44];
            assert!(known.contains(&answer.code), "{who:?}: {}", answer.body);
            return;
        }
        let order = self.row(who).await.unwrap_or_else(|| panic!("{who:?} was opened and is not there"));
        let current = self.upstream().order(&order.submission_id).expect("it was opened upstream");
        assert_eq!(answer.pay_url(), current.pay_url, "{who:?}: the page of the call that counts");
        assert_eq!(Who::of(&current), who);
        let before = self.opened.insert(who, current.pay_url.clone());
        let is_same = before.is_none_or(|before| before == current.pay_url);
        assert!(is_same || order.status().has_money(), "{who:?}: the first answer again");
    }

    /// Whether a create of this order would wait for an answer that nobody is waiting for any more.
    async fn is_orphaned(&self, who: Who) -> bool {
        let Some(order) = self.row(who).await else { return false };
        let now = self.stage.app().clock.now_ms();
        let calls = self.submissions(&order).await;
        let call = calls.iter().find(|call| call.id == order.submission_id).expect("it is on record");
        let is_open = call.answered_at.is_none() && order.pay_url.is_none() && call.answer_due_at >= now;
        is_open && self.held.iter().all(|held| held.who != who)
    }

    async fn query(&mut self, who: Who, is_hurt: bool) {
        let body = json!({ "partnerOrderNo": who.name() });
        let call = self.send(who, "/api/common/payQuery", &body);
        let answer = call.await.expect("it is not cut off").expect("the gateway answers");
        let Some(order) = self.row(who).await else {
            assert_eq!(answer.code, 30, "{}", answer.body);
            return;
        };
        let status = (answer.code == 1).then(|| answer.body["status"].as_i64().expect("a status"));
        if answer.code == 1 {
            assert_eq!(answer.body["orderAmount"], order.amount, "{who:?}");
        }
        if status == Some(1) {
            self.promised.told.insert(who);
            return;
        }
        assert!([1, 21, 30].contains(&answer.code), "{who:?}: {}", answer.body);
        if !is_hurt && answer.code != 21 {
            // Asked a moment ago: no payment can have been missed.
            for asked in self.submissions(&order).await.iter().take(ASKED) {
                let state = self.upstream().order(&asked.id).map(|order| order.state);
                assert_ne!(
                    state,
                    Some(PaymentState::Paid),
                    "{who:?} is paid, and its merchant hears {}",
                    answer.body
                );
            }
        }
        let in_doubt = matches!(order.status(), OrderStatus::Submitting | OrderStatus::Unknown);
        assert!(is_hurt || in_doubt == (answer.code == 21), "{who:?}, {}: {}", order.status, answer.body);
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
            Step::Release => {
                if !self.held.is_empty() {
                    let held = self.held.remove(0);
                    held.gate.open();
                    self.released(held, true).await;
                }
            }
            Step::Pay { nth } => {
                self.payer(*nth, |upstream, number| drop(upstream.pay(number, Payer::default())))
            }
            Step::Fail { nth } => self.payer(*nth, |upstream, number| drop(upstream.fail(number))),
            Step::Close { nth } => self.payer(*nth, |upstream, number| drop(upstream.close(number))),
            Step::Notify { nth } => self.notify(*nth).await,
            Step::NotifyTwice { nth } => self.notify_twice(*nth).await,
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
            Step::Advance(_) => {}
            Step::Deliver(answer) => self.deliver(*answer).await,
            Step::Sweep => drop(reconcile::sweep(self.stage.app()).await.expect("the store is read")),
            Step::Restart => self.restart().await,
            Step::Crash(during) => self.crash_during(*during).await,
        }
    }

    async fn place_or_join(&mut self, who: Who, dearer: bool, fault: Option<sandbox::Fault>) {
        let amount = self.body(who, dearer)["orderAmount"].as_i64();
        if let Some(place) = self.held.iter().position(|held| held.who == who) {
            let call = self.create(who, dearer);
            if amount == Some(self.held[place].amount) {
                self.held[place].joined.push(call);
                return;
            }
            let answer = call.await.expect("it is not cut off").expect("the gateway answers");
            assert!([31, 32, 33].contains(&answer.code), "other content: {}", answer.body);
            return;
        }
        if !self.wait_for_orphan(who).await {
            return;
        }
        let is_hurt = fault.is_some();
        if let Some(fault) = fault {
            self.upstream().fault(Operation::Create, fault, Times::Next(1)).expect("few wait");
        }
        self.place(who, dearer, is_hurt).await;
        self.upstream().clear_faults();
    }

    /// Let the answer that will not come be overdue. `false` where the clock has to stand.
    async fn wait_for_orphan(&self, who: Who) -> bool {
        if !self.is_orphaned(who).await {
            return true;
        }
        if !self.held.is_empty() {
            return false;
        }
        self.stage.advance(ANSWER_DUE);
        true
    }

    async fn hold(&mut self, who: Who) {
        if self.held.len() == HELD
            || self.held.iter().any(|held| held.who == who)
            || self.is_orphaned(who).await
        {
            return;
        }
        let expected = self.expected(who, false).await;
        let gate = Gate::new();
        let before = self.upstream().counts().creates;
        self.upstream()
            .fault(Operation::Create, sandbox::Fault::DelayAnswer(gate.clone()), Times::Next(1))
            .expect("few wait");
        let mut client = self.create(who, false);
        let upstream = self.upstream().clone();
        tokio::select! {
            () = upstream.seen_creates(before + 1) => {
                let amount = self.body(who, false)["orderAmount"].as_i64().expect("a number");
                self.held.push(Held { who, amount, gate, client: Some(client), joined: Vec::new() });
            }
            // It did not have to go to the upstream.
            answer = &mut client => {
                upstream.clear_faults();
                let answer = answer.expect("it is not cut off").expect("the gateway answers");
                assert!(expected.contains(&answer.code), "{who:?}: expected {expected:?}, got {}", answer.body);
                self.judge(who, &answer).await;
            }
        }
    }

    /// The answer of a held create, and of those that waited for it: none is lost.
    async fn released(&mut self, held: Held, all_arrived: bool) {
        let Held { who, client, joined, .. } = held;
        // The money may have come through an earlier call, or the payment failed, while it was held.
        let good = [1, 32, 33];
        // Where the client has hung up, it comes again.
        let client = client.unwrap_or_else(|| self.create(who, false));
        let answer = client.await.expect("it is not cut off").expect("what was begun is answered");
        assert!(good.contains(&answer.code), "{who:?}: {}", answer.body);
        self.judge(who, &answer).await;
        for call in joined {
            match call.await.expect("it is not cut off") {
                Some(answer) => {
                    assert!(good.contains(&answer.code), "{who:?}: {}", answer.body);
                    self.judge(who, &answer).await;
                }
                None => assert!(!all_arrived, "{who:?}: the gateway answers"),
            }
        }
    }

    fn payer(&self, nth: usize, act: impl Fn(&Control, &str)) {
        if let Some(order) = self.pick(nth) {
            act(self.upstream(), &order.content.partner_order_no);
        }
    }

    async fn notify(&mut self, nth: usize) {
        let Some(order) = self.pick(nth) else { return };
        let number = order.content.partner_order_no;
        let outcome = self.upstream().notify_now(&number).await.expect("it has a notifyUrl");
        assert!(outcome.acknowledged, "{outcome:?}");
        if order.state == PaymentState::Paid {
            self.promised.taken.insert(number);
        }
    }

    async fn notify_twice(&mut self, nth: usize) {
        let Some(order) = self.pick(nth) else { return };
        let number = order.content.partner_order_no;
        let document = self.upstream().notice(&number, None).expect("it has a notifyUrl");
        let url = order.content.notify_url.expect("it has one").parse().expect("a URL");
        let limits = Limits { timeout: DEADLINE, max_body: 100, overlong: Overlong::Cut };
        let post = || self.outgoing.post(&url, &[], document.clone().into(), limits);
        let notices = self.notices().await;
        let (one, other) = tokio::join!(post(), post());
        for reply in [one, other] {
            let reply = reply.expect("the gateway answers");
            assert_eq!((reply.status, &reply.body[..]), (200, &b"success"[..]));
        }
        assert_eq!(self.notices().await, notices + 1, "kept once");
        if order.state == PaymentState::Paid {
            self.promised.taken.insert(number);
        }
    }

    async fn notices(&self) -> usize {
        let entries = gateway::entity::journal::Entity::find().all(&self.stage.app().store.read).await;
        entries.expect("the store is read").iter().filter(|entry| entry.kind == "notice").count()
    }

    async fn mismatch(&mut self, nth: usize, how: Mismatch) {
        let Some(order) = self.pick(nth) else { return };
        let other = self.pick(nth + 1).map(|other| other.content.partner_order_no);
        let number = order.content.partner_order_no.clone();
        let other =
            other.filter(|other| *other != number).unwrap_or_else(|| "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned());
        let who = Who::of(&order);
        let row = self.row(who).await.expect("it is on record");
        let asked = u64::try_from(self.submissions(&row).await.len().min(ASKED)).expect("few");
        let before = self.upstream().counts().queries;
        let outcome =
            self.upstream().notify_twisted(&number, how.twist(other)).await.expect("it has a notifyUrl");
        assert_eq!(outcome.acknowledged, !matches!(how, Mismatch::WrongKey), "{how:?}: {outcome:?}");
        if outcome.acknowledged {
            self.promised.held += 1;
            // It causes a query, of which the end is seen by one of our own that waits for it.
            self.upstream().seen_queries(before + asked).await;
            self.query(who, false).await;
        }
    }

    async fn deliver(&mut self, answer: ShopAnswer) {
        for merchant in &self.merchants {
            match answer {
                ShopAnswer::Success => merchant.shop.answer(200, "success"),
                ShopAnswer::Failure => merchant.shop.answer(500, "success"),
                ShopAnswer::NotSuccess => merchant.shop.answer(200, "fail"),
            }
        }
        self.apart.as_ref().expect("it runs apart").deliver_due(&mut self.stage).await;
    }

    /// Stop in good order while answers are let go, and start again: nobody goes without an answer.
    async fn restart(&mut self) {
        let apart = self.apart.take().expect("it runs apart");
        let gates: Vec<Gate> = self.held.iter().map(|held| held.gate.clone()).collect();
        let let_go = async {
            tokio::task::yield_now().await;
            gates.iter().for_each(Gate::open);
        };
        self.stage.advance(STARTING);
        let (apart, ()) = tokio::join!(self.stage.restart_apart(apart), let_go);
        self.apart = Some(apart);
        self.outgoing = Outgoing::for_upstream();
        for held in std::mem::take(&mut self.held) {
            self.released(held, false).await;
        }
    }

    async fn crash_during(&mut self, during: During) {
        match during {
            During::Nothing => self.crash().await,
            During::Create { who, after } => {
                if self.is_orphaned(who).await || self.held.iter().any(|held| held.who == who) {
                    return self.crash().await;
                }
                let client = self.create(who, false);
                turns(after).await;
                self.crash().await;
                // Where it came too late for the first gateway, the second one has taken it.
                if let Some(answer) = client.await.expect("it is not cut off") {
                    self.judge(who, &answer).await;
                }
            }
            During::Notice { nth, after } => {
                let Some(order) = self.pick(nth) else { return };
                let (upstream, number) = (self.upstream().clone(), order.content.partner_order_no.clone());
                let notice = tokio::spawn(async move { upstream.notify_now(&number).await });
                turns(after).await;
                self.crash().await;
                let outcome = notice.await.expect("it is not cut off").expect("it has a notifyUrl");
                if outcome.acknowledged && order.state == PaymentState::Paid {
                    self.promised.taken.insert(order.content.partner_order_no);
                }
            }
            During::Delivery => {
                let [one, other] = self.merchants.each_ref().map(|merchant| {
                    merchant.shop.answer(200, "success");
                    (merchant.shop.clone(), merchant.shop.hold(), merchant.shop.received_now().len())
                });
                let apart = self.apart.as_ref().expect("it runs apart");
                tokio::select! {
                    _ = apart.deliver_due(&mut self.stage) => {}
                    _ = one.0.received(one.2 + 1) => {}
                    _ = other.0.received(other.2 + 1) => {}
                }
                self.crash().await;
                one.1.open();
                other.1.open();
            }
        }
    }

    async fn crash(&mut self) {
        self.stage.crash(self.apart.take().expect("it runs apart")).await;
        let orphans = std::mem::take(&mut self.held);
        for Held { gate, client, joined, .. } in orphans {
            gate.open();
            client.into_iter().chain(joined).for_each(|call| call.abort());
            // One that was only just sent may yet be heard by the next gateway, and must not wait there for ever.
            self.stage.advance(ANSWER_DUE);
        }
        self.stage.advance(STARTING);
        self.apart = Some(self.stage.start_apart().await);
        self.outgoing = Outgoing::for_upstream();
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
        self.stage.advance(ANSWER_DUE);
        reconcile::sweep(self.stage.app()).await.expect("the store is read");
        for nth in 0..self.upstream().orders().len() {
            self.notify(nth).await;
        }
        for who in everybody() {
            self.query(who, false).await;
        }
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
            if self
                .upstream()
                .orders()
                .iter()
                .any(|order| Who::of(order) == who && order.state == PaymentState::Paid)
            {
                self.query(who, false).await;
                assert!(self.promised.told.contains(&who), "{who:?}: its merchant can ask");
            }
        }
    }
}

async fn turns(count: u32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}
