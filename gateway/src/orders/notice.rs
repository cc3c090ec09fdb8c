//! Taking a notice: found by the URL's token, verified with the account's key, settled durably, and only then
//! acknowledged. Repeats are acknowledged and change nothing.

use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::fact::{Source, Told};
use super::{fact_now, recent, room, settle};
use crate::app::App;
use crate::callback::Token;
use crate::entity::{account, submission};
use crate::limits::Refusal;
use crate::upstream::{self, Said};

/// What the upstream is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is kept. Say `success`.
    Kept,
    UnknownToken,
    /// Genuine, and about an order that was never imported.
    UnknownOrder,
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
            Self::UnknownOrder => "unknown_order",
            Self::NotGenuine => "not_genuine",
            Self::Busy => "busy",
            Self::Over(_) => "limited",
        }
    }
}

/// Take what was posted to the notify URL of `token`. Runs in a task of its own from the first write on.
pub async fn take(app: &Arc<App>, token: &Token, document: &[u8]) -> Heard {
    let found = match recent::submission(app, &token.id).await {
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
    match upstream::read(document, &keys) {
        Ok(said) => keep(app, submission, said).await,
        Err(why) => {
            tracing::warn!(submission = %submission.id, why, bytes = document.len(), "a notice that is not genuine");
            Heard::NotGenuine
        }
    }
}

/// Take what was posted to an account's own notify URL: a notice of an order that its shop had placed before it moved
/// in. The token proves the account, the signature what was said, and the number in it says of which order.
pub async fn take_for_account(app: &Arc<App>, token: &Token, document: &[u8]) -> Heard {
    let found = match account::Entity::find_by_id(token.id.as_str()).one(&app.store.read).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, "a notice's account could not be looked up");
            return Heard::Busy;
        }
    };
    let kept = found.and_then(|account| account.notice_hash);
    let account = app.directory.account(&token.id);
    let (Some(_), Some(account)) = (kept.filter(|kept| token.matches(kept)), account) else {
        return Heard::UnknownToken;
    };
    if let Err(refusal) = app.limits.callback() {
        return Heard::Over(refusal);
    }
    // The order says which versions were valid since, and only a genuine notice says which order it is.
    let said = upstream::read(document, &account.keys);
    let number = said.as_ref().ok().and_then(|said| said.partner_order_no.clone());
    let Some(number) = number else {
        tracing::warn!(account = %account.id, bytes = document.len(), "a notice for an account that is not genuine");
        return Heard::NotGenuine;
    };
    let imported = submission::Entity::find()
        .filter(submission::Column::AccountId.eq(account.id.as_str()))
        .filter(submission::Column::OwnNumber.eq(number))
        .filter(submission::Column::ImportedAt.is_not_null())
        .one(&app.store.read)
        .await;
    let submission = match imported {
        Ok(Some(submission)) => submission,
        Ok(None) => {
            // Not acknowledged: it comes again, and by then the order may be imported. If it does not, the import as
            // unpaid is asked about.
            tracing::warn!(account = %account.id, "a notice of an order that was never imported");
            return Heard::UnknownOrder;
        }
        Err(error) => {
            tracing::error!(%error, "the order of a notice could not be looked up");
            return Heard::Busy;
        }
    };
    match upstream::read(document, &account.keys_valid_since(submission.created_at)) {
        Ok(said) => keep(app, Arc::new(submission), said).await,
        Err(_) => Heard::NotGenuine,
    }
}

/// Settle a genuine notice, durably.
async fn keep(app: &Arc<App>, submission: Arc<submission::Model>, said: Said) -> Heard {
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
