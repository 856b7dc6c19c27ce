//! The command line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bot::config::{self, Config};
use bot::run::Bot;
use clap::{Parser, Subcommand};
use fleet::shutdown::{self, Tasks};
use fleet::{supervisor, telemetry};
use tokio::runtime::Builder;

/// sysexits.h: the configuration or the command line is wrong, so starting again will not help.
const EX_USAGE: u8 = 64;

/// What is under way when a signal comes gets so long to be said. Answers go on at the gateway and are shown later.
const FAREWELL: Duration = Duration::from_secs(5);

const TEACHING: &str = "\
The bot asks Telegram for messages (long polling: nothing has to reach it from outside), answers people whom an \
administrator has linked, and shows a model's answer as it grows. It talks to the gateway with each person's own key, \
so limits, usage and conversations are that person's.

To begin:
  1. In Telegram, ask @BotFather for a bot; it gives the token.
  2. On the gateway: gateway keys create --owner telegram-bot       the bot's own key; it redeems codes
  3. Write bot.toml:
       token = \"123456:ABC...\"
       state = \"/var/lib/ollama-fleet-bot/state.json\"
       [gateway]
       url = \"https://ollama.example.com\"
       key = \"...\"
  4. bot --config bot.toml check-config                            what is wrong with the file
  5. bot --config bot.toml
  6. An administrator makes a code for a person; the person sends /start CODE to the bot.

Every key of the file can be set by environment: BOT__TOKEN=... sets `token`, BOT__GATEWAY__KEY=... sets `key` in \
`[gateway]`. Exit codes: 0 done, 1 could not, 64 the configuration or the command line is wrong.";

/// Lets people talk to the fleet's models on Telegram.
#[derive(Parser)]
#[command(version, after_long_help = TEACHING)]
pub struct Command {
    /// The configuration file, TOML. `bot check-config` says everything that is wrong with it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Talk until SIGTERM (the default).
    Run,
    /// Read the configuration, say everything that is wrong with it, and exit: 0 right, 64 wrong.
    CheckConfig,
}

/// Prints what the reader of the command line has to say instead: help and version (0), or a mistake (64).
pub fn told(instead: &clap::Error) -> ExitCode {
    let _ = instead.print();
    if instead.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
}

impl Command {
    /// Does it. 0: done; 1: could not; 64: the configuration is wrong.
    pub fn run(self) -> ExitCode {
        let config = match config::load(self.config.as_deref()) {
            Ok(config) => config,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{error}");
                return ExitCode::from(EX_USAGE);
            }
        };
        let done = match self.what.unwrap_or(What::Run) {
            What::Run => run(&config),
            What::CheckConfig => {
                writeln!(std::io::stdout(), "the configuration is right").map_err(Into::into)
            }
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "bot: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

fn run(config: &Config) -> anyhow::Result<()> {
    let _telemetry = telemetry::init(&config.log.filter)?;
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    runtime.block_on(async {
        let tasks = Tasks::new();
        shutdown::listen(&tasks)?;
        let bot = Bot::new(config, tasks.clone())?;
        tracing::info!(gateway = config.gateway.url, version = env!("CARGO_PKG_VERSION"), "talking");
        supervisor::ready();
        let talked = match bot.greet().await {
            Ok(Some(talking)) => talking.talk().await,
            ended => ended.map(drop),
        };
        tasks.drain();
        let _cut = tokio::time::timeout(FAREWELL, tasks.finished()).await;
        tasks.stop();
        talked?;
        tracing::info!("ended");
        Ok(())
    })
}
