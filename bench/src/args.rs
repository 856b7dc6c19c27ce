//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::scenario::Scenario;

/// Measures the gateway beside nginx and HAProxy on this machine and prints a table of ratios to nginx.
///
/// Every scenario runs against one proxy after the other, round by round in a rotated order, and each figure is the
/// median over the rounds. Timings never fail the run; errors, streams cut short and cancels that the upstream never
/// learns of do.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// One short round of everything with smaller crowds: less than two minutes, rough figures.
    #[arg(long)]
    pub quick: bool,
    /// Rounds. Default: 5, quick 1.
    #[arg(long, value_name = "N")]
    pub rounds: Option<usize>,
    /// Seconds of each measured window. Default: 3, quick 1.
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// Only this scenario; may be repeated. Default: all.
    #[arg(long, value_name = "SCENARIO")]
    pub only: Vec<Scenario>,
    /// The gateway's program. Default: beside this one.
    #[arg(long, value_name = "FILE")]
    pub gateway: Option<PathBuf>,
}

/// How much of everything.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Rounds.
    pub rounds: usize,
    /// A measured window.
    pub window: Duration,
    /// Held streams.
    pub held: usize,
    /// Slow readers.
    pub slow: usize,
    /// Cancels a round.
    pub cancels: usize,
}

impl Args {
    /// What the line says.
    pub fn profile(&self) -> Profile {
        let (rounds, seconds, held, slow, cancels) =
            if self.quick { (1, 1.0, 1000, 40, 100) } else { (5, 3.0, 5000, 100, 300) };
        Profile {
            rounds: self.rounds.unwrap_or(rounds).max(1),
            window: Duration::from_secs_f64(self.seconds.unwrap_or(seconds).clamp(0.1, 60.0)),
            held,
            slow,
            cancels,
        }
    }
}
