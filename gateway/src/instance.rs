//! The machine a gateway runs on, where a group launches and ends it: the gateway says when the machine serves, learns
//! that it goes, keeps it until its streams have ended, and gives it up when its Ollama cannot be revived.
//!
//! `decide` is the rule, without a clock; [`Machine::run`] looks, decides and acts every five seconds; `ec2` is the
//! machine in AWS. Every call is tried again by this clock until it is answered. Repeating harms nothing: an action that
//! was completed is not there any more, a heartbeat only lengthens, an instance is not more unhealthy the second time.

mod decide;
#[cfg(feature = "aws")]
mod ec2;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};

pub use self::decide::{Act, Outcome, Target};
use self::decide::{Life, Rules};
#[cfg(feature = "aws")]
pub use self::ec2::Ec2;
use crate::config::Config;
use crate::config::instance::{Instance, InstanceKind};
use crate::drain::Phase;
use crate::process::Shared;

/// How often the machine is asked: a notice of two minutes must not lose many seconds.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// So that the nodes of a fleet do not all call in the same second.
const JITTER: Duration = Duration::from_secs(1);
/// Longest look and longest call.
const CALL_WITHIN: Duration = Duration::from_secs(3);
/// Before a Spot instance is taken back, what still runs is ended in words.
const BEFORE_SPOT: Duration = Duration::from_secs(10);
/// How long a process that ends goes on saying that its machine may go.
const FAREWELL: Duration = Duration::from_secs(30);

#[cfg(feature = "aws")]
/// The name that `fleet.node` has where nobody gave it one.
const UNNAMED: &str = "local";

/// What the machine is told about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notices {
    /// Where its group wants it; `None` before the first word of that.
    pub target: Option<Target>,
    /// When it is taken back, as for Spot.
    pub taken_at: Option<Timestamp>,
}

/// Why the machine did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// No answer: it may or may not have been done.
    #[error("{0}")]
    Unanswered(String),
    /// It was refused, and nothing was done.
    #[error("{0}")]
    Refused(String),
}

/// The machine and the group it belongs to.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// What the machine is told.
    ///
    /// # Errors
    /// [`MachineError::Unanswered`].
    async fn notices(&self) -> Result<Notices, MachineError>;

    /// Does what was decided: an action of a hook completed or lengthened, the machine reported unhealthy.
    ///
    /// # Errors
    /// See [`MachineError`].
    async fn act(&self, act: Act) -> Result<(), MachineError>;
}

/// A process's machine.
pub struct Machine {
    cloud: Arc<dyn Cloud>,
    life: Mutex<Life>,
    every: Duration,
}

impl Machine {
    /// The machine that the configuration names; `None` where it is nobody's.
    pub async fn of(config: &Config) -> Option<Self> {
        match config.instance.kind {
            InstanceKind::None => None,
            #[cfg(feature = "aws")]
            InstanceKind::Ec2 => Some(Self::new(config, Arc::new(Ec2::here(&config.instance).await))),
            #[cfg(not(feature = "aws"))]
            InstanceKind::Ec2 => None, // the configuration check has refused it
        }
    }

    /// A machine that has not been looked at. Without hooks in the configuration nothing is completed.
    pub fn new(config: &Config, cloud: Arc<dyn Cloud>) -> Self {
        let Instance { boot_seconds: boot, sick_seconds: sick, launch_hook, terminate_hook, .. } =
            &config.instance;
        let load = config.ollama.as_ref().map_or(Duration::ZERO, |ollama| ollama.load_seconds);
        let rules = Rules {
            boot: *boot,
            sick: *sick,
            load,
            launch_hook: launch_hook.is_some(),
            terminate_hook: terminate_hook.is_some(),
        };
        Self { cloud, life: Mutex::new(Life::new(rules, Instant::now())), every: LOOK_EVERY }
    }

