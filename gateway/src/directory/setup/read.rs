//! Reading a description. Errors name a line and do not show it: it may hold a sign key or a password.

use super::Description;

pub fn read(text: &str) -> anyhow::Result<Description> {
    toml::from_str(text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start)];
        let (number, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |end| end + 1));
        let line = text[start..].trim_start();
        let what = if ["sign_key", "password"].iter().any(|secret| line.starts_with(secret)) {
            "this is not text in quotes"
        } else {
            error.message()
        };
        anyhow::anyhow!("line {number}: {what}")
    })
}
