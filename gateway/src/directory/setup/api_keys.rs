//! API keys of a platform, made with it.

use anyhow::ensure;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ApiKeyDescription, Made, Workshop};
use crate::directory::access::{Mode, Scopes};
use crate::directory::api_keys;
use crate::entity::api_key;
use crate::ledger::{RowStatement, insert_rows};

#[derive(Serialize, Deserialize)]
pub struct MadeApiKey {
    pub platform: String,
    pub name: String,
    pub mode: Mode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Workshop<'_> {
    pub(super) async fn api_key(
        &self,
        slug: &str,
        platform_id: &str,
        description: &ApiKeyDescription,
        made: &mut Made,
        rows: &mut Vec<RowStatement>,
    ) -> anyhow::Result<()> {
        let found = api_key::Entity::find()
            .filter(api_key::Column::PlatformId.eq(platform_id))
            .filter(api_key::Column::MerchantId.is_null())
            .filter(api_key::Column::Name.eq(&description.name))
            .one(self.read)
            .await?;
        if found.is_some() {
            return Ok(());
        }
        let name = &description.name;
        let (text, is_made) = match &description.key {
            Some(key) => (Zeroizing::new(key.clone()), false),
            None => (api_keys::new_key(description.mode).text, true),
        };
        let hash = api_keys::hash_of(&text).map_err(|_| anyhow::anyhow!("API key {name} is mistyped"))?;
        ensure!(
            text.starts_with(&format!("sg_{}_", description.mode.as_str())),
            "API key {name} is of the other mode"
        );
        rows.push(insert_rows::<api_key::Entity>(&[api_key::Model {
            id: self.chance.id(),
            platform_id: platform_id.to_owned(),
            merchant_id: None,
            name: name.clone(),
            mode: description.mode,
            prefix: api_keys::shown(&text),
            hash: hash.to_vec(),
            scopes: Scopes::all().text(),
            addresses: String::new(),
            created_at: self.now,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        }]));
        made.api_keys.push(MadeApiKey {
            platform: slug.to_owned(),
            name: name.clone(),
            mode: description.mode,
            key: is_made.then(|| text.to_string()),
        });
        Ok(())
    }
}
