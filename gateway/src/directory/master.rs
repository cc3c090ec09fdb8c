//! Changing the master key: a new one seals at once, what older ones sealed is sealed anew in the background, and then
//! they can go. A row is written only as it was read, so several nodes may do it side by side, and one that dies leaves
//! nothing half done.

use anyhow::ensure;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;

use super::acts::{self, Act, Actor};
use super::pepper;
use crate::app::App;
use crate::entity::{endpoint, endpoint_secret, sign_key, token_key};
use crate::ledger::{Lane, RowStatement};

/// Secrets sealed anew in one go.
const PAGE: u64 = 100;
/// Pages in one round of housekeeping.
const PAGES: usize = 20;
/// Rounds that dropping an old key waits for.
const ROUNDS: usize = 10;

/// The tables with secrets in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Table {
    #[default]
    SignKeys,
    TokenKeys,
    EndpointSecrets,
    EndpointHeaders,
    /// Not a table: one setting.
    Pepper,
}

impl Table {
    fn next(self) -> Self {
        match self {
            Self::SignKeys => Self::TokenKeys,
            Self::TokenKeys => Self::EndpointSecrets,
            Self::EndpointSecrets => Self::EndpointHeaders,
            Self::EndpointHeaders | Self::Pepper => Self::Pepper,
        }
    }
}

/// How far sealing anew has come.
#[derive(Debug, Default)]
pub struct Place {
    table: Table,
    /// The last row that was looked at.
    after: String,
    /// Whether the pepper was.
    pepper: bool,
}

/// What became of some secrets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    pub sealed: usize,
    /// They do not open.
    pub failed: usize,
}

/// Make a new master key. Returns its id.
pub async fn rotate(app: &App) -> anyhow::Result<String> {
    let before = app.vault.key_id();
    let id = app.vault.rotate()?;
    let act = Act {
        action: "master_key.rotated",
        before: Some(json!({ "id": before })),
        after: Some(json!({ "id": id })),
        ..Act::default()
    };
    record(app, act).await?;
    Ok(id)
}

/// Seal anew what is left under older keys, then let go of those that the file holds. Returns how many went.
pub async fn drop_previous(app: &App) -> anyhow::Result<usize> {
    let newest = app.vault.key_id();
    for _ in 0..ROUNDS {
        if left(app).await? == 0 {
            break;
        }
        sweep(app).await?;
    }
    let left = left(app).await?;
    ensure!(
        left == 0,
        "{left} secrets are still sealed under another key than {newest}; they are being sealed anew, so try again in a while, and look into the log if it stays so"
    );
    let dropped = app.vault.drop_previous()?;
    if dropped > 0 {
        let after = Some(json!({ "id": newest, "dropped": dropped }));
        record(app, Act { action: "master_key.previous_dropped", after, ..Act::default() }).await?;
    }
    Ok(dropped)
}

async fn record(app: &App, act: Act<'_>) -> anyhow::Result<()> {
    let entry = acts::entry(&Actor::Command, act, &app.chance, app.clock.now_ms());
    app.ledger.room(Lane::Bulk, "operators")?.rows(vec![entry]).await?;
    Ok(())
}

/// Secrets that another key than the newest sealed.
pub async fn left(app: &App) -> Result<u64, sea_orm::DbErr> {
    let newest = app.vault.key_id();
    let newest = newest.as_str();
    let rows = [
        under_another::<sign_key::Entity>(app, sign_key::Column::MasterKeyId, newest).await?,
        under_another::<token_key::Entity>(app, token_key::Column::MasterKeyId, newest).await?,
        under_another::<endpoint_secret::Entity>(app, endpoint_secret::Column::MasterKeyId, newest).await?,
        under_another::<endpoint::Entity>(app, endpoint::Column::MasterKeyId, newest).await?,
    ];
    Ok(rows.iter().sum::<u64>() + u64::from(pepper::is_left(app).await?))
}

async fn under_another<E: EntityTrait>(
    app: &App,
    master_key_id: E::Column,
    newest: &str,
) -> Result<u64, sea_orm::DbErr>
where
    E::Model: Sync,
{
    E::find().filter(master_key_id.ne(newest)).count(&app.store.read).await
}

