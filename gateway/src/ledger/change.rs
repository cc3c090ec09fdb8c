//! A change of one order: what it is addressed to, what stands, and what it decides. The decision is a pure
//! function of what stands, run inside the transaction that writes it.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::LedgerError;
use crate::entity::{
    attention, audit_entry, delivery, endpoint, event, journal, operator_act, order, purchase_check,
    quarantine, refund, submission,
};

/// What a change is about.
#[derive(Debug, Clone)]
pub struct Target {
    pub order_id: String,
    pub submission_id: Option<String>,
    /// Digest of a notice's bytes, or of what an answer that differs says: one that was kept before is a repeat.
    pub digest: Option<Vec<u8>>,
    /// Id of the first journal entry the change will write. By it one finds out, where a COMMIT's outcome was
    /// lost, whether the change stands.
    pub key: String,
    /// The rows as the caller wrote them a moment ago. If the order still has that status they are taken as they
    /// are, without a look; a decision that does not move the order is made on a look all the same.
    pub seen: Option<Arc<Seen>>,
    /// Whether the order's refunds are looked at even where nothing of it is refunded or reserved.
    pub refunds: bool,
}

impl Target {
    /// An order as such, looked at anew.
    pub fn of_order(order_id: &str, key: &str) -> Self {
        Self {
            order_id: order_id.to_owned(),
            submission_id: None,
            digest: None,
            key: key.to_owned(),
            seen: None,
            refunds: false,
        }
    }
}

/// An order and one of its submissions, as they stood.
#[derive(Debug, Clone)]
pub struct Seen {
    pub order: order::Model,
    pub submission: submission::Model,
}

/// The rows as they stand, locked against other writers.
#[derive(Debug)]
pub struct Current<'a> {
    pub order: &'a order::Model,
    pub submission: Option<&'a submission::Model>,
    /// The order's refunds, where anything is refunded or reserved or the change asks for them.
    pub refunds: &'a [refund::Model],
    /// Facts about the order that are held, where anything was told of it: holding one is told.
    pub held: &'a [quarantine::Model],
    /// What has the same digest was kept before.
    pub repeated: bool,
}

/// An event, and to whom it is promised.
#[derive(Debug, Clone)]
pub struct Told {
    pub event: event::Model,
    pub promises: Vec<Promise>,
}

#[derive(Debug, Clone)]
pub struct Promise {
    pub delivery: delivery::Model,
    /// The endpoint, where it may not be there yet.
    pub implicit: Option<endpoint::Model>,
}

/// A matter that waits for a person no longer.
#[derive(Debug, Clone)]
pub struct Calmed {
    pub kind: &'static str,
    pub subject_id: String,
    pub at: i64,
    /// The operator, or what came to pass.
    pub by: String,
    pub reason: Option<String>,
}

/// What to write. Rows that are changed are given whole; what must not change in them is not written.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub order: Option<order::Model>,
    pub submission: Option<submission::Model>,
    pub new_submission: Option<submission::Model>,
    pub refunds: Vec<refund::Model>,
    pub new_refund: Option<refund::Model>,
    pub journal: Vec<journal::Model>,
    pub quarantine: Option<quarantine::Model>,
    /// Facts that are held no longer.
    pub ended_quarantine: Vec<quarantine::Model>,
    /// Matters for a person; one that is open already stays as it is.
    pub raised: Vec<attention::Model>,
    pub calmed: Vec<Calmed>,
    pub told: Vec<Told>,
    /// On record with what a person decided.
    pub audit: Vec<audit_entry::Model>,
    pub acts: Vec<operator_act::Model>,
    /// Follows from the move; nobody has to give it.
    pub purchase_check: Option<purchase_check::Model>,
}

pub(super) trait Change: Send + Sync {
    fn target(&self) -> &Target;
    fn decide(&mut self, current: &Current<'_>) -> Changes;
    /// The order it is about does not exist.
    fn miss(&mut self);
    fn finish(self: Box<Self>, result: Result<(), LedgerError>);
}

/// A change whose decision also yields a `T` for its caller, told after the COMMIT.
pub(super) struct Deciding<T, F> {
    target: Target,
    decide: F,
    outcome: Option<T>,
    done: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T, F> Deciding<T, F> {
    pub(super) fn new(target: Target, decide: F, done: oneshot::Sender<Result<T, LedgerError>>) -> Self {
        Self { target, decide, outcome: None, done }
    }
}

impl<T: Send + Sync, F: FnMut(&Current<'_>) -> (Changes, T) + Send + Sync> Change for Deciding<T, F> {
    fn target(&self) -> &Target {
        &self.target
    }

    fn decide(&mut self, current: &Current<'_>) -> Changes {
        let (changes, outcome) = (self.decide)(current);
        self.outcome = Some(outcome);
        changes
    }

    fn miss(&mut self) {
        self.outcome = None;
    }

    fn finish(self: Box<Self>, result: Result<(), LedgerError>) {
        let Self { outcome, done, .. } = *self;
        // A caller that stopped waiting has lost nothing: what it asked for stands.
        let _ = done.send(result.and_then(|()| outcome.ok_or(LedgerError::Missing)));
    }
}
