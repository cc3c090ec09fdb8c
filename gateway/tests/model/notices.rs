//! What payers do, and what the upstream says of it: in time, late, twice, and not as it is.

use gateway::entity::journal;
use gateway::outgoing::{Limits, Overlong};
use sandbox::Control;
use sea_orm::EntityTrait;

use super::{ASKED, DEADLINE, LateNotice, Play, was_paid};
use crate::steps::{Mismatch, Who};

impl Play {
    pub(super) fn payer(&self, nth: usize, act: impl Fn(&Control, &str)) {
        if let Some(order) = self.pick(nth) {
            act(self.upstream(), &order.content.partner_order_no);
        }
    }

    pub(super) async fn notify(&mut self, nth: usize) {
        let Some(order) = self.pick(nth) else { return };
        let outcome =
            self.upstream().notify_now(&order.content.partner_order_no).await.expect("it has a notifyUrl");
        assert!(outcome.acknowledged, "{outcome:?}");
        self.taken(&order);
    }

    pub(super) async fn notify_twice(&mut self, nth: usize) {
        let Some(order) = self.pick(nth) else { return };
        let document =
            self.upstream().notice(&order.content.partner_order_no, None).expect("it has a notifyUrl");
        let notices = self.notices().await;
        tokio::join!(self.post(&order, &document), self.post(&order, &document));
        assert_eq!(self.notices().await, notices + 1, "kept once");
        self.taken(&order);
    }

    async fn notices(&self) -> usize {
        let entries = journal::Entity::find().all(&self.stage.app().store.read).await;
        entries.expect("the store is read").iter().filter(|entry| entry.kind == "notice").count()
    }

    /// What a notice of the order as it stands would say, kept to arrive later.
    pub(super) fn keep_notice(&mut self, nth: usize) {
        let Some(order) = self.pick(nth) else { return };
        let document =
            self.upstream().notice(&order.content.partner_order_no, None).expect("it has a notifyUrl");
        self.late.push(LateNotice { order, document });
    }

    /// A kept notice arrives; what it says may be history.
    pub(super) async fn late_notice(&mut self, nth: usize) {
        if self.late.is_empty() {
            return;
        }
        let LateNotice { order, document } = self.late.swap_remove(nth % self.late.len());
        self.post(&order, &document).await;
        self.taken(&order);
    }

    /// A notice on its way by itself; it is acknowledged.
    async fn post(&self, order: &sandbox::Order, document: &str) {
        let url = order.content.notify_url.as_deref().expect("it has one").parse().expect("a URL");
        let limits = Limits { timeout: DEADLINE, max_body: 100, overlong: Overlong::Cut };
        let reply = self
            .outgoing
            .post(&url, &[], document.to_owned().into(), limits)
            .await
            .expect("the gateway answers");
        assert_eq!((reply.status, &reply.body[..]), (200, &b"success"[..]));
    }

    /// A notice of `order`, as it stood then, was acknowledged.
    pub(super) fn taken(&mut self, order: &sandbox::Order) {
        if was_paid(order) {
            self.promised.taken.insert(order.content.partner_order_no.clone());
        }
    }

    pub(super) async fn mismatch(&mut self, nth: usize, how: Mismatch) {
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
}
