//! The comparison: first every line beside what it names here, then everything of ours that no line named.

use std::collections::HashMap;

use sea_orm::DatabaseConnection;
use shared::money::Currency;

use super::columns::Columns;
use super::ours::{Books, Ours};
use super::read::{Line, Status, amount_in};
use super::{Difference, Found, Period, Scratch};
use crate::entity::submission::State;
use crate::entity::{account, refund};
use crate::orders::refund::sums::Sums;

/// Lines looked at in one go.
const LINES: usize = 500;

/// Compare the statement in `scratch` with our books of the account.
pub async fn check(
    read: &DatabaseConnection,
    account: account::Model,
    period: &Period,
    columns: &Columns,
    scratch: &mut Scratch,
) -> anyhow::Result<()> {
    let books = Books::of(read, account).await?;
    scratch.find_duplicates()?;
    let mut after = 0;
    loop {
        let lines = scratch.lines_after(after, LINES)?;
        let Some(last) = lines.last() else { break };
        after = last.line;
        page(&books, &lines, columns, scratch).await?;
    }
    payments_not_listed(&books, period, scratch).await?;
    if scratch.has_refunds {
        refunds_not_listed(&books, period, scratch).await?;
    }
    Ok(())
}

async fn page(
    books: &Books<'_>,
    lines: &[Line],
    columns: &Columns,
    scratch: &mut Scratch,
) -> anyhow::Result<()> {
    let numbers: Vec<&str> = lines.iter().filter_map(|line| line.number.as_deref()).collect();
    let without = lines.iter().filter(|line| line.number.is_none());
    let order_nos: Vec<&str> = without.filter_map(|line| line.order_no.as_deref()).collect();
    let refund_nos: Vec<&str> = lines.iter().filter_map(|line| line.refund_no.as_deref()).collect();
    let by_number = books.of_numbers(&numbers).await?;
    let by_order_no = books.of_order_nos(&order_nos).await?;
    let by_refund_no = books.of_refund_nos(&refund_nos).await?;
    for line in lines {
        let ours = match (&line.number, &line.order_no) {
            (Some(number), _) => by_number.get(number),
            (None, Some(order_no)) => by_order_no.get(order_no),
            (None, None) => None,
        };
        if line.is_refund {
            refund_line(books, line, ours, &by_refund_no, columns, scratch).await?;
        } else {
            payment_line(line, ours, columns, scratch)?;
        }
    }
    Ok(())
}

fn payment_line(
    line: &Line,
    ours: Option<&Ours>,
    columns: &Columns,
    scratch: &mut Scratch,
) -> anyhow::Result<()> {
    let Some(ours) = ours else {
        // What was not paid need not be here.
        if line.status != Status::Unpaid {
            scratch.differ(&of_line(line, None, Difference::MissingHere, "no such order", &said(line)))?;
        }
        return Ok(());
    };
    let call = &ours.submission;
    if line.status != Status::Unpaid {
        scratch.matched(&call.id)?;
    }
    let currency = line.currency.as_deref().unwrap_or(&call.currency);
    if currency != call.currency {
        let found = of_line(line, Some(ours), Difference::Currency, &call.currency, currency);
        return scratch.differ(&found);
    }
    if amount_in(&line.amount, columns.amounts, currency) != Some(call.amount) {
        let here = written(call.amount, &call.currency);
        scratch.differ(&of_line(line, Some(ours), Difference::Amount, &here, &said(line)))?;
    }
    let is_paid = call.state == State::Paid;
    let agrees = match line.status {
        Status::Paid => is_paid,
        Status::Refunded => is_paid && Sums::of(&ours.order, call).refunded > 0,
        Status::Unpaid => !is_paid,
        Status::Other => false,
    };
    if !agrees {
        let (here, there) = (ours.order.status.as_str(), status_word(line.status));
        scratch.differ(&of_line(line, Some(ours), Difference::Status, here, there))?;
    }
    Ok(())
}

