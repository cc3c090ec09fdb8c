//! Telling the partner of a payment: the notice, its attempts on a schedule, and notices that lie, for testing
//! the receiver. A notice is acknowledged by HTTP 200 and exactly the text `success`; anything else is listed
//! as a violation and tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::faults::{Fault, NoticeFault, Operation};
use crate::operations::order_body;
use crate::orders::Order;
use crate::state::State;
use crate::style::{self, Signer};
use crate::violations::Violation;

/// Notices being sent at a time, over all receivers.
const MAX_SENDING: usize = 256;
/// As much of a receiver's answer as is read.
const MAX_ANSWER: usize = 4 * 1024;

/// What is wrong with a notice that is sent on demand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Twist {
    /// One unit more than was paid.
    WrongAmount,
    WrongCurrency,
    /// Signed with another key than the partner's.
    WrongKey,
    /// Names this order instead (`partnerOrderNo`).
    OtherOrder(String),
    /// Claims to be for this partner; signed with the true one's key all the same.
    OtherPartnerNo(String),
    /// This `status`, whatever the order's is.
    Status(i64),
    /// This `code`.
    Code(i32),
}

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeOutcome {
    /// HTTP status and text the receiver answered with; `None` if no whole answer came.
    pub status: Option<u16>,
    pub answer: String,
    pub acknowledged: bool,
    /// Why no answer came.
    pub failure: Option<String>,
}

pub(crate) struct Notifier {
    automatic: AtomicBool,
    schedule: Vec<Duration>,
    timeout: Duration,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    sending: Semaphore,
}

impl Notifier {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox plays ScanForPay, which calls any address it is given; it has no tenants to guard from"
    )]
    pub(crate) fn new(automatic: bool, schedule: Vec<Duration>, timeout: Duration) -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self {
            automatic: AtomicBool::new(automatic),
            schedule,
            timeout,
            client,
            sending: Semaphore::new(MAX_SENDING),
        })
    }

    pub(crate) fn is_automatic(&self) -> bool {
        self.automatic.load(Ordering::Relaxed)
    }

    pub(crate) fn set_automatic(&self, automatic: bool) {
        self.automatic.store(automatic, Ordering::Relaxed);
    }
}

/// What one payment's receiver is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Plan {
    /// Before the first attempt.
    wait: Duration,
    /// In all attempts until one is acknowledged.
    twist: Option<Twist>,
    /// Once each, when the receiver has acknowledged or was given up.
    then: Vec<Option<Twist>>,
}

impl Plan {
    /// `None`: nothing is sent.
    fn of(state: &State, order: &Order, fault: Option<&Fault>) -> Option<Self> {
        let Some(Fault::Notice(fault)) = fault else {
            return Some(Self::default());
        };
        let twisted = |twist| Self { twist: Some(twist), ..Self::default() };
        Some(match fault {
            NoticeFault::Never => return None,
            NoticeFault::Late => Self { wait: state.pace.late, ..Self::default() },
            NoticeFault::Twice => Self { then: vec![None], ..Self::default() },
            NoticeFault::OutOfOrder => Self { then: vec![Some(Twist::Status(0))], ..Self::default() },
            NoticeFault::WrongAmount => twisted(Twist::WrongAmount),
            NoticeFault::WrongCurrency => twisted(Twist::WrongCurrency),
            NoticeFault::WrongKey => twisted(Twist::WrongKey),
            NoticeFault::OtherOrder => {
                let other = state.orders.other_than(order).map(|other| other.content.partner_order_no);
                twisted(Twist::OtherOrder(other.unwrap_or_else(|| "nobodys-order".to_owned())))
            }
        })
    }
}

/// Notify a payment until it is acknowledged or the schedule is used up, or as a fault wants it. Does not wait.
pub(crate) fn begin(state: &Arc<State>, order: &Order) {
    if order.content.notify_url.is_none() {
        return;
    }
    let fault = state.faults.strike(Operation::Notice, order.content.amount);
    let Some(plan) = Plan::of(state, order, fault.as_ref()) else { return };
    follow_in_background(state, order.id, plan, false);
}

/// Send the first notice and wait for what comes of it; the others follow by themselves if they are wanted.
pub(crate) async fn first(state: &Arc<State>, order: &Order) {
    let outcome = send(state, order, None).await;
    let is_open = outcome.is_some_and(|outcome| !outcome.acknowledged);
    if is_open && state.notifier.is_automatic() {
        follow_in_background(state, order.id, Plan::default(), true);
    }
}

/// Go on with what a sandbox that stopped had not finished.
pub(crate) fn resume(state: &Arc<State>, order: &Order) {
    if !(order.is_to_be_told() && state.notifier.is_automatic()) {
        return;
    }
    let fault = state.faults.coded(Operation::Notice, order.content.amount);
    if let Some(plan) = Plan::of(state, order, fault.as_ref()) {
        follow_in_background(state, order.id, plan, false);
    }
}

fn follow_in_background(state: &Arc<State>, id: u64, plan: Plan, was_tried: bool) {
    let sandbox = Arc::clone(state);
    state.tasks.spawn(async move {
        follow(&sandbox, id, &plan, was_tried).await;
        for twist in &plan.then {
            if let Some(order) = sandbox.orders.get(id) {
                Box::pin(send(&sandbox, &order, twist.as_ref())).await;
            }
        }
    });
}

