//! `/v1/orders/{number}/erase`: forgetting who paid.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::merchant_of;
use super::order::Order;
use super::orders::{found, shown};
use crate::api::rest::{ChangeError, Changed, Group, Once, Planned, change};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::error::Error;
use crate::orders::buyer;

pub struct EraseApi;

#[OpenApi(tag = "Group::Orders")]
impl EraseApi {
    /// Erase an order's buyer
    ///
    /// Takes what is known of who paid out of the order, of what its events say, and of the bytes in its timeline.
    /// Amounts, numbers, states and the timeline's entries stay. What ScanForPay says of a paid order later is kept
    /// without its buyer. Messages that were not delivered yet are delivered without it. Erasing twice is erasing once.
    #[oai(path = "/v1/orders/:number/erase", method = "post", operation_id = "eraseBuyer")]
    async fn erase(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        number: Path<String>,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
    ) -> Result<Changed<Order>, ChangeError> {
        caller.may(Scope::OrdersWrite)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let plan = || async {
            let mut order = found(app.0, &merchant, &number).await?;
            let plan = buyer::erase(app.0, &caller, &order).await?;
            (order.buyer, order.buyer_id) = (None, None);
            let answer = shown(app.0, &merchant, vec![order]).await?.pop().ok_or(Error::NotFound)?;
            Ok(Planned::changed(plan, answer))
        };
        let answer = change(app.0, &caller, once, merchant.id.as_bytes(), plan).await?;
        // What came in between the look and the change may name the payer still.
        let order = found(app.0, &merchant, &number).await?;
        if let Some(rest) = buyer::erase(app.0, &caller, &order).await? {
            rest.commit(app.0).await?;
        }
        Ok(answer.into())
    }
}
