//! Operators' changes of registered endpoints: paused, resumed and disabled, each with its reason, which the endpoint's
//! owner is shown. What an operator stops, only an operator resumes.
//!
//! Written as owners' changes are: after the platform's others, and only if the endpoint is still as it was found. The
//! act stands for that; everything else is written where it stands.

use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde_json::json;

use super::Endpoint;
use super::manage::{end_matters, exists, is_left_alone, not_sent_anyway, this_version};
use crate::app::App;
use crate::deliveries::failing::{self, Disabling};
use crate::deliveries::promise::Begun;
use crate::directory::access::is_id;
use crate::directory::acts::{self, Act, Actor};
use crate::directory::change::{Refresh, count, insert_if};
use crate::directory::operators::Bound;
use crate::directory::versions;
use crate::entity::endpoint::{self, Kind, Status};
use crate::entity::{attention, operator_act};
use crate::error::Error;
use crate::ledger::{Lane, RowStatement};

/// How often a change is planned anew because others came first.
const TRIES: usize = 5;

/// What an operator does to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// What is told meanwhile waits.
    Pause,
    /// What waits goes out, in order and at its rate.
    Resume,
    /// As the gateway does it to one that acknowledges nothing: its owner's other endpoints hear of it.
    Disable,
}

/// Who does it, and why.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub name: &'a str,
    pub actor: &'a Actor,
    pub reason: &'a str,
}

/// All endpoints that stand, of orders' notifyUrls too, or those of the one platform that the asker is bound to.
pub fn of(bound: Option<&Bound>) -> Select<endpoint::Entity> {
    let standing = endpoint::Entity::find().filter(endpoint::Column::DeletedAt.is_null());
    match bound {
        Some(platform) => standing.filter(endpoint::Column::PlatformId.eq(platform.id.as_str())),
        None => standing,
    }
}

/// A page of `list` behind the row of this id, newest first by their ids, and the id behind which the next one begins.
pub async fn page(
    app: &App,
    list: Select<endpoint::Entity>,
    limit: u64,
    after: Option<&str>,
) -> Result<(Vec<endpoint::Model>, Option<String>), Error> {
    let list = match after {
        Some(id) => list.filter(endpoint::Column::Id.lt(id)),
        None => list,
    };
    let mut rows = list.order_by_desc(endpoint::Column::Id).limit(limit + 1).all(&app.store.read).await?;
    let is_more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| is_more).map(|row| row.id.clone());
    Ok((rows, next))
}

/// The endpoint of this id, if it is in the asker's scope.
pub async fn find(app: &App, id: &str, bound: Option<&Bound>) -> Result<endpoint::Model, Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    of(bound).filter(endpoint::Column::Id.eq(id)).one(&app.store.read).await?.ok_or(Error::NotFound)
}

/// Do it, once. Yields the endpoint as it is then.
pub async fn operate(
    app: &App,
    id: &str,
    bound: Option<&Bound>,
    operation: Operation,
    by: By<'_>,
) -> Result<endpoint::Model, Error> {
    for _ in 0..TRIES {
        let before = find(app, id, bound).await?;
        let Some(after) = planned(app, &before, operation, by.reason)? else { return Ok(before) };
        if written(app, &before, &after, operation, by).await? {
            return Ok(after);
        }
    }
    Err(Error::Busy)
}

/// How it will be; `None`: it is so already.
fn planned(
    app: &App,
    before: &endpoint::Model,
    operation: Operation,
    reason: &str,
) -> Result<Option<endpoint::Model>, Error> {
    if before.kind == Kind::Implicit {
        let detail = "It belongs to orders' notifyUrls, and each of its deliveries is tried to the end: only a \
                      registered endpoint is paused, resumed or disabled.";
        return Err(Error::Conflict { code: "not_registered", detail: detail.to_owned(), pointer: None });
    }
    let mut after = before.clone();
    match (operation, before.status) {
        (Operation::Pause, Status::Paused) | (Operation::Disable, Status::Disabled) if before.held => {
            return Ok(None);
        }
        (Operation::Resume, Status::Active) if !is_left_alone(app, before) => return Ok(None),
        // What its owner has paused is held from now on, too.
        (Operation::Pause, Status::Active | Status::Paused) => after.status = Status::Paused,
        (Operation::Disable, Status::Active | Status::Paused | Status::Disabled) => {
            after.status = Status::Disabled;
        }
        (Operation::Resume, Status::Active | Status::Paused | Status::Disabled) => {
            // Meanwhile its owner may have given it another URL.
            let is_proven = before.proven_at.is_some();
            after.status = if is_proven { Status::Active } else { Status::Unproven };
            after.begin_anew(app.clock.now_ms());
        }
        (_, status) => return Err(not_sent_anyway(status)),
    }
    after.held = operation != Operation::Resume;
    after.status_reason = after.held.then(|| reason.to_owned());
    after.updated_at = app.clock.now_ms();
    after.version += 1;
    Ok(Some(after))
}

