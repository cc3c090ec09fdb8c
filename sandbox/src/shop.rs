//! A small shop at the other end: it receives notices, verified as a merchant should verify them, and payers
//! who come back. A receiver for tests, which can script its answers, and the demo's shop.

mod page;
mod till;

use std::net::SocketAddr;
use std::sync::Arc;

use poem::{Request, Response, Route, endpoint};
use tokio::net::TcpListener;

use crate::faults::Gate;
use crate::serve::{self, Serving};
use till::Till;
pub use till::{Payment, Received};

/// What the shop learns when it asks about an order, as its protocol tells it to after the browser callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Awaiting,
    Paid,
    Failed,
    Closed,
    Refunded,
}

/// Asks about an order by the shop's number; `None` where no answer could be had.
pub type Ask =
    Arc<dyn Fn(String) -> std::pin::Pin<Box<dyn Future<Output = Option<Asked>> + Send>> + Send + Sync>;

/// An order as a notice that verified tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub partner_order_no: String,
    pub amount: i64,
    pub currency: String,
}

/// What the shop's own books say about a notice that verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// It is of an order of the shop's, and of its amount.
    Agrees,
    Differs,
    /// The books cannot be read just now.
    Unknown,
}

/// Compares a notice with the shop's books.
pub type Compare = Arc<dyn Fn(Claim) -> std::pin::Pin<Box<dyn Future<Output = Belief> + Send>> + Send + Sync>;

/// Who the shop is.
#[derive(Clone, Default)]
pub struct ShopSettings {
    pub partner_no: String,
    pub sign_key: String,
    /// Print a line to standard output when an order is paid.
    pub print: bool,
    /// How the return page asks about an order that no notice has told of yet.
    pub ask: Option<Ask>,
    /// The shop's books. With them it takes no notice but of a payment that they agree with; without, every one that
    /// verifies.
    pub compare: Option<Compare>,
}

/// A running shop. Cheap to clone.
#[derive(Clone)]
pub struct Shop {
    till: Arc<Till>,
    serving: Serving,
}

/// Start the shop on `listener`. Must be called within a tokio runtime.
pub fn start(listener: TcpListener, settings: ShopSettings) -> anyhow::Result<Shop> {
    let serving = Serving::new(listener.local_addr()?);
    let (ask, compare) = (settings.ask, settings.compare);
    let till = Arc::new(Till::new(settings.partner_no, settings.sign_key, settings.print));
    let (for_notices, for_returns) = (Arc::clone(&till), Arc::clone(&till));
    let routes = Route::new()
        .at(
            "/notify",
            endpoint::make(move |request: Request| {
                let (till, compare) = (Arc::clone(&for_notices), compare.clone());
                async move { notify(&till, compare, request).await }
            }),
        )
        .at(
            "/return",
            endpoint::make(move |request: Request| {
                let (till, ask) = (Arc::clone(&for_returns), ask.clone());
                async move { page::returned(&till, ask, request).await }
            }),
        );
    serving.serve(listener, routes);
    Ok(Shop { till, serving })
}

async fn notify(till: &Till, compare: Option<Compare>, request: Request) -> Response {
    let (_, body) = request.into_parts();
    let Ok(raw) = serve::read_body(body).await else {
        return Response::builder().status(poem::http::StatusCode::BAD_REQUEST).finish();
    };
    let notice = till.read(&raw);
    let belief = match compare {
        Some(compare) if notice.verified => believed(&notice, compare).await,
        _ => Belief::Agrees,
    };
    let (answer, gate) = till.receive(notice, belief);
    if let Some(gate) = gate {
        gate.passed().await;
    }
    Response::builder()
        .status(poem::http::StatusCode::from_u16(answer.status).unwrap_or(poem::http::StatusCode::OK))
        .content_type("text/plain; charset=utf-8")
        .body(answer.body)
}

/// Only a payment is a notice that a shop waits for.
async fn believed(notice: &Received, compare: Compare) -> Belief {
    let Some(amount) = notice.amount.filter(|_| notice.code == Some(1) && notice.status == Some(1)) else {
        return Belief::Differs;
    };
    let claim = Claim {
        partner_order_no: notice.partner_order_no.clone(),
        amount,
        currency: notice.currency.clone(),
    };
    compare(claim).await
}

impl Shop {
    pub fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn notify_url(&self) -> String {
        format!("{}/notify", self.base_url())
    }

    pub fn return_url(&self) -> String {
        format!("{}/return", self.base_url())
    }

    /// Answer every notice that verifies like this from now on; at first it is 200 and `success`. One that does
    /// not verify, or that the shop's books differ from, is answered 200 and `fail`.
    pub fn answer(&self, status: u16, body: &str) {
        self.till.set_answer(status, body);
    }

    /// Answer the next notice like this, verified or not, behind the answers that wait already.
    pub fn answer_next(&self, status: u16, body: &str) {
        self.till.queue_answer(status, body);
    }

    /// Leave notices without an answer until the gate is opened. They are recorded when they arrive.
    pub fn hold(&self) -> Gate {
        self.till.hold()
    }

    /// Verify with this key from now on, as a shop does when its key was rotated.
    pub fn set_sign_key(&self, sign_key: &str) {
        self.till.set_sign_key(sign_key);
    }

    /// Wait until `count` notices in all have arrived, repeats and bad ones included, and give them in order.
    /// Without a deadline: the caller knows how long is too long.
    pub async fn received(&self, count: usize) -> Vec<Received> {
        self.till.until(|counts| counts.received >= count).await;
        self.till.received()
    }

    /// What has arrived so far.
    pub fn received_now(&self) -> Vec<Received> {
        self.till.received()
    }

    /// Wait until `count` different orders are known to be paid, and give them in the order they were first
    /// told of.
    pub async fn paid(&self, count: usize) -> Vec<Payment> {
        self.till.until(|counts| counts.paid >= count).await;
        self.till.paid()
    }

    /// Each order that a true notice has told to be paid, once.
    pub fn paid_now(&self) -> Vec<Payment> {
        self.till.paid()
    }

    /// Go away at once; requests under way are cut off.
    pub async fn stop(&self) {
        self.serving.stop().await;
    }
}
