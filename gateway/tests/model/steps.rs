//! What can happen, in any order: the alphabet of the model test.

use std::time::Duration;

use proptest::prelude::{Just, Strategy, any};
use proptest::{option, prop_oneof};
use sandbox::{Fault, RefundState, Twist};

/// Order numbers that each merchant uses; both use the same ones.
const NUMBERS: usize = 3;
/// Refund numbers that are used for each order.
const REFUNDS: usize = 3;

/// An order, as its merchant knows it: which of the two merchants, and which of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    pub merchant: usize,
    pub number: usize,
}

impl Who {
    /// The merchant's order number.
    pub fn name(self) -> String {
        format!("p{}", self.number)
    }

    /// The order's title, by which it is known again upstream.
    pub fn title(self) -> String {
        format!("{}/{}", self.merchant, self.number)
    }

    pub fn of(order: &sandbox::Order) -> Self {
        let title = order.content.title.as_deref().expect("every order has one");
        let (merchant, number) = title.split_once('/').expect("as it was written");
        let read = |text: &str| text.parse().expect("as it was written");
        Self { merchant: read(merchant), number: read(number) }
    }
}

/// `nth` picks among what there is then, by the remainder.
#[derive(Debug, Clone)]
pub enum Step {
    /// A create, for the first time or again, perhaps with other content than before; perhaps its answer is hurt.
    Place {
        who: Who,
        dearer: bool,
        fault: Option<CreateFault>,
    },
    /// A create whose answer the upstream holds back.
    Hold {
        who: Who,
    },
    /// The client of the oldest held create goes away.
    HangUp,
    /// The oldest held answer is let go; perhaps the same create comes again just then, after so many turns of the
    /// other tasks.
    Release {
        again_after: Option<u32>,
    },
    Pay {
        nth: usize,
    },
    /// The payment fails upstream; it may be paid later all the same.
    Fail {
        nth: usize,
    },
    Close {
        nth: usize,
    },
    /// A true notice of an order as it stands.
    Notify {
        nth: usize,
    },
    /// One true notice, the same bytes twice at once.
    NotifyTwice {
        nth: usize,
    },
    /// A true notice is written and stays on its way.
    KeepNotice {
        nth: usize,
    },
    /// One of those arrives.
    LateNotice {
        nth: usize,
    },
    /// A notice that does not agree with what was asked, or is not genuine.
    Mismatch {
        nth: usize,
        how: Mismatch,
    },
    Query {
        who: Who,
        fault: Option<QueryFault>,
    },
    /// A refund, for the first time or again under the same number, perhaps of another amount, or of the second payment
    /// where the order was paid twice; perhaps its answer is hurt.
    Refund {
        who: Who,
        nth: usize,
        part: Part,
        second: bool,
        fault: Option<RefundFault>,
    },
    /// A refund that goes on upstream ends.
    EndRefund {
        nth: usize,
        well: bool,
    },
    /// The merchant gets a new sign key; the one before is good for a while.
    RotateMerchantKey {
        merchant: usize,
    },
    /// Its system has the new key from now on.
    ChangeKey {
        merchant: usize,
    },
    /// The account's key is another one, here and upstream.
    RotateAccountKey,
    Advance(Duration),
    /// All that is due is sent; this is how the shops answer.
    Deliver(ShopAnswer),
    /// Orders are looked after: answers that never came, doubts, and what was not paid in time.
    Sweep,
    Restart,
    /// The gateway vanishes in the middle of something and is started again.
    Crash(During),
}

#[derive(Debug, Clone, Copy)]
pub enum CreateFault {
    HangUp {
        took_effect: bool,
    },
    BadGateway {
        took_effect: bool,
    },
    Garbage {
        took_effect: bool,
    },
    WrongSignature,
    Code {
        code: i32,
        took_effect: bool,
    },
    /// The payer is faster than the answer, and so is the notice.
    PayBeforeAnswer,
}

#[derive(Debug, Clone, Copy)]
pub enum QueryFault {
    HangUp,
    BadGateway,
    Garbage,
    WrongSignature,
    Code(i32),
}

/// How much of an order is refunded.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Whole,
    Half,
    One,
}

#[derive(Debug, Clone, Copy)]
pub enum RefundFault {
    HangUp { took_effect: bool },
    Garbage,
    WrongSignature,
    Code { code: i32, took_effect: bool },
    GoesOn,
    Fails,
}

