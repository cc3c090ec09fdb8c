//! Faults on demand: what goes wrong with the next calls of an operation, the next notices, the next payers. Ordered
//! through the control, or by an order's amount ([`catalogue`]).

pub mod catalogue;
mod gate;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::gate::Gate;
use crate::orders::RefundState;

/// How many may wait; more are refused.
pub const MAX_WAITING: usize = 1_000;

/// What a fault strikes: calls of an operation, notices, or the payers of orders that are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Create,
    Query,
    Refund,
    /// The notice of a payment.
    Notice,
    /// Who is to pay an order.
    Payer,
}

impl Operation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Query => "query",
            Self::Refund => "refund",
            Self::Notice => "notice",
            Self::Payer => "payer",
        }
    }
}

/// What goes wrong with the notice of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeFault {
    Late,
    Twice,
    /// Followed by one that says 'to be paid'.
    OutOfOrder,
    Never,
    WrongAmount,
    WrongCurrency,
    WrongKey,
    /// Names another order of the partner, the newest one.
    OtherOrder,
}

/// What the payer does as soon as the order is open, without anybody telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayerAct {
    Pays,
    Cancels,
    Fails,
    FailsThenPays,
    /// Nothing; and the time to pay is short.
    LetsItExpire,
    /// The order is closed, and then the money comes.
    PaysLate,
}

/// What goes wrong. Where `took_effect` is said, it decides whether the call did its work all the same.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call takes effect; its answer is held until the gate is opened. After ten minutes the connection is closed
    /// instead.
    DelayAnswer(Gate),
    /// The call takes effect; its answer takes a while ([`Pace::slow`]).
    Slow,
    /// The connection is closed after the request was read, without one byte of an answer.
    HangUp {
        took_effect: bool,
    },
    /// This HTTP status with an HTML page, as a proxy in between would give.
    HttpStatus {
        status: u16,
        took_effect: bool,
    },
    /// HTTP 200 and an answer cut off in the middle.
    Garbage {
        took_effect: bool,
    },
    /// The call takes effect and is answered; the signature is made with another key.
    WrongSignature,
    /// A well-signed answer with this code.
    Code {
        code: i32,
        took_effect: bool,
    },
    /// The call takes effect; in its well-signed answer these fields say something else, and those that are null
    /// are left out.
    Fields(Map<String, Value>),
    /// A new refund goes there instead of being made at once: in progress until the control ends it, or failed.
    Refund(RefundState),
    /// A new refund is in progress, and ends so by itself ([`Pace::refund`]).
    RefundEnds(RefundState),
    Notice(NoticeFault),
    Payer(PayerAct),
    /// The payer is faster than the answer: the order is paid and one notice is sent, and has been answered or
    /// failed, before the answer to create leaves. For a query as `DelayAnswer` with an open gate: nothing.
    PayBeforeAnswer,
}

impl Fault {
    pub(crate) fn took_effect(&self) -> bool {
        match self {
            Self::HangUp { took_effect }
            | Self::HttpStatus { took_effect, .. }
            | Self::Garbage { took_effect }
            | Self::Code { took_effect, .. } => *took_effect,
            _ => true,
        }
    }

    /// Whether it can strike there.
    pub(crate) fn fits(&self, operation: Operation) -> bool {
        match self {
            Self::Notice(_) => operation == Operation::Notice,
            Self::Payer(_) => operation == Operation::Payer,
            Self::Refund(_) | Self::RefundEnds(_) => operation == Operation::Refund,
            _ => !matches!(operation, Operation::Notice | Operation::Payer),
        }
    }
}

/// How long what is 'slow', 'late' or 'later' takes. Refunds and times to pay go by the sandbox's clock.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// A slow answer.
    pub slow: Duration,
    /// A late notice, after the payment.
    pub late: Duration,
    /// Until a payer who failed or came late pays, and until a short time to pay is over.
    pub moment: Duration,
    /// A refund in progress.
    pub refund: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            slow: Duration::from_secs(5),
            late: Duration::from_mins(1),
            moment: Duration::from_secs(5),
            refund: Duration::from_secs(30),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let effect = |took_effect: bool| if took_effect { "took effect" } else { "no effect" };
        match self {
            Self::DelayAnswer(_) => f.write_str("answer held"),
            Self::Slow => f.write_str("slow answer"),
            Self::HangUp { took_effect } => write!(f, "hang up, {}", effect(*took_effect)),
            Self::HttpStatus { status, took_effect } => write!(f, "HTTP {status}, {}", effect(*took_effect)),
            Self::Garbage { took_effect } => write!(f, "garbage, {}", effect(*took_effect)),
            Self::WrongSignature => f.write_str("wrong signature"),
            Self::Code { code, took_effect } => write!(f, "code {code}, {}", effect(*took_effect)),
            Self::Fields(fields) => {
                let names: Vec<_> = fields.keys().map(String::as_str).collect();
                write!(f, "other fields: {}", names.join(", "))
            }
            Self::Refund(state) => write!(f, "refund is {}", state.as_str()),
            Self::RefundEnds(state) => write!(f, "refund in progress, then {}", state.as_str()),
            Self::Notice(fault) => write!(f, "notice {fault:?}"),
            Self::Payer(act) => write!(f, "payer {act:?}"),
            Self::PayBeforeAnswer => f.write_str("paid before the answer"),
        }
    }
}

