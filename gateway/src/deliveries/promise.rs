//! Whom an event is promised to: the order's own notifyUrl, which hears that it was paid and nothing else, and the
//! registered endpoints of the merchant and of its platform that want to hear it. Runs where the event comes to be,
//! inside the transaction that writes it.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use url::Url;

use super::Fresh;
use super::form::Original;
use crate::app::App;
use crate::directory::Merchant;
use crate::directory::endpoints::{About, Endpoint};
use crate::entity::{delivery, endpoint, event, order};
use crate::ledger::{Promise, Told};
use crate::orders::tell::Kind;

/// What is to be sent as soon as it is committed, each with its place among what goes out.
#[derive(Debug, Default)]
pub struct Begun {
    fresh: Vec<Fresh>,
    /// Endpoint, owner and time of what was promised besides.
    due: Vec<(String, String, i64)>,
    /// Something was told.
    is_told: bool,
}

impl Begun {
    /// It is committed.
    pub fn go(self, app: &App) {
        for fresh in self.fresh {
            app.deliveries.send_fresh(fresh);
        }
        if !self.due.is_empty() {
            let due = self.due.iter().map(|(endpoint, owner, at)| (endpoint.as_str(), owner.as_str(), *at));
            app.deliveries.is_due(due, app.clock.now_ms());
        }
        if self.is_told {
            app.live.told();
        }
    }
}

/// Promise what is told of an order to everyone who should hear it.
pub fn of_order(app: &App, order: &order::Model, told: &mut [Told]) -> Begun {
    let mut begun = Begun { is_told: !told.is_empty(), ..Begun::default() };
    let merchant = if told.is_empty() { None } else { app.directory.merchant_by_id(&order.merchant_id) };
    // The directory may not know a merchant that was just made by another node. Its notifyUrl is the order's.
    let last_used = merchant.as_ref().and_then(|merchant| merchant.last_used_key());
    let sign_key_id = last_used.map_or(order.sign_key_id.as_str(), |key| key.id.as_str());
    for Told { event, promises } in told {
        if event.kind == Kind::OrderPaid.as_str()
            && let Some(url) = &order.notify_url
        {
            let endpoint = implicit_endpoint(&order.platform_id, &order.merchant_id, url, event.created_at);
            let delivery = delivery(app, event, (&endpoint.id, &order.merchant_id), url, sign_key_id);
            promises.push(Promise { delivery, implicit: Some(endpoint) });
        }
        if let Some(merchant) = &merchant {
            let wallet = order.paid_wallet.as_deref().or(order.wallet.as_deref());
            let about = About { store_id: &order.store_id, wallet, mode: merchant.mode };
            promises.extend(to_registered(app, merchant, event, &about, sign_key_id));
        }
        for promise in promises {
            begun.begin(app, event, &mut promise.delivery);
        }
    }
    begun
}

/// Promise what is told of a store: only registered endpoints hear it.
pub fn of_store(app: &App, store_id: &str, told: &mut Told) -> Begun {
    let mut begun = Begun { is_told: true, ..Begun::default() };
    let Told { event, promises } = told;
    let Some(merchant) = app.directory.merchant_by_id(&event.merchant_id) else { return begun };
    let about = About { store_id, wallet: None, mode: merchant.mode };
    promises.extend(to_registered(app, &merchant, event, &about, &merchant.current_key().id));
    for promise in promises {
        begun.begin(app, event, &mut promise.delivery);
    }
    begun
}

/// Promise what is told of an endpoint to the others of its owner, and to its merchant's platform.
pub fn of_endpoint(app: &App, endpoint: &Endpoint, told: &mut Told) -> Begun {
    let mut begun = Begun::default();
    let Told { event, promises } = told;
    let about = About { store_id: "", wallet: None, mode: endpoint.mode };
    let merchant = app.directory.merchant_by_id(&event.merchant_id);
    let sign_key_id = merchant.as_ref().map_or("", |merchant| merchant.current_key().id.as_str());
    let platforms = app.directory.endpoints_of(&endpoint.platform_id);
    let own = endpoint.merchant_id.as_deref().map(|id| app.directory.endpoints_of(id)).unwrap_or_default();
    let others = own.into_iter().chain(platforms).filter(|other| other.id != endpoint.id);
    promises.extend(to_those(app, others, event, &about, sign_key_id));
    for promise in promises {
        begun.begin(app, event, &mut promise.delivery);
    }
    begun
}

