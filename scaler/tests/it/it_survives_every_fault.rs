//! Random faults from fixed seeds: stores and groups that are out, calls whose answers are lost, leaders that die,
//! machines that crash, images that do not boot, clocks that jump. Whatever happens, `World::check` holds: desired
//! within its bounds and never below the living, nothing ended twice or with work, at most one leader. And when the
//! faults end the fleet serves everybody and falls asleep.

use std::sync::atomic::Ordering::Relaxed;

use fleet::store::Phase;

use crate::world::{Running, World, policy};

/// Lives in each of three threads, each with a seed of its own.
const LIVES: u64 = 12;

struct Chaos {
    world: World,
    random: fastrand::Rng,
    scalers: Vec<Running>,
    born: u32,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let world = World::new(policy());
        world.sim().random = fastrand::Rng::with_seed(seed);
        world.sim().seed = Some(seed);
        let mut chaos = Self { world, random: fastrand::Rng::with_seed(!seed), scalers: Vec::new(), born: 0 };
        chaos.bear();
        chaos.bear();
        chaos
    }

    fn bear(&mut self) {
        self.born += 1;
        self.scalers.push(self.world.scaler(&format!("s{}", self.born)));
    }

    /// Something goes wrong, or right again.
    fn strike(&mut self) {
        let (random, mut sim) = (&mut self.random, self.world.sim());
        match random.u32(..16) {
            0 => sim.store_out = true,
            1 => sim.group_out = true,
            2 => sim.no_capacity = true,
            3 => sim.bad_image = true,
            4 => sim.refreshing = true,
            5 if !sim.machines.is_empty() => {
                let at = random.usize(..sim.machines.len());
                sim.crash(at);
            }
            6 if !sim.machines.is_empty() => {
                let at = random.usize(..sim.machines.len());
                sim.machines[at].mute = true;
            }
            7 if !sim.machines.is_empty() => {
                let at = random.usize(..sim.machines.len());
                sim.machines[at].dead_ollama = true;
            }
            8 => self.world.jump.store(random.i64(-100..100), Relaxed),
            9 => {
                let losses = random.u32(..128);
                self.scalers.iter().for_each(|scaler| scaler.fate.lose(losses));
            }
            10 => {
                drop(sim);
                let at = self.random.usize(..self.scalers.len());
                self.scalers.remove(at).kill();
                self.bear();
            }
            11 => {
                let told = if random.bool() { Phase::Waking } else { Phase::FallingAsleep };
                let (old, wall) = (sim.state.clone(), sim.wall());
                sim.change_state(&old, &old.moved_to(told, wall));
            }
            _ => {
                sim.store_out = false;
                sim.group_out = false;
                sim.no_capacity = false;
                sim.bad_image = false;
                sim.refreshing = false;
            }
        }
    }

    fn heal(&mut self) {
        let mut sim = self.world.sim();
        sim.store_out = false;
        sim.group_out = false;
        sim.no_capacity = false;
        sim.bad_image = false;
        sim.refreshing = false;
        self.world.jump.store(0, Relaxed);
        self.scalers.iter().for_each(|scaler| scaler.fate.lose(0));
    }
}

async fn live(seed: u64) {
    let mut chaos = Chaos::new(seed);
    let world = chaos.world.clone();
    for _ in 0..80 {
        if chaos.random.u32(..3) == 0 {
            let (count, seconds) = (chaos.random.u32(1..40), f64::from(chaos.random.u32(1..60)));
            world.sim().ask(count, seconds);
        }
        chaos.strike();
        world.pass(f64::from(chaos.random.u32(1..40))).await;
    }
    chaos.heal();
    world.until(7200.0, |sim| sim.queue.is_empty() && sim.running() == 0).await;
    world.until(3600.0, |sim| sim.is_asleep()).await;
    world.until(10.0, |sim| sim.weights == scaler::entrance::Weights::FRONT).await;
}

async fn lives(part: u64) {
    for seed in (0..LIVES).map(|life| 3 * life + part) {
        live(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn and_comes_to_rest() {
    lives(0).await;
}

#[tokio::test(start_paused = true)]
async fn and_comes_to_rest_again() {
    lives(1).await;
}

#[tokio::test(start_paused = true)]
async fn and_again() {
    lives(2).await;
}