#[derive(Debug, Clone, Copy)]
pub enum Mismatch {
    Amount,
    Currency,
    OtherOrder,
    OtherPartner,
    Code,
    WrongKey,
}

#[derive(Debug, Clone, Copy)]
pub enum ShopAnswer {
    Success,
    Failure,
    NotSuccess,
}

#[derive(Debug, Clone, Copy)]
pub enum During {
    Nothing,
    /// `after` so many turns of the other tasks.
    Create {
        who: Who,
        after: u32,
    },
    Notice {
        nth: usize,
        after: u32,
    },
    Refund {
        who: Who,
        after: u32,
    },
    /// When the shop has been told and not yet been heard.
    Delivery,
}

impl From<CreateFault> for Fault {
    fn from(fault: CreateFault) -> Self {
        match fault {
            CreateFault::HangUp { took_effect } => Self::HangUp { took_effect },
            CreateFault::BadGateway { took_effect } => Self::HttpStatus { status: 502, took_effect },
            CreateFault::Garbage { took_effect } => Self::Garbage { took_effect },
            CreateFault::WrongSignature => Self::WrongSignature,
            CreateFault::Code { code, took_effect } => Self::Code { code, took_effect },
            CreateFault::PayBeforeAnswer => Self::PayBeforeAnswer,
        }
    }
}

impl From<QueryFault> for Fault {
    fn from(fault: QueryFault) -> Self {
        match fault {
            QueryFault::HangUp => Self::HangUp { took_effect: true },
            QueryFault::BadGateway => Self::HttpStatus { status: 502, took_effect: true },
            QueryFault::Garbage => Self::Garbage { took_effect: true },
            QueryFault::WrongSignature => Self::WrongSignature,
            QueryFault::Code(code) => Self::Code { code, took_effect: true },
        }
    }
}

impl Part {
    /// Of an order of this amount.
    pub fn of(self, amount: i64) -> i64 {
        match self {
            Self::Whole => amount,
            Self::Half => amount / 2,
            Self::One => 1,
        }
    }
}

impl From<RefundFault> for Fault {
    fn from(fault: RefundFault) -> Self {
        match fault {
            RefundFault::HangUp { took_effect } => Self::HangUp { took_effect },
            RefundFault::Garbage => Self::Garbage { took_effect: true },
            RefundFault::WrongSignature => Self::WrongSignature,
            RefundFault::Code { code, took_effect } => Self::Code { code, took_effect },
            RefundFault::GoesOn => Self::Refund(RefundState::InProgress),
            RefundFault::Fails => Self::Refund(RefundState::Failed),
        }
    }
}

impl Mismatch {
    /// `other` is another order's number upstream.
    pub fn twist(self, other: String) -> Twist {
        match self {
            Self::Amount => Twist::WrongAmount,
            Self::Currency => Twist::WrongCurrency,
            Self::OtherOrder => Twist::OtherOrder(other),
            Self::OtherPartner => Twist::OtherPartnerNo("90009".to_owned()),
            Self::Code => Twist::Code(2),
            Self::WrongKey => Twist::WrongKey,
        }
    }
}

fn who() -> impl Strategy<Value = Who> {
    (0..2_usize, 0..NUMBERS).prop_map(|(merchant, number)| Who { merchant, number })
}

/// Every order there can be.
pub fn everybody() -> impl Iterator<Item = Who> {
    (0..2).flat_map(|merchant| (0..NUMBERS).map(move |number| Who { merchant, number }))
}

fn create_fault() -> impl Strategy<Value = CreateFault> {
    let code = prop_oneof![Just(2), Just(9), Just(21), Just(31), Just(33)];
    let refusal = prop_oneof![Just(5), Just(44)];
    prop_oneof![
        1 => any::<bool>().prop_map(|took_effect| CreateFault::HangUp { took_effect }),
        1 => any::<bool>().prop_map(|took_effect| CreateFault::BadGateway { took_effect }),
        1 => any::<bool>().prop_map(|took_effect| CreateFault::Garbage { took_effect }),
        1 => Just(CreateFault::WrongSignature),
        1 => (code, any::<bool>()).prop_map(|(code, took_effect)| CreateFault::Code { code, took_effect }),
        2 => (refusal, any::<bool>()).prop_map(|(code, took_effect)| CreateFault::Code { code, took_effect }),
        2 => Just(CreateFault::PayBeforeAnswer),
    ]
}

