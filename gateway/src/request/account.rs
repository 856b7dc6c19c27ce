//! The account of one request: one log event, the metrics, and the caller's usage, written when it is dropped,
//! whichever way the request ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fleet::store::{Store, Usage};
use http::Response;

use super::route::{Class, Route};
use crate::body::Body;
use crate::error::Refusal;
use crate::identity::Principal;
use crate::metrics::{Finished, Metrics};
use crate::ollama::frames::Seen;
use crate::ollama::names::ModelName;
use crate::report::{Ended, Tally, Verdict, Work};
use crate::usage::UsageLedger;

/// How a request ended. The words are labels of metrics and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Whole.
    Answered,
    /// With an error of ours or Ollama's, before or within the answer.
    Refused,
    /// The client left first. Also what a request is until it is something else.
    Left,
    /// The client did not read and was ended.
    Stalled,
    /// The upstream broke within the answer.
    Broken,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Left => "left",
            Self::Stalled => "stalled",
            Self::Broken => "broken",
        }
    }
}

/// What becomes of a request, gathered on its way. Holds nothing that the caller wrote.
pub struct Account {
    /// The id the caller sees.
    pub id: String,
    /// The row of the table, once found.
    pub route: Option<&'static Route>,
    /// Who, once proven.
    pub caller: Option<Principal>,
    /// The peer that forwarded it, and that charges the caller.
    pub forwarded_by: Option<String>,
    /// Another node serves it, and tallies the tokens.
    pub elsewhere: bool,
    /// Which model, once allowed.
    pub model: Option<ModelName>,
    /// Status of the answer; 499 while there is none.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused.
    pub reason: &'static str,
    /// Time in the queue.
    pub waited: Option<Duration>,
    /// First byte of the request to first byte of the model's answer.
    pub first_token: Option<Duration>,
    /// Counts and durations of the answer.
    pub seen: Seen,
    /// Work actually done, in seconds of an idle node.
    pub work: f64,
    /// Bytes of the answer.
    pub bytes: u64,
    /// Whose doing a refusal was.
    blame: Verdict,
    /// Generated tokens that are tallied already.
    tallied: u64,
    began: Instant,
    /// `None` once another hand has the account.
    books: Option<Arc<Books>>,
    /// What inferences within the request cost; theirs is the same.
    parts: Option<Arc<Mutex<Parts>>>,
    /// Is it an inference's within a request?
    is_part: bool,
}

/// What the inferences within one request cost together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Generated tokens.
    pub output_tokens: u64,
    work: f64,
    waited: Option<Duration>,
    first_token: Option<Duration>,
}

/// Where accounts are written.
pub struct Books {
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// Counts for the fleet.
    pub tally: Tally,
    /// Requests and tokens for the scaler's forecast.
    pub work: Work,
    /// Usage per principal and day.
    pub usage: UsageLedger,
}

impl Books {
    /// Empty ones, whose usage goes to `store`.
    pub fn new(metrics: Arc<Metrics>, store: Arc<dyn Store>) -> Self {
        let usage = UsageLedger::new(store);
        Self { metrics, tally: Tally::default(), work: Work::default(), usage }
    }
}

impl Account {
    /// Opens the account of a request that has just come.
    pub fn open(id: String, books: Arc<Books>) -> Self {
        Self::new(id, Some(books))
    }

    /// Hands the account to whoever sees the request's end; what stays behind writes nothing.
    pub fn hand_over(&mut self) -> Self {
        std::mem::replace(self, Self::new(String::new(), None))
    }

    fn new(id: String, books: Option<Arc<Books>>) -> Self {
        Self {
            id,
            route: None,
            caller: None,
            forwarded_by: None,
            elsewhere: false,
            model: None,
            status: 499,
            outcome: Outcome::Left,
            reason: "",
            waited: None,
            first_token: None,
            seen: Seen::default(),
            work: 0.0,
            bytes: 0,
            blame: Verdict::Caller,
            tallied: 0,
            began: Instant::now(),
            books,
            parts: None,
            is_part: false,
        }
    }

    /// The account of an inference within this request: it writes nothing of its own, what it cost is added to this one.
    pub fn part(&mut self) -> Self {
        let parts = self.parts.get_or_insert_default().clone();
        let mut part = Self::new(String::new(), self.books.clone());
        (part.caller, part.model, part.began) = (self.caller.clone(), self.model.clone(), self.began);
        (part.parts, part.is_part) = (Some(parts), true);
        part
    }

    /// What the inferences within this request have cost by now.
    pub fn spent(&self) -> Parts {
        let parts = self.parts.as_ref();
        parts.map(|parts| *parts.lock().unwrap_or_else(PoisonError::into_inner)).unwrap_or_default()
    }

    /// Adds an inference to the request it was made for.
    fn add_to_whole(&self) {
        let Some(parts) = &self.parts else { return };
        let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.prompt_tokens += u64::from(self.seen.prompt_tokens.unwrap_or(0));
        parts.output_tokens += u64::from(self.seen.output_tokens.unwrap_or(0));
        parts.work += self.work;
        parts.waited = parts.waited.max(self.waited);
        parts.first_token = parts.first_token.into_iter().chain(self.first_token).min();
    }

    fn gather_parts(&mut self) {
        if self.parts.is_none() {
            return;
        }
        let parts = self.spent();
        let count = |tokens: u64| Some(u32::try_from(tokens).unwrap_or(u32::MAX));
        (self.seen.prompt_tokens, self.seen.output_tokens) =
            (count(parts.prompt_tokens), count(parts.output_tokens));
        (self.work, self.waited, self.first_token) = (parts.work, parts.waited, parts.first_token);
        self.tallied = parts.output_tokens; // each part has tallied its own
    }

