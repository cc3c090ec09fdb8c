//! The screen, drawn from the state and from nothing else.

mod detail;
mod dialogs;
mod login;
mod overview;
mod whole;

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table as TableWidget, TableState};
use unicode_width::UnicodeWidthStr;

pub use self::detail::{chosen_lines, max_scroll};
pub use self::dialogs::help_scroll;
use crate::app::{App, StreamState, Tab};
use crate::commands::{self, Command};
use crate::tables::{Sort, Table};
use crate::text;
use crate::theme::{Colours, Meaning};

/// Below this nothing is drawn but a message.
pub const SMALLEST: (u16, u16) = (80, 24);
/// Lines above the rows: title, tabs, the column names.
const ABOVE_ROWS: u16 = 3;
/// Lines of a message at most.
const MOST_SAID: usize = 4;
/// Seconds without a word after which the gateway counts as late.
const LATE_AFTER_S: i64 = 6;

pub fn draw(app: &App, frame: &mut Frame) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let said = format!(
            "{} × {} is too small: at least {} × {}",
            area.width, area.height, SMALLEST.0, SMALLEST.1
        );
        frame.render_widget(Paragraph::new(said), area);
        return;
    }
    if app.me.is_none() {
        login::draw(app, frame, area);
        return;
    }
    let said = message_lines(app, usize::from(area.width));
    let height = u16::try_from(said.len()).unwrap_or(u16::MAX);
    let [title, tabs, body, message, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(height),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(title_line(app, title.width), title);
    frame.render_widget(tab_line(app), tabs);
    if app.is_open() {
        detail::draw(app, frame, body);
    } else if app.tab == Tab::Overview {
        overview::draw(app, frame, body);
    } else {
        rows(app, frame, body);
    }
    frame.render_widget(Paragraph::new(said), message);
    frame.render_widget(footer_line(app, footer.width), footer);
    dialogs::draw(app, frame, area);
}

fn title_line(app: &App, width: u16) -> Line<'static> {
    let me = app.me.as_ref().map(|me| {
        let scope = me.platform.as_ref().map_or(String::new(), |slug| format!(" of {slug}"));
        format!("{}, {}{scope}", me.name, me.role.as_str())
    });
    let read_only = if app.read_only { ", read only" } else { "" };
    let who = format!(" {}{read_only} at {}", me.unwrap_or_default(), app.server);
    let (word, meaning) = connection(app);
    let room = usize::from(width).saturating_sub("ScanGate".len() + word.width() + 1);
    let who = text::cut(&who, room);
    let gap = " ".repeat(room - who.width() + 1);
    Line::from(vec![
        Span::styled("ScanGate", app.colours.style(Meaning::Title)),
        Span::raw(who),
        Span::raw(gap),
        Span::styled(word, app.colours.style(meaning)),
    ])
}

/// Whether the gateway answers, and how old what is shown is.
pub fn connection(app: &App) -> (String, Meaning) {
    let heard = app.heard_at.map(|heard| (app.now_ms - heard).max(0) / 1000);
    let is_fed = app.stream.state == StreamState::Open && !app.is_open();
    match (&app.lost, heard) {
        (Some(_), Some(seconds)) => (format!("lost, last word {seconds}s ago"), Meaning::Bad),
        (Some(_), None) => ("lost".to_owned(), Meaning::Bad),
        (None, None) => ("reading…".to_owned(), Meaning::Dim),
        (None, Some(seconds)) if seconds > LATE_AFTER_S && app.has_older() && !is_fed => {
            (format!("read {seconds}s ago, r reads anew"), Meaning::Warning)
        }
        (None, Some(seconds)) if seconds > LATE_AFTER_S => {
            (format!("delayed, last word {seconds}s ago"), Meaning::Warning)
        }
        (None, Some(seconds)) if is_fed => (format!("live, {seconds}s"), Meaning::Good),
        (None, Some(seconds)) => (format!("connected, {seconds}s"), Meaning::Good),
    }
}

fn tab_texts(app: &App) -> Vec<(Tab, String)> {
    let key = |tab| commands::COMMANDS.iter().find(|entry| entry.command == Command::Show(tab));
    let text = |tab: Tab, length: usize| {
        let count = match tab {
            Tab::Attention => waiting(app),
            _ => String::new(),
        };
        let title = if tab == app.tab { tab.title() } else { &tab.title()[..length.min(tab.title().len())] };
        format!(" {} {title}{count}", key(tab).map_or("", |entry| entry.keys[0]))
    };
    // Where they do not fit, all but the shown one are shortened alike.
    let room = usize::from(app.size.0);
    let of_length = |length| app.tabs().into_iter().map(|tab| (tab, text(tab, length))).collect::<Vec<_>>();
    let fits = |texts: &Vec<(Tab, String)>| texts.iter().map(|(_, text)| text.width()).sum::<usize>() <= room;
    (3..=10).rev().map(of_length).find(fits).unwrap_or_else(|| of_length(2))
}

