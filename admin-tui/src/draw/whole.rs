//! An order, a delivery or a merchant with everything about it.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use ratatui::text::Line;
use shared::ops::{Attempt, Delivery, MerchantWhole, OrderWhole, Refund, RefundState};

use super::detail::Lines;
use crate::app::{App, View};
use crate::event::{Opened, Whole};
use crate::tables::{self, Cell, Table};
use crate::text;
use crate::theme::Meaning;

pub fn lines(app: &App) -> Vec<Line<'static>> {
    let mut lines = Lines::new(app);
    match (&app.opened, app.view) {
        (None, _) => lines.wide(if app.lost.is_some() { "Not read." } else { "Reading…" }, Meaning::Dim),
        (Some(Opened { whole, .. }), View::Told) => match whole {
            Whole::Order(whole) => order(app, whole, &mut lines),
            Whole::Delivery(whole) => delivery(app, whole, &mut lines),
            Whole::Merchant(whole) => merchant(app, whole, &mut lines),
        },
        (Some(Opened { raw, .. }), View::Pretty) => match serde_json::from_str::<serde_json::Value>(raw) {
            Ok(value) => {
                format!("{value:#}").lines().for_each(|line| lines.wide(&indented(line), Meaning::Plain));
            }
            Err(_) => lines.wide(raw, Meaning::Plain),
        },
        (Some(Opened { raw, .. }), View::Exact) => lines.wide(raw, Meaning::Plain),
        (Some(Opened { whole: Whole::Order(order), .. }), View::Code) => {
            code(order.pay_url.as_deref(), &mut lines);
        }
        (Some(_), View::Code) => {}
    }
    lines.lines
}

/// Spaces in front that no line is broken at.
fn indented(line: &str) -> String {
    let text = line.trim_start();
    format!("{}{text}", "\u{a0}".repeat(line.len() - text.len()))
}

fn code(url: Option<&str>, lines: &mut Lines) {
    let code = url.and_then(|url| Some((url, QrCode::with_error_correction_level(url, EcLevel::L).ok()?)));
    let Some((url, code)) = code else {
        lines.wide("There is no address where it can be paid.", Meaning::Dim);
        return;
    };
    // Dark on light, whatever the terminal's own colours: some phones read no other.
    let drawn = code.render::<Dense1x2>().quiet_zone(true).build();
    for line in drawn.lines() {
        lines.lines.push(Line::styled(
            format!(" {line}"),
            ratatui::style::Style::new().fg(ratatui::style::Color::Black).bg(ratatui::style::Color::White),
        ));
    }
    lines.gap();
    lines.wide(url, Meaning::Plain);
}

fn cell(text: impl AsRef<str>, meaning: Meaning) -> Cell {
    Cell { text: text::clean(text.as_ref()), meaning }
}

