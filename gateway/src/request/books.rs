//! What administrators keep through the gateway: API keys, links, who is shut out, how many nodes are held; and what callers
//! have used. The same as the commands do, each written to the log with who did it; what concerns people is in the audit log
//! before it is done.

mod links;
mod usage;

use http::request::Parts as Head;
use http::{Method, Response};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Journey;
use super::fleet::unreachable_store;
use super::local::json as answer;
use super::receive::receive;
use crate::body::Body;
use crate::error::Refusal;
use crate::identity::denials_command::could_be;
use crate::identity::{Caller, Principal, api_keys};
use crate::moderation::Look;
use crate::moderation::audit::Act;
use fleet::store::{Denial, KeyRecord, StoreError};
pub(crate) use usage::first_day;

/// Bytes of a request: names and numbers.
const REQUEST: u64 = 16 << 10;
/// The longest life of a key, in seconds: ten years.
const LONGEST_LIFE: u64 = 10 * 366 * 86_400;
/// Bytes of a principal. A key of the table may have 2048, and some of them say what it is.
const LONGEST_PRINCIPAL: usize = 2000;
/// The most nodes of a fleet: one ALB, one partition of the table.
const MOST_NODES: u32 = 100;
/// The longest hold, in seconds: a week. Longer is what the scaler's schedule is for.
const LONGEST_HOLD: i64 = 7 * 86_400;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Book {
    /// `/fleet/keys`
    Keys,
    /// `/fleet/denials`
    Denials,
    /// `/fleet/usage`
    Usage,
    /// `/fleet/hold`
    Hold,
    /// `/fleet/history`
    History,
    /// `/fleet/links`
    Links,
    /// `/links/redeem`
    Redeem,
    /// `/moderation/…`
    Moderation(Look),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    owner: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    expires_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OldKey {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDenial {
    principal: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewHold {
    nodes: u32,
    #[serde(default)]
    seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OldDenial {
    principal: String,
}

impl Journey {
    /// Answers a route of a book.
    pub(super) async fn book(
        &self,
        book: Book,
        head: &Head,
        body: Incoming,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let limits = &self.shared.config.limits;
        let (body, _hold) = receive(&head.headers, body, REQUEST, limits, &self.shared.bodies).await?;
        caller.sends(&body)?;
        let value = match (book, &head.method) {
            (Book::Keys, &Method::POST) => self.make_key(caller, read(&body)?).await?,
            (Book::Keys, &Method::DELETE) => self.end_key(caller, read(&body)?).await?,
            (Book::Keys, _) => {
                let keys = self.shared.store.keys().await.map_err(failed)?;
                json!({ "keys": keys.iter().map(shown).collect::<Vec<_>>() })
            }
            (Book::Denials, &Method::POST) => self.deny(caller, read(&body)?).await?,
            (Book::Denials, &Method::DELETE) => self.allow(caller, read(&body)?).await?,
            (Book::Denials, _) => {
                let denials = self.shared.store.denials().await.map_err(failed)?;
                let shown = |denial: &Denial| json!({ "principal": denial.principal, "reason": denial.reason, "by": denial.by, "since": denial.since });
                json!({ "denials": denials.iter().map(shown).collect::<Vec<_>>() })
            }
            (Book::Usage, _) => self.used(caller).await?,
            (Book::History, _) => self.shared.history.as_json(),
            (Book::Links, _) => self.make_link(caller, read(&body)?).await?,
            (Book::Redeem, _) => self.redeem(caller, &read(&body)?).await?,
            (Book::Moderation(look), _) => self.moderate(look, &head.method, &body, caller).await?,
            (Book::Hold, _) => return self.hold(caller, &read(&body)?).await,
        };
        Ok(answer(&value))
    }

    async fn hold(&self, caller: &Caller, wanted: &NewHold) -> Result<Response<Body>, Refusal> {
        let NewHold { nodes, seconds } = *wanted;
        if nodes > MOST_NODES || (nodes > 0 && !(1..=LONGEST_HOLD).contains(&seconds)) {
            return Err(Refusal::Invalid(format!(
                "`nodes` must be at most {MOST_NODES} (0 ends a hold), `seconds` between 1 and {LONGEST_HOLD}"
            )));
        }
        self.told(self.shared.wake.hold_by(&caller.principal, nodes, seconds).await)
    }

    async fn make_key(&self, caller: &Caller, wanted: NewKey) -> Result<Value, Refusal> {
        let owner = wanted.owner.trim();
        if owner.is_empty() || owner.chars().count() > 128 || owner.contains(char::is_control) {
            return Err(Refusal::Invalid(
                "`owner` must be 1 to 128 characters, without control characters".to_owned(),
            ));
        }
        self.roles_exist(&wanted.roles)?;
        if wanted.expires_seconds.is_some_and(|life| life == 0 || life > LONGEST_LIFE) {
            return Err(Refusal::Invalid(format!("`expires_seconds` must be between 1 and {LONGEST_LIFE}")));
        }
        let now = Timestamp::now().as_second();
        let expires = wanted.expires_seconds.map(|life| now + life.cast_signed());
        let (secret, record) = api_keys::make(owner, wanted.roles, now, expires).map_err(failed)?;
        let id = record.hash.id();
        let principal = Principal::of_record(&record);
        let detail = links::with_roles(&format!("key {id}"), &record.roles);
        let act = Act { action: "key", principal: principal.as_str(), detail: &detail, ..Act::default() };
        self.shared.note(&caller.principal, act).await?;
        self.shared.store.put_key(&record).await.map_err(failed)?;
        tracing::info!(by = caller.principal.as_str(), owner, id, "an API key was made");
        Ok(json!({ "id": id, "key": secret }))
    }

    async fn end_key(&self, caller: &Caller, old: OldKey) -> Result<Value, Refusal> {
        let keys = self.shared.store.keys().await.map_err(failed)?;
        let unclear = |error: StoreError| {
            tracing::debug!(%error, "no key was revoked");
            Refusal::Invalid("there is not one key of this `id`; GET /fleet/keys lists them".to_owned())
        };
        let key = api_keys::named(&keys, &old.id).map_err(unclear)?;
        let (principal, detail) = (Principal::of_record(key), format!("key {}", key.hash.id()));
        let act = Act { action: "revoke", principal: principal.as_str(), detail: &detail, ..Act::default() };
        self.shared.note(&caller.principal, act).await?;
        self.shared.store.revoke_key(&key.hash.to_string()).await.map_err(failed)?;
        tracing::info!(by = caller.principal.as_str(), id = old.id, "an API key was revoked");
        Ok(json!({ "id": old.id, "disabled": true }))
    }

    async fn deny(&self, caller: &Caller, wanted: NewDenial) -> Result<Value, Refusal> {
        let reason = wanted.reason.trim();
        if reason.is_empty() || reason.chars().count() > 200 || reason.contains(char::is_control) {
            return Err(Refusal::Invalid(
                "`reason` must be 1 to 200 characters, without control characters".to_owned(),
            ));
        }
        self.could_be(&wanted.principal)?;
        if wanted.principal == caller.principal.as_str() {
            return Err(Refusal::Invalid(
                "you would shut yourself out; let another administrator do it".to_owned(),
            ));
        }
        let denial = Denial {
            principal: wanted.principal,
            reason: reason.to_owned(),
            by: caller.principal.as_str().to_owned(),
            since: Timestamp::now().as_second(),
        };
        let act = Act { action: "deny", principal: &denial.principal, ..Act::default() };
        self.shared.note(&caller.principal, act).await?;
        self.shared.store.deny(&denial).await.map_err(failed)?;
        tracing::info!(by = denial.by, principal = denial.principal, "somebody was shut out");
        Ok(json!({ "principal": denial.principal, "reason": denial.reason, "since": denial.since }))
    }

    async fn allow(&self, caller: &Caller, old: OldDenial) -> Result<Value, Refusal> {
        let denied = self.shared.store.denial(&old.principal).await.map_err(failed)?.is_some();
        if denied {
            let act = Act { action: "allow", principal: &old.principal, ..Act::default() };
            self.shared.note(&caller.principal, act).await?;
        }
        if !denied || !self.shared.store.allow(&old.principal).await.map_err(failed)? {
            return Err(Refusal::Invalid(
                "this `principal` is not shut out; GET /fleet/denials lists who is".to_owned(),
            ));
        }
        tracing::info!(
            by = caller.principal.as_str(),
            principal = old.principal,
            "somebody was let in again"
        );
        Ok(json!({ "principal": old.principal }))
    }

    fn roles_exist(&self, roles: &[String]) -> Result<(), Refusal> {
        let Some(unknown) = roles.iter().find(|role| !self.shared.config.roles.contains_key(*role)) else {
            return Ok(());
        };
        let unknown: String = unknown.chars().take(40).collect();
        Err(Refusal::Invalid(format!("there is no role `{unknown}`; the configuration names the roles")))
    }

    fn could_be(&self, principal: &str) -> Result<(), Refusal> {
        if could_be(&self.shared.config, principal) && principal.len() <= LONGEST_PRINCIPAL {
            return Ok(());
        }
        Err(Refusal::Invalid(
            "`principal` must be `<issuer>#<subject>` of a configured issuer, or `key#<owner>`".to_owned(),
        ))
    }
}

fn shown(key: &KeyRecord) -> Value {
    json!({
        "id": key.hash.id(),
        "owner": key.owner,
        "roles": key.roles,
        "created": key.created,
        "expires": key.expires,
        "disabled": key.disabled,
        "acts_as": key.acts_as,
    })
}

pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // A list would be taken for an object without names.
    let object = body.trim_ascii_start().starts_with(b"{");
    let read = serde_json::from_slice(body).ok().filter(|_| object);
    read.ok_or_else(|| {
        Refusal::Invalid("the body is no JSON object with the fields that are wanted here".to_owned())
    })
}

pub(crate) fn failed(error: StoreError) -> Refusal {
    tracing::warn!(%error, "the store did not take an administrator's word");
    unreachable_store()
}
