//! What a shop's answers to the drills say about it: passed, failed or unclear, the fault, and what to do about it.
//!
//! Only the answer can be seen. What the shop did besides cannot: where that decides, the finding is unclear and says
//! what to look at.

use std::time::Duration;

use super::drill::Drill;
use super::subject::Subject;
use crate::directory::endpoints::Acknowledgement;
use crate::outgoing::{Reply, SendError};

/// Characters of an answer that are shown.
const EXCERPT: usize = 200;

/// One answer, or why there is none.
#[derive(Debug)]
pub struct Answer {
    pub came: Came,
    pub took: Duration,
}

#[derive(Debug)]
pub enum Came {
    Reply { status: u16, acknowledged: bool, excerpt: String },
    Nothing(SendError),
}

impl Answer {
    pub(super) fn of(outcome: Result<Reply, SendError>, took: Duration) -> Self {
        let came = match outcome {
            Ok(reply) => Came::Reply {
                status: reply.status,
                acknowledged: Acknowledgement::Success.is_given_by(&reply),
                excerpt: String::from_utf8_lossy(&reply.body).chars().take(EXCERPT).collect(),
            },
            Err(error) => Came::Nothing(error),
        };
        Self { came, took }
    }

    fn is_acknowledged(&self) -> bool {
        matches!(self.came, Came::Reply { acknowledged: true, .. })
    }

    /// Nobody was reached at all.
    pub(super) fn is_unreachable(&self) -> bool {
        let Came::Nothing(error) = &self.came else { return false };
        !error.sent()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    /// The answer does not tell.
    Unclear,
}

/// What came of one drill.
#[derive(Debug)]
pub struct Finding {
    pub drill: Drill,
    pub verdict: Verdict,
    pub answers: Vec<Answer>,
    /// Of what did not pass: what is wrong, and what to do about it.
    pub fault: Option<String>,
    pub remedy: Option<&'static str>,
}

impl Finding {
    pub fn points(&self) -> u32 {
        if self.verdict == Verdict::Passed { self.drill.worth() } else { 0 }
    }
}

/// A verdict with its fault and remedy.
struct Judgement {
    verdict: Verdict,
    fault: Option<String>,
    remedy: Option<&'static str>,
}

impl Judgement {
    fn passed() -> Self {
        Self { verdict: Verdict::Passed, fault: None, remedy: None }
    }

    fn failed(fault: impl Into<String>, remedy: &'static str) -> Self {
        Self { verdict: Verdict::Failed, fault: Some(fault.into()), remedy: Some(remedy) }
    }

