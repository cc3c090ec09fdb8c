//! Requests that came in, by operation and outcome. An operation is named as the contract names it, so that neither a
//! path nor a method that somebody made up becomes a name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Counts, Timings, Word, code, timings};

/// What is none of the operations.
const UNMATCHED: &str = "unmatched";

#[derive(Clone)]
pub struct Requests {
    answered: Counts<3>,
    seconds: Timings,
    under_way: Gauge,
}

impl Default for Requests {
    fn default() -> Self {
        Self { answered: Counts::default(), seconds: timings(), under_way: Gauge::default() }
    }
}

/// What a listener counts its requests by.
#[derive(Clone)]
pub struct Operations {
    requests: Requests,
    /// By the route's pattern, without its parameters' names.
    names: Arc<HashMap<String, Vec<(Method, String)>>>,
}

impl Requests {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "requests",
            "Requests answered, by operation, HTTP status, and code where the answer is the signed API's",
            self.answered.clone(),
        );
        registry.register(
            "request_seconds",
            "From a request's head until its answer was ready",
            self.seconds.clone(),
        );
        registry.register("requests_under_way", "Requests being answered", self.under_way.clone());
    }

    /// To count the operations of a listener: pattern, method and name of each.
    pub fn of(&self, operations: impl IntoIterator<Item = (String, Method, String)>) -> Operations {
        let mut names = HashMap::<String, Vec<(Method, String)>>::new();
        for (pattern, method, name) in operations {
            names.entry(nameless(&pattern)).or_default().push((method, name));
        }
        Operations { requests: self.clone(), names: Arc::new(names) }
    }
}

impl Operations {
    pub fn begun(&self) {
        self.requests.under_way.inc();
    }

    /// A request to the route of this pattern was answered, or its client has gone.
    pub fn ended(&self, route: &str, method: &str, status: u16, said: Option<i32>, took: Duration) {
        self.requests.under_way.dec();
        let operation: Word = self.name(route, method).to_owned().into();
        self.requests.seconds.get_or_create(&[("operation", operation.clone())]).observe(took.as_secs_f64());
        let said = said.map_or(Word::Borrowed(""), code);
        let labels = [("operation", operation), ("status", status.to_string().into()), ("code", said)];
        self.requests.answered.get_or_create(&labels).inc();
    }

    fn name(&self, route: &str, method: &str) -> &str {
        let methods = self.names.get(route).or_else(|| self.names.get(&nameless(route)));
        // poem answers HEAD wherever it answers GET.
        let method = if method == "HEAD" { "GET" } else { method };
        let named = methods.into_iter().flatten().find(|(known, _)| known.as_str() == method);
        named.map_or(UNMATCHED, |(_, name)| name)
    }
}

/// The same pattern is written `/v1/orders/{number}` and `/v1/orders/:number`.
fn nameless(pattern: &str) -> String {
    let segments = pattern.split('/').map(|segment| match segment.as_bytes() {
        [b'{', .., b'}'] | [b':', ..] => "{}",
        _ => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_named_however_its_parameters_are_written_and_what_is_none_has_one_name() {
        let operations = Requests::default().of([
            ("/v1/orders/{number}".to_owned(), Method::GET, "getOrder".to_owned()),
            ("/v1/orders".to_owned(), Method::POST, "placeOrder".to_owned()),
        ]);
        assert_eq!(operations.name("/v1/orders/{number}", "GET"), "getOrder");
        assert_eq!(operations.name("/v1/orders/:id", "HEAD"), "getOrder");
        assert_eq!(operations.name("/v1/orders", "POST"), "placeOrder");
        for (route, method) in [("/v1/orders", "GET"), ("/v1/orders", "other"), ("/v1", "GET"), ("", "GET")] {
            assert_eq!(operations.name(route, method), UNMATCHED, "{method} {route}");
        }
    }
}
