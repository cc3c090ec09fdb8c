//! One row in full.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::draw_table;
use crate::app::App;
use crate::tables;
use crate::text;
use crate::theme::Meaning;

/// Columns of the names in front.
const NAMES: usize = 16;

pub fn draw(app: &App, frame: &mut Frame, area: Rect) {
    let lines = lines(app);
    let Some(fact) = &app.fact else {
        let shown = lines.into_iter().skip(usize::from(app.scroll)).take(usize::from(area.height));
        frame.render_widget(Paragraph::new(shown.collect::<Vec<_>>()), area);
        return;
    };
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height / 2);
    let said = Paragraph::new(lines);
    let [above, below] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    frame.render_widget(said, above);
    draw_table(app.colours, &tables::fact(fact), None, usize::from(app.scroll), frame, below);
}

/// How far it can be scrolled: until its last line is at the bottom.
pub fn max_scroll(app: &App) -> u16 {
    let shown = match &app.fact {
        Some(fact) => fact.fields.len().saturating_sub(1),
        None => lines(app).len().saturating_sub(usize::from(app.size.1.saturating_sub(4))),
    };
    u16::try_from(shown).unwrap_or(u16::MAX)
}

/// The lines of the chosen entry.
pub fn chosen_lines(app: &App) -> Option<Range<usize>> {
    if app.tab.has_wholes() { super::whole::lines(app).chosen } else { None }
}

/// Lines of names and values.
pub struct Lines<'a> {
    app: &'a App,
    pub drawn: Vec<Line<'static>>,
    /// Those that commands are about.
    chosen: Option<Range<usize>>,
}

impl<'a> Lines<'a> {
    pub fn new(app: &'a App) -> Self {
        Self { app, drawn: Vec::new(), chosen: None }
    }

    /// A value under its name, on as many lines as it takes.
    pub fn named(&mut self, name: &str, value: &str, meaning: Meaning) {
        let room = usize::from(self.app.size.0).saturating_sub(NAMES + 1).max(1);
        for (index, part) in text::wrapped(&text::clean(value), room).into_iter().enumerate() {
            let name = if index == 0 { text::cut(name, NAMES - 1) } else { String::new() };
            let gap = " ".repeat(NAMES - name.width());
            let name = Span::styled(format!(" {name}{gap}"), self.app.colours.style(Meaning::Dim));
            self.drawn.push(Line::from(vec![name, Span::styled(part, self.app.colours.style(meaning))]));
        }
    }

    /// Over the whole width.
    pub fn wide(&mut self, value: &str, meaning: Meaning) {
        let room = usize::from(self.app.size.0).saturating_sub(2).max(1);
        for part in text::wrapped(&text::clean(value), room) {
            self.drawn.push(Line::styled(format!(" {part}"), self.app.colours.style(meaning)));
        }
    }

    /// Over the whole width, broken where it is full: every blank is shown.
    pub fn exactly(&mut self, shown: &[String]) {
        let room = usize::from(self.app.size.0).saturating_sub(2).max(1);
        let parts = shown.iter().flat_map(|line| text::broken(line, room));
        self.drawn.extend(parts.map(|part| Line::raw(format!(" {part}"))));
    }

    /// The lines from the so-many-th on are what commands are about: marked to the end of the row.
    pub fn choose_from(&mut self, first: usize) {
        let width = usize::from(self.app.size.0);
        for line in &mut self.drawn[first..] {
            let gap = width.saturating_sub(line.width());
            line.push_span(Span::raw(" ".repeat(gap)));
            *line = std::mem::take(line).patch_style(self.app.colours.selected());
        }
        self.chosen = Some(first..self.drawn.len());
    }

    pub fn gap(&mut self) {
        self.drawn.push(Line::raw(""));
    }

    pub fn heading(&mut self, text: &str) {
        self.gap();
        self.drawn.push(Line::styled(format!(" {text}"), self.app.colours.style(Meaning::Title)));
    }

