//! What an answer to create means, and what it carries by its product: the way to the payment, or how the order stands.

use shared::code::Code;

use super::barcode::Barcode;
use super::content::{Content, quoted};
use super::fact::Told;
use super::{Placed, passed_on, told_on};
use crate::product::{Carries, Product};
use crate::upstream::{self, CreateMeaning, Heard, Said};

/// What an answer to create says: as a fact, and as the merchant is told once that is settled.
pub(super) struct Understood {
    pub told: Told,
    pub raw: Option<String>,
    pub reply: Reply,
}

pub(super) enum Reply {
    Placed(Placed),
    /// How the order then stands, with these fields of the answer.
    Standing(Vec<(String, String)>),
    /// It was opened, and the payer may have paid: nothing in the answer can be relied on for that.
    Unsaid,
}

pub(super) fn understand(content: &Content, heard: Heard, theirs: &[(&str, &str)]) -> Understood {
    let mut said = match heard {
        Heard::Nothing { why, raw, .. } => {
            let told = Told::Nothing { why, code: None };
            return Understood { told, raw, reply: Reply::Placed(Placed::Doubt) };
        }
        Heard::Said(said) => said,
    };
    let raw = Some(said.raw.clone());
    let (told, reply) = match upstream::meaning_of_create(said.code) {
        CreateMeaning::Opened => {
            carried(content.product, &mut said, content.barcode.as_ref());
            opened(content.product, said, theirs)
        }
        CreateMeaning::Refused => {
            let placed = refusal(said.code, &said.msg, theirs);
            (Told::Refused(said), Reply::Placed(placed))
        }
        CreateMeaning::Unknown => {
            let why = format!("code {}", said.code);
            (Told::Nothing { why, code: Some(said.code) }, Reply::Placed(Placed::Doubt))
        }
    };
    Understood { told, raw, reply }
}

/// What code 1 says. A payment that it tells of is a fact like any other, and has to name all that facts are checked
/// by; one that does not is no proof, and is asked about at once.
fn opened(product: &Product, said: Box<Said>, theirs: &[(&str, &str)]) -> (Told, Reply) {
    let extra = passed_on(&said, theirs);
    match (product.carries, &said.pay_url) {
        (Carries::Outcome, _) if is_final(&said) => (Told::State(said), Reply::Standing(extra)),
        (Carries::Outcome, _) if is_waiting(&said) => (Told::Opened(said), Reply::Standing(extra)),
        (Carries::Outcome, _) => (Told::Opened(said), Reply::Unsaid),
        (Carries::Way { .. }, Some(pay_url)) => {
            let placed = Placed::Opened { pay_url: pay_url.clone(), order_no: said.order_no.clone(), extra };
            (Told::Opened(said), Reply::Placed(placed))
        }
        (Carries::Way { .. }, None) => (Told::Opened(said), Reply::Placed(Placed::Doubt)),
    }
}

/// The upstream's refusal, as the merchant is told. Where it refused *our* signature or credentials, the
/// merchant must not take it for a word on its own.
pub(super) fn refusal(code: i32, msg: &str, theirs: &[(&str, &str)]) -> Placed {
    let ours = [Code::NOT_AUTHORISED, Code::NOT_JSON, Code::NO_NUMBER, Code::BAD_SIGNATURE];
    if ours.contains(&Code(code)) {
        let msg = format!("ScanForPay refused this store's account (code {code}); ask the platform");
        return Placed::Refused { code: Code::NOT_AUTHORISED.0, msg };
    }
    Placed::Refused { code, msg: told_on(msg, theirs) }
}

/// `said` with what leads the payer to the payment as its `pay_url`, whatever it is called, and all else to be passed
/// on. What came under another name than the product's own is passed on under that, too.
fn carried(product: &Product, said: &mut Said, code: Option<&Barcode>) {
    let names: Vec<&str> = match product.carries {
        Carries::Way { field, also } => std::iter::once(field).chain(also.iter().copied()).collect(),
        Carries::Outcome => Vec::new(),
    };
    if let Some(pay_url) = said.pay_url.take() {
        said.extra.push(("payUrl".to_owned(), quoted(&pay_url)));
    }
    // The payer's code is the merchant's already, and not to be kept.
    said.extra.retain(|(key, text)| key != "barcode" && !code.is_some_and(|code| code.stands_in(text)));
    let way = names.iter().find_map(|name| text(said, name).map(|text| (*name, text)));
    if let Some((_, text)) = way {
        said.pay_url = Some(text);
        said.extra.retain(|(key, _)| key != names[0]);
    }
}

fn text(said: &Said, name: &str) -> Option<String> {
    let (_, value) = said.extra.iter().find(|(key, _)| key == name)?;
    let text: String = serde_json::from_str(value).ok()?;
    // U+0000 cannot be stored.
    Some(text.replace('\0', "\u{fffd}")).filter(|text| !text.is_empty())
}

/// Whether the answer to a product that carries the outcome says how the payment ended, and names all that it has to
/// be checked by.
fn is_final(said: &Said) -> bool {
    matches!(said.status, Some(1..=3))
        && said.partner_order_no.is_some()
        && said.amount.is_some()
        && said.currency.is_some()
}

/// Whether it says that the payer is still to act.
fn is_waiting(said: &Said) -> bool {
    said.status == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::{BARCODE, QRCODE, TRANSACTION_QR};

    fn read(product: &Product, pay_url: Option<&str>, extra: &[(&str, &str)]) -> (Option<String>, String) {
        let extra = extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut said = Said { pay_url: pay_url.map(str::to_owned), extra, ..Said::default() };
        carried(product, &mut said, Some(&Barcode::new("284447106610060508".to_owned())));
        let left: Vec<String> = said.extra.iter().map(|(key, value)| format!("{key}={value}")).collect();
        (said.pay_url, left.join(" "))
    }

    #[test]
    fn the_way_is_found_under_its_own_name_first_and_what_has_another_name_is_passed_on_too() {
        let way = |text: &str, left: &str| (Some(text.to_owned()), left.to_owned());
        let (code, url) = (("qrCode", "\"c\""), ("codeUrl", "\"u\""));
        assert_eq!(read(&TRANSACTION_QR, None, &[code]), way("c", ""));
        assert_eq!(read(&TRANSACTION_QR, None, &[url]), way("u", "codeUrl=\"u\""));
        assert_eq!(read(&TRANSACTION_QR, Some("p"), &[]), way("p", "payUrl=\"p\""));
        assert_eq!(read(&TRANSACTION_QR, Some("p"), &[url, code]), way("c", "codeUrl=\"u\" payUrl=\"p\""));
        assert_eq!(read(&TRANSACTION_QR, None, &[("qrCode", "7"), url]), way("u", "codeUrl=\"u\""));
        assert_eq!(read(&TRANSACTION_QR, None, &[("qrCode", "\"\"")]).0, None);
        assert_eq!(read(&QRCODE, Some("p"), &[code]), way("p", "qrCode=\"c\""));
        assert_eq!(read(&BARCODE, Some("p"), &[("barcode", "\"28\"")]), (None, "payUrl=\"p\"".to_owned()));
        assert_eq!(read(&BARCODE, None, &[("note", "\"of 284447106610060508\""), ("n", "1")]).1, "n=1");
    }
}
