//! The audit log: what administrators looked at and changed. An entry stands before anything is shown or done, so that
//! nothing is without one; where it cannot be written, nothing is.

use std::time::Duration;

use fleet::store::{AuditEntry, Store, StoreError};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::error::Refusal;
use crate::identity::Principal;
use crate::process::Shared;

/// Longest wait for the store. An entry that is written after it is one too many, never one too few.
const STORE_WAIT: Duration = Duration::from_secs(5);

/// What the caller is told to wait where the log fails.
const STORE_RETRY: Duration = Duration::from_secs(5);

/// Entries of a page where the caller does not say.
const USUAL: usize = 50;
/// Entries of a page at most.
const MOST: usize = 200;

/// One thing that an administrator is about to do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Act<'a> {
    /// What, in a word: `view`, `delete`, `deny`.
    pub action: &'static str,
    /// Whom it concerns; empty: everybody.
    pub principal: &'a str,
    /// Which conversation; empty: none.
    pub conversation: &'a str,
    /// More; never what anybody wrote.
    pub detail: &'a str,
}

/// A page of the log, as it is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
}

impl Shared {
    /// Writes down what `by` is about to do. Only then may it be done. The line of the process's own log holds the number and
    /// the digest, so that a log which somebody wrote anew from some entry on is found out by comparing.
    ///
    /// # Errors
    /// 503: it could not be written, and nothing may be shown or changed.
    pub(crate) async fn note(&self, by: &Principal, act: Act<'_>) -> Result<(), Refusal> {
        let written = write(&*self.store, &self.config.fleet.name, by.as_str(), act);
        let written = timeout(STORE_WAIT, written).await;
        let entry = written.unwrap_or_else(|_| Err(late())).map_err(|error| {
            tracing::error!(%error, by = by.as_str(), action = act.action, "the audit log cannot be written");
            unwritten()
        })?;
        let AuditEntry { number, by, action, principal, conversation, digest, .. } = &entry;
        tracing::info!(number, by, action, principal, conversation, digest, "audit");
        Ok(())
    }

    /// A page of the log, the newest first. Reading it is not written down: that would never end.
    ///
    /// # Errors
    /// 400 for a page of an impossible size, 503 where the log cannot be read.
    pub(crate) async fn audit_page(&self, wanted: &Wanted) -> Result<Value, Refusal> {
        let most = wanted.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&most) {
            return Err(Refusal::Invalid(format!("`limit` must be between 1 and {MOST}")));
        }
        let read = self.store.audit(&self.config.fleet.name, wanted.before, most + 1);
        let entries = timeout(STORE_WAIT, read).await.unwrap_or_else(|_| Err(late())).map_err(|error| {
            tracing::warn!(%error, "the audit log cannot be read");
            Refusal::Overloaded {
                what: "the audit log cannot be read at this moment",
                retry_after: STORE_RETRY,
            }
        })?;
        let page = &entries[..most.min(entries.len())];
        let next = page.last().map(|entry| entry.number).filter(|_| entries.len() > most);
        Ok(json!({
            "entries": page.iter().map(shown).collect::<Vec<_>>(),
            "next": next,
            "intact": intact(&entries, wanted.before, most),
        }))
    }
}

/// Writes an entry.
///
/// # Errors
/// As the store's; what was to be written down may then not be done.
pub(crate) async fn write(
    store: &dyn Store,
    fleet: &str,
    by: &str,
    act: Act<'_>,
) -> Result<AuditEntry, StoreError> {
    let entry = AuditEntry {
        at: Timestamp::now().as_second(),
        by: by.to_owned(),
        action: act.action.to_owned(),
        principal: act.principal.to_owned(),
        conversation: act.conversation.to_owned(),
        detail: act.detail.to_owned(),
        ..AuditEntry::default()
    };
    store.append_audit(fleet, &entry).await
}

