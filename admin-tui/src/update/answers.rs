//! What became of effects.

use shared::ops::OrderRow;

use super::{acts, arrive, close, entries, first_page, go_to_order, load, looking, resort};
use crate::app::{App, LoginForm, Place, Tab, View};
use crate::client::Failure;
use crate::effects::{Act, Effect};
use crate::event::{Answer, Loaded, LoggedIn, Told};
use crate::run::rotate::NotRotated;
use crate::text;
use crate::theme::Meaning;

pub fn answered(app: &mut App, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::LoggedIn(Ok(logged_in)) => return enter(app, logged_in),
        Answer::LoggedIn(Err(failure)) => {
            app.login.is_waiting = false;
            if std::mem::take(&mut app.is_renewing) {
                // A password that is refused is not tried again: that would lock the name.
                app.can_renew = matches!(failure, Failure::Lost(_));
                return failed(app, failure);
            }
            app.say(failure.to_string(), Meaning::Bad);
        }
        Answer::LoggedOut => return leave(app, "Logged out.", Meaning::Good),
        Answer::Loaded { tab, path, is_more, result } => return loaded(app, (tab, &path, is_more), result),
        Answer::Opened { id, .. } if app.open.as_ref() != Some(&id) => {} // of a row that was left
        Answer::Opened { result: Ok(opened), .. } => {
            word_came(app);
            // Where nothing is shown yet there is nothing to hold still.
            if app.is_paused && app.opened.is_some() {
                app.held.opened = Some(opened);
            } else {
                app.opened = Some(opened);
            }
        }
        Answer::Opened { result: Err(failure), .. } => return not_read(app, failure),
        Answer::Found { number, result: Ok(rows) } => return found(app, &number, &rows),
        Answer::Previewed(Ok(replay)) => {
            app.message = None;
            app.dialog = Some(acts::ask_to_start(*replay));
        }
        Answer::Filters(kept) => app.kept_filters = kept,
        Answer::Fact(Ok(fact)) => {
            // Of a matter that was left meanwhile it is not shown.
            if app.is_open() && app.matter().is_some_and(|matter| matter.subject.id == fact.fact.id) {
                app.fact = Some(fact);
            }
        }
        Answer::Rotated(Ok(rotated)) => {
            let until = text::time(rotated.previous_ends_at, app.zone);
            let said = format!(
                "The key is rotated, the one before is good until {until}. The new one is in {}: hand it to the \
                 merchant, then delete the file.",
                rotated.path
            );
            app.say(said, Meaning::Good);
            return load(app);
        }
        Answer::Rotated(Err(NotRotated::Refused(Failure::LoggedOut))) => {
            return failed(app, Failure::LoggedOut);
        }
        Answer::Rotated(Err(why)) => app.say(format!("Not done: {why}"), Meaning::Bad),
        // Of an entry that was left meanwhile they are not shown.
        Answer::Bytes { entry_id, .. } if app.chosen.as_ref() != Some(&entry_id) => {}
        Answer::Bytes { result: Ok(bytes), .. } => app.bytes = Some(bytes).filter(|_| app.view.is_entry()),
        Answer::Bytes { result: Err(failure), .. } => {
            (app.view, app.scroll) = (View::Told, 0);
            entries::reveal(app);
            return failed(app, failure);
        }
        Answer::Fact(Err(failure)) | Answer::Found { result: Err(failure), .. } => {
            return failed(app, failure);
        }
        Answer::Done(act, Ok(told)) => return done(app, &act, told),
        // What is on the screen may be otherwise now.
        Answer::Done(_, Err(failure @ Failure::InDoubt(_))) => {
            app.say(format!("In doubt: {failure}. Look before it is done again."), Meaning::Warning);
            return load(app);
        }
        Answer::Done(_, Err(failure)) | Answer::Previewed(Err(failure)) => {
            if failure == Failure::LoggedOut {
                return failed(app, failure);
            }
            app.say(format!("Not done: {failure}"), Meaning::Bad);
        }
        Answer::Copied(Ok(told)) => app.say(format!("Sent to the clipboard: {told}"), Meaning::Good),
        Answer::Exported(Ok(path)) => app.say(format!("Written: {path}"), Meaning::Good),
        Answer::Copied(Err(why)) | Answer::Exported(Err(why)) => app.say(why, Meaning::Bad),
    }
    Vec::new()
}

fn word_came(app: &mut App) {
    (app.asked_at, app.lost) = (None, None);
    (app.heard_at, app.read_at) = (Some(app.now_ms), Some(app.now_ms));
}

/// Asked again when the next reading is due, not at once.
fn not_read(app: &mut App, failure: Failure) -> Vec<Effect> {
    app.asked_at = None;
    app.read_at = Some(app.now_ms);
    failed(app, failure)
}

fn loaded(
    app: &mut App,
    (tab, path, is_more): (Tab, &str, bool),
    result: Result<Loaded, Failure>,
) -> Vec<Effect> {
    // Of a screen that was left, or of what it was narrowed to before.
    let is_asked = if is_more { app.next().is_some_and(|next| next == path) } else { is_first(app, path) };
    if tab != app.tab || !is_asked {
        return Vec::new();
    }
    match result {
        Ok(loaded) => {
            let is_shown = app.heard_at.is_some();
            word_came(app);
            // A page further back changes nothing that is shown, and where nothing is shown yet there is nothing to hold.
            if app.is_paused && is_shown && !is_more {
                app.held.page = Some(loaded);
                app.held.changes.clear();
            } else {
                take_in(app, loaded, is_more);
            }
            looking::on(app)
        }
        Err(failure) => not_read(app, failure),
    }
}

