//! `scaler`: until SIGTERM, or without acting.

use fleet::shutdown::{self, Tasks};
use fleet::supervisor;
use fleet::telemetry;
use scaler::config::Config;
use scaler::run::Scaler;

use super::build::{Use, machines, parts};

/// Scales until a signal. Nodes of a local group end with their scaler; those in AWS do not.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let _telemetry = telemetry::init(&config.log.filter)?;
    let tasks = Tasks::new();
    shutdown::listen(&tasks)?;
    let machines = machines(config, Use::Keep).await?;
    let scaler = Scaler::new(parts(config, &machines).await?, &name());
    tracing::info!(fleet = config.fleet.name, version = env!("CARGO_PKG_VERSION"), "scaling");
    supervisor::ready();
    Box::pin(scaler.run(tasks.draining().clone())).await;
    if let Some(local) = machines.local {
        local.close(tasks.stopping().cancelled()).await;
    }
    tracing::info!("ended");
    Ok(())
}

/// Decides until a signal, and prints what it would do.
pub async fn dry_run(config: &Config) -> anyhow::Result<()> {
    let _telemetry = telemetry::init(&config.log.filter)?;
    let tasks = Tasks::new();
    shutdown::listen(&tasks)?;
    let machines = machines(config, Use::Look).await?;
    let scaler = Scaler::new(parts(config, &machines).await?, &name());
    let out = &mut std::io::stdout();
    Ok(Box::pin(scaler.dry_run(tasks.draining().clone(), out)).await?)
}

/// Which process this is, as the lease shows it.
fn name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}/{}", std::process::id())
}
