//! One ECDSA P-256 certificate for all.

use std::path::{Path, PathBuf};

use tokio_rustls::rustls::pki_types::CertificateDer;

/// A self-signed certificate of `localhost`, in the files that the proxies want.
pub struct Certificate {
    /// What clients trust.
    pub der: CertificateDer<'static>,
    /// The certificate.
    pub pem: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Both in one file, as HAProxy reads them.
    pub both: PathBuf,
}

impl Certificate {
    /// Makes one.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn write(directory: &Path) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let file = |name: &str| directory.join(name);
        let (pem, key_file, both) = (file("cert.pem"), file("key.pem"), file("both.pem"));
        std::fs::write(&pem, &cert)?;
        std::fs::write(&key_file, &key)?;
        std::fs::write(&both, format!("{cert}{key}"))?;
        Ok(Self { der: made.cert.der().clone(), pem, key: key_file, both })
    }
}
