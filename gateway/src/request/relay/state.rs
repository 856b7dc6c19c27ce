//! The relay's state: one poll does one step.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::time::Sleep;

use super::{Awaited, Passage, Rules, Traits};
use crate::body::Cut;
use crate::error::Refusal;
use crate::ollama::client::{Answer, AnswerBody, More};
use crate::ollama::frames::{Frames, Seen, facts_of_whole, keepalive};
use crate::ollama::pace::Pace;
use crate::request::account::Outcome;
use crate::request::forward::{Begun, Changes, Slot, broke_off};
use crate::wake::Wake;

/// The end of a whole answer, where every API keeps its counts.
const TAIL: usize = 2 << 10;

/// Where a relay stands.
pub(super) struct State {
    phase: Phase,
    traits: Traits,
    pub(super) passage: Option<Passage>,
    pace: Arc<Pace>,
    rules: Rules,
    changes: Option<Changes>,
    /// When the stream must be over.
    ends: Instant,
    /// When bytes last went out.
    pub(super) last_sent: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when the client has had bytes waiting, and how many had been handed out by then.
    pub(super) owing: Option<(Instant, u64)>,
    pub(super) handed: u64,
    /// Who knows what a held client waits for.
    pub(super) wake: Option<Arc<Wake>>,
    /// Since when the caller is shut out.
    shut_out: Option<Instant>,
    /// Who polls next.
    waker: Option<Waker>,
}

/// What is being done.
pub(super) enum Phase {
    /// Committed early: 200 is out, the answer is not here.
    Awaiting(Awaited),
    /// Whole frames go on.
    Streaming { body: AnswerBody, frames: Frames, slot: Option<Slot> },
    /// Bytes go on.
    Passing { body: AnswerBody, tail: BytesMut, slot: Option<Slot> },
    /// Over, and whole.
    Done,
    /// Over, and cut.
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

impl State {
    /// Begins in `phase`.
    pub(super) fn new(phase: Phase, traits: Traits, passage: Passage, pace: Arc<Pace>, rules: Rules) -> Self {
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
            wake: None,
            shut_out: None,
            waker: None,
        }
    }

    /// The answer is here.
    pub(super) fn begin(&mut self, begun: Begun) {
        let Begun { answer: Answer { body, .. }, slot, waited, changes, by } = begun;
        if let Some(passage) = &mut self.passage {
            passage.account.elsewhere = by.is_some();
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

    /// The next bytes, the end, or nothing yet.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            let step = match &mut self.phase {
                Phase::Done => return Poll::Ready(None),
                Phase::Ended => return Poll::Ready(Some(Err(Cut))),
                _ if self.shut_out.is_some() => self.break_off(&Refusal::Denied),
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
                    match &mut self.waker {
                        Some(waker) => waker.clone_from(cx.waker()),
                        none => *none = Some(cx.waker().clone()),
                    }
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
            if let Some(passage) = &mut self.passage {
                passage.account.generated(frames.seen().tokens);
            }
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
                return Step::Bytes(self.alive());
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

    /// Keep-alive bytes; while a fleet wakes they say so, where clients skip the words.
    fn alive(&self) -> Bytes {
        let awaiting = self.wake.as_ref().filter(|_| matches!(self.phase, Phase::Awaiting(_)));
        keepalive(self.traits.api, awaiting.and_then(|wake| wake.hint()).as_deref())
    }

    fn may_keep_alive(&self) -> bool {
        match &self.phase {
            Phase::Awaiting(_) => true,
            Phase::Streaming { frames, .. } => frames.at_boundary() && !self.traits.forwarded,
            _ => false,
        }
    }

    fn too_late(&mut self) -> Step {
        self.break_off(&Refusal::TooLate(
            "the answer took longer than a request may; ask for less".to_owned(),
        ))
    }

    /// Ends what has begun: a stream in words, an answer whose length is promised by a cut.
    fn break_off(&mut self, refusal: &Refusal) -> Step {
        self.note_partial();
        if self.traits.stream {
            return self.refuse(refusal);
        }
        if let Some(passage) = &mut self.passage {
            passage.account.refused(refusal);
        }
        Step::Cut
    }

    /// The caller is shut out: the next poll ends the answer, and is asked for. Returns since how long this is so.
    pub(super) fn shut_out(&mut self, now: Instant) -> Duration {
        let since = *self.shut_out.get_or_insert(now);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        now.saturating_duration_since(since)
    }

    /// Ended by the sweeper: slot and upstream are free at once, the client sees the cut if it ever looks.
    pub(super) fn end(&mut self, outcome: Outcome, reason: &'static str) {
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
        let Phase::Streaming { frames, slot, .. } = &mut self.phase else { return };
        let mut seen = frames.seen().clone();
        let output = *seen.output_tokens.get_or_insert(u32::try_from(seen.tokens).unwrap_or(u32::MAX));
        if output > 0 {
            // Counts come at the end only; but the prompt was read.
            seen.prompt_tokens.get_or_insert(self.traits.prompt_tokens);
        }
        let work = slot.as_mut().map_or(0.0, |slot| slot.note(&seen));
        if let Some(passage) = &mut self.passage {
            if let Some(reservation) = &mut passage.reservation {
                reservation.count(u64::from(self.traits.prompt_tokens) + u64::from(output));
            }
            passage.account.work = work;
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
