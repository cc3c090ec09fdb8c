//! `--record`: the last events and the last screen, to reproduce a fault. What was typed into fields is not in it, nor
//! is anything that is not on the screen.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::app::App;
use crate::commands;
use crate::draw;
use crate::event::{Answer, Event, Word};

const LAST_EVENTS: usize = 500;
/// A drawing that takes longer is seen to.
const SLOW: Duration = Duration::from_millis(16);

pub struct Record {
    path: PathBuf,
    events: VecDeque<String>,
    screen: String,
    drawings: Drawings,
}

/// All since the start.
#[derive(Debug, Default)]
struct Drawings {
    count: u32,
    slow: u32,
    longest: Duration,
    total: Duration,
}

impl Record {
    pub fn new(path: PathBuf) -> Self {
        Self { path, events: VecDeque::new(), screen: String::new(), drawings: Drawings::default() }
    }

    /// Before the event changes the state.
    pub fn note(&mut self, app: &App, event: &Event) {
        if self.events.len() == LAST_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(format!("{} {}", app.now_ms, told(app, event)));
    }

    /// The screen was drawn in so long.
    pub fn drew(&mut self, took: Duration) {
        let drawings = &mut self.drawings;
        drawings.count = drawings.count.saturating_add(1);
        drawings.slow += u32::from(took > SLOW);
        drawings.longest = drawings.longest.max(took);
        drawings.total += took;
    }

    /// What the operator sees now.
    pub fn picture(&mut self, app: &App) {
        let (width, height) = app.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("nothing of it can fail");
        terminal.draw(|frame| draw::draw(app, frame)).expect("nothing of it can fail");
        self.screen = terminal.backend().to_string();
    }

    pub fn write(&self) -> std::io::Result<()> {
        let mut text = format!("scangate-admin {}\n\nevents, oldest first\n", env!("CARGO_PKG_VERSION"));
        for event in &self.events {
            writeln!(text, "{event}").expect("a text takes everything");
        }
        let Drawings { count, slow, longest, total } = &self.drawings;
        let each = total.checked_div(*count).unwrap_or_default();
        writeln!(
            text,
            "\ndrawn {count} times, {} µs each, the longest {} µs, {slow} longer than {} ms",
            each.as_micros(),
            longest.as_micros(),
            SLOW.as_millis()
        )
        .expect("a text takes everything");
        writeln!(text, "\nscreen\n{}", self.screen).expect("a text takes everything");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
        std::io::Write::write_all(&mut file, text.as_bytes())
    }
}

fn told(app: &App, event: &Event) -> String {
    let is_typing = app.me.is_none() || app.dialog.is_some();
    match event {
        Event::Key(key) => match commands::spelled(*key) {
            Some(name) if is_typing && name.chars().count() == 1 => "key (typed)".to_owned(),
            name => format!("key {}", name.unwrap_or_else(|| "of no command".to_owned())),
        },
        Event::Paste(_) => "pasted".to_owned(),
        Event::Stream(stream, word) => match word {
            Word::Opened => format!("stream {stream} is open"),
            Word::Beat => format!("stream {stream}: a sign of life"),
            Word::Changed(_) => format!("stream {stream}: a change"),
            Word::Broken(failure) => format!("stream {stream} is broken: {failure}"),
        },
        Event::Mouse(mouse) => format!("mouse {:?} at {}, {}", mouse.kind, mouse.column, mouse.row),
        Event::Resize(columns, rows) => format!("resized to {columns} × {rows}"),
        Event::Tick(now_ms) => format!("tick {now_ms}"),
        Event::Suspend => "suspend".to_owned(),
        Event::Stop => "stop".to_owned(),
        Event::Answer(answer) => match answer {
            Answer::LoggedIn(Ok(_)) => "logged in".to_owned(),
            Answer::LoggedIn(Err(failure)) => format!("not logged in: {failure}"),
            Answer::LoggedOut => "logged out".to_owned(),
            Answer::Loaded { tab, is_more, result, .. } => {
                let how = result.as_ref().map_or_else(ToString::to_string, |_| "read".to_owned());
                format!("{}{}: {how}", tab.title(), if *is_more { ", older" } else { "" })
            }
            Answer::Opened { result, .. } => format!("row: {}", how(result)),
            Answer::Found { result, .. } => format!("number: {}", how(result)),
            Answer::Previewed(result) => format!("preview: {}", how(result)),
            Answer::Filters(_) => "filters of earlier runs".to_owned(),
            Answer::Bytes { result, .. } => format!("what came: {}", how(result)),
            Answer::Rotated(Ok(_)) => "a key was rotated".to_owned(),
            Answer::Rotated(Err(why)) => format!("no key was rotated: {why}"),
            Answer::Fact(result) => format!("fact: {}", how(result)),
            Answer::Done(act, result) => format!("{act:?}: {}", how(result)),
            Answer::Copied(_) => "copied".to_owned(),
            Answer::Exported(_) => "exported".to_owned(),
        },
    }
}

fn how<T>(result: &Result<T, crate::client::Failure>) -> String {
    result.as_ref().map_or_else(ToString::to_string, |_| "done".to_owned())
}
