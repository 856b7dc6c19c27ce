//! `demo load`: replays a trace of requests against a running demo, as many callers would send them, and says how it
//! went. In order: `trace` (when, and how long), `caller` (one streamed request), `summary` (what is printed).

mod trace;
mod caller;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use self::caller::Caller;
use self::summary::Summary;
use crate::keep::{say, signalled};
use crate::running;

/// What `demo load` can be told.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The trace: `arrival_s,input_tokens,output_tokens`, .csv or .csv.gz. Default: an hour in an office, of our own making.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// How many times faster than it happened. Prompts and answers are as many times shorter, so that the fleet is as
    /// busy as it would have been.
    #[arg(long, default_value_t = 30.0)]
    speed: f64,
    /// Stop sending after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    limit: f64,
    /// The demo's folder.
    #[arg(long, value_name = "FOLDER", default_value = "target/demo")]
    directory: PathBuf,
}

/// The part of `demo.json` that a caller needs.
#[derive(Deserialize)]
struct Details {
    url: String,
    ca_file: PathBuf,
    tokens: Tokens,
    models: Models,
}

#[derive(Deserialize)]
struct Tokens {
    colleagues: Vec<String>,
}

#[derive(Deserialize)]
struct Models {
    chat: String,
}

/// Sends the trace, waits for every answer, prints the summary. A signal stops the sending, not the counting.
///
/// # Errors
/// Without a demo or a readable trace, and when a request failed: then the exit code says so too.
pub async fn load(options: Options) -> anyhow::Result<()> {
    let rows = trace::read(options.trace.as_deref(), options.speed, options.limit)?;
    let caller = Arc::new(connect(&options)?);
    say(&format!("{} requests over {:.0} s", rows.len(), rows.last().map_or(0.0, |row| row.at)))?;
    let begun = Instant::now();
    let mut open = JoinSet::new();
    let mut summary = Summary::default();
    let sending = async {
        for (number, row) in rows.iter().enumerate() {
            sleep_until(begun + Duration::from_secs_f64(row.at)).await;
            let (caller, row) = (caller.clone(), *row);
            open.spawn(async move { caller.ask(number, row).await });
            while let Some(Ok(outcome)) = open.try_join_next() {
                summary.add(outcome, begun);
            }
            summary.progress(rows.len(), open.len());
        }
    };
    tokio::select! {
        () = sending => {}
        () = signalled() => {}
    }
    while let Some(outcome) = open.join_next().await {
        summary.add(outcome.context("a caller failed")?, begun);
        summary.progress(rows.len(), open.len());
    }
    say(&summary.text(begun.elapsed()))?;
    summary.verdict()
}

fn connect(options: &Options) -> anyhow::Result<Caller> {
    let details: Details = running::details(&options.directory)?;
    // As most programs call: a connection for each request that is under way.
    let client = running::client(&details.ca_file)?.http1_only().build().context("making a client")?;
    Ok(Caller { client, url: details.url, tokens: details.tokens.colleagues, model: details.models.chat })
}
