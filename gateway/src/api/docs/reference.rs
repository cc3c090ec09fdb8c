//! The reference: Scalar, drawing the contract in the reader's browser from this server's files alone.

use bytes::Bytes;
use poem_openapi::OpenApiService;

use super::markdown::escape;

/// Scalar sets styles at run time and draws icons from data URLs; it is allowed that and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Every section unfolded; models only where they are used; requests as the bytes that travel; no fonts from
/// elsewhere, no proxy, no telemetry; and no form to try a call, which could not sign it.
const SCALAR_CONFIGURATION: &str = r#"{"defaultOpenAllTags":true,"hideModels":true,"defaultHttpClient":{"targetKey":"http","clientKey":"http1.1"},"withDefaultFonts":false,"hideClientButton":true,"hideTestRequestButton":true,"proxyUrl":"","telemetry":false}"#;

/// The last rules hide the choice of programming languages, none of which would sign, and the place to enter a
/// credential, which nothing here would send; and on phones a button for mice, which sticks out behind long headings.
const STYLE: &str = "body { margin: 0; font-family: sans-serif } noscript { display: block; padding: 2rem }
.to-guide { display: block; padding: .6rem 1.5rem; font-size: .9rem; color: inherit }
.request-client-picker, .introduction-card-item:has(> .client-libraries-heading) { display: none !important }
.introduction-card-item:has(> [class~='group/collapse']) { display: none !important }
@media (max-width: 600px) { .anchor-copy { display: none !important } }";

/// Opens what Scalar folds, once, as it comes: the fields of every body are what the page is for. Errors stay folded:
/// all of them have one form. Meanwhile a reader who has not begun to read is kept at the top, where the page would
/// else follow what grows.
pub const OPENING: &str = r#"const headings = ".schema-card-title--compact, .headers-card-title, .parameter-item-trigger, .collapsible-section-trigger";
const folded = `:is(:is(${headings})[aria-expanded="false"], .show-more):not([data-seen])`;
const isError = (heading) => heading.matches(".parameter-item-trigger") && /^\s*([45]\d\d|default)\b/i.test(heading.textContent);

let reading = location.hash !== "";
let settled;
for (const act of ["wheel", "touchstart", "pointerdown", "keydown"]) {
  addEventListener(act, () => { reading = true; }, { once: true, passive: true, capture: true });
}
addEventListener("scroll", () => { if (!reading) scrollTo(0, 0); });

new MutationObserver(() => {
  const found = document.querySelectorAll(folded);
  for (const heading of found) {
    heading.dataset.seen = "";
    if (!isError(heading)) heading.click();
  }
}).observe(document, { childList: true, subtree: true });

new ResizeObserver(() => {
  clearTimeout(settled);
  settled = setTimeout(() => { reading = true; }, 2000);
}).observe(document.documentElement);
"#;

/// The page at `/docs/reference`. Addresses in it are relative, so that it also works below a reverse proxy's path.
pub fn page(title: &str) -> String {
    let title = escape(title);
    let configuration = escape(SCALAR_CONFIGURATION);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}: reference</title>
<style>{STYLE}</style>
</head>
<body>
<a class="to-guide" href="../docs">← {title}: the guide</a>
<noscript>This page needs scripts. The contract itself: <a href="../openapi.yaml">openapi.yaml</a>,
<a href="../openapi.json">openapi.json</a>.</noscript>
<script src="open.js"></script>
<script id="api-reference" data-url="../openapi.json" data-configuration="{configuration}"></script>
<script src="scalar.js"></script>
</body>
</html>
"#
    )
}

/// Scalar's bundle. poem-openapi carries it, but hands it out only inside a page of its own that fetches
/// fonts from the network and breaks on a `</script>` in any description.
pub fn scalar() -> Bytes {
    const OPENING: &str = "<script charset=\"UTF-8\">";
    let page = OpenApiService::new((), "", "").scalar_html();
    let start = page.find(OPENING).expect("the page opens the bundle so") + OPENING.len();
    let end = page.rfind("</script>").expect("the page closes the bundle so");
    Bytes::copy_from_slice(&page.as_bytes()[start..end])
}
