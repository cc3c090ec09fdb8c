//! Rotation of a merchant's sign key by an operator, for a merchant that cannot wait for its platform.
//!
//! Written as a platform's is: after the platform's other changes, and only if the current version is still the one that
//! was found. The act stands for that; everything else is written where it stands.

use sea_orm::EntityTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use serde_json::json;

use super::{Owner, end_current, end_older, row, state, versions};
use crate::app::App;
use crate::directory::acts::{self, Act, Actor};
use crate::directory::change::{Refresh, count, insert_if};
use crate::directory::versions as directory_versions;
use crate::entity::{merchant, operator_act, sign_key};
use crate::error::Error;
use crate::ledger::{Lane, RowStatement};

/// How often a rotation is planned anew because others came first.
const TRIES: usize = 5;

/// What an operator says of it.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    pub actor: &'a Actor,
    pub reason: &'a str,
    /// How long the version before is good still.
    pub overlap_hours: u32,
    /// Whether one that is good still of an earlier rotation may end at once.
    pub ends_earlier: bool,
}

pub enum Rotated {
    /// The new current version, and until when the one before is good.
    Done(sign_key::Model, i64),
    /// A version of an earlier rotation is good until then. The shop may sign with it still, and it would end.
    EarlierStands(i64),
}

/// Make `text` the current version of the merchant's key.
pub async fn rotate(
    app: &App,
    merchant: &merchant::Model,
    text: &str,
    rotation: Rotation<'_>,
) -> Result<Rotated, Error> {
    let owner = Owner::Merchant(&merchant.id);
    for _ in 0..TRIES {
        let now = app.clock.now_ms();
        let versions = versions(app, owner).await?;
        let (current, earlier) = versions.split_first().ok_or(Error::NotFound)?;
        if let Some(end) = good_still(earlier, now).filter(|_| !rotation.ends_earlier) {
            return Ok(Rotated::EarlierStands(end));
        }
        let next = row(app, owner, current.version + 1, text);
        let ends_at = now + i64::from(rotation.overlap_hours) * 3_600_000;
        if written(app, merchant, (current, &next), ends_at, rotation).await? {
            return Ok(Rotated::Done(next, ends_at));
        }
    }
    Err(Error::Busy)
}

/// Until when the last of them is good, if any is.
fn good_still(earlier: &[sign_key::Model], now: i64) -> Option<i64> {
    earlier.iter().filter_map(|version| version.expires_at).filter(|end| *end > now).max()
}

/// Whether it was written: others may have come first.
async fn written(
    app: &App,
    merchant: &merchant::Model,
    (current, next): (&sign_key::Model, &sign_key::Model),
    ends_at: i64,
    rotation: Rotation<'_>,
) -> Result<bool, Error> {
    let owner = Owner::Merchant(&merchant.id);
    let (mut before, mut after) = (state(app, current)?, state(app, next)?);
    before["goodUntil"] = json!(ends_at);
    after["reason"] = json!(rotation.reason);
    let act = Act {
        action: owner.action(),
        subject_id: Some(&merchant.id),
        platform_id: Some(&merchant.platform_id),
        before: Some(before),
        after: Some(after),
    };
    let act = acts::row(rotation.actor, act, &app.chance, next.created_at);
    let is_current = Expr::col((sign_key::Entity, sign_key::Column::Id))
        .eq(current.id.as_str())
        .and(Expr::col((sign_key::Entity, sign_key::Column::ExpiresAt)).is_null());
    let is_current = Expr::exists(there_is(sign_key::Entity, is_current));
    let this_act = Expr::col((operator_act::Entity, operator_act::Column::Id)).eq(act.id.as_str());
    let stands = Expr::exists(there_is(operator_act::Entity, this_act));
    let mut statements = vec![
        count(&merchant.platform_id),
        RowStatement::Insert(insert_if::<operator_act::Entity>(&act, [is_current])),
    ];
    let ends = [end_older(owner, current.version, next.created_at), end_current(&current.id, ends_at)];
    for mut update in ends {
        update.and_where(stands.clone());
        statements.push(RowStatement::Update(update));
    }
    statements.push(RowStatement::Insert(insert_if::<sign_key::Entity>(next, [stands])));
    let changed = Refresh::Merchant(merchant.id.clone());
    let statements = directory_versions::counted(statements, std::slice::from_ref(&changed));
    app.ledger.room(Lane::Bulk, &merchant.platform_id)?.rows(statements).await?;
    if let Err(error) = app.directory.refresh(&app.store.read, &app.vault, &changed).await {
        tracing::error!(merchant = merchant.id, error = %format!("{error:#}"), "a change is written and could not be loaded");
    }
    directory_versions::announce(app);
    let is_written = operator_act::Entity::find_by_id(act.id.as_str()).one(&app.store.read).await;
    Ok(is_written.map_err(|_| Error::InDoubt)?.is_some())
}

fn there_is(table: impl EntityTrait, condition: Expr) -> SelectStatement {
    Query::select().expr(Expr::val(1)).from(table).and_where(condition).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_good_still_until_its_end_and_not_at_it() {
        let version = |expires_at| sign_key::Model {
            id: "1".to_owned(),
            owner_kind: "merchant".to_owned(),
            owner_id: "2".to_owned(),
            version: 1,
            master_key_id: "3".to_owned(),
            sealed: Vec::new(),
            created_at: 0,
            expires_at: Some(expires_at),
            last_used_at: None,
        };
        assert_eq!(good_still(&[version(10), version(5)], 9), Some(10));
        assert_eq!(good_still(&[version(10), version(5)], 10), None);
        assert_eq!(good_still(&[], 0), None);
    }
}
