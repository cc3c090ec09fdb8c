//! What payers and the upstream do, and waiting for it.

use std::time::Duration;

use gateway::entity::attention;
use gateway::orders::reconcile;
use gateway::outgoing::{Limits, Outgoing, Overlong};
use sandbox::{Fault, NoticeOutcome, Operation, Payer, Times, Twist};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;

use super::{Answer, Stage};

/// Wait for what is bound to happen; a test that waits in vain fails instead of hanging.
pub async fn soon<F: Future>(event: F) -> F::Output {
    tokio::time::timeout(Duration::from_mins(1), event).await.expect("it happens within a minute")
}

impl Stage {
    /// The next call of this operation goes wrong.
    pub fn fault(&self, operation: Operation, fault: Fault) {
        self.upstream().fault(operation, fault, Times::Next(1)).expect("room for a fault");
    }

    /// Queries go unanswered until the faults are cleared.
    pub fn deafen(&self) {
        let fault = Fault::HttpStatus { status: 502, took_effect: false };
        self.upstream().fault(Operation::Query, fault, Times::UntilCleared).expect("room for a fault");
    }

    /// Place the usual order; it is opened.
    pub async fn open(&self, number: &str) -> Answer {
        let answer = self.create(&self.order(number)).await;
        assert_eq!(answer.code, 1, "{}", answer.document);
        answer
    }

    /// The number that the upstream knows the order by: its latest submission.
    pub async fn submission_no(&self, number: &str) -> String {
        self.row(number).await.submission_id
    }

    pub fn pay(&self, submission_no: &str) {
        self.upstream().pay(submission_no, Payer::default()).expect("it may be paid");
    }

    /// A true notice, which must be acknowledged.
    pub async fn notify(&self, submission_no: &str) {
        let outcome = self.upstream().notify_now(submission_no).await.expect("a notice is sent");
        assert!(outcome.acknowledged, "{outcome:?}");
    }

    pub async fn notify_twisted(&self, submission_no: &str, twist: Twist) -> NoticeOutcome {
        self.upstream().notify_twisted(submission_no, twist).await.expect("a notice is sent")
    }

    /// Wait until nothing that the gateway began by itself or for a caller is under way.
    pub async fn idle(&self) {
        soon(async {
            while !self.app().tasks.is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Create calls that arrived upstream.
    pub fn creates(&self) -> u64 {
        self.upstream().counts().creates
    }

    /// Queries that arrived upstream.
    pub fn queries(&self) -> u64 {
        self.upstream().counts().queries
    }

    /// An order that nobody knows of, asked about until it waits for a person: the id of that matter.
    pub async fn give_up(&self, number: &str) -> String {
        self.fault(Operation::Create, Fault::HangUp { took_effect: true });
        assert_eq!(self.create(&self.order(number)).await.code, 21);
        self.deafen();
        while self.row(number).await.look_at.is_some() {
            self.advance(Duration::from_hours(2));
            reconcile::sweep(self.app()).await.expect("the store is read");
        }
        self.upstream().clear_faults();
        let waiting = attention::Entity::waiting()
            .filter(attention::Column::SubjectId.eq(self.row(number).await.id))
            .one(&self.app().store.read);
        waiting.await.expect("the store is read").expect("it waits").id
    }

    /// The notes of an order's journal entries of one kind, oldest first.
    pub async fn notes(&self, number: &str, kind: &str) -> Vec<Value> {
        let order = self.row(number).await;
        let entries = self.journal(&order.id).await;
        let notes = entries.iter().filter(|entry| entry.kind == kind);
        notes.map(|entry| serde_json::from_str(&entry.note).expect("a note is JSON")).collect()
    }
}

impl Stage {
    /// Post a document to where the upstream notifies a submission, on the node that runs now. Answers with status
    /// and text.
    pub async fn post_notice(&self, submission_no: &str, document: &str) -> (u16, String) {
        let order = self.upstream().order(submission_no).expect("it arrived upstream");
        let url = url::Url::parse(&order.content.notify_url.expect("we always give one")).expect("a URL");
        self.post_to(&self.node().url(url.path()), document).await
    }

    pub async fn post_to(&self, url: &str, document: &str) -> (u16, String) {
        let limits =
            Limits { timeout: Duration::from_mins(1), max_body: 1 << 16, overlong: Overlong::Refuse };
        let url = url::Url::parse(url).expect("a URL");
        let body = bytes::Bytes::from(document.to_owned());
        let reply =
            Outgoing::for_upstream().post(&url, &[], body, limits).await.expect("the gateway answers");
        (reply.status, String::from_utf8(reply.body.to_vec()).expect("text"))
    }
}
