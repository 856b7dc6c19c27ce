//! What administrators look after: people, the audit log, codes that link a person elsewhere, and chores that one process
//! of the fleet does for all.

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::{StoreError, keeps_no_fleet};

/// Somebody who has had a conversation. Times are seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// Who.
    pub principal: String,
    /// When they were last active.
    pub seen: i64,
}

/// What an administrator looked at, or changed. Once written, no call changes or removes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditEntry {
    /// Counts from 1 without a gap; the store gives it.
    pub number: u64,
    /// When.
    pub at: i64,
    /// Which administrator.
    pub by: String,
    /// What was done, as `view` or `delete`.
    pub action: String,
    /// Whom it concerns.
    pub principal: String,
    /// Which conversation; empty: none.
    pub conversation: String,
    /// More, in a few words; never what anybody wrote.
    pub detail: String,
    /// SHA-256 over the digest of the entry before and this one's fields, 64 hexadecimal digits; the store makes it. A
    /// log that somebody changed past us shows it.
    pub digest: String,
}

impl AuditEntry {
    /// The digest that this entry has behind one with the digest `before`; empty: it is the first.
    pub fn digest_after(&self, before: &str) -> String {
        let (number, at) = (self.number.to_string(), self.at.to_string());
        let fields =
            [before, &number, &at, &self.by, &self.action, &self.principal, &self.conversation, &self.detail];
        let mut context = Context::new(&SHA256);
        for field in fields {
            // With its length, so that no text moves from one field to the next unseen.
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field.as_bytes());
        }
        context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// This entry behind `last` (`None`: as the first), with its number and digest.
    pub(super) fn behind(&self, last: Option<&Self>) -> Self {
        let number = last.map_or(0, |last| last.number) + 1;
        let numbered = Self { number, ..self.clone() };
        Self { digest: numbered.digest_after(last.map_or("", |last| &last.digest)), ..numbered }
    }
}

/// Does the chain hold in a stretch of the log, the newest entry first, as [`OversightStore::audit`] gives it? The oldest
/// entry of a stretch is held to nothing but its own number, unless it is the log's first.
pub fn is_intact(entries: &[AuditEntry]) -> bool {
    let pairs = entries.windows(2).all(|pair| {
        let [later, earlier] = pair else { return true };
        later.number == earlier.number + 1 && later.digest == later.digest_after(&earlier.digest)
    });
    pairs
        && entries.last().is_none_or(|oldest| oldest.number != 1 || oldest.digest == oldest.digest_after(""))
}

/// A code that links an account elsewhere to a principal, once. Kept as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkCode {
    /// SHA-256 of the code, 64 hexadecimal digits.
    pub hash: String,
    /// Whom it links to.
    pub principal: String,
    /// The roles of the key that it becomes, besides `user`.
    pub roles: Vec<String>,
    /// Which administrator made it.
    pub by: String,
    /// From when on it is refused, in seconds since 1970.
    pub expires: i64,
}

/// What administrators look after, in the table.
///
/// # Errors
/// Every call: as [`Store`](super::Store)'s.
#[async_trait]
pub trait OversightStore: Send + Sync {
    /// Notes that somebody is active, or was later than is known.
    async fn saw_person(&self, person: &Person) -> Result<(), StoreError> {
        let _ = person;
        keeps_no_fleet()
    }

    /// Everybody who was ever seen, by name; a change may be missing for a second.
    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        keeps_no_fleet()
    }

    /// Appends to a fleet's audit log; `number` and `digest` of what is given are not looked at. Gives the entry as it
    /// stands.
    async fn append_audit(&self, fleet: &str, entry: &AuditEntry) -> Result<AuditEntry, StoreError> {
        let _ = (fleet, entry);
        keeps_no_fleet()
    }

    /// The latest `most` entries before number `before` (`None`: of all), the newest first.
    async fn audit(
        &self,
        fleet: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let _ = (fleet, before, most);
        keeps_no_fleet()
    }

    /// Keeps a code until it is taken, or over.
    async fn put_link_code(&self, code: &LinkCode) -> Result<(), StoreError> {
        let _ = code;
        keeps_no_fleet()
    }

    /// Takes the code of this hash out, if it is not over at `now`; of several who ask at once, one gets it.
    async fn take_link_code(&self, hash: &str, now: i64) -> Result<Option<LinkCode>, StoreError> {
        let _ = (hash, now);
        keeps_no_fleet()
    }

    /// Claims a chore of the fleet until `until`; false while another has it at `now`. Nothing gives it back.
    async fn claim_chore(&self, fleet: &str, chore: &str, now: i64, until: i64) -> Result<bool, StoreError> {
        let _ = (fleet, chore, now, until);
        keeps_no_fleet()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of three, the newest first.
    fn log() -> Vec<AuditEntry> {
        let mut log: Vec<AuditEntry> = Vec::new();
        for detail in ["one", "two", "three"] {
            let entry = AuditEntry {
                at: 5,
                by: "ann".to_owned(),
                detail: detail.to_owned(),
                ..AuditEntry::default()
            };
            log.insert(0, entry.behind(log.first()));
        }
        log
    }

    #[test]
    fn a_whole_log_is_intact_and_so_is_a_stretch_of_it() {
        assert!(is_intact(&log()));
        assert!(is_intact(&log()[..2]));
        assert!(is_intact(&[]));
    }

    #[test]
    fn whatever_is_changed_shows() {
        type Change = fn(&mut Vec<AuditEntry>);
        let changes: [Change; 7] = [
            |log| log[1].detail = "other".to_owned(),
            |log| log[2].at = 6,
            |log| log[0].by.push('e'),
            |log| drop(log.remove(1)),
            |log| log.swap(0, 1),
            |log| (log[1].principal, log[1].by) = ("ann".to_owned(), String::new()),
            |log| log[2].digest = log[1].digest.clone(),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut changed = log();
            change(&mut changed);
            assert!(!is_intact(&changed), "change {at}");
        }
    }
}
