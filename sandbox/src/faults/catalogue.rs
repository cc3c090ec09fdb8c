//! The faults by name and by amount: one table, from which the names that the control and the command line take, the
//! amounts that an order can ask for a fault with, the sandbox's own page and the guide's chapter are drawn. An amount
//! works like a test card number: it is no likely price, and says what is to go wrong with this order only.

use std::fmt::Write;

use serde_json::{Map, Value};
use shared::code::Code;

use super::{Fault, Gate, NoticeFault, Operation, PayerAct};
use crate::orders::RefundState;

pub(crate) struct Row {
    pub name: &'static str,
    /// The order's amount that asks for it.
    pub amount: i64,
    pub operation: Operation,
    pub says: &'static str,
    fault: fn() -> Fault,
}

const fn row(
    amount: i64,
    name: &'static str,
    operation: Operation,
    says: &'static str,
    fault: fn() -> Fault,
) -> Row {
    Row { name, amount, operation, says, fault }
}

use Operation::{Create, Notice, Payer, Query, Refund};

pub(crate) static ROWS: [Row; 37] = [
    row(4_040_101, "create-slow", Create, "opened; the answer takes 5 s", || Fault::Slow),
    row(4_040_102, "create-no-answer", Create, "opened; no answer ever comes", silence),
    row(4_040_103, "create-hang-up", Create, "opened; the connection is closed without an answer", lost),
    row(
        4_040_104,
        "create-never-arrived",
        Create,
        "not opened; the connection is closed without an answer",
        || Fault::HangUp { took_effect: false },
    ),
    row(4_040_105, "create-http-500", Create, "not opened; HTTP 500 with a page of HTML", http_500),
    row(4_040_106, "create-http-500-opened", Create, "opened; HTTP 500 with a page of HTML", || {
        Fault::HttpStatus { status: 500, took_effect: true }
    }),
    row(4_040_107, "create-garbage", Create, "opened; the answer is cut off in the middle", garbage),
    row(4_040_108, "create-bad-signature", Create, "opened; the answer is signed with another key", || {
        Fault::WrongSignature
    }),
    row(4_040_109, "create-paid-first", Create, "opened, paid and notified before the answer leaves", || {
        Fault::PayBeforeAnswer
    }),
    row(4_040_110, "create-without-code", Create, "opened; the answer has no payUrl and no qrCode", || {
        Fault::Fields(Map::from_iter(["payUrl", "qrCode"].map(|key| (key.to_owned(), Value::Null))))
    }),
    row(4_040_201, "query-no-answer", Query, "no answer ever comes", silence),
    row(4_040_202, "query-http-500", Query, "HTTP 500 with a page of HTML", http_500),
    row(4_040_203, "query-garbage", Query, "the answer is cut off in the middle", garbage),
    row(4_040_204, "query-bad-signature", Query, "the answer is signed with another key", || {
        Fault::WrongSignature
    }),
    row(4_040_205, "query-wrong-amount", Query, "the answer names an amount of 1", || {
        Fault::Fields(Map::from_iter([("orderAmount".to_owned(), Value::from(1))]))
    }),
    row(4_040_301, "refund-in-progress", Refund, "status 0, and done 30 s later", || {
        Fault::RefundEnds(RefundState::Refunded)
    }),
    row(4_040_302, "refund-in-progress-fails", Refund, "status 0, and failed 30 s later", || {
        Fault::RefundEnds(RefundState::Failed)
    }),
    row(4_040_303, "refund-fails", Refund, "status 2 at once", || Fault::Refund(RefundState::Failed)),
    row(4_040_304, "refund-answer-lost", Refund, "made; the connection is closed without an answer", lost),
    row(4_040_305, "refund-no-answer", Refund, "made; no answer ever comes", silence),
    row(4_040_306, "refund-http-500", Refund, "not made; HTTP 500 with a page of HTML", http_500),
    row(4_040_307, "refund-garbage", Refund, "made; the answer is cut off in the middle", garbage),
    row(4_040_308, "refund-bad-signature", Refund, "made; the answer is signed with another key", || {
        Fault::WrongSignature
    }),
    row(4_040_401, "notice-late", Notice, "comes a minute after the payment", || {
        Fault::Notice(NoticeFault::Late)
    }),
    row(4_040_402, "notice-twice", Notice, "comes again after it was acknowledged", || {
        Fault::Notice(NoticeFault::Twice)
    }),
    row(4_040_403, "notice-out-of-order", Notice, "is followed by an older one, of status 0", || {
        Fault::Notice(NoticeFault::OutOfOrder)
    }),
    row(4_040_404, "notice-never", Notice, "never comes", || Fault::Notice(NoticeFault::Never)),
    row(4_040_405, "notice-wrong-amount", Notice, "names one unit more than was paid", || {
        Fault::Notice(NoticeFault::WrongAmount)
    }),
    row(4_040_406, "notice-wrong-currency", Notice, "names another currency", || {
        Fault::Notice(NoticeFault::WrongCurrency)
    }),
    row(4_040_407, "notice-wrong-key", Notice, "is signed with another key", || {
        Fault::Notice(NoticeFault::WrongKey)
    }),
    row(4_040_408, "notice-other-order", Notice, "names another order of the partner", || {
        Fault::Notice(NoticeFault::OtherOrder)
    }),
    row(4_040_501, "payer-pays", Payer, "pays by himself, as soon as the order is open", || {
        Fault::Payer(PayerAct::Pays)
    }),
    row(4_040_502, "payer-cancels", Payer, "cancels as soon as the order is open", || {
        Fault::Payer(PayerAct::Cancels)
    }),
    row(4_040_503, "payer-fails", Payer, "fails to pay as soon as the order is open", || {
        Fault::Payer(PayerAct::Fails)
    }),
    row(4_040_504, "payer-fails-then-pays", Payer, "fails, and pays 5 s later", || {
        Fault::Payer(PayerAct::FailsThenPays)
    }),
    row(
        4_040_505,
        "payer-lets-it-expire",
        Payer,
        "does nothing, and has 5 s to pay instead of the usual time",
        || Fault::Payer(PayerAct::LetsItExpire),
    ),
    row(4_040_506, "payer-pays-late", Payer, "lets it be closed, and pays 5 s later", || {
        Fault::Payer(PayerAct::PaysLate)
    }),
];

