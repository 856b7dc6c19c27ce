//! A reference that knows the future: every node is ready exactly when it is needed, and nobody waits longer than W.
//!
//! Built by repair: a schedule that just carries the mean is replayed, a node is added where somebody waited too
//! long, until nobody does. Gaps shorter than a boot are bridged, since giving a node up and back costs a boot. The
//! result is a yardstick, not the least; and on azure23_code the cap of 24 nodes leaves some requests waiting longer than W.

use crate::Seconds;
use crate::decide::observation::{NodeId, Phase};

use super::replay::{Controller, Replayed, replay};
use super::setting::Setting;
use super::world::World;

/// The schedule's grain.
const GRAIN: Seconds = 5.0;

/// Repairs after which we give up on the last few requests.
const REPAIRS: usize = 120;

/// Requests that come so soon after a late one are not looked at before he is helped.
const BEHIND: Seconds = 60.0;

/// The reference with waits up to `limit`.
pub fn clairvoyant(setting: &Setting, limit: Seconds, progress: &mut dyn FnMut(f64)) -> Replayed {
    let mut need = carry(setting);
    let mut setting = setting.clone();
    setting.beginning.ready = 0;
    for repair in 0..REPAIRS {
        progress(repair as f64 / REPAIRS as f64);
        let mut plan = Plan { levels: levels(&need, setting.boot), nodes: Vec::new() };
        let done = replay(&setting.requests, setting.machines(), setting.beginning, &mut plan, &mut |_| {});
        if !lengthen(&mut need, &setting, &done, limit) {
            return bill(done, &plan, setting.boot);
        }
    }
    let mut plan = Plan { levels: levels(&need, setting.boot), nodes: Vec::new() };
    let done = replay(&setting.requests, setting.machines(), setting.beginning, &mut plan, &mut |_| {});
    bill(done, &plan, setting.boot)
}

/// Nodes that carry three quarters of the work of each minute.
fn carry(setting: &Setting) -> Vec<u32> {
    let end = setting.requests.last().map_or(0.0, |last| last.arrival) + 1800.0;
    let mut work = vec![0.0; (end / GRAIN) as usize + 2];
    for request in &setting.requests {
        work[(request.arrival / GRAIN) as usize] += request.work(&setting.rates);
    }
    let span = (60.0 / GRAIN) as usize;
    (0..work.len())
        .map(|i| {
            let sum: f64 = work[i.saturating_sub(span - 1)..=i].iter().sum();
            (0.75 * sum / 60.0 / setting.rates.throughput).floor() as u32
        })
        .collect()
}

/// Adds a node over every stretch in which requests waited too long. Says whether there was one.
fn lengthen(need: &mut [u32], setting: &Setting, done: &Replayed, limit: Seconds) -> bool {
    let (mut changed, mut until) = (false, f64::NEG_INFINITY);
    for (request, wait) in setting.requests.iter().zip(&done.waits) {
        let wait = if wait.is_nan() { 300.0 } else { f64::from(*wait) };
        if wait <= 0.0 {
            until = f64::NEG_INFINITY;
        }
        if wait <= limit || request.arrival < until {
            continue;
        }
        // Help must come before the wait is too long; what is added stays until the late request has begun.
        let from = ((request.arrival + 0.3 * limit) / GRAIN) as usize;
        let to = ((request.arrival + wait.min(30.0)) / GRAIN) as usize;
        for n in need.iter_mut().take(to + 1).skip(from) {
            let more = (*n + 1).min(24);
            changed |= more != *n;
            *n = more;
        }
        // Whoever is late behind a late one may be so only because of him: once a queue, or a minute of it.
        until = request.arrival + BEHIND;
    }
    changed
}

/// For each level the stretches in which it is needed, gaps shorter than a boot bridged.
fn levels(need: &[u32], boot: Seconds) -> Vec<(Seconds, Seconds)> {
    let most = need.iter().copied().max().unwrap_or(0);
    let mut all = Vec::new();
    for level in 1..=most {
        let mut open: Option<(Seconds, Seconds)> = None;
        for (i, n) in need.iter().enumerate().filter(|(_, n)| **n >= level) {
            let _ = n;
            let (from, to) = (i as f64 * GRAIN, (i + 1) as f64 * GRAIN);
            match &mut open {
                Some(stretch) if from - stretch.1 < boot => stretch.1 = to,
                _ => all.extend(open.replace((from, to))),
            }
        }
        all.extend(open);
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

/// Ready at the start of a stretch, drained from its end. The boot before it is billed afterwards.
struct Plan {
    levels: Vec<(Seconds, Seconds)>,
    nodes: Vec<(NodeId, Seconds)>,
}

impl Controller for Plan {
    fn every(&self) -> Seconds {
        GRAIN
    }

    fn round(&mut self, world: &mut World) {
        let now = world.now;
        let begun = self.nodes.len();
        for (from, to) in self.levels.iter().skip(begun) {
            if *from > now {
                break;
            }
            // At the cap a node that still drains is in the way: the new one follows when it has left.
            if world.nodes.len() as u32 >= world.machines.cap {
                break;
            }
            world.launch_ready_in(0.0);
            if let Some(node) = world.nodes.last() {
                self.nodes.push((node.id.clone(), *to));
            }
        }
        let over: Vec<_> = self.nodes.iter().filter(|(_, to)| *to <= now).map(|(id, _)| id.clone()).collect();
        for id in over {
            if let Some(i) =
                world.nodes.iter().position(|node| node.id == id && node.phase != Phase::Draining)
            {
                world.cordon(i, true);
            }
        }
    }
}

fn bill(mut done: Replayed, plan: &Plan, boot: Seconds) -> Replayed {
    done.hours += plan.nodes.len() as f64 * boot / 3600.0;
    done
}
