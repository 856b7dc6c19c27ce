//! The right to write in one conversation, held by one turn at a time in the whole fleet: taken before anything is
//! written, renewed beside the work, laid down at its end. Who is gone without a word loses it after [`HELD`].

use std::sync::Arc;
use std::time::Duration;

use fleet::store::PenHeld;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::clock::unix_now;
use super::room::Word;
use super::store::{bounded, failed};
use crate::error::Refusal;
use crate::process::Shared;

/// How long the pen is a holder's who says nothing more, in seconds.
const HELD: i64 = 20;
/// How often it is renewed: three renewals may fail.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Without a renewal for so long, another may soon write: nothing more is written.
const SURE_FOR: Duration = Duration::from_secs(15);

/// The pen of one conversation.
pub(super) struct Pen {
    held: Arc<Held>,
    word: watch::Receiver<Word>,
    renewing: Option<JoinHandle<()>>,
    /// Ends the renewals.
    ended: CancellationToken,
}

struct Held {
    shared: Arc<Shared>,
    principal: String,
    id: String,
    holder: String,
    word: Arc<watch::Sender<Word>>,
}

impl Pen {
    /// Takes it.
    ///
    /// # Errors
    /// 409 while another has it; 503 where the store does not say.
    pub(super) async fn take(shared: &Arc<Shared>, principal: &str, id: &str) -> Result<Self, Refusal> {
        let holder = format!("{}-{:032x}", shared.config.fleet.node, fastrand::u128(..));
        let now = unix_now();
        let taken = bounded(shared.store.take_pen(principal, id, &holder, now, now + HELD)).await;
        if let PenHeld::No(_) = taken.map_err(failed)? {
            return Err(busy());
        }
        let word = shared.conversations.begin(principal, id);
        let (heard, ended) = (word.subscribe(), CancellationToken::new());
        let (principal, id) = (principal.to_owned(), id.to_owned());
        let held = Arc::new(Held { shared: shared.clone(), principal, id, holder, word });
        let renewing = shared.tasks.spawn(held.clone().renew(ended.clone()));
        Ok(Self { held, word: heard, renewing: Some(renewing), ended })
    }

    /// Returns when its holder must end: asked to stop, or without the right to go on.
    pub(super) async fn told(&self) -> Word {
        let mut word = self.word.clone();
        let told = word.wait_for(|word| *word != Word::On).await.map(|word| *word);
        told.unwrap_or(Word::Lost) // the sender is ours, so it cannot be gone
    }

    /// May nothing more be written?
    pub(super) fn is_lost(&self) -> bool {
        *self.word.borrow() == Word::Lost
    }

    /// Lays it down: the next may write at once.
    pub(super) async fn lay_down(mut self) {
        self.ended.cancel();
        if let Some(renewing) = self.renewing.take() {
            let _ended = renewing.await; // or a renewal on its way would take the pen up again
            self.held.clone().give_up().await;
        }
    }
}

/// Where a turn ends without having laid it down: a panic.
impl Drop for Pen {
    fn drop(&mut self) {
        self.ended.cancel();
        if let (Some(renewing), Ok(_)) = (self.renewing.take(), Handle::try_current()) {
            let held = self.held.clone();
            self.held.shared.tasks.spawn_background(async move {
                let _ended = renewing.await;
                held.give_up().await;
            });
        }
    }
}

impl Held {
    async fn renew(self: Arc<Self>, ended: CancellationToken) {
        let mut sure = Instant::now();
        loop {
            tokio::select! {
                () = ended.cancelled() => return,
                () = sleep(RENEW_EVERY) => {}
            }
            let now = unix_now();
            let renewal =
                self.shared.store.take_pen(&self.principal, &self.id, &self.holder, now, now + HELD);
            let said = match timeout(RENEW_EVERY, renewal).await {
                Ok(Ok(PenHeld::Yes(stop))) => {
                    sure = Instant::now();
                    if stop { Word::Stop } else { Word::On }
                }
                Ok(Ok(PenHeld::No(_))) => Word::Lost,
                _ if sure.elapsed() >= SURE_FOR => Word::Lost,
                _ => Word::On,
            };
            match said {
                Word::On => {}
                // Whoever had stopped already must also know that nothing may be written.
                Word::Lost => {
                    self.word.send_replace(Word::Lost);
                    return;
                }
                Word::Stop => {
                    self.word.send_if_modified(|word| {
                        let first = *word == Word::On;
                        *word = word.max_of(Word::Stop);
                        first
                    });
                }
            }
        }
    }

    async fn give_up(self: Arc<Self>) {
        self.shared.conversations.end(&self.principal, &self.id, &self.word);
        if *self.word.borrow() == Word::Lost {
            return;
        }
        let dropped = bounded(self.shared.store.drop_pen(&self.principal, &self.id, &self.holder)).await;
        if let Err(error) = dropped {
            tracing::debug!(%error, "a pen was not laid down; it is free again when its time is over");
        }
    }
}

/// What the second writer is told.
pub(super) fn busy() -> Refusal {
    Refusal::Conflict(
        "this conversation is being written to elsewhere; wait for that answer to end, or stop it".to_owned(),
    )
}
