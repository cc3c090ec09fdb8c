//! Orders that were placed before their merchant moved in, brought in as they stand: each with one submission under the
//! number that the upstream knows it by. What was paid is answered from our row, what was not is asked after, like any
//! other order. Nothing is told of what was paid before.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use sha2::{Digest, Sha256};
use shared::order::OrderStatus;
use shared::wallet::Wallet;

use super::journal::{self, Kind};
use crate::app::App;
use crate::callback::{self, Tokens};
use crate::chance;
use crate::directory::{Merchant, Store};
use crate::entity::submission::State;
use crate::entity::{order, submission};
use crate::error::Error;
use crate::ledger::{Lane, LedgerError, NewOrder, Placement};
use crate::product::{Product, QRCODE};

/// Orders of one import at most.
pub const MAX_ROWS: usize = 1000;
/// Orders written side by side.
pub const PART: usize = 50;

/// An order as its shop has it. Amounts are minor units, times Unix milliseconds.
#[derive(Debug, Clone)]
pub struct Earlier {
    pub number: String,
    pub product: &'static Product,
    pub store_no: String,
    pub amount: i64,
    pub currency: String,
    pub wallet: Option<Wallet>,
    pub upstream_order_no: Option<String>,
    pub is_paid: bool,
    /// RFC 3339.
    pub pay_time: Option<String>,
    pub refunded: i64,
    pub notify_url: Option<String>,
    pub created_at: i64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    New,
    /// The very same was brought before.
    There,
}

impl Earlier {
    /// SHA-256 over all of it. No create comes to the same: its own hash is over something else.
    fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.text()).to_vec()
    }

    fn text(&self) -> String {
        let mut said = json!({
            "imported": self.number, "storeNo": self.store_no, "amount": self.amount, "currency": self.currency,
            "wallet": self.wallet.map(Wallet::as_str), "upstreamOrderNo": self.upstream_order_no, "paid": self.is_paid,
            "payTime": self.pay_time, "refunded": self.refunded, "notifyUrl": self.notify_url,
            "createdAt": self.created_at,
        });
        // What was imported before rows could name one was of this product, and is still the same.
        if self.product.name != QRCODE.name {
            said["product"] = json!(self.product.name);
        }
        said.to_string()
    }

    /// Whether money will still come is the upstream's to say: until it has, that is not known.
    fn status(&self) -> OrderStatus {
        match self.refunded {
            _ if !self.is_paid => OrderStatus::Unknown,
            0 => OrderStatus::Paid,
            refunded if refunded == self.amount => OrderStatus::Refunded,
            _ => OrderStatus::PartiallyRefunded,
        }
    }

    /// What is wrong with it by itself.
    fn check(&self, app: &App) -> Result<(), Error> {
        if self.created_at < 0 || self.created_at > app.clock.now_ms() {
            return Err(Error::invalid("/createdAt", "is not in the past"));
        }
        if self.refunded > self.amount {
            return Err(Error::invalid("/refunded", "is more than the amount"));
        }
        if !self.is_paid && self.refunded > 0 {
            return Err(Error::invalid("/refunded", "is for paid orders only"));
        }
        if !self.is_paid && self.pay_time.is_some() {
            return Err(Error::invalid("/payTime", "is for paid orders only"));
        }
        if let Some(url) = &self.notify_url {
            app.policy.check_url(url).map_err(|why| Error::invalid("/notifyUrl", why.to_string()))?;
        }
        Ok(())
    }
}

/// Bring in one order of the merchant's.
pub async fn bring_in(app: &App, merchant: &Merchant, earlier: &Earlier) -> Result<Brought, Error> {
    earlier.check(app)?;
    let Some(store) = merchant.stores.get(&earlier.store_no) else {
        return Err(Error::invalid("/storeNo", "is none of this merchant's stores"));
    };
    if store.currency.as_str() != earlier.currency {
        return Err(Error::invalid("/currency", format!("is not the store's, which is {}", store.currency)));
    }
    let rows = rows(app, merchant, store, earlier);
    let hash = rows.order.content_hash.clone();
    let room = app.ledger.room_when_free(Lane::Bulk, &earlier.number).await?;
    match room.place(rows).await {
        Ok(Placement::New) => Ok(Brought::New),
        Ok(Placement::Taken(taken)) if taken.content_hash == hash => Ok(Brought::There),
        Ok(Placement::Taken(_)) => {
            Err(Error::conflict("number_taken", "/number", "The merchant has another order of this number."))
        }
        Err(LedgerError::Rejected(why)) => Err(rejected(app, store, earlier, why).await),
        Err(error) => Err(error.into()),
    }
}

