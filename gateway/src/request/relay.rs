//! From Ollama's bytes to the client's: read as the client takes, flushed per read, alive during silence, ended in the
//! family's form whatever happens upstream.
//!
//! One poll does one step: poll what is awaited, hand on what it brought, or see to the timer. The state stands behind
//! a lock only for the sweeper, which ends a reader that takes nothing: a body whose client is full is never polled.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::time::Sleep;

use super::account::{Account, Outcome};
use super::forward::{Begun, Changes, Slot, broke_off};
use super::inspect::Ask;
use super::limit::{Pass, Reservation};
use crate::body::Cut;
use crate::config::settings::{Limits, Queue};
use crate::connection::clock::{ConnectionClock, Serving, Sweeper, Timed, Watched};
use crate::error::Refusal;
use crate::ollama::client::{Answer, AnswerBody, More};
use crate::ollama::dialect::Api;
use crate::ollama::frames::{Frames, Seen, facts_of_whole, keepalive};
use crate::ollama::names::ModelName;
use crate::ollama::pace::Pace;

/// The end of a whole answer, where every API keeps its counts.
const TAIL: usize = 2 << 10;

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
    /// Its place among the caller's open requests.
    pub pass: Pass,
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
    model: ModelName,
    prompt_tokens: u32,
}