fn to_registered(
    app: &App,
    merchant: &Merchant,
    event: &event::Model,
    about: &About<'_>,
    sign_key_id: &str,
) -> Vec<Promise> {
    let own = app.directory.endpoints_of(&merchant.id);
    let platforms = app.directory.endpoints_of(&merchant.platform_id);
    to_those(app, own.into_iter().chain(platforms), event, about, sign_key_id)
}

fn to_those(
    app: &App,
    endpoints: impl Iterator<Item = Arc<Endpoint>>,
    event: &event::Model,
    about: &About<'_>,
    sign_key_id: &str,
) -> Vec<Promise> {
    endpoints
        .filter(|endpoint| endpoint.is_promised_to && endpoint.hears(event, about))
        .map(|endpoint| {
            let to = (endpoint.id.as_str(), endpoint.owner_id());
            Promise { delivery: delivery(app, event, to, endpoint.url.as_str(), sign_key_id), implicit: None }
        })
        .collect()
}

/// `to`: the endpoint and its owner.
fn delivery(
    app: &App,
    event: &event::Model,
    (endpoint_id, owner_id): (&str, &str),
    url: &str,
    sign_key_id: &str,
) -> delivery::Model {
    delivery::Model {
        id: app.chance.id(),
        event_id: event.id.clone(),
        endpoint_id: endpoint_id.to_owned(),
        owner_id: owner_id.to_owned(),
        platform_id: event.platform_id.clone(),
        merchant_id: event.merchant_id.clone(),
        subject_id: event.subject_id.clone(),
        kind: event.kind.clone(),
        sequence: event.sequence,
        replay_id: None,
        bulk: false,
        url: url.to_owned(),
        state: delivery::State::Due,
        attempts: 0,
        outcome: None,
        due_at: event.created_at,
        lease: None,
        leased_until: None,
        sign_key_id: sign_key_id.to_owned(),
        created_at: event.created_at,
        ended_at: None,
    }
}

impl Begun {
    /// Take `delivery` under our lease, if it is the first about its subject, which nothing can be before, and can go
    /// out at once. All else is found when it is due.
    fn begin(&mut self, app: &App, event: &event::Model, delivery: &mut delivery::Model) {
        let place = if event.sequence == 1 { app.deliveries.place(app, delivery) } else { None };
        let Some(place) = place else {
            self.due.push((delivery.endpoint_id.clone(), delivery.owner_id.clone(), delivery.due_at));
            return;
        };
        delivery.lease = Some(app.deliveries.node().to_owned());
        // The ledger makes the time of it at which the lease ends.
        delivery.leased_until = Some(app.deliveries.lease_ms());
        self.fresh.push(Fresh {
            delivery: delivery.clone(),
            original: Original { at: event.created_at, content: event.content.clone() },
            leased_at: Instant::now(),
            place,
        });
    }
}

/// What merchant and scheme, host and port of the URL make the id of an implicit endpoint.
pub fn implicit_id(merchant_id: &str, url: &str) -> String {
    let digest = Sha256::digest(format!("{merchant_id} {}", origin_of(url)));
    BASE32_NOPAD.encode(&digest[..16])
}

fn origin_of(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}

/// The endpoint that a merchant's notifyUrls at one scheme, host and port share. Its id follows from them, so
/// that nothing has to be looked up to promise a delivery.
pub fn implicit_endpoint(platform_id: &str, merchant_id: &str, url: &str, at: i64) -> endpoint::Model {
    endpoint::Model {
        id: implicit_id(merchant_id, url),
        platform_id: platform_id.to_owned(),
        merchant_id: Some(merchant_id.to_owned()),
        kind: endpoint::Kind::Implicit,
        origin: origin_of(url),
        mode: None,
        url: None,
        description: None,
        format: endpoint::Format::ScanForPay,
        event_kinds: None,
        store_ids: None,
        wallets: None,
        acknowledgement: "\"success\"".to_owned(),
        schedule: None,
        timeout_ms: None,
        rate: None,
        concurrency: None,
        headers: None,
        master_key_id: None,
        status: endpoint::Status::Active,
        status_reason: None,
        proven_at: None,
        failing_since: None,
        created_at: at,
        updated_at: at,
        version: 1,
        deleted_at: None,
        held: false,
        first_proven_at: None,
        heard_since: None,
        quiet_until: None,
    }
}