fn order(app: &App, whole: &OrderWhole, lines: &mut Lines) {
    let order = &whole.order;
    let standing = match tables::status_meaning(order.status) {
        Meaning::Plain | Meaning::Dim => Meaning::Title,
        other => other,
    };
    lines.wide(&whole.stands, standing);
    lines.gap();
    let mut amounts = vec![text::money(order.amount, &order.currency)];
    for (what, minor) in [("paid", order.paid_amount), ("refunded", order.refunded_amount)] {
        if minor != 0 {
            amounts.push(format!("{what} {}", text::money(minor, &order.currency)));
        }
    }
    lines.named("status", order.status.as_str(), tables::status_meaning(order.status));
    lines.named("amount", &amounts.join(", "), Meaning::Plain);
    let store = order.store_no.as_ref().map_or(String::new(), |store| format!(", store {store}"));
    lines.named("merchant", &format!("{} of {}{store}", order.partner_no, order.platform), Meaning::Plain);
    let wallet = order.wallet.as_ref().map_or(String::new(), |wallet| format!(" with {wallet}"));
    lines.named("product", &format!("{}{wallet}", order.product), Meaning::Plain);
    if let Some(title) = &order.title {
        lines.named("title", title, Meaning::Plain);
    }
    lines.named("shop's number", &order.number, Meaning::Plain);
    lines.named("sent number", &whole.sent_number, Meaning::Plain);
    if let Some(number) = &whole.order_no {
        lines.named("ScanForPay's", number, Meaning::Plain);
    }
    let ends = text::time(whole.expires_at, app.zone);
    lines.named(
        "placed",
        &format!("{}, until {ends}", text::time(order.created_at, app.zone)),
        Meaning::Plain,
    );

    lines.heading("What happened");
    for entry in &whole.timeline {
        let by = entry.by.as_ref().map_or(String::new(), |by| format!(" ({by})"));
        let name = text::clock(entry.at, app.zone);
        lines.named(&name, &format!("{:<9} {}{by}", entry.kind, entry.text), meaning_of(&entry.kind));
    }
    submissions(app, whole, lines);
    if !whole.refunds.is_empty() {
        lines.heading("Refunds");
        whole.refunds.iter().for_each(|refund| one_refund(app, refund, lines));
    }
    for one in &whole.deliveries {
        let (state, meaning) = tables::delivery_meaning(one);
        lines.heading(&format!("Delivery of {} to {}", one.kind, one.url));
        lines.named("is", state, meaning);
        attempts(app, &one.attempts, lines);
    }
}

fn meaning_of(kind: &str) -> Meaning {
    if kind.contains("fail") || kind.contains("quarantine") { Meaning::Bad } else { Meaning::Plain }
}

fn submissions(app: &App, whole: &OrderWhole, lines: &mut Lines) {
    lines.heading("Calls to ScanForPay");
    for one in &whole.submissions {
        let answer = match (one.answered_at, one.code) {
            (Some(at), Some(code)) => {
                format!("code {code} after {} ms", at.ms() - one.sent_at.ms())
            }
            (Some(at), None) => {
                format!("nothing to rely on after {} ms", at.ms() - one.sent_at.ms())
            }
            (None, _) => "no answer".to_owned(),
        };
        lines.named(&text::clock(one.sent_at, app.zone), &format!("{}: {answer}", one.id), Meaning::Plain);
    }
}

fn one_refund(app: &App, refund: &Refund, lines: &mut Lines) {
    let (state, meaning) = match refund.state {
        RefundState::Proposed => ("proposed: a second operator has to agree", Meaning::Warning),
        RefundState::Declined => ("declined", Meaning::Dim),
        RefundState::Submitting => ("being sent", Meaning::Plain),
        RefundState::Unknown => ("unknown", Meaning::Bad),
        RefundState::InProgress => ("in progress", Meaning::Plain),
        RefundState::Refunded => ("refunded", Meaning::Good),
        RefundState::Failed => ("failed", Meaning::Warning),
    };
    let reason = refund.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let said = format!(
        "{} {state}, {} asked by {}{reason}",
        text::money(refund.amount, &refund.currency),
        refund.refund_no,
        refund.asked_by
    );
    lines.named(&text::clock(refund.created_at, app.zone), &said, meaning);
}

fn attempts(app: &App, attempts: &[Attempt], lines: &mut Lines) {
    for attempt in attempts {
        let status = attempt.status.map_or("no answer".to_owned(), |status| format!("HTTP {status}"));
        let is_good = attempt.status.is_some_and(|status| (200..300).contains(&status));
        let meaning = if is_good { Meaning::Plain } else { Meaning::Bad };
        let said = format!("{status} after {} ms: {}", attempt.took_ms, attempt.outcome);
        lines.named(&text::clock(attempt.at, app.zone), &said, meaning);
        if let Some(excerpt) = attempt.excerpt.as_ref().filter(|excerpt| !excerpt.trim().is_empty()) {
            lines.named("", &format!("“{}”", excerpt.trim()), Meaning::Dim);
        }
    }
}

