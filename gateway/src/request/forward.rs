//! Sending a request to the upstream its place names, and what its first sign is: an answer, a refusal, or nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::inspect::Ask;
use super::queue::Permit;
use super::route::Route;
use crate::error::Refusal;
use crate::ollama::client::{Answer, Client, ClientError, Outgoing, Upstream};
use crate::ollama::frames::Seen;
use crate::ollama::models::Keeper;
use crate::ollama::pace::Rates;
use crate::ollama::plain_words;

/// How long Ollama goes on decoding after its connection closed (0.45 s measured on v0.33).
const DECODE_CANCEL: Duration = Duration::from_millis(500);
/// The largest error body read.
const ERROR_BYTES: usize = 64 << 10;

/// A slot, and the request inside Ollama that occupies it. Dropped before the answer's end, it keeps the slot until
/// Ollama has noticed: a slot given away earlier would make the next request wait inside Ollama.
pub struct Slot {
    permit: Option<Permit>,
    keeper: Arc<Keeper>,
    rates: Rates,
    since: Instant,
    answering: bool,
}

impl Slot {
    /// Occupies the permit's place from now on.
    pub fn new(permit: Permit, keeper: Arc<Keeper>, rates: Rates) -> Self {
        Self { permit: Some(permit), keeper, rates, since: Instant::now(), answering: false }
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
        }
        work
    }

    /// The answer broke: perhaps the model's engine died. Nobody is let in before that is known, or the next client
    /// would own its load.
    pub fn broke(&self) {
        self.keeper.broke();
    }

    /// The work in `seen`, in seconds of an idle node.
    pub fn work(&self, seen: &Seen) -> f64 {
        let output = seen.output_tokens.map_or(seen.tokens as f64, f64::from);
        self.rates.work(seen.prompt_tokens.unwrap_or(0), output)
    }

    /// Ollama never had the request: the place goes back to the queue untouched.
    fn unused(mut self) -> Option<Permit> {
        self.permit.take()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.free_after(if self.answering { DECODE_CANCEL } else { self.rates.prefill_batch() });
        }
    }
}

/// An answer that has begun, and the slot it occupies, if it needs one.
pub struct Begun {
    /// The answer.
    pub answer: Answer,
    /// The slot.
    pub slot: Option<Slot>,
    /// Time spent in the queue.
    pub waited: Duration,
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
    /// The upstream could not be reached or broke before an answer: the permit may go back to the queue.
    Unreached(Option<Permit>),
    /// The caller is told this.
    Refused(Refusal),
    /// Nothing came in time while the model is in memory: its slots are stuck.
    Stuck,
}

/// Sends `ask` and waits for the head of the answer. An error of Ollama's becomes a refusal in plain words.
///
/// # Errors
/// As [`Failure`].
pub async fn forward(
    client: &Client,
    upstream: &Upstream,
    ask: &Ask,
    mut slot: Option<Slot>,
    waited: Duration,
    stuck_after: Option<Duration>,
) -> Result<Begun, Failure> {
    let route = Route::asking(ask.api).ok_or(Failure::Refused(Refusal::Bug))?;
    let request = Outgoing { method: route.methods, path: route.path, body: Some(ask.body.clone()) };
    let sending = client.send(upstream, &request);
    let sent = match stuck_after {
        Some(patience) => tokio::time::timeout(patience, sending).await,
        None => Ok(sending.await),
    };
    let mut answer = match sent {
        Err(_) => return Err(Failure::Stuck),
        Ok(Err(ClientError::Connect(_))) => return Err(Failure::Unreached(slot.and_then(Slot::unused))),
        Ok(Err(_)) => {
            if let Some(slot) = &slot {
                slot.broke();
            }
            return Err(Failure::Refused(broke_off(false)));
        }
        Ok(Ok(answer)) => answer,
    };
    if answer.status != StatusCode::OK {
        let status = answer.status;
        let body = answer.body.collect(ERROR_BYTES).await.unwrap_or_default();
        if let Some(slot) = slot.take() {
            if status.is_server_error() {
                slot.broke();
            }
            slot.finish(&Seen::default());
        }
        return Err(Failure::Refused(plain_words::refusal(status, &body)));
    }
    if let Some(slot) = &mut slot {
        slot.answering();
    }
    Ok(Begun { answer, slot, waited, changes: None })
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
