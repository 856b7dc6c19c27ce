//! How a model gets to a node: the local Ollama pulls it, or the configured command fetches it, as from a bucket.

use std::collections::HashMap;
use std::future::poll_fn;
use std::process::Stdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fleet::store::WantedModel;
use memchr::memchr;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::ollama::client::{Client, ClientError, More, Outgoing, Upstream};
use crate::ollama::plain_words;

/// Longest silence of a pull. Ollama writes a line several times a second while bytes come, and none while it checks the
/// hash of what has come: 40 GB at 500 MB/s are 80 s.
const SILENCE: Duration = Duration::from_secs(600);
/// The longest fetch by a command, which need not say anything.
const FETCH_WITHIN: Duration = Duration::from_secs(6 * 3600);
/// The longest line taken.
const LINE_BYTES: usize = 64 << 10;
/// The largest error body read, and the most kept of what a command complains.
const ERROR_BYTES: usize = 64 << 10;

/// Bytes of a model: those that are there, and those in all (0 while unknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amount {
    pub completed: u64,
    pub total: u64,
}

impl Amount {
    /// All of so many bytes.
    pub(super) fn whole(bytes: u64) -> Self {
        Self { completed: bytes, total: bytes }
    }
}

/// Has the local Ollama pull `name`; tells `amount` as it goes on.
///
/// # Errors
/// Why it failed, in plain words.
pub(super) async fn pull(
    client: &Client,
    upstream: &Upstream,
    name: &str,
    amount: &watch::Sender<Amount>,
) -> Result<(), String> {
    let body = Bytes::from(json!({ "model": name, "stream": true }).to_string());
    let request = Outgoing { method: "POST", path: "/api/pull", body: Some(body), headers: Vec::new() };
    let gone = |_: ClientError| "the model server broke off".to_owned();
    let late = |_| "the model server has been silent for too long".to_owned();
    let mut answer = timeout(SILENCE, client.send(upstream, &request)).await.map_err(late)?.map_err(gone)?;
    if !answer.status.is_success() {
        let body = answer.body.collect(ERROR_BYTES).await.map_err(gone)?;
        return Err(plain_words::refusal(answer.status, &body).to_string());
    }
    let mut layers = Layers::default();
    let mut held = BytesMut::new();
    loop {
        let reading = poll_fn(|cx| answer.body.poll_more(cx, |bytes| held.extend_from_slice(bytes)));
        let more = timeout(SILENCE, reading).await.map_err(late)?.map_err(gone)?;
        while let Some(end) = memchr(b'\n', &held) {
            let line = held.split_to(end + 1);
            if layers.take(&line)? {
                return Ok(());
            }
            amount.send_if_modified(|amount| std::mem::replace(amount, layers.amount()) != layers.amount());
        }
        if more == More::End || held.len() > LINE_BYTES {
            return Err("the model server ended the pull without saying how it went".to_owned());
        }
    }
}

/// A line of a pull's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    status: String,
    digest: String,
    completed: u64,
    total: u64,
    error: Option<String>,
}

/// The parts of a model, by digest: each has bytes of its own.
#[derive(Debug, Default)]
struct Layers(HashMap<String, Amount>);

impl Layers {
    /// Takes a line; true: the pull is over, and well.
    fn take(&mut self, line: &[u8]) -> Result<bool, String> {
        // What is no such line says nothing.
        let Ok(line) = serde_json::from_slice::<Line>(line) else { return Ok(false) };
        if let Some(error) = line.error {
            return Err(plain_words::plain_words(&error));
        }
        if !line.digest.is_empty() && line.total > 0 {
            self.0.insert(line.digest, Amount { completed: line.completed, total: line.total });
        }
        Ok(line.status == "success")
    }

    fn amount(&self) -> Amount {
        let sum = |of: fn(&Amount) -> u64| self.0.values().map(of).sum();
        Amount { completed: sum(|layer| layer.completed), total: sum(|layer| layer.total) }
    }
}

