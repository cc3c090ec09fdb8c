//! What people see. Here the payer's page, one for every product, which brings the payer back to the shop by itself.

pub(crate) mod faults;
pub(crate) mod home;
pub(crate) mod violations;

use std::sync::Arc;

use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};
use qrcode::{EcLevel, QrCode, render::svg};
use shared::envelope;

use crate::control::Payer;
use crate::html::{self, Page, escape};
use crate::orders::{Order, PaymentState};
use crate::products::Product;
use crate::serve;
use crate::state::State;

/// Reloads the page as soon as the order is in another state than the one shown. Each look waits for the one
/// before; a look that fails is made again.
const WATCH: &str = r#"
const shown = document.querySelector("[data-state]").dataset.state;
async function look() {
  try {
    const answer = await fetch(location.pathname + "/status", { cache: "no-store" });
    if (answer.ok && (await answer.text()) !== shown) { location.reload(); return; }
  } catch { /* the sandbox may be back in a moment */ }
  setTimeout(look, 1000);
}
setTimeout(look, 1000);
"#;

/// Without scripts the browser asks for the whole page again.
const REFRESH: &str = "<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>\n";

const LEAVE: &str = "document.getElementById(\"back\").submit();";

/// `GET` shows the order as it is; `POST` does what the payer chose, then shows it.
pub(crate) async fn pay(state: Arc<State>, request: Request) -> Response {
    let Some(order) = order_of(&state, &request) else {
        let sentence = "This payment does not exist, or the sandbox was restarted since.";
        return html::note(StatusCode::NOT_FOUND, "No such payment", sentence);
    };
    match *request.method() {
        Method::POST => choose(&state, &order, request).await,
        Method::GET | Method::HEAD => show(&order),
        _ => Response::builder()
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .header("Allow", "GET, HEAD, POST")
            .finish(),
    }
}

/// The order's state in one word, for the page's script.
pub(crate) async fn status(state: Arc<State>, request: Request) -> Response {
    let (status, text) = match order_of(&state, &request) {
        Some(order) => (StatusCode::OK, order.state.as_str()),
        None => (StatusCode::NOT_FOUND, "unknown"),
    };
    Response::builder()
        .status(status)
        .content_type("text/plain; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .body(text)
}

fn order_of(state: &State, request: &Request) -> Option<Order> {
    state.orders.by_token(request.raw_path_param("token")?)
}

async fn choose(state: &Arc<State>, order: &Order, mut request: Request) -> Response {
    let Ok(form) = serve::read_body(request.take_body()).await else {
        return html::note(StatusCode::BAD_REQUEST, "Not understood", "The form did not arrive whole.");
    };
    let choice = url::form_urlencoded::parse(&form).find(|(key, _)| key == "choice").map(|(_, value)| value);
    let moved = match choice.as_deref() {
        // The payer cannot pay what was closed, only the control can.
        Some("pay") if order.state != PaymentState::Closed => {
            state.pay(order.id, Payer::default().of(order)).map(drop)
        }
        Some("fail") => state.orders.become_state(order.id, PaymentState::Failed).map(drop),
        Some("cancel") => state.orders.become_state(order.id, PaymentState::Closed).map(drop),
        Some("pay") => Ok(()),
        _ => return html::note(StatusCode::BAD_REQUEST, "Not understood", "The form names no known choice."),
    };
    if moved.is_err() {
        // Decided meanwhile, perhaps on the payer's other device: the page shows how.
        tracing::debug!(order = order.content.partner_order_no, "came too late");
    }
    let here = order.token();
    // Relative, so that a phone which came by another host name stays on it.
    Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, here).finish()
}

fn show(order: &Order) -> Response {
    match order.state {
        PaymentState::Awaiting => payment(order),
        PaymentState::Failed => failed(order),
        PaymentState::Closed | PaymentState::Paid | PaymentState::Refunded => over(order),
    }
}

/// What a product's page has besides the order.
struct Look {
    /// For the one who scans a code, or whose code was scanned.
    hint: &'static str,
    has_code: bool,
    pay: String,
    fail: &'static str,
}

fn look(order: &Order) -> Look {
    let pay = format!("Pay with {}", order.content.wallet.as_str());
    let fail = "Let it fail";
    match order.content.product {
        Product::Qrcode => {
            Look { hint: "Scan with a phone to open this page there.", has_code: true, pay, fail }
        }
        Product::TransactionQr => Look {
            hint: "The code the store shows: this page is what the payer sees who scans it.",
            has_code: true,
            pay,
            fail,
        },
        Product::Online => {
            Look { hint: "The checkout page the shop sent the browser to.", has_code: false, pay, fail }
        }
        Product::Jspay => Look { hint: "Opened in the wallet's own browser.", has_code: false, pay, fail },
        Product::Barcode => Look {
            hint: "The phone whose code was scanned: the wallet asks for the PIN.",
            has_code: false,
            pay: "Type the PIN and pay".to_owned(),
            fail: "Type a wrong PIN",
        },
    }
}

