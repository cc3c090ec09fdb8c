//! What a create asks for: reading it by the product's field rules, telling whether two ask for the same, and
//! asking the upstream for it in the store's own numbers.

use std::borrow::Cow;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::code::Code;
use shared::json::{IntegerError, Member, Object};
use shared::money::Currency;
use shared::wallet::Wallet;
use url::Url;

use super::barcode::Barcode;
use super::time_to_pay::TimeToPay;
use crate::deliveries::address::AddressPolicy;
use crate::product::{Field, KNOWN_FIELDS, Kind, Product};

const URL_LENGTH: usize = 200;

/// Why a field was not taken; `code` is the protocol's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub code: Code,
    pub field: String,
    pub reason: Cow<'static, str>,
}

impl FieldError {
    pub fn invalid(field: &str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Code::INVALID, field: field.to_owned(), reason: reason.into() }
    }

    fn empty(field: &str) -> Self {
        Self { code: Code::EMPTY, field: field.to_owned(), reason: "is required".into() }
    }
}

/// A create's body, read. Amounts are minor units.
#[derive(Debug, Clone)]
pub struct Content {
    pub product: &'static Product,
    pub store_no: String,
    pub number: String,
    pub wallet: Option<Wallet>,
    /// As it was named, by a product that does not take it, too: it is not kept in any case.
    pub barcode: Option<Barcode>,
    /// As it was named, by a product that does not take it, too: it must be the store's in any case.
    pub currency: Option<Currency>,
    pub amount: i64,
    pub goods_amount: Option<i64>,
    pub goods_extra_amount: Option<i64>,
    pub title: Option<String>,
    pub operator_id: Option<String>,
    pub terminal_no: Option<String>,
    pub notify_url: Option<Url>,
    pub return_url: Option<Url>,
    pub time_to_pay: Option<TimeToPay>,
    /// Fields that we do not know and only pass on: key and value's JSON text.
    pub extra: Vec<(String, String)>,
}

impl Content {
    pub fn read(
        product: &'static Product,
        body: &Object<'_>,
        policy: &AddressPolicy,
    ) -> Result<Self, FieldError> {
        let mut content = Self {
            product,
            store_no: String::new(),
            number: String::new(),
            wallet: None,
            barcode: None,
            currency: None,
            amount: 0,
            goods_amount: None,
            goods_extra_amount: None,
            title: None,
            operator_id: None,
            terminal_no: None,
            notify_url: None,
            return_url: None,
            time_to_pay: None,
            extra: extra(body)?,
        };
        for field in product.fields {
            let member = body.get(field.name).filter(|member| !is_absent(member));
            match member {
                Some(member) => content.take(field, member, policy)?,
                None if field.required => return Err(FieldError::empty(field.name)),
                None => {}
            }
        }
        if !product.takes("currency")
            && let Some(member) = body.get("currency").filter(|member| !is_absent(member))
        {
            content.currency = Some(currency("currency", member)?);
        }
        if let Some(member) = body.get("barcode").filter(|_| !product.takes("barcode")) {
            let code = member.string().unwrap_or_else(|| member.value.into());
            content.barcode = Some(Barcode::new(code.into_owned()));
        }
        Ok(content)
    }

    fn take(&mut self, field: &Field, member: &Member<'_>, policy: &AddressPolicy) -> Result<(), FieldError> {
        match field.kind {
            Kind::Amount => self.amount = amount(field.name, member, 1)?,
            Kind::PartAmount if field.name == "goodsAmount" => {
                self.goods_amount = Some(amount(field.name, member, 0)?);
            }
            Kind::PartAmount => self.goods_extra_amount = Some(amount(field.name, member, 0)?),
            Kind::Text(limit) => {
                let text = text(field.name, member, limit)?;
                match field.name {
                    "storeNo" => self.store_no = text,
                    "partnerOrderNo" => self.number = text,
                    "operatorId" => self.operator_id = Some(text),
                    _ => self.terminal_no = Some(text),
                }
            }
            Kind::Title(limit) => {
                let title = text(field.name, member, usize::MAX)?;
                self.title = Some(title.chars().take(limit).collect());
            }
            Kind::Wallet => {
                let name = text(field.name, member, 10)?;
                let wallet = Wallet::parse(&name).filter(|wallet| self.product.wallets.contains(wallet));
                self.wallet = Some(wallet.ok_or_else(|| {
                    let names: Vec<&str> =
                        self.product.wallets.iter().map(|wallet| wallet.as_str()).collect();
                    FieldError::invalid(field.name, format!("is none of {}", names.join(", ")))
                })?);
            }
            Kind::Currency => self.currency = Some(currency(field.name, member)?),
            Kind::Barcode(limit) => self.barcode = Some(Barcode::new(text(field.name, member, limit)?)),
            Kind::TimeToPay => {
                let time = text(field.name, member, 10)?;
                self.time_to_pay = Some(TimeToPay::parse(&time).ok_or_else(|| {
                    FieldError::invalid(
                        field.name,
                        "is not 1m to 15d, in whole m, h or d, nor 1c (until midnight)",
                    )
                })?);
            }
            Kind::NotifyUrl => {
                let url = text(field.name, member, URL_LENGTH)?;
                let url =
                    policy.check_url(&url).map_err(|why| FieldError::invalid(field.name, why.to_string()))?;
                self.notify_url = Some(url);
            }
            Kind::ReturnUrl => {
                self.return_url = Some(page(field.name, &text(field.name, member, URL_LENGTH)?)?);
            }
        }
        Ok(())
    }

