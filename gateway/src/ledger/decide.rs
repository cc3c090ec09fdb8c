//! The changes of a batch: look at all the orders they are about, let each decide, move the orders.

use std::collections::{HashMap, HashSet};

use shared::order::OrderStatus;

use super::Write;
use super::change::{Change, Current, Target};
use super::connection::Connection;
use super::each::{Each, Parameters};
use super::fault::{self, Fault};
use super::gathered::Gathered;
use super::statements;
use crate::entity::{order, purchase_check, quarantine, refund, submission};

type Boxed<'a> = &'a mut Box<dyn Change>;

/// `again`: a COMMIT of this batch was sent before and its outcome lost.
pub(super) async fn change(
    connection: &mut Connection,
    batch: &mut [Write],
    again: bool,
    gathered: &mut Gathered,
) -> Result<(), Fault> {
    let mut changes: Vec<Boxed<'_>> = batch
        .iter_mut()
        .filter_map(|write| match write {
            Write::Change(change) => Some(change),
            _ => None,
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    changes.sort_by(|a, b| a.target().order_id.cmp(&b.target().order_id));
    let unmoved = if again { changes } else { change_as_seen(connection, changes, gathered).await? };
    change_after_look(connection, unmoved, again, gathered).await
}

/// Changes whose callers know how the order stands, because they wrote it a moment ago: moved at once where that
/// still holds. Returns those that need a look.
async fn change_as_seen<'a>(
    connection: &mut Connection,
    changes: Vec<Boxed<'a>>,
    gathered: &mut Gathered,
) -> Result<Vec<Boxed<'a>>, Fault> {
    let mut unmoved = Vec::new();
    let mut moves = Moves::default();
    let mut tried = Vec::new();
    for change in changes {
        let Some(seen) = change.target().seen.clone() else {
            unmoved.push(change);
            continue;
        };
        let current = Current {
            order: &seen.order,
            submission: Some(&seen.submission),
            refunds: &[],
            held: &[],
            repeated: false,
        };
        let mut decided = change.decide(&current);
        match decided.order.take() {
            Some(order) if order.status != seen.order.status => {
                moves.add(&seen.order, &order)?;
                decided.purchase_check = purchase_check(&seen.order, &order);
                tried.push((change, decided, seen.order.status(), order.status()));
            }
            _ => unmoved.push(change),
        }
    }
    let moved = moves.make(connection).await?;
    for (change, decided, from, to) in tried {
        if moved.contains(&change.target().order_id) {
            gathered.moved(from, to);
            gathered.take(decided);
        } else {
            unmoved.push(change);
        }
    }
    unmoved.sort_by(|a, b| a.target().order_id.cmp(&b.target().order_id));
    Ok(unmoved)
}

async fn change_after_look(
    connection: &mut Connection,
    changes: Vec<Boxed<'_>>,
    again: bool,
    gathered: &mut Gathered,
) -> Result<(), Fault> {
    if changes.is_empty() {
        return Ok(());
    }
    let looked = Looked::at(connection, &changes, again).await?;
    let mut moves = Moves::default();
    for change in changes {
        let target = change.target();
        let Some(order) = looked.orders.get(&target.order_id) else {
            change.miss();
            continue;
        };
        if looked.standing.contains(&target.key) {
            continue; // an earlier COMMIT of this batch went through after all; its outcome is kept
        }
        let submission = target.submission_id.as_ref().and_then(|id| looked.submissions.get(id));
        let repeated = target.digest.is_some()
            && submission.is_some_and(|submission| looked.kept.contains(&submission.id));
        let refunds = looked.refunds.get(&target.order_id).map_or(&[][..], Vec::as_slice);
        let held = looked.held.get(&target.order_id).map_or(&[][..], Vec::as_slice);
        let mut decided = change.decide(&Current { order, submission, refunds, held, repeated });
        if let Some(after) = decided.order.take() {
            moves.add(order, &after)?;
            gathered.moved(order.status(), after.status());
            decided.purchase_check = purchase_check(order, &after);
        }
        gathered.take(decided);
    }
    let count = moves.count();
    let moved = moves.make(connection).await?;
    if moved.len() == count {
        return Ok(());
    }
    Err(Fault::Again(format!("{} of {count} orders had moved meanwhile", count - moved.len())))
}

/// Orders of one reference are looked at together after one of them was paid, or given back whole.
fn purchase_check(before: &order::Model, after: &order::Model) -> Option<purchase_check::Model> {
    let reference = after.reference.as_ref()?;
    let (from, to) = (before.status(), after.status());
    let is_new_money = to.has_money() && !from.has_money();
    let is_given_back = to == OrderStatus::Refunded && after.paid_twice;
    (from != to && (is_new_money || is_given_back)).then(|| purchase_check::Model {
        id: format!("{} {}", after.id, after.status),
        order_id: after.id.clone(),
        merchant_id: after.merchant_id.clone(),
        reference: reference.clone(),
    })
}

/// Orders to move: how they are thought to stand, and the row after.
#[derive(Default)]
struct Moves {
    settled: Vec<Parameters>,
    resubmitted: Vec<Parameters>,
}

impl Moves {
    /// Take one, after checking that it is a move of the table's.
    fn add(&mut self, before: &order::Model, after: &order::Model) -> Result<(), Fault> {
        let (from, to) = (before.status(), after.status());
        // Paid in between is allowed for: a first sight of a refunded order writes paid and then refunded.
        let via_paid = from.may_become(OrderStatus::Paid) && OrderStatus::Paid.may_become(to);
        if from != to && !from.may_become(to) && !via_paid {
            return Err(Fault::Row(format!("an order may not go from {} to {}", from.as_str(), to.as_str())));
        }
        let resubmitted = after.submission_id != before.submission_id;
        let list = if resubmitted { &mut self.resubmitted } else { &mut self.settled };
        list.push(statements::order_move(before, after, resubmitted));
        Ok(())
    }

