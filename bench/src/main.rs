//! Measures the gateway beside nginx and HAProxy: one fake Ollama, one load generator, proxies in turn.

mod args;
mod clock;
mod fake;
mod proxy;
mod observe;
mod load;
mod figure;
mod scenario;
mod table;
mod machine;
mod output;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::{Parser, ValueEnum};
use tokio::time::sleep;

use args::Args;
use fake::{Fake, Scene};
use load::lane::Lane;
use load::prompt::Prompt;
use load::tls::Protocol;
use proxy::{Proxies, Target};
use scenario::{Bench, Scenario};
use table::Results;

/// Descriptors of the largest crowd: a client's end and the fake's end of every held stream, and then some.
const DESCRIPTORS: u64 = 20_000;

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    rlimit::increase_nofile_limit(DESCRIPTORS)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            measured = measure(&args) => measured,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    })
}

async fn measure(args: &Args) -> anyhow::Result<ExitCode> {
    let profile = args.profile();
    let method = format!("{} rounds of {:?} windows", profile.rounds, profile.window);
    let fake = Fake::start()?;
    let program = match &args.gateway {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("gateway"),
    };
    let proxies = start(&fake, &program).await?;
    let bench = Bench { fake, profile };
    let scenarios = if args.only.is_empty() { Scenario::value_variants() } else { &args.only };
    let mut results = Results::default();
    for scenario in scenarios {
        for round in 0..scenario.rounds(bench.profile.rounds) {
            output::progress(&format!("{scenario:?}, round {}", round + 1));
            // Memory that earlier load has left behind would be filled again and not be seen.
            let fresh = if scenario.weighs() { Some(start(&bench.fake, &program).await?) } else { None };
            let targets = fresh.as_ref().unwrap_or(&proxies).all();
            turns(*scenario, round, &bench, targets, &mut results).await?;
        }
    }
    output::table(&results, &method);
    Ok(if results.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts all proxies and warms them up.
async fn start(fake: &Fake, gateway: &Path) -> anyhow::Result<Proxies> {
    let proxies = Proxies::start(fake.address(), gateway).await?;
    for target in proxies.all() {
        ready(target).await?;
    }
    Ok(proxies)
}

/// One round of a scenario: every proxy once, another one first in each round.
async fn turns(
    scenario: Scenario,
    round: usize,
    bench: &Bench,
    targets: &[Arc<Target>],
    results: &mut Results,
) -> anyhow::Result<()> {
    for turn in 0..targets.len() {
        let target = &targets[(turn + round) % targets.len()];
        if scenario.includes(target.proxy) {
            let sample = scenario.run(bench, target).await?;
            results.take(scenario, round, target.proxy, sample);
        }
    }
    Ok(())
}

/// Waits until a proxy passes a request on, at most 15 s, and lets it warm up on a few hundred.
async fn ready(target: &Arc<Target>) -> anyhow::Result<()> {
    let prompt = Prompt::usual(Scene::Short, &target.token);
    let mut last = String::new();
    for _ in 0..150 {
        match ask_often(target, &prompt).await {
            Ok(()) => return Ok(()),
            Err(fault) => last = format!("{fault:?}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
    bail!("{} does not answer: {last}\n{}", target.proxy.name(), target.last_words())
}

async fn ask_often(target: &Target, prompt: &Prompt) -> Result<(), load::Fault> {
    for mut lane in Lane::open(target, Protocol::One, 4).await? {
        for _ in 0..100 {
            let mut answer = lane.begin(prompt).await?;
            let mut tally = load::tally::Tally::new(false);
            while lane.some(&mut answer, &mut tally).await? {}
        }
    }
    Ok(())
}
