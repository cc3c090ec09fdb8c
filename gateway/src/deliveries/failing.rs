//! Registered endpoints that acknowledge nothing. Since when, is kept with the endpoint: written at its first failure
//! and taken back with the next acknowledgement, by every node every few seconds and not at every attempt. An endpoint
//! that keeps failing is told of to its owner's other endpoints and to operators, step by step, and is disabled at last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Query, UpdateStatement};
use sea_orm::{ActiveEnum, ColumnTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::Said;
use super::promise::{self, Begun};
use crate::app::App;
use crate::attention::Matter;
use crate::directory::change::Refresh;
use crate::directory::endpoints::Endpoint;
use crate::directory::versions;
use crate::entity::endpoint::Status;
use crate::entity::event::Audience;
use crate::entity::{attention, endpoint, event};
use crate::ledger::{Lane, LedgerError, RowStatement, Told, insert_rows};
use crate::orders::tell::Kind;

/// Shares of the time until an endpoint is disabled after which that is told, in per cent.
pub const STEPS: [u32; 3] = [50, 70, 90];

/// Shorter waits are not kept: who starts again has not waited less.
const WORTH_KEEPING: Duration = Duration::from_secs(5);
/// Not worth another write.
const ABOUT_MS: i64 = 1_000;

/// What was heard of endpoints since it was last written down: not more than one small entry for each.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<HashMap<String, Lately>>);

#[derive(Debug, Clone, Copy, Default)]
struct Lately {
    /// Since when what is heard of it counts: Unix milliseconds.
    since: i64,
    /// Something was acknowledged.
    is_acknowledged: bool,
    /// The first failure, or the first since then: Unix milliseconds.
    failed_at: Option<i64>,
}

impl Heard {
    /// Of implicit ones nothing is kept: they are never disabled.
    pub fn note(&self, endpoint_id: &str, said: Said, at: i64) {
        let Some(since) = said.since else { return };
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = heard.entry(endpoint_id.to_owned()).or_default();
        if since < lately.since {
            return;
        }
        if since > lately.since || said.acknowledged {
            *lately = Lately { since, is_acknowledged: said.acknowledged, failed_at: None };
        }
        if !said.acknowledged {
            lately.failed_at.get_or_insert(at);
        }
    }

    fn take(&self) -> HashMap<String, Lately> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Write down what was heard, and do what follows from it.
pub(super) async fn write_down(app: &App) {
    for (endpoint_id, lately) in app.deliveries.heard.take() {
        let Some(endpoint) = as_asked(app, &endpoint_id, lately.since) else { continue };
        if let Err(error) = follow(app, &endpoint, lately).await {
            tracing::error!(endpoint = endpoint.id, error = %format!("{error:#}"), "how an endpoint fares could not be written down");
        }
    }
}

/// The endpoint, unless it has begun anew: with another URL, or resumed.
fn as_asked(app: &App, endpoint_id: &str, since: i64) -> Option<Arc<Endpoint>> {
    app.directory.endpoint(endpoint_id).filter(|endpoint| endpoint.heard_since == since)
}

async fn follow(app: &App, endpoint: &Endpoint, lately: Lately) -> anyhow::Result<()> {
    let before = if lately.is_acknowledged { None } else { endpoint.failing_since };
    let since = before.or(lately.failed_at);
    if since != endpoint.failing_since {
        keep_since(app, endpoint, since).await?;
    }
    let Some(since) = since.filter(|_| lately.failed_at.is_some() && endpoint.status == Status::Active)
    else {
        return Ok(());
    };
    let now = app.clock.now_ms();
    let used = used_up(app.config.deliveries.disable_after, since, now);
    if used >= 100 {
        disable(app, endpoint, since, now, REASON).await
    } else if let Some(step) = STEPS.iter().rposition(|step| *step <= used) {
        warn(app, endpoint, since, step).await
    } else {
        Ok(())
    }
}

/// How much of the time until it is disabled an endpoint has failed, in per cent.
fn used_up(disable_after: Duration, since: i64, now: i64) -> u32 {
    let failed = u128::try_from(now - since).unwrap_or(0);
    u32::try_from(failed * 100 / disable_after.as_millis().max(1)).unwrap_or(u32::MAX)
}

async fn keep_since(app: &App, endpoint: &Endpoint, since: Option<i64>) -> Result<(), LedgerError> {
    let mut update = of_endpoint(endpoint);
    update.value(endpoint::Column::FailingSince, since);
    let mut statements = vec![RowStatement::Provided(update)];
    if since.is_none() {
        statements.push(RowStatement::Update(end_warning(app, endpoint, "acknowledged")));
    }
    write(app, endpoint, statements).await
}

fn of_endpoint(endpoint: &Endpoint) -> UpdateStatement {
    Query::update()
        .table(endpoint::Entity)
        .and_where(Expr::col(endpoint::Column::Id).eq(endpoint.id.as_str()))
        .and_where(Expr::col(endpoint::Column::HeardSince).eq(endpoint.heard_since))
        .to_owned()
}

fn end_warning(app: &App, endpoint: &Endpoint, by: &str) -> UpdateStatement {
    use attention::Column::{EndedAt, EndedBy, Kind, SubjectId};
    Query::update()
        .table(attention::Entity)
        .value(EndedAt, app.clock.now_ms())
        .value(EndedBy, by)
        .and_where(Expr::col(Kind).eq(Matter::EndpointFailing.as_str()))
        .and_where(Expr::col(SubjectId).eq(endpoint.id.as_str()))
        .and_where(Expr::col(EndedAt).is_null())
        .to_owned()
}

/// Write a change of the endpoint, unless it has begun anew, and see it here at once.
async fn write(app: &App, endpoint: &Endpoint, statements: Vec<RowStatement>) -> Result<(), LedgerError> {
    let changed = Refresh::Endpoint(endpoint.id.clone());
    let room = app.ledger.room_when_free(Lane::Bulk, &endpoint.id).await?;
    room.rows(versions::counted(statements, std::slice::from_ref(&changed))).await?;
    if let Err(error) = app.directory.refresh(&app.store.read, &app.vault, &changed).await {
        tracing::error!(endpoint = endpoint.id, error = %format!("{error:#}"), "a change is written and could not be loaded");
    }
    versions::announce(app);
    Ok(())
}

/// `step`: place in [`STEPS`]. Each is told once, by whichever node sees it first.
async fn warn(app: &App, endpoint: &Endpoint, since: i64, step: usize) -> anyhow::Result<()> {
    let told = i64::try_from(step + 1)?;
    let open = attention::Entity::waiting()
        .filter(attention::Column::Kind.eq(Matter::EndpointFailing.as_str()))
        .filter(attention::Column::SubjectId.eq(endpoint.id.as_str()))
        .one(&app.store.read)
        .await?;
    if open.as_ref().is_some_and(|row| row.count >= told) {
        return Ok(());
    }
    let (is_new, row) = match open {
        Some(row) => (false, row),
        None => (true, matter(app, endpoint, Matter::EndpointFailing, since)),
    };
    let content = content(endpoint, since, &json!({ "percent": STEPS[step] }));
    let event = event(app, &row, Kind::EndpointFailing, told, &content);
    let raise = if is_new {
        insert_rows::<attention::Entity>(&[attention::Model { count: told, ..row.clone() }])
    } else {
        let raise = Query::update()
            .table(attention::Entity)
            .value(attention::Column::Count, told)
            .value(attention::Column::SeenAt, app.clock.now_ms())
            .and_where(Expr::col(attention::Column::Id).eq(row.id.as_str()))
            .to_owned();
        RowStatement::Update(raise)
    };
    let event_id = event.id.clone();
    let (tell, begun) = tell(app, endpoint, &row, event);
    app.ledger.room_when_free(Lane::Bulk, &endpoint.id).await?.rows(vec![raise, tell]).await?;
    if !is_told(app, &event_id).await? {
        return Ok(());
    }
    begun.go(app);
    tracing::warn!(
        endpoint = endpoint.id,
        percent = STEPS[step],
        "an endpoint acknowledges nothing and will be disabled"
    );
    Ok(())
}

/// An endpoint has said that it is there no more. An order's notifyUrl only ends the one delivery with that.
pub(super) async fn gone(app: &App, endpoint_id: &str, said: Said) {
    let endpoint = said.since.and_then(|since| as_asked(app, endpoint_id, since));
    let Some(endpoint) = endpoint.filter(|endpoint| endpoint.status == Status::Active) else { return };
    let now = app.clock.now_ms();
    let since = endpoint.failing_since.unwrap_or(now);
    if let Err(error) = disable(app, &endpoint, since, now, REASON_GONE).await {
        tracing::error!(endpoint = endpoint.id, error = %format!("{error:#}"), "an endpoint could not be disabled");
    }
}

/// An endpoint asked to be left alone. For a while that is worth it, all nodes do, and after a restart, too.
pub(super) async fn quiet(app: &App, endpoint_id: &str, said: Said) {
    let (Some(since), Some(wait)) = (said.since, said.leave_alone.filter(|wait| *wait >= WORTH_KEEPING))
    else {
        return;
    };
    let until = app.clock.now_ms().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    let Some(endpoint) = as_asked(app, endpoint_id, since) else { return };
    // Of those that were under way together one is enough.
    if endpoint.quiet_until.is_some_and(|known| until <= known + ABOUT_MS) {
        return;
    }
    let mut update = of_endpoint(&endpoint);
    update.value(endpoint::Column::QuietUntil, until);
    if let Err(error) = write(app, &endpoint, vec![RowStatement::Provided(update)]).await {
        tracing::warn!(endpoint = endpoint.id, %error, "that an endpoint wants to be left alone could not be written down");
    }
}

async fn disable(app: &App, endpoint: &Endpoint, since: i64, now: i64, reason: &str) -> anyhow::Result<()> {
    let mut update = of_endpoint(endpoint);
    update
        .value(endpoint::Column::Status, Status::Disabled.to_value())
        .value(endpoint::Column::StatusReason, reason)
        .value(endpoint::Column::UpdatedAt, now)
        .and_where(Expr::col(endpoint::Column::Status).eq(Status::Active.to_value()));
    let Disabling { end_warning, matter, event_id, tell, begun } = disabling(app, endpoint, since, reason);
    let statements = vec![
        // Its owner, or another attempt's answer, may have been quicker: then nothing is said of it.
        RowStatement::Provided(update),
        RowStatement::Update(end_warning),
        insert_rows::<attention::Entity>(std::slice::from_ref(&matter)),
        tell,
    ];
    write(app, endpoint, statements).await?;
    if !is_told(app, &event_id).await? {
        return Ok(());
    }
    begun.go(app);
    tracing::error!(endpoint = endpoint.id, reason, "an endpoint was disabled");
    Ok(())
}

/// Whether the event was written: where another was quicker it was not, and must not go out.
pub(crate) async fn is_told(app: &App, event_id: &str) -> Result<bool, DbErr> {
    Ok(event::Entity::find_by_id(event_id).one(&app.store.read).await?.is_some())
}

/// What is written of an endpoint that is disabled, besides its own row.
pub(crate) struct Disabling {
    pub end_warning: UpdateStatement,
    /// Waits for a person.
    pub matter: attention::Model,
    /// What is told has this id.
    pub event_id: String,
    /// Written while the matter stands.
    pub tell: RowStatement,
    /// Goes out once it is committed.
    pub begun: Begun,
}

/// `since`: Unix milliseconds.
pub(crate) fn disabling(app: &App, endpoint: &Endpoint, since: i64, reason: &str) -> Disabling {
    let mut matter = matter(app, endpoint, Matter::EndpointDisabled, since);
    matter.detail = json!({ "failing_since": since, "reason": reason }).to_string();
    let content = content(endpoint, since, &json!({ "reason": reason }));
    let event = event(app, &matter, Kind::EndpointDisabled, 1, &content);
    let event_id = event.id.clone();
    let (tell, begun) = tell(app, endpoint, &matter, event);
    Disabling { end_warning: end_warning(app, endpoint, "disabled"), matter, event_id, tell, begun }
}

/// Why the gateway has disabled an endpoint, as its row and what is told say it.
pub const REASON: &str = "nothing was acknowledged for too long";

const REASON_GONE: &str = "it answered 410 Gone";

/// A platform's own endpoint is of none of its merchants.
fn matter(app: &App, endpoint: &Endpoint, matter: Matter, since: i64) -> attention::Model {
    let now = app.clock.now_ms();
    attention::Model {
        id: app.chance.id(),
        kind: matter.as_str().to_owned(),
        subject_id: endpoint.id.clone(),
        platform_id: endpoint.platform_id.clone(),
        merchant_id: endpoint.merchant_id.clone().unwrap_or_default(),
        store_id: String::new(),
        count: 1,
        detail: json!({ "failing_since": since }).to_string(),
        raised_at: now,
        seen_at: now,
        ended_at: None,
        ended_by: None,
        reason: None,
    }
}

/// What is told of a matter, for the `sequence`th time.
fn event(app: &App, row: &attention::Model, kind: Kind, sequence: i64, content: &Value) -> event::Model {
    event::Model {
        id: app.chance.id(),
        subject_id: row.id.clone(),
        merchant_id: row.merchant_id.clone(),
        kind: kind.as_str().to_owned(),
        r#move: format!("step {sequence}"),
        sequence,
        content: content.to_string(),
        created_at: app.clock.now_ms(),
        platform_id: row.platform_id.clone(),
        audience: if row.merchant_id.is_empty() { Audience::Platform } else { Audience::All },
        position: 0,
    }
}

fn content(endpoint: &Endpoint, since: i64, detail: &Value) -> Value {
    json!({
        "version": 1, "endpointId": endpoint.id, "merchantId": endpoint.merchant_id, "failingSince": since,
        "detail": detail,
    })
}

/// Only while its matter stands; once, however often. And what is to be sent when that is written.
fn tell(
    app: &App,
    endpoint: &Endpoint,
    row: &attention::Model,
    event: event::Model,
) -> (RowStatement, Begun) {
    let mut told = Told { event, promises: Vec::new() };
    let begun = promise::of_endpoint(app, endpoint, &mut told);
    (RowStatement::Tell { told: Box::new(told), matter_id: row.id.clone() }, begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_until_an_endpoint_is_disabled_is_used_up_in_per_cent() {
        let days = |days: u64| Duration::from_hours(24 * days);
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).expect("a time");
        assert_eq!(used_up(days(5), 1_000, 1_000), 0);
        assert_eq!(used_up(days(5), 0, ms(days(5)) - 1), 99);
        assert_eq!(used_up(days(5), 0, ms(days(5))), 100);
        assert_eq!(used_up(days(5), 1_000, 0), 0, "a clock that was set back");
    }

    #[test]
    fn the_first_failure_since_the_last_acknowledgement_is_what_is_remembered() {
        let heard = Heard::default();
        let note = |acknowledged, since: Option<i64>, at| {
            heard.note("e", Said { since, acknowledged, leave_alone: None }, at);
        };
        let taken = || heard.take().remove("e").map(|lately| (lately.is_acknowledged, lately.failed_at));
        let since = Some(7);
        note(false, since, 11);
        note(false, since, 12);
        assert_eq!(taken(), Some((false, Some(11))));
        for (acknowledged, at) in [(false, 13), (true, 14), (false, 15), (false, 16)] {
            note(acknowledged, since, at);
        }
        assert_eq!(taken(), Some((true, Some(15))));
        assert_eq!(taken(), None);
        note(true, since, 17);
        note(false, Some(20), 21);
        note(true, since, 22);
        assert_eq!(taken(), Some((false, Some(21))), "of the URL that it has now");
        note(false, None, 23);
        assert_eq!(taken(), None, "an order's notifyUrl");
    }
}
