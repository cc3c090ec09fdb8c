//! An order, a delivery or a merchant with everything about it.

mod entry;
mod merchant;
mod order;

use std::fmt::Write as _;

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use ratatui::text::Line;
use shared::ops::{Attempt, Delivery, Replay};

pub use self::merchant::endpoint;
use super::detail::Lines;
use crate::app::{App, View};
use crate::event::{Opened, Whole};
use crate::raw;
use crate::tables;
use crate::text;
use crate::theme::Meaning;

pub fn lines(app: &App) -> Lines<'_> {
    let mut lines = Lines::new(app);
    match (&app.opened, app.view) {
        (None, _) => lines.wide(if app.lost.is_some() { "Not read." } else { "Reading…" }, Meaning::Dim),
        (Some(Opened { whole, .. }), View::Told) => match whole {
            Whole::Order(whole) => order::order(app, whole, &mut lines),
            Whole::Delivery(whole) => delivery(app, whole, &mut lines),
            Whole::Merchant(whole) => merchant::merchant(app, whole, &mut lines),
        },
        (Some(Opened { raw, .. }), View::Pretty) => lines.exactly(&raw::pretty(raw)),
        (Some(Opened { raw, .. }), View::Exact) => lines.exactly(&raw::exact(raw)),
        (Some(_), View::Entry | View::EntryExact) => entry::entry(app, &mut lines),
        (Some(Opened { whole: Whole::Order(order), .. }), View::Code) => {
            code(order.pay_url.as_deref(), &mut lines);
        }
        (Some(_), View::Code) => {}
    }
    lines
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
        lines.drawn.push(Line::styled(
            format!(" {line}"),
            ratatui::style::Style::new().fg(ratatui::style::Color::Black).bg(ratatui::style::Color::White),
        ));
    }
    lines.gap();
    lines.wide(url, Meaning::Plain);
}

fn attempts(app: &App, attempts: &[Attempt], lines: &mut Lines) {
    for attempt in attempts {
        let status = attempt.status.map_or("no answer".to_owned(), |status| format!("HTTP {status}"));
        let is_good = attempt.status.is_some_and(|status| (200..300).contains(&status));
        let meaning = if is_good { Meaning::Plain } else { Meaning::Bad };
        let said = format!("{status} after {} ms: {}", attempt.took_ms, attempt.outcome.replace('_', " "));
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

pub fn replay(app: &App, replay: &Replay, lines: &mut Lines) {
    let (state, meaning) = tables::replay_meaning(replay.state);
    lines.named("replay", &replay.reason, Meaning::Title);
    lines.named("is", state, meaning);
    let mut far = format!(
        "{} of {} ended: {} delivered, {} failed, {} skipped; {} on their way",
        replay.ended(),
        replay.total,
        replay.delivered,
        replay.failed,
        replay.skipped,
        replay.sending
    );
    if replay.brought_forward > 0 {
        write!(far, "; {} brought forward", replay.brought_forward).expect("text is written");
    }
    lines.named("how far", &far, if replay.failed > 0 { Meaning::Bad } else { Meaning::Plain });
    let left = format!("{} left at {} a second", text::lasting(replay.takes_seconds), replay.rate);
    lines.named("pace", &left, Meaning::Plain);
    let merchants = text::counted(replay.merchants, "merchant", "merchants");
    let endpoints = text::counted(replay.endpoints, "endpoint", "endpoints");
    lines.named("of", &format!("{merchants}, {endpoints}"), Meaning::Plain);
    if let (Some(oldest), Some(newest)) = (replay.oldest_at, replay.newest_at) {
        let told = format!("{} to {}", text::time(oldest, app.zone), text::time(newest, app.zone));
        lines.named("promised", &told, Meaning::Plain);
    }
    let what = match (&replay.order_id, &replay.filter) {
        (Some(order), _) => format!("order {order}"),
        (_, Some(filter)) => serde_json::to_string(filter).expect("what was read as JSON is written as JSON"),
        _ => "deliveries that were chosen one by one".to_owned(),
    };
    lines.named("what", &what, Meaning::Plain);
    let skips = if replay.skip_acknowledged { "passed over" } else { "delivered again" };
    lines.named("acknowledged", skips, Meaning::Plain);
    lines.named("asked by", &replay.asked_by, Meaning::Plain);
    for (name, at) in
        [("made", Some(replay.created_at)), ("started", replay.started_at), ("ended", replay.ended_at)]
    {
        if let Some(at) = at {
            lines.named(name, &text::time(at, app.zone), Meaning::Plain);
        }
    }
    lines.named("id", &replay.id, Meaning::Dim);
}
