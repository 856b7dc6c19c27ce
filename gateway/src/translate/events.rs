//! A job as a stream of server-sent events: what is known first, pieces as they come, progress, waits, and an end in any
//! case.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use super::job::{Desk, Job};
use crate::body::Body;
use crate::error::Refusal;
use crate::process::Shared;
use crate::telling::{self, Waits};

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
        let event = telling::event(name, data);
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
            let _full_or_gone = reader.try_send(telling::COMMENT);
        }
    }
}

/// The head of a stream of events, and its two ends. A reader who takes nothing holds the models back.
pub(super) fn stream(shared: &Shared) -> (Response<Body>, mpsc::Sender<Bytes>, Events) {
    let (response, sender) = telling::stream();
    (response, sender.clone(), Events::To(sender, shared.config.limits.write_stall_seconds))
}

impl Desk {
    /// Says what is being waited for while nothing comes, and a sign of life otherwise. Never ends.
    pub(super) async fn tell_waits(&self, job: &Job, events: &Events) {
        let shared = &self.journey.shared;
        let mut waits = Waits::new(shared.config.queue.keepalive_every_seconds);
        let mut ticks = interval(waits.every());
        ticks.tick().await; // at once: nothing has had time to come
        loop {
            ticks.tick().await;
            if waits.is_silent() {
                events.comment().await;
            }
            if self.flowing.load(Ordering::Relaxed) > 0 {
                waits.over();
                continue;
            }
            if let Some(wait) = waits.tell(telling::wait(shared, &self.caller, &job.model)) {
                let _unread = events.say("wait", &wait).await;
            }
        }
    }
}
