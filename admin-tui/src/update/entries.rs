//! What happened to the order that is open, one thing after the other: chosen, and opened.

use crate::app::{App, View};
use crate::draw;
use crate::effects::Effect;
use crate::event::Whole;

/// Choose the next entry of the timeline that has something to show, or the one before it.
pub fn step(app: &mut App, by: isize) -> Vec<Effect> {
    let ids = ids(app);
    let Some(last) = ids.len().checked_sub(1) else { return Vec::new() };
    let at = app.chosen.as_ref().and_then(|chosen| ids.iter().position(|id| id == chosen));
    let next = match at {
        Some(at) => at.saturating_add_signed(by).min(last),
        None if by > 0 => 0,
        None => last,
    };
    if at == Some(next) {
        return Vec::new();
    }
    (app.chosen, app.bytes) = (ids.into_iter().nth(next), None);
    if app.view.is_entry() {
        app.scroll = 0;
        return read(app);
    }
    reveal(app);
    Vec::new()
}

/// Those of the journal; attempts are with their deliveries.
fn ids(app: &App) -> Vec<String> {
    match app.opened.as_ref().map(|opened| &opened.whole) {
        Some(Whole::Order(order)) => order.timeline.iter().filter_map(|entry| entry.id.clone()).collect(),
        _ => Vec::new(),
    }
}

pub fn open(app: &mut App) -> Vec<Effect> {
    (app.view, app.scroll, app.bytes) = (View::Entry, 0, None);
    read(app)
}

/// Back to the order, at the entry.
pub fn leave(app: &mut App) {
    (app.view, app.scroll, app.bytes) = (View::Told, 0, None);
    reveal(app);
}

/// Its bytes, if any are kept: each reading is noted.
fn read(app: &App) -> Vec<Effect> {
    let id = app.entry().filter(|entry| entry.has_bytes).and_then(|entry| entry.id.clone());
    let asked = id.zip(app.open.clone());
    asked.map(|(entry_id, order_id)| Effect::LoadBytes { order_id, entry_id }).into_iter().collect()
}

/// Scroll as far as it takes for the chosen entry to be seen.
pub fn reveal(app: &mut App) {
    let Some(lines) = draw::chosen_lines(app) else { return };
    let height = usize::from(app.size.1.saturating_sub(4)).max(1);
    let scroll = usize::from(app.scroll);
    let least = lines.end.saturating_sub(height);
    let scroll = scroll.clamp(least.min(lines.start), lines.start);
    app.scroll = u16::try_from(scroll).unwrap_or(u16::MAX).min(draw::max_scroll(app));
}
