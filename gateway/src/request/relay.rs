//! From Ollama's bytes to the client's: read as the client takes, flushed per read, alive during silence, ended in the
//! family's form whatever happens upstream.
//!
//! `state` polls what is awaited, hands on what it brought, and sees to the timer. It stands behind a lock only for the
//! sweeper, which ends a reader that takes nothing: a body whose client is full is never polled.

mod state;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::state::{Phase, State};
use super::account::{Account, Outcome};
use super::forward::Begun;
use super::inspect::Ask;
use super::limit::{Pass, Reservation};
use crate::body::Cut;
use crate::config::settings::{Limits, Queue};
use crate::connection::clock::{ConnectionClock, Serving, Sweeper, Timed, Watched};
use crate::drain;
use crate::error::Refusal;
use crate::ollama::dialect::Api;
use crate::ollama::names::ModelName;
use crate::ollama::pace::Pace;
use crate::process::Shared as Process;
use crate::wake::Wake;

/// How long the client of a stream that is ended has to take the reason.
const TO_READ_WHY: Duration = Duration::from_secs(1);

/// The answer that is still awaited.
pub type Awaited = Pin<Box<dyn Future<Output = Result<Begun, Refusal>> + Send>>;

/// Times and rates of a relay.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    keepalive_every: Duration,
    stream: Duration,
    stall: Duration,
    bytes_per_stall: u64,
}

impl Rules {
    /// The rules of the configuration.
    pub fn new(limits: &Limits, queue: &Queue) -> Self {
        let bytes = limits.write_bytes_per_second as f64 * limits.write_stall_seconds.as_secs_f64();
        Self {
            keepalive_every: queue.keepalive_every_seconds,
            stream: limits.stream_seconds,
            stall: limits.write_stall_seconds,
            bytes_per_stall: bytes as u64,
        }
    }
}

/// What a request holds until its last byte, and gives back when it is dropped.
pub struct Passage {
    /// Its account.
    pub account: Account,
    /// Its place among the caller's open requests; `None` where a peer counts it.
    pub pass: Option<Pass>,
    /// The caller's tokens.
    pub reservation: Option<Reservation>,
    /// What keeps its connection from being idle.
    pub serving: Option<Serving>,
}

/// What the relay must know of a request.
pub struct Traits {
    api: Api,
    stream: bool,
    hide_usage: bool,
    /// A peer reads it, which keeps its own client alive.
    forwarded: bool,
    model: ModelName,
    prompt_tokens: u32,
}

impl Traits {
    /// The traits of `ask`, which may be `forwarded` by a peer.
    pub fn of(ask: &Ask, forwarded: bool) -> Self {
        Self {
            api: ask.api,
            stream: ask.stream,
            hide_usage: ask.hide_usage,
            forwarded,
            model: ask.model.clone(),
            prompt_tokens: ask.prompt_tokens,
        }
    }
}

/// A body that Ollama is writing.
pub struct Relay {
    shared: Arc<Shared>,
    length: Option<u64>,
    watched: Option<Watched>,
}

struct Shared {
    state: Mutex<State>,
    /// Who may end it besides: a denial, and the drain.
    process: Option<Arc<Process>>,
    /// HTTP/1.1: ending a stalled reader means ending its connection.
    connection: Option<Arc<ConnectionClock>>,
    rules: Rules,
}

impl Relay {
    /// Relays an answer whose head is here.
    pub fn begun(begun: Begun, traits: Traits, passage: Passage, pace: Arc<Pace>, rules: Rules) -> Self {
        // Only an answer that leaves as it came has the length it came with.
        let length = if traits.stream { None } else { begun.answer.length };
        let mut state = State::new(Phase::Done, traits, passage, pace, rules);
        state.begin(begun);
        Self {
            shared: Arc::new(Shared { state: Mutex::new(state), process: None, connection: None, rules }),
            length,
            watched: None,
        }
    }

    /// Relays an answer that is still awaited: keep-alive bytes until it is here, which tell what `wake` knows.
    pub fn awaiting(
        awaited: Awaited,
        traits: Traits,
        passage: Passage,
        pace: Arc<Pace>,
        rules: Rules,
        wake: Arc<Wake>,
    ) -> Self {
        let mut state = State::new(Phase::Awaiting(awaited), traits, passage, pace, rules);
        state.wake = Some(wake);
        // The silence has lasted already: the first keep-alive byte goes out with the head.
        state.last_sent = Instant::now().checked_sub(rules.keepalive_every).unwrap_or(state.last_sent);
        Self {
            shared: Arc::new(Shared { state: Mutex::new(state), process: None, connection: None, rules }),
            length: None,
            watched: None,
        }
    }

    /// Lets `sweeper` end the stream when its client takes nothing or is shut out, or when the process ends; on HTTP/1.1
    /// with its connection.
    pub fn watched(
        mut self,
        sweeper: &Arc<Sweeper>,
        connection: Option<Arc<ConnectionClock>>,
        process: &Arc<Process>,
    ) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.connection = connection;
            shared.process = Some(process.clone());
        }
        let weak: Weak<Shared> = Arc::downgrade(&self.shared);
        self.watched = Some(sweeper.watch(weak));
        self
    }

    /// Ties the end of `serving` to the end of this relay: its last byte, or its end by the sweeper, which nobody may
    /// ever look at.
    pub fn ends(&mut self, serving: Serving) {
        if let Some(passage) = &mut self.shared.lock().passage {
            passage.serving = Some(serving);
        }
    }

    /// The exact length, where the answer leaves as it came.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next bytes.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        self.shared.lock().poll(cx)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it may not go on, if that is so.
    fn objection(&self, state: &State) -> Option<Refusal> {
        let process = self.process.as_ref()?;
        let caller = state.passage.as_ref().and_then(|passage| passage.account.caller.as_ref());
        if caller.is_some_and(|caller| process.denials.denies(caller)) {
            return Some(Refusal::Denied);
        }
        process.drain.ends().then(drain::cut_short)
    }

    fn end(&self, state: &mut State, outcome: Outcome, reason: &'static str) {
        state.end(outcome, reason);
        if let Some(connection) = &self.connection {
            connection.end();
        }
    }
}

impl Timed for Shared {
    fn look(&self, now: Instant) {
        let mut state = self.lock();
        if let Some(objection) = self.objection(&state) {
            // First in plain words; who does not read them is cut.
            let label = objection.label();
            if state.object(objection, now) >= TO_READ_WHY {
                self.end(&mut state, Outcome::Refused, label);
            }
            return;
        }
        let Some((since, handed)) = state.owing else { return };
        if now.saturating_duration_since(since) < self.rules.stall {
            return;
        }
        if state.handed - handed >= self.rules.bytes_per_stall {
            state.owing = Some((now, state.handed));
            return;
        }
        self.end(&mut state, Outcome::Stalled, "write_stall");
    }
}