    /// Looks more or less often than every five seconds.
    pub fn looking_every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// Looks, decides and acts, for ever.
    pub async fn run(&self, shared: &Shared) {
        let mut failing = false;
        let mut last = Notices::default();
        loop {
            let looked = bounded(self.cloud.notices()).await;
            note(&mut failing, looked.as_ref().err());
            last = looked.unwrap_or(last); // unknown is as it was
            let seen = shared.seen(last);
            let acts = self.life().next(&seen, Instant::now());
            for act in acts {
                self.act(act, shared).await;
            }
            let jitter = JITTER.min(self.every).mul_f64(fastrand::f64());
            sleep(self.every + jitter).await;
        }
    }

    async fn act(&self, act: Act, shared: &Shared) {
        match act {
            Act::Leave => {
                tracing::info!("the group ends this instance; draining");
                shared.drain.leave();
            }
            Act::LeaveBy(at) => {
                let left = at.saturating_duration_since(Instant::now());
                tracing::warn!(seconds = left.as_secs(), "this instance is taken back; draining until then");
                shared.drain.leave_by(at);
            }
            _ => {
                let outcome = self.call(act).await;
                self.life().done(act, outcome, Instant::now());
            }
        }
    }

    async fn call(&self, act: Act) -> Outcome {
        match bounded(self.cloud.act(act)).await {
            Ok(()) => {
                if !act.is_heartbeat() {
                    tracing::info!(?act, "the group was told");
                }
                Outcome::Done
            }
            Err(MachineError::Refused(error)) => {
                tracing::debug!(?act, %error, "the group takes no such word now");
                Outcome::Refused
            }
            Err(MachineError::Unanswered(error)) => {
                tracing::warn!(?act, %error, "the group was not told; tried again");
                Outcome::Unanswered
            }
        }
    }

    /// The process has ended what it had: an instance that goes need not wait for it any longer. At most half a minute.
    pub async fn farewell(&self) {
        let telling = async {
            loop {
                let owed = self.life().farewell(); // a name, or the lock would be held while we wait
                let Some(act) = owed else { return };
                let outcome = self.call(act).await;
                self.life().done(act, outcome, Instant::now());
                if outcome != Outcome::Done {
                    sleep(JITTER.mul_f64(1.0 + fastrand::f64())).await;
                }
            }
        };
        let _ = timeout(FAREWELL, telling).await; // the hook's own timeout does the rest
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// What the rule must know of this process and its machine.
    fn seen(&self, notices: Notices) -> decide::Seen {
        let (load, phase) = (self.queue.load(), self.drain.phase());
        let keeper = self.keeper().ok();
        let until = |at: Timestamp| {
            let left = at.duration_since(Timestamp::now());
            Instant::now() + Duration::try_from(left).unwrap_or_default().saturating_sub(BEFORE_SPOT)
        };
        decide::Seen {
            target: notices.target,
            leave_by: notices.taken_at.map(until),
            // Of a front nothing has to be loaded.
            loaded: keeper.is_none_or(|keeper| keeper.is_ready()),
            answers: keeper.is_none_or(|keeper| keeper.known().reachable),
            leaving: phase != Phase::Serving,
            drained: phase >= Phase::Closing && load.busy + load.queued == 0 || phase == Phase::Over,
        }
    }
}

/// The configuration with a name for the node: where none is given, an instance's id.
///
/// # Errors
/// Where the machine does not say its id.
pub async fn named(config: Config) -> anyhow::Result<Config> {
    #[cfg(feature = "aws")]
    if config.instance.kind == InstanceKind::Ec2 && config.fleet.node == UNNAMED {
        let mut config = config;
        config.fleet.node = ec2::instance_id().await?;
        return Ok(config);
    }
    Ok(config)
}

async fn bounded<T>(call: impl Future<Output = Result<T, MachineError>>) -> Result<T, MachineError> {
    let late = |_| Err(MachineError::Unanswered("no answer in time".to_owned()));
    timeout(CALL_WITHIN, call).await.unwrap_or_else(late)
}

/// Once when it begins to fail, once when it is over.
fn note(failing: &mut bool, error: Option<&MachineError>) {
    let was = std::mem::replace(failing, error.is_some());
    match error {
        Some(error) if !was => tracing::warn!(%error, "the instance's metadata cannot be read"),
        None if was => tracing::info!("the instance's metadata can be read again"),
        _ => {}
    }
}