impl Traits {
    /// The traits of `ask`.
    pub fn of(ask: &Ask) -> Self {
        Self {
            api: ask.api,
            stream: ask.stream,
            hide_usage: ask.hide_usage,
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
    /// HTTP/1.1: ending a stalled reader means ending its connection.
    connection: Option<Arc<ConnectionClock>>,
    rules: Rules,
}

struct State {
    phase: Phase,
    traits: Traits,
    passage: Option<Passage>,
    pace: Arc<Pace>,
    rules: Rules,
    changes: Option<Changes>,
    /// When the stream must be over.
    ends: Instant,
    /// When bytes last went out.
    last_sent: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when the client has had bytes waiting, and how many had been handed out by then.
    owing: Option<(Instant, u64)>,
    handed: u64,
}

enum Phase {
    /// Committed early: 200 is out, the answer is not here.
    Awaiting(Awaited),
    Streaming {
        body: AnswerBody,
        frames: Frames,
        slot: Option<Slot>,
    },
    Passing {
        body: AnswerBody,
        tail: BytesMut,
        slot: Option<Slot>,
    },
    Done,
    Ended,
}

/// What one step brought.
enum Step {
    Bytes(Bytes),
    /// The last bytes; the body ends behind them.
    Last(Bytes),
    Cut,
    Idle,
}

impl Relay {
    /// Relays an answer whose head is here.
    pub fn begun(begun: Begun, traits: Traits, passage: Passage, pace: Arc<Pace>, rules: Rules) -> Self {
        // Only an answer that leaves as it came has the length it came with.
        let length = if traits.stream { None } else { begun.answer.length };
        let mut state = State::new(Phase::Done, traits, passage, pace, rules);
        state.begin(begun);
        Self {
            shared: Arc::new(Shared { state: Mutex::new(state), connection: None, rules }),
            length,
            watched: None,
        }
    }

    /// Relays an answer that is still awaited: keep-alive bytes until it is here.
    pub fn awaiting(
        awaited: Awaited,
        traits: Traits,
        passage: Passage,
        pace: Arc<Pace>,
        rules: Rules,
    ) -> Self {
        let mut state = State::new(Phase::Awaiting(awaited), traits, passage, pace, rules);
        // The silence has lasted already: the first keep-alive byte goes out with the head.
        state.last_sent = Instant::now().checked_sub(rules.keepalive_every).unwrap_or(state.last_sent);
        Self {
            shared: Arc::new(Shared { state: Mutex::new(state), connection: None, rules }),
            length: None,
            watched: None,
        }
    }

    /// Lets `sweeper` end the stream when its client takes nothing; on HTTP/1.1 with its connection.
    pub fn watched(mut self, sweeper: &Arc<Sweeper>, connection: Option<Arc<ConnectionClock>>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.connection = connection;
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
}

impl Timed for Shared {
    fn look(&self, now: Instant) {
        let mut state = self.lock();
        let Some((since, handed)) = state.owing else { return };
        if now.saturating_duration_since(since) < self.rules.stall {
            return;
        }
        if state.handed - handed >= self.rules.bytes_per_stall {
            state.owing = Some((now, state.handed));
            return;
        }
        state.end(Outcome::Stalled, "write_stall");
        if let Some(connection) = &self.connection {
            connection.end();
        }
    }
}

impl State {
    fn new(phase: Phase, traits: Traits, passage: Passage, pace: Arc<Pace>, rules: Rules) -> Self {
        let now = Instant::now();
        Self {
            phase,
            traits,
            passage: Some(passage),
            pace,
            rules,
            changes: None,
            ends: now + rules.stream,
            last_sent: now,
            timer: None,
            owing: None,
            handed: 0,
        }
    }

    fn begin(&mut self, begun: Begun) {
        let Begun { answer: Answer { body, .. }, slot, waited, changes } = begun;
        if let Some(passage) = &mut self.passage {
            passage.account.waited = slot.is_some().then_some(waited);
            passage.account.first_byte();
        }
        self.ends = Instant::now() + self.rules.stream;
        self.changes = changes;
        if self.traits.stream {
            let frames = Frames::new(self.traits.api, self.traits.hide_usage);
            self.phase = Phase::Streaming { body, frames, slot };
        } else if body.is_done() {
            // An empty answer: nobody will ask for its bytes.
            self.settle(Seen::default(), slot);
            self.close(Phase::Done);
        } else {
            self.phase = Phase::Passing { body, tail: BytesMut::new(), slot };
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            let step = match &mut self.phase {
                Phase::Done => return Poll::Ready(None),
                Phase::Ended => return Poll::Ready(Some(Err(Cut))),
                Phase::Awaiting(awaited) => match awaited.as_mut().poll(cx) {
                    Poll::Pending => Step::Idle,
                    Poll::Ready(Ok(begun)) => {
                        self.begin(begun);
                        continue;
                    }
                    Poll::Ready(Err(refusal)) => self.refuse(&refusal),
                },
                Phase::Streaming { .. } => self.stream(cx),
                Phase::Passing { .. } => self.pass(cx),
            };
            let step = if matches!(step, Step::Idle) { self.tick(cx) } else { step };
            return match step {
                Step::Bytes(bytes) => Poll::Ready(Some(Ok(self.hand(bytes)))),
                Step::Last(bytes) => {
                    let last = (!bytes.is_empty()).then(|| Ok(self.hand(bytes)));
                    self.close(Phase::Done);
                    Poll::Ready(last)
                }
                Step::Cut => {
                    self.close(Phase::Ended);
                    Poll::Ready(Some(Err(Cut)))
                }
                Step::Idle => {
                    self.owing = None; // the client has taken everything there is
                    Poll::Pending
                }
            };
        }
    }

    /// Gives back what the request held.
    fn close(&mut self, phase: Phase) {
        self.phase = phase;
        self.changes = None;
        self.passage = None;
    }

    fn hand(&mut self, bytes: Bytes) -> Bytes {
        let now = Instant::now();
        self.last_sent = now;
        self.handed += bytes.len() as u64;
        self.owing.get_or_insert((now, self.handed));
        if let Some(passage) = &mut self.passage {
            passage.account.bytes += bytes.len() as u64;
        }
        bytes
    }

    /// A streamed answer: whole frames go on as they come.
    fn stream(&mut self, cx: &mut Context<'_>) -> Step {
        let Phase::Streaming { body, frames, slot } = &mut self.phase else { return Step::Idle };
        let mut out = BytesMut::new();
        loop {
            let mut framed = Ok(());
            let more = match body.poll_more(cx, |bytes| {
                if framed.is_ok() {
                    framed = frames.push(bytes, &mut out);
                }
            }) {
                Poll::Pending if out.is_empty() => return Step::Idle,
                Poll::Pending => return Step::Bytes(out.freeze()),
                Poll::Ready(more) => more,
            };
            if let Some(text) = frames.error() {
                let refusal = Refusal::Upstream { text: text.to_owned(), worked: true };
                return self.fail(out, &refusal);
            }
            match (more, framed) {
                (Ok(More::Data), Ok(())) if out.is_empty() => {}
                (Ok(More::Data), Ok(())) => return Step::Bytes(out.freeze()),
                (Ok(More::End), Ok(())) => {
                    frames.finish(&mut out);
                    if !frames.is_complete() {
                        let step = self.fail(out, &broke_off(true));
                        self.free();
                        return step;
                    }
                    let (seen, slot) = (frames.seen().clone(), slot.take());
                    self.settle(seen, slot);
                    return Step::Last(out.freeze());
                }
                _ => return self.fail(out, &broke_off(true)),
            }
        }
    }

    /// An answer that is not streamed: its bytes as they are.
    fn pass(&mut self, cx: &mut Context<'_>) -> Step {
        let Phase::Passing { body, tail, slot } = &mut self.phase else { return Step::Idle };
        let mut out = BytesMut::new();
        let more = body.poll_more(cx, |bytes| out.extend_from_slice(bytes));
        keep_tail(tail, &out);
        match more {
            Poll::Pending => Step::Idle,
            Poll::Ready(Ok(More::Data)) if !body.is_done() => Step::Bytes(out.freeze()),
            Poll::Ready(Ok(_)) => {
                let (seen, slot) = (facts_of_whole(self.traits.api, tail), slot.take());
                self.settle(seen, slot);
                Step::Last(out.freeze())
            }
            Poll::Ready(Err(_)) => {
                if let Some(slot) = slot {
                    slot.broke();
                }
                self.outcome(Outcome::Broken, "broke_off");
                Step::Cut
            }
        }
    }

    /// The answer is whole: prices what it was, frees the slot, learns.
    fn settle(&mut self, mut seen: Seen, slot: Option<Slot>) {
        if seen.tokens > 0 {
            // An API without counts is counted by its chunks.
            seen.prompt_tokens.get_or_insert(self.traits.prompt_tokens);
            seen.output_tokens.get_or_insert(u32::try_from(seen.tokens).unwrap_or(u32::MAX));
        }
        if slot.is_some() {
            self.pace.learn(&self.traits.model, &seen);
        }
        let work = slot.map_or(0.0, |slot| slot.finish(&seen));
        let Some(passage) = &mut self.passage else { return };
        let tokens = seen.prompt_tokens.unwrap_or(0) + seen.output_tokens.unwrap_or(0);
        if let Some(reservation) = passage.reservation.take() {
            reservation.settle(u64::from(tokens));
        }
        passage.account.outcome = Outcome::Answered;
        passage.account.work = work;
        passage.account.seen = seen;
    }

    /// Ollama has ended the answer, so nothing of it runs there any more: its slot need not be held.
    fn free(&mut self) {
        if let Phase::Streaming { frames, slot, .. } = &mut self.phase
            && let Some(slot) = slot.take()
        {
            slot.finish(frames.seen());
        }
    }

    /// The stream breaks: what came, then an error in the family's form.
    fn fail(&mut self, mut out: BytesMut, refusal: &Refusal) -> Step {
        if let Phase::Streaming { slot: Some(slot), .. } = &self.phase {
            slot.broke();
        }
        self.note_partial();
        self.outcome(Outcome::Broken, "broke_off");
        out.extend_from_slice(&self.in_stream(refusal));
        Step::Last(out.freeze())
    }

    fn refuse(&mut self, refusal: &Refusal) -> Step {
        if let Some(passage) = &mut self.passage {
            passage.account.refused(refusal);
            // Nothing was generated: the tokens go back. What had begun to come stays charged.
            if let (Phase::Awaiting(_), Some(reservation)) = (&self.phase, passage.reservation.take()) {
                reservation.settle(0);
            }
        }
        Step::Last(self.in_stream(refusal))
    }

    fn in_stream(&self, refusal: &Refusal) -> Bytes {
        let id = self.passage.as_ref().map_or("", |passage| passage.account.id.as_str());
        refusal.in_stream(self.traits.api, id)
    }

    /// Nothing came: is it time for a keep-alive byte, or for the end?
    fn tick(&mut self, cx: &mut Context<'_>) -> Step {
        loop {
            let now = Instant::now();
            if now >= self.ends {
                return self.too_late();
            }
            let alive_at = self.last_sent + self.rules.keepalive_every;
            if self.may_keep_alive() && now >= alive_at {
                return Step::Bytes(Bytes::from_static(keepalive(self.traits.api)));
            }
            let due = if self.may_keep_alive() { alive_at.min(self.ends) } else { self.ends };
            let due = tokio::time::Instant::from_std(due);
            // Not set back with each token: it fires, sees how late it is, and is set again.
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if timer.as_mut().poll(cx).is_pending() {
                return Step::Idle;
            }
            timer.as_mut().reset(due);
            if timer.as_mut().poll(cx).is_pending() {
                return Step::Idle;
            }
        }
    }

    fn may_keep_alive(&self) -> bool {
        match &self.phase {
            Phase::Awaiting(_) => true,
            Phase::Streaming { frames, .. } => frames.at_boundary(),
            _ => false,
        }
    }

    fn too_late(&mut self) -> Step {
        self.note_partial();
        let refusal = Refusal::TooLate("the answer took longer than a request may; ask for less".to_owned());
        if self.traits.stream {
            return self.refuse(&refusal);
        }
        self.outcome(Outcome::Refused, refusal.label());
        Step::Cut
    }

    /// Ended by the sweeper: slot and upstream are free at once, the client sees the cut if it ever looks.
    fn end(&mut self, outcome: Outcome, reason: &'static str) {
        self.note_partial();
        self.outcome(outcome, reason);
        self.close(Phase::Ended);
        self.owing = None;
    }

    fn outcome(&mut self, outcome: Outcome, reason: &'static str) {
        if let Some(passage) = &mut self.passage {
            passage.account.outcome = outcome;
            passage.account.reason = reason;
        }
    }

    /// What had come of an answer that will not be whole is accounted too.
    fn note_partial(&mut self) {
        let Phase::Streaming { frames, slot, .. } = &self.phase else { return };
        let mut seen = frames.seen().clone();
        let output = *seen.output_tokens.get_or_insert(u32::try_from(seen.tokens).unwrap_or(u32::MAX));
        if output > 0 {
            // Counts come at the end only; but the prompt was read.
            seen.prompt_tokens.get_or_insert(self.traits.prompt_tokens);
        }
        if let Some(passage) = &mut self.passage {
            if let Some(reservation) = &mut passage.reservation {
                reservation.count(u64::from(self.traits.prompt_tokens) + u64::from(output));
            }
            passage.account.work = slot.as_ref().map_or(0.0, |slot| slot.work(&seen));
            passage.account.seen = seen;
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.note_partial();
    }
}

fn keep_tail(tail: &mut BytesMut, bytes: &[u8]) {
    tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
    if tail.len() > TAIL {
        let _ = tail.split_to(tail.len() - TAIL);
    }
}
