//! The drills: what each sends, and what it is worth. What a shop has to refuse comes first, as one that holds the
//! order for paid may take anything about it for a repeat.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use shared::envelope::{self, Side, rfc3339};
use tokio::time::Instant;

use super::judge::Answer;
use super::subject::Subject;
use crate::app::App;
use crate::chance;
use crate::deliveries::form::scanforpay::notice_body;
use crate::directory::{Merchant, SignKey};
use crate::orders::tell;
use crate::outgoing::{Limits, Overlong, Pieces};

/// Says to the shop which drill it is sent.
const HEADER: HeaderName = HeaderName::from_static("scangate-drill");

/// How long the answer to a drill is waited for, the true notice's excepted.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for one that is to be refused.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);
/// A body that is sent slowly: pieces, and the pause between two.
const PIECES: (usize, Duration) = (5, Duration::from_millis(200));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drill {
    Unsigned,
    WrongSignature,
    WrongAmount,
    Unpaid,
    UnknownOrder,
    GetProbe,
    Paid,
    Duplicate,
    AtOnce,
    Slow,
    OutOfOrder,
}

impl Drill {
    /// In the order in which they are sent.
    pub const ALL: [Self; 11] = [
        Self::Unsigned,
        Self::WrongSignature,
        Self::WrongAmount,
        Self::Unpaid,
        Self::UnknownOrder,
        Self::GetProbe,
        Self::Paid,
        Self::Duplicate,
        Self::AtOnce,
        Self::Slow,
        Self::OutOfOrder,
    ];

    /// For programs; stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::WrongSignature => "wrong_signature",
            Self::WrongAmount => "wrong_amount",
            Self::Unpaid => "unpaid",
            Self::UnknownOrder => "unknown_order",
            Self::GetProbe => "get_probe",
            Self::Paid => "paid",
            Self::Duplicate => "duplicate",
            Self::AtOnce => "at_once",
            Self::Slow => "slow",
            Self::OutOfOrder => "out_of_order",
        }
    }

    /// Points of the 100.
    pub fn worth(self) -> u32 {
        match self {
            Self::Paid | Self::Duplicate | Self::WrongSignature => 15,
            Self::AtOnce | Self::WrongAmount | Self::Unpaid => 10,
            Self::Unsigned | Self::UnknownOrder | Self::GetProbe | Self::Slow | Self::OutOfOrder => 5,
        }
    }

    /// What was sent, in words.
    pub fn sent(self) -> &'static str {
        match self {
            Self::Unsigned => "the notice of the payment without a signature",
            Self::WrongSignature => "the notice of the payment, signed with a key that is not yours",
            Self::WrongAmount => "a notice with your signature that names another amount than the order's",
            Self::Unpaid => "a notice with your signature that says the order is still to be paid (status 0)",
            Self::UnknownOrder => {
                "a notice with your signature of the payment of an order that you never placed"
            }
            Self::GetProbe => "a GET request without a body, as a curious visitor sends it",
            Self::Paid => "the notice of the payment as it is sent when an order is paid",
            Self::Duplicate => "the same notice again, signed anew",
            Self::AtOnce => "the same notice twice at the same time",
            Self::Slow => "the same notice over a slow line, in five pieces within a second",
            Self::OutOfOrder => {
                "a notice with your signature that the payment failed (status 2), behind that of the payment, and \
                 then that of the payment again"
            }
        }
    }

    /// Whether the shop has to answer `success`; the other drills it has to answer with anything else.
    pub fn is_acknowledged(self) -> bool {
        matches!(self, Self::Paid | Self::Duplicate | Self::AtOnce | Self::Slow | Self::OutOfOrder)
    }
}

/// Sends drills about one order to one endpoint.
pub(super) struct Sender<'a> {
    app: &'a App,
    merchant: &'a Merchant,
    subject: &'a Subject,
    key: &'a SignKey,
    /// The true notice's, which is told again and again under it.
    event_id: String,
    paid: tell::Content,
    ends_at: Instant,
}

impl<'a> Sender<'a> {
    pub fn new(app: &'a App, merchant: &'a Merchant, subject: &'a Subject, ends_at: Instant) -> Self {
        let now = app.clock.now();
        let mut paid = tell::content(&subject.order, "drill");
        paid.pay_time.get_or_insert_with(|| rfc3339(now));
        // Who paid is nobody's business at an address that somebody just typed.
        (paid.buyer, paid.buyer_id) = (None, None);
        let last_used = merchant.last_used_key().filter(|key| key.is_valid(app.clock.now_ms()));
        let key = last_used.unwrap_or_else(|| merchant.current_key());
        Self { app, merchant, subject, key, event_id: app.chance.id(), paid, ends_at }
    }

