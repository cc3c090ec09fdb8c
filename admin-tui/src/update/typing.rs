//! Keys where letters are typed: the login form and the dialogs.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shared::ops::KeyToRotate;

use super::obey;
use super::{acts, arrive, listen};
use crate::app::{App, Dialog, KeyForm, List, MoneyForm, Place, Tab};
use crate::commands;
use crate::effects::Effect;
use crate::effects::{Act, ReplayMove};
use crate::filters;
use crate::theme::Meaning;

/// What the gateway takes.
const MAX_NAME: usize = 64;
const MAX_PASSWORD: usize = 256;
const MAX_NUMBER: usize = 64;
const MAX_PASTED: usize = 1_000;
/// What a list was narrowed to, kept for each screen.
const MAX_KEPT: usize = 20;

pub fn at_login(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let form = &mut app.login;
    if form.is_waiting {
        return Vec::new();
    }
    match key.code {
        KeyCode::Enter if !form.is_at_password => form.is_at_password = true,
        KeyCode::Enter if !form.name.is_empty() && !form.password.is_empty() => {
            form.is_waiting = true;
            let password = std::mem::take(&mut form.password);
            let name = form.name.clone();
            app.message = None;
            return vec![Effect::LogIn { name, password }];
        }
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down => {
            form.is_at_password = !form.is_at_password;
        }
        KeyCode::Backspace if form.is_at_password => {
            form.password.pop();
        }
        KeyCode::Backspace => {
            form.name.pop();
        }
        KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            if form.is_at_password {
                form.password.clear();
            } else {
                form.name.clear();
            }
        }
        KeyCode::Char(character) if is_text(key) => {
            let (field, limit): (&mut String, usize) = if form.is_at_password {
                (&mut form.password, MAX_PASSWORD)
            } else {
                (&mut form.name, MAX_NAME)
            };
            if field.chars().count() < limit {
                field.push(character);
            }
        }
        _ => {}
    }
    Vec::new()
}

fn is_text(key: KeyEvent) -> bool {
    !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
}

pub fn in_dialog(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let (last, page) = (crate::draw::help_scroll(app.size), app.size.1 / 2);
    let Some(dialog) = &mut app.dialog else { return Vec::new() };
    if key.code == KeyCode::Esc {
        return leave_dialog(app);
    }
    match dialog {
        Dialog::Help { scroll } => match key.code {
            KeyCode::Down | KeyCode::Char('j') => *scroll = scroll.saturating_add(1).min(last),
            KeyCode::PageDown | KeyCode::Char(' ') => *scroll = scroll.saturating_add(page).min(last),
            KeyCode::End | KeyCode::Char('G') => *scroll = last,
            KeyCode::Up | KeyCode::Char('k') => *scroll = scroll.saturating_sub(1),
            KeyCode::PageUp => *scroll = scroll.saturating_sub(page),
            KeyCode::Home => *scroll = 0,
            KeyCode::Char('?' | 'q') | KeyCode::Enter => app.dialog = None,
            _ => {}
        },
        Dialog::Palette { typed } => match key.code {
            KeyCode::Enter => {
                let typed = typed.trim().to_owned();
                app.dialog = None;
                let given = commands::of_name(app, &typed).or_else(|| only_one(app, &typed));
                if let Some(entry) = given {
                    return obey(app, entry.command);
                }
                app.say(format!("There is no command {typed:?} here; ? lists them."), Meaning::Warning);
            }
            KeyCode::Tab => {
                let begun = typed.clone();
                let found = commands::meant(app, &begun);
                if let Some(name) = found.first().map(|entry| entry.name.to_owned()) {
                    app.dialog = Some(Dialog::Palette { typed: name });
                }
            }
            _ => edit(typed, key, 40),
        },
        Dialog::Confirm { act, reason } => match (key.code, act.reason_limit()) {
            (KeyCode::Enter, Some(_)) if reason.trim().is_empty() => {}
            (KeyCode::Enter, _) => {
                let (act, reason) = (act.clone(), std::mem::take(reason));
                app.dialog = None;
                return acts::ask(app, act, &reason);
            }
            (_, Some(limit)) => edit(reason, key, limit),
            _ => {}
        },
        Dialog::Filter { .. } => return in_filter(app, key),
        Dialog::Find { typed } => match key.code {
            KeyCode::Enter if typed.trim().is_empty() => {}
            KeyCode::Enter => {
                let number = typed.trim().to_owned();
                app.dialog = None;
                return vec![Effect::Find(number)];
            }
            _ => edit(typed, key, MAX_NUMBER),
        },
        Dialog::Refund(form) => {
            if let Some((act, reason)) = in_refund(form, key) {
                app.dialog = None;
                return acts::ask(app, act, &reason);
            }
        }
        Dialog::Rotate(form) => {
            if let Some(effect) = in_rotation(form, key) {
                app.dialog = None;
                app.say("Asking the gateway…", Meaning::Dim);
                return vec![effect];
            }
        }
        Dialog::Start { replay, typed } => match key.code {
            KeyCode::Enter if acts::may_start(replay, typed) => {
                let act = Act::StartReplay { id: replay.id.clone(), total: replay.total };
                app.dialog = None;
                return acts::ask(app, act, "");
            }
            KeyCode::Enter => {}
            _ => edit(typed, key, 12),
        },
    }
    Vec::new()
}

/// What is begun and left is undone: nobody would ever start it.
fn leave_dialog(app: &mut App) -> Vec<Effect> {
    match app.dialog.take() {
        Some(Dialog::Start { replay, .. }) if app.tab != Tab::Replays => {
            acts::ask(app, Act::MoveReplay { id: replay.id, how: ReplayMove::Cancel }, "")
        }
        _ => Vec::new(),
    }
}

