//! What the program can be asked to do.

mod simulate;
mod build;
mod run;
mod status;
mod operate;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use scaler::config::{self, Config};
use tokio::runtime::{Builder, Runtime};

/// sysexits.h: the configuration or the command line is wrong, so starting again will not help.
const EX_USAGE: u8 = 64;

const TEACHING: &str = "\
The scaler watches the load reports of a fleet's gateways, decides every five seconds how many nodes their work is \
worth, launches and drains nodes, and puts the fleet to sleep when nobody asks. Several may run: a lease in the store \
says which one acts, and another takes over within ten seconds.

Try it on anything without harm:
  scaler --config scaler.toml check-config      what is wrong with the file
  scaler --config scaler.toml --dry-run         the same decisions, printed, and nothing changed
  scaler --config scaler.toml status            the fleet as it is now

Every key of the file can be set by environment: SCALER__GROUP__MAX=8 sets `max` in `[group]`. Exit codes: 0 done, \
1 could not, 64 the configuration or the command line is wrong.";

/// Decides how many nodes a fleet has, and which.
#[derive(Parser)]
#[command(version, after_long_help = TEACHING)]
pub struct Command {
    /// The configuration file, TOML. `scaler check-config` says everything that is wrong with it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Decide and print what would be done; change nothing and take no lease.
    #[arg(long)]
    dry_run: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Scale until SIGTERM (the default).
    Run,
    /// Read the configuration, say everything that is wrong with it, and exit: 0 right, 64 wrong.
    CheckConfig,
    /// Show the fleet: its state, nodes, orders, budget, and who leads.
    Status(status::Status),
    /// Wake the fleet, as a request would; after three failed boots, let it try all over again.
    Wake,
    /// Put the fleet to sleep: every node finishes what it has and goes. Ends a hold. A new request wakes it again.
    Sleep,
    /// Keep at least so many nodes for a while, work or not.
    Hold(operate::HoldFor),
    /// End a hold: the work decides again.
    Release,
    /// Replay a request trace through the scaler in virtual time, beside what others use.
    Simulate(Box<simulate::Simulate>),
}

/// Prints what the reader of the command line has to say instead: help and version (0), or a mistake (64).
pub fn told(instead: &clap::Error) -> ExitCode {
    let _ = instead.print();
    if instead.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
}

impl Command {
    /// Does it. 0: done; 1: could not; 64: the configuration is wrong.
    pub fn run(self) -> ExitCode {
        let done = match self.what.unwrap_or(What::Run) {
            What::Simulate(simulate) => simulate.run(),
            what => match config::load(self.config.as_deref()) {
                Ok(config) => what.run(&config, self.dry_run),
                Err(error) => {
                    let _ = writeln!(std::io::stderr(), "{error}");
                    return ExitCode::from(EX_USAGE);
                }
            },
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "scaler: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

impl What {
    fn run(self, config: &Config, dry_run: bool) -> anyhow::Result<()> {
        let out = &mut std::io::stdout();
        match self {
            Self::Run if dry_run => runtime()?.block_on(run::dry_run(config)),
            Self::Run => runtime()?.block_on(run::run(config)),
            Self::CheckConfig => Ok(writeln!(out, "the configuration is right")?),
            Self::Status(status) => runtime()?.block_on(status.run(config, out)),
            Self::Wake => runtime()?.block_on(operate::wake(config, out)),
            Self::Sleep => runtime()?.block_on(operate::sleep(config, out)),
            Self::Hold(hold) => runtime()?.block_on(hold.run(config, out)),
            Self::Release => runtime()?.block_on(operate::release(config, out)),
            Self::Simulate(simulate) => simulate.run(),
        }
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start a runtime")
}
