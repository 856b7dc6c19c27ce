//! One job: its segments at work side by side, each with its neighbours as context, checked, and tried once more where
//! the first answer will not do.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tokio::time::sleep;

use super::check::{Expected, Mark, terms_in};
use super::events::Events;
use super::input::Manner;
use super::languages::Language;
use super::prompt::Brief;
use super::protect::Protected;
use super::reading::Reading;
use super::segments::{Coding, Segment, split};
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::names::ModelName;
use crate::request::Journey;
use crate::request::account::{Account, Parts};
use crate::request::forward::broke_off;
use crate::request::inner::Inner;
use crate::request::limit::Pass;
use crate::request::route::Route;

/// How often a segment of a job that has begun waits for a limit of the caller's, or for room in the queue. Limits are
/// whole again after a minute.
const WAITS: usize = 20;

/// One text to translate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) coding: Coding,
    pub(super) source: Option<&'static Language>,
}

/// A segment of a text.
#[derive(Debug)]
pub(super) struct Piece {
    /// Which text.
    text: usize,
    pub(super) segment: Segment,
    coding: Coding,
    source: Option<&'static Language>,
}

/// What is to be translated, and how.
pub(super) struct Job {
    pub(super) pieces: Vec<Piece>,
    pub(super) manner: Manner,
    pub(super) model: ModelName,
    texts: usize,
    /// 0, or the number of an alternative.
    pub(super) variant: u32,
}

/// A translated segment.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    pub(super) text: String,
    pub(super) marks: Vec<Mark>,
}

impl Job {
    /// Cuts texts into segments of about `most` characters.
    pub(super) fn of(texts: &[Text<'_>], manner: Manner, model: ModelName, most: usize) -> Self {
        let mut pieces = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            for mut segment in split(text.text, text.coding, most) {
                // What is in the language wanted already stays.
                if text.source.is_some_and(|source| source == manner.target) {
                    segment.before.push_str(&std::mem::take(&mut segment.source));
                }
                pieces.push(Piece { text: number, segment, coding: text.coding, source: text.source });
            }
        }
        Self { pieces, manner, model, texts: texts.len(), variant: 0 }
    }

    fn work(&self) -> Vec<usize> {
        (0..self.pieces.len()).filter(|&n| !self.pieces[n].segment.source.is_empty()).collect()
    }

    /// Characters to translate.
    pub(super) fn characters(&self) -> usize {
        self.pieces.iter().map(|piece| piece.segment.source.chars().count()).sum()
    }

    /// The texts, put together of their translated segments.
    pub(super) fn join(&self, done: &[Done]) -> Vec<String> {
        let mut texts = vec![String::new(); self.texts];
        for (piece, done) in self.pieces.iter().zip(done) {
            texts[piece.text].extend([piece.segment.before.as_str(), &done.text, &piece.segment.after]);
        }
        texts
    }

    /// The segments before and behind, of the same text.
    fn context(&self, at: usize) -> (&str, &str) {
        let of = |at: Option<usize>| {
            let piece = at.and_then(|at| self.pieces.get(at));
            piece
                .filter(|piece| piece.coding != Coding::Markup)
                .map_or("", |piece| piece.segment.source.as_str())
        };
        (of(at.checked_sub(1)), of(at.checked_add(1)))
    }
}

/// Where a job is worked on: in whose name, and how far it is.
pub(super) struct Desk {
    pub(super) journey: Journey,
    pub(super) route: &'static Route,
    pub(super) caller: Caller,
    pub(super) id: String,
    /// The caller's place among their open requests, until the job ends.
    _pass: Option<Pass>,
    pub(super) account: Mutex<Account>,
    asked: AtomicBool,
    begun: AtomicBool,
    /// Answers that are being read.
    pub(super) flowing: AtomicUsize,
}

impl Desk {
    pub(super) fn new(
        journey: Journey,
        route: &'static Route,
        caller: Caller,
        pass: Option<Pass>,
        account: Account,
    ) -> Self {
        Self {
            journey,
            route,
            caller,
            id: account.id.clone(),
            _pass: pass,
            account: Mutex::new(account),
            asked: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            flowing: AtomicUsize::new(0),
        }
    }

    /// The account, when the job is over.
    pub(super) fn close(self) -> Account {
        self.account.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the job has cost by now.
    pub(super) fn spent(&self) -> Parts {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).spent()
    }

    /// Translates all segments. Dropping the future ends everything that is at work.
    ///
    /// # Errors
    /// What a segment could not be translated for in the end; the others are given up.
    pub(super) async fn run(&self, job: &Job, events: &Events) -> Result<Vec<Done>, Refusal> {
        let work = job.work();
        let (total, mut ended, mut characters) = (work.len(), 0, 0);
        let mut done = vec![Done::default(); job.pieces.len()];
        let side_by_side = self.journey.shared.config.translate.concurrency;
        let mut running = stream::iter(work)
            .map(|at| async move { Ok::<_, Refusal>((at, self.piece(job, at, events).await?)) })
            .buffer_unordered(side_by_side);
        while let Some(result) = running.next().await {
            let (at, piece) = result?;
            ended += 1;
            characters += job.pieces[at].segment.source.chars().count();
            events.say("segment", &json!({ "index": at, "text": piece.text, "marks": piece.marks })).await?;
            events
                .say("progress", &json!({ "done": ended, "total": total, "characters": characters }))
                .await?;
            done[at] = piece;
        }
        Ok(done)
    }