    /// The answers, in the order of what was sent; fewer than that where the time was used up.
    pub async fn send(&self, drill: Drill) -> Vec<Answer> {
        let true_notice = || self.sealed(&self.event_id, &notice_body(&self.paid, 1), &self.key.text);
        let patience = match drill {
            Drill::Paid => self.app.config.deliveries.timeout,
            _ if drill.is_acknowledged() => PATIENCE,
            _ => SHORT_PATIENCE,
        };
        let post = async |document: String| self.post(drill, document, patience).await;
        let answers = match drill {
            Drill::Unsigned => vec![post(unsigned(&true_notice())).await],
            Drill::WrongSignature => {
                let body = notice_body(&self.paid, 1);
                vec![post(self.sealed(&self.event_id, &body, &chance::sign_key())).await]
            }
            Drill::WrongAmount => vec![post(self.other(&self.wrong_amount(), 1)).await],
            Drill::Unpaid => vec![post(self.other(&self.not_paid(), 0)).await],
            Drill::UnknownOrder => vec![post(self.other(&self.unknown_order(), 1)).await],
            Drill::GetProbe => vec![self.get(drill, patience).await],
            Drill::Paid | Drill::Duplicate => vec![post(true_notice()).await],
            Drill::AtOnce => {
                let (first, second) = tokio::join!(post(true_notice()), post(true_notice()));
                vec![first, second]
            }
            Drill::Slow => vec![self.post_slowly(drill, true_notice(), patience).await],
            Drill::OutOfOrder => {
                let failed = post(self.other(&self.not_paid(), 2)).await;
                vec![failed, post(true_notice()).await]
            }
        };
        answers.into_iter().flatten().collect()
    }

    /// A notice of its own, with the shop's signature.
    fn other(&self, content: &tell::Content, status: i64) -> String {
        self.sealed(&self.app.chance.id(), &notice_body(content, status), &self.key.text)
    }

    fn sealed(&self, event_id: &str, body: &str, key: &str) -> String {
        let header = envelope::response_header(&self.merchant.partner_no, event_id, self.app.clock.now());
        envelope::seal(Side::Response, &header, body, key)
    }

    /// As little as can be: whoever takes it gives away nearly all of it.
    fn wrong_amount(&self) -> tell::Content {
        let amount = if self.paid.amount == 1 { 2 } else { 1 };
        tell::Content { amount, ..self.paid.clone() }
    }

    fn not_paid(&self) -> tell::Content {
        tell::Content { pay_time: None, ..self.paid.clone() }
    }

    fn unknown_order(&self) -> tell::Content {
        let number = format!("drill{}", self.app.chance.id());
        tell::Content { number, upstream_order_no: None, ..self.paid.clone() }
    }

    fn headers(drill: Drill) -> [(HeaderName, HeaderValue); 2] {
        [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HEADER, HeaderValue::from_static(drill.code())),
        ]
    }

    async fn post(&self, drill: Drill, document: String, patience: Duration) -> Option<Answer> {
        let limits = self.limits(patience)?;
        let (url, headers) = (&self.subject.url, Self::headers(drill));
        let started = Instant::now();
        let outcome = self.app.outgoing.post(url, &headers, Bytes::from(document), limits).await;
        Some(Answer::of(outcome, started.elapsed()))
    }

    async fn post_slowly(&self, drill: Drill, document: String, patience: Duration) -> Option<Answer> {
        let limits = self.limits(patience)?;
        let (count, pause) = PIECES;
        let body = Pieces::of(&Bytes::from(document), count, pause);
        let (url, headers) = (&self.subject.url, Self::headers(drill));
        let started = Instant::now();
        let outcome = self.app.outgoing.post_slowly(url, &headers, body, limits).await;
        Some(Answer::of(outcome, started.elapsed()))
    }

    async fn get(&self, drill: Drill, patience: Duration) -> Option<Answer> {
        let limits = self.limits(patience)?;
        let headers = [(HEADER, HeaderValue::from_static(drill.code()))];
        let started = Instant::now();
        let outcome = self.app.outgoing.get(&self.subject.url, &headers, limits).await;
        Some(Answer::of(outcome, started.elapsed()))
    }

    /// `None`: the time is used up.
    fn limits(&self, patience: Duration) -> Option<Limits> {
        let left = self.ends_at.saturating_duration_since(Instant::now());
        let timeout = patience.min(left);
        let max_body = self.app.config.deliveries.max_body;
        (!timeout.is_zero()).then_some(Limits { timeout, max_body, overlong: Overlong::Cut })
    }
}

/// The document without its signature.
fn unsigned(document: &str) -> String {
    let (said, _) =
        document.rsplit_once(",\"signature\"").expect("a sealed document ends with its signature");
    format!("{said}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drills_are_worth_100_together_and_have_names_of_their_own() {
        assert_eq!(Drill::ALL.into_iter().map(Drill::worth).sum::<u32>(), 100);
        let mut codes = Drill::ALL.map(Drill::code).to_vec();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Drill::ALL.len());
    }

    #[test]
    fn an_unsigned_document_is_the_rest_of_it() {
        let sealed = envelope::seal(Side::Response, r#"{"version":"1.0"}"#, r#"{"code":1}"#, "key");
        assert_eq!(unsigned(&sealed), r#"{"response":{"header":{"version":"1.0"},"body":{"code":1}}}"#);
    }
}
