//! `/v1/merchants/{merchantId}/imports`: orders that were placed before the merchant moved in, from JSON or CSV, with a
//! result per row.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::{Value, json};

use super::rows::{self, Rows};
use crate::api::merchant::place::ProductName;
use crate::api::rest::{Found, Group, Once, Problem, Timestamp};
use crate::api::scanforpay::Wallet;
use crate::app::App;
use crate::directory::Merchant;
use crate::directory::access::{Caller, Scope};
use crate::directory::audit::{self, States, Subject};
use crate::directory::change::{Committed, Plan};
use crate::directory::merchants;
use crate::error::Error;
use crate::orders::import::{self, Brought, Earlier, MAX_ROWS, PART};
use crate::product::QRCODE;

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "EarlierStatus", rename_all = "lowercase")]
pub enum Status {
    Unpaid,
    Paid,
}

/// An order that was placed before. Amounts are integers in the currency's smallest unit.
#[derive(Object)]
#[oai(rename = "EarlierOrder", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Row {
    /// The number under which ScanForPay knows it, and the merchant asks after it.
    #[oai(validator(min_length = 1, max_length = 32, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub number: String,
    /// The way to pay; absent: `qrcode`.
    pub product: Option<ProductName>,
    /// The merchant's store.
    #[oai(validator(min_length = 1, max_length = 15, pattern = r"^[\x21-\x7e]*$"))]
    pub store_no: String,
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740991")))]
    pub amount: i64,
    /// ISO 4217; the store's.
    #[oai(validator(min_length = 3, max_length = 3))]
    pub currency: String,
    pub wallet: Option<Wallet>,
    /// ScanForPay's order number.
    #[oai(validator(min_length = 1, max_length = 32, pattern = r"^[\x21-\x7e]*$"))]
    pub upstream_order_no: Option<String>,
    /// Nobody is told of what was `paid` before. An `unpaid` order is asked after, and told of once it is paid.
    pub status: Status,
    /// When it was paid, as ScanForPay said it: RFC 3339.
    #[oai(validator(min_length = 1, max_length = 40))]
    pub pay_time: Option<String>,
    /// What was paid back of it; absent: nothing.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740991")))]
    pub refunded: Option<i64>,
    /// Where the merchant's system is told that it is paid.
    #[oai(validator(min_length = 1, max_length = 2048))]
    pub notify_url: Option<String>,
    /// When it was placed: RFC 3339.
    #[oai(validator(min_length = 1, max_length = 40))]
    pub created_at: String,
}

/// Orders to be imported.
#[derive(Object)]
#[oai(rename = "ImportRequest")]
pub struct Sent {
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub rows: Vec<Row>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "ImportStatus", rename_all = "lowercase")]
pub enum RowStatus {
    Created,
    /// The very same was imported before.
    There,
    /// `problem` says why. Nothing of the row was made; only with its code `in_doubt` that is not known.
    Refused,
}

/// What became of a row.
#[derive(Object, Debug)]
#[oai(rename = "ImportResult", skip_serializing_if_is_none)]
pub struct RowResult {
    /// From 1.
    pub row: i64,
    pub status: RowStatus,
    /// The order's number.
    pub number: Option<String>,
    /// Pointers are into the row.
    pub problem: Option<Problem>,
}

/// What became of all rows, in their order.
#[derive(Object, Debug)]
pub struct Import {
    pub created: i64,
    pub there: i64,
    pub refused: i64,
    #[oai(validator(max_items = 1000))]
    pub results: Vec<RowResult>,
}

const COLUMNS: [(&str, &str); 12] = [
    ("number", "/number"),
    ("product", "/product"),
    ("storeNo", "/storeNo"),
    ("amount", "/amount"),
    ("currency", "/currency"),
    ("wallet", "/wallet"),
    ("upstreamOrderNo", "/upstreamOrderNo"),
    ("status", "/status"),
    ("payTime", "/payTime"),
    ("refunded", "/refunded"),
    ("notifyUrl", "/notifyUrl"),
    ("createdAt", "/createdAt"),
];

const CSV: &str = "A header line with the columns it uses of: number, product, storeNo, amount, currency, wallet, \
    upstreamOrderNo, status (paid or unpaid), payTime, refunded, notifyUrl, createdAt; then a line per order. An empty \
    cell is an absent field.";

impl rows::Row for Row {
    type Sent = Sent;
    type Wanted = Earlier;
    const COLUMNS: &'static [(&'static str, &'static str)] = &COLUMNS;
    const CSV: &'static str = CSV;
    const MOST: usize = MAX_ROWS;

    fn cell(pointer: &str, cell: &str) -> Value {
        let integer = matches!(pointer, "/amount" | "/refunded").then(|| cell.parse::<i64>().ok()).flatten();
        integer.map_or_else(|| cell.into(), Value::from)
    }

