//! Pages: the frame around every one of them, escaping, and the headers that keep a page to itself. Nothing is
//! loaded from anywhere; the one style sheet and script are inline and named by a nonce.

use poem::Response;
use poem::http::StatusCode;

use crate::chance;

/// `text` for use between tags and inside double-quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A page; all parts but `title` and `script` are HTML and escaped already.
#[derive(Default)]
pub(crate) struct Page<'a> {
    /// Plain text.
    pub title: &'a str,
    /// More elements of the head.
    pub head: &'a str,
    pub body: &'a str,
    pub script: Option<&'a str>,
    /// Room for a table rather than one card.
    pub is_wide: bool,
}

impl Page<'_> {
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let nonce = chance::token();
        let title = escape(self.title);
        let script = self
            .script
            .map(|script| format!("<script nonce=\"{nonce}\">{script}</script>\n"))
            .unwrap_or_default();
        let class = if self.is_wide { " class=\"wide\"" } else { "" };
        let Self { head, body, .. } = self;
        let text = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style nonce=\"{nonce}\">{STYLE}</style>\n{head}</head>\n\
             <body>\n<main{class}>\n{body}</main>\n{script}</body>\n</html>\n"
        );
        // No form-action: shops redirect after the form that brings the payer back, and browsers hold that
        // against the page that had the form.
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; \
             connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        Response::builder()
            .status(status)
            .content_type("text/html; charset=utf-8")
            .header("Content-Security-Policy", policy)
            .header("X-Content-Type-Options", "nosniff")
            .header("Referrer-Policy", "no-referrer")
            .header("Cache-Control", "no-store")
            .body(text)
    }
}

/// A page of one heading and one sentence.
pub(crate) fn note(status: StatusCode, heading: &str, sentence: &str) -> Response {
    let body = format!("<h1>{}</h1>\n<p>{}</p>\n", escape(heading), escape(sentence));
    Page { title: heading, body: &body, ..Page::default() }.respond(status)
}

const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escaped_can_leave_its_place() {
        assert_eq!(
            escape(r#"<b class="x" id='y'>&amp;"#),
            "&lt;b class=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;"
        );
    }

    #[test]
    fn a_page_allows_only_its_own_style_and_script() {
        let page = Page { title: "t", script: Some("1"), ..Page::default() };
        let policy = |response: Response| {
            let value = response.headers().get("content-security-policy").cloned();
            value.expect("is set").to_str().expect("is text").to_owned()
        };
        let (first, second) = (policy(page.respond(StatusCode::OK)), policy(page.respond(StatusCode::OK)));
        assert!(first.starts_with("default-src 'none'; style-src 'nonce-"));
        assert!(!first.contains("unsafe"));
        assert_ne!(first, second, "every response has a nonce of its own");
    }
}
