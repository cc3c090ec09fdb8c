//! From one screen and row to another, and back.

use super::{entries, load};
use crate::app::{App, Held, List, Place, StreamState, Tab, View};
use crate::effects::Effect;
use crate::theme::Meaning;

pub fn show_beside(app: &mut App, step: isize) -> Vec<Effect> {
    let tabs = app.tabs();
    let at = tabs.iter().position(|tab| *tab == app.tab).unwrap_or(0);
    let to = (at.cast_signed() + step).rem_euclid(tabs.len().cast_signed());
    show(app, tabs[to.cast_unsigned()])
}

pub fn show(app: &mut App, tab: Tab) -> Vec<Effect> {
    if app.tab == tab && !app.is_open() {
        return Vec::new();
    }
    app.leave_a_mark();
    arrive(app, Place { tab, open: None })
}

/// Whatever was shown before is not shown any more, and what is shown now is read.
pub fn arrive(app: &mut App, place: Place) -> Vec<Effect> {
    close(app);
    let is_new = app.tab != place.tab;
    (app.tab, app.open) = (place.tab, place.open);
    (app.heard_at, app.read_at, app.is_paused, app.held) = (None, None, false, Held::default());
    let mut effects = if is_new { listen(app) } else { Vec::new() };
    if let Some(id) = app.open.clone() {
        effects.extend(with_fact(app));
        if !app.tab.has_wholes() {
            let row = app.list().and_then(|list| (0..list.count()).find(|at| list.id_at(*at) == Some(&id)));
            if let Some(row) = row {
                app.select(row);
            }
        }
    }
    effects.extend(load(app));
    effects
}

/// Hear what changes on the screen that is shown.
pub fn listen(app: &mut App) -> Vec<Effect> {
    let path = app.narrowed.stream(app.tab).filter(|_| app.has("/ops/v1/live"));
    if path.is_none() && app.stream.state == StreamState::Off {
        return Vec::new();
    }
    app.stream.number += 1;
    app.stream.state = if path.is_some() { StreamState::Opening } else { StreamState::Off };
    app.stream.is_stale = false;
    vec![Effect::Listen { stream: app.stream.number, path }]
}

pub fn go_back(app: &mut App) -> Vec<Effect> {
    if app.view.is_entry() {
        entries::leave(app);
        return Vec::new();
    }
    let place = match app.history.pop() {
        Some(place) => place,
        None => Place { tab: app.tab, open: None },
    };
    arrive(app, place)
}

pub fn close(app: &mut App) {
    (app.open, app.fact, app.opened, app.view, app.scroll) = (None, None, None, View::Told, 0);
    (app.chosen, app.bytes) = (None, None);
}

pub fn open(app: &mut App) -> Vec<Effect> {
    let Some(id) = app.current_id() else { return Vec::new() };
    app.leave_a_mark();
    close(app);
    app.open = Some(id);
    if app.tab.has_wholes() { load(app) } else { with_fact(app) }
}

/// Of a matter that is about a fact: the fact.
fn with_fact(app: &App) -> Vec<Effect> {
    let fact = app.matter().filter(|matter| matter.subject.kind == "fact" && app.is_open());
    fact.map(|matter| Effect::LoadFact(matter.subject.id.clone())).into_iter().collect()
}

pub fn its_order(app: &mut App) -> Vec<Effect> {
    let order_id = match app.tab {
        Tab::Replays => app.replay().and_then(|replay| replay.order_id.clone()),
        Tab::Attention => {
            app.matter().filter(|one| one.subject.kind == "order").map(|one| one.subject.id.clone())
        }
        _ => None,
    };
    if let Some(id) = order_id {
        return go_to_order(app, id);
    }
    let number = match app.tab {
        Tab::Attention => app.matter().and_then(|matter| matter.subject.number.clone()),
        _ => app.current_id(),
    };
    number.map(Effect::Find).into_iter().collect()
}

pub fn go_to_order(app: &mut App, id: String) -> Vec<Effect> {
    app.leave_a_mark();
    arrive(app, Place { tab: Tab::Orders, open: Some(id) })
}

pub fn its_deliveries(app: &mut App) -> Vec<Effect> {
    let endpoint = app.endpoint().map(|endpoint| format!("endpoint:{}", endpoint.id));
    let merchant = app.merchant().map(|merchant| format!("merchant:{}", merchant.id));
    let Some(text) = endpoint.or(merchant) else { return Vec::new() };
    app.leave_a_mark();
    if let Err(error) = app.narrowed.set(Tab::Deliveries, &text) {
        app.say(error.to_string(), Meaning::Bad);
        return Vec::new();
    }
    app.deliveries = List::default();
    arrive(app, Place { tab: Tab::Deliveries, open: None })
}
