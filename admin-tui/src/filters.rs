//! What lists are narrowed to: the query that says so to the gateway, and whether a row that the stream brings belongs.

mod deliveries;
mod orders;

use shared::filter::{Completions, FilterError};
use url::form_urlencoded::Serializer;

pub use self::deliveries::DeliveryFilter;
use self::orders::{matches, standing};
use crate::app::Tab;
use shared::filter::Filter;
use shared::ops::OrderRow;

/// What each list is narrowed to. Empty: all of it.
#[derive(Debug, Default)]
pub struct Narrowed {
    pub orders: Filter,
    pub deliveries: DeliveryFilter,
    /// A part of a merchant's name or number.
    pub merchants: String,
}

impl Narrowed {
    /// As it was typed, or would be.
    pub fn text(&self, tab: Tab) -> String {
        match tab {
            Tab::Orders => self.orders.to_string(),
            Tab::Deliveries => self.deliveries.text.clone(),
            Tab::Merchants => self.merchants.clone(),
            _ => String::new(),
        }
    }

    pub fn set(&mut self, tab: Tab, text: &str) -> Result<(), FilterError> {
        match tab {
            Tab::Orders => self.orders = Filter::parse(text)?,
            Tab::Deliveries => self.deliveries = DeliveryFilter::parse(text)?,
            Tab::Merchants => text.trim().clone_into(&mut self.merchants),
            _ => {}
        }
        Ok(())
    }

    /// Path and query of the first page, of so many rows.
    pub fn first_page(&self, tab: Tab, is_day: bool, now_ms: i64, limit: u32) -> String {
        if tab == Tab::Health {
            return tab.path().to_owned();
        }
        let mut query = Serializer::new(String::new());
        match tab {
            Tab::Overview => {
                query.append_pair("span", if is_day { "24h" } else { "1h" });
            }
            _ => {
                query.append_pair("limit", &limit.to_string());
            }
        }
        match tab {
            Tab::Orders if !self.orders.terms.is_empty() => {
                query.append_pair("filter", &self.orders.to_string());
            }
            Tab::Deliveries => {
                query.extend_pairs(self.deliveries.query(now_ms));
            }
            Tab::Merchants if !self.merchants.is_empty() => {
                query.append_pair("q", &self.merchants);
            }
            _ => {}
        }
        format!("{}?{}", tab.path(), query.finish())
    }

    /// Path and query of the stream that feeds a screen. It is narrowed only by what does not change about an order: of
    /// one that leaves the list by changing we have to hear, too.
    pub fn stream(&self, tab: Tab) -> Option<String> {
        let mut query = Serializer::new(String::new());
        query.append_pair("topics", tab.topic()?);
        let lasting = standing(&self.orders);
        if tab == Tab::Orders && !lasting.terms.is_empty() {
            query.append_pair("filter", &lasting.to_string());
        }
        Some(format!("/ops/v1/live?{}", query.finish()))
    }

    pub fn has_order(&self, row: &OrderRow, now_ms: i64) -> bool {
        matches(&self.orders, row, now_ms)
    }
}

/// Words that the one being typed could become.
pub fn complete(tab: Tab, text: &str) -> Completions {
    match tab {
        Tab::Orders => shared::filter::complete(text, text.len()),
        Tab::Deliveries => deliveries::complete(text),
        _ => Completions { start: text.len(), words: Vec::new() },
    }
}

/// Why it cannot be read, with the place.
pub fn wrong(tab: Tab, text: &str) -> Option<FilterError> {
    Narrowed::default().set(tab, text).err()
}
