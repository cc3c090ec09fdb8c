//! Keys where letters are typed: the login form and the dialogs.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::obey;
use crate::app::{App, Dialog};
use crate::commands;
use crate::effects::Effect;
use crate::theme::Meaning;

/// What the gateway takes.
const MAX_NAME: usize = 64;
const MAX_PASSWORD: usize = 256;

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
    let Some(dialog) = &mut app.dialog else { return Vec::new() };
    if key.code == KeyCode::Esc {
        app.dialog = None;
        return Vec::new();
    }
    match dialog {
        Dialog::Help { scroll } => match key.code {
            KeyCode::Down | KeyCode::Char('j' | ' ') => {
                *scroll = scroll.saturating_add(1).min(crate::draw::help_scroll(app.size));
            }
            KeyCode::Up | KeyCode::Char('k') => *scroll = scroll.saturating_sub(1),
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
                let found = commands::available(app).find(|entry| entry.name.starts_with(&begun));
                if let Some(name) = found.map(|entry| entry.name.to_owned()) {
                    app.dialog = Some(Dialog::Palette { typed: name });
                }
            }
            _ => edit(typed, key, 40),
        },
        Dialog::Confirm { act, reason } => match (key.code, act.reason_limit()) {
            (KeyCode::Enter, Some(_)) if reason.trim().is_empty() => {}
            (KeyCode::Enter, _) => {
                let effect = Effect::Do { act: act.clone(), reason: reason.trim().to_owned() };
                app.dialog = None;
                app.say("Asking the gateway…", Meaning::Dim);
                return vec![effect];
            }
            (_, Some(limit)) => edit(reason, key, limit),
            _ => {}
        },
    }
    Vec::new()
}

/// The one command whose name begins so.
fn only_one(app: &App, typed: &str) -> Option<&'static commands::Entry> {
    let mut found =
        commands::available(app).filter(|entry| !typed.is_empty() && entry.name.starts_with(typed));
    found.next().filter(|_| found.next().is_none())
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