/// Why a row was not taken. One order of the account's has the number: whoever's it is, the answer is the same.
async fn rejected(app: &App, store: &Store, earlier: &Earlier, why: String) -> Error {
    let imported = submission::Entity::find()
        .filter(submission::Column::AccountId.eq(store.account.id.as_str()))
        .filter(submission::Column::OwnNumber.eq(earlier.number.as_str()))
        .filter(submission::Column::ImportedAt.is_not_null())
        .one(&app.store.read)
        .await;
    match imported {
        Ok(Some(_)) => Error::conflict(
            "number_claimed",
            "/number",
            "This order of the store's account has been imported already.",
        ),
        Ok(None) => LedgerError::Rejected(why).into(),
        Err(error) => error.into(),
    }
}

fn rows(app: &App, merchant: &Merchant, store: &Store, earlier: &Earlier) -> NewOrder {
    let now = app.clock.now_ms();
    // Lists go by ids: it takes the place of its time.
    let order_id = chance::id_at(earlier.created_at);
    let submission = submission_of(app, store, earlier, &order_id, now);
    let wallet = submission.wallet.clone();
    let order = order::Model {
        id: order_id,
        platform_id: merchant.platform_id.clone(),
        merchant_id: merchant.id.clone(),
        store_id: store.id.clone(),
        number: earlier.number.clone(),
        product: submission.product.clone(),
        paid_wallet: wallet.clone().filter(|_| earlier.is_paid),
        wallet,
        currency: submission.currency.clone(),
        amount: earlier.amount,
        title: None,
        notify_url: earlier.notify_url.clone(),
        return_url: None,
        content_hash: earlier.hash(),
        status: earlier.status().as_str().to_owned(),
        late: false,
        paid: if earlier.is_paid { earlier.amount } else { 0 },
        refund_reserved: 0,
        refunded: earlier.refunded,
        submission_id: submission.id.clone(),
        submissions: 1,
        answer_due_at: submission.answer_due_at,
        pay_url: None,
        answer_extra: None,
        code: None,
        upstream_order_no: earlier.upstream_order_no.clone(),
        buyer: None,
        buyer_id: None,
        pay_time: earlier.pay_time.clone(),
        sign_key_id: merchant.current_key().id.clone(),
        events: 0,
        created_at: earlier.created_at,
        updated_at: now,
        expires_at: earlier.created_at + app.pay_window_ms(earlier.product),
        look_at: (!earlier.is_paid).then_some(now),
        looks: 0,
        reference: merchant.reference_of(&earlier.number),
        paid_twice: false,
        refunded_elsewhere: 0,
        notice_due_at: None,
        second_payments: 0,
    };
    let note = json!({"imported": true, "to": order.status, "store": store.store_no});
    let mut entry = journal::entry(app.chance.id(), &order.id, &submission.id, now, Kind::Imported, &note);
    entry.raw = Some(earlier.text().into_bytes());
    NewOrder { order, submission, journal: entry }
}

/// The call that the shop made itself, under the order's own number. Nobody was given its tokens.
fn submission_of(app: &App, store: &Store, earlier: &Earlier, order_id: &str, now: i64) -> submission::Model {
    let id = app.chance.id();
    let tokens = Tokens::new(&id);
    submission::Model {
        order_id: order_id.to_owned(),
        account_id: store.account.id.clone(),
        partner_no: store.account.partner_no.clone(),
        upstream_store_no: store.upstream_store_no.clone(),
        product: earlier.product.name.to_owned(),
        wallet: earlier.wallet.map(|wallet| wallet.as_str().to_owned()),
        currency: earlier.currency.clone(),
        amount: earlier.amount,
        notify_hash: callback::hash(&tokens.notify),
        return_hash: callback::hash(&tokens.r#return),
        account_key_id: store.account.current_key().id.clone(),
        state: if earlier.is_paid { State::Paid } else { State::Unknown },
        created_at: earlier.created_at,
        answer_due_at: earlier.created_at + 1,
        answered_at: Some(now),
        code: None,
        pay_url: None,
        upstream_order_no: earlier.upstream_order_no.clone(),
        missed_at: None,
        own_number: Some(earlier.number.clone()),
        imported_at: Some(now),
        second_paid: 0,
        second_reserved: 0,
        second_refunded: 0,
        second_elsewhere: 0,
        second_pay_time: None,
        id,
    }
}