/// Look for changed keys, and seal anew what older ones sealed, up to some pages.
pub async fn sweep(app: &App) -> anyhow::Result<()> {
    app.vault.catch_up()?;
    let (mut place, mut all) = (Place::default(), Resealed::default());
    for _ in 0..PAGES {
        let Some(page) = step(app, &mut place, PAGE).await? else { break };
        all.sealed += page.sealed;
        all.failed += page.failed;
    }
    if all != Resealed::default() {
        let (sealed, failed, left) = (all.sealed, all.failed, left(app).await?);
        tracing::info!(sealed, failed, left, "secrets were sealed anew under the newest master key");
    }
    Ok(())
}

/// Seal one page anew. `None`: there is no more.
pub async fn step(app: &App, place: &mut Place, limit: u64) -> anyhow::Result<Option<Resealed>> {
    let previous = app.vault.previous_ids();
    if previous.is_empty() {
        return Ok(None);
    }
    while place.table != Table::Pepper {
        let page = match place.table {
            Table::SignKeys => {
                use sign_key::Column::{Id, MasterKeyId, Sealed};
                let columns = [Id, Sealed, MasterKeyId];
                page::<sign_key::Entity>(app, columns, &previous, &mut place.after, limit).await?
            }
            Table::TokenKeys => {
                use token_key::Column::{Id, MasterKeyId, Sealed};
                let columns = [Id, Sealed, MasterKeyId];
                page::<token_key::Entity>(app, columns, &previous, &mut place.after, limit).await?
            }
            Table::EndpointSecrets => {
                use endpoint_secret::Column::{Id, MasterKeyId, Sealed};
                let columns = [Id, Sealed, MasterKeyId];
                page::<endpoint_secret::Entity>(app, columns, &previous, &mut place.after, limit).await?
            }
            Table::EndpointHeaders => {
                use endpoint::Column::{Headers, Id, MasterKeyId};
                let columns = [Id, Headers, MasterKeyId];
                page::<endpoint::Entity>(app, columns, &previous, &mut place.after, limit).await?
            }
            Table::Pepper => None,
        };
        if page.is_some() {
            return Ok(page);
        }
        *place = Place { table: place.table.next(), ..Place::default() };
    }
    if place.pepper {
        return Ok(None);
    }
    place.pepper = true;
    Ok(pepper::seal_anew(app).await?.map(|sealed| match sealed {
        Ok(()) => Resealed { sealed: 1, failed: 0 },
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "a secret cannot be sealed anew");
            Resealed { sealed: 0, failed: 1 }
        }
    }))
}

async fn page<E: EntityTrait>(
    app: &App,
    [id, sealed, master_key_id]: [E::Column; 3],
    previous: &[String],
    after: &mut String,
    limit: u64,
) -> anyhow::Result<Option<Resealed>> {
    let rows: Vec<(String, Vec<u8>, String)> = E::find()
        .select_only()
        .columns([id, sealed, master_key_id])
        .filter(master_key_id.is_in(previous.iter().map(String::as_str)))
        .filter(id.gt(after.as_str()))
        .order_by_asc(id)
        .limit(limit)
        .into_tuple()
        .all(&app.store.read)
        .await?;
    let Some((last, ..)) = rows.last() else { return Ok(None) };
    after.clone_from(last);
    let (mut resealed, mut updates) = (Resealed::default(), Vec::new());
    for (row_id, bytes, sealed_under) in &rows {
        let secret = match app.vault.open(sealed_under, row_id, bytes) {
            Ok(secret) => secret,
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "a secret cannot be sealed anew");
                resealed.failed += 1;
                continue;
            }
        };
        let anew = app.vault.seal(row_id, &secret);
        let update = Query::update()
            .table(E::default().table_ref())
            .value(sealed, anew.bytes)
            .value(master_key_id, anew.master_key_id)
            .and_where(Expr::col(id).eq(row_id.as_str()))
            .and_where(Expr::col(master_key_id).eq(sealed_under.as_str()))
            .to_owned();
        updates.push(RowStatement::Update(update));
        resealed.sealed += 1;
    }
    if !updates.is_empty() {
        app.ledger.room(Lane::Bulk, "master_key")?.rows(updates).await?;
    }
    Ok(Some(resealed))
}
