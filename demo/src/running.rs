//! A demo that runs, as the other commands find it: by the details that it wrote, and the authority that they name.

use std::path::Path;

use anyhow::Context;
use reqwest::{Certificate, ClientBuilder};
use serde::de::DeserializeOwned;

/// The part of `demo.json` that a command needs.
///
/// # Errors
/// When no demo runs in `directory`, or another version's.
pub(crate) fn details<T: DeserializeOwned>(directory: &Path) -> anyhow::Result<T> {
    let file = directory.join("demo.json");
    let text = std::fs::read(&file)
        .with_context(|| format!("{} is missing: start the demo first, with `make demo`", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", file.display()))
}

/// A client that trusts the demo's own authority, and nobody else.
///
/// # Errors
/// When the authority cannot be read.
pub(crate) fn client(ca_file: &Path) -> anyhow::Result<ClientBuilder> {
    let pem = std::fs::read(ca_file).context("reading the demo's authority")?;
    let authority = Certificate::from_pem(&pem).context("reading the demo's authority")?;
    Ok(reqwest::Client::builder().tls_certs_only([authority]))
}
