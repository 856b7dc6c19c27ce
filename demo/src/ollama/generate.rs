//! One generation from its place in line to its last token, as a task of its own: like the real engine it goes on
//! whether or not anybody reads, until its client is known to have left.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use super::answer::Refusal;
use super::echo;
use super::engine::{Engine, Slot, User, Want};
use super::models::Model;
use super::script::{Fault, Script};
use super::stats::Observer;
use crate::tasks::Tasks;

/// Tokens of a prompt that the engine evaluates in one go; it notices a cancel only between two of them.
const BATCH: u64 = 512;

/// The words of every answer, over and over; each is one token.
const WORDS: [&str; 24] = [
    "quiet", "lamps", "cross", "seven", "green", "rivers", "while", "paper", "boats", "carry", "small",
    "letters", "under", "wide", "bridges", "toward", "warm", "harbours", "where", "patient", "clerks",
    "sort", "every", "word",
];

/// The token number `n` of every answer.
pub(super) fn word(n: u64) -> String {
    let at = usize::try_from(n % WORDS.len() as u64).unwrap_or(0);
    format!(" {}", WORDS[at])
}

/// What kind of work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Only the load.
    Load,
    /// Prompt evaluation only.
    Embed,
    /// Prompt evaluation and at most so many tokens.
    Text {
        /// Never more than 10 x the context.
        limit: u64,
    },
}

/// A request for the engine.
pub(super) struct Job {
    pub(super) want: Want,
    pub(super) work: Work,
    pub(super) prompt_tokens: u64,
    pub(super) fault: Option<Fault>,
    /// Checked by the engine itself, after the load: the request's last chance to be refused.
    pub(super) engine_refuses: Option<Refusal>,
    /// The tokens of the answer, where it is no answer like every other.
    pub(super) says: Option<Vec<String>>,
    /// Is the client's leaving noticed? Not while a part of its request body is unread, as with chunked ones.
    pub(super) attached: bool,
}

/// Why and with what counts a generation ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Finish {
    pub(super) reason: &'static str,
    pub(super) prompt_tokens: u64,
    pub(super) tokens: u64,
    pub(super) total: Duration,
    pub(super) load: Duration,
    pub(super) prompt: Duration,
    pub(super) decode: Duration,
}

/// What comes out of a generation. A channel that ends without `Done` or `Died` is a stream that just stops.
#[derive(Debug)]
pub(super) enum Event {
    Token(String),
    Done(Finish),
    Died,
    Refused(Refusal),
}

/// Everything a generation needs of its server.
#[derive(Clone)]
pub(super) struct Bench {
    pub(super) engine: Arc<Engine>,
    pub(super) observer: Arc<Observer>,
    pub(super) script: Arc<Script>,
    pub(super) tasks: Tasks,
}

impl Bench {
    /// Starts `job`; dropping the receiver is the client's leaving.
    pub(super) fn begin(&self, job: Job) -> UnboundedReceiver<Event> {
        let (out, events) = unbounded_channel();
        let bench = self.clone();
        self.tasks.spawn(async move {
            let run = Run { bench: &bench, job: &job, out: &out, started: Instant::now() };
            let end = run.to_the_end().await;
            bench.observer.count(|stats| match end {
                Ok(()) => stats.finished += 1,
                Err(Left) => stats.cancelled += 1,
            });
        });
        events
    }
}

/// The client left.
struct Left;

struct Run<'a> {
    bench: &'a Bench,
    job: &'a Job,
    out: &'a UnboundedSender<Event>,
    started: Instant,
}

