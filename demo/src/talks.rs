//! `demo talks`: how long a running demo takes to list and show conversations, with as many of them as are asked for. They
//! are written into its store, past the gateway; what is measured goes through it, as a page asks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use fleet::store::{Conversation, ConversationStore, Ending, Message, MessageId, Speaker, SqliteStore};
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::keep::say;
use crate::running;

/// Conversations that are written side by side.
const SIDE_BY_SIDE: usize = 16;
/// How titles of what is written here begin.
const TITLE: &str = "Measured";
/// A paragraph: about four hundred characters.
const TEXT: &str = "The harbour lies behind two bridges. Every morning at six the clerks sort the letters that came \
    with the night boat, and carry them up to the warm houses above the river. Who writes to whom is nobody's business \
    but theirs, so the bags are sealed, the seals are counted, and the count is read out twice before the door is \
    closed again until the evening, when the next boat comes in and all of it begins anew.";

/// What `demo talks` can be told.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The demo's folder.
    #[arg(long, value_name = "FOLDER", default_value = "target/demo")]
    directory: PathBuf,
    /// Conversations that the demo's user shall have; what is missing is written, and stays.
    #[arg(long, default_value_t = 1000)]
    conversations: usize,
    /// Messages in each.
    #[arg(long, default_value_t = 1000)]
    messages: u64,
    /// How often each thing is asked.
    #[arg(long, default_value_t = 200)]
    looks: usize,
}

/// The part of `demo.json` that is needed.
#[derive(Deserialize)]
struct Details {
    url: String,
    ca_file: PathBuf,
    tokens: Tokens,
    models: Models,
}

#[derive(Deserialize)]
struct Tokens {
    user: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
}

#[derive(Deserialize)]
struct Models {
    chat: String,
}

struct Asker {
    client: reqwest::Client,
    details: Details,
}

/// Fills the store, asks, and prints how long it took.
///
/// # Errors
/// Without a demo, and where it refuses something.
pub async fn talks(options: Options) -> anyhow::Result<()> {
    let asker = Asker::connect(&options)?;
    let principal = asker.principal()?;
    let store = SqliteStore::open(&options.directory.join("fleet.db")).context("opening the demo's store")?;
    fill(Arc::new(store), &principal, &asker.details.models.chat, &options).await?;
    say(&format!(
        "{} conversations of {} messages, each asked {} times, one after the other",
        options.conversations, options.messages, options.looks
    ))?;
    say(&format!("{:<34}{:>10}{:>10}{:>10}", "milliseconds", "p50", "p99", "most"))?;
    let list = asker.get("/conversations?limit=100").await?;
    let ids: Vec<_> = list["conversations"].as_array().into_iter().flatten().collect();
    if ids.is_empty() {
        bail!("there is not one conversation to look at");
    }
    let id = |n: usize| ids[n % ids.len()]["id"].as_str().unwrap_or_default().to_owned();
    asker.measure("list, the first fifty", options.looks, |_| "/conversations".to_owned()).await?;
    if let Some(next) = list["next"].as_str() {
        let path = format!("/conversations?limit=100&before={next}");
        asker.measure("list, the next hundred", options.looks, |_| path.clone()).await?;
    }
    let title = |n: usize| format!("/conversations?search={TITLE}+{}", n * 7 % options.conversations);
    asker.measure("list, searched", options.looks, title).await?;
    asker.measure("view, the last fifty", options.looks, |n| format!("/conversations/{}", id(n))).await?;
    let view = asker.get(&format!("/conversations/{}?limit=200", id(0))).await?;
    if let Some(earlier) = view["earlier"].as_str() {
        let path = format!("/conversations/{}?limit=200&before={earlier}", id(0));
        asker.measure("view, two hundred earlier ones", options.looks, |_| path.clone()).await?;
    }
    Ok(())
}

/// Writes what is missing.
async fn fill(
    store: Arc<SqliteStore>,
    principal: &str,
    model: &str,
    options: &Options,
) -> anyhow::Result<()> {
    let there = store.conversations(principal).await?;
    let there = there.iter().filter(|one| one.title.starts_with(TITLE) && one.messages == options.messages);
    let begun = Instant::now();
    let mut writing = JoinSet::new();
    let from = there.count();
    for n in from..options.conversations {
        while writing.len() >= SIDE_BY_SIDE {
            writing.join_next().await.context("a writer")???;
        }
        let now = jiff::Timestamp::now().as_second();
        let conversation = Conversation {
            principal: principal.to_owned(),
            id: format!("{:08x}-0000-4000-8000-{:012x}", fastrand::u32(..), n),
            title: format!("{TITLE} {n}"),
            titled: true,
            model: model.to_owned(),
            created: now,
            updated: now - i64::try_from(n)?,
            messages: options.messages,
            ..Conversation::default()
        };
        writing.spawn(write(store.clone(), conversation));
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    if from < options.conversations {
        let written = options.conversations - from;
        say(&format!("{written} conversations written in {:.0} s", begun.elapsed().as_secs_f64()))?;
    }
    Ok(())
}

async fn write(store: Arc<SqliteStore>, conversation: Conversation) -> anyhow::Result<()> {
    store.begin_conversation(&conversation).await?;
    let first = u64::try_from(jiff::Timestamp::now().as_microsecond())? - conversation.messages;
    for n in 0..conversation.messages {
        let role = if n % 2 == 0 { Speaker::User } else { Speaker::Assistant };
        let message = Message {
            id: MessageId(first + n),
            role,
            content: TEXT.to_owned(),
            state: Ending::Whole,
            at: conversation.created,
            ..Message::default()
        };
        store.write_message(&conversation.principal, &conversation.id, &message).await?;
    }
    Ok(())
}

impl Asker {
    fn connect(options: &Options) -> anyhow::Result<Self> {
        let details: Details = running::details(&options.directory)?;
        Ok(Self { client: running::client(&details.ca_file)?.build()?, details })
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.timed(path).await.map(|(answer, _)| answer)
    }

    /// The answer, and how long it took. A limit of the caller's is waited for, and does not count.
    async fn timed(&self, path: &str) -> anyhow::Result<(Value, Duration)> {
        loop {
            let begun = Instant::now();
            let request = self.client.get(format!("{}{path}", self.details.url));
            let answer = request.bearer_auth(&self.details.tokens.user).send().await?;
            let status = answer.status();
            let wait = answer.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
            let text = answer.text().await?;
            let took = begun.elapsed();
            match (status.as_u16(), wait) {
                (200, _) => return Ok((serde_json::from_str(&text)?, took)),
                (429, Some(wait)) => sleep(Duration::from_secs(wait)).await,
                _ => bail!("{path}: {status} {text}"),
            }
        }
    }

    /// Whose token it is, as the store knows them.
    fn principal(&self) -> anyhow::Result<String> {
        let claims = self.details.tokens.user.split('.').nth(1).context("the token has no claims")?;
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
        Ok(format!("{}#{}", claims.iss, claims.sub))
    }

    async fn measure(&self, what: &str, looks: usize, path: impl Fn(usize) -> String) -> anyhow::Result<()> {
        let mut took = Vec::with_capacity(looks);
        for look in 0..looks {
            took.push(self.timed(&path(look)).await?.1);
        }
        took.sort();
        let at = |part: f64| took.get((took.len() as f64 * part) as usize).or(took.last()).copied();
        let shown = |time: Option<Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        let (half, most) = (shown(at(0.5)), shown(took.last().copied()));
        say(&format!("{what:<34}{half:>10.1}{:>10.1}{most:>10.1}", shown(at(0.99))))
    }
}