    fn wanted(self) -> Result<Earlier, Error> {
        let time = |pointer: &str, text: &str| {
            Timestamp::parse(text).ok_or_else(|| Error::invalid(pointer, "is no time as RFC 3339 writes it"))
        };
        if let Some(text) = &self.pay_time {
            time("/payTime", text)?;
        }
        Ok(Earlier {
            created_at: time("/createdAt", &self.created_at)?.unix_ms,
            number: self.number,
            product: self.product.map_or(&QRCODE, ProductName::product),
            store_no: self.store_no,
            amount: self.amount,
            currency: self.currency,
            wallet: self.wallet.map(Into::into),
            upstream_order_no: self.upstream_order_no,
            is_paid: self.status == Status::Paid,
            pay_time: self.pay_time,
            refunded: self.refunded.unwrap_or_default(),
            notify_url: self.notify_url,
        })
    }
}

impl Example for Row {
    fn example() -> Self {
        Self {
            number: "p20180725180605466813".into(),
            product: Some(ProductName::Qrcode),
            store_no: "100010000000002".into(),
            amount: 2100,
            currency: "HKD".into(),
            wallet: Some(Wallet::Alipay),
            upstream_order_no: Some("2018072518061200000017".into()),
            status: Status::Paid,
            pay_time: Some("2018-07-25T18:06:12+08:00".into()),
            refunded: Some(0),
            notify_url: None,
            created_at: "2018-07-25T18:06:05+08:00".into(),
        }
    }
}

impl RowResult {
    fn of(row: usize, number: Option<&str>, brought: Result<Brought, &Error>) -> Self {
        let (status, problem) = match brought {
            Ok(Brought::New) => (RowStatus::Created, None),
            Ok(Brought::There) => (RowStatus::There, None),
            Err(error) => (RowStatus::Refused, Some(Problem::of(error))),
        };
        Self {
            row: i64::try_from(row).unwrap_or(i64::MAX),
            status,
            number: number.map(str::to_owned),
            problem,
        }
    }
}

pub struct ImportsApi;

#[OpenApi(tag = "Group::Merchants")]
impl ImportsApi {
    /// Import a merchant's earlier orders
    ///
    /// Up to 1,000 orders that the merchant placed with ScanForPay itself, under the account of its store, before it
    /// moved in, from JSON or CSV. Signed queries for them work from then on. Each row is taken whole or not at all,
    /// and has its own result; the answer is 200 whatever became of them. The same row again is `there`, so that all
    /// can be sent again after a lost answer, whatever its `Idempotency-Key`.
    #[oai(path = "/v1/merchants/:merchantId/imports", method = "post", operation_id = "importOrders")]
    async fn import(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] _once: Once,
        #[oai(name = "merchantId")] merchant_id: Path<String>,
        body: Rows<Row>,
    ) -> Result<Found<Import>, Error> {
        caller.may(Scope::MerchantsWrite)?;
        let row = merchants::find(app.0, &caller, &merchant_id).await?;
        merchants::platform_of(&caller)?;
        if row.offboarded_at.is_some() {
            let detail = "The merchant has been offboarded.".to_owned();
            return Err(Error::Conflict { code: "offboarded", detail, pointer: None });
        }
        log(app.0, &caller, &row.id, body.read.len()).await?;
        let mut results = Vec::new();
        for rows in body.read.chunks(PART) {
            let merchant = app.directory.merchant_by_id(&row.id).ok_or(Error::NotFound)?;
            let numbered = (results.len() + 1..).zip(rows);
            let part = numbered.map(|(number, row)| one(app.0, &merchant, number, row));
            results.extend(futures_util::future::join_all(part).await);
        }
        Ok(Found(Import::of(results)))
    }
}

impl Import {
    fn of(results: Vec<RowResult>) -> Self {
        let count = |status: RowStatus| {
            let rows = results.iter().filter(|result| result.status == status).count();
            i64::try_from(rows).unwrap_or(i64::MAX)
        };
        Self {
            created: count(RowStatus::Created),
            there: count(RowStatus::There),
            refused: count(RowStatus::Refused),
            results,
        }
    }
}

async fn one(app: &App, merchant: &Merchant, row: usize, read: &Result<Earlier, Error>) -> RowResult {
    match read {
        Err(error) => RowResult::of(row, None, Err(error)),
        Ok(earlier) => {
            let brought = import::bring_in(app, merchant, earlier).await;
            RowResult::of(row, Some(&earlier.number), brought.as_ref().copied())
        }
    }
}

/// On record before anything is made.
async fn log(app: &App, caller: &Caller, merchant_id: &str, rows: usize) -> Result<(), Error> {
    let subject = Subject { kind: "merchant", id: merchant_id, merchant_id: Some(merchant_id) };
    let states = States { before: None, after: Some(json!({ "rows": rows })) };
    let plan = Plan::new(audit::entry(app, caller, "orders.imported", subject, states));
    match plan.commit(app).await? {
        Committed::Done => Ok(()),
        Committed::Stale => Err(Error::Busy),
    }
}
