//! Sending a request to the upstream its place names, and what its first sign is: an answer, a refusal, or nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::account::Books;
use super::destination::{Destination, Errands, has_not_taken};
use super::queue::Permit;
use crate::error::Refusal;
use crate::ollama::client::{Answer, Client, ClientError};
use crate::ollama::frames::Seen;
use crate::ollama::models::Keeper;
use crate::ollama::pace::Rates;
use crate::peers::Peer;
use crate::process::Shared;

/// How long Ollama goes on decoding after its connection closed (0.45 s measured on v0.33).
const DECODE_CANCEL: Duration = Duration::from_millis(500);
/// The largest error body read.
const ERROR_BYTES: usize = 64 << 10;

/// A slot, and the request inside Ollama that occupies it. Dropped before the answer's end, it keeps the slot until
/// Ollama has noticed: a slot given away earlier would make the next request wait inside Ollama.
pub struct Slot {
    permit: Option<Permit>,
    destination: Destination,
    rates: Rates,
    since: Instant,
    answering: bool,
    books: Arc<Books>,
    /// Tokens of the prompt, as estimated on arrival.
    prompt_tokens: u32,
    /// Tokens read and generated so far, for an answer that is cut.
    partial: (u64, u64),
}

impl Slot {
    /// Occupies the permit's place from now on.
    pub fn new(
        permit: Permit,
        destination: Destination,
        rates: Rates,
        books: &Arc<Books>,
        prompt_tokens: u32,
    ) -> Self {
        Self {
            permit: Some(permit),
            destination,
            rates,
            since: Instant::now(),
            answering: false,
            books: books.clone(),
            prompt_tokens,
            partial: (0, 0),
        }
    }

    /// A token was seen: a cancel is noticed soon from now on.
    pub fn answering(&mut self) {
        self.answering = true;
    }

    /// The answer is whole and Ollama free. Returns the work that was done.
    pub fn finish(mut self, seen: &Seen) -> f64 {
        let work = self.work(seen);
        if let Some(mut permit) = self.permit.take() {
            permit.settle(work, self.since.elapsed());
            let prompt = seen.prompt_tokens.unwrap_or(self.prompt_tokens);
            self.count(u64::from(prompt), output(seen));
        }
        work
    }

    /// So much of an answer was seen, if it comes to no more. Returns the work that was done.
    pub fn note(&mut self, seen: &Seen) -> f64 {
        self.partial = (u64::from(seen.prompt_tokens.unwrap_or(0)), output(seen));
        self.work(seen)
    }

    /// Another node counts what it finishes.
    fn count(&self, prompt_tokens: u64, output_tokens: u64) {
        if self.destination.is_local() {
            self.books.work.finished(prompt_tokens, output_tokens);
        }
    }

    /// The answer broke: perhaps the model's engine died. Nobody is let in before that is known, or the next client
    /// would own its load. Another node sees to that by itself, and where it is gone the next request notices.
    pub fn broke(&self) {
        if let Destination::Here(keeper) = &self.destination {
            keeper.broke();
        }
    }

    /// The work in `seen`, in seconds of an idle node.
    fn work(&self, seen: &Seen) -> f64 {
        self.rates.work(seen.prompt_tokens.unwrap_or(0), output(seen) as f64)
    }

    /// Ollama never had the request: the place goes back to the queue untouched.
    fn unused(mut self) -> Option<Permit> {
        self.permit.take()
    }
}

/// Tokens generated: by Ollama's own count, else by the chunks that came.
fn output(seen: &Seen) -> u64 {
    seen.output_tokens.map_or(seen.tokens, u64::from)
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let (prompt, output) = self.partial;
            self.count(prompt, output);
            let noticed = if self.answering || !self.destination.is_local() {
                DECODE_CANCEL // a node frees its own slot; it need only have seen us go
            } else {
                self.rates.prefill_batch()
            };
            permit.free_after(noticed);
        }
    }
}

