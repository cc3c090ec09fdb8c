//! `/v1/statement`: a store's day as CSV, written while it is read.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use jiff::civil::Date;
use poem::web::Data;
use poem::{Body, IntoResponse, Response};
use poem_openapi::param::Query;
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::{ApiResponse, OpenApi};

use super::{merchant_of, wrong};
use crate::api::rest::Group;
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::entity::store;
use crate::error::Error;
use crate::orders::statement::{Booking, Day, Line};

const CSV: &str = "text/csv";

/// What each column holds is in the contract, at the operation.
const COLUMNS: [&str; 16] = [
    "type",
    "bookedAt",
    "payTime",
    "storeNo",
    "number",
    "sentNumber",
    "orderNo",
    "product",
    "wallet",
    "currency",
    "amount",
    "refunded",
    "status",
    "late",
    "title",
    "refundNo",
];

/// A statement on its way.
pub struct Statement {
    body: Body,
    name: String,
}

impl IntoResponse for Statement {
    fn into_response(self) -> Response {
        let mut response = Response::builder().content_type(CSV).body(self.body);
        if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{}\"", self.name)) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
        }
        response
    }
}

impl ApiResponse for Statement {
    fn meta() -> MetaResponses {
        let text = MetaSchema {
            description: Some("RFC 4180 in UTF-8, with a line of column names first."),
            ..MetaSchema::new("string")
        };
        let content =
            vec![MetaMediaType { content_type: CSV, schema: MetaSchemaRef::Inline(Box::new(text)) }];
        let response = MetaResponse {
            description: "The statement.",
            status: Some(200),
            status_range: None,
            content,
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}

pub struct StatementApi;

#[OpenApi(tag = "Group::Orders")]
impl StatementApi {
    /// Get a store's statement of a day
    ///
    /// The payments and refunds that were booked on the day, oldest first, as CSV. Either is booked when the gateway
    /// learns of it, so a day that is over does not change; what is refunded of an order in all is as of now. Days are
    /// in the store's time zone.
    ///
    /// Columns: `type` (`payment`, `refund`, or `external_refund` for what was refunded outside of the gateway), `bookedAt` and `payTime` (RFC 3339), `storeNo`, the order's three numbers
    /// (`number` is the merchant's own, `sentNumber` the one ScanForPay was given, `orderNo` ScanForPay's), `product`,
    /// `wallet`, `currency` (ISO 4217), `amount` and `refunded` (integers in the smallest unit), `status`, `late`,
    /// `title`, `refundNo` (the number of whoever asked for the refund). A text that a spreadsheet would take for a formula has an apostrophe before it.
    #[oai(path = "/v1/statement", method = "get", operation_id = "getStatement")]
    async fn statement(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        /// Such as `2026-09-21`.
        #[oai(validator(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
        day: Query<String>,
        /// The store's number.
        #[oai(validator(min_length = 1, max_length = 15, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        store: Query<String>,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
    ) -> Result<Statement, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let date: Date = day.0.parse().map_err(|_| wrong("day", "must be a date such as 2026-09-21"))?;
        let row = store::Entity::of_number(&merchant.id, &store.0).one(&app.store.read).await?;
        let row = row.ok_or(Error::NotFound)?;
        let zone = row.time_zone.clone();
        let day = Day::of(&merchant.id, row, date)
            .ok_or_else(|| Error::Failed(anyhow::anyhow!("a store has the time zone {zone}")))?;
        let name = format!("statement-{}-{date}.csv", safe_name(day.store_no()));
        Ok(Statement { body: written(app.0, day), name })
    }
}

/// A store's number as a part of a file's name.
fn safe_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// How far a statement is written.
enum Next {
    Start,
    Behind(String),
    End,
}

/// The statement, page by page as fast as it is taken.
fn written(app: &Arc<App>, day: Day) -> Body {
    let pages = stream::try_unfold((app.clone(), day, Next::Start), |(app, day, next)| async move {
        let (is_first, after) = match &next {
            Next::Start => (true, None),
            Next::Behind(id) => (false, Some(id.as_str())),
            Next::End => return Ok::<_, io::Error>(None),
        };
        let (lines, next) = day.page(&app.store.read, after).await.map_err(io::Error::other)?;
        let text = page(is_first, day.store_no(), &lines).map_err(io::Error::other)?;
        let next = next.map_or(Next::End, Next::Behind);
        Ok(Some((Bytes::from(text), (app, day, next))))
    });
    Body::from_bytes_stream(pages)
}

fn page(is_first: bool, store_no: &str, lines: &[Line]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if is_first {
        writer.write_record(COLUMNS)?;
    }
    for Line { booking, booked_at, order, sent_number } in lines {
        let (kind, amount, refund_no) = match booking {
            Booking::Payment => ("payment", order.paid, ""),
            Booking::Refund { refund_no, amount } => ("refund", *amount, refund_no.as_str()),
            Booking::RefundElsewhere { amount } => ("external_refund", *amount, ""),
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let cells = [
            kind.to_owned(),
            booked_at.clone(),
            text(&order.pay_time),
            store_no.to_owned(),
            order.number.clone(),
            sent_number.clone(),
            text(&order.upstream_order_no),
            order.product.clone(),
            text(if order.paid_wallet.is_some() { &order.paid_wallet } else { &order.wallet }),
            order.currency.clone(),
            amount.to_string(),
            order.refunded.to_string(),
            order.status.clone(),
            order.late.to_string(),
            text(&order.title),
            refund_no.to_owned(),
        ];
        writer.write_record(cells.map(defused))?;
    }
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

/// A spreadsheet takes what begins so for a formula, which may call anything. Full-width forms count in some.
pub fn defused(cell: String) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_made_text() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            assert_eq!(defused(cell.to_owned()), format!("'{cell}"));
        }
        for cell in ["", "2100", "p1", "a=b", "'=1"] {
            assert_eq!(defused(cell.to_owned()), cell);
        }
    }
}