fn silence() -> Fault {
    Fault::DelayAnswer(Gate::new())
}

fn lost() -> Fault {
    Fault::HangUp { took_effect: true }
}

fn http_500() -> Fault {
    Fault::HttpStatus { status: 500, took_effect: false }
}

fn garbage() -> Fault {
    Fault::Garbage { took_effect: true }
}

/// Answers of any documented code: the amount's last two digits are the code.
pub(crate) struct CodeRow {
    /// What stands before the code in the name, and behind it.
    name: (&'static str, &'static str),
    first_amount: i64,
    operation: Operation,
    says: &'static str,
    took_effect: bool,
}

pub(crate) static CODE_ROWS: [CodeRow; 5] = [
    CodeRow {
        name: ("create-code-", ""),
        first_amount: 4_040_600,
        operation: Create,
        says: "not opened; answered with this code",
        took_effect: false,
    },
    CodeRow {
        name: ("create-code-", "-opened"),
        first_amount: 4_040_700,
        operation: Create,
        says: "opened; answered with this code",
        took_effect: true,
    },
    CodeRow {
        name: ("query-code-", ""),
        first_amount: 4_040_800,
        operation: Query,
        says: "answered with this code",
        took_effect: true,
    },
    CodeRow {
        name: ("refund-code-", ""),
        first_amount: 4_040_900,
        operation: Refund,
        says: "not made; answered with this code",
        took_effect: false,
    },
    CodeRow {
        name: ("refund-code-", "-made"),
        first_amount: 4_041_000,
        operation: Refund,
        says: "made; answered with this code",
        took_effect: true,
    },
];