    /// SHA-256 over what makes two creates of one number the same order.
    pub fn hash(&self) -> Vec<u8> {
        let mut said = vec![
            json!(self.product.name),
            json!(self.store_no),
            json!(self.wallet.map(Wallet::as_str)),
            json!(self.sent_currency().map(Currency::as_str)),
            json!(self.amount),
            json!(self.goods_amount),
            json!(self.goods_extra_amount),
            json!(self.title),
            json!(self.notify_url.as_ref().map(Url::as_str)),
            json!(self.return_url.as_ref().map(Url::as_str)),
        ];
        // Only where they are fields at all: an order of a product that has neither keeps the hash it ever had.
        said.extend(self.sent_barcode().map(|code| json!({ "barcode": code })));
        said.extend(self.time_to_pay.as_ref().map(|time| json!({"it_b_pay": time.as_str()})));
        Sha256::digest(Value::from(said).to_string()).to_vec()
    }

    fn sent_barcode(&self) -> Option<&str> {
        self.barcode.as_ref().filter(|_| self.product.takes("barcode")).map(Barcode::reveal)
    }

    /// Where the product takes it.
    fn sent_currency(&self) -> Option<&Currency> {
        self.currency.as_ref().filter(|_| self.product.takes("currency"))
    }

    /// The body to send upstream: the store's number there, our order number, our callbacks.
    pub fn upstream_body(&self, store_no: &str, number: &str, notify_url: &str, return_url: &str) -> String {
        let mut body = BodyText::default();
        body.text("storeNo", store_no);
        body.text("partnerOrderNo", number);
        body.text_if("wallet", self.wallet.map(Wallet::as_str));
        body.text_if("barcode", self.sent_barcode());
        body.text_if("currency", self.sent_currency().map(Currency::as_str));
        body.number("orderAmount", self.amount);
        body.number_if("goodsAmount", self.goods_amount);
        body.number_if("goodsExtraAmount", self.goods_extra_amount);
        body.text_if("orderTitle", self.title.as_deref());
        body.text_if("operatorId", self.operator_id.as_deref());
        body.text_if("terminalNo", self.terminal_no.as_deref());
        body.text_if("it_b_pay", self.time_to_pay.as_ref().map(TimeToPay::as_str));
        body.text_if("notifyUrl", Some(notify_url).filter(|_| self.product.takes("notifyUrl")));
        body.text_if("returnUrl", Some(return_url).filter(|_| self.product.takes("returnUrl")));
        for (key, value) in &self.extra {
            body.raw(key, value);
        }
        body.finish()
    }
}

/// Absent, `null` and the empty string are the same: existing clients send all three.
fn is_absent(member: &Member<'_>) -> bool {
    member.is_null() || member.value == "\"\""
}

/// A text of 1 to `limit` code points.
pub fn text(field: &str, member: &Member<'_>, limit: usize) -> Result<String, FieldError> {
    let Some(text) = member.string() else {
        return Err(FieldError::invalid(field, "is not a string"));
    };
    if text.contains('\0') {
        return Err(FieldError::invalid(field, "has a character that cannot be kept (U+0000)"));
    }
    if text.chars().count() > limit {
        return Err(FieldError::invalid(field, format!("is longer than {limit} characters")));
    }
    Ok(text.into_owned())
}

/// A text that may be absent.
pub fn text_if_present(
    body: &Object<'_>,
    field: &'static str,
    limit: usize,
) -> Result<Option<String>, FieldError> {
    body.get(field).filter(|member| !is_absent(member)).map(|member| text(field, member, limit)).transpose()
}

fn currency(field: &str, member: &Member<'_>) -> Result<Currency, FieldError> {
    let code = text(field, member, 10)?;
    Currency::parse(&code).ok_or_else(|| FieldError::invalid(field, "is not an ISO 4217 code"))
}

/// A text that must be there.
pub fn required_text(body: &Object<'_>, field: &'static str, limit: usize) -> Result<String, FieldError> {
    text_if_present(body, field, limit)?.ok_or_else(|| FieldError::empty(field))
}

/// An amount above zero that must be there.
pub fn required_amount(body: &Object<'_>, field: &'static str) -> Result<i64, FieldError> {
    let member = body.get(field).filter(|member| !is_absent(member));
    amount(field, member.ok_or_else(|| FieldError::empty(field))?, 1)
}

