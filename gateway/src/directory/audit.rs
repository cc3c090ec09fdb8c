//! The audit log: who changed what, when and from where, and how it was before and after. Entries are written with
//! the change itself (`change`) and never changed. A secret is in them as a fingerprint.

use serde_json::Value;

use super::access::Caller;
use crate::app::App;
use crate::entity::audit_entry;

/// What a change is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub kind: &'static str,
    pub id: &'a str,
    /// The merchant it belongs to, or is; `None`: the platform's own.
    pub merchant_id: Option<&'a str>,
}

/// How the subject was and is; `None` where it was not there, or is not any more.
#[derive(Debug, Clone, Default)]
pub struct States {
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// The entry of a change by `caller`.
pub fn entry(
    app: &App,
    caller: &Caller,
    action: &'static str,
    subject: Subject<'_>,
    states: States,
) -> audit_entry::Model {
    audit_entry::Model {
        id: app.chance.id(),
        at: app.clock.now_ms(),
        platform_id: caller.tenant.platform_id().to_owned(),
        merchant_id: subject.merchant_id.map(str::to_owned),
        mode: caller.mode,
        actor_kind: caller.credential.kind().to_owned(),
        actor_id: caller.credential.id().to_owned(),
        address: Some(caller.address.to_string()),
        action: action.to_owned(),
        subject_kind: subject.kind.to_owned(),
        subject_id: subject.id.to_owned(),
        state_before: states.before.map(|state| state.to_string()),
        state_after: states.after.map(|state| state.to_string()),
    }
}
