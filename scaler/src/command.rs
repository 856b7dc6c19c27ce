//! What the program can be asked to do.

mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Decides how many nodes a fleet has, and which.
#[derive(Parser)]
#[command(version, about)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Replay a request trace through the scaler in virtual time, beside what others use.
    Simulate(simulate::Simulate),
}

impl Command {
    /// Does it.
    pub fn run(self) -> ExitCode {
        let What::Simulate(simulate) = self.what;
        match simulate.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("{error:#}"));
                ExitCode::FAILURE
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one place where the program speaks of its own failure")]
fn complain(what: &str) {
    eprintln!("scaler: {what}");
}
