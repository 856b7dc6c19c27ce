//! The page: what its build made, with a `config.json` of this demo beside it, for the gateway to serve at `/ui/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::Options;
use super::config::AUDIENCE;
use super::place::Place;
use crate::issuer::Issuer;

/// The folder in the demo's place that the gateway reads.
const FOLDER: &str = "page";

/// Lays the page out, if it has been built; takes away that of an earlier demo in any case.
pub(super) fn lay(place: &Place, issuer: &Issuer, options: &Options) -> anyhow::Result<()> {
    let folder = place.file(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    if !options.page.join("index.html").is_file() {
        return Ok(());
    }
    copy(&options.page, &folder)?;
    let config = json!({
        "issuer": issuer.url(),
        "client_id": "page",
        "audience": AUDIENCE,
        "groups_claim": "groups",
        "operator_groups": ["ollama-operators"],
        "admin_groups": ["ollama-admins"],
    });
    place.write(&format!("{FOLDER}/config.json"), &config.to_string())?;
    Ok(())
}

/// The page's folder, where there is a page.
pub(super) fn folder(place: &Place) -> Option<PathBuf> {
    let folder = place.file(FOLDER);
    folder.join("index.html").is_file().then_some(folder)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copying = || {
        fs::create_dir_all(to)?;
        fs::read_dir(from)?.collect::<std::io::Result<Vec<_>>>()
    };
    let entries = copying().with_context(|| format!("copying the page from {}", from.display()))?;
    for entry in entries {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
        }
    }
    Ok(())
}
