//! Operators, made with what else a description names.

use anyhow::Context;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use zeroize::Zeroizing;

use super::{Made, OperatorDescription, Workshop};
use crate::directory::operators;
use crate::entity::{operator, platform};
use crate::ledger::RowStatement;

impl Workshop<'_> {
    pub(super) async fn operator(
        &self,
        description: &OperatorDescription,
        platforms: &[(&str, String)],
        made: &mut Made,
        rows: &mut Vec<RowStatement>,
    ) -> anyhow::Result<()> {
        operators::check_name(&description.name)?;
        operators::check_password(&description.password)?;
        let found = operator::Entity::find()
            .filter(operator::Column::Name.eq(&description.name))
            .one(self.read)
            .await?;
        if found.is_some() {
            return Ok(());
        }
        let platform_id = match &description.platform {
            None => None,
            Some(slug) => Some(self.platform_id(slug, platforms).await?),
        };
        let place = self.passwords.place().await.context("too many passwords are being checked")?;
        let hash = place.hash(Zeroizing::new(description.password.clone())).await?;
        let (id, role) = (self.chance.id(), description.role);
        rows.push(operators::row(id, &description.name, hash, role, platform_id, self.now));
        made.operators.push(description.name.clone());
        Ok(())
    }

    /// Of a platform that the description names, or that is there.
    async fn platform_id(&self, slug: &str, platforms: &[(&str, String)]) -> anyhow::Result<String> {
        if let Some((_, id)) = platforms.iter().find(|(named, _)| *named == slug) {
            return Ok(id.clone());
        }
        let found = platform::Entity::find().filter(platform::Column::Slug.eq(slug)).one(self.read).await?;
        Ok(found.with_context(|| format!("there is no platform {slug}"))?.id)
    }
}
