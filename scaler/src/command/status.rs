//! `scaler status`: reads, watches the lease for a moment, shows.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use fleet::lease::RENEW_EVERY;
use fleet::store::{LeaseRecord, Store};
use jiff::Timestamp;
use scaler::config::Config;
use scaler::status::{Read, View};
use tokio::time::{Instant, sleep, timeout};

use super::build::{Use, machines};

/// How often the lease is looked at. It holds no time: that it moves is the only sign that its owner lives.
const LOOK: Duration = Duration::from_millis(250);

/// Longest description.
const CALL: Duration = Duration::from_secs(3);

/// `scaler status`
#[derive(Debug, Args, Default)]
pub struct Status {
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Shows the fleet.
    pub async fn run(self, config: &Config, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        let store = config.store.open().await.context("[store]")?;
        self.show(config, &*store, out).await
    }

    /// The same from a store that is open already.
    pub async fn show(
        self,
        config: &Config,
        store: &dyn Store,
        out: &mut (dyn Write + Send),
    ) -> anyhow::Result<()> {
        let fleet = &config.fleet.name;
        let lease = store.lease(fleet).await?;
        let renewed_after = match &lease {
            Some(lease) if !lease.owner.is_empty() => renewal(store, fleet, lease).await?,
            _ => None,
        };
        let group = describe(config).await;
        let wall = Timestamp::now().as_second();
        let (state, records) = (store.state(fleet).await?, store.reports(fleet, wall).await?);
        let read = Read { config, state: &state, records: &records, group, lease, renewed_after, wall };
        let view = View::of(read);
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&view)?)?;
        } else {
            write!(out, "{view}")?;
        }
        Ok(())
    }
}

async fn describe(config: &Config) -> Result<scaler::group::Description, String> {
    let machines = machines(config, Use::Look).await.map_err(|error| format!("{error:#}"))?;
    match timeout(CALL, machines.group.describe()).await {
        Ok(described) => described.map_err(|error| error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// Watches for a little more than the time in which a living leader renews.
async fn renewal(store: &dyn Store, fleet: &str, first: &LeaseRecord) -> anyhow::Result<Option<f64>> {
    let began = Instant::now();
    while began.elapsed() < RENEW_EVERY + 4 * LOOK {
        sleep(LOOK).await;
        if store.lease(fleet).await?.as_ref() != Some(first) {
            return Ok(Some(began.elapsed().as_secs_f64()));
        }
    }
    Ok(None)
}
