//! Traces of our own making, from a seed: small enough for the repository, hard enough to tell controllers apart.

use std::f64::consts::TAU;

use crate::Seconds;

use super::trace::Request;
use super::world::uniform;

/// What a made trace is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// A working morning: nobody, a start, a hill, lunch, silence, an afternoon.
    Office,
    /// Quiet, with a burst of twenty times the mean every few minutes.
    Burst,
}

/// Makes a trace: exponential gaps at a rate that changes with time, lengths with a long tail.
#[must_use]
pub fn generate(shape: Shape, seed: u64) -> Vec<Request> {
    let (mut count, mut at) = (0, 0.0);
    let mut draw = || {
        count += 1;
        uniform(seed, count)
    };
    let span = match shape {
        Shape::Office => 4.0 * 3600.0,
        Shape::Burst => 3600.0,
    };
    let most = 4.0;
    let mut requests = Vec::new();
    loop {
        // Thinning: candidates at the highest rate, each kept with the present share of it (Lewis, Shedler 1979).
        at += -(1.0 - draw()).ln() / most;
        if at >= span {
            return requests;
        }
        if draw() * most < rate(shape, at) {
            let prompt = length(300.0, 8192.0, draw(), draw());
            let output = length(90.0, 2048.0, draw(), draw());
            requests.push(Request { arrival: (at * 100.0).round() / 100.0, prompt, output });
        }
    }
}

/// Requests a second.
fn rate(shape: Shape, at: Seconds) -> f64 {
    match shape {
        Shape::Office => {
            let hour = at / 3600.0;
            let hill = |from: f64, to: f64, top: f64| {
                if (from..to).contains(&hour) {
                    top * (0.5 - 0.5 * (TAU * (hour - from) / (to - from)).cos())
                } else {
                    0.0
                }
            };
            hill(0.2, 1.8, 1.2) + hill(2.4, 3.9, 0.9)
        }
        Shape::Burst => {
            if at % 420.0 < 15.0 {
                4.0
            } else {
                0.12
            }
        }
    }
}

/// Log-normal tokens: median, most, and two draws (Box, Muller 1958).
fn length(median: f64, most: f64, a: f64, b: f64) -> u32 {
    let normal = (-2.0 * (1.0 - a).ln()).sqrt() * (TAU * b).cos();
    (median * (0.9 * normal).exp()).clamp(1.0, most) as u32
}
