//! What is wrong with stores: credentials that ScanForPay refuses, notices that do not come. Both wait for a person as
//! rows of `attention`, which is where all gateways know them from; here is what this one knows of them.

pub mod credentials;
pub mod notices;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;

use crate::app::App;
use crate::attention::Matter;
use crate::entity::{attention, order, store};

/// Whose store it is.
#[derive(Debug, Clone)]
pub struct Whose {
    pub platform_id: String,
    pub merchant_id: String,
    pub store_id: String,
}

/// Stores, by what is wrong with them, as of the last look.
#[derive(Default)]
pub struct Troubles {
    failing: RwLock<HashSet<String>>,
    unnoticed: RwLock<HashSet<String>>,
    /// Refusals in a row, as far as this process has seen. Stores that are not refused are not in it.
    refused: Mutex<HashMap<String, u32>>,
}

impl Troubles {
    /// Whether payments of the store were found of which no notice came.
    pub fn is_unnoticed(&self, store_id: &str) -> bool {
        contains(&self.unnoticed, store_id)
    }

    /// Whether ScanForPay refuses the store's credentials.
    pub fn is_failing(&self, store_id: &str) -> bool {
        contains(&self.failing, store_id)
    }

    fn unnoticed(&self) -> Vec<String> {
        self.unnoticed.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

fn contains(stores: &RwLock<HashSet<String>>, store_id: &str) -> bool {
    stores.read().unwrap_or_else(PoisonError::into_inner).contains(store_id)
}

fn set(stores: &RwLock<HashSet<String>>, now: HashSet<String>) {
    *stores.write().unwrap_or_else(PoisonError::into_inner) = now;
}

/// See what is known by now, find what is new, and probe what may be good again.
pub async fn look_after(app: &Arc<App>) -> anyhow::Result<()> {
    look(app).await?;
    credentials::probe(app).await?;
    notices::look_after(app).await
}

/// See what all gateways have found.
pub async fn look(app: &App) -> Result<(), sea_orm::DbErr> {
    for (matter, stores) in [
        (Matter::StoreCredentialsFailing, &app.troubles.failing),
        (Matter::StoreNoticesMissing, &app.troubles.unnoticed),
    ] {
        let open = open(app, matter).await?;
        set(stores, open.into_iter().map(|row| row.subject_id).collect());
    }
    Ok(())
}

async fn open(app: &App, matter: Matter) -> Result<Vec<attention::Model>, sea_orm::DbErr> {
    // Of all tenants: the workers are everybody's.
    attention::Entity::waiting()
        .filter(attention::Column::Kind.eq(matter.as_str()))
        .all(&app.store.read)
        .await
}

impl Whose {
    fn matter(&self, app: &App, matter: Matter, count: i64, detail: &Value) -> attention::Model {
        let now = app.clock.now_ms();
        attention::Model {
            id: app.chance.id(),
            kind: matter.as_str().to_owned(),
            subject_id: self.store_id.clone(),
            platform_id: self.platform_id.clone(),
            merchant_id: self.merchant_id.clone(),
            store_id: self.store_id.clone(),
            count,
            detail: detail.to_string(),
            raised_at: now,
            seen_at: now,
            ended_at: None,
            ended_by: None,
            reason: None,
        }
    }
}

impl From<&order::Model> for Whose {
    fn from(order: &order::Model) -> Self {
        Self {
            platform_id: order.platform_id.clone(),
            merchant_id: order.merchant_id.clone(),
            store_id: order.store_id.clone(),
        }
    }
}

impl From<&store::Model> for Whose {
    fn from(store: &store::Model) -> Self {
        Self {
            platform_id: store.platform_id.clone(),
            merchant_id: store.merchant_id.clone(),
            store_id: store.id.clone(),
        }
    }
}

/// The store of a row that named it, whoever's it is.
async fn store_of(app: &App, store_id: &str) -> Result<Option<store::Model>, sea_orm::DbErr> {
    store::Entity::find_by_id(store_id).one(&app.store.read).await
}
