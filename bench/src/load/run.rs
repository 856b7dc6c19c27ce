//! Many lanes at once, and what they did within a window of time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::Fault;
use super::http1::Http1;
use super::lane::{Lane, tls_of};
use super::prompt::Prompt;
use super::tally::Tally;
use super::tls::Protocol;
use crate::clock::nanos;
use crate::observe::CpuTime;
use crate::proxy::Target;

/// How long lanes run before they are measured, after the last of them has begun.
const SETTLE: Duration = Duration::from_millis(400);

/// When a lane sends its next request.
#[derive(Debug, Clone, Copy)]
pub enum Rhythm {
    /// As soon as the last is answered.
    Closed,
    /// The same, the lanes' beginnings spread over this time: their streams then end apart from each other.
    Spread(Duration),
    /// At fixed times, the lanes spread over this period.
    Every(Duration),
    /// As soon as the last is answered, each over a connection of its own.
    Fresh,
}

/// What all lanes have done.
#[derive(Default)]
pub struct Stats {
    requests: AtomicU64,
    tokens: AtomicU64,
    times: Mutex<Times>,
    faults: Mutex<Faults>,
}

/// Times in nanoseconds.
#[derive(Default)]
struct Times {
    whole: Vec<u64>,
    first: Vec<u64>,
    ages: Vec<u64>,
}

/// What went wrong.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    /// No 200, or no connection.
    pub errors: u64,
    /// A 200 that was not whole.
    pub short: u64,
    /// What the first said.
    pub example: Option<String>,
}

impl Faults {
    /// Counts one.
    pub fn add(&mut self, fault: Fault) {
        let text = match fault {
            Fault::Failed(text) => {
                self.errors += 1;
                text
            }
            Fault::Short(text) => {
                self.short += 1;
                format!("not whole: {text}")
            }
        };
        self.example.get_or_insert(text);
    }
}

/// Lanes at work. Dropped, they leave as clients do who are killed.
pub struct Run {
    stats: Arc<Stats>,
    lanes: JoinSet<()>,
    settle: Duration,
}

/// What happened within a window.
#[derive(Default)]
pub struct Window {
    /// Its length in seconds.
    pub seconds: f64,
    /// The proxy's CPU time in microseconds.
    pub cpu: f64,
    /// Requests answered.
    pub requests: f64,
    /// Tokens received.
    pub tokens: f64,
    /// Median time of a whole request, in microseconds.
    pub whole_p50: f64,
    /// Median time to a first token, in microseconds.
    pub first_p50: f64,
    /// Median age of a token on arrival, in microseconds.
    pub age_p50: f64,
}

impl Run {
    /// Sends every lane to work.
    pub fn start(
        target: &Arc<Target>,
        lanes: Vec<Lane>,
        prompt: &Prompt,
        rhythm: Rhythm,
        timed: bool,
    ) -> Self {
        let stats = Arc::new(Stats::default());
        let mut running = JoinSet::new();
        let count = lanes.len().max(1) as u32;
        for (at, lane) in lanes.into_iter().enumerate() {
            let (stats, prompt, target) = (stats.clone(), prompt.clone(), target.clone());
            let offset = match rhythm {
                Rhythm::Every(period) | Rhythm::Spread(period) => period * at as u32 / count,
                Rhythm::Closed | Rhythm::Fresh => Duration::ZERO,
            };
            running.spawn(async move {
                sleep(offset).await;
                if let Err(fault) = work(&target, lane, &prompt, rhythm, timed, &stats).await {
                    stats.faults.lock().unwrap_or_else(PoisonError::into_inner).add(fault);
                }
            });
        }
        let spread = if let Rhythm::Spread(period) = rhythm { period } else { Duration::ZERO };
        Self { stats, lanes: running, settle: SETTLE + spread }
    }

    /// Lets the lanes run in, then measures for `time`.
    pub async fn window(&self, pids: &[u32], time: Duration) -> Window {
        sleep(self.settle).await;
        let count = || (self.stats.requests.load(Relaxed), self.stats.tokens.load(Relaxed));
        drop(self.stats.take_times());
        let (began, before, (requests, tokens)) = (Instant::now(), CpuTime::of(pids), count());
        sleep(time).await;
        let (after, (requests_after, tokens_after)) = (CpuTime::of(pids), count());
        let seconds = began.elapsed().as_secs_f64();
        let mut times = self.stats.take_times();
        Window {
            seconds,
            cpu: after.micros_since(&before),
            requests: (requests_after - requests) as f64,
            tokens: (tokens_after - tokens) as f64,
            whole_p50: percentile(&mut times.whole, 0.5) / 1e3,
            first_p50: percentile(&mut times.first, 0.5) / 1e3,
            age_p50: percentile(&mut times.ages, 0.5) / 1e3,
        }
    }

    /// Ends all lanes where they are; returns what went wrong.
    pub async fn stop(mut self) -> Faults {
        self.lanes.shutdown().await;
        self.stats.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Stats {
    fn take_times(&self) -> Times {
        std::mem::take(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The value that a share of them does not exceed; 0 of none.
pub fn percentile(values: &mut [u64], share: f64) -> f64 {
    values.sort_unstable();
    let at = (values.len() as f64 * share).ceil() as usize;
    values.get(at.saturating_sub(1)).map_or(0.0, |value| *value as f64)
}

async fn work(
    target: &Target,
    mut lane: Lane,
    prompt: &Prompt,
    rhythm: Rhythm,
    timed: bool,
    stats: &Stats,
) -> Result<(), Fault> {
    let tls = tls_of(target, Protocol::One)?;
    let mut due = Instant::now();
    loop {
        match rhythm {
            Rhythm::Closed | Rhythm::Spread(_) => {}
            Rhythm::Every(period) => {
                due += period;
                sleep_until(due).await;
            }
            Rhythm::Fresh => lane = Lane::One(Http1::open(target, tls.as_ref(), None).await?),
        }
        one(&mut lane, prompt, timed, stats).await?;
    }
}

async fn one(lane: &mut Lane, prompt: &Prompt, timed: bool, stats: &Stats) -> Result<(), Fault> {
    let sent = nanos();
    let mut answer = lane.begin(prompt).await?;
    let mut tally = Tally::new(timed);
    let (mut counted, mut first) = (0, None);
    while lane.some(&mut answer, &mut tally).await? {
        stats.tokens.fetch_add(tally.tokens - counted, Relaxed);
        counted = tally.tokens;
        if timed {
            let mut times = stats.times.lock().unwrap_or_else(PoisonError::into_inner);
            times.ages.append(&mut tally.ages);
            if first.is_none() {
                first = tally.first;
                times.first.extend(first.map(|first| first.saturating_sub(sent)));
            }
        }
    }
    if !tally.is_whole() {
        return Err(Fault::short("no end marker"));
    }
    stats.requests.fetch_add(1, Relaxed);
    let mut times = stats.times.lock().unwrap_or_else(PoisonError::into_inner);
    times.whole.push(nanos() - sent);
    times.first.extend(tally.first.map(|first| first.saturating_sub(sent)));
    Ok(())
}