    /// One segment: an answer that will do, or the better of two.
    async fn piece(&self, job: &Job, at: usize, events: &Events) -> Result<Done, Refusal> {
        let piece = &job.pieces[at];
        let protected = Protected::of(&piece.segment.source, piece.coding);
        let glossary = terms_in(&job.manner.glossary, &piece.segment.source);
        let (source, target) = (piece.source, job.manner.target);
        let expected = Expected { protected: &protected, source, target, glossary: &glossary };
        let mut brief = Brief {
            source,
            target,
            tone: job.manner.tone,
            glossary: &glossary,
            context: job.context(at),
            text: protected.text(),
            faults: &[],
        };
        let (answer, faults) = self.patiently(job, at, &brief, expected, events).await?;
        if faults.is_empty() {
            return Ok(Done { text: protected.restore(&answer), marks: faults });
        }
        events.say("reset", &json!({ "index": at })).await?;
        brief.faults = &faults;
        let (again, still) = self.patiently(job, at, &brief, expected, events).await?;
        let (answer, marks) = if still.len() <= faults.len() { (again, still) } else { (answer, faults) };
        // Better the source than a hole.
        let answer = if answer.is_empty() { protected.text().to_owned() } else { answer };
        Ok(Done { text: protected.restore(&answer), marks })
    }

    /// An attempt, and further ones where limits or a full queue stand in the way of a job that has begun.
    async fn patiently(
        &self,
        job: &Job,
        at: usize,
        brief: &Brief<'_>,
        expected: Expected<'_>,
        events: &Events,
    ) -> Result<(String, Vec<Mark>), Refusal> {
        let mut broke = false;
        for _ in 0..WAITS {
            let wait = match self.attempt(job, at, brief, expected, events).await {
                Err(Refusal::TooMany { retry_after, .. } | Refusal::Overloaded { retry_after, .. })
                    if self.begun.load(Ordering::Relaxed) =>
                {
                    retry_after
                }
                // Half an answer: once more, from the start.
                Err(Refusal::Upstream { .. }) if !std::mem::replace(&mut broke, true) => {
                    events.say("reset", &json!({ "index": at })).await?;
                    Duration::ZERO
                }
                other => return other,
            };
            sleep(wait).await;
        }
        self.attempt(job, at, brief, expected, events).await
    }

    async fn attempt(
        &self,
        job: &Job,
        at: usize,
        brief: &Brief<'_>,
        expected: Expected<'_>,
        events: &Events,
    ) -> Result<(String, Vec<Mark>), Refusal> {
        let account = self.account.lock().unwrap_or_else(PoisonError::into_inner).part();
        let first = !self.asked.swap(true, Ordering::Relaxed);
        let inner = Inner { route: self.route, caller: &self.caller, id: &self.id, first, account };
        let mut relay = self.journey.ask_within(inner, body(job, brief)).await?;
        self.begun.store(true, Ordering::Relaxed);
        let _flowing = Flowing::new(&self.flowing);
        let mut reading = Reading::default();
        while let Some(bytes) = poll_fn(|cx| relay.poll_bytes(cx)).await {
            reading.push(&bytes.map_err(|_| broke_off(true))?)?;
            if let Some(text) = reading.news(expected.protected) {
                events.say("delta", &json!({ "index": at, "text": text })).await?;
            }
        }
        if !reading.is_whole() {
            return Err(broke_off(true));
        }
        let answer = reading.answer(brief.text);
        let mut faults = expected.faults(&answer);
        if reading.is_cut_short() && !faults.contains(&Mark::Length) {
            faults.push(Mark::Length);
        }
        Ok((answer, faults))
    }
}

/// The body of one inference. A second attempt, or an alternative, must be able to differ.
fn body(job: &Job, brief: &Brief<'_>) -> Bytes {
    let again = !brief.faults.is_empty();
    let temperature = match (job.variant, again) {
        (0, false) => 0.1,
        (0, true) => 0.4,
        _ => 0.8,
    };
    // Twice as many tokens as characters is more than any language needs.
    let most = 64 + 2 * brief.text.chars().count();
    let body = json!({
        "model": job.model.as_str(),
        "messages": brief.messages(),
        "stream": true,
        "think": false,
        "options": { "temperature": temperature, "seed": job.variant * 2 + u32::from(again), "num_predict": most },
    });
    Bytes::from(body.to_string())
}

/// Counts an answer while it is read.
struct Flowing<'a>(&'a AtomicUsize);

impl<'a> Flowing<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Flowing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
