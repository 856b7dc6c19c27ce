//! `demo aws`: the fake of Auto Scaling and load balancing as a process of its own, seeded from what a deployment made.
//! Every instance it launches is a machine here: a real gateway with an Ollama, checked by `/readyz` as a target is.
//!
//! - `seed`: what the fake is to be
//! - `machines`: instances as processes
//! - `state`: what is told of it in `aws.json`
//!
//! It says `listening <url>` first, obeys lines on standard input (`metric NodesShort 1`: a value for the alarms), and
//! ends with it.

mod seed;
mod machines;
mod state;

use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::machines::Machines;
use self::seed::Seed;
use self::state::State;
use crate::aws::FakeAws;
use crate::keep::{say, signalled};
use crate::up::place::Place;
use crate::up::{NODE_CONFIG, fits, hold, lifeline};

/// The file that says how the fake is, while it runs.
const STATE: &str = "aws.json";

/// How often instances are looked at; the fake itself moves every second.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What `demo aws` is told.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// What the fake is to be, in JSON.
    #[arg(long, value_name = "FILE")]
    seed: PathBuf,
    /// Where the machines' folders and `aws.json` go. Its `node.toml` is their configuration.
    #[arg(long, value_name = "FOLDER")]
    directory: PathBuf,
}

/// Runs the fake until standard input ends, or a signal comes; the machines end with it.
///
/// # Errors
/// When the seed cannot be read, the folder has no `node.toml`, or a machine cannot be started.
pub async fn cloud(options: Options) -> anyhow::Result<()> {
    let seed = Seed::read(&options.seed)?;
    let place = Place::prepare(&options.directory)?;
    if !place.file(NODE_CONFIG).is_file() {
        bail!("{} is missing; put the nodes' configuration there", place.file(NODE_CONFIG).display());
    }
    if !fits(&place.file("")) {
        bail!("the folder's path is too long for a socket in it; name a shorter one by --directory");
    }
    let lifeline = lifeline(&place)?;
    let aws = Arc::new(FakeAws::start(seed.setup()).await.context("starting the fake")?);
    let mut machines = Machines::new(aws.clone(), seed.health);
    say(&format!("listening {}", aws.url()))?;
    let outcome = tokio::select! {
        failed = follow(&aws, &place, &mut machines) => failed,
        never = hold(lifeline) => never,
        obeyed = obey(&aws, lines()) => obeyed,
        () = signalled() => Ok(()),
    };
    machines.end().await;
    outcome
}

/// Keeps machines and file as the fake is.
async fn follow(aws: &FakeAws, place: &Place, machines: &mut Machines) -> anyhow::Result<()> {
    let mut told = State::default();
    loop {
        machines.follow(place).await?;
        let state = State::of(aws, machines);
        if state != told {
            place.write(STATE, &serde_json::to_string_pretty(&state)?)?;
            told = state;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn obey(aws: &FakeAws, mut lines: UnboundedReceiver<String>) -> anyhow::Result<()> {
    while let Some(line) = lines.recv().await {
        let words: Vec<_> = line.split_whitespace().collect();
        match (words.as_slice(), words.last().and_then(|word| word.parse().ok())) {
            (["metric", name, _], Some(value)) => aws.metric(name, value),
            _ => bail!("{line:?} is no order; there is `metric NAME VALUE`"),
        }
    }
    Ok(())
}

/// The lines of standard input, until it ends. A thread of its own reads them: that cannot be called off.
fn lines() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
