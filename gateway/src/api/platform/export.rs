//! `/v1/merchants/{id}/offboard` and `/export`: leaving, and taking everything along.

use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use poem::web::Data;
use poem::{Body, IntoResponse, Response};
use poem_openapi::param::Path;
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::ToJSON;
use poem_openapi::{ApiResponse, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};

use super::merchants::Merchant;
use super::stores::Store;
use crate::api::rest::{ChangeError, Changed, Group, Once, Planned, Timestamp, change};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::directory::{merchants, offboard};
use crate::entity::{order, store};
use crate::error::Error;

/// Orders read at a time: a reader holds the store no longer than one page.
const PAGE: u64 = 500;

const LINES: &str = "A JSON object per line: the merchant, its stores, its orders. `kind` says which.";

/// A merchant's data, line by line.
pub struct Export(Body);

impl IntoResponse for Export {
    fn into_response(self) -> Response {
        Response::builder().content_type("application/x-ndjson").body(self.0)
    }
}

impl ApiResponse for Export {
    fn meta() -> MetaResponses {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let content = vec![MetaMediaType { content_type: "application/x-ndjson", schema }];
        let headers = Vec::new();
        let response =
            MetaResponse { description: LINES, status: Some(200), status_range: None, content, headers };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}

pub struct ExportApi;

#[OpenApi(tag = "Group::Merchants")]
impl ExportApi {
    /// Offboard a merchant
    ///
    /// It opens no new orders, its stores are disabled and its API keys revoked. That cannot be taken back. Queries,
    /// refunds and notifications of its orders go on, and its data can be exported.
    #[oai(path = "/v1/merchants/:merchantId/offboard", method = "post", operation_id = "offboardMerchant")]
    async fn offboard(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "merchantId")] merchant_id: Path<String>,
    ) -> Result<Changed<Merchant>, ChangeError> {
        caller.may(Scope::MerchantsWrite)?;
        let plan = || async {
            let (plan, row) = offboard::offboard(app.0, &caller, &merchant_id).await?;
            Ok(Planned::changed(plan, Merchant::from(&row)))
        };
        Ok(change(app.0, &caller, once, &[], plan).await?.into())
    }

    /// Export a merchant's data
    ///
    /// The merchant, its stores and all its orders, oldest first. Keys are not in it.
    #[oai(path = "/v1/merchants/:merchantId/export", method = "get", operation_id = "exportMerchant")]
    async fn export(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        #[oai(name = "merchantId")] merchant_id: Path<String>,
    ) -> Result<Export, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchants::find(app.0, &caller, &merchant_id).await?;
        let stores = store::Entity::of(&caller.tenant, caller.mode)
            .filter(store::Column::MerchantId.eq(merchant.id.as_str()))
            .order_by_asc(store::Column::Id)
            .all(&app.store.read)
            .await?;
        let mut head = line("merchant", &Merchant::from(&merchant));
        for row in &stores {
            head.push_str(&line("store", &Store::shown_to(&caller, row)));
        }
        let head = stream::once(async move { Ok(head) });
        Ok(Export(Body::from_bytes_stream(head.chain(orders(Arc::clone(app.0), merchant.id)))))
    }
}

/// A merchant's orders as lines, a page at a time.
fn orders(app: Arc<App>, merchant_id: String) -> impl Stream<Item = Result<String, std::io::Error>> {
    stream::try_unfold(Some(String::new()), move |after| {
        let (app, merchant_id) = (Arc::clone(&app), merchant_id.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let rows = order::Entity::find()
                .filter(order::Column::MerchantId.eq(merchant_id))
                .filter(order::Column::Id.gt(after))
                .order_by_asc(order::Column::Id)
                .limit(PAGE)
                .all(&app.store.read)
                .await
                .map_err(std::io::Error::other)?;
            let next = if rows.len() as u64 == PAGE { rows.last().map(|row| row.id.clone()) } else { None };
            let lines: String = rows.iter().map(order_line).collect();
            Ok(Some((lines, next)))
        }
    })
}

fn line(kind: &str, shown: &impl ToJSON) -> String {
    let mut value = json!({ "kind": kind });
    if let (Value::Object(to), Some(Value::Object(from))) = (&mut value, shown.to_json()) {
        to.extend(from);
    }
    format!("{value}\n")
}

fn order_line(row: &order::Model) -> String {
    let value = json!({
        "kind": "order", "id": row.id, "number": row.number, "upstreamOrderNo": row.upstream_order_no,
        "storeId": row.store_id, "wallet": row.wallet, "currency": row.currency, "amount": row.amount,
        "title": row.title, "status": row.status, "late": row.late, "paid": row.paid, "refunded": row.refunded,
        "payTime": row.pay_time, "createdAt": Timestamp::of(row.created_at).text(),
        "updatedAt": Timestamp::of(row.updated_at).text(),
    });
    format!("{value}\n")
}
