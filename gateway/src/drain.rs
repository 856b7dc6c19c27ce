//! How a process leaves: not ready at once, still serving while the load balancer goes on sending, then only
//! finishing, then over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::config::settings;
use crate::process::Shared;

/// How far the leaving has come. Later phases are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not leaving.
    Serving,
    /// Not ready, and still serving whoever comes; HTTP/1.1 answers say `Connection: close`.
    Leaving,
    /// New requests are refused, idle connections closed, streams run on.
    Closing,
    /// The deadline has passed: what still runs is cut.
    Over,
}

/// The leaving of one process, seen by everything in it.
pub struct Drain {
    phase: watch::Sender<Phase>,
    accept_for: Duration,
    deadline: Duration,
    /// Runtimes that still serve.
    serving: watch::Sender<usize>,
}

/// A runtime that serves, counted until it is dropped.
pub struct Serving<'a>(&'a Drain);

impl Serving<'_> {
    /// Serves no more, and returns when no runtime does.
    pub async fn over(self) {
        let mut serving = self.0.serving.subscribe();
        drop(self);
        // The sender outlives this call, so the channel cannot close.
        let _ = serving.wait_for(|runtimes| *runtimes == 0).await;
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.serving.send_modify(|runtimes| *runtimes -= 1);
    }
}

impl Drain {
    /// Not leaving yet.
    pub fn new(settings: &settings::Drain) -> Self {
        Self {
            phase: watch::Sender::new(Phase::Serving),
            accept_for: settings.accept_for_seconds,
            deadline: settings.deadline_seconds,
            serving: watch::Sender::new(0),
        }
    }

    /// One more runtime serves.
    pub fn serving(&self) -> Serving<'_> {
        self.serving.send_modify(|runtimes| *runtimes += 1);
        Serving(self)
    }

    /// The present phase.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Resolves once `phase` (or a later one) is reached.
    pub async fn reached(&self, phase: Phase) {
        // The sender lives in `self`, so the channel cannot close while somebody waits.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Leaves, by the clock: returns when the deadline has passed.
    pub async fn run(&self) {
        let began = Instant::now();
        self.advance(Phase::Leaving);
        sleep_until(began + self.accept_for).await;
        self.advance(Phase::Closing);
        sleep_until(began + self.deadline).await;
        self.advance(Phase::Over);
    }

    /// Cuts everything now: a second signal.
    pub fn end_now(&self) {
        self.advance(Phase::Over);
    }

    fn advance(&self, to: Phase) {
        let moved = self.phase.send_if_modified(|phase| {
            let later = to > *phase;
            *phase = to.max(*phase);
            later
        });
        if moved {
            tracing::info!(phase = ?to, "draining");
        }
    }
}

/// Turns the process's signals into phases: the first leaves, the second cuts.
pub async fn follow(shared: Arc<Shared>) {
    shared.tasks.draining().cancelled().await;
    tokio::select! {
        () = shared.drain.run() => {}
        () = shared.tasks.stopping().cancelled() => shared.drain.end_now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn phases_follow_the_clock_and_never_go_back() {
        let drain = Drain::new(&settings::Drain {
            accept_for_seconds: Duration::from_secs(20),
            deadline_seconds: Duration::from_secs(900),
        });
        assert_eq!(drain.phase(), Phase::Serving);
        let began = Instant::now();
        tokio::join!(drain.run(), async {
            drain.reached(Phase::Leaving).await;
            assert_eq!(began.elapsed().as_secs(), 0);
            drain.reached(Phase::Closing).await;
            assert_eq!(began.elapsed().as_secs(), 20);
            drain.reached(Phase::Over).await;
            assert_eq!(began.elapsed().as_secs(), 900);
        });
        drain.advance(Phase::Leaving);
        assert_eq!(drain.phase(), Phase::Over);
    }
}
