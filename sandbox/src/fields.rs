//! The field tables of `docs/PROTOCOL.md` and reading by them. All problems of a document are found, not only
//! the first: the caller hears the first one with a code, the list of violations has them all.

use shared::code::Code;
use shared::json::{IntegerError, Member, Object};
use shared::money::{Currency, MAX_AMOUNT};
use shared::wallet::Wallet;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;

use crate::time_to_pay::TimeToPay;

/// What a field may hold; the number is the most code points.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text(usize),
    /// Cut where it is too long, not refused.
    Title(usize),
    Url(usize),
    Wallet,
    Currency,
    /// RFC 3339 with an offset.
    Time(usize),
    /// 1 to 2^53.
    Amount,
    /// 0 to 2^53.
    PartAmount,
    /// `it_b_pay`.
    TimeToPay,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
}

const fn required(name: &'static str, kind: Kind) -> Rule {
    Rule { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Rule {
    Rule { name, kind, required: false }
}

/// Header of every request, apart from `partnerNo`, which is read before the signature can be checked.
pub(crate) const HEADER: [Rule; 5] = [
    required("version", Kind::Text(6)),
    // On paper 32 and required; samples have 36, and the public client sends an empty one.
    optional("reqMsgId", Kind::Text(64)),
    optional("reqTime", Kind::Time(25)),
    optional("requestTime", Kind::Time(25)),
    optional("signType", Kind::Text(10)),
];

/// Body of `/api/common/payQuery`.
pub(crate) const QUERY: [Rule; 3] = [
    optional("storeNo", Kind::Text(15)),
    optional("partnerOrderNo", Kind::Text(32)),
    optional("orderNo", Kind::Text(32)),
];

/// Body of `/api/common/refund`. There is no `storeNo` on paper; callers who name it anyway must name the order's.
pub(crate) const REFUND: [Rule; 6] = [
    optional("storeNo", Kind::Text(15)),
    required("partnerOrderNo", Kind::Text(32)),
    required("refundNo", Kind::Text(32)),
    required("orderAmount", Kind::Amount),
    optional("operatorId", Kind::Text(20)),
    optional("terminalNo", Kind::Text(20)),
];

/// Every field that some operation takes; a key that becomes one of these when trimmed or folded is a mistake.
const KNOWN: [&str; 16] = [
    "storeNo",
    "partnerOrderNo",
    "orderNo",
    "wallet",
    "barcode",
    "currency",
    "orderAmount",
    "goodsAmount",
    "goodsExtraAmount",
    "orderTitle",
    "operatorId",
    "terminalNo",
    "notifyUrl",
    "returnUrl",
    "it_b_pay",
    "refundNo",
];

/// A breach of the protocol in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The code it is refused with; `None` is let pass and only listed.
    pub code: Option<Code>,
    pub about: String,
    pub reason: String,
}

impl Problem {
    pub(crate) fn refused(code: Code, about: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code: Some(code), about: about.into(), reason: reason.into() }
    }

    pub(crate) fn noted(about: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code: None, about: about.into(), reason: reason.into() }
    }
}

#[derive(Debug)]
enum Value {
    Text(String),
    Whole(i64),
}

/// The values that were found good, and everything that was not.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    values: Vec<(&'static str, Value)>,
    pub problems: Vec<Problem>,
}

impl Reading {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().find_map(|(known, value)| match value {
            Value::Text(text) if *known == name => Some(text.as_str()),
            _ => None,
        })
    }

    pub(crate) fn whole(&self, name: &str) -> Option<i64> {
        self.values.iter().find_map(|(known, value)| match value {
            Value::Whole(whole) if *known == name => Some(*whole),
            _ => None,
        })
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }
}

/// Read `object` by `rules`.
pub(crate) fn read(object: &Object<'_>, rules: &[Rule]) -> Reading {
    let mut reading = Reading::default();
    for rule in rules {
        match object.get(rule.name) {
            Some(member) => read_member(member, rule, &mut reading),
            None if rule.required => {
                reading.problems.push(Problem::refused(Code::EMPTY, rule.name, "is missing"));
            }
            None => {}
        }
    }
    reading
}

