//! A merchant's sign key rotated from a script.

use std::io::{self, Write};
use std::path::Path;

use shared::ops::{KeyToRotate, Merchant};

use super::Ended;
use crate::app::Tab;
use crate::args::ToRotate;
use crate::client::{Client, Page};
use crate::environment;
use crate::run::effect::segment;
use crate::run::rotate::{NotRotated, path_in, rotate};
use crate::session::Target;
use crate::tables::Look;
use crate::text;

pub async fn run(client: &Client, target: &Target, what: &ToRotate, look: Look) -> Result<(), Ended> {
    let merchant = named(client, &what.merchant).await?;
    let folder = target.kept_at.as_deref().and_then(Path::parent);
    let path = match &what.out {
        Some(path) => path.clone(),
        None => path_in(folder, &merchant.partner_no, environment::now_ms())?,
    };
    let asked = KeyToRotate {
        reason: what.reason.trim().to_owned(),
        previous_for_hours: what.overlap,
        end_earlier: what.end_earlier,
    };
    let rotated = rotate(client, &merchant.id, &asked, &path).await?;
    let until = text::time(rotated.previous_ends_at, look.zone);
    writeln!(
        io::stdout().lock(),
        "{}\nThe version before is good until {until} {}.",
        rotated.path,
        look.zone
    )?;
    Ok(())
}

/// The one merchant of this partner number or id.
async fn named(client: &Client, name: &str) -> Result<Merchant, Ended> {
    let path = format!("{}?limit=100&q={}", Tab::Merchants.path(), segment(name));
    let page: Page<Merchant> = client.page(&path).await?;
    let mut rows: Vec<Merchant> = page.rows.into_iter().filter(|one| one.partner_no == name).collect();
    match (rows.pop(), rows.as_slice()) {
        (Some(one), []) => Ok(one),
        (Some(one), others) => {
            let ids: Vec<&str> = others.iter().chain([&one]).map(|one| one.id.as_str()).collect();
            let said = format!("several merchants have the number {name}; their ids: {}", ids.join(" "));
            Err(Ended { code: 5, said })
        }
        (None, _) => {
            let whole: shared::ops::MerchantWhole =
                client.get(&format!("{}/{}", Tab::Merchants.path(), segment(name))).await?;
            Ok(whole.merchant)
        }
    }
}

impl From<NotRotated> for Ended {
    fn from(why: NotRotated) -> Self {
        match why {
            NotRotated::Refused(failure) => failure.into(),
            NotRotated::Unknown(ref failure) => {
                let code = Self::from(failure.clone()).code;
                Self { code, said: why.to_string() }
            }
            NotRotated::NoFile(_) | NotRotated::NotWritten { .. } => Self { code: 1, said: why.to_string() },
        }
    }
}