/// Times in the query go on with the clock.
fn is_first(app: &App, path: &str) -> bool {
    let timeless = |path: &str| {
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let kept = pairs
            .filter(|(name, _)| !matches!(&**name, "from" | "before"))
            .map(|(a, b)| (a.into_owned(), b.into_owned()));
        kept.collect::<Vec<_>>()
    };
    timeless(path) == timeless(&first_page(app))
}

fn found(app: &mut App, number: &str, rows: &[OrderRow]) -> Vec<Effect> {
    match rows {
        [] => app.say(
            format!("No order has the number {number}, nor has anything of an order."),
            Meaning::Warning,
        ),
        [row] => return go_to_order(app, row.id.clone()),
        _ => {
            // The same number at several merchants: whoever looks for it chooses.
            app.leave_a_mark();
            let text = format!("\"{}\"", number.replace('\\', "\\\\").replace('"', "\\\""));
            if app.narrowed.set(Tab::Orders, &text).is_ok() {
                app.say(format!("{} orders have the number {number}.", rows.len()), Meaning::Plain);
                return arrive(app, Place { tab: Tab::Orders, open: None });
            }
        }
    }
    Vec::new()
}

/// What changed is read anew.
fn done(app: &mut App, act: &Act, told: Option<Told>) -> Vec<Effect> {
    match told {
        Some(told) => app.say(told.text, told.meaning),
        None => app.say(act.done(), Meaning::Good),
    }
    match act {
        // One watches how it goes on.
        Act::StartReplay { .. } if app.tab != Tab::Replays => {
            app.marked.clear();
            app.leave_a_mark();
            return arrive(app, Place { tab: Tab::Replays, open: None });
        }
        _ if app.tab.has_wholes() => {}
        _ => close(app),
    }
    load(app)
}

fn enter(app: &mut App, logged_in: LoggedIn) -> Vec<Effect> {
    let LoggedIn { me, paths, expires_at, can_renew } = logged_in;
    let is_new = app.me.as_ref() != Some(&me);
    (app.paths, app.expires_at, app.can_renew, app.is_renewing) = (paths, expires_at, can_renew, false);
    app.me = Some(me);
    app.login = LoginForm::default();
    if !is_new {
        return Vec::new();
    }
    app.message = None;
    app.tab = app.tabs().first().copied().unwrap_or(Tab::Health);
    let mut effects = super::listen(app);
    effects.extend(load(app));
    effects
}

/// Back to the form. What the last operator saw is forgotten.
fn leave(app: &mut App, why: &str, meaning: Meaning) -> Vec<Effect> {
    let name = app.me.take().map(|me| me.name).unwrap_or_default();
    let mut fresh = App::new(app.server.clone(), app.colours, app.read_only, app.size, app.now_ms);
    fresh.login = LoginForm { is_at_password: !name.is_empty(), name, ..LoginForm::default() };
    fresh.kept_filters = std::mem::take(&mut app.kept_filters);
    (fresh.zone, fresh.other_zone) = (app.zone, app.other_zone);
    fresh.stream.number = app.stream.number + 1;
    let stream = fresh.stream.number;
    *app = fresh;
    app.say(why, meaning);
    vec![Effect::Listen { stream, path: None }]
}

pub fn failed(app: &mut App, failure: Failure) -> Vec<Effect> {
    match failure {
        Failure::LoggedOut if app.can_renew && !app.is_renewing => {
            app.is_renewing = true;
            return vec![Effect::Renew];
        }
        Failure::LoggedOut if app.is_renewing => {} // asked before the new token was there
        Failure::LoggedOut => {
            return leave(app, "The token is good no more; log in again.", Meaning::Warning);
        }
        Failure::Lost(why) => app.lost = Some(why),
        other => app.say(other.to_string(), Meaning::Bad),
    }
    Vec::new()
}

pub fn take_in(app: &mut App, loaded: Loaded, is_more: bool) {
    match loaded {
        Loaded::Overview(overview) => app.overview = Some(overview),
        Loaded::Orders(page) => {
            let is_first = app.orders.rows.is_empty();
            app.orders.take_in(page, is_more);
            resort(app);
            if is_first {
                app.orders.selected = 0;
            }
        }
        Loaded::Deliveries(page) => app.deliveries.take_in(page, is_more),
        Loaded::Endpoints(page) => app.endpoints.take_in(page, is_more),
        Loaded::Replays(page) => app.replays.take_in(page, is_more),
        Loaded::Attention(page) => {
            app.attention.take_in(page, is_more);
            if app.is_open() && app.matter().map(|matter| &matter.id) != app.open.as_ref() {
                close(app);
                app.say("The matter that was open has ended.", Meaning::Warning);
            }
        }
        Loaded::Merchants(page) => app.merchants.take_in(page, is_more),
        Loaded::Platforms(page) => app.platforms.take_in(page, is_more),
        Loaded::Operators(page) => app.operators.take_in(page, is_more),
        Loaded::Audit(page) => app.audit.take_in(page, is_more),
        Loaded::Health(health) => app.health = Some(health),
    }
}