/// Has `command` fetch the model of `wish`: `{name}` and `{source}` in its arguments are replaced. Lines of two numbers
/// on its output, bytes that are there and bytes in all, are told on.
///
/// # Errors
/// How it ended, with the last line of its complaints.
pub(super) async fn fetch(
    command: &[String],
    wish: &WantedModel,
    amount: &watch::Sender<Amount>,
) -> Result<(), String> {
    let place = |argument: &String| argument.replace("{name}", &wish.name).replace("{source}", &wish.source);
    let mut words = command.iter().map(place);
    let program = words.next().unwrap_or_default();
    let mut child = Command::new(&program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true) // nobody wants the model any more, or the process ends
        .spawn()
        .map_err(|error| {
            tracing::error!(program, %error, "`ollama.fetch_command` cannot be started");
            "the command that fetches models cannot be started".to_owned()
        })?;
    let (out, mut err) = (child.stdout.take(), child.stderr.take());
    let telling = async {
        let mut lines = out.map(|out| BufReader::new(out).lines());
        while let Some(lines) = &mut lines
            && let Ok(Some(line)) = lines.next_line().await
        {
            if let Some(now) = amount_of(&line) {
                amount.send_replace(now);
            }
        }
    };
    let complaining = async {
        let mut complaint = Vec::new();
        let mut piece = [0; 4096];
        while let Some(err) = &mut err
            && let Ok(read @ 1..) = err.read(&mut piece).await
        {
            complaint.extend_from_slice(&piece[..read]);
            let excess = complaint.len().saturating_sub(ERROR_BYTES);
            complaint.drain(..excess);
        }
        complaint
    };
    let ending = async { tokio::join!(child.wait(), telling, complaining) };
    let Ok((status, (), complaint)) = timeout(FETCH_WITHIN, ending).await else {
        return Err("the command that fetches models took too long".to_owned());
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(complaint_of(&complaint, &status.to_string())),
        Err(_) => Err("the command that fetches models was lost".to_owned()),
    }
}

fn amount_of(line: &str) -> Option<Amount> {
    let (completed, total) = line.trim().split_once(' ')?;
    Some(Amount { completed: completed.parse().ok()?, total: total.trim().parse().ok()? })
}

/// The last line that was complained, or how the command ended.
fn complaint_of(complaint: &[u8], ended: &str) -> String {
    let text = String::from_utf8_lossy(complaint);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let why = last.map_or_else(|| ended.to_owned(), plain_words::plain_words);
    format!("fetching the model failed: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> WantedModel {
        WantedModel { name: "m:1b".to_owned(), source: "models/m".to_owned(), ..WantedModel::default() }
    }

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script, "{name}", "{source}"].map(str::to_owned).to_vec()
    }

    #[test]
    fn layers_add_up_and_an_error_is_plain() {
        let mut layers = Layers::default();
        let line = |digest: &str, completed: u64| {
            json!({ "status": "pulling", "digest": digest, "completed": completed, "total": 10 }).to_string()
        };
        assert_eq!(layers.take(br#"{"status":"pulling manifest"}"#), Ok(false));
        for (digest, completed) in [("a", 1), ("a", 4), ("b", 0), ("b", 2)] {
            assert_eq!(layers.take(line(digest, completed).as_bytes()), Ok(false));
        }
        assert_eq!(layers.amount(), Amount { completed: 6, total: 20 });
        assert_eq!(layers.take(b"no json"), Ok(false));
        assert_eq!(layers.take(br#"{"status":"success"}"#), Ok(true));
        let error =
            layers.take(br#"{"error":"pull model manifest: open /root/x: no such file"}"#).unwrap_err();
        assert_eq!(error, "pull model manifest: open (file): no such file");
    }

    #[tokio::test]
    async fn a_command_knows_name_and_source_and_tells_how_far_it_is() {
        let (sender, seen) = watch::channel(Amount::default());
        let command = shell("[ \"$0 $1\" = 'm:1b models/m' ] && echo not a number && echo 3 4");
        assert_eq!(fetch(&command, &wish(), &sender).await, Ok(()));
        assert_eq!(*seen.borrow(), Amount { completed: 3, total: 4 });
    }

    #[tokio::test]
    async fn a_command_that_fails_says_why() {
        let (sender, _seen) = watch::channel(Amount::default());
        let failed = fetch(&shell("echo first >&2; echo no such object >&2; exit 3"), &wish(), &sender).await;
        assert_eq!(failed, Err("fetching the model failed: no such object".to_owned()));
        let silent = fetch(&shell("exit 3"), &wish(), &sender).await.unwrap_err();
        assert!(silent.contains("exit status: 3"), "{silent}");
        let missing = fetch(&["/nowhere/fetch".to_owned()], &wish(), &sender).await.unwrap_err();
        assert!(missing.contains("cannot be started") && !missing.contains("nowhere"), "{missing}");
    }
}
