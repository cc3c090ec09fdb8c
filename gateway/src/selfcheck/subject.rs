//! What a self-check is about: an order that the shop knows, and the endpoint that is told of it.

use sea_orm::{QueryOrder, QuerySelect};
use url::Url;

use crate::app::App;
use crate::directory::Merchant;
use crate::directory::access::Mode;
use crate::entity::order;
use crate::error::Error;

/// Orders that are looked through for one with the endpoint as its `notifyUrl`.
const LOOKED_THROUGH: u64 = 200;

/// What the caller said of it.
#[derive(Debug, Default)]
pub struct Wanted {
    pub url: Option<String>,
    /// The merchant's own number of an order.
    pub number: Option<String>,
}

pub(super) struct Subject {
    pub url: Url,
    pub order: order::Model,
}

impl Subject {
    /// Only a test merchant has one.
    pub async fn find(app: &App, merchant: &Merchant, wanted: &Wanted) -> Result<Self, Error> {
        if merchant.mode != Mode::Test {
            return Err(conflict(
                "test_only",
                "only a test merchant's endpoint is checked: a live key signs no drills",
            ));
        }
        let order = match &wanted.number {
            Some(number) => order::Entity::of(&merchant.id, number)
                .one(&app.store.read)
                .await?
                .ok_or_else(|| Error::invalid("/number", "is no order of this merchant"))?,
            None => newest(app, merchant, wanted.url.as_deref()).await?,
        };
        let (text, at) = match (&wanted.url, &order.notify_url) {
            (Some(url), _) => (url.as_str(), "/url"),
            (None, Some(url)) => (url.as_str(), "/number"),
            (None, None) => return Err(Error::invalid("/url", "is required: the order has no notifyUrl")),
        };
        // Names are asked about again, at the address they lead to, on every connection.
        let url = app
            .policy
            .check_url(text)
            .map_err(|why| Error::invalid(at, format!("cannot be called: {why}")))?;
        Ok(Self { url, order })
    }
}

/// The merchant's newest order that is told at `url`; at any, where none is named.
async fn newest(app: &App, merchant: &Merchant, url: Option<&str>) -> Result<order::Model, Error> {
    let orders = order::Entity::all_of(&merchant.id)
        .order_by_desc(order::Column::Id)
        .limit(LOOKED_THROUGH)
        .all(&app.store.read)
        .await?;
    let fits = |order: &order::Model| match (url, order.notify_url.as_deref()) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(wanted), Some(told)) => wanted == told,
    };
    orders.into_iter().find(fits).ok_or_else(|| {
        conflict(
            "no_order",
            "none of the merchant's newest 200 orders has this notifyUrl: place a test order first, or name one",
        )
    })
}

fn conflict(code: &'static str, detail: &str) -> Error {
    Error::Conflict { code, detail: detail.to_owned(), pointer: None }
}
