//! What the parts of one sandbox share, and the moves of an order that more than one of them makes.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use shared::envelope;
use shared::wallet::Wallet;
use time::OffsetDateTime;
use time::macros::offset;
use url::Url;

use crate::directory::Directory;
use crate::faults::{Faults, Pace};
use crate::notices::{self, Notifier};
use crate::orders::{MAX_ORDERS, Order, Orders, PaidWith, WrongState};
use crate::serve::Tasks;
use crate::style::Style;
use crate::traffic::Traffic;
use crate::violations::{Violation, Violations};
use crate::{Clock, Settings, chance};

pub(crate) struct State {
    /// In ScanForPay's own zone.
    clock: Clock,
    pub directory: Directory,
    pub orders: Orders,
    pub violations: Violations,
    pub faults: Faults,
    pub traffic: Traffic,
    pub notifier: Notifier,
    pub tasks: Tasks,
    pub pace: Pace,
    style: Mutex<Style>,
}

impl State {
    pub(crate) fn new(settings: Settings, clock: Clock, tasks: Tasks) -> anyhow::Result<Self> {
        let base = Url::parse(&settings.public_url)
            .with_context(|| format!("public_url `{}` is not a URL", settings.public_url))?;
        anyhow::ensure!(
            matches!(base.scheme(), "http" | "https") && base.query().is_none() && base.fragment().is_none(),
            "public_url `{base}` must be plain http or https"
        );
        // 200 characters is what a payUrl may have; `/pay/` and the token take 37 of them.
        anyhow::ensure!(
            settings.public_url.len() <= 160,
            "public_url `{base}` is longer than 160 characters"
        );
        let ours: Clock = Arc::new(move || clock().to_offset(offset!(+8)));
        Ok(Self {
            directory: Directory::new(settings.partners)?,
            orders: Orders::new(&settings.public_url, MAX_ORDERS, Arc::clone(&ours)),
            clock: ours,
            violations: Violations::default(),
            faults: Faults::default(),
            traffic: Traffic::new(),
            notifier: Notifier::new(
                settings.automatic_notices,
                settings.notice_schedule,
                settings.notice_timeout,
            )?,
            tasks,
            pace: settings.pace,
            style: Mutex::default(),
        })
    }

    /// The time, in ScanForPay's own zone.
    pub(crate) fn now(&self) -> OffsetDateTime {
        (self.clock)()
    }

    pub(crate) fn style(&self) -> Style {
        *self.style.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_style(&self, style: Style) {
        *self.style.lock().unwrap_or_else(PoisonError::into_inner) = style;
    }

    /// Header of an answer or a notice, with an id of its own.
    pub(crate) fn header(&self, partner_no: &str) -> String {
        envelope::response_header(partner_no, &chance::token(), self.now())
    }

    /// List a breach of the protocol; number and time are filled in.
    pub(crate) fn violation(&self, violation: Violation) {
        self.violations.add(Violation { at: envelope::rfc3339(self.now()), ..violation });
    }

    /// The payer pays. The notice, where one is wanted, is on its way when this returns.
    pub(crate) fn pay(self: &Arc<Self>, id: u64, paid_with: PaidWith) -> Result<Order, WrongState> {
        let order = self.pay_quietly(id, paid_with)?;
        if self.notifier.is_automatic() {
            notices::begin(self, &order);
        }
        Ok(order)
    }

    /// The same without a notice.
    pub(crate) fn pay_quietly(&self, id: u64, paid_with: PaidWith) -> Result<Order, WrongState> {
        let order = self.orders.pay(id, paid_with)?;
        tracing::info!(
            partner_no = order.content.partner_no,
            order = order.content.partner_order_no,
            amount = order.content.amount,
            currency = order.content.currency.as_str(),
            "paid"
        );
        self.traffic.count(|counts| counts.payments += 1);
        Ok(order)
    }
}

/// The payer nobody named: a masked account and an id of the wallet's usual look.
pub(crate) fn some_payer(wallet: Wallet) -> PaidWith {
    let buyer = match wallet {
        Wallet::Wechat => "o7*****Qx",
        Wallet::Alipay => "138****0001",
        Wallet::AlipayHK => "852-9***0001",
    };
    PaidWith { wallet, buyer: buyer.to_owned(), buyer_id: format!("2088{}", chance::digits(12)) }
}
