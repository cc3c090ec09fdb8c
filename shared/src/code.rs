//! ScanForPay's response codes (`docs/PROTOCOL.md`, Response codes).

/// The `code` of an answer's body. Any number may come in; the constants are the documented ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub i32);

impl Code {
    pub const SUCCESS: Self = Self(1);
    pub const FAILURE: Self = Self(2);
    pub const NOT_AUTHORISED: Self = Self(3);
    pub const EMPTY: Self = Self(4);
    pub const INVALID: Self = Self(5);
    pub const NOT_JSON: Self = Self(6);
    pub const NO_NUMBER: Self = Self(7);
    pub const BAD_SIGNATURE: Self = Self(8);
    pub const TRY_LATER: Self = Self(9);
    pub const WALLET_SIGNATURE: Self = Self(20);
    pub const RESULT_UNKNOWN: Self = Self(21);
    pub const WALLET_FAILED: Self = Self(22);
    pub const NO_SUCH_ORDER: Self = Self(30);
    pub const CREATED_TWICE: Self = Self(31);
    pub const WRONG_STATE: Self = Self(32);
    pub const ORDER_CLOSED: Self = Self(33);
    pub const NOT_CANCELLABLE: Self = Self(34);
    pub const MORE_THAN_REFUNDABLE: Self = Self(35);
    pub const OPEN_IN_WALLET: Self = Self(40);
    pub const PAY_WITH_ALIPAY: Self = Self(41);
    pub const PAY_WITH_WECHAT: Self = Self(42);
    pub const NO_WALLET_ACCOUNT: Self = Self(43);
    pub const PAYMENT_TYPE_NOT_OPENED: Self = Self(44);

    /// The code's meaning in the upstream's own terms; for the contract's table and the sandbox's log.
    pub const TABLE: [(Self, &'static str); 23] = [
        (Self::SUCCESS, "success"),
        (Self::FAILURE, "failure"),
        (Self::NOT_AUTHORISED, "not authorised"),
        (Self::EMPTY, "parameter empty"),
        (Self::INVALID, "parameter invalid"),
        (Self::NOT_JSON, "not JSON"),
        (Self::NO_NUMBER, "neither order number given"),
        (Self::BAD_SIGNATURE, "bad signature"),
        (Self::TRY_LATER, "unknown system error, try later"),
        (Self::WALLET_SIGNATURE, "the wallet's signature did not verify"),
        (Self::RESULT_UNKNOWN, "result not in time, state unknown"),
        (Self::WALLET_FAILED, "wallet request failed, try again"),
        (Self::NO_SUCH_ORDER, "no such order"),
        (Self::CREATED_TWICE, "order created twice"),
        (Self::WRONG_STATE, "wrong order state"),
        (Self::ORDER_CLOSED, "order closed"),
        (Self::NOT_CANCELLABLE, "may not be cancelled"),
        (Self::MORE_THAN_REFUNDABLE, "more than is refundable"),
        (Self::OPEN_IN_WALLET, "open in Alipay or WeChat"),
        (Self::PAY_WITH_ALIPAY, "pay with Alipay"),
        (Self::PAY_WITH_WECHAT, "pay with WeChat"),
        (Self::NO_WALLET_ACCOUNT, "no account for this wallet"),
        (Self::PAYMENT_TYPE_NOT_OPENED, "payment type not opened"),
    ];

    /// The documented meaning, if the code is documented.
    pub fn meaning(self) -> Option<&'static str> {
        Self::TABLE.iter().find(|(code, _)| *code == self).map(|(_, meaning)| *meaning)
    }
}
