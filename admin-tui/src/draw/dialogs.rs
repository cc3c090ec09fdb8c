//! What is laid over the screen: help, palette, and the question before a change.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Padding, Paragraph, Wrap};
use shared::ops::Replay;
use unicode_width::UnicodeWidthStr;

use crate::app::{App, Dialog, KeyForm, MoneyForm};
use crate::commands;
use crate::filters;
use crate::text;
use crate::theme::Meaning;
use crate::update::acts;

pub fn draw(app: &App, frame: &mut Frame, area: Rect) {
    match &app.dialog {
        None => {}
        Some(Dialog::Help { scroll }) => help(app, *scroll, frame, area),
        Some(Dialog::Palette { typed }) => palette(app, typed, frame, area),
        Some(Dialog::Confirm { act, reason }) => {
            let mut lines = vec![Line::raw(text::clean(&act.question())), Line::raw("")];
            if act.reason_limit().is_some() {
                lines.push(field(app, "Why: ", reason, true));
                lines.push(Line::raw(""));
            }
            lines.push(keys(app, &[("enter", "do it"), ("esc", "leave it")]));
            // One more line for each that is broken.
            let broken = reason.width() / 60 + act.question().width() / 66 + 1;
            ask(" Sure? ", lines, broken, frame, area);
        }
        Some(Dialog::Filter { typed, recalled }) => filter(app, typed, *recalled, frame, area),
        Some(Dialog::Find { typed }) => {
            let lines = vec![
                field(app, "Number: ", typed, true),
                Line::raw(""),
                Line::raw("The shop's, ours, ScanForPay's, a refund's or a delivery's."),
                Line::raw(""),
                keys(app, &[("enter", "open its order"), ("esc", "leave it")]),
            ];
            ask(" Go to ", lines, 0, frame, area);
        }
        Some(Dialog::Refund(form)) => refund(app, form, frame, area),
        Some(Dialog::Rotate(form)) => rotate(app, form, frame, area),
        Some(Dialog::Start { replay, typed }) => start(app, replay, typed, frame, area),
    }
}

fn keys(app: &App, keys: &[(&'static str, &'static str)]) -> Line<'static> {
    let spans = keys.iter().flat_map(|(key, does)| {
        [Span::styled(*key, app.colours.style(Meaning::Key)), Span::raw(format!(" {does}  "))]
    });
    Line::from(spans.collect::<Vec<_>>())
}