impl CodeRow {
    fn fault(&self, code: i64) -> Option<Fault> {
        let code = i32::try_from(code).ok()?;
        let is_refusal = Code(code) != Code::SUCCESS && Code(code).meaning().is_some();
        is_refusal.then_some(Fault::Code { code, took_effect: self.took_effect })
    }

    fn name(&self) -> String {
        format!("{}NN{}", self.name.0, self.name.1)
    }

    /// With `NN` for the code.
    fn amount(&self) -> String {
        format!("{}NN", self.first_amount / 100)
    }
}

/// The fault of this name, and what it strikes.
pub(crate) fn named(name: &str) -> Option<(Operation, Fault)> {
    if let Some(row) = ROWS.iter().find(|row| row.name == name) {
        return Some((row.operation, (row.fault)()));
    }
    CODE_ROWS.iter().find_map(|row| {
        let code = name.strip_prefix(row.name.0)?.strip_suffix(row.name.1)?;
        Some((row.operation, row.fault(code.parse().ok()?)?))
    })
}

pub fn is_known(name: &str) -> bool {
    named(name).is_some()
}

/// The fault that an order of this amount asks for, where it strikes this operation.
pub(crate) fn of_amount(amount: i64, operation: Operation) -> Option<Fault> {
    if let Some(row) = ROWS.iter().find(|row| row.amount == amount) {
        return (row.operation == operation).then(|| (row.fault)());
    }
    let row =
        CODE_ROWS.iter().find(|row| row.operation == operation && row.first_amount == amount / 100 * 100)?;
    row.fault(amount % 100)
}

/// Name, amount, what it strikes and what happens then, as people read them.
pub(crate) fn lines() -> impl Iterator<Item = [String; 4]> {
    let rows = ROWS.iter().map(|row| {
        let operation = row.operation.as_str().to_owned();
        [row.name.to_owned(), row.amount.to_string(), operation, row.says.to_owned()]
    });
    rows.chain(CODE_ROWS.iter().map(|row| {
        let operation = row.operation.as_str().to_owned();
        [row.name(), row.amount(), operation, row.says.to_owned()]
    }))
}

/// The table as the guide has it.
pub fn markdown() -> String {
    let mut table = "| amount | name | strikes | what happens |\n| --- | --- | --- | --- |\n".to_owned();
    for [name, amount, operation, says] in lines() {
        let _ = writeln!(table, "| `{amount}` | `{name}` | {operation} | {says} |");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_amounts_lead_to_one_fault_each() {
        for (at, row) in ROWS.iter().enumerate() {
            let (operation, fault) = named(row.name).expect("has a name");
            assert_eq!(operation, row.operation, "{}", row.name);
            assert!(fault.fits(operation), "{} is where it can strike", row.name);
            for other in [Create, Query, Refund, Notice, Payer] {
                assert_eq!(of_amount(row.amount, other).is_some(), other == row.operation, "{}", row.name);
            }
            let others = &ROWS[..at];
            assert!(others.iter().all(|other| other.name != row.name && other.amount != row.amount));
        }
        assert_eq!(lines().count(), ROWS.len() + CODE_ROWS.len());
    }

    #[test]
    fn every_documented_refusal_can_be_asked_for() {
        for (Code(code), _) in Code::TABLE {
            let struck = |first: i64, operation| of_amount(first + i64::from(code), operation);
            let is_refusal = code != 1;
            assert_eq!(struck(4_040_600, Create).is_some(), is_refusal, "{code}");
            assert_eq!(struck(4_041_000, Refund).is_some(), is_refusal, "{code}");
            assert_eq!(named(&format!("query-code-{code}")).is_some(), is_refusal, "{code}");
            assert_eq!(named(&format!("create-code-{code}-opened")).is_some(), is_refusal, "{code}");
        }
        assert!(of_amount(4_040_610, Create).is_none() && named("create-code-10").is_none());
        assert!(of_amount(4_040_621, Query).is_none() && of_amount(2_100, Create).is_none());
        assert!(named("create-code-").is_none() && named("").is_none());
    }
}
