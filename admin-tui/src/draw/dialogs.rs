//! What is laid over the screen: help, palette, and the question before a change.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Padding, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use crate::app::{App, Dialog};
use crate::commands;
use crate::theme::Meaning;

pub fn draw(app: &App, frame: &mut Frame, area: Rect) {
    match &app.dialog {
        None => {}
        Some(Dialog::Help { scroll }) => help(app, *scroll, frame, area),
        Some(Dialog::Palette { typed }) => palette(app, typed, frame, area),
        Some(Dialog::Confirm { act, reason }) => {
            let key = |text| Span::styled(text, app.colours.style(Meaning::Key));
            let mut lines = vec![Line::raw(act.question()), Line::raw("")];
            if act.reason_limit().is_some() {
                lines.push(Line::from(vec![
                    Span::styled("Why: ", app.colours.style(Meaning::Title)),
                    Span::raw(reason.clone()),
                    Span::styled(" ", app.colours.selected()),
                ]));
                lines.push(Line::raw(""));
            }
            lines.push(Line::from(vec![
                key("enter"),
                Span::raw(" do it  "),
                key("esc"),
                Span::raw(" leave it"),
            ]));
            // Borders, and one more line for each that is broken.
            let broken = reason.width() / 60 + 1;
            let height = u16::try_from(lines.len() + 2 + broken).unwrap_or(area.height);
            over(" Sure? ", lines, (72, height), frame, area);
        }
    }
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
    let fitting = commands::available(app).filter(|entry| entry.name.starts_with(typed));
    lines.extend(fitting.map(|entry| {
        let name = Span::styled(format!(" {:<17}", entry.name), app.colours.style(Meaning::Key));
        Line::from(vec![name, Span::raw(entry.help)])
    }));
    over(" Command; tab completes ", lines, (72, 16), frame, area);
}
