//! A fake of the little of AWS that drives a fleet: one Auto Scaling group, one load balancer's rule, instance metadata.
//! It speaks the query protocol on a loopback port, so that the real SDK is its client.
//!
//! **It is a fake.** What it copies, from the Auto Scaling user guide and the API references of both services:
//! - an instance's way: `Pending`, `Pending:Wait` under a launch hook, `InService`, `Terminating` while its target
//!   drains, `Terminating:Wait` under a terminate hook, gone; heartbeats, their timeout and its default result, and the
//!   end of all heartbeats after a hundred timeouts;
//! - desired kept between min and max, with AWS's refusals; scale-in that takes unprotected instances only, and launches
//!   that have not arrived; protection that begins in service and does not stop a named terminate;
//! - a replacement for what is unhealthy; a warm pool; refused launches and their activities; step policies on an alarm
//!   of ten seconds that repeats;
//! - targets that are initial, healthy, unhealthy, draining; weights that never fail over; an unhealthy group that gets
//!   everything.
//!
//! What it does not: signatures and permissions, pages, availability zones, cooldowns and warm-up, instance refreshes
//! beyond saying that one runs, the reuse of instances by the warm pool, connections (a target drains for a fixed time),
//! throttling unless scripted, how long AWS really takes. Its alarms do not weigh instances that are on their way
//! against the next step, as AWS may.
//!
//! - `clock`: time that is moved by hand, or runs faster than life
//! - `group`, `alarms`, `balancer`: the state, which knows nothing of the wire
//! - `wire`, `autoscaling`, `elb`: requests in, XML out
//! - `metadata`: what an instance can ask of itself

mod clock;
mod setup;
mod group;
mod alarms;
mod balancer;
mod world;
mod wire;
mod autoscaling;
mod elb;
mod metadata;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::tasks::Tasks;
use clock::Clock;
use world::World;

pub use balancer::{FRONT_GROUP, Health, NODE_GROUP, RULE, Reach};
pub use group::{GroupInstance, Stage};
pub use setup::{Hook, HookDefault, Setup, StepPolicy};
pub use wire::{Call, Failure};

/// The fake, running. It stops when it is dropped.
pub struct FakeAws {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: Tasks,
}

/// The state behind the port.
struct Shared {
    clock: Clock,
    world: Mutex<World>,
}

impl Shared {
    /// The state, as it is now.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.run_to(self.clock.now());
        world
    }
}

impl FakeAws {
    /// Starts one on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(setup: Setup) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let clock = Clock::new(setup.speed);
        let shared = Arc::new(Shared { clock, world: Mutex::new(World::new(setup)) });
        let tasks = Tasks::default();
        tasks.spawn(wire::serve(listener, shared.clone(), tasks.clone()));
        Ok(Self { shared, address, tasks })
    }

    /// Where the SDK finds it: the endpoint of both services.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets time pass at once, beside whatever passes by itself.
    pub fn advance(&self, span: Duration) {
        self.shared.clock.advance(span);
        drop(self.shared.world());
    }

    /// The group's desired count.
    pub fn desired(&self) -> u32 {
        self.shared.world().group.desired
    }

    /// The group's instances, oldest first, those that go included.
    pub fn instances(&self) -> Vec<GroupInstance> {
        let world = self.shared.world();
        world.group.seen(world.now)
    }

    /// Whether this instance passes the load balancer's health check from now on. All do at first.
    pub fn set_serving(&self, id: &str, serving: bool) {
        self.shared.world().group.set_serving(id, serving);
    }

    /// Refuses launches with this reason from now on (`InsufficientInstanceCapacity - ...`), or no longer.
    pub fn refuse_launches(&self, why: Option<&str>) {
        self.shared.world().group.refuse_launches(why);
    }

    /// Whether the group says that an instance refresh runs.
    pub fn set_refreshing(&self, refreshing: bool) {
        self.shared.world().group.refreshing = refreshing;
    }

    /// Announces that this instance is taken back in two minutes, as for Spot. It is only said: see
    /// [`FakeAws::metadata`].
    pub fn interrupt(&self, id: &str) {
        let mut world = self.shared.world();
        let now = world.now;
        world.group.interrupt(id, now);
    }

    /// A value of a metric, for the step policies; the largest within an alarm's period counts.
    pub fn metric(&self, name: &str, value: f64) {
        self.shared.world().alarms.point(name, value);
    }

    /// Sets the rule's weights by hand: nodes, front.
    pub fn set_weights(&self, nodes: u32, front: u32) {
        let mut world = self.shared.world();
        world.balancer.set_weights(nodes, front);
        world.judge();
    }

    /// The rule's weights: nodes, front.
    pub fn weights(&self) -> (u32, u32) {
        self.shared.world().balancer.weights()
    }

    /// Whether the rule's forward action keeps its stickiness, which it has from the start.
    pub fn is_sticky(&self) -> bool {
        self.shared.world().balancer.sticky_seconds.is_some()
    }

    /// Whom a client reaches now.
    pub fn reach(&self) -> Reach {
        let world = self.shared.world();
        world.balancer.reach(&world.group.targets(world.now))
    }

    /// Whether the rule has ever sent clients to a group that had no target: the load balancer's own 503.
    pub fn has_misled(&self) -> bool {
        self.shared.world().misled
    }

    /// The next call of this action fails so; calls of it queue up.
    pub fn fail(&self, action: &str, failure: Failure) {
        self.shared.world().script.push((action.to_owned(), failure));
    }

    /// The calls so far, those that failed included.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.world().calls.clone()
    }

    /// The metadata service of one instance, on a port of its own, for `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn metadata(&self, id: &str) -> std::io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        self.tasks.spawn(metadata::serve(listener, id.to_owned(), self.shared.clone(), self.tasks.clone()));
        Ok(url)
    }
}

impl Drop for FakeAws {
    fn drop(&mut self) {
        self.tasks.end();
    }
}
