//! The command line.

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::Context;
use clap::{Parser, Subcommand};
use fleet::shutdown::{self, Tasks};
use fleet::supervisor;
use fleet::telemetry;
use gateway::config::{self, Config};
use gateway::identity::{DenialsCommand, KeysCommand};
use gateway::process::Gateway;
use gateway::{admin, drain, instance};
use tokio::runtime::{Builder, Runtime};

/// sysexits.h: the configuration or the command line is wrong, so starting again will not help.
const EX_USAGE: u8 = 64;

/// Authenticates, limits, queues and streams requests to the Ollama on this machine.
///
/// Every key of the file can be set by environment: GATEWAY__LISTEN__ADDRESS=127.0.0.1:8443 sets `address` in
/// `[listen]`. Without a file the defaults serve an Ollama-less front.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Command {
    /// The configuration file, TOML. `gateway check-config` says everything that is wrong with it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serve until SIGTERM, then drain (the default).
    Serve,
    /// Read the configuration, say everything that is wrong with it, and exit: 0 right, 64 wrong.
    CheckConfig,
    /// Make, list and revoke API keys for programs that cannot sign in.
    #[command(subcommand)]
    Keys(KeysCommand),
    #[command(flatten)]
    Denials(DenialsCommand),
}

/// Prints what the reader of the command line has to say instead: help and version (0), or a mistake (64).
pub fn told(instead: &clap::Error) -> ExitCode {
    let _ = instead.print();
    if instead.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
}

impl Command {
    /// Does what the line says. 0: done; 1: could not; 64: the configuration is wrong.
    pub fn run(self) -> ExitCode {
        let config = match config::load(self.config.as_deref()) {
            Ok(config) => config,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{error}");
                return ExitCode::from(EX_USAGE);
            }
        };
        let done = match self.what.unwrap_or(What::Serve) {
            What::Serve => serve(config),
            What::CheckConfig => {
                writeln!(std::io::stdout(), "the configuration is right").map_err(Into::into)
            }
            What::Keys(keys) => runtime().and_then(|runtime| {
                runtime.block_on(keys.run(&config, &mut std::io::stdout())).map_err(Into::into)
            }),
            What::Denials(denials) => runtime().and_then(|runtime| {
                runtime.block_on(denials.run(&config, &mut std::io::stdout())).map_err(Into::into)
            }),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "gateway: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start a runtime")
}

/// Binds, serves once per core, drains.
fn serve(config: Config) -> anyhow::Result<()> {
    let _telemetry = telemetry::init(&config.log.filter)?;
    let cores = config.listen.cores.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
    let address = config.listen.address;
    let listener =
        TcpListener::bind(address).with_context(|| format!("listen.address: cannot bind {address}"))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?; // port 0 takes any
    let admin_address = config.listen.admin;
    let admin = TcpListener::bind(admin_address)
        .with_context(|| format!("listen.admin: cannot bind {admin_address}"))?;
    admin.set_nonblocking(true)?;
    let admin_address = admin.local_addr()?;
    let tasks = Tasks::new();
    let first = runtime()?;
    let gateway = first.block_on(async {
        let config = instance::named(config).await?;
        let store = config.store.open().await?;
        Gateway::new(config, store, tasks.clone())
    })?;
    let others = (1..cores)
        .map(|core| {
            let (gateway, listener) = (gateway.clone(), listener.try_clone()?);
            let serve = move || serve_on(&runtime()?, &gateway, listener);
            thread::Builder::new().name(format!("core-{core}")).spawn(serve).map_err(Into::into)
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    tracing::info!(%address, admin = %admin_address, cores, version = env!("CARGO_PKG_VERSION"), "serving");
    supervisor::ready();
    first.block_on(async {
        shutdown::listen(&tasks)?;
        tasks.spawn(drain::follow(gateway.shared.clone()));
        tasks.spawn(admin::serve(gateway.shared.clone(), tokio::net::TcpListener::from_std(admin)?));
        tokio::select! {
            served = gateway.serve(tokio::net::TcpListener::from_std(listener)?) => served,
            () = gateway.background() => Ok(()),
        }
    })?;
    for other in others {
        other.join().map_err(|_| anyhow::anyhow!("a core failed"))??;
    }
    first.block_on(gateway.farewell());
    tracing::info!("drained");
    Ok(())
}

fn serve_on(runtime: &Runtime, gateway: &Gateway, listener: TcpListener) -> anyhow::Result<()> {
    runtime.block_on(async { gateway.serve(tokio::net::TcpListener::from_std(listener)?).await })
}