fn delivery(app: &App, delivery: &Delivery, lines: &mut Lines) {
    let (state, meaning) = tables::delivery_meaning(delivery);
    lines.named("delivery", &delivery.id, Meaning::Title);
    lines.named("is", state, meaning);
    lines.named("event", &format!("{} ({})", delivery.kind, delivery.event_id), Meaning::Plain);
    lines.named("order", &delivery.number, Meaning::Plain);
    lines.named("to", &delivery.url, Meaning::Plain);
    lines.named("endpoint", &delivery.endpoint_id, Meaning::Plain);
    lines.named("promised", &text::time(delivery.created_at, app.zone), Meaning::Plain);
    if let Some(due) = delivery.due_at {
        lines.named("next try", &text::time(due, app.zone), Meaning::Plain);
    }
    if let Some(ended) = delivery.ended_at {
        lines.named("ended", &text::time(ended, app.zone), Meaning::Plain);
    }
    if let Some(replay) = &delivery.replay_id {
        lines.named("replay", replay, Meaning::Plain);
    }
    lines.heading(&format!("Attempts: {}", delivery.attempt_count));
    attempts(app, &delivery.attempts, lines);
}

fn merchant(app: &App, whole: &MerchantWhole, lines: &mut Lines) {
    let one = &whole.merchant;
    lines.named("merchant", &format!("{} {}", one.partner_no, one.name), Meaning::Title);
    match one.suspended_at {
        Some(at) => lines.named("is", &format!("suspended {}", text::time(at, app.zone)), Meaning::Warning),
        None => lines.named("is", "served", Meaning::Good),
    }
    lines.named("platform", &format!("{}, {}", one.platform, one.mode), Meaning::Plain);
    let limit = whole.limit.as_ref();
    let limit =
        limit.map_or("its platform's".to_owned(), |limit| format!("{} in {}", limit.count, limit.window));
    let hits = if whole.limit_hits > 0 { Meaning::Warning } else { Meaning::Plain };
    lines.named("limit", &format!("{limit}; turned away in the last hour: {}", whole.limit_hits), hits);
    let service = &whole.service;
    let ms = |value: Option<u64>| value.map_or("-".to_owned(), |value| format!("{value} ms"));
    let told = format!(
        "{} of {} attempts acknowledged in the last hour; p50 {}, p95 {}, p99 {}; {} not ended, {} exhausted",
        service.acknowledged,
        service.attempts,
        ms(service.p50_ms),
        ms(service.p95_ms),
        ms(service.p99_ms),
        service.backlog,
        service.exhausted
    );
    lines.named("deliveries", &told, if service.exhausted > 0 { Meaning::Warning } else { Meaning::Plain });

    lines.heading("Stores");
    let rows = whole.stores.iter().map(|store| {
        let is = match (store.credentials_fail, store.disabled_at) {
            (true, _) => cell("ScanForPay refuses its credentials", Meaning::Bad),
            (_, Some(_)) => cell("disabled", Meaning::Warning),
            _ => cell("open", Meaning::Good),
        };
        vec![
            cell(&store.store_no, Meaning::Plain),
            cell(&store.currency, Meaning::Plain),
            cell(store.wallets.join(" "), Meaning::Plain),
            is,
            cell(&store.account_id, Meaning::Dim),
        ]
    });
    lines.table(&Table { columns: vec!["store", "", "", "", ""], rows: rows.collect() });

    lines.heading("Keys");
    for key in &whole.keys {
        let used = key.last_used_at.map_or("never used".to_owned(), |at| {
            format!("last used {} ago", text::age(at.ms(), app.now_ms))
        });
        let age = text::age(key.created_at.ms(), app.now_ms);
        let ends =
            key.ends_at.map_or(String::new(), |at| format!(", good until {}", text::time(at, app.zone)));
        let name = if key.ends_at.is_some() { "previous" } else { "current" };
        lines.named(name, &format!("{age} old, {used}{ends} ({})", key.id), Meaning::Plain);
    }
    lines.heading("Endpoints");
    if whole.endpoints.is_empty() {
        lines.wide("None is registered.", Meaning::Dim);
    }
    lines.table(&tables::endpoints(&whole.endpoints, app.look()));
}
