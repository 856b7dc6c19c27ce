//! How a process leaves: not ready at once, still serving while the load balancer goes on sending, then only
//! finishing. A leader's order goes so far and can be taken back; a signal or a notice goes on to the end.

mod causes;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use self::causes::Causes;
use crate::config::settings;
use crate::error::Refusal;
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
    /// The deadline has passed: what still runs is cut. Never by an order.
    Over,
}

/// Where a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stage {
    phase: Phase,
    /// It will not serve again, whatever the leader says.
    for_good: bool,
    /// What still runs is told that it ends.
    ends: bool,
}

/// The leaving of one process, seen by everything in it.
pub struct Drain {
    causes: Mutex<Causes>,
    stage: watch::Sender<Stage>,
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
            causes: Mutex::default(),
            stage: watch::Sender::new(Stage { phase: Phase::Serving, for_good: false, ends: false }),
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
        self.stage.borrow().phase
    }

    /// Must what still runs end now? A moment before the deadline, so that its clients can be told why.
    pub fn ends(&self) -> bool {
        self.stage.borrow().ends
    }

    /// Resolves when what still runs must end.
    pub async fn ending(&self) {
        self.until(|stage| stage.ends).await;
    }

    /// Resolves once `phase` (or a later one) is reached, by an order too.
    pub async fn reached(&self, phase: Phase) {
        self.until(|stage| stage.phase >= phase).await;
    }

    /// Resolves once `phase` (or a later one) is reached and there is no way back.
    pub async fn reached_for_good(&self, phase: Phase) {
        self.until(|stage| stage.for_good && stage.phase >= phase).await;
    }

    /// Resolves when [`Phase::Closing`] next begins. For a connection that was taken while an order had closed already:
    /// that one gets its refusal, and is closed with it.
    pub async fn closes(&self) {
        self.until(|stage| stage.phase < Phase::Closing || stage.for_good).await;
        self.reached(Phase::Closing).await;
    }

    /// Leaves for good, with the configured deadline: the process's own signal.
    pub fn leave(&self) {
        self.leave_by(Instant::now() + self.deadline);
    }

    /// Leaves for good, and cuts what still runs at `deadline`: a notice that the machine goes. Of several the earliest
    /// deadline holds. The process ends once its connections have.
    pub fn leave_by(&self, deadline: Instant) {
        self.change(|causes, now| causes.leave(now, now + self.accept_for, deadline));
    }

    /// The leader's order: drain until then, or serve (`None`). A drain that goes on is renewed, not begun anew.
    pub fn order(&self, until: Option<Instant>) {
        self.change(|causes, now| causes.order(now + self.accept_for, until));
    }

    /// Cuts everything now: a second signal.
    pub fn end_now(&self) {
        self.change(|causes, now| causes.leave(now, now, now));
    }

    /// Moves through the phases by the clock: returns when the last is reached.
    pub async fn keep_time(&self) {
        let mut changed = self.stage.subscribe();
        loop {
            changed.mark_unchanged(); // before looking: what comes after the look wakes
            if self.phase() == Phase::Over {
                return;
            }
            let next = self.causes().next(Instant::now());
            tokio::select! {
                () = at(next) => self.change(|_, _| {}),
                // The sender is ours, so the channel cannot close.
                _ = changed.changed() => {}
            }
        }
    }

    async fn until(&self, reached: impl FnMut(&Stage) -> bool) {
        // The sender lives in `self`, so the channel cannot close while somebody waits.
        let _ = self.stage.subscribe().wait_for(reached).await;
    }

    fn causes(&self) -> std::sync::MutexGuard<'_, Causes> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes why and until when, and tells everybody where that leads. A renewed order is told too: it moves the time
    /// that [`Self::keep_time`] waits for.
    fn change(&self, change: impl FnOnce(&mut Causes, Instant)) {
        let mut causes = self.causes();
        let now = Instant::now();
        change(&mut causes, now);
        let stage = Stage { phase: causes.phase(now), for_good: causes.are_final(), ends: causes.end(now) };
        // Within the lock, or two changes could be told in the wrong order.
        let before = self.stage.send_replace(stage);
        if before.phase != stage.phase {
            let what = if stage.phase == Phase::Serving { "serving again" } else { "draining" };
            tracing::info!(phase = ?stage.phase, for_good = stage.for_good, "{what}");
        }
    }
}

/// What a caller is told for whom no answer has begun: another node can do it, and a front has it done.
pub fn leaving() -> Refusal {
    Refusal::Overloaded {
        what: "this node is being taken out of service",
        retry_after: Duration::from_secs(1),
    }
}

/// What the client of an answer is told that the process does not live to finish.
pub fn cut_short() -> Refusal {
    Refusal::Upstream {
        text:
            "this node is being taken out of service and could not finish the answer; send the request again"
                .to_owned(),
        worked: true,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Turns the process's signals into phases, and keeps their time: the first signal leaves, the second cuts.
pub async fn follow(shared: Arc<Shared>) {
    let signals = async {
        shared.tasks.draining().cancelled().await;
        shared.drain.leave();
        shared.tasks.stopping().cancelled().await;
        shared.drain.end_now();
    };
    tokio::join!(shared.drain.keep_time(), async {
        tokio::select! {
            () = signals => {}
            () = shared.drain.reached(Phase::Over) => {}
        }
    });
}
