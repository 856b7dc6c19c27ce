//! What a process knows of the conversations that are going on in it: which answers are being written, and who was seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet::store::{Person, Store};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::clock::unix_now;
use crate::drain::{Drain, Phase};
use crate::identity::Principal;

/// How often it is noted that somebody is active.
const SEEN_EVERY: Duration = Duration::from_secs(3600);
/// Longest note of it: nothing waits for that to succeed.
const NOTE: Duration = Duration::from_secs(3);
/// How long an answer that was cut by the drain has to be stored.
const TO_STORE: Duration = Duration::from_secs(5);

/// What the holder of a pen is to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Write on.
    On,
    /// The person has asked to stop.
    Stop,
    /// Another writes now, or may: nothing more may be written.
    Lost,
}

/// Who writes where: principal and conversation.
type Place = (String, String);

/// The conversations of one process.
#[derive(Default)]
pub struct Room {
    writing: Mutex<HashMap<Place, Arc<watch::Sender<Word>>>>,
    answers: watch::Sender<usize>,
    seen: Mutex<HashMap<Principal, Instant>>,
}

/// An answer that is being written; counted until it is dropped.
pub(super) struct Answering<'r>(&'r Room);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.answers.send_modify(|answers| *answers -= 1);
    }
}

impl Room {
    /// One more answer is being written.
    pub(super) fn answering(&self) -> Answering<'_> {
        self.answers.send_modify(|answers| *answers += 1);
        Answering(self)
    }

    /// Answers that are being written.
    pub fn answers(&self) -> usize {
        *self.answers.borrow()
    }

    /// Returns when no answer is being written any more, which needs no connection; or soon after the drain is over.
    pub async fn quiet(&self, drain: &Drain) {
        let mut answers = self.answers.subscribe();
        let over = async {
            drain.reached(Phase::Over).await;
            tokio::time::sleep(TO_STORE).await;
        };
        tokio::select! {
            _ = answers.wait_for(|answers| *answers == 0) => {}
            () = over => {}
        }
    }

    /// Somebody begins to write there. What they are told comes by the sender's receivers.
    pub(super) fn begin(&self, principal: &str, id: &str) -> Arc<watch::Sender<Word>> {
        let word = Arc::new(watch::Sender::new(Word::On));
        self.writing().insert((principal.to_owned(), id.to_owned()), word.clone());
        word
    }

    /// They have ended, if it is still they who write.
    pub(super) fn end(&self, principal: &str, id: &str, word: &Arc<watch::Sender<Word>>) {
        let place = (principal.to_owned(), id.to_owned());
        let mut writing = self.writing();
        if writing.get(&place).is_some_and(|other| Arc::ptr_eq(other, word)) {
            writing.remove(&place);
        }
    }

    /// Tells whoever writes there, in this process, to stop; false where nobody does.
    pub(super) fn stop(&self, principal: &str, id: &str) -> bool {
        let writing = self.writing();
        let Some(word) = writing.get(&(principal.to_owned(), id.to_owned())) else { return false };
        word.send_if_modified(|word| std::mem::replace(word, (*word).max_of(Word::Stop)) == Word::On);
        true
    }

    /// Notes that somebody is active, once an hour.
    pub(super) async fn saw(&self, store: &dyn Store, principal: &Principal) {
        let now = Instant::now();
        {
            let mut seen = self.seen();
            seen.retain(|_, at| now.duration_since(*at) < SEEN_EVERY);
            if seen.contains_key(principal) {
                return;
            }
            seen.insert(principal.clone(), now);
        }
        let person = Person { principal: principal.as_str().to_owned(), seen: unix_now() };
        match timeout(NOTE, store.saw_person(&person)).await {
            Ok(Ok(())) => {}
            failed => {
                tracing::debug!(failed = ?failed.map(|noted| noted.is_ok()), "that somebody is active was not noted");
                self.seen().remove(principal);
            }
        }
    }

    fn writing(&self) -> MutexGuard<'_, HashMap<Place, Arc<watch::Sender<Word>>>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Principal, Instant>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Word {
    /// Of two words the one that says more.
    pub(super) fn max_of(self, other: Self) -> Self {
        if self == Self::On { other } else { self }
    }
}
