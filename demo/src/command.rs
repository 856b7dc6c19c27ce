//! The command line.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use demo::{cloud, evaluate, keep, load, machine, node, talks, telegram, up};
use tokio::runtime::Runtime;

/// Runs the whole product on this machine, without an AWS account: an issuer that signs people in, an Ollama (your
/// own if one is installed, else a simulated one) and a gateway before it.
///
/// It prints how to reach it and writes the same for programs to target/demo/demo.json. It stays until Ctrl-C or
/// SIGTERM, with or without a terminal, and takes everything it started along.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Command {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    up: up::Options,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Start everything and stay (the default).
    Up(up::Options),
    /// Send a running demo the requests of a trace, and say how it went.
    Load(load::Options),
    /// Have a running demo translate, and say what its translations keep and how good they are.
    TranslateEval(evaluate::Options),
    /// Give a running demo's user many conversations, and say how long listing and showing them takes.
    Talks(talks::Options),
    /// Talk to a running demo's bot, on its fake Telegram.
    Telegram(telegram::control::Options),
    /// One machine of the fleet, as the scaler starts it.
    #[command(hide = true)]
    Machine(machine::Options),
    /// A fake of Auto Scaling and load balancing, whose instances are machines on this one.
    #[command(hide = true)]
    Aws(cloud::Options),
    /// A simulated Ollama; ends when its standard input does.
    #[command(hide = true)]
    Ollama(OllamaOptions),
    /// Runs a program, and asks it to end when standard input does.
    #[command(hide = true)]
    Keep(KeepOptions),
}

#[derive(Debug, Args)]
struct OllamaOptions {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[derive(Debug, Args)]
struct KeepOptions {
    /// Seconds between SIGTERM and SIGKILL.
    #[arg(long, default_value_t = 10)]
    grace: u64,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

impl Command {
    /// Does what the line says.
    pub fn run(self) -> ExitCode {
        let done = match self.what.unwrap_or(What::Up(self.up)) {
            What::Up(options) => blocking(up::up(options)),
            What::Load(options) => blocking(load::load(options)),
            What::TranslateEval(options) => blocking(evaluate::evaluate(options)),
            What::Talks(options) => blocking(talks::talks(options)),
            What::Telegram(options) => blocking(telegram::control::telegram(options)),
            What::Machine(options) => blocking(machine::machine(options)),
            What::Aws(options) => blocking(cloud::cloud(options)),
            What::Ollama(options) => blocking(node::serve(options.listen)),
            What::Keep(options) => blocking(keep::keep(&options.program, Duration::from_secs(options.grace))),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "demo: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

fn blocking(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    Runtime::new().context("starting the runtime")?.block_on(work)
}
