//! What merchants send, and judging every answer: creates, repeats, creates that are held upstream, queries.

use sandbox::{Fault, Gate, Operation, Times};
use serde_json::{Value, json};
use shared::order::OrderStatus;

use super::{ANSWER_DUE, ASKED, Call, Held, Merchant, Play, turns, was_paid};
use crate::harness::merchant::{signed, try_post};
use crate::harness::{Answer, Node, PLATFORM};
use crate::steps::Who;

/// Creates held at one time.
const HELD: usize = 2;

impl Play {
    fn body(&self, who: Who, dearer: bool) -> Value {
        let Merchant { store_no, shop, .. } = &self.merchants[who.merchant];
        let amount = 1_000 * (who.merchant + 1) + 10 * who.number + usize::from(dearer);
        json!({
            "storeNo": store_no, "partnerOrderNo": who.name(), "wallet": "Alipay", "currency": "HKD",
            "orderAmount": amount, "orderTitle": who.title(), "notifyUrl": shop.notify_url(), "returnUrl": shop.return_url(),
        })
    }

    pub(super) fn send(&self, node: &Node, who: Who, path: &str, body: &Value) -> Call {
        let Merchant { partner_no, key, .. } = &self.merchants[who.merchant];
        let document = signed(partner_no, key, "", body, self.stage.app().clock.now());
        let url = node.url(&format!("/{PLATFORM}{path}"));
        let (outgoing, key) = (self.outgoing.clone(), key.clone());
        tokio::spawn(async move { try_post(&outgoing, &url, document, &key).await.ok() })
    }

    pub(super) fn create(&self, who: Who, dearer: bool) -> Call {
        self.send(self.node_of(who), who, "/api/offline/qrcode", &self.body(who, dearer))
    }

