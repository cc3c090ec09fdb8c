//! `GET /v1/events`: everything that was told, in the order in which it was written, for receivers that fetch.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{DbErr, EntityTrait, QuerySelect};
use serde_json::Value;
use tokio::time::Instant;

use super::{merchant_of, wrong};
use crate::api::rest::{EventType, Found, Group};
use crate::app::App;
use crate::directory::access::{Caller, Mode, Scope};
use crate::entity::{endpoint, event, merchant};
use crate::error::Error;
use crate::orders::feed::{self, Part, Place, Sieve};
use crate::told::Event;

const USUAL: u32 = 20;
/// Events of a page.
const MOST: u32 = 100;

/// Where to begin without a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub enum From {
    /// With the first event there is.
    Oldest,
    /// With the next event there will be.
    Now,
}

/// Events, oldest first, and where to go on.
#[derive(Object, Debug)]
pub struct Feed {
    pub data: Vec<Event>,
    /// The next page's `cursor`. It is there on the last page, too: keep it, and go on with it later.
    pub next: String,
    /// Whether there is more to fetch at once.
    pub more: bool,
}

pub struct FeedApi;

#[OpenApi(tag = "Group::Events")]
impl FeedApi {
    /// Fetch events
    ///
    /// Everything that was told, oldest first, in the order in which it was written: whoever goes on with `next` misses
    /// nothing and gets nothing twice. A merchant gets what was told to it; a platform what was told of all its
    /// merchants, and what is for platforms only. For receivers that cannot be reached from outside, and to make up
    /// for what an endpoint has missed. A page can be short or empty although there is more.
    #[oai(path = "/v1/events", method = "get", operation_id = "fetchEvents")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn fetch(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EventsRead")] caller: Caller,
        /// With a platform's key: the id of one merchant, whose events alone are wanted.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
        /// A type that is wanted; given several times, any of them. All of them if it is left out.
        #[oai(name = "type")]
        kinds: Query<Option<Vec<EventType>>>,
        /// Events of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
        /// Where to begin without a cursor; `oldest` if it is left out.
        from: Query<Option<From>>,
        /// Seconds to wait for an event where there is none. While too many wait, the answer comes at once.
        #[oai(validator(minimum(value = "0"), maximum(value = "20")))]
        wait: Query<Option<u32>>,
    ) -> Result<Found<Feed>, Error> {
        caller.may(Scope::EventsRead)?;
        let list = match (caller.tenant.merchant_id(), &merchant.0) {
            (None, None) => event::Entity::of_platform(caller.tenant.platform_id()),
            (None, Some(_)) => {
                let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
                event::Entity::of_all_audiences(&merchant.id)
            }
            (Some(_), named) => event::Entity::of(&merchant_of(app.0, &caller, named.as_deref())?.id),
        };
        let limit = limit.0.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(wrong("limit", format!("must be from 1 to {MOST}")));
        }
        let read = &app.store.read;
        let mut after = match (cursor.0.as_deref(), from.0) {
            (Some(_), Some(_)) => return Err(wrong("from", "does not go with a cursor, which says it")),
            (Some(text), None) => place(app.0, &caller, text).await?,
            (None, Some(From::Now)) => feed::end(read, list.clone()).await?,
            (None, Some(From::Oldest) | None) => Place::start(),
        };
        // A platform has merchants of both kinds; a key is for one.
        let own = own_endpoints(app.0, &caller).await?;
        let sieve = OfKey { app: app.0, mode: caller.mode, own, kinds: kinds.0.as_deref() };
        let until = Instant::now() + Duration::from_secs(wait.0.unwrap_or(0).into());
        let mut waiting = if wait.0.unwrap_or(0) > 0 { app.live.wait() } else { None };
        let part = loop {
            let part = feed::read(read, &list, after, limit as usize, &sieve).await?;
            let is_worth_it = !part.rows.is_empty() || part.is_more;
            let Some(waiting) = waiting.as_mut().filter(|_| !is_worth_it) else { break part };
            if !waiting.for_more(until.saturating_duration_since(Instant::now())).await {
                break part;
            }
            after = part.next;
        };
        let Part { rows, next, is_more } = part;
        let data = rows.into_iter().map(Event::of).collect::<Result<_, _>>()?;
        Ok(Found(Feed { data, next: next.text(), more: is_more }))
    }
}

/// Ids of a platform's own endpoints of the caller's mode, those that are deleted by now among them.
async fn own_endpoints(app: &App, caller: &Caller) -> Result<HashSet<String>, Error> {
    if caller.tenant.merchant_id().is_some() {
        return Ok(HashSet::new());
    }
    let own = endpoint::Entity::ever_of_platform(caller.tenant.platform_id(), caller.mode);
    let ids: Vec<String> =
        own.select_only().column(endpoint::Column::Id).into_tuple().all(&app.store.read).await?;
    Ok(ids.into_iter().collect())
}

/// Of what a tenant may see, events of one mode and of the types that are asked for.
struct OfKey<'a> {
    app: &'a App,
    mode: Mode,
    /// A platform's own endpoints of this mode.
    own: HashSet<String>,
    kinds: Option<&'a [EventType]>,
}

impl Sieve for OfKey<'_> {
    async fn lets_through(&self, row: &event::Model) -> Result<bool, DbErr> {
        let is_asked_for =
            |kinds: &[EventType]| kinds.iter().any(|EventType(kind)| kind.as_str() == row.kind);
        if !self.kinds.is_none_or(is_asked_for) {
            return Ok(false);
        }
        if row.merchant_id.is_empty() {
            let content: Option<Value> = serde_json::from_str(&row.content).ok();
            let id = content.as_ref().and_then(|content| content["endpointId"].as_str());
            return Ok(id.is_some_and(|id| self.own.contains(id)));
        }
        if let Some(merchant) = self.app.directory.merchant_by_id(&row.merchant_id) {
            return Ok(merchant.mode == self.mode);
        }
        // Another node has made it just now.
        let merchant = merchant::Entity::find_by_id(row.merchant_id.as_str());
        let merchant = merchant.one(&self.app.store.read).await?;
        Ok(merchant.is_some_and(|merchant| merchant.mode == self.mode))
    }
}

/// Where a cursor says to go on.
async fn place(app: &App, caller: &Caller, text: &str) -> Result<Place, Error> {
    let place = Place::parse(text).ok_or_else(|| wrong("cursor", "is not one that this list gave"))?;
    let all = event::Entity::of_platform(caller.tenant.platform_id());
    if place.stands(&app.store.read, all).await? {
        return Ok(place);
    }
    Err(wrong(
        "cursor",
        "stands behind an event that is not there: a backup was restored since. Begin again with `from`, and pass over the \
         ids that you know",
    ))
}
