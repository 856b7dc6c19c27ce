//! A fleet in virtual time: a table in memory, a group of machines that boot, gateways that serve and obey, requests,
//! and one or more real scalers. Everything runs on one paused runtime.
//!
//! [`sim`] is what happens by itself, [`store`] and [`group`] what a scaler calls; each scaler has a [`Fate`] that can
//! end it at any one of its calls.

pub mod fate;
pub mod group;
pub mod outside;
pub mod sim;
pub mod store;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet::shutdown::Tasks;
use fleet::store::{Change, FleetState, Phase, Store};
use jiff::tz::TimeZone;
use scaler::clock::Clock;
use scaler::decide::policy::Policy;
use scaler::round::Parts;
use scaler::run::Scaler;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub use fate::Fate;
use sim::Sim;

/// A Monday, 08:00 UTC.
pub const EPOCH: i64 = 1_794_816_000;

/// The fleet's name.
pub const FLEET: &str = "f";

/// How finely time passes.
const TICK: Duration = Duration::from_millis(500);

/// All of it.
#[derive(Clone)]
pub struct World {
    pub sim: Arc<Mutex<Sim>>,
    pub policy: Policy,
    /// By how much the wall's clock is wrong.
    pub jump: Arc<AtomicI64>,
    start: Instant,
    tasks: Tasks,
    scalers: Arc<Mutex<Vec<Arc<Scaler>>>>,
}

/// One running scaler.
pub struct Running {
    pub scaler: Arc<Scaler>,
    pub fate: Arc<Fate>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// It ends as if by SIGKILL.
    pub fn kill(&self) {
        self.task.abort();
    }

    /// It ends as by SIGTERM.
    pub async fn end(mut self) {
        self.stop.cancel();
        assert!((&mut self.task).await.is_ok());
    }
}

/// A minute to boot, two to idle, three nodes at most: small, so that whole lives pass quickly.
pub fn policy() -> Policy {
    Policy { max: 3, idle: 120.0, boot: 60.0, ..Policy::default() }
}

impl World {
    /// An empty fleet, and time that passes.
    pub fn new(policy: Policy) -> Self {
        let (start, jump) = (Instant::now(), Arc::new(AtomicI64::new(0)));
        let sim = Sim::new(policy.min, policy.max);
        let sim = Arc::new(Mutex::new(sim));
        let world = Self { sim, policy, jump, start, tasks: Tasks::new(), scalers: Arc::default() };
        let ticking = world.clone();
        world.tasks.spawn_background(async move {
            loop {
                sleep(TICK).await;
                ticking.sim().tick();
            }
        });
        world
    }

    pub fn sim(&self) -> MutexGuard<'_, Sim> {
        self.sim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scalers(&self) -> MutexGuard<'_, Vec<Arc<Scaler>>> {
        self.scalers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the beginning.
    pub fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    pub fn store(&self) -> store::MemoryStore {
        store::MemoryStore { sim: self.sim.clone(), fate: Arc::default() }
    }

    /// What a scaler of that name is made of.
    pub fn parts(&self, name: &str, fate: &Arc<Fate>) -> Parts {
        let (start, jump) = (self.start, self.jump.clone());
        let outside = outside::Outside { sim: self.sim.clone(), name: name.to_owned() };
        let wall = move || EPOCH + start.elapsed().as_secs() as i64 + jump.load(Ordering::Relaxed);
        Parts {
            fleet: FLEET.to_owned(),
            policy: self.policy.clone(),
            zone: TimeZone::UTC,
            store: Arc::new(store::MemoryStore { sim: self.sim.clone(), fate: fate.clone() }),
            group: Arc::new(group::FakeGroup {
                sim: self.sim.clone(),
                fate: fate.clone(),
                name: name.to_owned(),
            }),
            describe_every: 10.0,
            publish: Some(Arc::new(outside.clone())),
            entrance: Some(Arc::new(outside)),
            clock: Clock::with(wall),
        }
    }

    /// Starts a scaler.
    pub fn scaler(&self, name: &str) -> Running {
        self.scaler_with(name, Fate::default())
    }

    pub fn scaler_with(&self, name: &str, fate: Fate) -> Running {
        let fate = Arc::new(fate);
        let scaler = Arc::new(Scaler::new(self.parts(name, &fate), name));
        self.scalers().push(scaler.clone());
        let (stop, running) = (CancellationToken::new(), scaler.clone());
        let token = stop.clone();
        let task = self.tasks.spawn(async move { Box::pin(running.run(token)).await });
        Running { scaler, fate, stop, task }
    }

    /// How many scalers may act at this moment. The dead count too: their right must have lapsed.
    pub fn leaders(&self) -> usize {
        self.scalers().iter().filter(|scaler| scaler.lease().may_act()).count()
    }

    /// Lets so many seconds pass, looking at the invariants all the while.
    pub async fn pass(&self, seconds: f64) {
        let until = self.now() + seconds;
        while self.now() < until {
            sleep(TICK).await;
            self.check();
        }
    }

    /// Waits until the world is so; fails after that many seconds.
    #[track_caller]
    pub fn until(&self, seconds: f64, what: impl Fn(&Sim) -> bool) -> impl Future<Output = f64> {
        let caller = std::panic::Location::caller();
        async move {
            let began = self.now();
            while !what(&self.sim()) {
                assert!(self.now() - began < seconds, "not within {seconds} s, {caller}\n{}", self.sim());
                sleep(TICK).await;
                self.check();
            }
            self.now() - began
        }
    }

    /// What must hold at every moment.
    pub fn check(&self) {
        assert!(self.leaders() <= 1, "two lead at {}", self.now());
        let sim = self.sim();
        assert!(sim.violations.is_empty(), "{:#?}\n{sim}", sim.violations);
    }

    /// What was last published under that name.
    pub fn told(&self, name: &str) -> f64 {
        let sim = self.sim();
        let last = sim.published.last().and_then(|(_, values)| values.get(name).copied());
        assert!(last.is_some(), "{name} was not published");
        last.unwrap_or_default()
    }

    pub fn state(&self) -> FleetState {
        self.sim().state.clone()
    }

    pub fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Changes the state as an operator would.
    pub async fn tell(&self, change: impl Fn(&FleetState) -> FleetState) {
        let (store, old) = (self.store(), self.state());
        let told = store.change_state(FLEET, &old, &change(&old)).await;
        assert!(matches!(told, Ok(Change::Made(_))));
    }

    /// Calls so far that begin so.
    pub fn count(&self, begins: &str) -> usize {
        self.sim().count(begins)
    }

    pub fn wall(&self) -> i64 {
        self.sim().wall()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
