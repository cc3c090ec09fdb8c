//! Rows gathered from all writes of a batch, by table, and how they are written.

use shared::order::OrderStatus;

use super::NewOrder;
use super::change::{Calmed, Changes};
use super::connection::Connection;
use super::each::{Each, Parameters};
use super::fault::{self, Fault};
use super::measures::Tally;
use super::statements;
use super::told::{Tellings, Writing};

#[derive(Default)]
pub(super) struct Gathered {
    submissions: Vec<Parameters>,
    changed_submissions: Vec<Parameters>,
    journal: Vec<Parameters>,
    refunds: Vec<Parameters>,
    changed_refunds: Vec<Parameters>,
    quarantine: Vec<Parameters>,
    ended_quarantine: Vec<Parameters>,
    calmed: Vec<Parameters>,
    raised: Vec<Parameters>,
    told: Tellings,
    tally: Tally,
    audit: Vec<Parameters>,
    acts: Vec<Parameters>,
    purchase_checks: Vec<Parameters>,
}

impl Gathered {
    /// What a new order brings besides itself.
    pub(super) fn place(&mut self, rows: &NewOrder) {
        self.submissions.push(statements::whole(&rows.submission));
        self.journal.push(statements::whole(&rows.journal));
        self.tally.moves.push((None, rows.order.status()));
    }

    /// An order was moved.
    pub(super) fn moved(&mut self, from: OrderStatus, to: OrderStatus) {
        if from != to {
            self.tally.moves.push((Some(from), to));
        }
    }

    /// What a decision writes besides the order itself.
    pub(super) fn take(&mut self, decided: Changes) {
        self.changed_submissions.extend(decided.submission.as_ref().map(statements::answered));
        self.submissions.extend(decided.new_submission.as_ref().map(statements::whole));
        self.journal.extend(decided.journal.iter().map(statements::whole));
        self.refunds.extend(decided.new_refund.as_ref().map(statements::whole));
        self.changed_refunds.extend(decided.refunds.iter().map(statements::refunded));
        self.quarantine.extend(decided.quarantine.as_ref().map(statements::whole));
        self.ended_quarantine.extend(decided.ended_quarantine.iter().map(statements::let_go));
        self.calmed.extend(decided.calmed.iter().map(Calmed::parameters));
        self.raised.extend(decided.raised.iter().map(statements::whole));
        self.tally.held.extend(decided.quarantine.map(|held| held.source));
        self.audit.extend(decided.audit.iter().map(statements::whole));
        self.purchase_checks.extend(decided.purchase_check.as_ref().map(statements::whole));
        self.acts.extend(decided.acts.iter().map(statements::whole));
        decided.told.into_iter().for_each(|told| self.told.take(told));
    }

    pub(super) async fn insert(self, connection: &mut Connection, writing: Writing) -> Result<Tally, Fault> {
        let steps: [(&Each, Vec<Parameters>); 12] = [
            (&statements::INSERT_SUBMISSIONS, self.submissions),
            (&statements::UPDATE_SUBMISSIONS, self.changed_submissions),
            (&statements::INSERT_JOURNAL, self.journal),
            (&statements::INSERT_REFUNDS, self.refunds),
            (&statements::UPDATE_REFUNDS, self.changed_refunds),
            (&statements::INSERT_QUARANTINE, self.quarantine),
            (&statements::END_QUARANTINE, self.ended_quarantine),
            (&statements::CALM_ATTENTION, self.calmed),
            (&statements::INSERT_ATTENTION, self.raised),
            (&statements::INSERT_AUDIT, self.audit),
            (&statements::INSERT_ACTS, self.acts),
            (&statements::INSERT_PURCHASE_CHECKS, self.purchase_checks),
        ];
        for (statement, rows) in steps {
            if !rows.is_empty() {
                connection.each(statement, rows).await.map_err(fault::of_statement)?;
            }
        }
        self.told.insert(connection, writing).await?;
        Ok(self.tally)
    }
}
