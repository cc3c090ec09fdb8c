//! Limits of one's own as bodies and answers say them, in the two halves of a quota of the configuration: `200/1s` is
//! `{"count": 200, "window": "1s"}`.

use humantime_serde::re::humantime::format_duration;
use poem_openapi::Object;
use poem_openapi::types::Example;

use super::fields::duration;
use crate::error::Error;
use crate::limits::{Quota, QuotaError};

/// So many at once, and all of them new again after a time, evenly.
#[derive(Object, Debug, Clone, PartialEq, Eq)]
#[oai(example)]
pub struct Limit {
    /// At once.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub count: u32,
    /// Until all are new again: 1 ms to a day, such as `500ms`, `1s` or `1m 30s`.
    #[oai(validator(min_length = 2, max_length = 32))]
    pub window: String,
}

impl Limit {
    /// The quota it stands for. `at` is the pointer to it in the body.
    pub fn quota(&self, at: &str) -> Result<Quota, Error> {
        let (count, window) = (format!("{at}/count"), format!("{at}/window"));
        let quota = Quota::new(self.count, duration(&self.window, &window)?);
        quota.map_err(|error| {
            let pointer = match error {
                QuotaError::Count => &*count,
                QuotaError::Window => &*window,
                QuotaError::Form | QuotaError::Rate => at,
            };
            Error::invalid(pointer, error.to_string())
        })
    }

    /// Of a row's two columns; none where it has none of its own.
    pub fn of_columns(count: Option<i64>, window_ms: Option<i64>) -> Option<Self> {
        // One that cannot be read is not in force either.
        let quota = Quota::of_columns(count, window_ms).ok().flatten()?;
        Some(Self { count: quota.count().get(), window: format_duration(quota.window()).to_string() })
    }
}

impl Example for Limit {
    fn example() -> Self {
        Self { count: 200, window: "1s".into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{FieldProblem, Place};

    fn read(count: u32, window: &str) -> Result<String, String> {
        match (Limit { count, window: window.into() }).quota("/limit") {
            Ok(quota) => Ok(quota.to_string()),
            Err(Error::Invalid(fields)) => match &*fields {
                [FieldProblem { place: Place::Body(pointer), .. }] => Err(pointer.clone()),
                other => panic!("{other:?}"),
            },
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_limit_is_read_as_the_configuration_reads_it_and_refused_where_it_is_wrong() {
        assert_eq!(read(200, "1s").as_deref(), Ok("200/1s"));
        assert_eq!(read(1, "1ms").as_deref(), Ok("1/1ms"));
        assert_eq!(read(1_000_000, "1day").as_deref(), Ok("1000000/1day"));
        for (count, window, pointer) in [
            (0, "1s", "/limit/count"),
            (1_000_001, "1s", "/limit/count"),
            (1, "often", "/limit/window"),
            (1, "999us", "/limit/window"),
            (1, "1500us", "/limit/window"),
            (1, "0s", "/limit/window"),
            (1, "1day 1ms", "/limit/window"),
            (1_000_000, "999ms", "/limit"),
        ] {
            assert_eq!(read(count, window), Err(pointer.to_owned()), "{count} {window}");
        }
    }

    #[test]
    fn columns_are_shown_as_they_were_written() {
        let limit = Limit { count: 60, window: "1m 30s".into() };
        let quota = limit.quota("").expect("a quota");
        let (count, window_ms) = Quota::columns(Some(quota));
        assert_eq!(Limit::of_columns(count, window_ms), Some(limit));
        assert_eq!(Quota::columns(None), (None, None));
        assert_eq!(Limit::of_columns(None, None), None);
    }
}
