//! A filter that few rows pass: the gateway looks at a bounded number of them for a page, and the console goes on where
//! that ended, page by page, until the screen is full.

use crate::app::App;
use crate::effects::Effect;

/// Ask for the next page where what came does not fill the screen.
pub fn on(app: &mut App) -> Vec<Effect> {
    let is_narrowed = !app.narrowed.text(app.tab).is_empty();
    let is_full = app.row_count() >= usize::from(app.size.1);
    if is_full || !is_narrowed || app.is_open() || app.is_paused || app.looking.is_stopped {
        return Vec::new();
    }
    let Some(path) = app.next().cloned() else { return Vec::new() };
    app.looking.pages = app.looking.pages.saturating_add(1);
    app.asked_at = Some(app.now_ms);
    vec![Effect::Load { tab: app.tab, path, is_more: true }]
}

/// Stop it, if it is under way: what comes still is shown.
pub fn stop(app: &mut App) -> bool {
    let is_under_way = app.is_looking();
    app.looking.is_stopped |= is_under_way;
    is_under_way
}
