//! Notices that do not come: payments that were found by asking, and of which no notice came in time, are counted by
//! store. Several of them are a matter for a person, and while that is open the store's orders are asked about more often.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use shared::order::OrderStatus;

use super::{Whose, look, open};
use crate::app::App;
use crate::attention::Matter;
use crate::entity::{attention, order};
use crate::ledger::{Changes, Lane, LedgerError, RowStatement, Target, insert_rows};

/// So many are no accident.
const SEVERAL: i64 = 3;
/// Those of so long ago count no more.
const COUNTED: Duration = Duration::from_hours(24);
/// The longest wait of the closer schedule.
const CLOSE_MS: i64 = 60 * 60 * 1000;
/// Orders whose look is brought forward at a time.
const PAGE: u64 = 200;
const MATTER: Matter = Matter::StoreNoticesMissing;

#[derive(Debug, FromQueryResult)]
struct Missing {
    platform_id: String,
    merchant_id: String,
    store_id: String,
    count: i64,
}

/// Count anew: raise what has become several, end what is so no longer, and look closer where it is.
pub async fn look_after(app: &Arc<App>) -> anyhow::Result<()> {
    let now = app.clock.now_ms();
    let mut counted: HashMap<String, Missing> =
        count(app, now).await?.into_iter().map(|missing| (missing.store_id.clone(), missing)).collect();
    let mut statements = Vec::new();
    for row in open(app, MATTER).await? {
        match counted.remove(&row.store_id).map_or(0, |missing| missing.count) {
            missing if missing >= SEVERAL => {
                if missing != row.count {
                    statements.push(recount(&row, missing, now));
                }
            }
            _ => statements.push(end(&row, now)),
        }
    }
    for missing in counted.into_values().filter(|missing| missing.count >= SEVERAL) {
        let whose = Whose {
            platform_id: missing.platform_id,
            merchant_id: missing.merchant_id,
            store_id: missing.store_id,
        };
        tracing::error!(
            store = whose.store_id,
            missing = missing.count,
            "payments were found of which no notice came"
        );
        let detail = json!({ "within_hours": COUNTED.as_secs() / 3600 });
        statements.push(insert_rows::<attention::Entity>(&[whose.matter(
            app,
            MATTER,
            missing.count,
            &detail,
        )]));
    }
    if !statements.is_empty() {
        app.ledger.room_when_free(Lane::Bulk, MATTER.as_str()).await?.rows(statements).await?;
        look(app).await?;
    }
    look_closer(app, now).await
}

/// By store, the payments of which no notice came since its last matter of this kind ended.
async fn count(app: &App, now: i64) -> Result<Vec<Missing>, sea_orm::DbErr> {
    use order::Column::{MerchantId, NoticeDueAt, PlatformId, StoreId};
    let since = now - i64::try_from(COUNTED.as_millis()).expect("a day");
    let count = Expr::col((order::Entity, order::Column::Id)).count();
    order::Entity::find()
        .select_only()
        .columns([PlatformId, MerchantId, StoreId])
        .column_as(count, "count")
        .filter(NoticeDueAt.lt(now))
        .filter(NoticeDueAt.gt(since))
        .filter(
            Expr::col((order::Entity, NoticeDueAt))
                .gt(Func::coalesce([Expr::from(last_end()), Expr::val(0_i64)])),
        )
        .group_by(PlatformId)
        .group_by(MerchantId)
        .group_by(StoreId)
        .into_model::<Missing>()
        .all(&app.store.read)
        .await
}

fn last_end() -> SelectStatement {
    let of = Alias::new("ended");
    Query::select()
        .expr(Func::max(Expr::col((of.clone(), attention::Column::EndedAt))))
        .from_as(attention::Entity, of.clone())
        .and_where(Expr::col((of.clone(), attention::Column::Kind)).eq(MATTER.as_str()))
        .and_where(
            Expr::col((of, attention::Column::SubjectId)).equals((order::Entity, order::Column::StoreId)),
        )
        .to_owned()
}

fn recount(row: &attention::Model, missing: i64, now: i64) -> RowStatement {
    let update = Query::update()
        .table(attention::Entity)
        .value(attention::Column::Count, missing)
        .value(attention::Column::SeenAt, now)
        .and_where(Expr::col(attention::Column::Id).eq(row.id.as_str()))
        .to_owned();
    RowStatement::Update(update)
}

/// They came after all.
fn end(row: &attention::Model, now: i64) -> RowStatement {
    let update = Query::update()
        .table(attention::Entity)
        .value(attention::Column::EndedAt, now)
        .value(attention::Column::EndedBy, "notices")
        .and_where(Expr::col(attention::Column::Id).eq(row.id.as_str()))
        .and_where(Expr::col(attention::Column::EndedAt).is_null())
        .to_owned();
    RowStatement::Update(update)
}

/// Orders of such stores that wait for a look further off than the closer schedule has: look now.
async fn look_closer(app: &Arc<App>, now: i64) -> anyhow::Result<()> {
    let stores = app.troubles.unnoticed();
    if stores.is_empty() {
        return Ok(());
    }
    loop {
        let far = order::Entity::find()
            .filter(order::Column::StoreId.is_in(stores.clone()))
            .filter(order::Column::Status.eq(OrderStatus::Awaiting.as_str()))
            .filter(order::Column::LookAt.gt(now + CLOSE_MS))
            .filter(order::Column::ExpiresAt.gt(now))
            .order_by_asc(order::Column::LookAt)
            .limit(PAGE)
            .all(&app.store.read)
            .await?;
        let sooner = far.iter().map(|order| look_now(app, order, now));
        let looked: Result<Vec<bool>, LedgerError> =
            futures_util::future::join_all(sooner).await.into_iter().collect();
        if !looked?.contains(&true) {
            return Ok(());
        }
    }
}

async fn look_now(app: &App, order: &order::Model, now: i64) -> Result<bool, LedgerError> {
    let room = app.ledger.room_when_free(Lane::Bulk, &order.id).await?;
    let target = Target::of_order(&order.id, &app.chance.id());
    let seen = (order.status.clone(), order.look_at, order.looks);
    room.change(target, move |current| {
        let order = current.order;
        if (&order.status, order.look_at, order.looks) != (&seen.0, seen.1, seen.2) {
            return (Changes::default(), false);
        }
        let sooner = order::Model { look_at: Some(now), looks: 0, ..order.clone() };
        (Changes { order: Some(sooner), ..Changes::default() }, true)
    })
    .await
}
