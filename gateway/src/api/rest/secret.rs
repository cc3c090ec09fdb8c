//! Secrets in answers: shown when they are made, and never again.

use poem_openapi::Object;

use super::Timestamp;

/// A secret that was made for this answer.
#[derive(Object, Debug, Clone)]
#[oai(skip_serializing_if_is_none)]
pub struct ShownSecret {
    /// By which it can be named.
    pub id: String,
    /// The secret itself, the first time only. Keep it: it is not shown again.
    pub secret: Option<String>,
    /// For people: whether this is the only time, or when that was and what to do without it.
    pub notice: String,
}

impl ShownSecret {
    pub fn new(id: &str, secret: &str) -> Self {
        let notice = "Keep it now: it is not shown again.".to_owned();
        Self { id: id.to_owned(), secret: Some(secret.to_owned()), notice }
    }

    /// What a repeat of the request is told. `instead`: how to get another one.
    #[must_use]
    pub fn repeated(&self, shown_at: i64, instead: &str) -> Self {
        let at = Timestamp::of(shown_at).text();
        Self { id: self.id.clone(), secret: None, notice: format!("It was shown once, at {at}. {instead}") }
    }
}
