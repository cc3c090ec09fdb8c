//! One question about one order, for somebody who wants to know what was said: the answer passes the gate like any
//! other.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::query::{self, Reply};
use super::{reread, room, settle, submission_of};
use crate::app::App;
use crate::limits::Priority;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub order_id: String,
    /// The order's status before and after.
    pub before: String,
    pub after: String,
    pub said: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// What the answer says of the order, such as `paid`; nothing that can be told apart: `None`.
    Claim(Option<String>),
    /// The answer differs from what was asked, and is held.
    Held,
    Nothing,
    /// The account's budget is used up; after so many milliseconds it may be asked.
    Over(u64),
}

/// Ask about an order's latest call, within what the budget leaves for reconciling. Its other calls are asked about
/// before: what they say passes the gate, and is not said here.
pub async fn ask(app: &Arc<App>, order_id: &str) -> anyhow::Result<Said> {
    let before = reread(app, order_id).await?;
    let said = |after: &str, said| Said {
        order_id: order_id.to_owned(),
        before: before.status.clone(),
        after: after.to_owned(),
        said,
    };
    if before.submissions > 1 {
        query::ask_within(app, &before, Duration::ZERO, Priority::Reconcile).await;
    }
    let room = room(app, order_id)?;
    let Some(submission) = submission_of(app, &before.submission_id).await? else {
        return Ok(said(&before.status, Word::Nothing));
    };
    let fact = match query::hear(app, &before, &submission, Priority::Reconcile).await {
        Ok(fact) => fact,
        Err(Reply::Over(refusal)) => {
            let wait = u64::try_from(refusal.wait.as_millis()).unwrap_or(u64::MAX);
            return Ok(said(&before.status, Word::Over(wait)));
        }
        Err(Reply::Silence | Reply::Answered) => return Ok(said(&before.status, Word::Nothing)),
    };
    let claim = fact.claim().map(|claim| claim.as_str().to_owned());
    let settled = settle(app, room, &submission, fact).await?;
    let word = if settled.held { Word::Held } else { Word::Claim(claim) };
    Ok(said(&settled.order.status, word))
}
