//! Where the payer's browser ends up. What it brings is not believed: the page says what notices have said, or
//! what asking gives.

use std::sync::Arc;
use std::time::Duration;

use poem::http::StatusCode;
use poem::{Request, Response};

use super::till::Till;
use super::{Ask, Asked};
use crate::html::{Page, escape};
use crate::serve;

/// Longest time asking may take before the page is shown without an answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);
/// As much of a number as is shown; longer ones are not ours.
const MAX_SHOWN: usize = 64;

/// The browser callback: `partnerOrderNo` in a form, or in the query when the page asks again by itself.
pub(super) async fn returned(till: &Arc<Till>, ask: Option<Ask>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let form = serve::read_body(body).await.unwrap_or_default();
    let Some(number) =
        number_in(&form).or_else(|| number_in(parts.uri.query().unwrap_or_default().as_bytes()))
    else {
        let body = "<h1>Demo shop</h1>\n<p>No order was named.</p>\n";
        return Page { title: "Demo shop", body, ..Page::default() }.respond(StatusCode::BAD_REQUEST);
    };
    let status = if till.is_paid(&number) { Some(Asked::Paid) } else { asked(ask, &number).await };
    show(&number, status)
}

fn number_in(form: &[u8]) -> Option<String> {
    let (_, number) = url::form_urlencoded::parse(form).find(|(key, _)| key == "partnerOrderNo")?;
    (!number.is_empty()).then(|| number.chars().take(MAX_SHOWN).collect())
}

async fn asked(ask: Option<Ask>, number: &str) -> Option<Asked> {
    tokio::time::timeout(ASK_TIMEOUT, ask?(number.to_owned())).await.ok().flatten()
}

fn show(number: &str, status: Option<Asked>) -> Response {
    let (class, sentence) = match status {
        Some(Asked::Paid) => ("good", "Your payment has arrived."),
        Some(Asked::Refunded) => ("soft", "Your payment was refunded."),
        Some(Asked::Failed) => ("bad", "The payment failed. Nothing was charged."),
        Some(Asked::Closed) => ("bad", "The payment was called off. Nothing was charged."),
        Some(Asked::Awaiting) | None => ("soft", "We are checking your payment."),
    };
    let heading = match status {
        Some(Asked::Failed | Asked::Closed) => "Order",
        _ => "Thank you, order",
    };
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("partnerOrderNo", number).finish();
    let head = match status {
        Some(Asked::Awaiting) | None => {
            format!("<meta http-equiv=\"refresh\" content=\"2; url=?{}\">\n", escape(&query))
        }
        Some(_) => String::new(),
    };
    let body = format!(
        "<p class=\"tag\">Demo shop</p>\n<h1>{heading} <bdi>{}</bdi></h1>\n\
         <p class=\"{class}\"><strong>{sentence}</strong></p>\n",
        escape(number)
    );
    Page { title: "Demo shop", head: &head, body: &body, ..Page::default() }.respond(StatusCode::OK)
}
