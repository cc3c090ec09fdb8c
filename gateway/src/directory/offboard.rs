//! Offboarding: a merchant that leaves opens nothing any more. Its stores are disabled and its API keys revoked with
//! it; what it has done stays, and can be exported.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::json;

use super::access::Caller;
use super::audit::{self, States, Subject};
use super::change::{Plan, Refresh};
use super::merchants::{self, platform_of};
use crate::app::App;
use crate::entity::{api_key, merchant, store};
use crate::error::Error;

/// Plan that a merchant of the caller's leaves. No plan: it has left already.
pub async fn offboard(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<(Option<Plan>, merchant::Model), Error> {
    platform_of(caller)?;
    let before = merchants::find(app, caller, id).await?;
    if before.offboarded_at.is_some() {
        return Ok((None, before));
    }
    let now = app.clock.now_ms();
    let after = merchant::Model {
        status: "suspended".to_owned(),
        offboarded_at: Some(now),
        version: before.version + 1,
        ..before.clone()
    };
    let subject = Subject { kind: "merchant", id, merchant_id: Some(id) };
    let states = States {
        before: Some(json!({ "status": before.status })),
        after: Some(json!({ "status": "offboarded", "stores": "disabled", "apiKeys": "revoked" })),
    };
    let mut plan = Plan::new(audit::entry(app, caller, "merchant.offboarded", subject, states));
    plan.while_there_is(merchants::this_version(&before));
    let leave = Query::update()
        .table(merchant::Entity)
        .value(merchant::Column::Status, after.status.as_str())
        .value(merchant::Column::OffboardedAt, now)
        .value(merchant::Column::Version, after.version)
        .and_where(Expr::col(merchant::Column::Id).eq(id))
        .and_where(Expr::col(merchant::Column::Version).eq(before.version))
        .to_owned();
    let disable = Query::update()
        .table(store::Entity)
        .value(store::Column::Status, "disabled")
        .value(store::Column::Version, Expr::col(store::Column::Version).add(1))
        .and_where(Expr::col(store::Column::MerchantId).eq(id))
        .and_where(Expr::col(store::Column::Status).eq("active"))
        .to_owned();
    let revoke = Query::update()
        .table(api_key::Entity)
        .value(api_key::Column::RevokedAt, now)
        .and_where(Expr::col(api_key::Column::MerchantId).eq(id))
        .and_where(Expr::col(api_key::Column::RevokedAt).is_null())
        .to_owned();
    for update in [leave, disable, revoke] {
        plan.update(update);
    }
    plan.refresh(Refresh::Merchant(id.to_owned()));
    plan.refresh(Refresh::ApiKeysOf(id.to_owned()));
    Ok((Some(plan), after))
}
