//! How a statement's columns are named and its words read: `gateway/config/statement-columns.toml`.

use serde::{Deserialize, Serialize};

use super::Unreadable;

/// The commented defaults.
pub const DEFAULTS: &str = include_str!("../../config/statement-columns.toml");

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amounts {
    Minor,
    Major,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    pub number: String,
    pub order_no: String,
    pub amount: String,
    pub currency: String,
    pub status: String,
    pub r#type: String,
    pub refund_no: String,
    pub delimiter: char,
    pub amounts: Amounts,
    pub default_currency: String,
    pub refund_types: Vec<String>,
    pub paid: Vec<String>,
    pub refunded: Vec<String>,
    pub unpaid: Vec<String>,
    pub time_zone: String,
    pub settlement_days: u8,
}

impl Default for Columns {
    fn default() -> Self {
        toml::from_str(DEFAULTS).expect("a test reads the defaults")
    }
}

impl Columns {
    /// The defaults with what `text` says.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let unreadable =
            |error: toml::de::Error| Unreadable(format!("the columns cannot be read: {}", error.message()));
        let mut all: toml::Table = toml::from_str(DEFAULTS).expect("a test reads the defaults");
        let own: toml::Table = toml::from_str(text).map_err(unreadable)?;
        all.extend(own);
        let columns: Self = all.try_into().map_err(unreadable)?;
        if !columns.delimiter.is_ascii() {
            return Err(Unreadable("`delimiter` must be one ASCII character".to_owned()));
        }
        if columns.amount.is_empty() || (columns.number.is_empty() && columns.order_no.is_empty()) {
            return Err(Unreadable(
                "`amount`, and one of `number` and `order_no`, must name a column".to_owned(),
            ));
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_goes_before_the_defaults_and_what_is_unknown_is_refused() {
        let columns = Columns::read("number = \"Merchant order\"\namounts = \"major\"").expect("is read");
        assert_eq!((columns.number.as_str(), columns.amounts), ("Merchant order", Amounts::Major));
        assert_eq!(columns.amount, Columns::default().amount);
        for wrong in
            ["numbr = \"x\"", "amount = \"\"", "number = \"\"\norder_no = \"\"", "settlement_days = -1", "x"]
        {
            assert!(Columns::read(wrong).is_err(), "{wrong}");
        }
    }
}
