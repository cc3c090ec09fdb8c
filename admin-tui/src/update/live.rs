//! What the stream of changes says.

use shared::ops::{Live, OrderRow};

use super::resort;
use crate::app::{App, StreamState, Tab};
use crate::client::Failure;
use crate::effects::Effect;
use crate::event::Word;
use crate::tables::Sort;

pub fn heard(app: &mut App, stream: u64, word: Word) -> Vec<Effect> {
    if stream != app.stream.number || app.me.is_none() {
        return Vec::new();
    }
    match word {
        Word::Opened => {
            // Whatever changed between the reading of the list and now was not told.
            app.stream.is_stale |= app.stream.state == StreamState::Opening && app.heard_at.is_some();
            app.stream.state = StreamState::Open;
        }
        Word::Beat => {}
        Word::Changed(change) if app.is_paused => app.held.put(*change),
        Word::Changed(change) => put(app, *change),
        Word::Broken(failure) => {
            app.stream.state = StreamState::Broken;
            if let Failure::Lost(why) = &failure {
                app.lost = Some(why.clone());
                return Vec::new();
            }
            return super::answers::failed(app, failure);
        }
    }
    app.heard_at = Some(app.now_ms);
    app.lost = None;
    Vec::new()
}

/// Rows that came or changed, where they belong.
pub fn put(app: &mut App, change: Live) {
    match change {
        Live::Order(row) => {
            // What was read meanwhile may be newer than what the stream is catching up with.
            let is_old = |held: &OrderRow| held.id == row.id && held.updated_at > row.updated_at;
            if app.orders.rows.iter().any(is_old) {
                return;
            }
            let belongs = app.narrowed.has_order(&row, app.now_ms);
            let placed = row.created_at;
            app.orders.put(row, belongs, |last| last.created_at <= placed);
            // A new row is first already.
            if app.sort != Sort::Newest {
                resort(app);
            }
            if app.follows {
                app.orders.selected = 0;
            }
        }
        Live::Delivery(row) => {
            let belongs = app.narrowed.deliveries.has(&row, app.now_ms);
            let promised = row.created_at;
            app.deliveries.put(row, belongs, |last| last.created_at <= promised);
        }
        Live::Replay(row) => {
            let made = row.created_at;
            app.replays.put(row, true, |last| last.created_at <= made);
        }
        // Whether it is new, changed or ended, it does not say; there are few.
        Live::Matter(_) => app.stream.is_stale |= app.tab == Tab::Attention,
        Live::Gap => app.stream.is_stale = true,
    }
}
