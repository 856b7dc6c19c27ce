//! `demo telegram`: plays a person who talks to the demo's bot, in a terminal. What it asks the fake for is here too.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Shared;
use crate::keep::say;
use crate::running;

/// The person that `demo telegram` plays.
pub const PERSON: i64 = 1;
/// An answer is taken for whole when it has not changed for so long.
const STILL: Duration = Duration::from_secs(4);
/// After so long there will be none.
const PATIENCE: Duration = Duration::from_secs(300);

/// What `demo telegram` can be told.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The folder of the running demo.
    #[arg(long, global = true, value_name = "FOLDER", default_value = "target/demo")]
    directory: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Say something to the bot, and show what it answers.
    Say {
        /// The words; also commands, as /help.
        #[arg(required = true, allow_hyphen_values = true)]
        text: Vec<String>,
    },
    /// Show the whole chat.
    Show,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    id: i64,
    by_bot: bool,
    text: String,
    file: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    person: i64,
    text: String,
}

/// Answers `/control/<what>`.
pub(super) fn answer(what: &str, body: &[u8], shared: &Shared) -> Value {
    if what == "say" {
        return match serde_json::from_slice(body) {
            Ok(Said { person, text }) => {
                json!({ "id": shared.change(|world| world.said(person, person, Some(&text))) })
            }
            Err(error) => json!({ "error": error.to_string() }),
        };
    }
    match what.strip_prefix("chat/").and_then(|person| person.parse().ok()) {
        Some(person) => {
            let line = |message: super::Message| Line {
                id: message.id,
                by_bot: message.by_bot,
                text: message.text,
                file: message.document.map(|(name, content)| format!("{name}, {} bytes", content.len())),
            };
            json!(shared.world().shown(person).into_iter().map(line).collect::<Vec<_>>())
        }
        None => json!({ "error": "there is say, and chat/PERSON" }),
    }
}

/// Plays the person.
///
/// # Errors
/// When no demo with a bot runs there.
pub async fn telegram(options: Options) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Details {
        telegram_url: Option<String>,
    }
    let details: Details = running::details(&options.directory)?;
    let Some(url) = details.telegram_url else {
        bail!("this demo has no bot; build it with `cargo build -p bot`, and start the demo again")
    };
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
    match options.what {
        What::Show => show(&chat(&client, &url).await?, 0),
        What::Say { text } => {
            let said = json!({ "person": PERSON, "text": text.join(" ") });
            let answer: Value =
                client.post(format!("{url}/control/say")).json(&said).send().await?.json().await?;
            follow(&client, &url, answer["id"].as_i64().context("the fake did not take it")?).await
        }
    }
}

async fn chat(client: &reqwest::Client, url: &str) -> anyhow::Result<Vec<Line>> {
    Ok(client.get(format!("{url}/control/chat/{PERSON}")).send().await?.json().await?)
}

/// Waits for an answer to the message of this number until it changes no more.
async fn follow(client: &reqwest::Client, url: &str, after: i64) -> anyhow::Result<()> {
    let begun = Instant::now();
    let (mut last, mut changed) = (Vec::new(), Instant::now());
    loop {
        let now: Vec<Line> = chat(client, url).await?.into_iter().filter(|line| line.id > after).collect();
        if now != last {
            (last, changed) = (now, Instant::now());
        }
        // A wait that is counted down, or an answer that grows, ends in an ellipsis.
        let whole = last.last().is_some_and(|line| !line.text.ends_with('…'));
        if whole && changed.elapsed() >= STILL {
            return show(&last, after);
        }
        if begun.elapsed() > PATIENCE {
            show(&last, after)?;
            bail!("the bot has not ended its answer");
        }
        sleep(Duration::from_millis(300)).await;
    }
}

fn show(lines: &[Line], after: i64) -> anyhow::Result<()> {
    for line in lines.iter().filter(|line| line.id > after) {
        let who = if line.by_bot { "bot" } else { "you" };
        let file = line.file.as_deref().map(|file| format!(" [{file}]")).unwrap_or_default();
        say(&format!("{who}: {}{file}\n", line.text))?;
    }
    Ok(())
}
