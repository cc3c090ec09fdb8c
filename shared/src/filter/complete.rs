//! What the word at the cursor could become.

use super::parse::NAMES;
use crate::order::OrderStatus;
use crate::wallet::Wallet;

/// Words that fit, and the word they would replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completions {
    /// Bytes before the word at the cursor.
    pub start: usize,
    pub words: Vec<String>,
}

/// For the word that ends at the cursor, which is so many bytes behind the start of the text.
pub fn complete(text: &str, cursor: usize) -> Completions {
    let before = text.get(..cursor).unwrap_or(text);
    let start = before
        .rfind(char::is_whitespace)
        .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    let word = &before[start..];
    if before.matches('"').count() % 2 == 1 {
        return Completions { start, words: Vec::new() };
    }
    let words = match word.split_once(':') {
        Some((name, begun)) => {
            let begun = begun.to_lowercase();
            let values = values(name).into_iter().filter(|value| value.to_lowercase().starts_with(&begun));
            values.map(|value| format!("{name}:{value}")).collect()
        }
        None => NAMES.iter().filter(|name| name.starts_with(word)).map(|name| (*name).to_owned()).collect(),
    };
    Completions { start, words }
}

fn values(name: &str) -> Vec<String> {
    match name {
        "status" => OrderStatus::ALL.iter().map(|status| status.as_str().to_owned()).collect(),
        "wallet" => Wallet::ALL.iter().map(|wallet| wallet.as_str().to_lowercase()).collect(),
        "since" | "before" => ["15m", "1h", "2h", "24h", "7d"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    }
}