fn field(app: &App, name: &'static str, typed: &str, is_here: bool) -> Line<'static> {
    let mut spans =
        vec![Span::styled(name, app.colours.style(Meaning::Title)), Span::raw(text::clean(typed))];
    if is_here {
        spans.push(Span::styled(" ", app.colours.selected()));
    }
    Line::from(spans)
}

fn ask(title: &'static str, lines: Vec<Line>, broken: usize, frame: &mut Frame, area: Rect) {
    let height = u16::try_from(lines.len() + 2 + broken).unwrap_or(area.height);
    over(title, lines, (72, height), frame, area);
}

fn filter(app: &App, typed: &str, recalled: Option<usize>, frame: &mut Frame, area: Rect) {
    let mut lines = vec![field(app, "/ ", typed, true)];
    let found = filters::complete(app.tab, typed);
    let wrong = filters::wrong(app.tab, typed);
    let is_begun = found.words.iter().any(|word| word.len() > typed.len() - found.start);
    match wrong {
        // What only has to be typed on is not yet wrong.
        Some(error) if !is_begun || found.start != error.start.min(found.start) => {
            let before = typed.get(..error.start).map_or(0, UnicodeWidthStr::width);
            let long = typed.get(error.start..error.end).map_or(1, UnicodeWidthStr::width).max(1);
            let bad = app.colours.style(Meaning::Bad);
            lines.push(Line::styled(format!("  {}{}", " ".repeat(before), "^".repeat(long)), bad));
            lines.push(Line::styled(format!("expected {}", error.expected), bad));
        }
        _ => {
            lines.push(Line::raw(""));
            let words = text::cut(&found.words.join("  "), 200);
            lines.push(Line::styled(words, app.colours.style(Meaning::Key)));
        }
    }
    lines.push(Line::raw(""));
    let kept = app.kept_filters.get(app.tab.title()).map_or(0, Vec::len);
    let which = match (recalled, kept) {
        (_, 0) => "none was used before".to_owned(),
        (Some(at), kept) => format!("{} of {kept} that were used", at + 1),
        (None, kept) => format!("{kept} that were used"),
    };
    lines.push(keys(app, &[("enter", "show"), ("tab", "complete"), ("esc", "leave it")]));
    let up = Span::styled("up down", app.colours.style(Meaning::Key));
    lines.push(Line::from(vec![up, Span::raw(format!(" {which}"))]));
    ask(" Filter ", lines, typed.width() / 66 + 2, frame, area);
}

fn refund(app: &App, form: &MoneyForm, frame: &mut Frame, area: Rect) {
    let mut lines = vec![
        Line::raw(format!(
            "Give back of order {}: {} {} at most",
            text::clean(&form.number),
            form.currency.format(form.left),
            form.currency
        )),
        Line::raw(""),
        field(app, "Amount: ", &form.amount, !form.is_at_reason),
        field(app, "Why:    ", &form.reason, form.is_at_reason),
    ];
    let said = form.minor().err().map_or(String::new(), |expected| format!("expected {expected}"));
    lines.push(Line::styled(said, app.colours.style(Meaning::Bad)));
    lines.push(Line::raw("Above the gateway's limit a second operator has to agree."));
    lines.push(keys(app, &[("enter", "on, then do it"), ("tab", "the other field"), ("esc", "leave it")]));
    ask(" Refund ", lines, form.reason.width() / 58, frame, area);
}

fn rotate(app: &App, form: &KeyForm, frame: &mut Frame, area: Rect) {
    let mut lines = vec![
        Line::raw(text::clean(&format!("A new sign key for {} {}.", form.partner_no, form.name))),
        Line::raw("It is written to a file for the merchant; no screen shows it."),
    ];
    if let Some(end) = form.earlier_ends_at {
        let told = format!(
            "A version of an earlier rotation, good until {}, ends at once: the shop may be signing with it.",
            text::time(end, app.zone)
        );
        lines.push(Line::styled(told, app.colours.style(Meaning::Warning)));
    }
    lines.extend([
        Line::raw(""),
        field(app, "Hours that the current key is good still: ", &form.hours, !form.is_at_reason),
        field(app, "Why: ", &form.reason, form.is_at_reason),
        Line::styled(form.overlap_hours().err().unwrap_or_default(), app.colours.style(Meaning::Bad)),
        keys(app, &[("enter", "on, then do it"), ("tab", "the other field"), ("esc", "leave it")]),
    ]);
    let broken =
        usize::from(form.earlier_ends_at.is_some()) + form.reason.width() / 60 + form.name.width() / 40;
    ask(" Rotate ", lines, broken, frame, area);
}

fn start(app: &App, replay: &Replay, typed: &str, frame: &mut Frame, area: Rect) {
    let times = match (replay.oldest_at, replay.newest_at) {
        (Some(oldest), Some(newest)) => {
            format!("promised from {} to {}", text::time(oldest, app.zone), text::time(newest, app.zone))
        }
        _ => String::new(),
    };
    let mut lines = vec![
        Line::styled(
            text::counted(replay.total, "delivery", "deliveries"),
            app.colours.style(Meaning::Title),
        ),
        Line::raw(format!(
            "of {}, to {}",
            text::counted(replay.merchants, "merchant", "merchants"),
            text::counted(replay.endpoints, "endpoint", "endpoints")
        )),
        Line::raw(times),
        Line::raw(format!("takes {} at {} a second", text::lasting(replay.takes_seconds), replay.rate)),
        Line::raw(""),
    ];
    if replay.unsendable > 0 {
        let told = format!(
            "{} of them would go nowhere: the endpoint is gone, not proven, or another's",
            replay.unsendable
        );
        lines.insert(3, Line::styled(told, app.colours.style(Meaning::Warning)));
    }
    if replay.total == 0 {
        lines.push(Line::raw("There is nothing to deliver again."));
        lines.push(keys(app, &[("esc", "leave it")]));
    } else {
        if acts::must_type(replay) {
            lines.push(field(app, "Type the count to start it: ", typed, true));
            lines.push(Line::raw(""));
        }
        lines.push(keys(app, &[("enter", "start it"), ("esc", "leave it")]));
    }
    ask(" Deliver again? ", lines, 0, frame, area);
}

fn over(title: &'static str, lines: Vec<Line>, size: (u16, u16), frame: &mut Frame, area: Rect) {
    let [at] = Layout::vertical([Constraint::Max(size.1)]).flex(Flex::Center).areas(area);
    let [at] = Layout::horizontal([Constraint::Max(size.0)]).flex(Flex::Center).areas(at);
    let block = Block::bordered().title(title).padding(Padding::horizontal(1));
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), at);
}

fn help(app: &App, scroll: u16, frame: &mut Frame, area: Rect) {
    let lines: Vec<Line> = commands::COMMANDS
        .iter()
        .map(|entry| {
            let is_given = commands::available(app).any(|one| std::ptr::eq(one, entry));
            let dim = if is_given { Meaning::Plain } else { Meaning::Dim };
            let mark = if is_given { " " } else { "·" };
            Line::from(vec![
                Span::raw(mark),
                Span::styled(
                    format!("{:<16}", entry.keys.join(" ")),
                    app.colours.style(if is_given { Meaning::Key } else { dim }),
                ),
                Span::styled(format!("{:<17}{}", entry.name, entry.help), app.colours.style(dim)),
            ])
        })
        .collect();
    let shown = lines.into_iter().skip(usize::from(scroll)).collect();
    over(
        " Keys and commands; · not here or not yours; j k scroll, esc closes ",
        shown,
        (100, area.height - 2),
        frame,
        area,
    );
}

/// How far the help can be scrolled.
pub fn help_scroll(size: (u16, u16)) -> u16 {
    u16::try_from(commands::COMMANDS.len()).unwrap_or(u16::MAX).saturating_sub(size.1.saturating_sub(4))
}

fn palette(app: &App, typed: &str, frame: &mut Frame, area: Rect) {
    let mut lines = vec![Line::from(vec![
        Span::styled(":", app.colours.style(Meaning::Title)),
        Span::raw(typed.to_owned()),
        Span::styled(" ", app.colours.selected()),
    ])];
    lines.extend(commands::meant(app, typed).into_iter().map(|entry| {
        let name = Span::styled(format!(" {:<17}", entry.name), app.colours.style(Meaning::Key));
        Line::from(vec![name, Span::raw(entry.help)])
    }));
    over(" Command; tab completes ", lines, (72, 16), frame, area);
}
