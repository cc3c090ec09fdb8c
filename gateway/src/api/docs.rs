//! What readers get: the guide at `/docs`, the reference behind it, the sample programs, and the contract itself as
//! `/openapi.yaml` and `/openapi.json`. Everything comes from this server; no page asks another host for anything.

mod guide;
mod markdown;
mod reference;
mod samples;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use poem::endpoint::make_sync;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response, Route, get};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::contract;

/// Files are served as they are and may do nothing at all.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

/// Everything there is to read, kept in memory.
pub struct Library(Vec<File>);

struct File {
    path: String,
    content_type: &'static str,
    content_security_policy: &'static str,
    content: Bytes,
}

impl Library {
    /// Guide, reference and contract; `document` is the contract.
    pub fn about(document: &Value) -> Self {
        let title = document["info"]["title"].as_str().unwrap_or("API");
        let json = serde_json::to_string(document).expect("a JSON value serialises");
        let mut files: Vec<File> = guide::pages(title)
            .into_iter()
            .map(|(path, page)| File::new(path, HTML, guide::CONTENT_SECURITY_POLICY, page))
            .collect();
        files.extend([
            File::new("/docs/guide.css", "text/css; charset=utf-8", NO_PAGE, guide::STYLE),
            File::new("/docs/guide.js", SCRIPT, NO_PAGE, guide::SCRIPT),
            File::new("/docs/reference", HTML, reference::CONTENT_SECURITY_POLICY, reference::page(title)),
            File::new("/docs/open.js", SCRIPT, NO_PAGE, reference::OPENING),
            File::new("/docs/scalar.js", SCRIPT, NO_PAGE, reference::scalar()),
            File::new("/openapi.yaml", "application/yaml", NO_PAGE, contract::yaml(document)),
            File::new("/openapi.json", "application/json", NO_PAGE, json),
        ]);
        files.extend(samples::LANGUAGES.iter().map(|language| {
            let path = format!("/docs/{}", language.address());
            File::new(path, "text/plain; charset=utf-8", NO_PAGE, language.source)
        }));
        Self(files)
    }

    /// Where the files are; all of them answer GET.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|file| file.path.as_str())
    }

    /// Add every file to a table.
    pub fn add_to(self, table: Route) -> Route {
        self.0.into_iter().fold(table, |table, file| table.at(file.path.clone(), get(file.serve())))
    }
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

impl File {
    fn new(
        path: impl Into<String>,
        content_type: &'static str,
        content_security_policy: &'static str,
        content: impl Into<Bytes>,
    ) -> Self {
        Self { path: path.into(), content_type, content_security_policy, content: content.into() }
    }

    /// Browsers ask again each time, and get it only when it has changed.
    fn serve(self) -> impl Endpoint<Output = Response> {
        let tag = format!("\"{}\"", &HEXLOWER.encode(&Sha256::digest(&self.content))[..16]);
        let tag = HeaderValue::try_from(tag).expect("hex digits in quotes are a header value");
        make_sync(move |request: Request| {
            let known = request.headers().get(header::IF_NONE_MATCH) == Some(&tag);
            let response = Response::builder()
                .header(header::ETAG, &tag)
                .header(header::CACHE_CONTROL, "no-cache")
                .header(header::CONTENT_SECURITY_POLICY, self.content_security_policy)
                .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
                .header(header::REFERRER_POLICY, "no-referrer");
            if known {
                response.status(StatusCode::NOT_MODIFIED).finish()
            } else {
                response.content_type(self.content_type).body(self.content.clone())
            }
        })
    }
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
        Library::about(&document).add_to(Route::new())
    }

    async fn text(path: &'static str) -> (Response, String) {
        let mut response = site().get_response(request(path).finish()).await;
        let text = response.take_body().into_string().await.expect("a file is text");
        (response, text)
    }

    #[tokio::test]
    async fn pages_name_their_title_escaped_and_no_other_host() {
        for (path, policy) in [
            ("/docs", guide::CONTENT_SECURITY_POLICY),
            ("/docs/reference", reference::CONTENT_SECURITY_POLICY),
        ] {
            let (response, page) = text(path).await;
            assert_eq!(response.content_type(), Some("text/html; charset=utf-8"));
            assert_eq!(response.header(header::CONTENT_SECURITY_POLICY), Some(policy));
            assert!(page.contains("A &lt;b&gt; &amp; &quot;c&quot;") && !page.contains("A <b>"), "{page}");
            assert!(!page.contains("=\"http"), "{page}");
        }
    }

    #[tokio::test]
    async fn sample_programs_are_given_out_as_text() {
        let (response, program) = text("/docs/samples/php/scangate.php").await;
        assert_eq!(response.content_type(), Some("text/plain; charset=utf-8"));
        assert!(program.starts_with("<?php"));
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
