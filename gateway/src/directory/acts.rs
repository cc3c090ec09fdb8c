//! What operators and commands changed: who, when, from where, and how it was before and after, without secrets. An
//! entry is written with its change and never changed. What tenants changed is in `audit`.

use std::net::IpAddr;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use serde_json::Value;

use super::change::insert_if;
use super::operators::Bound;
use crate::chance::Chance;
use crate::entity::operator_act::{Column, Entity, Model};
use crate::ledger::{RowStatement, insert_rows};

/// Who makes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    Operator {
        id: String,
        address: IpAddr,
    },
    /// Whoever may run a command on the machine.
    Command,
}

/// A change that is about to be written.
#[derive(Debug, Default)]
pub struct Act<'a> {
    /// Such as `operator.added`.
    pub action: &'static str,
    pub subject_id: Option<&'a str>,
    /// The one platform that it concerns.
    pub platform_id: Option<&'a str>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// The entry, to be written with the change.
pub fn entry(actor: &Actor, act: Act<'_>, chance: &Chance, now: i64) -> RowStatement {
    insert_rows::<Entity>(&[row(actor, act, chance, now)])
}

/// The same of a change that may come too late: kept only if `stands` holds after the statements before it.
pub fn entry_if(actor: &Actor, act: Act<'_>, stands: Expr, chance: &Chance, now: i64) -> RowStatement {
    RowStatement::Insert(insert_if::<Entity>(&row(actor, act, chance, now), [stands]))
}

pub(crate) fn row(actor: &Actor, act: Act<'_>, chance: &Chance, now: i64) -> Model {
    let (kind, actor_id, address) = match actor {
        Actor::Operator { id, address } => ("operator", Some(id.clone()), Some(address.to_string())),
        Actor::Command => ("command", None, None),
    };
    Model {
        id: chance.id(),
        at: now,
        actor_kind: kind.to_owned(),
        actor_id,
        address,
        action: act.action.to_owned(),
        subject_id: act.subject_id.map(str::to_owned),
        platform_id: act.platform_id.map(str::to_owned),
        state_before: act.before.map(|state| state.to_string()),
        state_after: act.after.map(|state| state.to_string()),
    }
}

/// All of them, or those of the one platform that the asker is bound to.
pub fn of(bound: Option<&Bound>) -> Select<Entity> {
    match bound {
        Some(platform) => Entity::find().filter(Column::PlatformId.eq(&platform.id)),
        None => Entity::find(),
    }
}
