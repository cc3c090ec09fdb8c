//! A statement's lines, read from CSV one at a time.

use std::io::Read;

use shared::money::Currency;

use super::Unreadable;
use super::columns::{Amounts, Columns};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Paid,
    Refunded,
    Unpaid,
    Other,
}

/// A line of a statement.
#[allow(clippy::struct_field_names, reason = "a line's number is called a line by everybody")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1; the header is not counted.
    pub line: i64,
    pub is_refund: bool,
    pub number: Option<String>,
    pub order_no: Option<String>,
    pub refund_no: Option<String>,
    /// Minor units, never negative. Of an amount in major units whose currency is not known yet: its text is kept.
    pub amount: String,
    pub currency: Option<String>,
    pub status: Status,
}

/// Where the columns are.
struct Places {
    number: Option<usize>,
    order_no: Option<usize>,
    amount: usize,
    currency: Option<usize>,
    status: Option<usize>,
    r#type: Option<usize>,
    refund_no: Option<usize>,
}

/// Hand each line of `file` to `take`; returns whether the statement tells of refunds at all.
pub fn lines(
    file: impl Read,
    columns: &Columns,
    mut take: impl FnMut(Line) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let delimiter = u8::try_from(columns.delimiter).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).delimiter(delimiter).from_reader(file);
    let unreadable = |error: csv::Error| Unreadable(format!("the statement cannot be read: {error}"));
    let places = Places::of(reader.headers().map_err(unreadable)?, columns)?;
    let mut record = csv::StringRecord::new();
    let mut count = 0;
    while reader.read_record(&mut record).map_err(unreadable)? {
        count += 1;
        take(places.line(&record, count, columns)?)?;
    }
    Ok(places.r#type.is_some() || places.refund_no.is_some())
}

impl Places {
    fn of(header: &csv::StringRecord, columns: &Columns) -> Result<Self, Unreadable> {
        let named = |name: &str| {
            // A spreadsheet's mark of UTF-8 is no part of the first column's name.
            let place = header.iter().position(|cell| cell.trim_start_matches('\u{feff}') == name);
            place.filter(|_| !name.is_empty())
        };
        let missing = |what: &str, name: &str| {
            let there = header.iter().collect::<Vec<_>>().join(", ");
            Unreadable(format!(
                "the statement has no column {name:?} for `{what}`; it has: {there}. Say with --columns how they are called"
            ))
        };
        let amount = named(&columns.amount).ok_or_else(|| missing("amount", &columns.amount))?;
        let (number, order_no) = (named(&columns.number), named(&columns.order_no));
        if number.is_none() && order_no.is_none() {
            return Err(missing("number", &columns.number));
        }
        Ok(Self {
            number,
            order_no,
            amount,
            currency: named(&columns.currency),
            status: named(&columns.status),
            r#type: named(&columns.r#type),
            refund_no: named(&columns.refund_no),
        })
    }

    fn line(&self, record: &csv::StringRecord, line: i64, columns: &Columns) -> Result<Line, Unreadable> {
        let cell = |place: Option<usize>| {
            let text = record.get(place?)?.trim_start_matches('\'');
            (!text.is_empty()).then(|| text.to_owned())
        };
        let wrong = |what: &str| Unreadable(format!("line {line} of the statement {what}"));
        let (number, order_no) = (cell(self.number), cell(self.order_no));
        if number.is_none() && order_no.is_none() {
            return Err(wrong("names no order"));
        }
        let text = cell(Some(self.amount)).ok_or_else(|| wrong("has no amount"))?.replace(',', "");
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text.to_owned()),
            None => (false, text),
        };
        let is_amount = match columns.amounts {
            Amounts::Minor => text.parse::<i64>().is_ok(),
            Amounts::Major => minor(&text, 3).is_some(),
        };
        if !is_amount {
            return Err(wrong("has an amount that is none; see `amounts` in the columns"));
        }
        let is_one_of = |word: &str, words: &[String]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
        let is_refund = match cell(self.r#type) {
            Some(word) => is_one_of(&word, &columns.refund_types),
            None => is_negative,
        };
        let status = match cell(self.status) {
            None => Status::Paid,
            Some(word) if is_one_of(&word, &columns.paid) => Status::Paid,
            Some(word) if is_one_of(&word, &columns.refunded) => Status::Refunded,
            Some(word) if is_one_of(&word, &columns.unpaid) => Status::Unpaid,
            Some(_) => Status::Other,
        };
        let default = Some(columns.default_currency.clone()).filter(|currency| !currency.is_empty());
        Ok(Line {
            line,
            is_refund,
            number,
            order_no,
            refund_no: cell(self.refund_no),
            amount: text,
            currency: cell(self.currency).or(default),
            status,
        })
    }
}