/// Problems with keys rather than values: known fields in disguise, and fields of another operation.
pub(crate) fn read_keys(object: &Object<'_>, rules: &[Rule]) -> Vec<Problem> {
    let stranger = |key: &str| -> Option<Problem> {
        if rules.iter().any(|rule| rule.name == key) {
            return None;
        }
        if KNOWN.contains(&key) {
            return Some(Problem::noted(key, "is not a field of this operation"));
        }
        let folded = key.trim().to_lowercase();
        let known = KNOWN.iter().find(|known| known.to_lowercase() == folded)?;
        Some(Problem::refused(Code::INVALID, *known, "is spelled with other letters or blanks"))
    };
    object.members().iter().filter_map(|member| stranger(&member.key)).collect()
}

fn read_member(member: &Member<'_>, rule: &Rule, reading: &mut Reading) {
    let value = match rule.kind {
        Kind::Amount => whole(member, rule, 1, &mut reading.problems).map(Value::Whole),
        Kind::PartAmount => whole(member, rule, 0, &mut reading.problems).map(Value::Whole),
        _ => text(member, rule, &mut reading.problems).map(Value::Text),
    };
    reading.values.extend(value.map(|value| (rule.name, value)));
}

fn whole(member: &Member<'_>, rule: &Rule, least: i64, problems: &mut Vec<Problem>) -> Option<i64> {
    let mut refuse = |reason: String| problems.push(Problem::refused(Code::INVALID, rule.name, reason));
    match member.integer() {
        Err(IntegerError::NotANumber) => refuse("must be a JSON number".to_owned()),
        Err(IntegerError::NotWhole) => {
            refuse("must be a whole number of the currency's smallest unit".to_owned());
        }
        Err(IntegerError::OutOfRange) => refuse(format!("must be at most {MAX_AMOUNT}")),
        Ok(number) if number < least => refuse(format!("must be at least {least}")),
        Ok(number) if number > MAX_AMOUNT => refuse(format!("must be at most {MAX_AMOUNT}")),
        Ok(number) => {
            if !member.value.bytes().all(|byte| byte.is_ascii_digit()) {
                let reason = "is a whole number, but not written as an int";
                problems.push(Problem::noted(rule.name, reason));
            }
            return Some(number);
        }
    }
    None
}

/// A text, or nothing: an optional empty string is the same as an absent one.
fn text(member: &Member<'_>, rule: &Rule, problems: &mut Vec<Problem>) -> Option<String> {
    let mut refuse = |reason: String| problems.push(Problem::refused(Code::INVALID, rule.name, reason));
    let Some(text) = member.string() else {
        refuse("must be a JSON string".to_owned());
        return None;
    };
    if text.is_empty() {
        if rule.required {
            problems.push(Problem::refused(Code::EMPTY, rule.name, "is empty"));
        }
        return None;
    }
    let most = match rule.kind {
        Kind::Text(most) | Kind::Title(most) | Kind::Url(most) | Kind::Time(most) => most,
        Kind::Wallet | Kind::Currency | Kind::TimeToPay => 10,
        Kind::Amount | Kind::PartAmount => unreachable!("amounts are read as numbers"),
    };
    let length = text.chars().count();
    if length > most {
        if let Kind::Title(_) = rule.kind {
            problems.push(Problem::noted(rule.name, format!("has {length} characters, is cut to {most}")));
            return Some(text.chars().take(most).collect());
        }
        refuse(format!("has {length} characters, may have {most}"));
        return None;
    }
    let complaint = match rule.kind {
        Kind::Url(_) if !is_web_address(&text) => "must be an absolute http or https URL",
        Kind::Wallet if Wallet::parse(&text).is_none() => "must be Wechat, Alipay or AlipayHK",
        Kind::Currency if Currency::parse(&text).is_none() => "must be an ISO 4217 code",
        Kind::TimeToPay if TimeToPay::parse(&text).is_none() => {
            "must be 1m to 15d, in whole m, h or d, or 1c for until midnight"
        }
        Kind::Time(_) if OffsetDateTime::parse(&text, &Rfc3339).is_err() => {
            "must be RFC 3339 with an offset, such as 2018-07-25T18:06:05+08:00"
        }
        _ => return Some(text.into_owned()),
    };
    refuse(complaint.to_owned());
    None
}

