//! API keys: for programs that cannot sign in. Made at random, shown once, kept as a hash.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{constant_time, digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fleet::store::{KeyHash, KeyRecord, Store, StoreError};
use tokio::time::{Instant, timeout};

use super::memory::Memory;
use super::strict;
use crate::error::Refusal;

/// How every key begins, so that people and secret scanners know one when they see it.
pub const PREFIX: &str = "ollm_";

/// Random bytes in a key: 256 bits, so that a plain hash keeps it safe and nobody ever guesses one.
const RANDOM_BYTES: usize = 32;

/// How long a record is believed without asking the store again: a revoked key is out after this.
const REMEMBERED: Duration = Duration::from_secs(5);

/// Records remembered at once.
const MOST: usize = 10_000;

/// Longest wait for the store, which answers in well under a millisecond.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// Does this text claim to be one of our keys? A token, which has two dots, never does.
pub fn looks_like_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Makes a key and keeps its record. The secret is the caller's to show, this once.
///
/// # Errors
/// As the store's. Where the system has no randomness: [`StoreError::Unavailable`] too.
pub async fn create(
    store: &dyn Store,
    owner: &str,
    roles: Vec<String>,
    now: i64,
    expires: Option<i64>,
) -> Result<(String, KeyRecord), StoreError> {
    let (secret, record) = make(owner, roles, now, expires)?;
    store.put_key(&record).await?;
    Ok((secret, record))
}

/// A key that nobody knows yet; it is good once its record is in the store.
///
/// # Errors
/// [`StoreError::Unavailable`] where the system has no randomness.
pub fn make(
    owner: &str,
    roles: Vec<String>,
    now: i64,
    expires: Option<i64>,
) -> Result<(String, KeyRecord), StoreError> {
    let mut random = [0; RANDOM_BYTES];
    rand::fill(&mut random).map_err(|_| StoreError::Unavailable("no randomness".to_owned()))?;
    let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let record = KeyRecord {
        hash: hash(&secret),
        owner: owner.to_owned(),
        roles,
        created: now,
        expires,
        disabled: false,
        acts_as: None,
    };
    Ok((secret, record))
}

/// The one key that an id, the beginning of its hash, names.
///
/// # Errors
/// [`StoreError::NotAnId`] where none is named, [`StoreError::Ambiguous`] where several are.
pub fn named<'a>(keys: &'a [KeyRecord], id: &str) -> Result<&'a KeyRecord, StoreError> {
    let begins = |key: &&KeyRecord| id.len() >= key.hash.id().len() && key.hash.to_string().starts_with(id);
    let mut named = keys.iter().filter(begins);
    match (named.next(), named.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(StoreError::Ambiguous(id.to_owned())),
        (None, _) => Err(StoreError::NotAnId(id.to_owned())),
    }
}

/// The form in which a key is kept.
fn hash(secret: &str) -> KeyHash {
    KeyHash::new(sha256(secret.as_bytes()))
}

/// SHA-256, as the array it is.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    array
}

/// Looks keys up.
pub(super) struct ApiKeys {
    store: Arc<dyn Store>,
    seen: Memory<KeyHash, (Instant, Arc<KeyRecord>)>,
}

impl ApiKeys {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, seen: Memory::new(MOST) }
    }

    /// The record of a key that is good at `now` (seconds since 1970).
    ///
    /// # Errors
    /// 401 for a key that is unknown, revoked or over; 503 while the store cannot say. Only keys that exist are
    /// remembered, so strangers grow nothing.
    pub(super) async fn check(&self, secret: &str, now: f64) -> Result<Arc<KeyRecord>, Refusal> {
        let random = secret.strip_prefix(PREFIX).and_then(strict::base64url);
        if random.is_none_or(|bytes| bytes.len() != RANDOM_BYTES) {
            return Err(Refusal::Unauthenticated("key_malformed"));
        }
        let hash = hash(secret);
        let record = match self.seen.get(&hash) {
            Some((asked, record)) if asked.elapsed() < REMEMBERED => record,
            _ => self.ask(hash).await?,
        };
        if record.disabled {
            return Err(Refusal::Unauthenticated("key_revoked"));
        }
        if record.expires.is_some_and(|end| now >= end as f64) {
            return Err(Refusal::Unauthenticated("key_expired"));
        }
        Ok(record)
    }

    async fn ask(&self, hash: KeyHash) -> Result<Arc<KeyRecord>, Refusal> {
        let asked = Instant::now();
        let answer = timeout(STORE_WAIT, self.store.key(&hash)).await;
        let answer = answer.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned())));
        let record = answer.map_err(|error| {
            tracing::warn!(%error, "an API key could not be looked up");
            Refusal::Overloaded { what: "API keys cannot be checked right now", retry_after: STORE_WAIT }
        })?;
        // The store found it by its hash; that it is the same one is our own word, not the store's.
        let record = record
            .filter(|record| same(&record.hash, &hash))
            .ok_or(Refusal::Unauthenticated("key_unknown"))?;
        let record = Arc::new(record);
        self.seen.put(hash, (asked, Arc::clone(&record)));
        Ok(record)
    }
}

/// Compares in a time that tells nothing about where two hashes differ.
fn same(one: &KeyHash, other: &KeyHash) -> bool {
    constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests;
