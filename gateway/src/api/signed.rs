//! ScanForPay's own operations, as merchants' existing clients speak them. Bytes → tenant → verified → fresh →
//! parsed → operation → signed answer; HTTP status 200 for all that could be answered.

pub mod refund;

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use poem::web::Data;
use poem::{IntoResponse, Request, RequestBody, Response};
use poem_openapi::param::Path;
use poem_openapi::registry::{MetaRequest, MetaResponses, Registry};
use poem_openapi::types::{Example, ParseFromJSON, ToJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, OpenApi, Tags};
use shared::code::Code;
use shared::envelope::{self, Envelope, Side};
use shared::json::Object;

use super::caller::{Caller, verify};
use super::edge::Remark;
use super::edge::address::client_address;
use super::scanforpay::{
    CodePlaced, OrderState, PayQuery, PlaceBarcode, PlaceJspay, PlaceOnline, PlaceQrcode, PlaceTransactionQr,
    Placed, RefundOrder, RefundState, RequestEnvelope, ResponseEnvelope,
};
use crate::app::App;
use crate::limits::{Refusal, Standing};
use crate::orders::content::{BodyText, Content, FieldError, text_if_present};
use crate::orders::place::{Create, place, store_for};
use crate::orders::query::{Answer, Locator, query, state, state_body};
use crate::orders::{self};
use crate::product::{BARCODE, Carries, JSPAY, ONLINE, Product, QRCODE, TRANSACTION_QR};

/// A request's bytes as they came; `T` is what the contract says of its body.
pub struct Signed<T> {
    document: Bytes,
    /// Where it came from.
    address: IpAddr,
    body: PhantomData<T>,
}

impl<'a, T: ParseFromJSON + ToJSON + Example + Send> ApiExtractor<'a> for Signed<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        RequestEnvelope::<T>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(RequestEnvelope::<T>::request_meta())
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let document = body.take()?.into_bytes().await?;
        Ok(Self { document, address: client_address(request), body: PhantomData })
    }
}

/// A finished answer; `T` is what the contract says of its body.
pub struct SignedReply<T> {
    answer: Answered,
    body: PhantomData<T>,
}

/// A signed document and the code in it.
pub struct Answered {
    document: String,
    code: Code,
    /// How the caller's limits stand; boxed, because answers are also errors on their way up.
    limits: Box<HeaderMap>,
}

impl Answered {
    /// With what is left to the caller.
    pub(super) fn standing(mut self, standing: &Standing) -> Self {
        standing.put(&mut self.limits);
        self
    }

    /// With the limit that is the reason of it, and of no other.
    pub(super) fn refused(mut self, refusal: Refusal) -> Self {
        refusal.put(&mut self.limits);
        self
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let mut response = Response::builder().content_type("application/json").body(self.document);
        response.headers_mut().extend(*self.limits);
        if self.code == Code::TRY_LATER {
            response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from(1));
        }
        response.set_data(Remark { code: Some(self.code.0), ..Remark::default() });
        response
    }
}

impl<T: Send> IntoResponse for SignedReply<T> {
    fn into_response(self) -> Response {
        self.answer.into_response()
    }
}

impl<T: ParseFromJSON + ToJSON + Example> ApiResponse for SignedReply<T> {
    fn meta() -> MetaResponses {
        ResponseEnvelope::<T>::responses_meta()
    }

    fn register(registry: &mut Registry) {
        ResponseEnvelope::<T>::register(registry);
    }
}

impl<T> From<Answered> for SignedReply<T> {
    fn from(answer: Answered) -> Self {
        Self { answer, body: PhantomData }
    }
}

#[derive(Tags)]
enum Group {
    /// ScanForPay's own operations: an existing client changes its base URL and key, nothing else.
    #[oai(rename = "Signed API")]
    Signed,
}

pub struct SignedApi;

#[OpenApi(tag = "Group::Signed")]
impl SignedApi {
    /// Create an order: web QR code
    ///
    /// Opens an order that is paid on a page with a QR code; send the payer's browser to `payUrl`. The same number
    /// with the same content may be sent again at any time and is the same order. Code 21: whether it was opened
    /// is not known; query it, or send the same order again.
    #[oai(path = "/:platform/api/offline/qrcode", method = "post", operation_id = "placeQrcode")]
    async fn place_qrcode(
        &self,
        app: Data<&Arc<App>>,
        /// The platform's short name. Where the operator has named one platform for it, `/api/…` works without.
        #[oai(name = "platform")]
        platform: Path<String>,
        request: Signed<PlaceQrcode>,
    ) -> SignedReply<Placed> {
        create(app.0, &QRCODE, &platform.0, &request).await.into()
    }