/// Does each entry follow from the one before it? `entries` are the newest first, those of a page and the one before them,
/// from number `before` downwards; no more than `most` of them means that the log begins there.
fn intact(entries: &[AuditEntry], before: Option<u64>, most: usize) -> bool {
    let follows = |pair: &[AuditEntry]| {
        pair[0].number == pair[1].number + 1 && pair[0].digest == pair[0].digest_after(&pair[1].digest)
    };
    let reaches = before
        .is_none_or(|before| before.saturating_sub(1) == entries.first().map_or(0, |entry| entry.number));
    let begins = |first: &AuditEntry| first.number == 1 && first.digest == first.digest_after("");
    let whole = entries.len() > most || entries.last().is_none_or(begins);
    reaches && whole && entries.windows(2).all(follows)
}

fn shown(entry: &AuditEntry) -> Value {
    json!({
        "number": entry.number,
        "at": entry.at,
        "by": entry.by,
        "action": entry.action,
        "principal": entry.principal,
        "conversation": entry.conversation,
        "detail": entry.detail,
    })
}

fn late() -> StoreError {
    StoreError::Unavailable(format!("no answer in {} s", STORE_WAIT.as_secs()))
}

fn unwritten() -> Refusal {
    Refusal::Overloaded {
        what: "the audit log cannot be written at this moment, and without it nothing is shown or changed",
        retry_after: STORE_RETRY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The newest first, as the store gives them.
    fn log(entries: u64) -> Vec<AuditEntry> {
        let mut log: Vec<AuditEntry> = Vec::new();
        for number in 1..=entries {
            let mut entry = AuditEntry {
                number,
                at: 1_800_000_000,
                by: "https://issuer#admin".to_owned(),
                action: "view".to_owned(),
                principal: "https://issuer#alice".to_owned(),
                ..AuditEntry::default()
            };
            entry.digest = entry.digest_after(log.last().map_or("", |before| &before.digest));
            log.push(entry);
        }
        log.reverse();
        log
    }

    #[test]
    fn a_log_that_nobody_changed_is_intact_on_every_page() {
        for entries in 0..6 {
            let log = log(entries);
            for before in (1..=entries + 1).map(Some).chain([None]) {
                for most in 1..7 {
                    let from = before.map_or(0, |before| (entries + 1 - before) as usize);
                    let page: Vec<_> = log[from..].iter().take(most + 1).cloned().collect();
                    assert!(
                        intact(&page, before, most),
                        "{entries} entries before {before:?}, {most} of them"
                    );
                }
            }
        }
    }

    #[test]
    fn whatever_is_changed_shows() {
        let changes: [fn(&mut AuditEntry); 7] = [
            |entry| entry.at += 1,
            |entry| entry.by.push('x'),
            |entry| entry.action = "list".to_owned(),
            |entry| entry.principal.clear(),
            |entry| entry.conversation.push('x'),
            |entry| entry.detail.push('x'),
            |entry| entry.digest.replace_range(..1, "x"),
        ];
        for (case, change) in changes.into_iter().enumerate() {
            for at in 0..4 {
                let mut log = log(4);
                change(&mut log[at]);
                assert!(!intact(&log, None, 4), "change {case} of entry {at}");
            }
        }
    }

    #[test]
    fn whatever_is_taken_out_shows() {
        for at in 0..4 {
            let mut all = log(4);
            all.remove(at);
            // Nothing follows the newest: only who knows its number, as from the page after it, can miss it.
            assert_eq!(intact(&all, None, 4), at == 0, "entry {at}");
            assert!(!intact(&all, Some(5), 4), "entry {at}");
        }
        assert!(!intact(&[], Some(3), 4), "all of them");
        let pieces = ["ab", ""];
        let moved = |detail: &str, conversation: &str| AuditEntry {
            detail: detail.to_owned(),
            conversation: conversation.to_owned(),
            ..AuditEntry::default()
        };
        assert_ne!(
            moved(pieces[0], pieces[1]).digest_after(""),
            moved(pieces[1], pieces[0]).digest_after(""),
            "a text that moved to another field"
        );
    }
}
