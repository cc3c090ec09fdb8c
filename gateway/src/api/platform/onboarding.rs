//! `/v1/onboarding`: many merchants at once, from JSON or CSV, with a result per row.

use std::sync::Arc;

use bytes::Bytes;
use poem::web::Data;
use poem_openapi::types::{Example, ToJSON};
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::merchants::Merchant;
use super::rows::{self, Rows};
use super::stores::{Described, Store};
use crate::api::rest::{Answer, ChangeError, Changed, Group, Once, Planned, Problem, ShownSecret, change};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::directory::merchants::WantedMerchant;
use crate::directory::onboarding::{self, MAX_ROWS, Onboarded, PART, WantedRow};
use crate::error::Error;

/// The columns of a CSV file, each with the field it fills.
const COLUMNS: [(&str, &str); 15] = [
    ("name", "/name"),
    ("reference", "/reference"),
    ("partnerNo", "/partnerNo"),
    ("signKey", "/signKey"),
    ("upstreamStoreNo", "/store/upstreamStoreNo"),
    ("storeNo", "/store/storeNo"),
    ("currency", "/store/currency"),
    ("wallets", "/store/wallets"),
    ("timeZone", "/store/timeZone"),
    ("latePayment", "/store/latePayment"),
    ("accountId", "/store/accountId"),
    ("accountName", "/store/account/name"),
    ("accountBaseUrl", "/store/account/baseUrl"),
    ("accountPartnerNo", "/store/account/partnerNo"),
    ("accountSignKey", "/store/account/signKey"),
];

const CSV: &str = "A header line with the columns it uses of: name, reference, partnerNo, signKey, upstreamStoreNo, storeNo, currency, \
    wallets (separated by blanks), timeZone, latePayment, accountId, accountName, accountBaseUrl, accountPartnerNo, \
    accountSignKey; then a line per merchant. An empty cell is an absent field.";

/// A merchant to be made, perhaps with a store.
#[derive(Object)]
#[oai(rename = "OnboardingRow", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Row {
    /// Its name, for people.
    #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub name: String,
    /// Your own name for it, unique among your merchants. With it a row that is sent again is not made again.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub reference: Option<String>,
    /// The number that the merchant signs as already; absent: a new one. It is yours to choose where you have ScanForPay's
    /// account of that number, whose key is proven by a question; unique among your merchants.
    #[oai(validator(min_length = 1, max_length = 15, pattern = r"^[\x21-\x7e]*$"))]
    pub partner_no: Option<String>,
    /// The key that the merchant signs with already, of 128 bits at least; absent: a new one. It is never shown again.
    #[oai(validator(min_length = 16, max_length = 256, pattern = r"^[\x20-\x7e]*$"))]
    pub sign_key: Option<String>,
    /// Its first store.
    pub store: Option<Described>,
}

/// Merchants to be made.
#[derive(Object)]
#[oai(rename = "OnboardingRequest")]
pub struct Sent {
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub rows: Vec<Row>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "lowercase")]
pub enum RowStatus {
    Created,
    /// `problem` says why. Nothing of the row was made; only with its code `in_doubt` that is not known.
    Refused,
}

/// What became of a row.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct RowResult {
    /// From 1.
    pub row: i64,
    pub status: RowStatus,
    pub merchant: Option<Merchant>,
    /// The key that the merchant signs with; absent where it was brought.
    pub sign_key: Option<ShownSecret>,
    pub store: Option<Store>,
    /// Pointers are into the row.
    pub problem: Option<Problem>,
}

/// What became of all rows, in their order.
#[derive(Object, Debug, Clone)]
pub struct Onboarding {
    pub created: i64,
    pub refused: i64,
    #[oai(validator(max_items = 1000))]
    pub results: Vec<RowResult>,
}

impl Example for Row {
    fn example() -> Self {
        Self {
            name: "Tea House".into(),
            reference: Some("shop-17".into()),
            partner_no: None,
            sign_key: None,
            store: Some(Described::example()),
        }
    }
}

impl rows::Row for Row {
    type Sent = Sent;
    type Wanted = WantedRow;
    const COLUMNS: &'static [(&'static str, &'static str)] = &COLUMNS;
    const CSV: &'static str = CSV;
    const MOST: usize = MAX_ROWS;

    fn cell(pointer: &str, cell: &str) -> Value {
        match pointer {
            "/store/wallets" => cell.split_ascii_whitespace().collect(),
            _ => cell.into(),
        }
    }

    fn wanted(self) -> Result<WantedRow, Error> {
        let Self { name, reference, partner_no, sign_key, store } = self;
        let store = store.as_ref().map(|store| store.wanted("/store")).transpose()?;
        let merchant = WantedMerchant { name, reference, partner_no, sign_key: sign_key.map(Zeroizing::new) };
        Ok(WantedRow { merchant, store })
    }
}

