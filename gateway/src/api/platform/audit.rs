//! `/v1/audit`: who changed what.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::Value;

use crate::api::rest::{Group, Page, PageQuery, Timestamp};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::entity::audit_entry;
use crate::error::Error;

/// One change.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct AuditEntry {
    pub id: String,
    pub at: Timestamp,
    /// By what it was made: an API key, a token, an operator.
    pub actor: Named,
    /// The address it came from.
    pub address: Option<String>,
    /// Such as `merchant.created`.
    pub action: String,
    pub subject: Named,
    /// The merchant it is about, if it is about one.
    pub merchant_id: Option<String>,
    /// How the subject was. Secrets are fingerprints.
    pub before: Option<Any<Value>>,
    /// How it was afterwards.
    pub after: Option<Any<Value>>,
}

/// Something by its kind and id.
#[derive(Object, Debug)]
pub struct Named {
    pub kind: String,
    pub id: String,
}

impl From<audit_entry::Model> for AuditEntry {
    fn from(row: audit_entry::Model) -> Self {
        let state = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok()).map(Any);
        Self {
            id: row.id,
            at: Timestamp::of(row.at),
            actor: Named { kind: row.actor_kind, id: row.actor_id },
            address: row.address,
            action: row.action,
            subject: Named { kind: row.subject_kind, id: row.subject_id },
            merchant_id: row.merchant_id,
            before: state(row.state_before),
            after: state(row.state_after),
        }
    }
}

pub struct AuditApi;

#[OpenApi(tag = "Group::Audit")]
impl AuditApi {
    /// List changes
    ///
    /// Everything that was changed of the tenant, by whomever. Entries are never changed themselves.
    #[oai(path = "/v1/audit", method = "get", operation_id = "listAudit")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::AuditRead")] caller: Caller,
        request: &Request,
        /// Only this action, such as `merchant.created`.
        #[oai(validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        action: Query<Option<String>>,
        /// Only changes of what has this id.
        #[oai(name = "subjectId", validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        subject_id: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<AuditEntry>, Error> {
        caller.may(Scope::AuditRead)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let mut list = audit_entry::Entity::of(&caller.tenant, caller.mode);
        if let Some(action) = &action.0 {
            list = list.filter(audit_entry::Column::Action.eq(action.as_str()));
        }
        if let Some(id) = &subject_id.0 {
            list = list.filter(audit_entry::Column::SubjectId.eq(id.as_str()));
        }
        let show = |row: audit_entry::Model| (row.id.clone(), AuditEntry::from(row));
        page.rows(&app.store.read, list, audit_entry::Column::Id, show).await
    }
}
