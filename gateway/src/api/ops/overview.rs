//! How the gateway is doing, and the stream of what changes.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header;
use poem::web::Data;
use poem::{Body, IntoResponse, Request, Response};
use poem_openapi::param::Query;
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Any;
use poem_openapi::{ApiResponse, Enum, OpenApi};
use serde_json::json;
use shared::filter::Filter;
use shared::ops::{Live, Overview};

use super::Group;
use super::auth::LoggedIn;
use super::orders::parsed;
use crate::api::rest::Found;
use crate::app::App;
use crate::console::live::{self, Change, Listener};
use crate::console::pulse::{self, Span};
use crate::directory::operators::Bound;
use crate::error::{Error, FieldProblem};
use crate::orders::search;

const EVENTS: &str = "text/event-stream";
/// A word at least so often, by which a console knows that it is connected.
const BEAT: Duration = Duration::from_secs(2);
/// Who comes back after longer reads its lists anew.
const LONGEST_BREAK_MS: i64 = 10 * 60 * 1_000;

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "OverviewSpan")]
pub enum Back {
    #[oai(rename = "1h")]
    Hour,
    #[oai(rename = "24h")]
    Day,
}

pub struct OverviewOps;

#[OpenApi(prefix_path = "/ops/v1", tag = "Group::Overview")]
impl OverviewOps {
    /// How the gateway is doing
    ///
    /// Orders, payments and times in steps, as the gateway that answers has counted them since it started, and what waits. For
    /// operators of all platforms.
    #[oai(path = "/overview", method = "get", operation_id = "getOverview")]
    async fn overview(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// Absent: an hour.
        span: Query<Option<Back>>,
    ) -> Result<Found<Any<Overview>>, Error> {
        caller.must_see_all()?;
        let span = match span.0 {
            Some(Back::Day) => Span::Day,
            Some(Back::Hour) | None => Span::Hour,
        };
        Ok(Found(Any(pulse::overview(app.0, span).await?)))
    }

    /// Listen to changes
    ///
    /// Server-sent events: orders, deliveries, replays and matters as they change, each as its list has it, and a word every two
    /// seconds at least. Each has an `id`; who comes back with it in `Last-Event-ID` goes on there. `gap` says that changes
    /// were missed: read the lists anew.
    #[oai(path = "/live", method = "get", operation_id = "listen")]
    async fn live(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        request: &Request,
        /// Of `orders`, `deliveries`, `replays` and `matters`, with commas between them; absent: all.
        #[oai(validator(max_length = 100))]
        topics: Query<Option<String>>,
        /// Of orders: only these.
        #[oai(validator(max_length = 500))]
        filter: Query<Option<String>>,
    ) -> Result<Stream, Error> {
        let wanted = Wanted {
            topics: Topics::parse(topics.0.as_deref())?,
            filter: parsed(filter.0.as_deref())?,
            platform: caller.operator.platform,
        };
        let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
        let from = last.and_then(live::time_of);
        Ok(Stream::of(app.0, wanted, from))
    }
}

#[derive(Debug, Clone, Copy)]
struct Topics {
    orders: bool,
    deliveries: bool,
    replays: bool,
    matters: bool,
}

impl Topics {
    fn parse(text: Option<&str>) -> Result<Self, Error> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self { orders: true, deliveries: true, replays: true, matters: true });
        };
        let mut topics = Self { orders: false, deliveries: false, replays: false, matters: false };
        for word in text.split(',') {
            match word {
                "orders" => topics.orders = true,
                "deliveries" => topics.deliveries = true,
                "replays" => topics.replays = true,
                "matters" => topics.matters = true,
                other => {
                    let why = format!("'{other}' is none of orders, deliveries, replays and matters");
                    return Err(Error::Invalid(vec![FieldProblem::parameter("topics", why)]));
                }
            }
        }
        Ok(topics)
    }
}

/// What one console listens to.
struct Wanted {
    topics: Topics,
    filter: Filter,
    platform: Option<Bound>,
}

impl Wanted {
    fn lets_through(&self, change: &Change, now: i64) -> bool {
        let is_theirs = self
            .platform
            .as_ref()
            .is_none_or(|platform| change.platform_id == platform.id || matches!(change.live, Live::Gap));
        is_theirs
            && match &change.live {
                Live::Order(row) => self.topics.orders && search::matches(&self.filter, row, now),
                Live::Delivery(_) => self.topics.deliveries,
                Live::Replay(_) => self.topics.replays,
                Live::Matter(_) => self.topics.matters,
                Live::Gap => true,
            }
    }
}

/// Changes for as long as the console listens.
pub struct Stream(Body);

struct State {
    app: Arc<App>,
    listener: Listener,
    wanted: Wanted,
    /// To be told of first: since then.
    from: Option<i64>,
}

impl Stream {
    fn of(app: &Arc<App>, wanted: Wanted, from: Option<i64>) -> Self {
        // Listening begins before the store is asked for what was missed, so that nothing falls in between.
        let state = State { app: app.clone(), listener: live::listen(app), wanted, from };
        let events = stream::unfold(state, |mut state| async move {
            let bytes = state.next().await?;
            Some((Ok::<Bytes, std::io::Error>(bytes), state))
        });
        Self(Body::from_bytes_stream(events))
    }
}

impl State {
    /// The next events as they are sent; `None`: the gateway stops.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(from) = self.from.take() {
            let changes = missed(&self.app, from).await;
            return Some(self.text(&changes));
        }
        let mut waiting = self.app.live.wait()?;
        tokio::select! {
            changes = self.listener.next() => match changes {
                Some(changes) => Some(self.text(&changes)),
                None => Some(self.text(&[gap(&self.app)])),
            },
            is_on = beat(&mut waiting) => is_on.then(|| self.text(&[])),
        }
    }

    /// What is for this console, and a beat with the server's time.
    fn text(&self, changes: &[Change]) -> Bytes {
        let now = self.app.clock.now_ms();
        let mut text = String::new();
        for change in changes.iter().filter(|change| self.wanted.lets_through(change, now)) {
            let data = serde_json::to_string(&change.live).expect("plain fields serialise");
            write!(text, "id: {}\ndata: {data}\n\n", change.id).expect("a String takes everything");
        }
        write!(text, "event: beat\ndata: {}\n\n", json!({ "at": now })).expect("a String takes everything");
        Bytes::from(text)
    }
}

async fn missed(app: &App, from: i64) -> Vec<Change> {
    if app.clock.now_ms() - from > LONGEST_BREAK_MS {
        return vec![gap(app)];
    }
    live::since(app, from).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what a console has missed could not be read");
        vec![gap(app)]
    })
}

fn gap(app: &App) -> Change {
    Change { id: app.chance.id(), platform_id: String::new(), live: Live::Gap }
}

/// Until it is time for a word, or the gateway stops: `false`.
async fn beat(waiting: &mut crate::live::Waiting<'_>) -> bool {
    tokio::select! {
        () = waiting.ended() => false,
        () = tokio::time::sleep(BEAT) => true,
    }
}

impl IntoResponse for Stream {
    fn into_response(self) -> Response {
        Response::builder()
            .header(header::CONTENT_TYPE, EVENTS)
            .header(header::CACHE_CONTROL, "no-store")
            .body(self.0)
    }
}

impl ApiResponse for Stream {
    fn meta() -> MetaResponses {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Events, for as long as the connection lasts.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: EVENTS, schema }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}