    fn unclear(fault: impl Into<String>, remedy: &'static str) -> Self {
        Self { verdict: Verdict::Unclear, fault: Some(fault.into()), remedy: Some(remedy) }
    }
}

/// A finding for each drill. A shop that does not take the true notice refuses nothing by its own judgement.
pub(super) fn judged(runs: Vec<(Drill, Vec<Answer>)>, subject: &Subject) -> Vec<Finding> {
    let takes_notices = runs.iter().any(|(drill, answers)| {
        *drill == Drill::Paid && answers.first().is_some_and(Answer::is_acknowledged)
    });
    let holds_for_paid = subject.order.paid > 0;
    let finding = |(drill, answers): (Drill, Vec<Answer>)| {
        let Judgement { verdict, fault, remedy } = judge(drill, &answers, takes_notices, holds_for_paid);
        Finding { drill, verdict, answers, fault, remedy }
    };
    runs.into_iter().map(finding).collect()
}

fn judge(drill: Drill, answers: &[Answer], takes_notices: bool, holds_for_paid: bool) -> Judgement {
    let Some(last) = answers.last() else {
        return Judgement::unclear(
            "it was not sent: nobody was reached, or the time for all drills was used up",
            "Mend what the other drills found first.",
        );
    };
    if drill.is_acknowledged() {
        return to_be_taken(drill, answers);
    }
    let refusal = to_be_refused(drill, last, holds_for_paid);
    if refusal.verdict == Verdict::Passed && !takes_notices {
        return Judgement::unclear(
            "it was refused, and so was the true notice: that says nothing",
            "Mend the drill `paid` first.",
        );
    }
    refusal
}

fn to_be_taken(drill: Drill, answers: &[Answer]) -> Judgement {
    // The failed notice of that drill may be answered with anything; what counts is that of the payment behind it.
    let must = if drill == Drill::OutOfOrder { &answers[answers.len() - 1..] } else { answers };
    if drill == Drill::OutOfOrder && answers.len() < 2 {
        return Judgement::unclear(
            "the time for all drills was used up before the second notice",
            "Answer sooner.",
        );
    }
    if drill == Drill::OutOfOrder
        && let Came::Reply { status: status @ 500.., .. } = answers[0].came
    {
        return Judgement::failed(
            format!(
                "the notice that came too late was answered with HTTP {status}, as if the shop had crashed"
            ),
            "A notice that an order which is paid has failed is old news: leave the order as it is.",
        );
    }
    match must.iter().find(|answer| !answer.is_acknowledged()) {
        None if drill == Drill::AtOnce && must.len() < 2 => {
            Judgement::unclear("the time for all drills was used up", "Answer sooner.")
        }
        None => Judgement::passed(),
        Some(answer) => {
            let (fault, usual) = not_taken(answer);
            Judgement::failed(fault, remedy_of(drill, answer).unwrap_or(usual))
        }
    }
}

/// Why an answer is no acknowledgement, and what to do about that whatever was sent.
fn not_taken(answer: &Answer) -> (String, &'static str) {
    let (status, excerpt) = match &answer.came {
        Came::Reply { status, excerpt, .. } => (*status, excerpt),
        Came::Nothing(error) => return (unanswered(error, answer.took), no_answer(error)),
    };
    let says_success = excerpt.to_lowercase().contains("success");
    match status {
        200 if says_success => (
            "the answer says more than `success`".to_owned(),
            "Answer with the seven letters as plain text: no quotes, no JSON, no page, no invisible mark before them.",
        ),
        200 => (
            "the notice is answered, and not with `success`".to_owned(),
            "See why your shop does not take it: the signature is that of the bytes as they came, the order that of \
             `partnerOrderNo`, its amount `orderAmount`. A shop that also asks the gateway before it believes a notice \
             is right to refuse one of an order that is not paid: check it with a paid one.",
        ),
        201..=299 if says_success => (
            format!("`success` comes with HTTP {status}"),
            "Answer with HTTP 200; nothing else is an acknowledgement.",
        ),
        201..=299 => (format!("the answer is HTTP {status}"), "Answer with HTTP 200 and the text `success`."),
        300..=399 => (
            format!("the answer is a redirect (HTTP {status}), and redirects are not followed"),
            "Give the final address as notifyUrl: https, the right host, the slash at its end.",
        ),
        401 | 403 | 419 => (
            format!("the shop lets nobody in (HTTP {status})"),
            "Let this path through without a login and without a CSRF token; the signature says who sends. If that is \
             what is refused, `scangate client diagnose` knows the usual mistakes.",
        ),
        404 | 410 => (
            format!("there is nothing at this address, or the order is not found (HTTP {status})"),
            "See that the notifyUrl's path is that of your shop, and that the shop stores an order before it places it.",
        ),
        405 => ("the address takes no POST (HTTP 405)".to_owned(), "Let the route take POST."),
        500.. => (
            format!("the shop failed (HTTP {status})"),
            "Look into your shop's log: something went wrong while it took the notice.",
        ),
        _ => (
            format!("the notice is refused (HTTP {status})"),
            "See why your shop does not take it: content type `application/json`, the signature over the bytes as they \
             came, the order and its amount.",
        ),
    }
}

fn unanswered(error: &SendError, took: Duration) -> String {
    match error {
        SendError::TimedOut { sent: true } => format!("no complete answer within {} ms", took.as_millis()),
        other => other.to_string(),
    }
}

fn no_answer(error: &SendError) -> &'static str {
    match error {
        SendError::Url | SendError::Refused(_) => "Give an address that the gateway may call: a public one.",
        SendError::Resolve { .. } => {
            "See that the host name is spelled right and known to public name servers."
        }
        SendError::Connect { .. } | SendError::TimedOut { sent: false } => {
            "See that the shop is running and that its firewall lets the gateway's address through."
        }
        SendError::Tls { .. } => {
            "See that the certificate is valid for this host name, and that the chain with its intermediates is sent."
        }
        SendError::TimedOut { sent: true } => {
            "Store the payment, answer, and leave everything slow (mails, stock, receipts) to a job of its own."
        }
        SendError::Broken { .. } | SendError::BodyTooLong { .. } => {
            "Answer with HTTP 200 and `success` before the connection is closed; see your shop's log for a crash."
        }
    }
}

