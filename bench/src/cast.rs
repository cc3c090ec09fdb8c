//! Who takes part: numbers and sign keys that the driver, the stub and the gateway's setup agree on without
//! telling each other. Every key follows from its partner number, and none is good for anything else.

use shared::signature;

pub const PLATFORM: &str = "bench";

/// The platform's key to the REST API, with its check characters. It is good for nothing but a bench's own gateway.
pub const API_KEY: &str = "sg_test_benchbenchbenchbenchbenchbenchbev2fe7imk";

/// Who looks at the bench's gateway as its operators do.
pub const OPERATOR: &str = "bench";
pub const PASSWORD: &str = "a password for measuring";

/// The partner number under which the gateway is known to the stub.
pub const ACCOUNT: &str = "10001";

/// One partner and its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merchant {
    pub partner_no: String,
    pub store_no: String,
    pub sign_key: String,
    /// Where its shop hears of payments.
    pub notify_url: String,
}

pub fn merchants(count: u32) -> Vec<Merchant> {
    (1..=count)
        .map(|number| {
            let partner_no = format!("2{number:04}");
            let sign_key = sign_key(&partner_no);
            let store_no = format!("1000100000{number:05}");
            let notify_url = "https://shop.example.com/ScanForPay/notify".to_owned();
            Merchant { partner_no, store_no, sign_key, notify_url }
        })
        .collect()
}

/// 64 hex digits.
pub fn sign_key(partner_no: &str) -> String {
    signature::sign(partner_no, "a key for measuring")
}

/// What the gateway's `apply` creates: one operator, platform and account, and every merchant with a store of its own.
pub fn setup(merchants: &[Merchant], upstream: &str) -> String {
    let platform = format!(
        "[[operator]]\nname = \"{OPERATOR}\"\npassword = \"{PASSWORD}\"\n\n[[platform]]\nslug = \"{PLATFORM}\"\n\n[[platform.account]]\nname = \"main\"\nbase_url = \"http://{upstream}\"\n\
         partner_no = \"{ACCOUNT}\"\nsign_key = \"{}\"\n\n[[platform.api_key]]\nname = \"bench\"\nmode = \"test\"\n\
         key = \"{API_KEY}\"\n",
        sign_key(ACCOUNT)
    );
    let merchants = merchants.iter().map(|Merchant { partner_no, store_no, sign_key, .. }| {
        format!(
            "\n[[platform.merchant]]\nname = \"Shop {partner_no}\"\npartner_no = \"{partner_no}\"\nmode = \"test\"\n\
             sign_key = \"{sign_key}\"\n\n[[platform.merchant.store]]\nstore_no = \"{store_no}\"\naccount = \"main\"\n\
             upstream_store_no = \"{store_no}\"\ncurrency = \"HKD\"\nwallets = [\"Wechat\", \"Alipay\", \"AlipayHK\"]\n"
        )
    });
    std::iter::once(platform).chain(merchants).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_keys_keep_to_the_protocols_lengths_and_differ() {
        let merchants = merchants(300);
        for merchant in &merchants {
            assert_eq!(
                (merchant.partner_no.len(), merchant.store_no.len(), merchant.sign_key.len()),
                (5, 15, 64)
            );
        }
        let keys: std::collections::HashSet<_> =
            merchants.iter().map(|merchant| &merchant.sign_key).collect();
        assert_eq!(keys.len(), 300);
        assert!(merchants.iter().all(|merchant| merchant.partner_no != ACCOUNT));
    }
}