/// Whether it was written: others may have come first.
async fn written(
    app: &App,
    before: &endpoint::Model,
    after: &endpoint::Model,
    operation: Operation,
    by: By<'_>,
) -> Result<bool, Error> {
    let act = act(app, before, after, operation, by);
    let stands = Expr::exists(exists(operator_act::Entity, act_is(&act.id)));
    let was = Expr::exists(exists(endpoint::Entity, this_version(before)));
    let mut statements = vec![
        count(&before.platform_id),
        RowStatement::Insert(insert_if::<operator_act::Entity>(&act, [was])),
    ];
    let (mut matters, mut begun) = (None, None);
    match operation {
        Operation::Pause => {}
        Operation::Resume => matters = Some(end_matters(app, &before.id, &format!("operator:{}", by.name))),
        // That it is disabled was told when it was.
        Operation::Disable if before.status == Status::Disabled => {}
        Operation::Disable => {
            let (told, go) = told(app, before, by.reason, &stands)?;
            statements.extend(told);
            begun = Some(go);
        }
    }
    let update = Query::update()
        .table(endpoint::Entity)
        .value(endpoint::Column::Status, after.status.to_value())
        .value(endpoint::Column::StatusReason, after.status_reason.clone())
        .value(endpoint::Column::Held, after.held)
        .value(endpoint::Column::HeardSince, after.heard_since)
        .value(endpoint::Column::QuietUntil, after.quiet_until)
        .value(endpoint::Column::FailingSince, after.failing_since)
        .value(endpoint::Column::UpdatedAt, after.updated_at)
        .value(endpoint::Column::Version, after.version)
        .and_where(this_version(before))
        .to_owned();
    for mut update in matters.into_iter().chain([update]) {
        update.and_where(stands.clone());
        statements.push(RowStatement::Update(update));
    }
    let changed = Refresh::Endpoint(before.id.clone());
    let room = app.ledger.room(Lane::Bulk, &before.platform_id)?;
    room.rows(versions::counted(statements, std::slice::from_ref(&changed))).await?;
    if let Err(error) = app.directory.refresh(&app.store.read, &app.vault, &changed).await {
        tracing::error!(endpoint = before.id, error = %format!("{error:#}"), "a change is written and could not be loaded");
    }
    versions::announce(app);
    // It may take now what it did not before.
    app.deliveries.wake();
    let is_written = operator_act::Entity::find_by_id(act.id.as_str()).one(&app.store.read).await;
    let is_written = is_written.map_err(|_| Error::InDoubt)?.is_some();
    if let Some(begun) = begun.filter(|_| is_written) {
        begun.go(app);
    }
    Ok(is_written)
}

/// What its owner's other endpoints hear, and what waits for a person from then on.
fn told(
    app: &App,
    before: &endpoint::Model,
    reason: &str,
    stands: &Expr,
) -> Result<(Vec<RowStatement>, Begun), Error> {
    let held: Option<Arc<Endpoint>> = app.directory.endpoint(&before.id);
    let held = held.ok_or(Error::Busy)?;
    let since = before.failing_since.unwrap_or_else(|| app.clock.now_ms());
    let Disabling { mut end_warning, matter, event_id: _, tell, begun } =
        failing::disabling(app, &held, since, reason);
    end_warning.and_where(stands.clone());
    let matter = insert_if::<attention::Entity>(&matter, [stands.clone()]);
    Ok((vec![RowStatement::Update(end_warning), RowStatement::Insert(matter), tell], begun))
}

fn act(
    app: &App,
    before: &endpoint::Model,
    after: &endpoint::Model,
    operation: Operation,
    by: By<'_>,
) -> operator_act::Model {
    let state = |row: &endpoint::Model| json!({ "status": row.status.to_value() });
    let mut became = state(after);
    became["reason"] = json!(by.reason);
    let act = Act {
        action: match operation {
            Operation::Pause => "endpoint.paused",
            Operation::Resume => "endpoint.resumed",
            Operation::Disable => "endpoint.disabled",
        },
        subject_id: Some(&before.id),
        platform_id: Some(&before.platform_id),
        before: Some(state(before)),
        after: Some(became),
    };
    acts::row(by.actor, act, &app.chance, app.clock.now_ms())
}

fn act_is(id: &str) -> Expr {
    Expr::col((operator_act::Entity, operator_act::Column::Id)).eq(id)
}
