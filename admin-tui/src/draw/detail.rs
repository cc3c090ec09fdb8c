//! One row in full.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use serde_json::Value;

use super::draw_table;
use crate::app::App;
use crate::tables;
use crate::text;
use crate::theme::Meaning;

/// Of it in front of the first column of what follows.
const NAMES: usize = 12;

pub fn draw(app: &App, frame: &mut Frame, area: Rect) {
    let lines = lines(app);
    let Some(fact) = &app.fact else {
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((app.scroll, 0)), area);
        return;
    };
    let height = height(&lines, area.width).min(area.height / 2);
    let said = Paragraph::new(lines).wrap(Wrap { trim: false });
    let [above, below] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    frame.render_widget(said, above);
    draw_table(app.colours, &tables::fact(fact), None, usize::from(app.scroll), frame, below);
}

/// How far it can be scrolled.
pub fn max_scroll(app: &App) -> u16 {
    let shown = match &app.fact {
        Some(fact) => fact.fields.len(),
        None => height(&lines(app), app.size.0).into(),
    };
    u16::try_from(shown).unwrap_or(u16::MAX).saturating_sub(1)
}

/// Lines that it takes at most, broken at words of usual lengths.
fn height(lines: &[Line], columns: u16) -> u16 {
    let columns = usize::from(columns).saturating_sub(NAMES).max(1);
    let taken: usize = lines.iter().map(|line| line.width().div_ceil(columns).max(1)).sum();
    u16::try_from(taken).unwrap_or(u16::MAX)
}

fn lines(app: &App) -> Vec<Line<'static>> {
    let named = |name: &str, value: String, meaning: Meaning| {
        let name = Span::styled(format!(" {name:<NAMES$}"), app.colours.style(Meaning::Dim));
        Line::from(vec![name, Span::styled(value, app.colours.style(meaning))])
    };
    let mut lines = Vec::new();
    if let Some(matter) = app.matter() {
        let number = matter.subject.number.clone().unwrap_or_else(|| matter.subject.id.clone());
        let times = if matter.count == 1 { String::new() } else { format!(", seen {} times", matter.count) };
        lines.push(named("matter", matter.kind.clone(), tables::urgency(matter)));
        lines.push(named(
            "about",
            format!("{} {}", matter.subject.kind, text::clean(&number)),
            Meaning::Plain,
        ));
        lines.push(named("since", format!("{}{times}", text::time(matter.raised_at)), Meaning::Plain));
        lines.push(named("cause", text::clean(&matter.cause), Meaning::Plain));
        lines.push(named("to do", text::clean(&matter.next_step), Meaning::Title));
        match &app.fact {
            Some(fact) => {
                let claim = fact.fact.claim.clone().unwrap_or_else(|| "nothing".to_owned());
                let said = format!(
                    "a {} claims: {claim}; the order is {}",
                    fact.fact.source,
                    fact.order_status.as_str()
                );
                lines.push(named("said", text::clean(&said), Meaning::Plain));
                let ended =
                    fact.fact.ended_by.as_ref().map(|by| format!("{by}, {}", tables::at(fact.fact.ended_at)));
                lines.extend(ended.map(|ended| named("decided by", ended, Meaning::Warning)));
            }
            None if matter.subject.kind == "fact" => {
                lines.push(named("", "Reading…".to_owned(), Meaning::Dim))
            }
            None => lines.extend(members(&matter.detail, &named)),
        }
        lines.push(Line::raw(""));
    } else if let Some(change) = app.change() {
        lines.push(named("change", text::clean(&change.action), Meaning::Title));
        lines.push(named("when", text::time(change.at), Meaning::Plain));
        let by =
            change.operator_id.clone().unwrap_or_else(|| "a command on the gateway's machine".to_owned());
        lines.push(named("by", by, Meaning::Plain));
        lines.extend(change.address.clone().map(|from| named("from", from, Meaning::Plain)));
        lines.extend(change.subject_id.clone().map(|id| named("subject", text::clean(&id), Meaning::Plain)));
        for (name, state) in [("before", &change.before), ("after", &change.after)] {
            let Some(state) = state else { continue };
            lines.push(Line::raw(""));
            lines.push(named(name, String::new(), Meaning::Plain));
            lines.extend(members(state, &named));
        }
    }
    lines
}

/// Each member of an object on a line of its own.
fn members(value: &Value, named: &impl Fn(&str, String, Meaning) -> Line<'static>) -> Vec<Line<'static>> {
    match value.as_object() {
        Some(members) => members
            .iter()
            .map(|(name, value)| {
                named(&text::clean(name), format!(" {}", text::value(value)), Meaning::Plain)
            })
            .collect(),
        None => vec![named("", text::value(value), Meaning::Plain)],
    }
}