    /// Create an order: web page
    ///
    /// Opens an order that is paid on a checkout page; send the payer's browser to `payUrl`. Repeats and code 21 are
    /// as for a web QR code.
    #[oai(path = "/:platform/api/online/create", method = "post", operation_id = "placeOnline")]
    async fn place_online(
        &self,
        app: Data<&Arc<App>>,
        /// The platform's short name. Where the operator has named one platform for it, `/api/…` works without.
        #[oai(name = "platform")]
        platform: Path<String>,
        request: Signed<PlaceOnline>,
    ) -> SignedReply<Placed> {
        create(app.0, &ONLINE, &platform.0, &request).await.into()
    }

    /// Create an order: transaction QR code
    ///
    /// Opens an order that is paid by whoever scans its code: show `qrCode` as a QR code in your store. Repeats and
    /// code 21 are as for a web QR code.
    #[oai(path = "/:platform/api/offline/create", method = "post", operation_id = "placeTransactionQr")]
    async fn place_transaction_qr(
        &self,
        app: Data<&Arc<App>>,
        /// The platform's short name. Where the operator has named one platform for it, `/api/…` works without.
        #[oai(name = "platform")]
        platform: Path<String>,
        request: Signed<PlaceTransactionQr>,
    ) -> SignedReply<CodePlaced> {
        create(app.0, &TRANSACTION_QR, &platform.0, &request).await.into()
    }

    /// Create an order: barcode
    ///
    /// Charges the payer whose code you have scanned. Look at `status`: 1 is paid, 2 failed, 0 is a payer who types
    /// the PIN. Code 21: it may be paid yet; query it until it is settled, and do not charge again. The same order
    /// sent again never charges twice and tells how it stands. After a code that refuses it (3 to 8, 35, 40 to 44)
    /// nothing was charged, and the number may be used for another try.
    #[oai(path = "/:platform/api/offline/pay", method = "post", operation_id = "placeBarcode")]
    async fn place_barcode(
        &self,
        app: Data<&Arc<App>>,
        /// The platform's short name. Where the operator has named one platform for it, `/api/…` works without.
        #[oai(name = "platform")]
        platform: Path<String>,
        request: Signed<PlaceBarcode>,
    ) -> SignedReply<OrderState> {
        create(app.0, &BARCODE, &platform.0, &request).await.into()
    }

    /// Create an order: JS API
    ///
    /// Opens an order that is paid on a page inside the wallet's own browser; send it to `payUrl`. Repeats and code 21
    /// are as for a web QR code.
    #[oai(path = "/:platform/api/jspay/create", method = "post", operation_id = "placeJspay")]
    async fn place_jspay(
        &self,
        app: Data<&Arc<App>>,
        /// The platform's short name. Where the operator has named one platform for it, `/api/…` works without.
        #[oai(name = "platform")]
        platform: Path<String>,
        request: Signed<PlaceJspay>,
    ) -> SignedReply<Placed> {
        create(app.0, &JSPAY, &platform.0, &request).await.into()
    }

    /// Query an order
    ///
    /// How an order stands, by either of its numbers. Paid and refunded orders are answered from the gateway's
    /// books, all others after asking ScanForPay, at most once in two seconds per order.
    #[oai(path = "/:platform/api/common/payQuery", method = "post", operation_id = "payQuery")]
    async fn pay_query(
        &self,
        app: Data<&Arc<App>>,
        /// The platform's short name. Where the operator has named one platform for it, `/api/…` works without.
        #[oai(name = "platform")]
        platform: Path<String>,
        request: Signed<PayQuery>,
    ) -> SignedReply<OrderState> {
        ask(app.0, &platform.0, &request).await.into()
    }

    /// Refund an order
    ///
    /// Gives back a part of what was paid, or all of it. Answered within ten seconds; a refund that has not ended then,
    /// or of which ScanForPay gave no answer to rely on, is told as in progress (`status` 0), keeps its amount reserved,
    /// and is followed until it is known. The same `refundNo` with the same amount is the same refund and tells how it
    /// stands. While one is open, as much under another `refundNo` is code 32.
    #[oai(path = "/:platform/api/common/refund", method = "post", operation_id = "refund")]
    async fn refund(
        &self,
        app: Data<&Arc<App>>,
        /// The platform's short name. Where the operator has named one platform for it, `/api/…` works without.
        #[oai(name = "platform")]
        platform: Path<String>,
        request: Signed<RefundOrder>,
    ) -> SignedReply<RefundState> {
        refund::answer(app.0, &platform.0, &request).await.into()
    }
}

