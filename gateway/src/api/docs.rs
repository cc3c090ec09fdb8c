//! The contract for readers: `/docs` shows it, `/openapi.yaml` and `/openapi.json` are it. Everything comes
//! from this server; the page asks no other host for anything.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use poem::endpoint::make_sync;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response, Route, get};
use poem_openapi::OpenApiService;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::contract;

/// Scalar sets styles at run time and draws icons from data URLs; it is allowed that and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Every section unfolded; models only where they are used; requests as the bytes that travel; no fonts from
/// elsewhere, no proxy, no telemetry; and no form to try a call, which could not sign it.
const SCALAR_CONFIGURATION: &str = r#"{"defaultOpenAllTags":true,"hideModels":true,"defaultHttpClient":{"targetKey":"http","clientKey":"http1.1"},"withDefaultFonts":false,"hideClientButton":true,"hideTestRequestButton":true,"proxyUrl":"","telemetry":false}"#;

/// The second rule hides the choice of programming languages: none of the samples would sign.
const STYLE: &str = "body { margin: 0 } noscript { display: block; padding: 2rem; font-family: sans-serif }
.request-client-picker, .introduction-card-item:has(> .client-libraries-heading) { display: none !important }";

/// Opens what Scalar folds, once, as it comes: the fields of every body are what the page is for.
const OPENING: &str = r#"new MutationObserver(() => {
  const headings = ".schema-card-title--compact, .headers-card-title, .parameter-item-trigger, .collapsible-section-trigger";
  for (const heading of document.querySelectorAll(`:is(${headings})[aria-expanded="false"]:not([data-opened])`)) {
    heading.dataset.opened = "";
    heading.click();
  }
}).observe(document, { childList: true, subtree: true });
"#;

/// Add `/docs` with its scripts, `/openapi.yaml` and `/openapi.json`, all about `document`, to a table.
pub fn add_routes(table: Route, document: &Value) -> Route {
    let title = document["info"]["title"].as_str().unwrap_or("API");
    let json = serde_json::to_string(document).expect("a JSON value serialises");
    table
        .at("/docs", get(file("text/html; charset=utf-8", page(title))))
        .at("/docs/open.js", get(file("text/javascript; charset=utf-8", OPENING)))
        .at("/docs/scalar.js", get(file("text/javascript; charset=utf-8", scalar())))
        .at("/openapi.yaml", get(file("application/yaml", contract::yaml(document))))
        .at("/openapi.json", get(file("application/json", json)))
}

/// Addresses in the page are relative, so that it also works below a reverse proxy's path.
fn page(title: &str) -> String {
    let title = escape(title);
    let configuration = escape(SCALAR_CONFIGURATION);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<noscript>This page needs scripts. The contract itself: <a href="openapi.yaml">openapi.yaml</a>,
<a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/open.js"></script>
<script id="api-reference" data-url="openapi.json" data-configuration="{configuration}"></script>
<script src="docs/scalar.js"></script>
</body>
</html>
"#
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Scalar's bundle. poem-openapi carries it, but hands it out only inside a page of its own that fetches
/// fonts from the network and breaks on a `</script>` in any description.
fn scalar() -> Bytes {
    const OPENING: &str = "<script charset=\"UTF-8\">";
    let page = OpenApiService::new((), "", "").scalar_html();
    let start = page.find(OPENING).expect("the page opens the bundle so") + OPENING.len();
    let end = page.rfind("</script>").expect("the page closes the bundle so");
    Bytes::copy_from_slice(&page.as_bytes()[start..end])
}

/// One file kept in memory. Browsers ask again each time, and get it only when it has changed.
fn file(content_type: &'static str, content: impl Into<Bytes>) -> impl Endpoint<Output = Response> {
    let content = content.into();
    let tag = format!("\"{}\"", &HEXLOWER.encode(&Sha256::digest(&content))[..16]);
    let tag = HeaderValue::try_from(tag).expect("hex digits in quotes are a header value");
    make_sync(move |request: Request| {
        let known = request.headers().get(header::IF_NONE_MATCH) == Some(&tag);
        let response = Response::builder()
            .header(header::ETAG, &tag)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::REFERRER_POLICY, "no-referrer");
        if known {
            response.status(StatusCode::NOT_MODIFIED).finish()
        } else {
            response.content_type(content_type).body(content.clone())
        }
    })
}

#[cfg(test)]
mod tests {
    use poem::http::{Method, Uri};
    use serde_json::json;

    use super::*;

    fn request(path: &'static str) -> poem::RequestBuilder {
        Request::builder().method(Method::GET).uri(Uri::from_static(path))
    }

    fn site() -> Route {
        let document = json!({ "openapi": "3.1.1", "info": { "title": "A <b> & \"c\"", "version": "1" } });
        add_routes(Route::new(), &document)
    }

    async fn text(path: &'static str) -> (Response, String) {
        let mut response = site().get_response(request(path).finish()).await;
        let text = response.take_body().into_string().await.expect("a file is text");
        (response, text)
    }

    #[tokio::test]
    async fn the_page_names_its_title_escaped_and_no_other_host() {
        let (response, page) = text("/docs").await;
        assert_eq!(response.content_type(), Some("text/html; charset=utf-8"));
        assert_eq!(response.header(header::CONTENT_SECURITY_POLICY), Some(CONTENT_SECURITY_POLICY));
        assert!(page.contains("<title>A &lt;b&gt; &amp; &quot;c&quot;</title>"), "{page}");
        assert!(!page.contains("//"), "{page}");
    }

    #[tokio::test]
    async fn the_script_is_the_bundle_and_nothing_of_its_page() {
        let (response, script) = text("/docs/scalar.js").await;
        assert_eq!(response.content_type(), Some("text/javascript; charset=utf-8"));
        assert!(script.contains("@scalar/api-reference"));
        assert!(!script.contains("</script>"));
        assert!(script.trim_end().ends_with("}();") || script.trim_end().ends_with("}));"), "cut short");
    }

    #[tokio::test]
    async fn both_files_are_the_contract() {
        let (_, json) = text("/openapi.json").await;
        let (_, yaml) = text("/openapi.yaml").await;
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["openapi"], "3.1.1");
        assert_eq!(serde_yaml_ng::from_str::<Value>(&yaml).expect("YAML"), json);
    }

    #[tokio::test]
    async fn a_browser_that_has_the_file_is_not_sent_it_again() {
        let site = site();
        let first = site.get_response(request("/docs/scalar.js").finish()).await;
        let tag = first.header(header::ETAG).expect("a tag").to_owned();
        let again = request("/docs/scalar.js").header(header::IF_NONE_MATCH, tag).finish();
        let again = site.get_response(again).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let changed = request("/docs/scalar.js").header(header::IF_NONE_MATCH, "\"other\"").finish();
        assert_eq!(site.get_response(changed).await.status(), StatusCode::OK);
    }
}