fn payment(order: &Order) -> Response {
    let Look { hint, has_code, pay, fail } = look(order);
    let code = if has_code {
        format!("<div class=\"code\">{}</div>\n", qr_code(&order.pay_url))
    } else {
        String::new()
    };
    let body = format!(
        "<div data-state=\"{state}\">\n{summary}{code}\
         <p class=\"soft center\">{hint}</p>\n\
         <p class=\"soft center\">To be paid by {until}</p>\n</div>\n\
         <form method=\"post\">\n\
         <button class=\"first\" name=\"choice\" value=\"pay\">{pay}</button>\n\
         <button name=\"choice\" value=\"fail\">{fail}</button>\n\
         <button name=\"choice\" value=\"cancel\">Cancel</button>\n</form>\n",
        state = order.state.as_str(),
        summary = summary(order),
        until = envelope::rfc3339(order.expires_at),
    );
    Page { title: &title(order), head: REFRESH, body: &body, script: Some(WATCH), ..Page::default() }
        .respond(StatusCode::OK)
}

fn failed(order: &Order) -> Response {
    let body = format!(
        "<div data-state=\"{state}\">\n{summary}\
         <p class=\"bad\"><strong>The payment failed.</strong> Nothing was charged.</p>\n</div>\n\
         <form method=\"post\">\n\
         <button class=\"first\" name=\"choice\" value=\"pay\">Try again and pay</button>\n</form>\n{back}",
        state = order.state.as_str(),
        summary = summary(order),
        back = back_form(order),
    );
    Page { title: &title(order), head: REFRESH, body: &body, script: Some(WATCH), ..Page::default() }
        .respond(StatusCode::OK)
}

/// Nothing is left to do here: back to the shop, or a result where the shop named no address.
fn over(order: &Order) -> Response {
    let (class, sentence) = match order.state {
        PaymentState::Paid => ("good", "Paid. Thank you."),
        PaymentState::Refunded => ("good", "Paid, and refunded since."),
        _ => ("bad", "This payment was called off, or its time is over. Nothing was charged."),
    };
    let back = back_form(order);
    let body = format!(
        "{summary}<p class=\"{class}\"><strong>{sentence}</strong></p>\n{back}",
        summary = summary(order)
    );
    let script = (!back.is_empty()).then_some(LEAVE);
    Page { title: &title(order), body: &body, script, ..Page::default() }.respond(StatusCode::OK)
}

fn title(order: &Order) -> String {
    let content = &order.content;
    format!("{} {}", content.currency.format(content.amount), content.currency)
}

fn summary(order: &Order) -> String {
    let content = &order.content;
    let title = content.title.as_deref().map(|title| format!("<p><bdi>{}</bdi></p>\n", escape(title)));
    format!(
        "<p class=\"tag\">Sandbox: no money moves</p>\n\
         <p class=\"amount\">{amount} <small>{currency}</small></p>\n{title}\
         <dl><dt>Store</dt><dd><bdi>{store}</bdi></dd><dt>Order</dt><dd><bdi>{number}</bdi></dd>\
         <dt>Wallet</dt><dd>{wallet}</dd></dl>\n",
        amount = content.currency.format(content.amount),
        currency = content.currency,
        title = title.unwrap_or_default(),
        store = escape(&content.store_no),
        number = escape(&content.partner_order_no),
        wallet = content.wallet.as_str(),
    )
}

/// The browser callback: a form POST of `partnerOrderNo`. A returnUrl's own query string stays.
fn back_form(order: &Order) -> String {
    let Some(return_url) = &order.content.return_url else { return String::new() };
    format!(
        "<form id=\"back\" method=\"post\" action=\"{}\">\n\
         <input type=\"hidden\" name=\"partnerOrderNo\" value=\"{}\">\n\
         <button class=\"whole\">Back to the shop</button>\n</form>\n",
        escape(return_url),
        escape(&order.content.partner_order_no)
    )
}

/// SVG for use inside HTML; a payUrl always fits.
fn qr_code(text: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else { return String::new() };
    let image = code.render::<svg::Color>().min_dimensions(208, 208).build();
    let svg = image.find("<svg").map(|at| &image[at + "<svg".len()..]).unwrap_or_default();
    format!("<svg role=\"img\" aria-label=\"QR code of this page\"{svg}")
}
