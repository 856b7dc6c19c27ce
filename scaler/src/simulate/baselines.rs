//! What others use, with their documented defaults. Each is a few lines on the same world; sources and constants stand
//! beside each. A node they give up drains gracefully: the comparison is about counts, not about lost streams.

mod aws;
mod pods;

pub use aws::{Backlog, Tracking, Utilization};
pub use pods::{Buildkite, Keda, Knative, RayServe};

use crate::decide::observation::Phase;

use super::world::World;

/// Nodes that serve or will.
fn wanted(world: &World) -> u32 {
    world.count(Phase::Ready) + world.count(Phase::Booting)
}

/// Requests that wait or run.
fn inside(world: &World) -> f64 {
    world.waiting.count as f64 + f64::from(world.running())
}

/// Who goes first.
#[derive(Clone, Copy)]
enum Victim {
    /// The oldest: blind to load, as an Auto Scaling group's default.
    Oldest,
    /// The newest, boots before ready ones, as a `ReplicaSet` does.
    Newest,
}

/// Launches or gives up nodes until there are `count`.
fn set(world: &mut World, count: u32, victim: Victim) {
    let now = wanted(world);
    (now..count.min(world.machines.cap)).for_each(|_| world.launch());
    for _ in count..now {
        let alive = |phase: Phase| phase != Phase::Draining;
        let found = match victim {
            Victim::Oldest => world.nodes.iter().position(|node| alive(node.phase)),
            Victim::Newest => world.nodes.iter().rposition(|node| alive(node.phase)),
        };
        if let Some(i) = found {
            world.cordon(i, true);
        }
    }
}
