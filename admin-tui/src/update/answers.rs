//! What became of effects.

use shared::ops::{Change, Matter, Operator, Platform};

use super::{close, load};
use crate::app::{App, LoginForm, Tab};
use crate::client::Failure;
use crate::effects::Effect;
use crate::event::{Answer, Loaded, LoggedIn};
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
        Answer::LoggedOut => leave(app, "Logged out.", Meaning::Good),
        Answer::Loaded { tab, .. } if tab != app.tab => {} // of a screen that was left
        Answer::Loaded { result, is_more, .. } => {
            app.asked_at = None;
            match result {
                Ok(loaded) => {
                    app.heard_at = Some(app.now_ms);
                    app.lost = None;
                    if app.is_paused { app.held = Some(loaded) } else { take_in(app, loaded, is_more) }
                }
                Err(failure) => {
                    // Asked again when the next reading is due, not at once.
                    app.heard_at = app.heard_at.or(Some(app.now_ms));
                    return failed(app, failure);
                }
            }
        }
        Answer::Fact(Ok(fact)) => {
            // Of a matter that was left meanwhile it is not shown.
            if app.is_open && app.matter().is_some_and(|matter| matter.subject.id == fact.fact.id) {
                app.fact = Some(fact);
            }
        }
        Answer::Fact(Err(failure)) => return failed(app, failure),
        Answer::Done(act, Ok(())) => {
            app.say(act.done(), Meaning::Good);
            close(app);
            return vec![load(app)];
        }
        Answer::Done(_, Err(failure)) => {
            if failure == Failure::LoggedOut {
                return failed(app, failure);
            }
            app.say(format!("Not done: {failure}"), Meaning::Bad);
        }
        Answer::Copied(Ok(())) => {
            let id = app.selected_id().unwrap_or_default();
            app.say(format!("Sent to the clipboard: {id}"), Meaning::Good);
        }
        Answer::Exported(Ok(path)) => app.say(format!("Written: {path}"), Meaning::Good),
        Answer::Copied(Err(why)) | Answer::Exported(Err(why)) => app.say(why, Meaning::Bad),
    }
    Vec::new()
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
    vec![load(app)]
}

/// Back to the form. What the last operator saw is forgotten.
fn leave(app: &mut App, why: &str, meaning: Meaning) {
    let name = app.me.take().map(|me| me.name).unwrap_or_default();
    let mut fresh = App::new(app.server.clone(), app.colours, app.read_only, app.size, app.now_ms);
    fresh.login = LoginForm { is_at_password: !name.is_empty(), name, ..LoginForm::default() };
    *app = fresh;
    app.say(why, meaning);
}

fn failed(app: &mut App, failure: Failure) -> Vec<Effect> {
    match failure {
        Failure::LoggedOut if app.can_renew && !app.is_renewing => {
            app.is_renewing = true;
            return vec![Effect::Renew];
        }
        Failure::LoggedOut if app.is_renewing => {} // asked before the new token was there
        Failure::LoggedOut => leave(app, "The token is good no more; log in again.", Meaning::Warning),
        Failure::Lost(why) => app.lost = Some(why),
        other => app.say(other.to_string(), Meaning::Bad),
    }
    Vec::new()
}

pub fn take_in(app: &mut App, loaded: Loaded, is_more: bool) {
    match loaded {
        Loaded::Attention(page) if is_more => app.attention.extend(page),
        Loaded::Attention(page) => {
            let shown = app.matter().map(|matter| matter.id.clone());
            app.attention.replace(page, |matter: &Matter| &matter.id);
            // The matter that was open has ended.
            if app.is_open && app.matter().map(|matter| matter.id.clone()) != shown {
                close(app);
                app.say("The matter that was open has ended.", Meaning::Warning);
            }
        }
        Loaded::Platforms(page) if is_more => app.platforms.extend(page),
        Loaded::Platforms(page) => app.platforms.replace(page, |platform: &Platform| &platform.id),
        Loaded::Operators(page) if is_more => app.operators.extend(page),
        Loaded::Operators(page) => app.operators.replace(page, |operator: &Operator| &operator.name),
        Loaded::Audit(page) if is_more => app.audit.extend(page),
        Loaded::Audit(page) => app.audit.replace(page, |change: &Change| &change.id),
        Loaded::Health(health) => app.health = Some(health),
    }
}
