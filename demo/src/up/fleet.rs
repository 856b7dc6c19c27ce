//! The fleet: a front, and a scaler whose group are machines on this one. They begin at none.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tokio::net::UnixListener;

use super::child::Child;
use super::details::{Details, Reach};
use super::place::Place;
use super::{DRAIN, Options, config, gateway_program, issuer, page, ready, table, upstream, with_bot};
use crate::machine;

/// The file by which machines know that the demo lives: each holds a connection to it, and ends with it.
pub(crate) const LIFELINE: &str = "lifeline";

/// What all machines' gateways have in common.
pub(crate) const NODE_CONFIG: &str = "node.toml";

/// Starts everything, and stays until something ends that should not.
pub(super) async fn run(place: &Place, options: &Options, children: &mut Vec<Child>) -> anyhow::Result<()> {
    let issuer = issuer(options).await?;
    page::lay(place, &issuer, options)?;
    let models = models(place, options).await?;
    let lifeline = lifeline(place)?;
    let ports = config::write_fleet(place, &issuer, &models, options)?;
    let front = gateway_program(options.gateway.as_deref())?;
    let arguments = ["--config".into(), place.file("front.toml").into_os_string()];
    children.push(Child::kept("front", &front, &arguments, &[], place, DRAIN).await?);
    let reach = Reach { models: &models, ports };
    let serving = Details::new(place, &issuer, &reach, options, children)?;
    ready(&serving, children).await?;
    let scaler = front.with_file_name("scaler");
    let arguments = ["--config".into(), place.file("scaler.toml").into_os_string()];
    children.push(Child::kept("scaler", &scaler, &arguments, &[], place, DRAIN).await?);
    let mut details = Details::new(place, &issuer, &reach, options, children)?;
    let _telegram = with_bot(place, options, &mut details, children).await?;
    details.write(place)?;
    details.print()?;
    let store = place.file("fleet.db");
    tokio::select! {
        // Held, never answered: what is connected waits for our end.
        never = hold(lifeline) => never,
        never = tell_machines(place, &mut details) => never,
        watched = table::watch(&store, children) => watched,
    }
}

/// What the machines' Ollamas will have: a look at one, which ends at once if it is not there for others anyway.
async fn models(place: &Place, options: &Options) -> anyhow::Result<upstream::Upstream> {
    let mut looked_at = Vec::new();
    let found = upstream::find(place, options.simulated, &mut looked_at).await;
    for child in looked_at {
        child.stop(Duration::from_secs(DRAIN)).await;
    }
    found
}

pub(crate) fn lifeline(place: &Place) -> anyhow::Result<UnixListener> {
    let path = place.file(LIFELINE);
    // That of a demo which was killed is in the way.
    let _ = std::fs::remove_file(&path);
    UnixListener::bind(&path).with_context(|| format!("listening on {}", path.display()))
}

pub(crate) async fn hold(lifeline: UnixListener) -> anyhow::Result<()> {
    let mut machines = Vec::new();
    loop {
        machines.push(lifeline.accept().await.context("a machine's lifeline")?);
    }
}

/// Keeps the machines that come and go in `demo.json`.
async fn tell_machines(place: &Place, details: &mut Details) -> anyhow::Result<()> {
    let mut told = BTreeMap::new();
    loop {
        let living = machine::living(&place.file(""));
        if living != told {
            details.write_with(place, &living)?;
            told = living;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Does a demo's fleet fit into this folder's path? Sockets have short names.
pub(crate) fn fits(folder: &Path) -> bool {
    folder.join(LIFELINE).as_os_str().len() < 100
}
