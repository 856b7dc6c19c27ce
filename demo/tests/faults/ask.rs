//! One client's request and what became of it, read as the official clients read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::machines::MODEL;

/// Whose language is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Native,
    OpenAi,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With its terminal marker.
    Whole,
    /// With a status other than 200.
    Refused(u16, String),
    /// With an error in the stream, in the family's form.
    Told(String),
    /// Without a word.
    Broken(String),
}

/// Somebody with a token.
#[derive(Clone)]
pub struct Caller {
    client: reqwest::Client,
    token: String,
    words: u64,
}

/// An answer while it is read.
pub struct Answer {
    family: Family,
    response: Option<Response>,
    pending: Vec<u8>,
    /// The node that serves it, where the head says so.
    pub node: Option<String>,
    /// Pieces of text so far.
    pub tokens: usize,
    end: Option<End>,
}

impl Caller {
    pub fn new(token: String, words: u64) -> Self {
        // A connection for each request, as from as many people.
        let builder = reqwest::Client::builder().http1_only().tls_danger_accept_invalid_certs(true);
        let client = builder.pool_max_idle_per_host(0).timeout(Duration::from_secs(180)).build().unwrap();
        Self { client, token, words }
    }

    /// Sends a request that streams, and waits for its head.
    pub async fn ask(&self, url: &str, family: Family) -> Answer {
        let messages = json!([{ "role": "user", "content": "Good morning" }]);
        let (path, body) = match family {
            Family::Native => (
                "/api/chat",
                json!({ "model": MODEL, "messages": messages, "options": { "num_predict": self.words } }),
            ),
            Family::OpenAi => (
                "/v1/chat/completions",
                json!({ "model": MODEL, "messages": messages, "stream": true, "max_tokens": self.words }),
            ),
        };
        let request = self.client.post(format!("{url}{path}")).bearer_auth(&self.token).json(&body);
        let mut answer =
            Answer { family, response: None, pending: Vec::new(), node: None, tokens: 0, end: None };
        match request.send().await {
            Err(error) => answer.end = Some(End::Broken(format!("{error:?}"))),
            Ok(response) if response.status() != 200 => {
                let status = response.status().as_u16();
                answer.end = Some(End::Refused(status, response.text().await.unwrap_or_default()));
            }
            Ok(response) => {
                let node = response.headers().get("x-served-by").and_then(|node| node.to_str().ok());
                answer.node = node.map(str::to_owned);
                answer.response = Some(response);
            }
        }
        answer
    }

    /// The same, read to its end by a task; `tokens` counts what all of these have got.
    pub fn ask_whole(&self, url: &str, family: Family, tokens: &Arc<AtomicUsize>) -> JoinHandle<End> {
        let (caller, url, tokens) = (self.clone(), url.to_owned(), tokens.clone());
        tokio::spawn(async move {
            let mut answer = caller.ask(&url, family).await;
            while answer.end.is_none() {
                let before = answer.tokens;
                answer.more().await;
                tokens.fetch_add(answer.tokens - before, Ordering::Relaxed);
            }
            answer.finish().await
        })
    }
}

impl Answer {
    /// Reads until so many pieces have come, or the end.
    pub async fn read(&mut self, tokens: usize) {
        while self.tokens < tokens && self.end.is_none() {
            self.more().await;
        }
    }

    /// Reads to the end.
    pub async fn finish(mut self) -> End {
        loop {
            if let Some(end) = self.end {
                return end;
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let Some(response) = &mut self.response else { return };
        match response.chunk().await {
            Ok(Some(bytes)) => self.pending.extend_from_slice(&bytes),
            Ok(None) => self.end = Some(End::Broken("it ended without its last line".to_owned())),
            Err(error) => self.end = Some(End::Broken(format!("{error:?}"))),
        }
        while let Some(at) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=at).collect();
            if let Some(end) = self.line(String::from_utf8_lossy(&line).trim()) {
                self.end = Some(end);
                return;
            }
        }
    }

    /// `Some` where it is the last.
    fn line(&mut self, line: &str) -> Option<End> {
        let text = match self.family {
            Family::Native => line,
            Family::OpenAi => line.strip_prefix("data: ").unwrap_or_default(),
        };
        if text == "[DONE]" {
            return Some(End::Whole);
        }
        let value: Value = serde_json::from_str(text).ok()?;
        // The native client takes `{"error": text}`, OpenAI's `{"error": {"message": text, ...}}`.
        let (error, content) = match self.family {
            Family::Native => (&value["error"], &value["message"]["content"]),
            Family::OpenAi => (&value["error"]["message"], &value["choices"][0]["delta"]["content"]),
        };
        if let Some(error) = error.as_str() {
            return Some(End::Told(error.to_owned()));
        }
        self.tokens += usize::from(content.as_str().is_some_and(|text| !text.is_empty()));
        (value["done"] == true).then_some(End::Whole)
    }
}

/// How many did not end as they should.
pub fn failed(ends: &[End]) -> usize {
    ends.iter().filter(|end| **end != End::Whole).count()
}

/// The ends of all of them.
pub async fn all(asked: Vec<JoinHandle<End>>) -> Vec<End> {
    let mut ends = Vec::new();
    for asked in asked {
        ends.push(asked.await.unwrap());
    }
    ends
}
