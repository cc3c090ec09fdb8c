//! The patterns and methods of all routes, for what the router does not tell: the `Allow` header of a 405, and the
//! log lines of requests that ended without an answer of their route.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderValue, Method};

#[derive(Default)]
pub struct RouteTable(Vec<Row>);

pub struct Row {
    pub pattern: Arc<str>,
    /// The methods as `Allow` lists them.
    pub allow: HeaderValue,
    segments: Vec<Segment>,
}

enum Segment {
    Literal(String),
    /// `{name}` or `:name`
    One,
    /// `*name`, at the end: whatever follows.
    Rest,
}

impl RouteTable {
    /// Patterns are written `/callback/notify/{token}` or `/callback/notify/:token`; one may come several times,
    /// with other methods.
    pub fn new<P: Into<String>>(routes: impl IntoIterator<Item = (P, Method)>) -> Self {
        let mut methods = BTreeMap::<String, Vec<String>>::new();
        for (pattern, method) in routes {
            let methods = methods.entry(pattern.into()).or_default();
            // poem answers HEAD wherever it answers GET.
            let head = (method == Method::GET).then(|| Method::HEAD.to_string());
            methods.extend([Some(method.to_string()), head].into_iter().flatten());
        }
        Self(methods.into_iter().map(|(pattern, methods)| Row::new(pattern, methods)).collect())
    }

    /// The most literal of the routes that match.
    pub fn find(&self, path: &str) -> Option<&Row> {
        self.0.iter().filter(|row| row.matches(path)).max_by_key(|row| row.literals())
    }
}

impl Row {
    fn new(pattern: String, mut methods: Vec<String>) -> Self {
        methods.sort();
        methods.dedup();
        let allow = HeaderValue::try_from(methods.join(", ")).expect("methods are tokens");
        let segments = pattern.split('/').map(|segment| match segment.as_bytes() {
            [b'{', .., b'}'] | [b':', ..] => Segment::One,
            [b'*', ..] => Segment::Rest,
            _ => Segment::Literal(segment.to_owned()),
        });
        let segments = segments.collect();
        Self { pattern: pattern.into(), allow, segments }
    }

    fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        for segment in &self.segments {
            let fits = match (segment, parts.next()) {
                (Segment::Rest, Some(_)) => return true,
                (Segment::Literal(literal), Some(part)) => literal == part,
                (Segment::One, Some(part)) => !part.is_empty(),
                (_, None) => false,
            };
            if !fits {
                return false;
            }
        }
        parts.next().is_none()
    }

    fn literals(&self) -> usize {
        self.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> RouteTable {
        RouteTable::new([
            ("/{platform}/api/common/payQuery", Method::POST),
            ("/callback/return/{token}", Method::GET),
            ("/callback/return/{token}", Method::POST),
            ("/health/live", Method::GET),
            ("/:one/:two", Method::GET),
            ("/docs/*file", Method::GET),
        ])
    }

    #[test]
    fn a_path_finds_its_pattern_and_the_literal_one_comes_first() {
        let table = table();
        let pattern = |path: &str| table.find(path).map(|row| row.pattern.to_string());
        assert_eq!(pattern("/demo/api/common/payQuery").as_deref(), Some("/{platform}/api/common/payQuery"));
        assert_eq!(pattern("/callback/return/secret").as_deref(), Some("/callback/return/{token}"));
        assert_eq!(pattern("/health/live").as_deref(), Some("/health/live"));
        assert_eq!(pattern("/health/ready").as_deref(), Some("/:one/:two"));
        assert_eq!(pattern("/docs/a/b.js").as_deref(), Some("/docs/*file"));
        for unknown in ["/", "", "/callback/return/", "/callback/return/a/b", "/demo/api/common"] {
            assert_eq!(pattern(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_methods_of_a_pattern_are_gathered_and_get_brings_head() {
        let table = table();
        let allow = |path: &str| table.find(path).map(|row| row.allow.clone());
        assert_eq!(allow("/callback/return/secret"), Some(HeaderValue::from_static("GET, HEAD, POST")));
        assert_eq!(allow("/demo/api/common/payQuery"), Some(HeaderValue::from_static("POST")));
    }
}