/// An answer that has begun, and the slot it occupies, if it needs one.
pub struct Begun {
    /// The answer.
    pub answer: Answer,
    /// The slot.
    pub slot: Option<Slot>,
    /// Time spent in queues, here and at the node that serves.
    pub waited: Duration,
    /// The other node that serves; `None` where it is this one.
    pub by: Option<Arc<Peer>>,
    /// There for what may change which models there are.
    pub changes: Option<Changes>,
}

/// Dropped at the end of such an answer, it has the lists read again before the next one is given.
pub struct Changes(pub Arc<Keeper>);

impl Drop for Changes {
    fn drop(&mut self) {
        self.0.models_changed();
    }
}

/// Why nothing has begun.
pub enum Failure {
    /// The upstream could not be reached, or a node has not taken the request: the permit may go back to the queue.
    Unreached(Option<Permit>),
    /// A node broke off before the first byte of an answer: the permit may go back, but work may have been done.
    BrokeOff(Option<Permit>),
    /// A node does not have the model: another may.
    Lacks(Option<Permit>, Refusal),
    /// The caller is told this.
    Refused(Refusal),
    /// Nothing came in time while the model is in memory: its slots are stuck.
    Stuck,
}

/// Sends a request and waits for the head of the answer. An error answer becomes a refusal in plain words.
///
/// # Errors
/// As [`Failure`].
pub async fn forward(
    client: &Client,
    shared: &Shared,
    to: &Destination,
    errands: Errands<'_>,
    slot: Option<Slot>,
    waited: Duration,
    stuck_after: Option<Duration>,
) -> Result<Begun, Failure> {
    let request = to.outgoing(shared, errands, waited).map_err(Failure::Refused)?;
    let Some(upstream) = to.upstream() else { return Err(Failure::Unreached(unused(slot))) };
    let sending = client.send(upstream, &request);
    let sent = match stuck_after {
        Some(patience) => tokio::time::timeout(patience, sending).await,
        None => Ok(sending.await),
    };
    let answer = match sent {
        Err(_) => return Err(Failure::Stuck),
        Ok(Err(ClientError::Connect(_))) => return Err(Failure::Unreached(unused(slot))),
        Ok(Err(_)) => return Err(broken(to, slot)),
        Ok(Ok(answer)) => answer,
    };
    if answer.status != StatusCode::OK {
        return Err(refused(to, answer, slot).await);
    }
    let waited = waited + answer.queue_wait.unwrap_or_default();
    let mut slot = slot;
    if let Some(slot) = &mut slot {
        slot.answering();
    }
    Ok(Begun { answer, slot, waited, by: to.peer().cloned(), changes: None })
}

fn unused(slot: Option<Slot>) -> Option<Permit> {
    slot.and_then(Slot::unused)
}

/// The connection broke before an answer.
fn broken(to: &Destination, slot: Option<Slot>) -> Failure {
    if !to.is_local() {
        return Failure::BrokeOff(unused(slot));
    }
    if let Some(slot) = &slot {
        slot.broke();
    }
    Failure::Refused(broke_off(false))
}

/// The answer is an error.
async fn refused(to: &Destination, mut answer: Answer, slot: Option<Slot>) -> Failure {
    let status = answer.status;
    if !to.is_local() && has_not_taken(status) {
        return Failure::Unreached(unused(slot));
    }
    let body = answer.body.collect(ERROR_BYTES).await.unwrap_or_default();
    let refusal = to.refusal(status, &body);
    if !to.is_local() && matches!(refusal, Refusal::NoModel(_)) {
        return Failure::Lacks(unused(slot), refusal);
    }
    if let Some(slot) = slot {
        // A node that answers is well, whatever its Ollama has.
        if status.is_server_error() && to.is_local() {
            slot.broke();
        }
        slot.finish(&Seen { prompt_tokens: Some(0), ..Seen::default() }); // nothing was read
    }
    Failure::Refused(refusal)
}

/// What a caller is told when the upstream breaks, before or within an answer.
pub fn broke_off(within: bool) -> Refusal {
    let text = if within {
        "the model stopped before its answer was complete; send the request again"
    } else {
        "the model server broke off before it answered; send the request again"
    };
    Refusal::Upstream { text: text.to_owned(), worked: true }
}