/// How much waits for a person: by the overview where that is shown, which is read anew, else by the list as it was read.
fn waiting(app: &App) -> String {
    let counted = app.overview.as_ref().and_then(|overview| overview.matters_waiting);
    let (count, more) = match counted.filter(|_| app.tab == Tab::Overview) {
        Some(count) => (count, ""),
        None => (app.attention.rows.len() as u64, if app.attention.next.is_some() { "+" } else { "" }),
    };
    if count == 0 { String::new() } else { format!(" ({count}{more})") }
}

fn tab_line(app: &App) -> Line<'static> {
    let style = |tab| if tab == app.tab { app.colours.selected() } else { Style::new() };
    tab_texts(app).into_iter().map(|(tab, text)| Span::styled(text, style(tab))).collect()
}

/// The tab that is drawn there.
pub fn tab_at(app: &App, column: u16, row: u16) -> Option<Tab> {
    let mut end = 0;
    let found = tab_texts(app).into_iter().find(|(_, text)| {
        end += text.width();
        usize::from(column) < end
    });
    found.map(|(tab, _)| tab).filter(|_| row == 1)
}

/// The row of the list that is drawn there.
pub fn row_at(app: &App, row: u16) -> Option<usize> {
    let said = message_lines(app, usize::from(app.size.0)).len();
    let height = usize::from(app.size.1.saturating_sub(ABOVE_ROWS + 1)).saturating_sub(said);
    let line = usize::from(row.checked_sub(ABOVE_ROWS)?);
    let at = first_row(app, height) + line;
    (!app.is_open() && app.tab.is_list() && line < height && at < app.row_count()).then_some(at)
}

/// The first row that is drawn: the selected one is always among them.
fn first_row(app: &App, height: usize) -> usize {
    (app.selected() + 1).saturating_sub(height)
}

fn rows(app: &App, frame: &mut Frame, area: Rect) {
    let height = usize::from(area.height.saturating_sub(1));
    let first = first_row(app, height);
    let table = app.table_of(first..(first + height).min(app.row_count()));
    if table.rows.is_empty() {
        let said = match (app.tab, app.heard_at, &app.lost) {
            (_, _, Some(why)) => format!("The gateway cannot be reached: {why}"),
            (_, None, _) => "Reading…".to_owned(),
            _ if app.next().is_some() => format!("Nothing so far, {}", looked(app)),
            _ if !app.narrowed.text(app.tab).is_empty() => "Nothing is let through by the filter.".to_owned(),
            (Tab::Attention, ..) => "Nothing waits for a person.".to_owned(),
            _ => "There is nothing here.".to_owned(),
        };
        frame.render_widget(Paragraph::new(format!("\n {said}")), area);
        return;
    }
    let selected = app.tab.is_list().then(|| app.selected() - first);
    draw_table(app.colours, &table, selected, 0, frame, area);
}

/// Columns of the screen that a cut one has at least; with less it is left out.
const NARROWEST: usize = 5;

/// Columns as wide as what is in them, as many as there is room for; the last takes the rest.
fn widths(table: &Table, visible: Range<usize>, mut room: usize) -> Vec<usize> {
    let widest = |column: usize| {
        let cells = table.rows[visible.clone()].iter().map(|row| row[column].text.width());
        cells.chain([table.columns[column].width()]).max().unwrap_or_default()
    };
    let mut widths = Vec::new();
    let mut left = 0;
    for column in 0..table.columns.len() {
        let wanted = widest(column).min(36);
        if room < wanted.min(NARROWEST) {
            break;
        }
        let width = wanted.min(room);
        widths.push(width);
        left = room - width;
        room = left.saturating_sub(1);
    }
    // The last of all takes what is left.
    if widths.len() == table.columns.len()
        && let Some(last) = widths.last_mut()
    {
        *last += left;
    }
    widths
}

/// Columns whose values are compared by their last digits.
const TO_THE_RIGHT: [&str; 9] =
    ["amount", "paid", "refunded", "tries", "backlog", "exhausted", "failed", "skipped", "stores"];

/// As it stands in its column.
fn set(column: &str, text: &str, width: usize) -> String {
    let shown = text::cut(text, width);
    if !TO_THE_RIGHT.contains(&column) {
        return shown;
    }
    format!("{}{shown}", " ".repeat(width.saturating_sub(shown.width())))
}

