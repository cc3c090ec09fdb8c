//! The wallets a payer can use, as spelled on the wire.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Wallet {
    Wechat,
    Alipay,
    AlipayHK,
}

impl Wallet {
    pub const ALL: [Self; 3] = [Self::Wechat, Self::Alipay, Self::AlipayHK];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wechat => "Wechat",
            Self::Alipay => "Alipay",
            Self::AlipayHK => "AlipayHK",
        }
    }

    /// The wallet of exactly this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wallet| wallet.as_str() == text)
    }
}
