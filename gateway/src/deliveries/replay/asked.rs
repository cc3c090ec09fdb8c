//! Whether there is what somebody asks for: a wrong id would otherwise be a replay of nothing.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::app::App;
use crate::deliveries::select::{self, Filter, Scope, Wanted};
use crate::entity::{delivery, endpoint, merchant};
use crate::error::Error;

/// What is wanted, once it is known to be there. Deliveries that replays have made stand for their originals.
pub async fn checked(app: &App, scope: &Scope, wanted: &Wanted) -> Result<Wanted, Error> {
    match wanted {
        Wanted::Named(ids) => Ok(Wanted::Named(originals_of(app, scope, ids).await?)),
        Wanted::Order(_) => Ok(wanted.clone()),
        Wanted::Filter(filter) => there_is(app, scope, filter, "/filter").await.map(|()| wanted.clone()),
        Wanted::Missed(filter) => there_is(app, scope, filter, "").await.map(|()| wanted.clone()),
    }
}

async fn originals_of(app: &App, scope: &Scope, ids: &[String]) -> Result<Vec<String>, Error> {
    let all = || select::filtered(scope, &Filter::default());
    let named = all().filter(delivery::Column::Id.is_in(ids.iter().map(String::as_str)));
    let named = named.all(&app.store.read).await?;
    let by_id: HashMap<&str, &delivery::Model> = named.iter().map(|row| (row.id.as_str(), row)).collect();
    if let Some(place) = ids.iter().position(|id| !by_id.contains_key(id.as_str())) {
        return Err(Error::invalid(&format!("/deliveryIds/{place}"), "there is no such delivery"));
    }
    let again: HashSet<(&str, &str)> = named
        .iter()
        .filter(|row| row.replay_id.is_some())
        .map(|row| (row.event_id.as_str(), row.endpoint_id.as_str()))
        .collect();
    let mut originals: Vec<String> =
        named.iter().filter(|row| row.replay_id.is_none()).map(|row| row.id.clone()).collect();
    if !again.is_empty() {
        let events = again.iter().map(|(event_id, _)| *event_id);
        let of_events = all()
            .filter(delivery::Column::EventId.is_in(events))
            .filter(delivery::Column::ReplayId.is_null())
            .all(&app.store.read)
            .await?;
        let of_again = of_events
            .into_iter()
            .filter(|row| again.contains(&(row.event_id.as_str(), row.endpoint_id.as_str())));
        originals.extend(of_again.map(|row| row.id));
    }
    originals.sort_unstable();
    originals.dedup();
    Ok(originals)
}

/// `at`: where the filter is in the body.
async fn there_is(app: &App, scope: &Scope, filter: &Filter, at: &str) -> Result<(), Error> {
    if let Some(id) = &filter.endpoint_id {
        let found = endpoint::Entity::find_by_id(id.as_str()).one(&app.store.read).await?;
        let is_in_scope = |row: &endpoint::Model| {
            scope.platform_id.as_ref().is_none_or(|id| *id == row.platform_id)
                && scope.merchant_id.as_ref().is_none_or(|id| Some(id) == row.merchant_id.as_ref())
                && row.mode.is_none_or(|mode| scope.mode.is_none_or(|own| own == mode))
        };
        if !found.as_ref().is_some_and(is_in_scope) {
            return Err(Error::invalid(&format!("{at}/endpointId"), "there is no such endpoint"));
        }
    }
    if let Some(id) = &filter.merchant_id {
        let found = merchant::Entity::find_by_id(id.as_str()).one(&app.store.read).await?;
        let is_in_scope = |row: &merchant::Model| {
            scope.platform_id.as_ref().is_none_or(|id| *id == row.platform_id)
                && scope.merchant_id.as_ref().is_none_or(|id| *id == row.id)
                && scope.mode.is_none_or(|own| own == row.mode)
        };
        if !found.as_ref().is_some_and(is_in_scope) {
            return Err(Error::invalid(&format!("{at}/merchantId"), "there is no such merchant"));
        }
    }
    match (filter.from, filter.before) {
        (Some(from), Some(before)) if from >= before => {
            Err(Error::invalid(&format!("{at}/before"), "is not after `from`: nothing is between them"))
        }
        _ => Ok(()),
    }
}