fn draw_table(
    colours: Colours,
    table: &Table,
    selected: Option<usize>,
    first: usize,
    frame: &mut Frame,
    area: Rect,
) {
    let visible = first..(first + usize::from(area.height)).min(table.rows.len());
    let widths = widths(table, visible.clone(), usize::from(area.width));
    let drawn = table.rows[visible].iter().map(|cells| {
        let cells = cells.iter().zip(&table.columns).zip(&widths);
        Row::new(cells.map(|((cell, column), width)| {
            Span::styled(set(column, &cell.text, *width), colours.style(cell.meaning))
        }))
    });
    let names = table.columns.iter().zip(&widths).map(|(column, width)| set(column, column, *width));
    let header = Row::new(names).style(colours.style(Meaning::Title));
    let widths = widths.iter().map(|width| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX)));
    let drawn = TableWidget::new(drawn, widths).header(header).row_highlight_style(colours.selected());
    let mut state = TableState::new().with_selected(selected.map(|row| row - first));
    frame.render_stateful_widget(drawn, area, &mut state);
}

/// What was said to the operator last, in full; without that, where the list stands.
fn message_lines(app: &App, width: usize) -> Vec<Line<'static>> {
    let colours = app.colours;
    let wrapped = |said: &str, meaning| {
        let lines = text::wrapped(&text::clean(said), width.saturating_sub(2)).into_iter();
        lines.take(MOST_SAID).map(|line| Line::styled(format!(" {line}"), colours.style(meaning))).collect()
    };
    if app.is_paused {
        let waiting = match app.held_count() {
            0 => "nothing newer yet".to_owned(),
            1 => "1 change waits".to_owned(),
            count => format!("{count} changes wait"),
        };
        return wrapped(&format!("Paused: {waiting}; space goes on"), Meaning::Warning);
    }
    if let Some(message) = &app.message {
        return wrapped(&message.text, message.meaning);
    }
    if let Some(why) = &app.lost {
        return wrapped(why, Meaning::Bad);
    }
    vec![standing(app, width)]
}

/// How far back a filter was looked for, and what goes on or ends that.
fn looked(app: &App) -> String {
    let to =
        app.looked_back_to().map_or_else(String::new, |to| format!(" back to {}", text::time(to, app.zone)));
    if app.is_looking() { format!("looking{to}…; esc stops it") } else { format!("looked{to}; j goes on") }
}

fn standing(app: &App, width: usize) -> Line<'static> {
    let mut said = Vec::new();
    if !app.is_open() && app.row_count() > 0 {
        let more = match app.next() {
            Some(_) if app.is_looking() => format!(", {}", looked(app)),
            Some(_) => ", older ones past the last".to_owned(),
            None => String::new(),
        };
        said.push(format!("{} of {}{more}", app.selected() + 1, app.row_count()));
    }
    let narrowed = app.narrowed.text(app.tab);
    if !app.is_open() && !narrowed.is_empty() {
        said.push(format!("only {narrowed}"));
    }
    if app.tab == Tab::Orders && !app.is_open() && app.sort != Sort::Newest {
        said.push(app.sort.told().to_owned());
    }
    if app.tab == Tab::Orders && app.follows {
        said.push("following".to_owned());
    }
    if app.tab == Tab::Deliveries && !app.marked.is_empty() {
        said.push(format!("{} marked", app.marked.len()));
    }
    said.push(app.zone.to_string());
    Line::styled(text::cut(&format!(" {}", said.join(" · ")), width), app.colours.style(Meaning::Dim))
}

fn footer_line(app: &App, width: u16) -> Line<'static> {
    let mut entries: Vec<_> = commands::available(app).filter(|entry| entry.footer > 0).collect();
    entries.sort_by_key(|entry| entry.footer);
    let long = |entry: &commands::Entry| entry.keys[0].width() + entry.name.width() + 3;
    // Where not all have room the help has, since it lists the rest.
    let is_help = |entry: &commands::Entry| entry.command == Command::Help;
    let help: usize = entries.iter().filter(|entry| is_help(entry)).map(|entry| long(entry)).sum();
    let mut room = usize::from(width).saturating_sub(help);
    let mut is_full = false;
    let mut spans = Vec::new();
    for entry in entries {
        if !is_help(entry) {
            is_full |= room < long(entry);
            if is_full {
                continue;
            }
            room -= long(entry);
        }
        spans.push(Span::styled(format!(" {}", entry.keys[0]), app.colours.style(Meaning::Key)));
        spans.push(Span::raw(format!(" {} ", entry.name)));
    }
    Line::from(spans)
}
