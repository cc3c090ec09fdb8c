//! The form at the beginning.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Padding, Paragraph};

use crate::app::App;
use crate::text;
use crate::theme::Meaning;

pub fn draw(app: &App, frame: &mut Frame, area: Rect) {
    let [form] = Layout::vertical([Constraint::Length(9)]).flex(ratatui::layout::Flex::Center).areas(area);
    let [form] = Layout::horizontal([Constraint::Length(70)]).flex(ratatui::layout::Flex::Center).areas(form);
    let login = &app.login;
    let field = |name: &'static str, value: String, is_here: bool| {
        let style = if is_here { app.colours.selected() } else { app.colours.style(Meaning::Dim) };
        Line::from(vec![Span::raw(format!("{name:<10}")), Span::styled(format!("{value:<40}"), style)])
    };
    // How long the password is, is nobody's business either.
    let hidden = if login.password.is_empty() { "" } else { "••••••••" };
    let said = match (&app.message, login.is_waiting) {
        (_, true) => Line::styled("Asking the gateway…", app.colours.style(Meaning::Dim)),
        (Some(message), _) => Line::styled(text::clean(&message.text), app.colours.style(message.meaning)),
        _ => Line::from(vec![
            Span::styled("tab", app.colours.style(Meaning::Key)),
            Span::raw(" other field  "),
            Span::styled("enter", app.colours.style(Meaning::Key)),
            Span::raw(" log in  "),
            Span::styled("ctrl-c", app.colours.style(Meaning::Key)),
            Span::raw(" leave"),
        ]),
    };
    let lines = vec![
        Line::raw(text::cut(&app.server, 60)),
        Line::raw(""),
        field("Name", text::cut(&login.name, 39), !login.is_at_password),
        field("Password", hidden.to_owned(), login.is_at_password),
        Line::raw(""),
        said,
    ];
    let block = Block::bordered().title(" ScanGate console ").padding(Padding::horizontal(2));
    frame.render_widget(Paragraph::new(lines).block(block), form);
}
