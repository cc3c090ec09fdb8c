//! Where the console calls, as whom, and the token kept between runs.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use shared::ops::Login;
use url::Url;

use crate::args::Server;
use crate::environment;

/// The server, and what is known of who calls.
pub struct Target {
    pub url: Url,
    pub login: Option<Login>,
    /// File of the token. Absent: nowhere to keep it.
    pub kept_at: Option<PathBuf>,
}

/// A token that is good until a time, at one server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    pub url: String,
    pub token: String,
    /// Milliseconds since 1970.
    pub expires_at: i64,
}

#[derive(Deserialize)]
struct DemoFile {
    gateway: DemoGateway,
    operator: Login,
}

#[derive(Deserialize)]
struct DemoGateway {
    ops_url: String,
}

impl Target {
    pub fn of(server: &Server) -> anyhow::Result<Self> {
        let folder = server.state.clone().or_else(environment::state_folder);
        let kept_at = folder.map(|folder| folder.join("token.json"));
        if server.demo {
            let path = server.data.join("demo.json");
            let text = std::fs::read_to_string(&path).with_context(|| {
                format!("reading {}: is the demo running? --data names its folder", path.display())
            })?;
            let demo: DemoFile = serde_json::from_str(&text)
                .with_context(|| format!("{} is no demo's file", path.display()))?;
            return Ok(Self { url: base(&demo.gateway.ops_url)?, login: Some(demo.operator), kept_at });
        }
        let login = match (&server.name, &server.password_file) {
            (Some(name), Some(file)) => {
                let text =
                    std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
                let password = text.trim_end_matches(['\r', '\n']).to_owned();
                Some(Login { name: name.clone(), password })
            }
            _ => None,
        };
        Ok(Self { url: base(&server.url)?, login, kept_at })
    }

    /// What lists were narrowed to in earlier runs, by screen.
    pub fn filters(&self) -> Option<BTreeMap<String, Vec<String>>> {
        serde_json::from_str(&std::fs::read_to_string(self.filters_at()?).ok()?).ok()
    }

    /// File of them, beside the token.
    pub fn filters_at(&self) -> Option<PathBuf> {
        Some(self.kept_at.as_ref()?.with_file_name("filters.json"))
    }

    /// The token of an earlier run, if it is for this server and still good.
    pub fn kept(&self, now_ms: i64) -> Option<Kept> {
        let text = std::fs::read_to_string(self.kept_at.as_ref()?).ok()?;
        let kept: Kept = serde_json::from_str(&text).ok()?;
        (kept.url == self.url.as_str() && kept.expires_at > now_ms).then_some(kept)
    }
}

fn base(text: &str) -> anyhow::Result<Url> {
    let url: Url = text.parse().with_context(|| format!("{text:?} is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        bail!("the URL has to be http:// or https://, without name and password");
    }
    Ok(url)
}

/// Keep it, mode 0600. Written beside and renamed: another console never reads half of it.
pub fn keep(path: &Path, kept: &impl Serialize) -> anyhow::Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(serde_json::to_string(kept)?.as_bytes())?;
    std::fs::rename(&beside, path)?;
    Ok(())
}

/// Forget the token.
pub fn forget(path: &Path) {
    // It may be gone already.
    let _ = std::fs::remove_file(path);
}