impl RowResult {
    fn made(row: i64, caller: &Caller, made: &Onboarded) -> Self {
        Self {
            row,
            status: RowStatus::Created,
            merchant: Some(Merchant::from(&made.merchant)),
            sign_key: made.sign_key.as_ref().map(|text| ShownSecret::new(&made.key.id, text)),
            store: made.store.as_ref().map(|store| Store::shown_to(caller, &store.row)),
            problem: None,
        }
    }

    fn refused(row: i64, error: &Error) -> Self {
        Self {
            row,
            status: RowStatus::Refused,
            merchant: None,
            sign_key: None,
            store: None,
            problem: Some(Problem::of(error)),
        }
    }

    fn repeated(self) -> Self {
        let made = self.merchant.as_ref().zip(self.sign_key.as_ref());
        let sign_key = made.map(|(merchant, key)| {
            let instead = format!("POST /v1/merchants/{}/sign-keys makes a new one.", merchant.id);
            key.repeated(merchant.created_at.unix_ms, &instead)
        });
        Self { sign_key, ..self }
    }
}

impl Onboarding {
    fn of(results: Vec<RowResult>) -> Self {
        let created = results.iter().filter(|result| result.status == RowStatus::Created).count();
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        Self { created: count(created), refused: count(results.len() - created), results }
    }
}

pub struct OnboardingApi;

#[OpenApi(tag = "Group::Merchants")]
impl OnboardingApi {
    /// Onboard many merchants
    ///
    /// Up to 1,000 merchants, each perhaps with its first store, from JSON or CSV. Each row is made whole or not at
    /// all, and has its own result; the answer is 200 whatever became of them. Sent again with the same
    /// `Idempotency-Key` after a lost answer, rows that were made are not made again.
    #[oai(path = "/v1/onboarding", method = "post", operation_id = "onboardMerchants")]
    async fn onboard(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        body: Rows<Row>,
    ) -> Result<Changed<Onboarding>, ChangeError> {
        for scope in [Scope::MerchantsWrite, Scope::StoresWrite, Scope::AccountsWrite] {
            caller.may(scope)?;
        }
        let mut results = Vec::new();
        for (number, rows) in body.read.chunks(PART).enumerate() {
            let first = number * PART + 1;
            match part(app.0, &caller, once.part(number), &body.raw, first, rows).await {
                Ok(mut part) => results.append(&mut part),
                Err(error @ (Error::KeyReused | Error::KeyRunning)) => return Err(error.into()),
                // The rows before are made: their results must not be lost.
                Err(error) => results.extend((first..).zip(rows).map(|(row, _)| {
                    RowResult::refused(i64::try_from(row).unwrap_or(i64::MAX), &error)
                        .to_json()
                        .unwrap_or_default()
                })),
            }
        }
        Ok(summed(&results).into())
    }
}

/// One part of the rows as one change; its results as JSON.
async fn part(
    app: &Arc<App>,
    caller: &Caller,
    once: Once,
    raw: &Bytes,
    first: usize,
    rows: &[Result<WantedRow, Error>],
) -> Result<Vec<Value>, Error> {
    let plan = || async {
        let good: Vec<&WantedRow> = rows.iter().filter_map(|row| row.as_ref().ok()).collect();
        let (plan, made) = onboarding::plan(app, caller, &good).await?;
        let mut made = made.iter();
        let results = rows.iter().zip(first..).map(|(row, number)| {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            match row.as_ref().map(|_| made.next()) {
                Ok(Some(Ok(made))) => RowResult::made(number, caller, made),
                Ok(Some(Err(error))) | Err(error) => RowResult::refused(number, error),
                Ok(None) => unreachable!("every good row has an outcome"),
            }
        });
        let answer = Onboarding::of(results.collect());
        let repeat = Onboarding::of(answer.results.iter().cloned().map(RowResult::repeated).collect());
        Ok(Planned::changed(plan, answer).repeated_as(repeat))
    };
    let answer = change(app, caller, once, raw, plan).await?;
    let mut answer: Value =
        serde_json::from_str(&answer.body).map_err(|error| Error::Failed(error.into()))?;
    match answer["results"].take() {
        Value::Array(results) => Ok(results),
        _ => Err(Error::Failed(anyhow::anyhow!("a part of an onboarding was kept without results"))),
    }
}

fn summed(results: &[Value]) -> Answer {
    let created = results.iter().filter(|result| result["status"] == "created").count();
    let answer = json!({ "created": created, "refused": results.len() - created, "results": results });
    Answer { status: http::StatusCode::OK, location: None, body: answer.to_string() }
}
