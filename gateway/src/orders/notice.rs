//! Taking a notice: found by the URL's token, verified with the account's key, settled durably, and only then
//! acknowledged. Repeats are acknowledged and change nothing.

use std::sync::Arc;

use sea_orm::EntityTrait;

use super::fact::{Source, Told};
use super::{fact_now, room, settle};
use crate::app::App;
use crate::callback::Token;
use crate::entity::submission;
use crate::limits::Refusal;
use crate::upstream;

/// What the upstream is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is kept. Say `success`.
    Kept,
    UnknownToken,
    /// Not signed with the account's key, or not a response envelope.
    NotGenuine,
    /// It could not be kept just now; the upstream will come again.
    Busy,
    /// Too many at once; the same.
    Over(Refusal),
}

impl Heard {
    /// As it is counted.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::UnknownToken => "unknown_token",
            Self::NotGenuine => "not_genuine",
            Self::Busy => "busy",
            Self::Over(_) => "limited",
        }
    }
}

/// Take what was posted to the notify URL of `token`. Runs in a task of its own from the first write on.
pub async fn take(app: &Arc<App>, token: &Token, document: &[u8]) -> Heard {
    let found = match submission::Entity::find_by_id(token.submission_id.as_str()).one(&app.store.read).await
    {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, "a notice could not be looked up");
            return Heard::Busy;
        }
    };
    let Some(submission) = found.filter(|submission| token.matches(&submission.notify_hash)) else {
        return Heard::UnknownToken;
    };
    if let Err(refusal) = app.limits.callback() {
        return Heard::Over(refusal);
    }
    let Some(account) = app.directory.account(&submission.account_id) else {
        tracing::error!(submission = %submission.id, "a notice for an account that is gone");
        return Heard::Busy;
    };
    // A key that was valid when the call was made, or since, may have signed it.
    let keys = account.keys_valid_since(submission.created_at);
    let said = match upstream::read(document, &keys) {
        Ok(said) => said,
        Err(why) => {
            tracing::warn!(submission = %submission.id, why, bytes = document.len(), "a notice that is not genuine");
            return Heard::NotGenuine;
        }
    };
    let raw = Some(said.raw.clone());
    let told = if upstream::is_closed(said.code) {
        Told::Closed(Box::new(said))
    } else {
        Told::State(Box::new(said))
    };
    let fact = fact_now(app, Source::Notice, told, raw, None);
    let Ok(room) = room(app, &submission.order_id) else {
        return Heard::Busy;
    };
    let task_app = app.clone();
    let task = app.tasks.spawn(async move { settle(&task_app, room, &submission, fact).await });
    match task.await {
        Ok(Ok(_)) => Heard::Kept,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a notice could not be kept");
            Heard::Busy
        }
        Err(_) => Heard::Busy,
    }
}
