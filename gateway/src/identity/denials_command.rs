//! `gateway deny`, `allow` and `denials`: who is shut out, on the machine that reaches the store.

use std::io::{self, Write};

use clap::Subcommand;
use fleet::store::{Denial, Store, StoreError};
use jiff::Timestamp;

use super::keys_command::{date, table};
use crate::config::Config;
use crate::moderation::audit::{self, Act};

/// What can be done with the deny list.
#[derive(Debug, Clone, Subcommand)]
pub enum DenialsCommand {
    /// Shut a person or a key's owner out, whatever credential they hold (running gateways follow within 10 seconds)
    #[command(after_help = "\
PRINCIPAL is what the log shows as `caller`: <issuer>#<subject> of a token, key#<owner> of an API key.
Streams that run are ended too.

Examples:
  gateway deny 'https://issuer.example/#auth0|5f7c' --because 'left the company'
  gateway deny 'key#nightly-translation' --because 'the key was in a public repository'")]
    Deny {
        /// Who: `<issuer>#<subject>` or `key#<owner>`
        principal: String,
        /// Why, for other operators
        #[arg(long, value_name = "TEXT")]
        because: String,
    },
    /// Let somebody in again
    #[command(after_help = "Example:\n  gateway allow 'key#nightly-translation'")]
    Allow {
        /// Who, as `gateway denials` shows them
        principal: String,
    },
    /// List everyone who is shut out: since when, by what, who and why
    Denials,
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum DenialsError {
    /// Nobody could be recognised by this name, so that the denial would do nothing.
    #[error(
        "`{0}` names nobody: give `key#<owner>`, or `<issuer>#<subject>` with an issuer of the configuration to the \
         letter, as the log's `caller` shows it"
    )]
    Nobody(String),
    /// No reason, or one that would break the list.
    #[error("--because: give 1 to 200 printable characters, as in `--because 'left the company'`")]
    Reason,
    /// They were not shut out.
    #[error("`{0}` is not shut out; `gateway denials` shows who is")]
    NotDenied(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The answer could not be written.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl DenialsCommand {
    /// Does it, in the store that `config` names, and writes the answer to `out`.
    ///
    /// # Errors
    /// A [`DenialsError`] that says what to change.
    pub async fn run(&self, config: &Config, out: &mut impl Write) -> Result<(), DenialsError> {
        let store = config.store.open().await?;
        match self {
            Self::Deny { principal, because } => deny(config, store.as_ref(), principal, because, out).await,
            Self::Allow { principal } => allow(config, store.as_ref(), principal, out).await,
            Self::Denials => list(store.as_ref(), out).await,
        }
    }
}

async fn deny(
    config: &Config,
    store: &dyn Store,
    principal: &str,
    because: &str,
    out: &mut impl Write,
) -> Result<(), DenialsError> {
    let reason = because.trim();
    if reason.is_empty() || reason.chars().count() > 200 || reason.contains(char::is_control) {
        return Err(DenialsError::Reason);
    }
    if !could_be(config, principal) {
        return Err(DenialsError::Nobody(principal.to_owned()));
    }
    let denial = Denial {
        principal: principal.to_owned(),
        reason: reason.to_owned(),
        by: "gateway deny".to_owned(),
        since: Timestamp::now().as_second(),
    };
    note(config, store, "deny", principal).await?;
    store.deny(&denial).await?;
    writeln!(out, "{principal} is shut out; running gateways refuse them within 10 seconds.")?;
    Ok(())
}

/// A denial of a name that no credential leads to would look like one and shut nobody out.
pub(crate) fn could_be(config: &Config, principal: &str) -> bool {
    let issuers = config.issuers.iter().map(|issuer| issuer.issuer.as_str());
    let rest = |issuer: &str| principal.strip_prefix(issuer)?.strip_prefix('#');
    let mut names = issuers.chain(["key"]).filter_map(rest);
    names.any(|name| name == name.trim() && !name.is_empty() && !name.contains(char::is_control))
}

/// Into the audit log, before it is done.
async fn note(
    config: &Config,
    store: &dyn Store,
    action: &'static str,
    principal: &str,
) -> Result<(), StoreError> {
    let act = Act { action, principal, ..Act::default() };
    audit::write(store, &config.fleet.name, "gateway", act).await.map(drop)
}

async fn allow(
    config: &Config,
    store: &dyn Store,
    principal: &str,
    out: &mut impl Write,
) -> Result<(), DenialsError> {
    let denied = store.denial(principal).await?.is_some();
    if denied {
        note(config, store, "allow", principal).await?;
    }
    if !denied || !store.allow(principal).await? {
        return Err(DenialsError::NotDenied(principal.to_owned()));
    }
    writeln!(out, "{principal} is let in again; running gateways follow within 10 seconds.")?;
    Ok(())
}

async fn list(store: &dyn Store, out: &mut impl Write) -> Result<(), DenialsError> {
    let head = ["SINCE", "BY", "PRINCIPAL", "BECAUSE"].map(str::to_owned);
    let row = |denial: Denial| [date(denial.since), denial.by, denial.principal, denial.reason];
    let rows: Vec<_> = std::iter::once(head).chain(store.denials().await?.into_iter().map(row)).collect();
    Ok(table(&rows, out)?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::settings::{Issuer, IssuerKind};

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: DenialsCommand,
    }

    async fn run(folder: &std::path::Path, line: &[&str]) -> Result<String, String> {
        let mut config = Config::default();
        config.store.path = folder.join("fleet.db");
        config.issuers = vec![Issuer {
            issuer: "https://issuer.example/".to_owned(),
            kind: IssuerKind::Oidc,
            audiences: Vec::new(),
            client_ids: Vec::new(),
            jwks_url: None,
            userinfo_url: None,
            groups_claim: "groups".to_owned(),
        }];
        let parsed =
            Line::try_parse_from([&["gateway"], line].concat()).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        parsed.command.run(&config, &mut out).await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn somebody_is_shut_out_listed_and_let_in_again() {
        let folder = tempfile::tempdir().unwrap();
        let run = async |line: &[&str]| run(folder.path(), line).await;
        assert_eq!(run(&["denials"]).await.unwrap().lines().count(), 1, "only the head");
        let alice = "https://issuer.example/#alice";
        let told = run(&["deny", alice, "--because", "left the company"]).await.unwrap();
        assert!(told.contains("within 10 seconds"), "{told}");
        run(&["deny", "key#nightly", "--because", "leaked"]).await.unwrap();
        let listed = run(&["denials"]).await.unwrap();
        assert_eq!(listed.lines().count(), 3);
        assert!(
            listed.lines().any(|row| row.contains(alice) && row.ends_with("left the company")),
            "{listed}"
        );
        run(&["allow", alice]).await.unwrap();
        let store = fleet::store::SqliteStore::open(&folder.path().join("fleet.db")).unwrap();
        let log = fleet::store::OversightStore::audit(&store, "default", None, 10).await.unwrap();
        let entries: Vec<_> =
            log.iter().map(|entry| (entry.action.as_str(), entry.principal.as_str())).collect();
        assert_eq!(entries, [("allow", alice), ("deny", "key#nightly"), ("deny", alice)]);
        assert!(log.iter().all(|entry| entry.detail.is_empty()), "the reason is the list's");
        assert!(!run(&["denials"]).await.unwrap().contains(alice));
        let again = run(&["allow", alice]).await.unwrap_err();
        assert!(again.contains("is not shut out"), "{again}");
    }

    #[tokio::test]
    async fn what_would_shut_nobody_out_is_refused_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        for (line, hint) in [
            (&["deny", "alice", "--because", "x"][..], "names nobody"),
            (&["deny", "key#", "--because", "x"], "key#<owner>"),
            (&["deny", "key# ", "--because", "x"], "key#<owner>"),
            (&["deny", "https://issuer.example#alice", "--because", "x"], "to the letter"),
            (&["deny", "https://other.example/#alice", "--because", "x"], "to the letter"),
            (&["deny", "key#a", "--because", " "], "--because"),
            (&["deny", "key#a", "--because", "a\nb"], "printable"),
            (&["deny", "key#a"], "--because"),
            (&["allow", "key#a"], "not shut out"),
        ] {
            let error = run(folder.path(), line).await.unwrap_err();
            assert!(error.contains(hint), "{line:?}: {error}");
        }
    }
}
