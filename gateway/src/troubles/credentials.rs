//! Credentials that ScanForPay refuses: found by several refusals in a row, told once, and told again when they are
//! taken. Meanwhile the store's orders are not asked about; one question now and then finds out.

use std::sync::{Arc, PoisonError};

use sea_orm::sea_query::{Expr, ExprTrait, Query, UpdateStatement};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::{Value, json};
use shared::code::Code;

use super::{Whose, contains, open, store_of};
use crate::app::App;
use crate::attention::Matter;
use crate::deliveries::promise::{self, Begun};
use crate::directory::proof::{self, Proof};
use crate::entity::event::Audience;
use crate::entity::{attention, event, store};
use crate::ledger::{Lane, LedgerError, RowStatement, Told, insert_rows};
use crate::orders::tell;
use crate::upstream::{self, Heard};

/// Refusals in a row that are no accident.
const IN_A_ROW: u32 = 3;
const MATTER: Matter = Matter::StoreCredentialsFailing;
const KIND: tell::Kind = tell::Kind::StoreCredentialsFailing;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Refused(i32),
    Taken,
}

/// What an answer to a create or a query says of the credentials it was asked with; `None`: nothing.
fn verdict(heard: &Heard) -> Option<Verdict> {
    if upstream::is_bad_signature(heard) {
        return Some(Verdict::Refused(Code::BAD_SIGNATURE.0));
    }
    match heard {
        Heard::Said(said) if Code(said.code) == Code::NOT_AUTHORISED => Some(Verdict::Refused(said.code)),
        // Failures of its own, which it may have had before it looked at the signature.
        Heard::Said(said) if [2, 6, 9].contains(&said.code) => None,
        Heard::Said(_) => Some(Verdict::Taken),
        Heard::Nothing { .. } => None,
    }
}

/// Take note of how ScanForPay has answered a call for a store. Nobody waits for what follows from it.
pub fn heard(app: &Arc<App>, whose: impl FnOnce() -> Whose, store_id: &str, heard: &Heard) {
    let Some(verdict) = verdict(heard) else { return };
    let is_news = match verdict {
        Verdict::Taken => app.troubles.forgive(store_id),
        Verdict::Refused(_) => app.troubles.refuse(store_id) && !app.troubles.is_failing(store_id),
    };
    if !is_news {
        return;
    }
    let (app, tasks, whose) = (Arc::clone(app), app.tasks.clone(), whose());
    tasks.spawn(async move {
        match verdict {
            Verdict::Taken => ended(&app, &whose, "call").await,
            Verdict::Refused(code) => raise(&app, &whose, code).await.unwrap_or_else(|error| {
                tracing::error!(store = whose.store_id, %error, "a store's failing credentials could not be noted");
            }),
        }
    });
}

impl super::Troubles {
    /// Whether that is one refusal too many.
    fn refuse(&self, store_id: &str) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let count = refused.entry(store_id.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count >= IN_A_ROW
    }

    /// Whether there is anything to be taken back.
    fn forgive(&self, store_id: &str) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if !refused.is_empty() {
            refused.remove(store_id);
        }
        contains(&self.failing, store_id)
    }
}

async fn raise(app: &App, whose: &Whose, code: i32) -> Result<(), LedgerError> {
    let detail = json!({ "code": code, "in_a_row": IN_A_ROW });
    let row = whose.matter(app, MATTER, 1, &detail);
    tracing::error!(
        store = whose.store_id,
        code,
        "ScanForPay refuses a store's credentials; its orders are not asked about"
    );
    let event = told(app, &row, "raised", 1, &detail);
    // Another gateway may have been quicker: then there is neither row nor event.
    let (tell, begun) = tell(app, &row, event);
    let statements = vec![insert_rows::<attention::Entity>(std::slice::from_ref(&row)), tell];
    app.ledger.room_when_free(Lane::Bulk, &whose.store_id).await?.rows(statements).await?;
    begun.go(app);
    app.troubles.failing.write().unwrap_or_else(PoisonError::into_inner).insert(whose.store_id.clone());
    Ok(())
}

/// ScanForPay takes the store's credentials again. `by`: what showed it.
pub async fn ended(app: &App, whose: &Whose, by: &str) {
    if let Err(error) = end(app, whose, by).await {
        tracing::error!(store = whose.store_id, error = %format!("{error:#}"), "the end of a store's trouble could not be noted");
    }
}

async fn end(app: &App, whose: &Whose, by: &str) -> anyhow::Result<()> {
    app.troubles.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(&whose.store_id);
    if let Some(row) = open_of(app, whose).await? {
        let detail = json!({ "confirmed_by": by });
        let event = told(app, &row, "ended", 2, &detail);
        let room = app.ledger.room_when_free(Lane::Bulk, &whose.store_id).await?;
        let (tell, begun) = tell(app, &row, event);
        room.rows(vec![RowStatement::Update(close(app, &row.id, by)), tell]).await?;
        begun.go(app);
        tracing::info!(store = whose.store_id, by, "ScanForPay takes the store's credentials again");
    }
    app.troubles.failing.write().unwrap_or_else(PoisonError::into_inner).remove(&whose.store_id);
    app.wake.by(app.clock.now_ms());
    Ok(())
}

