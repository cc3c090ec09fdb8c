//! Partners from a file, or one that is made: `[[partner]]` with `partner_no`, `sign_key` and its `[[partner.store]]`.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use shared::money::Currency;
use shared::wallet::Wallet;

use crate::chance;
use crate::directory::{Partner, Store};

/// A partner as files have it. Holds its key in clear, so it is no part of what is shown.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    partner_no: String,
    sign_key: String,
    #[serde(default)]
    store: Vec<AccountStore>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountStore {
    store_no: String,
    currency: String,
    #[serde(default = "all_wallets")]
    wallets: Vec<Wallet>,
}

fn all_wallets() -> Vec<Wallet> {
    Wallet::ALL.to_vec()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    partner: Vec<Account>,
}

/// The partners that a TOML text names. Errors name the line and never a key.
pub fn read(text: &str) -> anyhow::Result<Vec<Partner>> {
    let file: File = toml::from_str(text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start)];
        let (number, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |end| end + 1));
        let is_secret = text[start..].trim_start().starts_with("sign_key");
        let what = if is_secret { "this is not text in quotes" } else { error.message() };
        anyhow::anyhow!("line {number}: {what}")
    })?;
    file.partner.into_iter().map(Account::into_partner).collect()
}

/// A partner to begin with: a store in Hong Kong dollars and one in yen, every wallet, and a key nobody else has.
pub fn make() -> Partner {
    let store = |store_no: &str, currency| Store {
        store_no: store_no.to_owned(),
        currency: Currency::parse(currency).expect("is a code"),
        wallets: all_wallets(),
    };
    Partner {
        partner_no: "10001".to_owned(),
        sign_key: chance::token() + &chance::token(),
        stores: vec![store("100010000000002", "HKD"), store("100010000000003", "JPY")],
    }
}

impl Account {
    pub(crate) fn into_partner(self) -> anyhow::Result<Partner> {
        let stores = self.store.into_iter().map(|store| {
            let currency = Currency::parse(&store.currency).with_context(|| {
                format!("store {}: currency `{}` is no ISO 4217 code", store.store_no, store.currency)
            })?;
            Ok(Store { store_no: store.store_no, currency, wallets: store.wallets })
        });
        let stores = stores.collect::<anyhow::Result<_>>()?;
        Ok(Partner { partner_no: self.partner_no, sign_key: self.sign_key, stores })
    }

    pub(crate) fn of(partner: &Partner) -> Self {
        let store = partner.stores.iter().map(|store| AccountStore {
            store_no: store.store_no.clone(),
            currency: store.currency.as_str().to_owned(),
            wallets: store.wallets.clone(),
        });
        Self {
            partner_no: partner.partner_no.clone(),
            sign_key: partner.sign_key.clone(),
            store: store.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[[partner]]\npartner_no = \"10001\"\nsign_key = \"s3cret\"\n\n[[partner.store]]\n\
        store_no = \"100010000000002\"\ncurrency = \"HKD\"\nwallets = [\"Alipay\"]\n";

    #[test]
    fn a_file_names_partners_and_stores() {
        let partners = read(FILE).expect("is right");
        assert_eq!((partners[0].partner_no.as_str(), partners[0].sign_key.as_str()), ("10001", "s3cret"));
        let store = &partners[0].stores[0];
        assert_eq!((store.store_no.as_str(), store.currency.as_str()), ("100010000000002", "HKD"));
        assert_eq!(store.wallets, [Wallet::Alipay]);
        let without = read(&FILE.replace("wallets = [\"Alipay\"]\n", "")).expect("is right");
        assert_eq!(without[0].stores[0].wallets, Wallet::ALL);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_the_key() {
        for (was, is, told) in [
            ("\"HKD\"", "\"hk\"", "currency `hk` is no ISO 4217 code"),
            ("[\"Alipay\"]", "[\"Paypal\"]", "line 8: unknown variant `Paypal`"),
            ("store_no", "storeNo", "line 6: unknown field `storeNo`"),
            ("\"s3cret\"", "s3cret", "line 3: this is not text in quotes"),
            ("\"10001\"", "10001", "line 2: invalid type: integer `10001`"),
        ] {
            let error = read(&FILE.replace(was, is)).expect_err("is wrong").to_string();
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_made_key_is_made_anew() {
        let (one, other) = (make(), make());
        assert_eq!(one.sign_key.len(), 64);
        assert_ne!(one.sign_key, other.sign_key);
    }
}
