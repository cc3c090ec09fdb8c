//! How calls leave this machine: through a proxy or not, from which of its addresses, and whose word is taken for a
//! server's certificate. The operator's choice, the same for deliveries and for calls to ScanForPay.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::proxy::Proxy;
use crate::config;

#[derive(Clone)]
pub struct Way {
    pub(super) proxy: Option<Arc<Proxy>>,
    /// The address of this machine that connections are made from; `None`: the system's choice.
    pub(super) local: Option<IpAddr>,
    pub(super) tls: ClientConfig,
}

impl Default for Way {
    /// Straight, and with the authorities that browsers trust.
    fn default() -> Self {
        Self { proxy: None, local: None, tls: tls(public_authorities()) }
    }
}

impl Way {
    pub fn of(config: &config::Outgoing) -> anyhow::Result<Self> {
        let proxy = match config.proxy.expose() {
            "" => None,
            url => Some(Arc::new(Proxy::of(url).map_err(|why| anyhow!("outgoing.proxy {why}"))?)),
        };
        let mut roots = public_authorities();
        if let Some(path) = &config.ca_file {
            add(&mut roots, path)
                .with_context(|| format!("outgoing.ca_file {} cannot be used", path.display()))?;
        }
        Ok(Self { proxy, local: config.local_address, tls: tls(roots) })
    }
}

/// Why a text is no proxy's URL; the error repeats nothing of it.
pub fn check_proxy(url: &str) -> Result<(), &'static str> {
    Proxy::of(url).map(drop)
}

fn public_authorities() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

fn add(roots: &mut RootCertStore, path: &Path) -> anyhow::Result<()> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    ensure!(roots.len() > before, "there is no certificate (PEM) in it");
    Ok(())
}

pub(super) fn tls(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring serves the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
