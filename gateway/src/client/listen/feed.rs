//! `GET /v1/events`, page by page.

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::Start;
use super::kept::Source;
use crate::client::report::printable;
use crate::client::rest::{self, Rest, Trouble};

/// Events of a page.
const PAGE: &str = "20";
/// Seconds for which the gateway holds an answer back where there is none.
const WAIT: &str = "20";

pub(super) struct Feed {
    rest: Rest,
    kinds: Vec<String>,
    /// Which of a platform's merchants; known from the first word on.
    merchant_id: Option<String>,
}

/// One of the feed, with its text as it came: that is what endpoints are sent.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: String,
    kind: String,
    created_at: String,
    /// The order's number, or the id of the store or endpoint that it is about.
    subject: String,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct Page {
    events: Vec<Event>,
    pub(super) next: String,
    pub(super) more: bool,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    next: String,
    more: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created_at: String,
    order: Option<Order>,
    store: Option<Other>,
    endpoint: Option<Other>,
}

#[derive(Deserialize)]
struct Order {
    number: String,
}

#[derive(Deserialize)]
struct Other {
    id: String,
}

impl Feed {
    pub(super) fn new(rest: Rest, mut kinds: Vec<String>) -> Self {
        kinds.sort();
        kinds.dedup();
        Self { rest, kinds, merchant_id: None }
    }

    pub(super) fn base(&self) -> &str {
        self.rest.base.as_str().trim_end_matches('/')
    }

    pub(super) fn source(&self) -> Source {
        Source {
            base: self.base().to_owned(),
            merchant: self.rest.merchant().map(str::to_owned),
            kinds: self.kinds.clone(),
        }
    }

    /// Find out who is listened to, and whether one may. The answer is the place to begin at, where one is asked for.
    pub(super) async fn begin(&mut self, start: Option<Start>) -> Result<String, Trouble> {
        self.merchant_id = self.rest.merchant_id().await?;
        let end = self.ask(&[("from", "now"), ("limit", "1")]).await?.next;
        Ok(if start == Some(Start::Now) { end } else { String::new() })
    }

    /// The page behind `place`, which is empty at the very beginning. `waits`: for an event, if there is none.
    pub(super) async fn page(&self, place: Option<&str>, waits: bool) -> Result<Page, Trouble> {
        let mut query = vec![("limit", PAGE)];
        query.extend(place.filter(|place| !place.is_empty()).map(|place| ("cursor", place)));
        query.extend(waits.then_some(("wait", WAIT)));
        self.ask(&query).await
    }

    async fn ask(&self, query: &[(&str, &str)]) -> Result<Page, Trouble> {
        self.rest.call(Method::GET, &self.address(query), String::new()).await.and_then(|body| read(&body))
    }

    fn address(&self, query: &[(&str, &str)]) -> Url {
        let mut address = self.rest.at("/v1/events");
        let kinds = self.kinds.iter().map(|kind| ("type", kind.as_str()));
        let merchant = self.merchant_id.as_deref().map(|id| ("merchant", id));
        address.query_pairs_mut().extend_pairs(query).extend_pairs(kinds).extend_pairs(merchant);
        address
    }
}

fn read(body: &Bytes) -> Result<Page, Trouble> {
    let unreadable = |error: serde_json::Error| {
        Trouble::Away(anyhow::anyhow!("what came from /v1/events is no page of events: {error}"))
    };
    rest::json(body)?;
    let Document { data, next, more } = serde_json::from_slice(body).map_err(unreadable)?;
    let events = data.into_iter().map(Event::read).collect::<Result<_, _>>().map_err(unreadable)?;
    Ok(Page { events, next, more })
}

impl Event {
    fn read(raw: &RawValue) -> serde_json::Result<Self> {
        let text = raw.get().to_owned();
        let Head { id, kind, created_at, order, store, endpoint } = serde_json::from_str(&text)?;
        let about = order.map(|order| order.number).or(store.or(endpoint).map(|other| other.id));
        Ok(Self { id, kind, created_at, subject: about.unwrap_or_default(), text })
    }

    /// Its type, and what it is about.
    pub(super) fn name(&self) -> String {
        format!("{} {}", printable(&self.kind), printable(&self.subject))
    }

    /// When it was told, its id, its type, and what it is about.
    pub(super) fn told(&self) -> String {
        let [at, id, kind, subject] =
            [&self.created_at, &self.id, &self.kind, &self.subject].map(|text| printable(text));
        format!("{at}  {id}  {kind:<16}  {subject}")
    }
}

impl Page {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Those that come after the last one that was forwarded, if that is on this page; else all of them.
    pub(super) fn behind(&self, last: Option<&str>) -> &[Event] {
        let done = self.events.iter().position(|event| Some(event.id.as_str()) == last);
        &self.events[done.map_or(0, |done| done + 1)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(events: &str) -> Page {
        read(&Bytes::from(format!(r#"{{"data":[{events}],"next":"n","more":false}}"#))).expect("a page")
    }

    #[test]
    fn an_events_text_is_kept_as_it_came_whatever_is_in_it() {
        let text = r#"{"id":"e1","type":"order.paid","createdAt":"2026-09-21T14:13:20.000Z","order":{"number":"拉麵\u001b🍜"},"new":1.50}"#;
        let page = page(text);
        assert_eq!(page.events[0].text, text);
        assert_eq!(page.events[0].told(), r"2026-09-21T14:13:20.000Z  e1  order.paid        拉麵\u{1b}🍜");
    }

    #[test]
    fn a_page_that_was_begun_is_gone_on_with_behind_its_last_event() {
        let event = |id: &str| format!(r#"{{"id":"{id}","type":"t","createdAt":""}}"#);
        let page = page(&["a", "b", "c"].map(event).join(","));
        let left = |last| page.behind(last).iter().map(|event| event.id.as_str()).collect::<Vec<_>>();
        assert_eq!(left(None), ["a", "b", "c"]);
        assert_eq!(left(Some("b")), ["c"]);
        assert_eq!(left(Some("c")), [""; 0]);
        assert_eq!(left(Some("of another page")), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_no_page_may_be_a_proxys_word_and_is_asked_for_again() {
        for other in ["<html>", "{}", r#"{"data":[{}],"next":"n","more":false}"#] {
            assert!(matches!(read(&Bytes::from(other)), Err(Trouble::Away(_))), "{other}");
        }
    }
}