    pub(super) async fn place_or_join(&mut self, who: Who, dearer: bool, fault: Option<Fault>) {
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

    /// Whether a create of this order would wait for an answer that nobody is waiting for any more.
    pub(super) async fn is_orphaned(&self, who: Who) -> bool {
        let Some(order) = self.row(who).await else { return false };
        let now = self.stage.app().clock.now_ms();
        let calls = self.submissions(&order).await;
        let call = calls.iter().find(|call| call.id == order.submission_id).expect("it is on record");
        let is_open = call.answered_at.is_none() && order.pay_url.is_none() && call.answer_due_at >= now;
        is_open && self.held.iter().all(|held| held.who != who)
    }

    /// A create and its judgement: the codes that may be, where the upstream is not hurt.
    async fn place(&mut self, who: Who, dearer: bool, is_hurt: bool) {
        let expected = self.expected(who, dearer).await;
        let (is_paid, offers) = (self.is_paid(who).await, self.offers(who));
        let answer = self.create(who, dearer).await.expect("it is not cut off").expect("the gateway answers");
        assert!(
            is_hurt || expected.contains(&answer.code),
            "{who:?}: expected {expected:?}, got {}",
            answer.body
        );
        let asked_again = is_paid && self.offers(who) != offers;
        assert!(!asked_again, "{who:?}: a payer who has paid is asked to pay again");
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

    /// How often the upstream was asked to open this order.
    fn offers(&self, who: Who) -> usize {
        self.upstream().orders().iter().filter(|order| Who::of(order) == who).count()
    }

    /// Paid upstream, which a create must find out before it offers the order again. (After a refusal nobody asks.)
    async fn is_paid(&self, who: Who) -> bool {
        let order = self.row(who).await.filter(|order| order.status() != OrderStatus::Refused);
        let Some(order) = order else { return false };
        let calls = self.submissions(&order).await;
        let mut asked = calls.iter().take(ASKED).filter_map(|call| self.upstream().order(&call.id));
        asked.any(|order| was_paid(&order))
    }

    pub(super) async fn judge(&mut self, who: Who, answer: &Answer) {
        assert!(answer.genuine, "signed with the merchant's key: {}", answer.document);
        if answer.code != 1 {
            let known = [2, 3, 4, 5, 9, 21, 31, 32, 33, 44];
            assert!(known.contains(&answer.code), "{who:?}: {}", answer.body);
            return;
        }
        let order = self.row(who).await.unwrap_or_else(|| panic!("{who:?} was opened and is not there"));
        let mut current = self.upstream().order(&order.submission_id).expect("it was opened upstream");
        if order.status().has_money() && answer.pay_url() != current.pay_url {
            // Since it was answered, the money came through an earlier call, which counts now.
            let page = answer.pay_url();
            let answered = self.upstream().orders().into_iter().find(|order| order.pay_url == page);
            current = answered.unwrap_or_else(|| panic!("{who:?}: {page} is the page of no call"));
        }
        assert_eq!(answer.pay_url(), current.pay_url, "{who:?}: the page of the call that counts");
        assert_eq!(Who::of(&current), who);
        let before = self.opened.insert(who, current.pay_url.clone());
        let is_same = before.is_none_or(|before| before == current.pay_url);
        assert!(is_same || order.status().has_money(), "{who:?}: the first answer again");
    }
}

/// Creates whose answer is held upstream.
impl Play {
    pub(super) async fn hold(&mut self, who: Who) {
        if self.held.len() == HELD
            || self.held.iter().any(|held| held.who == who)
            || self.is_orphaned(who).await
        {
            return;
        }
        let (expected, is_paid) = (self.expected(who, false).await, self.is_paid(who).await);
        let gate = Gate::new();
        let before = self.upstream().counts().creates;
        self.upstream()
            .fault(Operation::Create, Fault::DelayAnswer(gate.clone()), Times::Next(1))
            .expect("few wait");
        let mut client = self.create(who, false);
        let upstream = self.upstream().clone();
        tokio::select! {
            () = upstream.seen_creates(before + 1) => {
                assert!(!is_paid, "{who:?}: a payer who has paid is asked to pay again");
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

    pub(super) async fn release(&mut self, again_after: Option<u32>) {
        if self.held.is_empty() {
            return;
        }
        let mut held = self.held.remove(0);
        held.gate.open();
        if let Some(after) = again_after {
            turns(after).await;
            held.joined.push(self.create(held.who, false));
        }
        self.released(held, true).await;
    }

    /// The answer of a held create, and of those that waited for it: none is lost.
    pub(super) async fn released(&mut self, held: Held, all_arrived: bool) {
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
}

impl Play {
    pub(super) async fn query(&mut self, who: Who, is_hurt: bool) {
        let body = json!({ "partnerOrderNo": who.name() });
        let call = self.send(self.some_node(), who, "/api/common/payQuery", &body);
        let answer = call.await.expect("it is not cut off").expect("the gateway answers");
        let Some(order) = self.row(who).await else {
            assert_eq!(answer.code, 30, "{}", answer.body);
            return;
        };
        let status = (answer.code == 1).then(|| answer.body["status"].as_i64().expect("a status"));
        if answer.code == 1 {
            assert_eq!(answer.body["orderAmount"], order.amount, "{who:?}");
        }
        if matches!(status, Some(1 | 3)) {
            self.promised.told.insert(who);
            return;
        }
        assert!([1, 21, 30].contains(&answer.code), "{who:?}: {}", answer.body);
        if !is_hurt && answer.code != 21 {
            // Asked a moment ago: no payment can have been missed.
            for asked in self.submissions(&order).await.iter().take(ASKED) {
                let is_paid = self.upstream().order(&asked.id).is_some_and(|order| was_paid(&order));
                assert!(!is_paid, "{who:?} is paid, and its merchant hears {}", answer.body);
            }
        }
        let in_doubt = matches!(order.status(), OrderStatus::Submitting | OrderStatus::Unknown);
        assert!(is_hurt || in_doubt == (answer.code == 21), "{who:?}, {}: {}", order.status, answer.body);
    }
}
