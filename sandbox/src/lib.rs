//! A ScanForPay to develop and test against, written from `docs/PROTOCOL.md`, upstream's side: the operations,
//! the payment page with its QR code, notices with their retries, the browser callback, faults on demand, and a
//! list of every breach of the protocol in what it was sent. [`shop`] is the other end: a small shop that
//! receives notices and payers.
//!
//! A sandbox starts empty and forgets when it stops, unless it is given a file to keep its state in.

pub mod accounts;
mod app;
mod barcode;
mod chance;
pub mod control;
mod directory;
pub mod faults;
mod fields;
mod html;
pub mod kept;
pub mod notices;
mod operations;
pub mod orders;
mod page;
mod payer;
mod products;
mod request;
mod serve;
pub mod shop;
mod state;
pub mod style;
mod time_to_pay;
mod traffic;
pub mod violations;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::net::TcpListener;

pub use control::{Control, ControlError, Payer};
pub use directory::{Partner, Store};
pub use faults::{Fault, Gate, NoticeFault, Operation, Pace, PayerAct, Times};
pub use notices::{NoticeOutcome, Twist};
pub use orders::{Ending, Order, PaidWith, PaymentState, Refund, RefundState};
pub use products::Product;
pub use style::Style;
pub use traffic::{Counts, SeenRequest};
pub use violations::Violation;

use kept::Keeper;
use serve::Serving;
use state::State;

/// Where the sandbox takes the time from, so that tests can move it.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Waits between the attempts at one notice; after the last one it is given up.
pub const NOTICE_SCHEDULE: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(2),
];

/// What one sandbox plays. [`Settings::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What payers' browsers reach the sandbox by, such as `http://127.0.0.1:8081`; the base of every payUrl.
    pub public_url: String,
    pub partners: Vec<Partner>,
    /// Whether a payment is notified by itself; switched off, only `Control` sends notices.
    pub automatic_notices: bool,
    /// Waits between attempts; the first attempt is made at once.
    pub notice_schedule: Vec<Duration>,
    /// How long a receiver may take for its whole answer.
    pub notice_timeout: Duration,
    /// How long what a fault makes slow or late takes.
    pub pace: Pace,
    /// Where partners and orders are kept across a restart; [`kept`] says how.
    pub state_file: Option<PathBuf>,
}

impl Settings {
    pub fn new(public_url: impl Into<String>, partners: Vec<Partner>) -> Self {
        Self {
            public_url: public_url.into(),
            partners,
            automatic_notices: true,
            notice_schedule: NOTICE_SCHEDULE.to_vec(),
            notice_timeout: Duration::from_secs(5),
            pace: Pace::default(),
            state_file: None,
        }
    }
}

/// A running sandbox. Cheap to clone; it runs until one of the handles is told to stop it.
#[derive(Clone)]
pub struct Sandbox {
    state: Arc<State>,
    serving: Serving,
    keeper: Option<Arc<Keeper>>,
}

/// Start answering on `listener`. Must be called within a tokio runtime.
pub fn start(listener: TcpListener, settings: Settings, clock: Clock) -> anyhow::Result<Sandbox> {
    let serving = Serving::new(listener.local_addr()?);
    let kept = settings.state_file.as_deref().map(Keeper::open).transpose()?;
    let state = Arc::new(State::new(settings, clock, serving.tasks())?);
    let keeper = match kept {
        Some((keeper, orders)) => Some(keep(&state, keeper, orders)?),
        None => None,
    };
    serving.serve(listener, app::routes(&state));
    Ok(Sandbox { state, serving, keeper })
}

/// Go on from where the file's sandbox stopped.
fn keep(state: &Arc<State>, keeper: Keeper, orders: Vec<Order>) -> anyhow::Result<Arc<Keeper>> {
    state.orders.restore(orders);
    // A file that cannot be written is better told now than at the first order.
    keeper.write(state)?;
    for order in state.orders.all() {
        notices::resume(state, &order);
    }
    let keeper = Arc::new(keeper);
    state.tasks.spawn(kept::keep(Arc::clone(state), Arc::clone(&keeper)));
    Ok(keeper)
}

impl Sandbox {
    /// Everything the sandbox can be asked and told, in process.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.state))
    }

    /// The base URL of the operations, by the address listened on.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// Go away at once, as a server that dies does: calls and notices under way are cut off. Returns when the
    /// listener is closed, every task has ended, and what is kept is written.
    pub async fn stop(&self) {
        self.serving.stop().await;
        if let Some(keeper) = &self.keeper
            && let Err(error) = keeper.close(&self.state)
        {
            tracing::error!("{error:#}");
        }
    }
}
