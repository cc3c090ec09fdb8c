//! What the upstream and payers' browsers call: notices, and the way back to the shop. The token in the URL says
//! which submission; nothing else that comes in is believed unless it is signed.

use std::sync::Arc;

use http::{StatusCode, header};
use poem::web::{Data, Path};
use poem::{Body, IntoResponse, Request, Response, handler};
use shared::money::Currency;
use shared::order::OrderStatus;

use super::edge::address::client_address;
use crate::app::App;
use crate::callback::Token;
use crate::chance;
use crate::entity::order;
use crate::limits::{Priority, Refusal};
use crate::orders::notice::{self, Heard};
use crate::orders::{query, recent};

const UNKNOWN: &str =
    "<h1>Unknown payment</h1><p>This address does not belong to a payment. Please go back to the shop.</p>";
const CROWDED: &str =
    "<h1>One moment, please</h1><p>Too many payers are coming back just now. Please reload this page.</p>";

/// `POST /callback/notify/{token}`: `success` once the notice is kept, anything else makes the upstream come again.
#[handler]
pub async fn notify(
    app: Data<&Arc<App>>,
    token: Path<String>,
    request: &Request,
    body: Body,
) -> poem::Result<Response> {
    let document = body.into_bytes().await?;
    let heard = match Token::parse(&token.0) {
        Some(token) => notice::take(app.0, &token, &document).await,
        None => Heard::UnknownToken,
    };
    Ok(answer(app.0, request, heard))
}

/// `POST /callback/account/{token}`: the same for orders of before the move, whichever of the account's they are.
#[handler]
pub async fn account(
    app: Data<&Arc<App>>,
    token: Path<String>,
    request: &Request,
    body: Body,
) -> poem::Result<Response> {
    let document = body.into_bytes().await?;
    let heard = match Token::parse(&token.0) {
        Some(token) => notice::take_for_account(app.0, &token, &document).await,
        None => Heard::UnknownToken,
    };
    Ok(answer(app.0, request, heard))
}

fn answer(app: &App, request: &Request, heard: Heard) -> Response {
    app.metrics.notice(heard.word());
    let later = "try again later";
    let (status, text) = match heard {
        Heard::Kept => (StatusCode::OK, "success"),
        Heard::UnknownOrder => (StatusCode::NOT_FOUND, "no such order here; it may be imported yet"),
        Heard::UnknownToken => match stranger(app, request) {
            Ok(()) => (StatusCode::NOT_FOUND, "unknown"),
            Err(refusal) => return refused(refusal, later.into_response()),
        },
        Heard::NotGenuine => (StatusCode::BAD_REQUEST, "not genuine"),
        Heard::Busy => (StatusCode::SERVICE_UNAVAILABLE, later),
        Heard::Over(refusal) => return refused(refusal, later.into_response()),
    };
    let response =
        Response::builder().status(status).header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    match heard {
        Heard::Busy => response.header(header::RETRY_AFTER, "1").body(text),
        _ => response.body(text),
    }
}

/// A token that is none of ours counts as a failed authentication.
fn stranger(app: &App, request: &Request) -> Result<(), Refusal> {
    app.limits.failed_authentication(client_address(request))
}

/// `answer` as one that says which limit was reached, and when to come again.
fn refused(refusal: Refusal, mut answer: Response) -> Response {
    answer.set_status(StatusCode::TOO_MANY_REQUESTS);
    refusal.put(answer.headers_mut());
    answer
}

/// `GET` and `POST /callback/return/{token}`: the payer's browser on its way back to the shop.
#[handler]
pub async fn come_back(app: Data<&Arc<App>>, token: Path<String>, request: &Request) -> Response {
    let Some(order) = returning(app.0, &token.0).await else {
        let unknown = page(StatusCode::NOT_FOUND, "", UNKNOWN);
        return match stranger(app.0, request) {
            Ok(()) => unknown,
            Err(refusal) => refused(refusal, unknown),
        };
    };
    if let Err(refusal) = app.limits.callback() {
        return refused(refusal, page(StatusCode::TOO_MANY_REQUESTS, "", CROWDED));
    }
    let order = fresh(app.0, order).await;
    match &order.return_url {
        Some(return_url) => to_shop(return_url, &order.number),
        None => result(&order),
    }
}