/// What to do about it where the drill says more than the answer.
fn remedy_of(drill: Drill, answer: &Answer) -> Option<&'static str> {
    if answer.is_unreachable() {
        return None;
    }
    match drill {
        Drill::Duplicate => Some(
            "Everything may come twice: when the order is marked paid already, answer `success` and change nothing.",
        ),
        Drill::AtOnce => Some(
            "Let the database decide who marks the order: `UPDATE … SET paid WHERE id = … AND NOT paid`. Whoever \
             changed no row answers `success` all the same.",
        ),
        Drill::Slow => Some(
            "Read the body to its end, as long as Content-Length says; a first read may give only a part.",
        ),
        Drill::OutOfOrder => {
            Some("An order that is paid stays paid, whatever comes later; take the repeat as one.")
        }
        _ => None,
    }
}

fn to_be_refused(drill: Drill, answer: &Answer, holds_for_paid: bool) -> Judgement {
    match &answer.came {
        Came::Nothing(error) if answer.is_unreachable() => {
            Judgement::unclear(unanswered(error, answer.took), no_answer(error))
        }
        Came::Nothing(error) => Judgement::unclear(
            format!("it is not acknowledged, and not answered either: {}", unanswered(error, answer.took)),
            "Answer what you refuse too, with a status of the 400s.",
        ),
        Came::Reply { acknowledged: true, .. } => taken(drill, holds_for_paid),
        Came::Reply { status: status @ 500.., .. } => Judgement::unclear(
            format!("it is not acknowledged, but HTTP {status} looks like a crash"),
            "Answer what you refuse with a status of the 400s, and keep 500 for what went wrong.",
        ),
        Came::Reply { .. } => Judgement::passed(),
    }
}

/// The shop answered `success` to what it has to refuse.
fn taken(drill: Drill, holds_for_paid: bool) -> Judgement {
    match drill {
        Drill::Unsigned => Judgement::failed(
            "a notice without a signature is acknowledged: anybody can mark orders paid",
            "Refuse a document that has no `signature`, before anything in it is read.",
        ),
        Drill::WrongSignature => Judgement::failed(
            "a notice that is signed with another key is acknowledged: anybody can mark orders paid",
            "Compute the signature of the bytes as they came with your own key, and compare it before anything else.",
        ),
        Drill::WrongAmount if holds_for_paid => Judgement::unclear(
            "another amount is acknowledged; as the order is paid already, it may have been taken for a repeat",
            "Run the self-check with an order that is not paid yet.",
        ),
        Drill::WrongAmount => Judgement::failed(
            "another amount than the order's is acknowledged",
            "Compare `orderAmount` and `currency` with what you asked for, before the order is marked paid.",
        ),
        Drill::Unpaid => Judgement::unclear(
            "it is acknowledged; whether the order was marked paid by it cannot be seen from outside",
            "Look into your shop: only `code` 1 with `status` 1 is a payment. Refuse any other status, as the gateway \
             never sends one, and this drill passes.",
        ),
        Drill::UnknownOrder => Judgement::unclear(
            "the payment of an order that the shop cannot know is acknowledged, and so it is never told again",
            "Refuse an order that is not found: a notice that was quicker than your own database comes again.",
        ),
        Drill::GetProbe => Judgement::failed(
            "a GET without a body is answered with `success`: the answer does not depend on what is sent",
            "Take POST alone, and answer `success` only when a payment is stored.",
        ),
        Drill::Paid | Drill::Duplicate | Drill::AtOnce | Drill::Slow | Drill::OutOfOrder => {
            Judgement::passed()
        }
    }
}