async fn follow(state: &Arc<State>, id: u64, plan: &Plan, was_tried: bool) {
    let schedule = &state.notifier.schedule;
    let first = (!was_tried).then_some(plan.wait);
    for wait in first.into_iter().chain(schedule.iter().copied()) {
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        // Forgotten meanwhile to make room, or acknowledged when it was sent by hand.
        let Some(order) = state.orders.get(id).filter(|order| !order.acknowledged) else { return };
        // Most of these tasks sleep for most of their life, so the large part is boxed.
        let outcome = Box::pin(send(state, &order, plan.twist.as_ref())).await;
        if outcome.is_none_or(|outcome| outcome.acknowledged) {
            return;
        }
    }
    if let Some(order) = state.orders.get(id) {
        let order = order.content.partner_order_no;
        tracing::warn!(order, "notice given up");
    }
    state.traffic.count(|counts| counts.given_up += 1);
}

/// The signed document. `None` where the partner is no longer known.
pub(crate) fn document(state: &State, order: &Order, twist: Option<&Twist>) -> Option<String> {
    let partner = state.directory.partner(&order.content.partner_no)?;
    let mut signer = Signer::of(&partner);
    let mut body = Map::new();
    body.insert("code".to_owned(), json!(1));
    body.insert("msg".to_owned(), json!("success"));
    body.extend(order_body(order));
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    match twist {
        None => {}
        Some(Twist::WrongAmount) => drop(put("orderAmount", json!(order.content.amount + 1))),
        Some(Twist::WrongCurrency) => {
            let other = if order.content.currency.as_str() == "USD" { "EUR" } else { "USD" };
            put("currency", json!(other));
        }
        Some(Twist::WrongKey) => signer.sign_key.push('x'),
        Some(Twist::OtherOrder(number)) => drop(put("partnerOrderNo", json!(number))),
        Some(Twist::OtherPartnerNo(number)) => signer.partner_no.clone_from(number),
        Some(Twist::Status(status)) => drop(put("status", json!(status))),
        Some(Twist::Code(code)) => drop(put("code", json!(code))),
    }
    Some(style::seal(state.style(), &signer, &state.header(&signer.partner_no), body))
}

/// Make one attempt. `None` where there is nobody to notify.
pub(crate) async fn send(state: &State, order: &Order, twist: Option<&Twist>) -> Option<NoticeOutcome> {
    let url = order.content.notify_url.as_deref()?;
    let document = document(state, order, twist)?;
    let outcome = {
        let _place = state.notifier.sending.acquire().await.expect("the semaphore is never closed");
        match tokio::time::timeout(state.notifier.timeout, exchange(state, url, document)).await {
            Ok(Ok((status, answer))) => NoticeOutcome {
                acknowledged: status == 200 && answer == "success",
                status: Some(status),
                answer,
                failure: None,
            },
            Ok(Err(error)) => failed(format!("{error:#}")),
            Err(_) => failed(format!("no answer within {:?}", state.notifier.timeout)),
        }
    };
    state.orders.note(order.id, |order| {
        order.notices += 1;
        order.acknowledged |= outcome.acknowledged;
    });
    record(state, order, twist, &outcome);
    state.traffic.count(|counts| {
        counts.notices += 1;
        counts.acknowledged += u64::from(outcome.acknowledged);
    });
    Some(outcome)
}

fn failed(failure: String) -> NoticeOutcome {
    NoticeOutcome { status: None, answer: String::new(), acknowledged: false, failure: Some(failure) }
}

async fn exchange(state: &State, url: &str, document: String) -> anyhow::Result<(u16, String)> {
    let request = http::Request::post(url)
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::USER_AGENT, "scanforpay-sandbox")
        .body(Full::new(Bytes::from(document)))?;
    let (parts, body) = state.notifier.client.request(request).await?.into_parts();
    let answer = Limited::new(body, MAX_ANSWER)
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!("reading the answer: {error}"))?
        .to_bytes();
    Ok((parts.status.as_u16(), String::from_utf8_lossy(&answer).into_owned()))
}

fn record(state: &State, order: &Order, twist: Option<&Twist>, outcome: &NoticeOutcome) {
    let number = order.content.partner_order_no.as_str();
    let twist = twist.map(tracing::field::debug);
    tracing::info!(
        order = number,
        status = outcome.status,
        acknowledged = outcome.acknowledged,
        twist,
        "notice"
    );
    // Whoever is told a lie owes no `success`.
    if outcome.acknowledged || twist.is_some() {
        return;
    }
    let problem = match (&outcome.failure, outcome.status) {
        (Some(failure), _) => failure.clone(),
        (None, Some(status)) if status != 200 => format!("was answered with HTTP {status}, must be 200"),
        (None, _) => {
            let start: String = outcome.answer.chars().take(40).collect();
            format!("was answered with {start:?}, must be the text success and nothing else")
        }
    };
    state.violation(Violation {
        number: 0,
        at: String::new(),
        place: "notice".to_owned(),
        partner_no: order.content.partner_no.clone(),
        partner_order_no: number.to_owned(),
        about: "acknowledgement".to_owned(),
        problem,
        code: None,
    });
}
