//! The virtual clock: arrivals, rounds and what happens inside the fleet, in the order of their times.

use crate::Seconds;
use crate::decide::observation::Phase;

use super::trace::Request;
use super::world::{Machines, World};

/// What a controller must learn, it may learn in this time.
pub const HOUR: Seconds = 3600.0;

/// The bill runs on so long after the last arrival.
const AFTER: Seconds = 1800.0;

/// Something that scales the fleet.
pub trait Controller {
    /// Seconds between two rounds.
    fn every(&self) -> Seconds;

    /// Whether the first request at zero makes it act at once.
    fn wakes(&self) -> bool {
        false
    }

    /// One round: look at the world and change it.
    fn round(&mut self, world: &mut World);
}

/// How a replay begins, and which requests count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beginning {
    /// Nodes that are ready before the first request.
    pub ready: u32,
    /// Requests that arrive earlier than this are served but not counted.
    pub skip: Seconds,
}

/// One sample for the picture.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When.
    pub at: Seconds,
    /// Nodes that take requests.
    pub ready: u32,
    /// Living nodes: the bill.
    pub living: u32,
    /// Requests that wait.
    pub waiting: u64,
}

/// A replay that is over.
#[derive(Debug)]
pub struct Replayed {
    /// Wait of each request, by row; not a number where it never began.
    pub waits: Vec<f32>,
    /// GPU-hours billed.
    pub hours: f64,
    /// Those of the first hour.
    pub first_hour: f64,
    /// Launches.
    pub launches: u32,
    /// Streams cut off because their node was taken away.
    pub cut: u32,
    /// Samples, evenly spaced.
    pub samples: Vec<Sample>,
}

/// Replays `requests` through `controller`. `progress` is told the share done, now and then.
pub fn replay(
    requests: &[Request],
    machines: Machines,
    beginning: Beginning,
    controller: &mut dyn Controller,
    progress: &mut dyn FnMut(f64),
) -> Replayed {
    let mut world = World::new(machines, requests.len());
    for _ in 0..beginning.ready {
        world.launch_ready_in(0.0);
    }
    let end = requests.last().map_or(0.0, |last| last.arrival) + AFTER;
    let every_sample = (end / 1200.0).max(5.0);
    let (mut row, mut round_at, mut sample_at) = (0, 0.0, 0.0);
    let mut samples = Vec::with_capacity(1300);
    let mut first_hour = None;
    loop {
        let arrival = requests.get(row).map_or(f64::INFINITY, |next| next.arrival);
        let inside = world.next();
        let at = arrival.min(inside).min(round_at);
        if at > end {
            break;
        }
        if inside <= at {
            world.step(at);
        } else if arrival <= at {
            world.arrive(row, &requests[row]);
            row += 1;
            if controller.wakes() && world.nodes.is_empty() {
                controller.round(&mut world);
            }
        } else {
            world.now = at;
            if at >= HOUR && first_hour.is_none() {
                first_hour = Some(world.hours());
            }
            controller.round(&mut world);
            round_at += controller.every();
            if at >= sample_at {
                sample_at += every_sample;
                samples.push(sample(&world));
                progress(at / end);
            }
        }
    }
    world.now = end;
    let hours = world.hours();
    Replayed {
        hours,
        first_hour: first_hour.unwrap_or(hours),
        launches: world.launches,
        cut: world.cut,
        waits: world.waits,
        samples,
    }
}

fn sample(world: &World) -> Sample {
    Sample {
        at: world.now,
        ready: world.count(Phase::Ready),
        living: world.nodes.len() as u32,
        waiting: world.waiting.count,
    }
}
