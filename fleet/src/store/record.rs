//! What the store keeps, in the shapes that every store writes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::StoreError;

/// SHA-256 of an API key: the only form in which a key is ever kept. Written as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash([u8; 32]);

/// Digits of a hash that make an id short enough to type: 48 bits, so that among a million keys two share one
/// with a chance of 1 in 500 (and are then refused as ambiguous, never confused).
const ID_DIGITS: usize = 12;

impl KeyHash {
    /// Wraps a SHA-256 digest.
    pub fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The short id: the first 12 hexadecimal digits.
    pub fn id(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate(ID_DIGITS);
        hex
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lower-case hexadecimal digits")]
pub struct NotAHash;

impl FromStr for KeyHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NotAHash),
        };
        if text.len() != 64 {
            return Err(NotAHash);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(digest))
    }
}

/// Is `text` a short id, or more of a hash?
pub(super) fn is_id(text: &str) -> bool {
    (ID_DIGITS..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// An API key, without the key. Times are seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Which key.
    pub hash: KeyHash,
    /// Who is charged and limited: a program or a person, as the operator named them.
    pub owner: String,
    /// Roles besides `user`, which everyone has.
    pub roles: Vec<String>,
    /// When it was made.
    pub created: i64,
    /// From when on it is refused; `None`: never.
    pub expires: Option<i64>,
    /// Revoked.
    pub disabled: bool,
    /// The principal that its holder counts as, in the place of one made of `owner`: limits, use, denials and
    /// conversations are theirs. `None`: the owner's own.
    pub acts_as: Option<String>,
}

/// The part of a [`KeyRecord`] that is not its place in the table.
#[derive(Serialize, Deserialize)]
pub(super) struct KeyDocument {
    owner: String,
    roles: Vec<String>,
    created: i64,
    expires: Option<i64>,
    disabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acts_as: Option<String>,
}

impl KeyRecord {
    pub(super) fn document(&self) -> KeyDocument {
        KeyDocument {
            owner: self.owner.clone(),
            roles: self.roles.clone(),
            created: self.created,
            expires: self.expires,
            disabled: self.disabled,
            acts_as: self.acts_as.clone(),
        }
    }

    pub(super) fn of(hash: KeyHash, document: KeyDocument) -> Self {
        let KeyDocument { owner, roles, created, expires, disabled, acts_as } = document;
        Self { hash, owner, roles, created, expires, disabled, acts_as }
    }
}

/// What somebody used on one day.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub generated_tokens: u64,
    /// Requests answered.
    pub requests: u64,
    /// Seconds of an idle node that the requests were worth.
    pub gpu_seconds: f64,
}

/// What one principal used on one day: a line of everybody's usage.
#[derive(Debug, Clone, PartialEq)]
pub struct DayOfUse {
    /// Who, as callers are named everywhere.
    pub principal: String,
    /// `yyyy-mm-dd`, UTC.
    pub day: String,
    /// How much.
    pub usage: Usage,
}

/// The most days of use that one call gives: three thousand people, each on every day of a month.
pub const MOST_DAYS_OF_USE: usize = 100_000;

/// As they are given: by principal, the newest day first; refused where there are more than may be given.
pub(super) fn in_order(mut days: Vec<DayOfUse>) -> Result<Vec<DayOfUse>, StoreError> {
    if days.len() > MOST_DAYS_OF_USE {
        return Err(StoreError::TooMuch(format!("there are more than {MOST_DAYS_OF_USE} days of use")));
    }
    days.sort_by(|a, b| a.principal.cmp(&b.principal).then_with(|| b.day.cmp(&a.day)));
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_survives_its_text() {
        let hash = KeyHash::new(std::array::from_fn(|at| (at * 9) as u8));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.id(), "0009121b242d");
        assert_eq!(hash.id().len(), ID_DIGITS);
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let sixty_three = "a".repeat(63);
        for text in ["", "00", &sixty_three, &format!("{sixty_three}A"), &format!("{sixty_three}g")] {
            assert_eq!(text.parse::<KeyHash>(), Err(NotAHash), "{text:?}");
        }
    }
}