fn amount(field: &str, member: &Member<'_>, least: i64) -> Result<i64, FieldError> {
    match member.integer() {
        Ok(amount) if amount >= least => Ok(amount),
        Ok(_) if least == 0 => Err(FieldError::invalid(field, "is negative")),
        Ok(_) => Err(FieldError::invalid(field, "is not above zero")),
        Err(error @ (IntegerError::NotANumber | IntegerError::NotWhole)) => Err(FieldError::invalid(
            field,
            format!("{error}; amounts are integers in the currency's smallest unit"),
        )),
        Err(error) => Err(FieldError::invalid(field, error.to_string())),
    }
}

/// A page for the payer's browser: its address is not ours to judge.
fn page(field: &str, text: &str) -> Result<Url, FieldError> {
    let url = Url::parse(text).map_err(|_| FieldError::invalid(field, "is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(FieldError::invalid(field, "is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FieldError::invalid(field, "may not carry a user name or password"));
    }
    Ok(url)
}

/// The fields we do not know. One that would become a known field when trimmed or folded is refused: the
/// upstream might read it as that field.
fn extra(body: &Object<'_>) -> Result<Vec<(String, String)>, FieldError> {
    let mut extra = Vec::new();
    for member in body.members() {
        if KNOWN_FIELDS.contains(&&*member.key) {
            continue;
        }
        let folded = folded(&member.key);
        if let Some(known) = KNOWN_FIELDS.iter().find(|known| known.eq_ignore_ascii_case(&folded)) {
            return Err(FieldError::invalid(known, "is misspelled: blanks or capitals differ"));
        }
        extra.push((member.key.clone().into_owned(), member.value.to_owned()));
    }
    Ok(extra)
}

/// A key as the most forgiving reader would take it: without blanks or invisible characters around it (some trim
/// control characters, some U+FEFF), and folded both ways (to lower case alone, `ſ` and `s` stay different).
fn folded(key: &str) -> String {
    let is_trimmed =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}');
    key.trim_matches(is_trimmed).to_uppercase().to_lowercase()
}

/// A compact JSON object, member by member in the order given.
#[derive(Debug, Default)]
pub struct BodyText(String);

impl BodyText {
    pub fn raw(&mut self, key: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(value);
    }

    pub fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &quoted(value));
    }

    pub fn text_if(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    pub fn number(&mut self, key: &str, value: i64) {
        self.raw(key, &value.to_string());
    }

    pub fn number_if(&mut self, key: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    pub fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("any text is a JSON string")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::QRCODE;

    const BODY: &str =
        r#"{"storeNo":"s1","partnerOrderNo":"p1","wallet":"Alipay","currency":"HKD","orderAmount":2100"#;

    fn read(more: &str) -> Result<Content, FieldError> {
        let text = format!("{BODY}{more}}}");
        let policy = AddressPolicy::new(Vec::new(), Vec::new());
        Content::read(&QRCODE, &Object::parse(text.as_bytes()).expect("JSON"), &policy)
    }

    #[test]
    fn a_long_title_is_cut_and_not_refused() {
        let content = read(&format!(",\"orderTitle\":\"{}\"", "咖".repeat(101))).expect("is taken");
        assert_eq!(content.title.expect("is there").chars().count(), 100);
    }

    #[test]
    fn empty_optional_strings_are_the_same_as_absent_ones() {
        let content = read(r#","operatorId":"","notifyUrl":null"#).expect("is taken");
        assert_eq!((content.operator_id, content.notify_url), (None, None));
        assert_eq!(read("").expect("is taken").hash(), read(r#","orderTitle":"""#).expect("is taken").hash());
    }

    #[test]
    fn unknown_fields_are_passed_on_as_they_are() {
        let content = read(r#","tradeSummary":true,"x":1.50"#).expect("is taken");
        let body = content.upstream_body("u", "n", "https://a/n", "https://a/r");
        assert!(body.ends_with(r#""tradeSummary":true,"x":1.50}"#), "{body}");
        assert!(
            !body.contains("\"s1\"") && !body.contains("\"p1\""),
            "the merchant's numbers stay here: {body}"
        );
    }

    #[test]
    fn a_field_that_becomes_a_known_one_when_trimmed_or_folded_is_refused() {
        for key in [
            " storeNo",
            "notifyurl",
            "BARCODE",
            "payUrl ",
            "\\u0000storeNo",
            "storeNo\\ufeff",
            "\\tstoreNo",
            "ſtoreNo",
        ] {
            let error = read(&format!(",\"{key}\":\"x\"")).expect_err("is refused");
            assert_eq!(error.code, Code::INVALID, "{key}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |more: &str| read(more).map(drop).expect_err("is refused");
        assert_eq!(wrong(r#","orderTitle":5"#).field, "orderTitle");
        assert_eq!(wrong(r#","goodsAmount":-1"#).field, "goodsAmount");
        assert_eq!(wrong(r#","terminalNo":"123456789012345678901""#).reason, "is longer than 20 characters");
        assert_eq!(wrong(r#","returnUrl":"ftp://a/b""#).field, "returnUrl");
        assert_eq!(wrong(r#","notifyUrl":"http://127.0.0.1/""#).field, "notifyUrl");
        assert_eq!(wrong(r#","operatorId":"a\u0000""#).field, "operatorId");
    }
}
