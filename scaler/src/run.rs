//! The scaler as a process: a round every five seconds, and at once when somebody wakes a sleeping fleet; the lease
//! beside it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use fleet::lease::Lease;
use fleet::store::Phase;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::round::{Parts, Right, Round};

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(5);

/// Between two looks at the state of a fleet that is not awake.
const PEEK: Duration = Duration::from_millis(500);

/// How long rounds follow each other without a pause while a woken fleet has no instance.
const HASTE: Duration = Duration::from_secs(30);

/// A scaler. Several may run; one of them acts.
#[derive(Debug)]
pub struct Scaler {
    parts: Arc<Parts>,
    lease: Lease,
}

impl Scaler {
    /// One that leads when it can. `name` says which in the lease.
    #[must_use]
    pub fn new(parts: Parts, name: &str) -> Self {
        let lease = Lease::new(parts.store.clone(), &parts.fleet, name);
        Self { parts: Arc::new(parts), lease }
    }

    /// The lease as this process sees it.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Runs until `shutdown`; then the round that is under way is finished and the lease given back.
    pub async fn run(&self, shutdown: CancellationToken) {
        let over = CancellationToken::new();
        let rounds = async {
            self.rounds(&shutdown).await;
            over.cancel();
        };
        tokio::join!(self.lease.run(over.clone()), rounds);
    }

    async fn rounds(&self, shutdown: &CancellationToken) {
        let mut round = Round::new(self.parts.clone());
        let mut led = false;
        let mut hurried_since: Option<Instant> = None;
        while !shutdown.is_cancelled() {
            let leads = self.lease.may_act();
            if leads != std::mem::replace(&mut led, leads) {
                tracing::info!(fleet = self.parts.fleet, leads, "leadership");
            }
            let began = Instant::now();
            let turn = Box::pin(round.turn(Right::Lease(&self.lease))).await;
            let wanting = turn.is_some_and(|turn| turn.sight.living() == 0)
                && leads
                && round.state().phase == Phase::Waking;
            let since = wanting.then(|| hurried_since.unwrap_or(began));
            hurried_since = since;
            let hurry = since.is_some_and(|since| since.elapsed() < HASTE);
            if hurry {
                round.describe_next();
            }
            let next = began + if hurry { PEEK } else { ROUND };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.pause(&mut round, next, leads) => {}
            }
        }
    }

    /// Waits for the next round, or for a change of a state in which nobody serves.
    async fn pause(&self, round: &mut Round, next: Instant, led: bool) {
        let version = round.state().version;
        while Instant::now() + PEEK < next {
            if self.lease.may_act() != led {
                return; // a new leader does not wait for a whole round
            }
            if round.state().phase == Phase::Awake {
                sleep_until(next.min(Instant::now() + PEEK)).await;
                continue;
            }
            sleep(PEEK).await;
            if round.read_state().await.is_some() && round.state().version != version {
                round.describe_next();
                return;
            }
        }
        sleep_until(next).await;
    }

    /// Looks and decides as [`run`](Self::run) does, takes no lease, changes nothing, and writes to `out` what would be
    /// done whenever that is something else than before.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub async fn dry_run(
        &self,
        shutdown: CancellationToken,
        out: &mut (dyn Write + Send),
    ) -> std::io::Result<()> {
        let mut round = Round::new(self.parts.clone());
        let mut told = None;
        while !shutdown.is_cancelled() {
            if let Some(turn) = Box::pin(round.turn(Right::DryRun)).await {
                let reasons: Vec<_> =
                    turn.decision.reasons.iter().map(|reason| format!("because: {reason}")).collect();
                let acts = turn.acts.iter().map(|act| format!("would {act}"));
                let lines: Vec<_> = reasons.into_iter().chain(acts).collect();
                if told.as_ref() != Some(&lines) {
                    let nothing = ["would do nothing".to_owned()];
                    for line in if lines.is_empty() { &nothing[..] } else { &lines[..] } {
                        writeln!(out, "{line}")?;
                    }
                    told = Some(lines);
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = sleep(ROUND) => {}
            }
        }
        Ok(())
    }
}
