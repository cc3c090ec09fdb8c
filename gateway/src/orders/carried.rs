//! What an answer to create carries, by its product: the way to the payment, or how the order stands.

use super::barcode::Barcode;
use super::content::quoted;
use crate::product::{Carries, Product};
use crate::upstream::Said;

/// `said` with what leads the payer to the payment as its `pay_url`, whatever it is called, and all else to be passed
/// on. What came under another name than the product's own is passed on under that, too.
pub fn carried(product: &Product, said: &mut Said, code: Option<&Barcode>) {
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
pub fn is_final(said: &Said) -> bool {
    matches!(said.status, Some(1..=3))
        && said.partner_order_no.is_some()
        && said.amount.is_some()
        && said.currency.is_some()
}

/// Whether it says that the payer is still to act.
pub fn is_waiting(said: &Said) -> bool {
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