/// The line's amount in minor units of `currency`, if it is one.
pub fn amount_in(amount: &str, amounts: Amounts, currency: &str) -> Option<i64> {
    match amounts {
        Amounts::Minor => amount.parse().ok(),
        Amounts::Major => minor(amount, Currency::parse(currency)?.minor_digits()),
    }
}

/// `21.5` with two digits is 2150; what is finer than the currency is no amount.
fn minor(text: &str, digits: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty()
        || fraction.len() > digits
        || !(whole.to_owned() + fraction).bytes().all(|c| c.is_ascii_digit())
    {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, columns: &Columns) -> Result<Vec<Line>, String> {
        let mut all = Vec::new();
        lines(text.as_bytes(), columns, |line| {
            all.push(line);
            Ok(())
        })
        .map_err(|error| error.to_string())?;
        Ok(all)
    }

    #[test]
    fn major_units_are_read_exactly_or_not_at_all() {
        for (text, digits, expected) in [
            ("21.00", 2, Some(2100)),
            ("21", 2, Some(2100)),
            ("0.05", 2, Some(5)),
            ("2100", 0, Some(2100)),
            ("2100.0", 0, Some(2100)),
            ("2100.5", 0, None),
            ("0.005", 2, None),
            ("90071992547409.91", 2, Some(9_007_199_254_740_991)),
            ("1e3", 2, None),
            (".5", 2, None),
            ("", 2, None),
        ] {
            assert_eq!(minor(text, digits), expected, "{text}");
        }
    }

    #[test]
    fn lines_are_read_by_the_names_and_words_that_were_given() {
        let columns =
            Columns::read("number = \"No\"\namounts = \"major\"\namount = \"Sum\"\ndelimiter = \";\"")
                .expect("read");
        let all =
            read("\u{feff}No;Sum;status;type\n'01AB;1,021.00;SUCCESS;\n01CD;-5.00;9;Refund\n", &columns)
                .expect("read");
        assert_eq!(
            (all[0].number.as_deref(), all[0].amount.as_str(), all[0].is_refund),
            (Some("01AB"), "1021.00", false)
        );
        assert_eq!((all[0].status, all[1].status, all[1].is_refund), (Status::Paid, Status::Other, true));
        assert_eq!((all[1].line, amount_in(&all[1].amount, columns.amounts, "HKD")), (2, Some(500)));
    }

    #[test]
    fn what_cannot_be_read_names_the_line_or_the_column() {
        let columns = Columns::default();
        for (text, said) in [
            ("a,b\n", "no column \"orderAmount\""),
            ("orderAmount\n1\n", "no column \"partnerOrderNo\""),
            ("partnerOrderNo,orderAmount\np1,2100\n,2100\n", "line 2 of the statement names no order"),
            ("partnerOrderNo,orderAmount\np1,21.00\n", "line 1 of the statement has an amount that is none"),
            ("partnerOrderNo,orderAmount\np1\n", "cannot be read"),
        ] {
            let error = read(text, &columns).expect_err(text);
            assert!(error.contains(said), "{error}");
        }
    }
}