    /// A table with as much room as its cells take; the last column takes the rest.
    pub fn table(&mut self, table: &tables::Table) {
        let room = usize::from(self.app.size.0).saturating_sub(2);
        let widths = super::widths(table, 0..table.rows.len(), room);
        let colours = self.app.colours;
        // Where the columns have names they are told.
        if table.columns.iter().all(|column| !column.is_empty()) {
            let names = table.columns.iter().zip(&widths);
            let names = names.map(|(column, width)| {
                let shown = super::set(column, column, *width);
                format!("{shown}{}", " ".repeat(width.saturating_sub(shown.width()) + 1))
            });
            let names = format!(" {}", names.collect::<String>());
            self.drawn.push(Line::styled(names.trim_end().to_owned(), colours.style(Meaning::Dim)));
        }
        for cells in &table.rows {
            let mut spans = vec![Span::raw(" ")];
            for ((cell, column), width) in cells.iter().zip(&table.columns).zip(&widths) {
                let shown = super::set(column, &cell.text, *width);
                let gap = " ".repeat(width.saturating_sub(shown.width()) + 1);
                spans.push(Span::styled(shown, colours.style(cell.meaning)));
                spans.push(Span::raw(gap));
            }
            self.drawn.push(Line::from(spans));
        }
    }
}

fn lines(app: &App) -> Vec<Line<'static>> {
    if app.tab.has_wholes() {
        return super::whole::lines(app).drawn;
    }
    let mut lines = Lines::new(app);
    let mut named = |name: &str, value: &str, meaning: Meaning| lines.named(name, value, meaning);
    if let Some(matter) = app.matter() {
        let number = matter.subject.number.as_ref().unwrap_or(&matter.subject.id);
        let times = if matter.count == 1 { String::new() } else { format!(", seen {} times", matter.count) };
        named("matter", &matter.kind, tables::urgency(matter));
        named("about", &format!("{} {number}", matter.subject.kind), Meaning::Plain);
        named("since", &format!("{}{times}", text::time(matter.raised_at, app.zone)), Meaning::Plain);
        named("cause", &matter.cause, Meaning::Plain);
        named("to do", &matter.next_step, Meaning::Title);
        match &app.fact {
            Some(fact) => {
                let claim = fact.fact.claim.as_deref().unwrap_or("nothing");
                let (source, status) = (&fact.fact.source, fact.order_status.as_str());
                named("said", &format!("a {source} claims: {claim}; the order is {status}"), Meaning::Plain);
                if let Some(by) = &fact.fact.ended_by {
                    named(
                        "decided",
                        &format!("{by}, {}", tables::at(fact.fact.ended_at, app.zone)),
                        Meaning::Warning,
                    );
                }
            }
            None if matter.subject.kind == "fact" => named("", "Reading…", Meaning::Dim),
            None => members(&matter.detail, &mut named),
        }
        named("", "", Meaning::Plain);
    } else if let Some(change) = app.change() {
        named("change", &change.action, Meaning::Title);
        named("when", &text::time(change.at, app.zone), Meaning::Plain);
        named(
            "by",
            change.operator_id.as_deref().unwrap_or("a command on the gateway's machine"),
            Meaning::Plain,
        );
        for (name, value) in [("from", &change.address), ("subject", &change.subject_id)] {
            if let Some(value) = value {
                named(name, value, Meaning::Plain);
            }
        }
        for (name, state) in [("before", &change.before), ("after", &change.after)] {
            let Some(state) = state else { continue };
            named("", "", Meaning::Plain);
            named(name, "", Meaning::Plain);
            members(state, &mut named);
        }
    } else if let Some(endpoint) = app.endpoint() {
        super::whole::endpoint(app, endpoint, &mut lines);
    } else if let Some(replay) = app.replay() {
        super::whole::replay(app, replay, &mut lines);
    }
    lines.drawn
}

/// Each member of an object under its name.
fn members(value: &Value, named: &mut impl FnMut(&str, &str, Meaning)) {
    match value.as_object() {
        Some(members) => {
            for (name, value) in members {
                named(&text::clean(name), &text::value(value), Meaning::Plain);
            }
        }
        None => named("", &text::value(value), Meaning::Plain),
    }
}
