//! A job as a stream of server-sent events: what is known first, pieces as they come, progress, waits, and an end in any
//! case.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use fleet::store::Phase;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout};

use super::job::{Desk, Job};
use crate::body::Body;
use crate::error::Refusal;
use crate::process::Shared;

/// Tells nginx and its like not to gather events into bursts.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Events that may wait for a slow reader; behind them the models are held back.
const AHEAD: usize = 64;
/// How often it is looked whether there is a wait to tell of.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a wait is told of anew: a countdown needs no more.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Where events go.
pub(super) enum Events {
    /// Nobody asked for any.
    None,
    /// To a reader, who must take one within so long.
    To(mpsc::Sender<Bytes>, Duration),
    /// The same, but of progress only.
    Progress(mpsc::Sender<Bytes>, Duration),
}

impl Events {
    /// Sends an event.
    ///
    /// # Errors
    /// 504 when the reader takes nothing for too long, or is gone.
    pub(super) async fn say(&self, name: &str, data: &Value) -> Result<(), Refusal> {
        let Some((reader, patience)) = self.reader(name) else { return Ok(()) };
        let event = Bytes::from(format!("event: {name}\ndata: {data}\n\n"));
        match timeout(patience, reader.send(event)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Refusal::TooLate("the answer was not read".to_owned())),
        }
    }

    /// The same reader, who hears of progress only: a file's segments are nobody's to see.
    pub(super) fn of_files(&self) -> Self {
        match self {
            Self::None => Self::None,
            Self::To(reader, patience) | Self::Progress(reader, patience) => {
                Self::Progress(reader.clone(), *patience)
            }
        }
    }

    fn reader(&self, event: &str) -> Option<(&mpsc::Sender<Bytes>, Duration)> {
        match self {
            Self::To(reader, patience) => Some((reader, *patience)),
            Self::Progress(reader, patience) if event == "progress" => Some((reader, *patience)),
            _ => None,
        }
    }

    async fn comment(&self) {
        if let Self::To(reader, _) = self {
            let _full_or_gone = reader.try_send(Bytes::from_static(b": \n\n"));
        }
    }
}

/// The head of a stream of events, and its two ends.
pub(super) fn stream(shared: &Shared) -> (Response<Body>, mpsc::Sender<Bytes>, Events) {
    let (sender, pieces) = mpsc::channel(AHEAD);
    let mut response = Response::new(Body::written(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    (response, sender.clone(), Events::To(sender, shared.config.limits.write_stall_seconds))
}

impl Desk {
    /// Says what is being waited for while nothing comes, and a sign of life otherwise. Never ends.
    pub(super) async fn tell_waits(&self, job: &Job, events: &Events) {
        let alive = self.journey.shared.config.queue.keepalive_every_seconds;
        let (mut told, mut lived) = (None::<(Instant, &str)>, Instant::now());
        let mut ticks = interval(LOOK_EVERY.min(alive));
        ticks.tick().await; // at once: nothing has had time to come
        loop {
            ticks.tick().await;
            if lived.elapsed() >= alive {
                events.comment().await;
                lived = Instant::now();
            }
            if self.flowing.load(Ordering::Relaxed) > 0 {
                told = None;
                continue;
            }
            let (state, seconds) = self.wait(job);
            if told.is_none_or(|(at, before)| before != state || at.elapsed() >= TELL_EVERY) {
                let seconds = seconds.map(|wait| wait.as_secs_f64().ceil());
                let _unread = events.say("wait", &json!({ "state": state, "seconds": seconds })).await;
                told = Some((Instant::now(), state));
            }
        }
    }

    fn wait(&self, job: &Job) -> (&'static str, Option<Duration>) {
        let shared = &self.journey.shared;
        let (who, priority) = (&self.caller.principal, self.caller.rights.priority);
        let queued = shared.queue.predicted_wait(who, priority, &job.model);
        let until_ready = shared.wake.until_ready();
        let whole =
            Some(until_ready.saturating_add(queued)).filter(|wait| *wait < Duration::from_secs(86_400));
        match (until_ready.is_zero(), shared.wake.state().phase) {
            (true, _) => ("queued", whole),
            (false, Phase::Asleep) => ("asleep", whole),
            (false, _) => ("waking", whole),
        }
    }
}

/// The last event of a job that failed.
pub(super) fn error(refusal: &Refusal, waking: bool) -> Value {
    let code = match refusal {
        Refusal::TooMany { .. } => "limit",
        Refusal::Overloaded { .. } => "overloaded",
        Refusal::Broken { .. } => "broken",
        Refusal::StillWaking(_) => "waking",
        Refusal::TooLate(_) if waking => "waking",
        Refusal::Denied | Refusal::Forbidden(_) | Refusal::Unauthenticated(_) => "denied",
        Refusal::Bug | Refusal::Invalid(_) => "internal",
        _ => "upstream",
    };
    let retry = refusal.retry_after().map(|wait| wait.as_secs_f64().ceil());
    json!({ "error": refusal.to_string(), "code": code, "retryAfter": retry })
}