fn query_fault() -> impl Strategy<Value = QueryFault> {
    prop_oneof![
        Just(QueryFault::HangUp),
        Just(QueryFault::BadGateway),
        Just(QueryFault::Garbage),
        Just(QueryFault::WrongSignature),
        prop_oneof![Just(9), Just(30)].prop_map(QueryFault::Code),
    ]
}

fn refund_fault() -> impl Strategy<Value = RefundFault> {
    prop_oneof![
        any::<bool>().prop_map(|took_effect| RefundFault::HangUp { took_effect }),
        Just(RefundFault::Garbage),
        Just(RefundFault::WrongSignature),
        (prop_oneof![Just(9), Just(21)], any::<bool>())
            .prop_map(|(code, took_effect)| RefundFault::Code { code, took_effect }),
        // A refusal that is none would be a lie about money, against which nothing helps but a statement.
        prop_oneof![Just(5), Just(35)].prop_map(|code| RefundFault::Code { code, took_effect: false }),
        Just(RefundFault::GoesOn),
        Just(RefundFault::Fails),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![2 => Just(Part::Whole), 2 => Just(Part::Half), 1 => Just(Part::One)]
}

fn mismatch() -> impl Strategy<Value = Mismatch> {
    prop_oneof![
        Just(Mismatch::Amount),
        Just(Mismatch::Currency),
        Just(Mismatch::OtherOrder),
        Just(Mismatch::OtherPartner),
        Just(Mismatch::Code),
        Just(Mismatch::WrongKey),
    ]
}

fn during(nth: impl Strategy<Value = usize>) -> impl Strategy<Value = During> {
    prop_oneof![
        1 => Just(During::Nothing),
        2 => (who(), 0..40_u32).prop_map(|(who, after)| During::Create { who, after }),
        2 => (nth, 0..40_u32).prop_map(|(nth, after)| During::Notice { nth, after }),
        2 => (who(), 0..40_u32).prop_map(|(who, after)| During::Refund { who, after }),
        1 => Just(During::Delivery),
    ]
}

pub fn step() -> impl Strategy<Value = Step> {
    let nth = || 0..100_usize;
    let fault = option::weighted(0.5, create_fault());
    let seconds = prop_oneof![Just(1_u64), Just(16), Just(30), Just(150), Just(3_600), Just(90_000)];
    let answer = prop_oneof![3 => Just(ShopAnswer::Success), 1 => Just(ShopAnswer::Failure), 1 => Just(ShopAnswer::NotSuccess)];
    prop_oneof![
        10 => (who(), proptest::bool::weighted(0.25), fault).prop_map(|(who, dearer, fault)| Step::Place { who, dearer, fault }),
        3 => who().prop_map(|who| Step::Hold { who }),
        1 => Just(Step::HangUp),
        2 => option::of(0..40_u32).prop_map(|again_after| Step::Release { again_after }),
        4 => nth().prop_map(|nth| Step::Pay { nth }),
        1 => nth().prop_map(|nth| Step::Fail { nth }),
        1 => nth().prop_map(|nth| Step::Close { nth }),
        5 => nth().prop_map(|nth| Step::Notify { nth }),
        2 => nth().prop_map(|nth| Step::NotifyTwice { nth }),
        1 => nth().prop_map(|nth| Step::KeepNotice { nth }),
        1 => nth().prop_map(|nth| Step::LateNotice { nth }),
        2 => (nth(), mismatch()).prop_map(|(nth, how)| Step::Mismatch { nth, how }),
        4 => (who(), option::weighted(0.3, query_fault())).prop_map(|(who, fault)| Step::Query { who, fault }),
        6 => (who(), 0..REFUNDS, part(), any::<bool>(), option::weighted(0.5, refund_fault()))
            .prop_map(|(who, nth, part, second, fault)| Step::Refund { who, nth, part, second, fault }),
        2 => (nth(), any::<bool>()).prop_map(|(nth, well)| Step::EndRefund { nth, well }),
        1 => (0..2_usize).prop_map(|merchant| Step::RotateMerchantKey { merchant }),
        1 => (0..2_usize).prop_map(|merchant| Step::ChangeKey { merchant }),
        1 => Just(Step::RotateAccountKey),
        3 => seconds.prop_map(|seconds| Step::Advance(Duration::from_secs(seconds))),
        4 => answer.prop_map(Step::Deliver),
        3 => Just(Step::Sweep),
        1 => Just(Step::Restart),
        2 => during(nth()).prop_map(Step::Crash),
    ]
}
