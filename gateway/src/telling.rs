//! Streams of our own events: their head, their form, and what is told while nothing comes. Translations and
//! conversations are told this way.

use std::time::Duration;

use bytes::Bytes;
use fleet::store::Phase;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::body::Body;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::names::ModelName;
use crate::process::Shared;

/// Tells nginx and its like not to gather events into bursts.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Events that may wait for a slow reader.
const AHEAD: usize = 64;
/// How often it is looked whether there is a wait to tell of.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a wait is told of anew: a countdown needs no more.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// A sign of life.
pub(crate) const COMMENT: Bytes = Bytes::from_static(b": \n\n");

/// The answer that is a stream of events, and where they are put in. The stream ends when the last sender does.
pub(crate) fn stream() -> (Response<Body>, mpsc::Sender<Bytes>) {
    let (sender, pieces) = mpsc::channel(AHEAD);
    let mut response = Response::new(Body::written(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    (response, sender)
}

/// One event.
pub(crate) fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// The last event of work that failed. `waking`: its time ran out because no node was ready.
pub(crate) fn error(refusal: &Refusal, waking: bool) -> Value {
    let code = match refusal {
        Refusal::TooMany { .. } => "limit",
        Refusal::Overloaded { .. } => "overloaded",
        Refusal::Broken { .. } => "broken",
        Refusal::StillWaking(_) => "waking",
        Refusal::TooLate(_) if waking => "waking",
        Refusal::Denied | Refusal::Forbidden(_) | Refusal::Unauthenticated(_) => "denied",
        Refusal::Bug | Refusal::Invalid(_) | Refusal::Conflict(_) => "internal",
        _ => "upstream",
    };
    let retry = refusal.retry_after().map(|wait| wait.as_secs_f64().ceil());
    json!({ "error": refusal.to_string(), "code": code, "retryAfter": retry })
}

/// What a caller's inference of this model waits for, and for how long.
pub(crate) fn wait(shared: &Shared, caller: &Caller, model: &ModelName) -> (&'static str, Option<Duration>) {
    let queued = shared.queue.predicted_wait(&caller.principal, caller.rights.priority, model);
    let until_ready = shared.wake.until_ready();
    let whole = Some(until_ready.saturating_add(queued)).filter(|wait| *wait < Duration::from_secs(86_400));
    match (until_ready.is_zero(), shared.wake.state().phase) {
        (true, _) => ("queued", whole),
        (false, Phase::Asleep) => ("asleep", whole),
        (false, _) => ("waking", whole),
    }
}

/// When to tell of a wait, and when to give a sign of life.
pub(crate) struct Waits {
    told: Option<(Instant, &'static str)>,
    lived: Instant,
    alive: Duration,
}

impl Waits {
    /// Nothing has been told yet; a sign of life at least every `alive`.
    pub(crate) fn new(alive: Duration) -> Self {
        Self { told: None, lived: Instant::now(), alive }
    }

    /// How often to look.
    pub(crate) fn every(&self) -> Duration {
        LOOK_EVERY.min(self.alive)
    }

    /// Is a sign of life due?
    pub(crate) fn is_silent(&mut self) -> bool {
        let silent = self.lived.elapsed() >= self.alive;
        if silent {
            self.lived = Instant::now();
        }
        silent
    }

    /// Something comes: the next wait is a new one.
    pub(crate) fn over(&mut self) {
        self.told = None;
    }

    /// The data of the event that tells of this wait, where it is one that was not told yet, or not lately.
    pub(crate) fn tell(&mut self, (state, wait): (&'static str, Option<Duration>)) -> Option<Value> {
        if self.told.is_some_and(|(at, before)| before == state && at.elapsed() < TELL_EVERY) {
            return None;
        }
        self.told = Some((Instant::now(), state));
        Some(json!({ "state": state, "seconds": wait.map(|wait| wait.as_secs_f64().ceil()) }))
    }
}