    fn count(&self) -> usize {
        self.settled.len() + self.resubmitted.len()
    }

    /// Make them; returns the ids of the orders that still stood as they were thought to.
    async fn make(self, connection: &mut Connection) -> Result<HashSet<String>, Fault> {
        let mut moved = ids(connection, &statements::SETTLE_ORDERS, self.settled).await?;
        moved.extend(ids(connection, &statements::RESUBMIT_ORDERS, self.resubmitted).await?);
        Ok(moved)
    }
}

/// What stands of everything the changes are about.
struct Looked {
    orders: HashMap<String, order::Model>,
    submissions: HashMap<String, submission::Model>,
    /// By order.
    refunds: HashMap<String, Vec<refund::Model>>,
    /// By order.
    held: HashMap<String, Vec<quarantine::Model>>,
    /// Submissions of which the notice at hand was kept before. A batch has one write per order.
    kept: HashSet<String>,
    standing: HashSet<String>,
}

impl Looked {
    async fn at(connection: &mut Connection, changes: &[Boxed<'_>], again: bool) -> Result<Self, Fault> {
        let targets = || changes.iter().map(|change| change.target());
        let order_ids = targets().map(|target| vec![target.order_id.as_str().into()]).collect();
        let orders = connection
            .select::<order::Entity>(&statements::ORDERS_FOR_CHANGE, order_ids)
            .await
            .map_err(fault::of_statement)?;
        let submission_ids: Vec<Parameters> = targets()
            .filter_map(|target| target.submission_id.as_deref())
            .map(|submission_id| vec![submission_id.into()])
            .collect();
        let submissions = if submission_ids.is_empty() {
            Vec::new()
        } else {
            let select = connection.select::<submission::Entity>(&statements::SUBMISSIONS, submission_ids);
            select.await.map_err(fault::of_statement)?
        };
        let orders: HashMap<String, order::Model> =
            orders.into_iter().map(|order| (order.id.clone(), order)).collect();
        let refunds = refunds(connection, targets(), &orders).await?;
        let held = held(connection, &orders).await?;
        let notices = targets()
            .filter_map(|target| target.submission_id.as_deref().zip(target.digest.clone()))
            .map(|(submission_id, digest)| vec![submission_id.into(), digest.into()]);
        let kept = ids(connection, &statements::NOTICES_KEPT, notices.collect()).await?;
        let keys = targets().map(|target| vec![target.order_id.as_str().into(), target.key.as_str().into()]);
        let keys = if again { keys.collect() } else { Vec::new() };
        let standing = ids(connection, &statements::ENTRIES_STANDING, keys).await?;
        Ok(Self {
            orders,
            refunds,
            held,
            submissions: submissions.into_iter().map(|row| (row.id.clone(), row)).collect(),
            kept,
            standing,
        })
    }
}

/// The refunds of those orders of which anything is or may be refunded or reserved, or whose changes ask for them.
async fn refunds(
    connection: &mut Connection,
    targets: impl Iterator<Item = &Target>,
    orders: &HashMap<String, order::Model>,
) -> Result<HashMap<String, Vec<refund::Model>>, Fault> {
    // Of a second payment the submission knows.
    let given_back =
        |order: &order::Model| order.refund_reserved > 0 || order.refunded > 0 || order.second_payments > 0;
    let of: Vec<Parameters> = targets
        .filter(|target| {
            orders.get(&target.order_id).is_some_and(|order| target.refunds || given_back(order))
        })
        .map(|target| vec![target.order_id.as_str().into()])
        .collect();
    let mut refunds: HashMap<String, Vec<refund::Model>> = HashMap::new();
    if of.is_empty() {
        return Ok(refunds);
    }
    let rows = connection.select::<refund::Entity>(&statements::REFUNDS_OF_ORDERS, of);
    for refund in rows.await.map_err(fault::of_statement)? {
        refunds.entry(refund.order_id.clone()).or_default().push(refund);
    }
    Ok(refunds)
}

/// The facts that are held of those orders of which anything was told. Most orders that are paid were never told of.
async fn held(
    connection: &mut Connection,
    orders: &HashMap<String, order::Model>,
) -> Result<HashMap<String, Vec<quarantine::Model>>, Fault> {
    let told_of = orders.values().filter(|order| order.events > 0);
    let mut of: Vec<&str> = told_of.map(|order| order.id.as_str()).collect();
    of.sort_unstable();
    let mut held: HashMap<String, Vec<quarantine::Model>> = HashMap::new();
    if of.is_empty() {
        return Ok(held);
    }
    let of = of.into_iter().map(|order_id| vec![order_id.into(), "held".into()]).collect();
    let rows = connection.select::<quarantine::Entity>(&statements::FACTS_OF_ORDERS, of);
    for fact in rows.await.map_err(fault::of_statement)? {
        held.entry(fact.order_id.clone()).or_default().push(fact);
    }
    Ok(held)
}

async fn ids(
    connection: &mut Connection,
    each: &Each,
    rows: Vec<Parameters>,
) -> Result<HashSet<String>, Fault> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let told = connection.each(each, rows).await.map_err(fault::of_statement)?;
    Ok(told.into_iter().collect())
}