impl Run<'_> {
    async fn to_the_end(&self) -> Result<(), Left> {
        let user = match self.unless_left(self.bench.engine.runner(&self.job.want)).await? {
            Ok(user) => user,
            Err(refusal) => return self.say(Event::Refused(refusal)),
        };
        let mut finish = Finish { load: self.started.elapsed(), ..Finish::default() };
        if self.job.work == Work::Load {
            finish.reason = "load";
            return self.say(Event::Done(finish));
        }
        if let Some(refusal) = &self.job.engine_refuses {
            return self.say(Event::Refused(refusal.clone()));
        }
        let Some(slot) = self.unless_left(user.slot()).await? else { return Ok(()) };
        let end = tokio::select! {
            biased;
            () = user.died() => Ok(Some(Event::Died)),
            end = self.serve(&user, &slot, finish) => end,
        };
        // The slot is free before anybody hears of the end.
        drop(slot);
        drop(user);
        end?.map_or(Ok(()), |event| self.say(event))
    }

    async fn serve(&self, user: &User, slot: &Slot<'_>, mut finish: Finish) -> Result<Option<Event>, Left> {
        let model = &self.job.want.model;
        finish.prompt_tokens = self.job.prompt_tokens;
        let begun = Instant::now();
        self.prefill(model).await?;
        finish.prompt = begun.elapsed();
        if let Work::Text { limit } = self.job.work {
            let begun = Instant::now();
            let words = self.job.says.as_ref().map_or(model.words, |says| says.len() as u64);
            finish.tokens = limit.min(words);
            // A text that is exactly as long as it may be is whole; words that go round never are.
            let cut = if self.job.says.is_some() { limit < words } else { limit <= words };
            finish.reason = if cut { "length" } else { "stop" };
            if let Some(early) = self.decode(user, slot, finish.tokens).await? {
                return Ok(early.0);
            }
            finish.decode = begun.elapsed();
        }
        finish.total = self.started.elapsed();
        Ok(Some(Event::Done(finish)))
    }

    /// Reads the prompt, batch by batch; who leaves meanwhile is noticed when the batch is done.
    async fn prefill(&self, model: &Model) -> Result<(), Left> {
        let mut left = self.job.prompt_tokens;
        while left > 0 && model.prefill.is_finite() {
            let batch = left.min(BATCH);
            sleep(seconds(batch, model.prefill)).await;
            left -= batch;
            if self.job.attached && self.out.is_closed() {
                return Err(Left);
            }
        }
        Ok(())
    }

    /// Writes the tokens; `Some` when a fault ended it early.
    async fn decode(&self, user: &User, slot: &Slot<'_>, tokens: u64) -> Result<Option<Early>, Left> {
        let decode = self.job.want.model.decode;
        for n in 0..=tokens {
            match self.job.fault {
                Some(Fault::DieAfterTokens(at)) if at == n => {
                    user.kill();
                    return Ok(Some(Early(Some(Event::Died))));
                }
                Some(Fault::EndAfterTokens(at)) if at == n => return Ok(Some(Early(None))),
                Some(Fault::StallAfterTokens(at)) if at == n => {
                    self.unless_left(std::future::pending::<()>()).await?;
                }
                _ => {}
            }
            if n == tokens {
                break;
            }
            self.unless_left(self.bench.script.token_may_go(n)).await?;
            if decode.is_finite() {
                self.unless_left(sleep(seconds(1, decode).mul_f64(slot.slowdown()))).await?;
            } else {
                tokio::task::yield_now().await;
            }
            self.say(Event::Token(self.token(n)))?;
            self.bench.observer.count(|stats| stats.tokens += 1);
        }
        Ok(None)
    }

    fn token(&self, n: u64) -> String {
        let Some(says) = &self.job.says else { return word(n) };
        let token = usize::try_from(n).ok().and_then(|at| says.get(at)).cloned().unwrap_or_default();
        if self.job.fault == Some(Fault::LoseMarks) { echo::without_marks(&token) } else { token }
    }

    /// Sends an event; nobody there is the client's leaving, where that is noticed.
    fn say(&self, event: Event) -> Result<(), Left> {
        match self.out.send(event) {
            Err(_) if self.job.attached => Err(Left),
            _ => Ok(()),
        }
    }

    async fn unless_left<T>(&self, work: impl Future<Output = T>) -> Result<T, Left> {
        tokio::select! {
            biased;
            () = self.out.closed(), if self.job.attached => Err(Left),
            done = work => Ok(done),
        }
    }
}

/// The event to end with early, if any.
struct Early(Option<Event>);

fn seconds(tokens: u64, per_second: f64) -> Duration {
    let tokens = f64::from(u32::try_from(tokens).unwrap_or(u32::MAX));
    Duration::try_from_secs_f64(tokens / per_second).unwrap_or(Duration::MAX)
}

/// A whole generation, read to its end.
pub(super) struct Collected {
    pub(super) text: String,
    pub(super) finish: Finish,
    /// False when it just stopped.
    pub(super) done: bool,
}

/// Reads a generation to its end, for an answer in one piece.
///
/// # Errors
/// What refused it, or 500 when the engine died.
pub(super) async fn collect(mut events: UnboundedReceiver<Event>) -> Result<Collected, Refusal> {
    let mut all = Collected { text: String::new(), finish: Finish::default(), done: false };
    while let Some(event) = events.recv().await {
        match event {
            Event::Token(token) => all.text.push_str(&token),
            Event::Done(finish) => (all.finish, all.done) = (finish, true),
            Event::Died => return Err(Refusal::engine_died()),
            Event::Refused(refusal) => return Err(refusal),
        }
    }
    Ok(all)
}