/// How many calls a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    Next(u32),
    UntilCleared,
}

/// No more faults can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

#[derive(Default)]
pub(crate) struct Faults {
    waiting: Mutex<VecDeque<Waiting>>,
    gates: Mutex<Vec<Gate>>,
}

/// A fault that waits, for showing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingFault {
    pub operation: Operation,
    pub fault: String,
    /// `None`: until cleared.
    pub times: Option<u32>,
}

struct Waiting {
    operation: Operation,
    fault: Fault,
    times: Times,
}

impl Faults {
    pub(crate) fn add(&self, operation: Operation, fault: Fault, times: Times) -> Result<(), TooMany> {
        if times == Times::Next(0) {
            return Ok(());
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_WAITING {
            return Err(TooMany);
        }
        self.know_gate(&fault);
        waiting.push_back(Waiting { operation, fault, times });
        Ok(())
    }

    /// So that `release` opens it.
    fn know_gate(&self, fault: &Fault) {
        let Fault::DelayAnswer(gate) = fault else { return };
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|gate| !gate.is_of_no_more_use());
        gates.push(gate.clone());
    }

    /// The fault that strikes an order of this amount: the oldest that waits, or the one the amount asks for.
    pub(crate) fn strike(&self, operation: Operation, amount: i64) -> Option<Fault> {
        self.take(operation).or_else(|| self.coded(operation, amount))
    }

    /// The one the amount asks for.
    pub(crate) fn coded(&self, operation: Operation, amount: i64) -> Option<Fault> {
        let fault = catalogue::of_amount(amount, operation)?;
        self.know_gate(&fault);
        Some(fault)
    }

    /// What waits, oldest first: what it strikes, what it is, how often still.
    pub(crate) fn waiting(&self) -> Vec<WaitingFault> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = waiting.iter().map(|entry| WaitingFault {
            operation: entry.operation,
            fault: entry.fault.to_string(),
            times: match entry.times {
                Times::Next(left) => Some(left),
                Times::UntilCleared => None,
            },
        });
        shown.collect()
    }

    /// The fault for a call that has just come in: the oldest that is waiting for this operation.
    pub(crate) fn take(&self, operation: Operation) -> Option<Fault> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|waiting| waiting.operation == operation)?;
        let entry = &mut waiting[at];
        match &mut entry.times {
            Times::UntilCleared => Some(entry.fault.clone()),
            Times::Next(left) if *left > 1 => {
                *left -= 1;
                Some(entry.fault.clone())
            }
            Times::Next(_) => waiting.remove(at).map(|entry| entry.fault),
        }
    }

    /// Forget the faults that wait; answers that are held stay held.
    pub(crate) fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Open every gate.
    pub(crate) fn release(&self) {
        for gate in self.gates.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            gate.open();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_for_their_operation_and_as_often_as_said() {
        let faults = Faults::default();
        faults.add(Operation::Create, Fault::WrongSignature, Times::Next(2)).expect("room");
        faults
            .add(Operation::Query, Fault::Garbage { took_effect: true }, Times::UntilCleared)
            .expect("room");
        faults.add(Operation::Create, Fault::PayBeforeAnswer, Times::Next(1)).expect("room");
        assert!(matches!(faults.take(Operation::Create), Some(Fault::WrongSignature)));
        assert!(matches!(faults.take(Operation::Query), Some(Fault::Garbage { .. })));
        assert!(matches!(faults.take(Operation::Create), Some(Fault::WrongSignature)));
        assert!(matches!(faults.take(Operation::Create), Some(Fault::PayBeforeAnswer)));
        assert!(faults.take(Operation::Create).is_none());
        assert!(matches!(faults.take(Operation::Query), Some(Fault::Garbage { .. })));
        faults.clear();
        assert!(faults.take(Operation::Query).is_none());
    }

    #[test]
    fn only_so_many_can_wait() {
        let faults = Faults::default();
        for _ in 0..MAX_WAITING {
            faults.add(Operation::Query, Fault::WrongSignature, Times::Next(1)).expect("room");
        }
        assert_eq!(faults.add(Operation::Query, Fault::WrongSignature, Times::Next(1)), Err(TooMany));
    }
}
