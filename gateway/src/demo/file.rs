//! `demo.json`: what a script needs to use the demo, and what makes a second start the same demo. Beside it
//! `demo.env`, the shop's and the platform's part of it for a shell.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use shared::wallet::Wallet;

use super::{PARTNER_NO, PLATFORM, STORES, UPSTREAM_PARTNER_NO};
use crate::chance;
use crate::directory::access::Mode;
use crate::directory::api_keys;

/// Everything a script needs to use the demo. Holds its secrets: mode 0600.
#[derive(Serialize, Deserialize)]
pub struct DemoFile {
    pub gateway: GatewayUrls,
    pub sandbox: BaseUrl,
    pub shop: ShopUrls,
    pub platform: DemoPlatform,
    pub merchant: Credentials,
    pub upstream: Credentials,
    pub stores: Vec<DemoStore>,
    pub operator: Login,
}

#[derive(Serialize, Deserialize)]
pub struct GatewayUrls {
    pub base_url: String,
    /// Base of the signed routes.
    pub signed_base_url: String,
    pub docs_url: String,
    pub ops_url: String,
}

#[derive(Serialize, Deserialize)]
pub struct BaseUrl {
    pub base_url: String,
}

#[derive(Serialize, Deserialize)]
pub struct ShopUrls {
    pub notify_url: String,
    pub return_url: String,
}

#[derive(Serialize, Deserialize)]
pub struct DemoPlatform {
    pub slug: String,
    /// For the REST API. A file of an earlier version has none.
    #[serde(default = "new_api_key")]
    pub api_key: String,
}

fn new_api_key() -> String {
    api_keys::new_key(Mode::Test).text.to_string()
}

#[derive(Serialize, Deserialize)]
pub struct Credentials {
    pub partner_no: String,
    pub sign_key: String,
}

#[derive(Serialize, Deserialize)]
pub struct DemoStore {
    pub store_no: String,
    pub currency: String,
    pub wallets: Vec<Wallet>,
}

#[derive(Serialize, Deserialize)]
pub struct Login {
    pub name: String,
    pub password: String,
}

impl DemoFile {
    /// The demo as it was, at today's addresses; or a new one.
    pub fn read_or_new(
        path: &Path,
        gateway: &str,
        ops: &str,
        sandbox: &str,
        shop: &str,
    ) -> anyhow::Result<Self> {
        let gateway_urls = GatewayUrls {
            base_url: gateway.to_owned(),
            signed_base_url: format!("{gateway}/{PLATFORM}"),
            docs_url: format!("{gateway}/docs"),
            ops_url: ops.to_owned(),
        };
        let shop = ShopUrls { notify_url: format!("{shop}/notify"), return_url: format!("{shop}/return") };
        let sandbox = BaseUrl { base_url: sandbox.to_owned() };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let known: Self = serde_json::from_str(&text).with_context(|| {
                    format!("{} cannot be read; remove the whole folder to begin anew", path.display())
                })?;
                Ok(Self { gateway: gateway_urls, sandbox, shop, ..known })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self {
                gateway: gateway_urls,
                sandbox,
                shop,
                platform: DemoPlatform { slug: PLATFORM.to_owned(), api_key: new_api_key() },
                merchant: Credentials { partner_no: PARTNER_NO.to_owned(), sign_key: chance::sign_key() },
                upstream: Credentials {
                    partner_no: UPSTREAM_PARTNER_NO.to_owned(),
                    sign_key: chance::sign_key(),
                },
                stores: STORES
                    .iter()
                    .map(|(store_no, _, currency)| DemoStore {
                        store_no: (*store_no).to_owned(),
                        currency: (*currency).to_owned(),
                        wallets: Wallet::ALL.to_vec(),
                    })
                    .collect(),
                operator: Login { name: "demo".to_owned(), password: chance::secret_text() },
            }),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Both files: `path` and, beside it, `demo.env`.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        write_secretly(path, &serde_json::to_string_pretty(self)?)?;
        write_secretly(&path.with_extension("env"), &self.environment())
    }

    /// What the sample programs of `docs/samples` and the guide's examples read. No value needs more than these quotes.
    fn environment(&self) -> String {
        let store_no = self.stores.first().map(|store| store.store_no.as_str()).unwrap_or_default();
        let variables = [
            ("SHOP_BASE_URL", self.gateway.signed_base_url.as_str()),
            ("SHOP_PARTNER_NO", &self.merchant.partner_no),
            ("SHOP_STORE_NO", store_no),
            ("SHOP_SIGN_KEY", &self.merchant.sign_key),
            ("SHOP_NOTIFY_URL", &self.shop.notify_url),
            ("PLATFORM_URL", &self.gateway.base_url),
            ("PLATFORM_API_KEY", &self.platform.api_key),
        ];
        let lines = variables.map(|(name, value)| format!("export {name}='{value}'"));
        lines.join("\n")
    }
}

/// Mode 0600. Written beside and renamed: a script never reads half of it.
fn write_secretly(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = Path::new(&name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut to = options.open(beside).with_context(|| format!("writing {}", beside.display()))?;
    writeln!(to, "{text}").with_context(|| format!("writing {}", beside.display()))?;
    std::fs::rename(beside, path).with_context(|| format!("writing {}", path.display()))
}