/// The order that a return token stands for.
async fn returning(app: &App, token: &str) -> Option<order::Model> {
    let token = Token::parse(token)?;
    let submission = recent::submission(app, &token.id).await.ok()??;
    if !token.matches(&submission.return_hash) {
        return None;
    }
    order::Entity::by_id_across_tenants(&submission.order_id).one(&app.store.read).await.ok()?
}

/// The shop will query as soon as the payer is back, so what there is to know is asked for first, within bounds.
async fn fresh(app: &Arc<App>, order: order::Model) -> order::Model {
    if order.status().has_money() {
        return order;
    }
    let config = &app.config.orders;
    let asked = query::ask_within(app, &order, config.return_query_interval, Priority::Query);
    let asked = tokio::time::timeout(config.return_query_timeout, asked).await;
    asked.map_or(order, query::Asked::into_order)
}

/// A page that at once posts the merchant's own order number to the shop, with a button where scripts are off.
fn to_shop(return_url: &str, number: &str) -> Response {
    let nonce = chance::secret_text();
    let body = format!(
        "<h1>Back to the shop</h1>\n<p>The shop will show how your order stands.</p>\n<form id=\"back\" method=\"post\" action=\"{}\">\n\
         <input type=\"hidden\" name=\"partnerOrderNo\" value=\"{}\">\n\
         <button type=\"submit\">Continue to the shop</button>\n</form>\n\
         <script nonce=\"{nonce}\">document.getElementById('back').submit()</script>",
        escape(return_url),
        escape(number),
    );
    page(StatusCode::OK, &nonce, &body)
}

/// For orders whose shop named no page of its own.
fn result(order: &order::Model) -> Response {
    let (class, title, text) = match order.status() {
        status if status.has_money() => ("good", "Payment received", "Thank you. You can close this page."),
        OrderStatus::Failed | OrderStatus::Refused | OrderStatus::Closed => {
            ("bad", "Not paid", "This payment was not made. Please go back to the shop.")
        }
        _ => (
            "",
            "Waiting for the payment",
            "As soon as it is made the shop is told. You can close this page.",
        ),
    };
    let amount = Currency::parse(&order.currency)
        .map_or_else(String::new, |currency| format!("{} {currency}", currency.format(order.amount)));
    let body = format!(
        "<h1 class=\"{class}\">{title}</h1>\n<p>{text}</p>\n<dl><dt>Order</dt><dd><bdi>{}</bdi></dd><dt>Amount</dt><dd>{amount}</dd></dl>",
        escape(&order.number)
    );
    page(StatusCode::OK, "", &body)
}

const STYLE: &str = include_str!("callback.css");

/// No `form-action`: shops redirect after the post, and browsers apply it to redirects too.
fn page(status: StatusCode, nonce: &str, body: &str) -> Response {
    let style_nonce = chance::secret_text();
    let script = if nonce.is_empty() { "'none'".to_owned() } else { format!("'nonce-{nonce}'") };
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src 'nonce-{style_nonce}'; base-uri 'none'; frame-ancestors 'none'"
    );
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Payment</title>\n\
         <style nonce=\"{style_nonce}\">{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    );
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, policy)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::REFERRER_POLICY, "no-referrer")
        .body(html)
        .into_response()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_reflected_unescaped_and_the_query_string_stays() {
        let response = to_shop("https://shop.example/back?a=1&b=\"2\"", "<script>'x'</script>");
        let html = response.into_body().into_string().await.expect("a page");
        assert!(html.contains("action=\"https://shop.example/back?a=1&amp;b=&quot;2&quot;\""), "{html}");
        assert!(html.contains("value=\"&lt;script&gt;&#39;x&#39;&lt;/script&gt;\""), "{html}");
    }

    #[test]
    fn the_way_back_does_not_restrict_where_forms_go() {
        let response = to_shop("https://shop.example/", "p1");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(!policy.contains("form-action"), "{policy}");
        assert!(policy.contains("script-src 'nonce-"), "{policy}");
    }
}
