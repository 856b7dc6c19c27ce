//! Links: an administrator makes a code for a person, and whoever holds it, as a bot for somebody it talks with, gets a key
//! that acts as that person, once.

use fleet::store::{KeyRecord, LinkCode, StoreError};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::failed;
use crate::error::Refusal;
use crate::identity::{Caller, api_keys, link_codes};
use crate::moderation::audit::Act;
use crate::request::Journey;

/// The owner of a key whose link has no label.
const NO_LABEL: &str = "link";

/// Whom a code is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLink {
    principal: String,
    #[serde(default)]
    roles: Vec<String>,
}

/// A code that somebody got.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Redeemed {
    code: String,
    #[serde(default)]
    label: Option<String>,
}

impl Journey {
    /// Makes a code. It is shown this once, and kept as a hash.
    pub(super) async fn make_link(&self, caller: &Caller, wanted: NewLink) -> Result<Value, Refusal> {
        let NewLink { principal, roles } = wanted;
        self.could_be(&principal)?;
        self.roles_exist(&roles)?;
        let no_randomness = || failed(StoreError::Unavailable("no randomness".to_owned()));
        let code = link_codes::make().ok_or_else(no_randomness)?;
        let expires = Timestamp::now().as_second() + link_codes::GOOD_FOR;
        let kept = LinkCode {
            hash: link_codes::hash(&code).ok_or(Refusal::Bug)?,
            principal,
            roles,
            by: caller.principal.as_str().to_owned(),
            expires,
        };
        let detail = with_roles("a code", &kept.roles);
        self.note_link(caller, &kept.principal, &detail).await?;
        self.shared.store.put_link_code(&kept).await.map_err(failed)?;
        tracing::info!(by = kept.by, principal = kept.principal, expires, "a link code was made");
        Ok(json!({ "code": code, "expires": expires }))
    }

    /// Takes a code, and gives the key that it stood for.
    pub(super) async fn redeem(&self, caller: &Caller, redeemed: &Redeemed) -> Result<Value, Refusal> {
        let label = redeemed.label.as_deref().map_or(NO_LABEL, str::trim);
        if label.is_empty() || label.chars().count() > 128 || label.contains(char::is_control) {
            return Err(Refusal::Invalid(
                "`label` must be 1 to 128 characters, without control characters".to_owned(),
            ));
        }
        let guess = self.shared.limiter.guess(caller)?;
        let now = Timestamp::now().as_second();
        let hash = link_codes::hash(&redeemed.code).ok_or(Refusal::NoCode)?;
        let code = self.shared.store.take_link_code(&hash, now).await.map_err(failed)?;
        let code = code.ok_or(Refusal::NoCode)?;
        guess.was_right();
        match self.link(caller, label, &code, now).await {
            Ok((secret, record)) => {
                Ok(json!({ "key": secret, "principal": code.principal, "id": record.hash.id() }))
            }
            Err(refusal) => {
                // Nobody has the key, if it is there at all: the code may be tried again.
                let kept = self.shared.store.put_link_code(&code).await;
                tracing::warn!(kept = kept.is_ok(), principal = code.principal, "a link was not made");
                Err(refusal)
            }
        }
    }

    async fn link(
        &self,
        caller: &Caller,
        label: &str,
        code: &LinkCode,
        now: i64,
    ) -> Result<(String, KeyRecord), Refusal> {
        let (secret, record) = api_keys::make(label, code.roles.clone(), now, None).map_err(failed)?;
        let record = KeyRecord { acts_as: Some(code.principal.clone()), ..record };
        let id = record.hash.id();
        let detail = with_roles(&format!("key {id} of `{label}`"), &code.roles);
        self.note_link(caller, &code.principal, &detail).await?;
        self.shared.store.put_key(&record).await.map_err(failed)?;
        let by = caller.principal.as_str();
        tracing::info!(by, principal = code.principal, made_by = code.by, id, "a link was made");
        Ok((secret, record))
    }

    async fn note_link(&self, caller: &Caller, principal: &str, detail: &str) -> Result<(), Refusal> {
        let act = Act { action: "link", principal, detail, ..Act::default() };
        self.shared.note(&caller.principal, act).await
    }
}

/// What is noted of a code or a key that has roles.
pub(super) fn with_roles(what: &str, roles: &[String]) -> String {
    if roles.is_empty() { what.to_owned() } else { format!("{what}, roles: {}", roles.join(", ")) }
}
