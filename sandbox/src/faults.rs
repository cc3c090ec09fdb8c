//! Faults on demand: what goes wrong with the next calls of an operation.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::orders::RefundState;

/// How many may wait; more are refused.
pub const MAX_WAITING: usize = 1_000;

/// Which calls a fault is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Create,
    Query,
    Refund,
}

/// What goes wrong. Where `took_effect` is said, it decides whether the call did its work all the same.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call takes effect; its answer is held until the gate is opened.
    DelayAnswer(Gate),
    /// The connection is closed after the request was read, without one byte of an answer.
    HangUp { took_effect: bool },
    /// This HTTP status with an HTML page, as a proxy in between would give.
    HttpStatus { status: u16, took_effect: bool },
    /// HTTP 200 and an answer cut off in the middle.
    Garbage { took_effect: bool },
    /// The call takes effect and is answered; the signature is made with another key.
    WrongSignature,
    /// A well-signed answer with this code.
    Code { code: i32, took_effect: bool },
    /// The call takes effect; in its well-signed answer these fields say something else, and those that are null
    /// are left out.
    Fields(Map<String, Value>),
    /// A new refund goes there instead of being made at once: in progress until the control ends it, or failed. For
    /// other operations nothing.
    Refund(RefundState),
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
            Self::DelayAnswer(_)
            | Self::WrongSignature
            | Self::Fields(_)
            | Self::Refund(_)
            | Self::PayBeforeAnswer => true,
        }
    }

    pub(crate) fn refund_goes_to(&self) -> RefundState {
        match self {
            Self::Refund(state) => *state,
            _ => RefundState::Refunded,
        }
    }
}

/// How many calls a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    Next(u32),
    UntilCleared,
}

/// Holds answers back until it is opened; then it stays open. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn passed(&self) {
        let mut open = self.0.subscribe();
        open.wait_for(|open| *open).await.expect("the sender is borrowed for as long as this waits");
    }
}

/// No more faults can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

#[derive(Default)]
pub(crate) struct Faults {
    waiting: Mutex<VecDeque<Waiting>>,
    gates: Mutex<Vec<Gate>>,
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
        if let Fault::DelayAnswer(gate) = &fault {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            // Gates that are open, and closed ones that nobody waits at or could open, are of no more use.
            gates.retain(|gate| !*gate.0.borrow() && Arc::strong_count(&gate.0) > 1);
            gates.push(gate.clone());
        }
        waiting.push_back(Waiting { operation, fault, times });
        Ok(())
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