async fn refund_line(
    books: &Books<'_>,
    line: &Line,
    ours: Option<&Ours>,
    by_refund_no: &HashMap<String, (refund::Model, Ours)>,
    columns: &Columns,
    scratch: &mut Scratch,
) -> anyhow::Result<()> {
    let named = line.refund_no.as_ref().and_then(|number| by_refund_no.get(number));
    let order = named.map(|(_, ours)| ours).or(ours);
    let currency = line.currency.clone().or_else(|| order.map(|ours| ours.order.currency.clone()));
    let amount = currency.as_deref().and_then(|currency| amount_in(&line.amount, columns.amounts, currency));
    let refund = match (named, order) {
        (Some((refund, _)), _) => Some(refund.clone()),
        // Without its number: one of this amount that no other line has named.
        (None, Some(ours)) if line.refund_no.is_none() => {
            let mut free = None;
            for refund in books.refunds_of(ours).await? {
                if Some(refund.amount) == amount && !scratch.is_matched(&key(&refund))? {
                    free = Some(refund);
                    break;
                }
            }
            free
        }
        _ => None,
    };
    let Some(refund) = refund else {
        return scratch.differ(&of_line(line, order, Difference::Refund, "no such refund", &said(line)));
    };
    if !scratch.matched(&key(&refund))? {
        let there = "another line lists the same refund";
        return scratch.differ(&of_line(line, order, Difference::Refund, "one refund", there));
    }
    let here = format!("{}, {}", written(refund.amount, &refund.currency), state_word(&refund));
    if refund.state != refund::State::Refunded || Some(refund.amount) != amount {
        scratch.differ(&of_line(line, order, Difference::Refund, &here, &said(line)))?;
    }
    Ok(())
}

async fn payments_not_listed(
    books: &Books<'_>,
    period: &Period,
    scratch: &mut Scratch,
) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    loop {
        let (ours, next) = books.payments(period, after.as_deref()).await?;
        for (ours, day) in ours {
            scratch.summary.ours += 1;
            if scratch.is_matched(&ours.submission.id)? {
                continue;
            }
            if !period.is_due(day) {
                scratch.summary.pending += 1;
                continue;
            }
            let here =
                format!("{}, paid on {day}", written(ours.submission.amount, &ours.submission.currency));
            scratch.differ(&of_order(&ours, Difference::MissingThere, &here, "not listed"))?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn refunds_not_listed(books: &Books<'_>, period: &Period, scratch: &mut Scratch) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    loop {
        let (refunds, next) = books.refunds(period, after.as_deref()).await?;
        for (refund, ours) in refunds {
            scratch.summary.ours += 1;
            if scratch.is_matched(&key(&refund))? {
                continue;
            }
            if !period.is_due(period.day_of(refund.updated_at)) {
                scratch.summary.pending += 1;
                continue;
            }
            let here = format!("{}, refunded", written(refund.amount, &refund.currency));
            let mut found = of_order(&ours, Difference::Refund, &here, "not listed");
            found.refund_no = Some(refund.id);
            scratch.differ(&found)?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// What a refund is remembered by: its number can be no order's.
fn key(refund: &refund::Model) -> String {
    format!("refund {}", refund.id)
}

fn of_line(line: &Line, ours: Option<&Ours>, kind: Difference, here: &str, there: &str) -> Found {
    let mut found =
        ours.map_or_else(|| Found::new(kind, here, there), |ours| of_order(ours, kind, here, there));
    found.line = Some(line.line);
    found.sent_number = line.number.clone().or(found.sent_number);
    found.order_no = line.order_no.clone().or(found.order_no);
    found.refund_no.clone_from(&line.refund_no);
    found
}

pub(super) fn of_order(ours: &Ours, kind: Difference, here: &str, there: &str) -> Found {
    Found {
        number: Some(ours.order.number.clone()),
        sent_number: Some(ours.submission.sent_number().to_owned()),
        order_no: ours.submission.upstream_order_no.clone(),
        order_id: Some(ours.order.id.clone()),
        ..Found::new(kind, here, there)
    }
}

/// A line's amount and currency, as they stand there.
fn said(line: &Line) -> String {
    let currency = line.currency.as_deref().unwrap_or_default();
    format!("{} {currency}", line.amount).trim_end().to_owned()
}

pub(super) fn written(amount: i64, currency: &str) -> String {
    match Currency::parse(currency) {
        Some(known) => format!("{} {currency}", known.format(amount)),
        None => format!("{amount} {currency}"),
    }
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Paid => "paid",
        Status::Refunded => "refunded",
        Status::Unpaid => "not paid",
        Status::Other => "a status that the columns do not name",
    }
}

fn state_word(refund: &refund::Model) -> &'static str {
    match refund.state {
        refund::State::Proposed => "proposed",
        refund::State::Declined => "declined",
        refund::State::Submitting | refund::State::InProgress => "in progress",
        refund::State::Unknown => "unknown",
        refund::State::Refunded => "refunded",
        refund::State::Failed => "failed",
    }
}
