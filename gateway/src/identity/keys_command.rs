//! `gateway keys`: makes, lists and revokes API keys, on the machine that holds the store.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use fleet::store::{KeyRecord, Store, StoreError};
use jiff::Timestamp;

use super::roles::{BadRole, Roles};
use super::{Principal, api_keys};
use crate::config::Config;
use crate::moderation::audit::{self, Act};

/// What can be done with keys.
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Make a key for a program and show it, this once
    #[command(after_help = "\
The key is shown once and kept only as a hash: copy it now. A client sends it as
  Authorization: Bearer <key>      (Ollama and OpenAI clients)
  x-api-key: <key>                 (Anthropic clients)
It may do what the role `user` may, and what each --role adds.

Example:
  gateway keys create --owner nightly-translation --role batch --expires-days 90")]
    Create(Create),
    /// List every key: id, owner, roles, dates, state, and whom it acts as if not for its owner
    #[command(after_help = "The ID is how a key's hash begins; `gateway keys revoke ID` takes it.")]
    List,
    /// Refuse a key from now on (running gateways follow within 5 seconds)
    #[command(after_help = "Example:\n  gateway keys revoke 3fa94c01d2b7")]
    Revoke {
        /// The ID that `gateway keys list` shows
        id: String,
    },
}

/// The options of `gateway keys create`.
#[derive(Debug, Clone, Args)]
pub struct Create {
    /// Who is charged and limited: the program or team, 1 to 128 characters. Keys of one owner share its limits
    #[arg(long)]
    owner: String,
    /// A role from the configuration besides `user`; may be given more than once
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Days until the key is refused; without it the key is good until it is revoked
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    expires_days: Option<u32>,
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The owner cannot be used as a name.
    #[error("--owner: give 1 to 128 printable characters, as in `--owner nightly-translation`")]
    Owner,
    /// The role is not configured.
    #[error("--role: there is no role `{0}` in the configuration")]
    Role(String),
    /// No key has this id.
    #[error("there is no key `{0}`; `gateway keys list` shows the ids")]
    NoKey(String),
    /// The configured roles cannot be read.
    #[error(transparent)]
    Roles(#[from] BadRole),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The answer could not be written.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl KeysCommand {
    /// Does it, in the store that `config` names, and writes the answer to `out`.
    ///
    /// # Errors
    /// A [`KeysError`] that says what to change.
    pub async fn run(&self, config: &Config, out: &mut impl Write) -> Result<(), KeysError> {
        let store = config.store.open().await?;
        match self {
            Self::Create(wanted) => wanted.run(config, store.as_ref(), out).await,
            Self::List => list(store.as_ref(), out).await,
            Self::Revoke { id } => revoke(config, store.as_ref(), id, out).await,
        }
    }
}

impl Create {
    async fn run(&self, config: &Config, store: &dyn Store, out: &mut impl Write) -> Result<(), KeysError> {
        let owner = self.owner.trim();
        if owner.is_empty() || owner.chars().count() > 128 || owner.contains(char::is_control) {
            return Err(KeysError::Owner);
        }
        let known = Roles::new(&config.roles)?;
        if let Some(unknown) = self.roles.iter().find(|role| !known.exists(role)) {
            return Err(KeysError::Role(unknown.clone()));
        }
        let now = Timestamp::now().as_second();
        let expires = self.expires_days.map(|days| now + i64::from(days) * 86_400);
        let (secret, record) = api_keys::make(owner, self.roles.clone(), now, expires)?;
        note(config, store, "key", &record).await?;
        store.put_key(&record).await?;
        writeln!(out, "{secret}\n")?;
        writeln!(out, "This is the only time the key is shown. Its id is {}.", record.hash.id())?;
        Ok(())
    }
}

async fn list(store: &dyn Store, out: &mut impl Write) -> Result<(), KeysError> {
    let now = Timestamp::now().as_second();
    let row = |record: &KeyRecord| {
        let state = match record {
            KeyRecord { disabled: true, .. } => "revoked",
            KeyRecord { expires: Some(end), .. } if *end <= now => "expired",
            _ => "good",
        };
        let expires = record.expires.map_or_else(|| "never".to_owned(), date);
        let roles = if record.roles.is_empty() { "user".to_owned() } else { record.roles.join(",") };
        let acts_as = record.acts_as.clone().unwrap_or_default();
        let owner = record.owner.clone();
        [record.hash.id(), date(record.created), expires, state.to_owned(), roles, owner, acts_as]
    };
    let head = ["ID", "CREATED", "EXPIRES", "STATE", "ROLES", "OWNER", "ACTS AS"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(store.keys().await?.iter().map(row)).collect();
    Ok(table(&rows, out)?)
}

/// Writes rows in columns as wide as their widest cell.
pub(super) fn table<const N: usize>(rows: &[[String; N]], out: &mut impl Write) -> io::Result<()> {
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(widest);
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

async fn revoke(config: &Config, store: &dyn Store, id: &str, out: &mut impl Write) -> Result<(), KeysError> {
    if let Ok(key) = api_keys::named(&store.keys().await?, id) {
        note(config, store, "revoke", key).await?;
    }
    if !store.revoke_key(id).await? {
        return Err(KeysError::NoKey(id.to_owned()));
    }
    writeln!(out, "{id} is revoked; running gateways refuse it within 5 seconds.")?;
    Ok(())
}

/// Into the audit log, before it is done.
async fn note(
    config: &Config,
    store: &dyn Store,
    action: &'static str,
    key: &KeyRecord,
) -> Result<(), StoreError> {
    let (principal, detail) = (Principal::of_record(key), format!("key {}", key.hash.id()));
    let act = Act { action, principal: principal.as_str(), detail: &detail, ..Act::default() };
    audit::write(store, &config.fleet.name, "gateway keys", act).await.map(drop)
}

/// The day in UTC.
pub(super) fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| seconds.to_string(),
        |time| time.to_string().chars().take_while(|c| *c != 'T').collect(),
    )
}

#[cfg(test)]
mod tests;
