//! The simulated Ollama answers as the recorded real one: status, headers, framing, shape, error texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use demo::ollama::{Fault, Model, SimulatedOllama};
use serde::Deserialize;

use crate::raw::{Answer, exchange};
use crate::shape;

/// Where we knowingly differ, by group and name, and why. An entry that is no longer needed fails the test.
const EXCEPTIONS: [(&str, &str, &str); 5] = [
    ("routes", "no Host", "hyper has no answers that end with the connection in HTTP/1.1: ours has a length"),
    ("bodies", "chunked and length", "hyper answers as recorded, but closes such a connection afterwards"),
    (
        "bodies",
        "two lengths, different",
        "refused by hyper itself: the same 400, with a length and without a type",
    ),
    ("bodies", "unknown transfer coding", "refused by hyper itself: 400 instead of 501"),
    ("bodies", "header of 2 MiB", "refused by hyper itself: the same 431, with a length and without a type"),
];

#[derive(Deserialize)]
struct Exchange {
    group: String,
    name: String,
    request: Request,
    status: u16,
    headers: Vec<(String, String)>,
    framing: String,
    body: String,
    closed: bool,
}

#[derive(Deserialize)]
struct Request {
    head: String,
    body: String,
    #[serde(default)]
    body_base64: String,
    #[serde(default)]
    pieces: Vec<usize>,
}

impl Request {
    fn pieces(&self) -> Vec<Vec<u8>> {
        if !self.body_base64.is_empty() {
            return vec![STANDARD.decode(&self.body_base64).unwrap()];
        }
        let mut body = expanded(&self.body).into_bytes();
        if self.pieces.is_empty() {
            return vec![body];
        }
        self.pieces.iter().map(|length| body.drain(..*length).collect()).collect()
    }
}

/// `⟨text×n⟩` is `text` n times.
fn expanded(text: &str) -> String {
    let Some((before, rest)) = text.split_once('⟨') else { return text.to_owned() };
    let (inner, after) = rest.split_once('⟩').unwrap();
    let (unit, times) = inner.rsplit_once('×').unwrap();
    format!("{before}{}{}", unit.repeat(times.parse().unwrap()), expanded(after))
}

fn exchanges() -> Vec<Exchange> {
    let lines = include_str!("../recordings/exchanges.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The models of the recordings, `tinylong` and `tinyembed` in memory.
async fn as_recorded() -> SimulatedOllama {
    let builder = ["tiny", "tinylong", "slow"]
        .into_iter()
        .fold(SimulatedOllama::builder(), |builder, name| builder.model(Model::chat(name).endless()));
    let ollama = builder.model(Model::embedding("tinyembed").context(2048)).start().await.unwrap();
    for model in ["tinylong", "tinyembed"] {
        let body = format!(r#"{{"model":"{model}","input":"a"}}"#);
        let head = format!("POST /api/embed HTTP/1.1\nHost: localhost\nContent-Length: {}", body.len());
        exchange(ollama.address(), &head, &[body.into_bytes()]).await;
    }
    ollama
}

/// What the recorder did to the real one before it sent the request.
fn prepare(ollama: &SimulatedOllama, exchange: &Exchange) {
    if exchange.name.starts_with("engine dies") {
        ollama.fault(Fault::DieAfterTokens(20));
    } else if exchange.name.starts_with("queue full") {
        ollama.fault(Fault::QueueFull);
    }
}

#[tokio::test]
async fn answers_are_those_of_the_recordings() {
    let ollama = as_recorded().await;
    let mut wrong = Vec::new();
    for recorded in exchanges() {
        prepare(&ollama, &recorded);
        let head = expanded(&recorded.request.head).replace("{upstream}", &ollama.address().to_string());
        let answer = exchange(ollama.address(), &head, &recorded.request.pieces()).await;
        let differences = differences(&recorded, &answer, &ollama);
        let excepted =
            EXCEPTIONS.iter().any(|(group, name, _)| *group == recorded.group && *name == recorded.name);
        match (differences.is_empty(), excepted) {
            (false, false) => wrong.push(format!("{} / {}:{differences}", recorded.group, recorded.name)),
            (true, true) => {
                wrong.push(format!("{} / {}: no exception is needed", recorded.group, recorded.name))
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn differences(recorded: &Exchange, answer: &Answer, ollama: &SimulatedOllama) -> String {
    let mut all = String::new();
    let mut same = |what: &str, recorded: String, ours: String| {
        if recorded != ours {
            all += &format!("\n  {what}\n    recorded {recorded}\n    ours     {ours}");
        }
    };
    same("status", recorded.status.to_string(), answer.status.to_string());
    same("framing", recorded.framing.clone(), answer.framing.to_owned());
    same("closed", recorded.closed.to_string(), answer.closed.to_string());
    same("headers", headers(&recorded.headers, ollama), headers(&answer.headers, ollama));
    // The recorder lost the bodies of answers that end with the connection.
    if !(recorded.framing == "close" && recorded.body.is_empty()) {
        let content_type = answer.header("content-type").unwrap_or_default();
        same("body", shape::of(content_type, &recorded.body), shape::of(content_type, &answer.text()));
    }
    all
}

/// Names in any order, with their values; a date and a length say nothing, but that they are there.
fn headers(headers: &[(String, String)], ollama: &SimulatedOllama) -> String {
    let upstream = ollama.address().to_string();
    let shown = |(name, value): &(String, String)| match name.to_ascii_lowercase() {
        name if name == "date" || name == "content-length" => name,
        name => format!("{name}: {}", value.replace("{upstream}", &upstream)),
    };
    let mut all: Vec<String> = headers.iter().map(shown).collect();
    all.sort();
    all.join(", ")
}