/// The URL crate forgives blanks and missing slashes; other readers do not, so they are refused here.
fn is_web_address(text: &str) -> bool {
    let written = ["http://", "https://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    written
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\')
        && Url::parse(text).is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products::Product;

    /// The first refusal: its field and code, if any.
    fn refusal(body: &str) -> Option<(String, i32)> {
        let object = Object::parse(body.as_bytes()).expect("is JSON");
        let rules = Product::Qrcode.rules();
        let mut problems = read(&object, &rules).problems;
        problems.extend(read_keys(&object, &rules));
        problems.into_iter().find_map(|p| p.code.map(|code| (p.about, code.0)))
    }

    fn with(field: &str, value: &str) -> String {
        let mut fields = vec![
            ("storeNo", "\"100010000000002\""),
            ("partnerOrderNo", "\"p1\""),
            ("wallet", "\"Alipay\""),
            ("currency", "\"HKD\""),
            ("orderAmount", "2100"),
        ];
        fields.retain(|(name, _)| *name != field);
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        if !value.is_empty() {
            fields.push(format!("\"{field}\":{value}"));
        }
        format!("{{{}}}", fields.join(","))
    }

    #[test]
    fn every_field_is_held_to_its_row_of_the_table() {
        let long = |n: usize| format!("\"{}\"", "口".repeat(n));
        let url = |n: usize| format!("\"http://a/{}\"", "x".repeat(n - 9));
        for (field, good, bad) in [
            ("storeNo", long(15), long(16)),
            ("partnerOrderNo", long(32), long(33)),
            ("wallet", "\"AlipayHK\"".to_owned(), "\"alipay\"".to_owned()),
            ("currency", "\"JPY\"".to_owned(), "\"hkd\"".to_owned()),
            ("orderAmount", "9007199254740992".to_owned(), "9007199254740993".to_owned()),
            ("orderAmount", "1".to_owned(), "0".to_owned()),
            ("orderAmount", "2100.0".to_owned(), "21.5".to_owned()),
            ("orderAmount", "21e2".to_owned(), "\"2100\"".to_owned()),
            ("orderAmount", "7".to_owned(), "-7".to_owned()),
            ("goodsAmount", "0".to_owned(), "-1".to_owned()),
            ("goodsExtraAmount", "0".to_owned(), "true".to_owned()),
            ("orderTitle", long(101), "5".to_owned()),
            ("operatorId", long(20), long(21)),
            ("operatorId", "\"\"".to_owned(), "null".to_owned()),
            ("terminalNo", long(20), "12".to_owned()),
            ("notifyUrl", url(200), url(201)),
            ("returnUrl", "\"HTTPS://shop.example/r?a=1\"".to_owned(), "\"ftp://shop.example/\"".to_owned()),
            ("returnUrl", "\"http://[::1]:80/\"".to_owned(), "\"javascript:alert(1)\"".to_owned()),
            ("returnUrl", "\"http://a/b\"".to_owned(), "\" http://a/b\"".to_owned()),
            ("returnUrl", "\"http://a/b\"".to_owned(), "\"http:/a/b\"".to_owned()),
            ("notifyUrl", "\"http://a/b\"".to_owned(), "\"http://\"".to_owned()),
        ] {
            assert_eq!(refusal(&with(field, &good)), None, "{field} {good}");
            assert_eq!(refusal(&with(field, &bad)), Some((field.to_owned(), 5)), "{field} {bad}");
        }
        for field in ["storeNo", "partnerOrderNo", "wallet", "currency", "orderAmount"] {
            assert_eq!(refusal(&with(field, "")), Some((field.to_owned(), 4)), "{field} missing");
        }
        assert_eq!(refusal(&with("storeNo", "\"\"")), Some(("storeNo".to_owned(), 4)));
    }

    #[test]
    fn strange_keys_pass_disguised_ones_do_not() {
        assert_eq!(refusal(&with("tradeSummary", "true")), None);
        assert_eq!(refusal(&with("it_b_pay", "\"3m\"")), None);
        for key in ["orderamount", " orderAmount", "ORDERAMOUNT "] {
            assert_eq!(refusal(&with(key, "1")), Some(("orderAmount".to_owned(), 5)), "{key}");
        }
    }

    #[test]
    fn a_long_title_is_cut_and_listed() {
        let body = with("orderTitle", &format!("\"{}\"", "口".repeat(101)));
        let reading = read(&Object::parse(body.as_bytes()).expect("is JSON"), &Product::Qrcode.rules());
        assert_eq!(reading.text("orderTitle").map(|title| title.chars().count()), Some(100));
        assert_eq!(reading.problems.len(), 1);
        assert_eq!(reading.problems[0].code, None);
    }
}