async fn open_of(app: &App, whose: &Whose) -> Result<Option<attention::Model>, sea_orm::DbErr> {
    attention::Entity::waiting_of(&whose.platform_id)
        .filter(attention::Column::Kind.eq(MATTER.as_str()))
        .filter(attention::Column::SubjectId.eq(whose.store_id.as_str()))
        .one(&app.store.read)
        .await
}

/// Since when the credentials of a store that its tenant's finder gave are refused.
pub async fn failing_since(app: &App, store: &store::Model) -> Result<Option<i64>, sea_orm::DbErr> {
    Ok(open_of(app, &Whose::from(store)).await?.map(|row| row.raised_at))
}

/// What is told where a person ends it: to be written with that.
pub fn ended_by_hand(app: &App, row: &attention::Model) -> Option<(RowStatement, Begun)> {
    let detail = json!({ "confirmed_by": "operator" });
    let is_it = row.kind == MATTER.as_str();
    is_it.then(|| tell(app, row, told(app, row, "ended", 2, &detail)))
}

fn close(app: &App, id: &str, by: &str) -> UpdateStatement {
    Query::update()
        .table(attention::Entity)
        .value(attention::Column::EndedAt, app.clock.now_ms())
        .value(attention::Column::EndedBy, by)
        .and_where(Expr::col(attention::Column::Id).eq(id))
        .and_where(Expr::col(attention::Column::EndedAt).is_null())
        .to_owned()
}

fn told(app: &App, row: &attention::Model, state: &str, sequence: i64, detail: &Value) -> event::Model {
    let content = json!({
        "version": 1, "storeId": row.store_id, "merchantId": row.merchant_id, "state": state, "detail": detail,
    });
    event::Model {
        id: app.chance.id(),
        subject_id: row.id.clone(),
        merchant_id: row.merchant_id.clone(),
        kind: KIND.as_str().to_owned(),
        r#move: state.to_owned(),
        sequence,
        content: content.to_string(),
        created_at: app.clock.now_ms(),
        platform_id: row.platform_id.clone(),
        audience: Audience::Platform,
        position: 0,
    }
}

/// Only while its matter stands; once, however often. And what is to be sent when that is written.
fn tell(app: &App, row: &attention::Model, event: event::Model) -> (RowStatement, Begun) {
    let mut told = Told { event, promises: Vec::new() };
    let begun = promise::of_store(app, &row.store_id, &mut told);
    (RowStatement::Tell { told: Box::new(told), matter_id: row.id.clone() }, begun)
}

/// Ask once for each store whose turn it is, whichever gateway sees it first.
pub async fn probe(app: &Arc<App>) -> anyhow::Result<()> {
    let interval = i64::try_from(app.config.reconcile.probe_interval.as_millis()).unwrap_or(i64::MAX / 4);
    let now = app.clock.now_ms();
    for row in open(app, MATTER).await?.into_iter().filter(|row| row.seen_at + interval <= now) {
        if !claim(app, &row, now).await? {
            continue;
        }
        let Some(store) = store_of(app, &row.store_id).await? else { continue };
        let task_app = Arc::clone(app);
        app.tasks.spawn(async move {
            match proof::prove(&task_app, &store).await {
                Ok(Proof::KeyProven) => {}
                Ok(proof) => tracing::warn!(store = store.id, %proof, "a store's credentials are not taken"),
                Err(error) => {
                    tracing::warn!(store = store.id, ?error, "a store's credentials could not be probed");
                }
            }
        });
    }
    Ok(())
}

/// One question for each interval: whoever moves the time asks.
async fn claim(app: &App, row: &attention::Model, now: i64) -> Result<bool, LedgerError> {
    let update = Query::update()
        .table(attention::Entity)
        .value(attention::Column::SeenAt, now)
        .value(attention::Column::Count, Expr::col(attention::Column::Count).add(1))
        .and_where(Expr::col(attention::Column::Id).eq(row.id.as_str()))
        .and_where(Expr::col(attention::Column::SeenAt).eq(row.seen_at))
        .and_where(Expr::col(attention::Column::EndedAt).is_null())
        .to_owned();
    let room = app.ledger.room_when_free(Lane::Bulk, &row.store_id).await?;
    Ok(room.rows(vec![RowStatement::Update(update)]).await? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Said;

    #[test]
    fn only_a_word_on_the_credentials_counts_for_or_against_them() {
        let said = |code| Heard::Said(Box::new(Said { code, ..Said::default() }));
        for code in [3, 8] {
            assert_eq!(verdict(&said(code)), Some(Verdict::Refused(code)));
        }
        for code in [1, 5, 7, 21, 22, 30, 31, 33, 44] {
            assert_eq!(verdict(&said(code)), Some(Verdict::Taken), "{code}");
        }
        for code in [2, 6, 9] {
            assert_eq!(verdict(&said(code)), None, "{code}");
        }
        let unsigned = |raw: &str| Heard::Nothing { why: String::new(), sent: true, raw: Some(raw.into()) };
        let refused = Some(Verdict::Refused(8));
        assert_eq!(verdict(&unsigned(r#"{"header":{},"body":{"code":8}}"#)), refused);
        assert_eq!(verdict(&unsigned(r#"{"header":{},"body":{"code":1}}"#)), None);
    }
}