    /// The request is refused, with this error as its answer or the end of it.
    pub fn refused(&mut self, refusal: &Refusal) {
        self.outcome = Outcome::Refused;
        self.reason = refusal.label();
        self.blame = match refusal {
            Refusal::TooMany { .. } | Refusal::Overloaded { .. } => Verdict::Refused,
            other if other.status().is_server_error() => Verdict::Fault,
            _ => Verdict::Caller,
        };
        if self.status == 499 {
            self.status = refusal.status().as_u16();
        }
    }

    /// The request is answered with this response, which is here as a whole.
    pub fn answered(&mut self, response: Response<Body>) -> Response<Body> {
        self.outcome = Outcome::Answered;
        self.status = response.status().as_u16();
        response
    }

    /// The first byte of the model's answer is here.
    pub fn first_byte(&mut self) {
        self.first_token.get_or_insert(self.began.elapsed());
    }

    /// So many tokens of the answer have been generated by now.
    pub fn generated(&mut self, tokens: u64) {
        let news = !self.elsewhere && tokens > self.tallied;
        if let Some(books) = self.books.as_ref().filter(|_| news) {
            books.tally.generated(tokens - self.tallied);
            self.tallied = tokens;
        }
    }
}

impl Account {
    fn verdict(&self) -> Verdict {
        match self.outcome {
            Outcome::Answered => Verdict::Whole,
            Outcome::Refused => self.blame,
            Outcome::Broken => Verdict::Fault,
            Outcome::Left | Outcome::Stalled => Verdict::Caller,
        }
    }

    /// By Ollama's own figures; where it gave none, all the time but that in the queue.
    fn inference(&self, took: Duration) -> Duration {
        let Seen { load, prefill, decode, .. } = &self.seen;
        match (prefill, decode) {
            (None, None) => took.saturating_sub(self.waited.unwrap_or_default()),
            _ => [load, prefill, decode].into_iter().flatten().sum(),
        }
    }

    /// By Ollama's own figures; where it gave none, by the time from the first byte to the last.
    fn tokens_per_second(&self, output: u64, took: Duration) -> Option<f64> {
        let measured = self.first_token.map(|first| took.saturating_sub(first));
        let decode = self.seen.decode.or(measured).filter(|took| output > 0 && !took.is_zero())?;
        Some((output as f64 / decode.as_secs_f64()).round())
    }
}

impl Account {
    /// Adds the request to its caller's usage, at the first hop.
    fn charge(&self, books: &Books, prompt_tokens: u64, generated_tokens: u64) {
        if let (Some(caller), None) = (&self.caller, &self.forwarded_by) {
            let usage = Usage { prompt_tokens, generated_tokens, requests: 1, gpu_seconds: self.work };
            books.usage.add(caller, self.served_by(), &usage);
        }
    }

    /// The model whose answer came: others that were asked for need not exist, and could be of any number.
    fn served_by(&self) -> Option<&ModelName> {
        let inference = self.route.is_some_and(|route| route.class == Class::Inference);
        self.model.as_ref().filter(|_| inference && self.first_token.is_some())
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.is_part {
            self.generated(u64::from(self.seen.output_tokens.unwrap_or(0)));
            return self.add_to_whole();
        }
        self.gather_parts();
        self.generated(u64::from(self.seen.output_tokens.unwrap_or(0)));
        let Some(books) = self.books.take() else { return };
        let took = self.began.elapsed();
        if std::thread::panicking() {
            self.refused(&Refusal::Bug);
            self.status = 500;
        }
        let route = self.route.map_or("none", |route| route.path);
        let (prompt, output) = (
            u64::from(self.seen.prompt_tokens.unwrap_or(0)),
            u64::from(self.seen.output_tokens.unwrap_or(0)),
        );
        let model = self.model.as_ref().map_or("none", |model| model.as_str());
        // What is pulled need not exist: only models that were asked for an answer are labels.
        let inference = self.route.is_some_and(|route| route.class == Class::Inference);
        let finished = Finished {
            route,
            outcome: self.outcome.label(),
            reason: self.reason,
            model: if inference { model } else { "none" },
            took,
            waited: self.waited,
            first_token: self.first_token.filter(|_| inference),
            prompt_tokens: prompt,
            output_tokens: output,
        };
        books.metrics.finished(&finished);
        // What a peer has forwarded is its request: counted, like charged, at the first hop.
        if inference && self.forwarded_by.is_none() {
            let (verdict, inference) = (self.verdict(), self.inference(took));
            books.tally.ended(&Ended { verdict, took, first_token: self.first_token, inference });
        }
        self.charge(&books, prompt, output);
        let millis = |duration: Option<Duration>| duration.map(|d| d.as_millis() as u64);
        tracing::info!(
            request_id = self.id,
            route,
            caller = self.caller.as_ref().map(Principal::as_str),
            forwarded_by = self.forwarded_by,
            model,
            status = self.status,
            outcome = self.outcome.label(),
            reason = self.reason,
            duration_ms = took.as_millis() as u64,
            queue_wait_ms = millis(self.waited),
            first_token_ms = millis(self.first_token),
            load_ms = millis(self.seen.load),
            prompt_tokens = prompt,
            output_tokens = output,
            tokens_per_second = self.tokens_per_second(output, took),
            bytes = self.bytes,
            "request"
        );
    }
}
