//! One streamed request, and what became of it.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::trace::Row;

/// Who asks: colleagues, in turn.
pub(super) struct Caller {
    pub client: reqwest::Client,
    pub url: String,
    pub tokens: Vec<String>,
    pub model: String,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// When it was sent.
    pub sent: Instant,
    /// When the first token came.
    pub first_token: Option<Instant>,
    /// Tokens of the answer.
    pub tokens: u64,
    /// Which node answered, where the head says it.
    pub node: Option<String>,
    /// How it ended.
    pub end: End,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// With the end of the answer.
    Whole,
    /// With an error instead of an answer: its status, and what it says.
    Refused(u16, String),
    /// In the middle: with an error in the stream, or without a word.
    Cut(String),
}

impl Caller {
    /// The request of that number is asked, and its answer read to the end.
    pub(super) async fn ask(&self, number: usize, row: Row) -> Outcome {
        let sent = Instant::now();
        let mut outcome = Outcome { sent, first_token: None, tokens: 0, node: None, end: End::Whole };
        outcome.end = match self.stream(number, row, &mut outcome).await {
            Ok(end) => end,
            Err(error) => End::Cut(error.without_url().to_string()),
        };
        outcome
    }

    async fn stream(&self, number: usize, row: Row, outcome: &mut Outcome) -> reqwest::Result<End> {
        let prompt = "word ".repeat(row.input as usize);
        let body = json!({
            "model": self.model,
            "messages": [{ "role": "user", "content": prompt }],
            "options": { "num_predict": row.output as u64 },
        });
        let token = &self.tokens[number % self.tokens.len()];
        let request = self.client.post(format!("{}/api/chat", self.url)).bearer_auth(token).json(&body);
        let mut answer = request.send().await?;
        let status = answer.status();
        if !status.is_success() {
            return Ok(End::Refused(status.as_u16(), answer.text().await?));
        }
        outcome.node =
            answer.headers().get("x-served-by").and_then(|node| node.to_str().ok()).map(str::to_owned);
        let mut pending = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            pending.extend_from_slice(&chunk);
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                if let Some(end) = read_line(&line, outcome) {
                    return Ok(end);
                }
            }
        }
        Ok(End::Cut("the stream ended without its last line".to_owned()))
    }
}

/// One line of the stream; `Some` where it is the last.
fn read_line(line: &[u8], outcome: &mut Outcome) -> Option<End> {
    let Ok(line) = serde_json::from_slice::<Value>(line) else {
        return (!line.trim_ascii().is_empty()).then(|| End::Cut("a line is no JSON".to_owned()));
    };
    if let Some(error) = line["error"].as_str() {
        return Some(End::Cut(error.to_owned()));
    }
    if line["message"]["content"].as_str().is_some_and(|text| !text.is_empty()) {
        outcome.first_token.get_or_insert_with(Instant::now);
    }
    outcome.tokens += line["eval_count"].as_u64().unwrap_or(0);
    (line["done"] == true).then_some(End::Whole)
}
