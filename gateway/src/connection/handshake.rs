//! TLS: versions, certificate, and its reload when the files change.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::aws_lc_rs::digest;
use anyhow::{Context, ensure};
use arc_swap::ArcSwap;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, crypto::CryptoProvider};

use crate::config::settings::Tls;

/// How often the files are compared with what is served.
const RELOAD_EVERY: Duration = Duration::from_secs(2);

/// The certificate being served; connections made before a reload keep theirs.
#[derive(Debug)]
pub struct Certificate {
    files: Option<Tls>,
    current: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
}

impl Certificate {
    /// Reads the configured certificate, or makes a self-signed one (ECDSA P-256) that lives in memory: the load
    /// balancer does not validate it, and nobody else should reach us without one.
    ///
    /// # Errors
    /// Where the files cannot be read, hold no certificate or key, or do not belong together.
    pub fn new(files: Option<&Tls>) -> anyhow::Result<Arc<Self>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = match files {
            Some(files) => read(files, &provider)?,
            None => self_signed(&provider)?,
        };
        Ok(Arc::new(Self { files: files.cloned(), current: ArcSwap::from_pointee(key), provider }))
    }

    /// TLS 1.2 and 1.3 (rustls has AEAD suites only, no renegotiation, and 0-RTT is off), ALPN h2 and http/1.1.
    ///
    /// # Errors
    /// Never with the provider used here; rustls leaves the possibility open.
    pub fn server_config(self: &Arc<Self>) -> anyhow::Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.send_tls13_tickets = 1; // a client needs one; each costs a key derivation and a record
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The SHA-256 of the certificate that is served now (the leaf, DER), as 64 lower-case hexadecimal digits: what
    /// peers pin.
    pub fn sha256(&self) -> String {
        let current = self.current.load();
        let leaf = current.cert.first().map_or(&[][..], |leaf| leaf.as_ref());
        digest::digest(&digest::SHA256, leaf).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Looks for changed files, for ever. A file that cannot be used is reported and the old one stays.
    pub async fn keep_fresh(&self) {
        let Some(files) = &self.files else { return std::future::pending().await };
        let mut refused = None;
        loop {
            tokio::time::sleep(RELOAD_EVERY).await;
            match read(files, &self.provider) {
                Ok(key) if key.cert != self.current.load().cert => {
                    self.current.store(Arc::new(key));
                    refused = None;
                    tracing::info!(certificate = %files.certificate.display(), "serving a new certificate");
                }
                Ok(_) => {}
                Err(error) => {
                    let reason = format!("{error:#}");
                    if refused.as_ref() != Some(&reason) {
                        tracing::error!(reason, "the changed certificate cannot be used; the old one stays");
                        refused = Some(reason);
                    }
                }
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(files: &Tls, provider: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
    let named = |path: &Path| path.display().to_string();
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| named(&files.certificate))?;
    ensure!(!chain.is_empty(), "{} holds no certificate", named(&files.certificate));
    let key = PrivateKeyDer::from_pem_file(&files.private_key).with_context(|| named(&files.private_key))?;
    let key = CertifiedKey::from_der(chain, key, provider).with_context(|| {
        format!("{} does not fit {}", named(&files.private_key), named(&files.certificate))
    })?;
    Ok(key)
}

fn self_signed(provider: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok(CertifiedKey::from_der(vec![made.cert.der().clone()], key.into(), provider)?)
}