fn in_refund(form: &mut MoneyForm, key: KeyEvent) -> Option<(Act, String)> {
    match key.code {
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down => {
            form.is_at_reason = !form.is_at_reason;
        }
        KeyCode::Enter if !form.is_at_reason => form.is_at_reason = form.minor().is_ok(),
        KeyCode::Enter if form.reason.trim().is_empty() => {}
        KeyCode::Enter => {
            let amount = form.minor().ok()?;
            let act = Act::Refund { order_id: form.order_id.clone(), amount };
            return Some((act, std::mem::take(&mut form.reason)));
        }
        _ if form.is_at_reason => edit(&mut form.reason, key, 200),
        _ => edit(&mut form.amount, key, 20),
    }
    None
}

fn in_rotation(form: &mut KeyForm, key: KeyEvent) -> Option<Effect> {
    match key.code {
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down => {
            form.is_at_reason = !form.is_at_reason;
        }
        KeyCode::Enter if !form.is_at_reason => form.is_at_reason = form.overlap_hours().is_ok(),
        KeyCode::Enter if form.reason.trim().is_empty() => {}
        KeyCode::Enter => {
            let asked = KeyToRotate {
                reason: form.reason.trim().to_owned(),
                previous_for_hours: form.overlap_hours().ok()?,
                end_earlier: form.earlier_ends_at.is_some(),
            };
            let (merchant_id, partner_no) = (form.merchant_id.clone(), form.partner_no.clone());
            return Some(Effect::Rotate { merchant_id, partner_no, asked });
        }
        _ if form.is_at_reason => edit(&mut form.reason, key, 500),
        _ => edit(&mut form.hours, key, 4),
    }
    None
}

fn in_filter(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let tab = app.tab;
    let kept = app.kept_filters.get(tab.title()).cloned().unwrap_or_default();
    let Some(Dialog::Filter { typed, recalled }) = &mut app.dialog else { return Vec::new() };
    match key.code {
        KeyCode::Enter => {
            let text = typed.trim().to_owned();
            return narrow(app, &text);
        }
        KeyCode::Tab => {
            let found = filters::complete(tab, typed);
            if let Some(word) = found.words.first() {
                typed.truncate(found.start);
                typed.push_str(word);
                // A name wants its value next; a whole word wants another.
                if !word.ends_with([':', '=']) {
                    typed.push(' ');
                }
            }
        }
        KeyCode::Up | KeyCode::Down => {
            let at = match (key.code, *recalled) {
                (KeyCode::Up, None) => Some(0),
                (KeyCode::Up, Some(at)) => Some(at + 1),
                (_, Some(at)) => at.checked_sub(1),
                (_, None) => None,
            };
            if let Some(text) = at.and_then(|at| kept.get(at)) {
                text.clone_into(typed);
                *recalled = at;
            }
        }
        _ => {
            edit(typed, key, shared::filter::MAX_LENGTH);
            *recalled = None;
        }
    }
    Vec::new()
}

/// Show only that; what cannot be read stays to be mended.
fn narrow(app: &mut App, text: &str) -> Vec<Effect> {
    let tab = app.tab;
    if app.narrowed.set(tab, text).is_err() {
        return Vec::new();
    }
    app.dialog = None;
    match tab {
        Tab::Orders => app.orders = List::default(),
        Tab::Deliveries => app.deliveries = List::default(),
        _ => app.merchants = List::default(),
    }
    let mut effects = arrive(app, Place { tab, open: None });
    if tab == Tab::Orders {
        effects.extend(listen(app));
    }
    if !text.is_empty() {
        let kept = app.kept_filters.entry(tab.title().to_owned()).or_default();
        kept.retain(|one| one != text);
        kept.insert(0, text.to_owned());
        kept.truncate(MAX_KEPT);
        effects.push(Effect::KeepFilters(app.kept_filters.clone()));
    }
    effects
}

/// Pasted where something is typed; elsewhere a number, whose order is opened.
pub fn pasted(app: &mut App, text: &str) -> Vec<Effect> {
    let text = text.trim();
    if app.me.is_some() && app.dialog.is_none() {
        let can_find = commands::of_name(app, "go-to").is_some();
        if can_find
            && !text.is_empty()
            && text.chars().count() <= MAX_NUMBER
            && !text.contains(char::is_whitespace)
        {
            return vec![Effect::Find(text.to_owned())];
        }
        return Vec::new();
    }
    let type_one = |app: &mut App, letter| {
        let key = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE);
        if app.me.is_none() { at_login(app, key) } else { in_dialog(app, key) }
    };
    let letters = text.chars().filter(|letter| !letter.is_control()).take(MAX_PASTED);
    letters.flat_map(|letter| type_one(app, letter)).collect()
}

/// The one command that what was typed can mean.
fn only_one(app: &App, typed: &str) -> Option<&'static commands::Entry> {
    let meant = commands::meant(app, typed);
    let begun = meant.iter().filter(|entry| entry.name.starts_with(typed)).count();
    let is_clear = !typed.is_empty() && (begun == 1 || meant.len() == 1);
    meant.first().copied().filter(|_| is_clear)
}

fn edit(text: &mut String, key: KeyEvent, limit: usize) {
    match key.code {
        KeyCode::Backspace => {
            text.pop();
        }
        KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
        KeyCode::Char(character) if is_text(key) && text.chars().count() < limit => text.push(character),
        _ => {}
    }
}