async fn create<T>(
    app: &Arc<App>,
    product: &'static Product,
    platform: &str,
    request: &Signed<T>,
) -> Answered {
    let (mut caller, envelope) = match verify(app, platform, &request.document, request.address) {
        Ok(verified) => verified,
        Err(answered) => return answered,
    };
    let merchant = caller.merchant.clone();
    // Read first, so that all limits are asked in one go; what is wrong with it is only said within the merchant's.
    let read = Content::read(product, &envelope.body, &app.policy)
        .and_then(|content| store_for(&merchant, &content).map(|store| (content, store)));
    let admitted = match &read {
        Ok((_, store)) if !merchant.suspended => caller.admit(app, app.limits.create(&merchant, store)).await,
        _ => caller.admit(app, app.limits.request(&merchant.platform, Some(&merchant))).await,
    };
    if let Err(answered) = admitted {
        return answered;
    }
    if merchant.suspended {
        return caller.say(app, Code::NOT_AUTHORISED, "this merchant is suspended; ask the platform");
    }
    let (content, store) = match read {
        Ok(read) => read,
        Err(error) => return caller.refuse(app, &error),
    };
    let create = Create {
        merchant,
        store,
        key_id: caller.key.id.clone(),
        content,
        reference: None,
        raw: envelope.signed.to_owned(),
    };
    let placed = in_time(app, place(app, create)).await.unwrap_or(orders::Placed::Doubt);
    placed_answer(app, &caller, product, placed)
}

/// What comes of `operation`, or `None` where a caller could not be answered in time any more: its own task goes on,
/// and the caller still hears of doubt in an answer that is signed.
pub(super) async fn in_time<T>(app: &App, operation: impl Future<Output = T>) -> Option<T> {
    let server = &app.config.server;
    let time = server.request_timeout.saturating_sub(server.body_timeout);
    tokio::time::timeout(time, operation).await.ok()
}

fn placed_answer(app: &App, caller: &Caller, product: &Product, placed: orders::Placed) -> Answered {
    match placed {
        orders::Placed::Opened { pay_url, order_no, extra } => {
            let mut body = BodyText::default();
            body.number("code", i64::from(Code::SUCCESS.0));
            body.text("msg", "success");
            if let Carries::Way { field, .. } = product.carries {
                body.text(field, &pay_url);
            }
            body.text_if("orderNo", order_no.as_deref());
            for (key, value) in &extra {
                body.raw(key, value);
            }
            caller.answer(app, Code::SUCCESS, &body.finish())
        }
        orders::Placed::Standing { order, extra } => {
            let mut body = state(&order);
            for (key, value) in &extra {
                body.raw(key, value);
            }
            caller.answer(app, Code::SUCCESS, &body.finish())
        }
        orders::Placed::Refused { code, msg } => caller.say(app, Code(code), &msg),
        orders::Placed::Conflict { code, msg } => caller.say(app, Code(code), msg),
        orders::Placed::Doubt => caller.doubt(app),
        orders::Placed::Busy => caller.busy(app),
    }
}

async fn ask<T>(app: &Arc<App>, platform: &str, request: &Signed<T>) -> Answered {
    let (mut caller, envelope) = match verify(app, platform, &request.document, request.address) {
        Ok(verified) => verified,
        Err(answered) => return answered,
    };
    let merchant = caller.merchant.clone();
    if let Err(answered) = caller.admit(app, app.limits.request(&merchant.platform, Some(&merchant))).await {
        return answered;
    }
    let locator = match locator(&envelope.body) {
        Ok(locator) => locator,
        Err(error) => return caller.refuse(app, &error),
    };
    match in_time(app, query(app, &merchant, &locator)).await.unwrap_or(Ok(Answer::Doubt)) {
        Ok(Answer::State(order)) => caller.answer(app, Code::SUCCESS, &state_body(&order)),
        Ok(Answer::NoSuchOrder) => caller.say(app, Code::NO_SUCH_ORDER, "no such order"),
        Ok(Answer::Doubt) => caller.doubt(app),
        Ok(Answer::Over(refusal)) => caller.over(app, refusal),
        Err(error) => {
            tracing::error!(%error, "a query could not be looked up");
            caller.busy(app)
        }
    }
}

/// `orderNo` wins where both numbers are given.
fn locator(body: &Object<'_>) -> Result<Locator, FieldError> {
    if let Some(number) = text_if_present(body, "orderNo", 32)? {
        return Ok(Locator::OrderNo(number));
    }
    if let Some(number) = text_if_present(body, "partnerOrderNo", 32)? {
        return Ok(Locator::Number(number));
    }
    Err(FieldError {
        code: Code::NO_NUMBER,
        ..FieldError::invalid("partnerOrderNo", "and orderNo are both missing; give one of them")
    })
}

/// `body`, which holds `code`, as the answer to `partner_no`, signed with `sign_key`.
pub(super) fn sealed(app: &App, partner_no: &str, sign_key: &str, code: Code, body: &str) -> Answered {
    let header = envelope::response_header(partner_no, &app.chance.id(), app.clock.now());
    let document = envelope::seal(Side::Response, &header, body, sign_key);
    Answered { document, code, limits: Box::default() }
}

/// Code and message as a body. Messages are cut to the protocol's 100 characters.
pub(super) fn said(code: Code, msg: &str) -> String {
    let mut body = BodyText::default();
    body.number("code", i64::from(code.0));
    body.text("msg", &msg.chars().take(100).collect::<String>());
    body.finish()
}

/// What `read` gives back for a document that cannot be an envelope.
pub(super) fn read(document: &[u8]) -> Option<Envelope<'_>> {
    Envelope::read(document, Side::Request).ok()
}
