//! Ollama's own errors, made fit for clients: the innermost message, without what only the server should know.
//!
//! Error texts of Ollama can be JSON themselves, which breaks ollama-python; can be empty; and can carry paths and
//! addresses of the server. Which status such an error gets is decided here too.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::error::Refusal;

/// Longest text passed on, in characters: Ollama's own are one line; an engine's dump is not for clients.
const LONGEST: usize = 400;

/// Layers of JSON in JSON that are taken off. Two were seen.
const LAYERS: usize = 8;

/// Largest error body that is read as JSON, in bytes.
const LARGEST: usize = 64 << 10;

/// What is said where Ollama says nothing.
const SILENT: &str = "the model server failed without saying why";

/// When room is likely again after Ollama's own queue was full. Its queue empties when a model has loaded.
const BUSY: Duration = Duration::from_secs(5);

/// An error text in plain words: the innermost message, one line, without paths, inner addresses and registry
/// hosts of the server. Never JSON, never only a number, never empty.
pub fn plain_words(text: &str) -> String {
    let inner = innermost(text.to_owned());
    let line = inner.split_whitespace().map(neutral).collect::<Vec<_>>().join(" ");
    let line = match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    // Some true sentences begin with a quote or a bracket; none begins with a brace.
    let json = line.starts_with('{') || serde_json::from_str::<serde::de::IgnoredAny>(&line).is_ok();
    if json || !line.chars().any(char::is_alphabetic) { SILENT.to_owned() } else { line }
}

/// The message of an error body in any family's form, in plain words; `None` if it holds none.
pub fn of_error(body: &[u8]) -> Option<String> {
    let body = body.get(..LARGEST).map_or(body, |cut| cut);
    message(&serde_json::from_slice(body).ok()?).map(|text| plain_words(&text))
}

/// What an error response of Ollama becomes. `body`: all of it, or its first 64 KiB.
pub fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    use StatusCode as S;
    let Some(text) = of_error(body) else {
        // Its router's text/plain 404 and 405 and its empty 403 say that we asked wrongly, not the client; anything
        // else without a message is a failure on the way.
        let (text, worked) = if status.is_client_error() {
            ("the model server did not take the gateway's request", false)
        } else {
            (SILENT, true)
        };
        return Refusal::Upstream { text: text.to_owned(), worked };
    };
    match status {
        S::SERVICE_UNAVAILABLE => Refusal::Overloaded { what: "the model server is busy", retry_after: BUSY },
        S::NOT_FOUND => missing_model(&text).map_or_else(
            || Refusal::Ollama { status, text: text.clone() },
            |name| Refusal::NoModel(name.to_owned()),
        ),
        S::NOT_IMPLEMENTED if text.contains("embeddings") => Refusal::Ollama {
            status: S::BAD_REQUEST,
            text: "this model does not make embeddings; use an embedding model".to_owned(),
        },
        _ if status.is_server_error() && is_clients_fault(&text) => {
            Refusal::Ollama { status: S::BAD_REQUEST, text }
        }
        // 401 would ask the client for a credential of ours, 429 and 499 tell of limits that are not ours.
        S::UNAUTHORIZED | S::PROXY_AUTHENTICATION_REQUIRED | S::TOO_MANY_REQUESTS => {
            Refusal::Upstream { text, worked: false }
        }
        _ if status.is_client_error() && status.as_u16() != 499 => Refusal::Ollama { status, text },
        _ => Refusal::Upstream { text, worked: true },
    }
}

/// Mistakes of the client that Ollama answers with 500. Inspection refuses them first; a later Ollama may know more
/// options.
fn is_clients_fault(text: &str) -> bool {
    text.starts_with("invalid format") || (text.starts_with("option ") && text.contains("must be of"))
}

/// The model in `model 'x' not found`.
fn missing_model(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("model ")?;
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (name, rest) = rest[1..].split_once(quote)?;
    (rest.starts_with(" not found") && !name.is_empty()).then_some(name)
}

/// Takes layers of JSON off a text. What looks like JSON behind some words is read too: engines write so.
fn innermost(text: String) -> String {
    let mut text = text;
    for _ in 0..LAYERS {
        let trimmed = text.trim();
        let quoted = trimmed.starts_with(['"', '[']);
        let Some(start) = (if quoted { Some(0) } else { trimmed.find("{\"") }) else { break };
        match serde_json::from_str::<Value>(&trimmed[start..]).ok().and_then(|value| message(&value)) {
            None if quoted => break,
            Some(inner) => text = inner,
            // Not to be read: what stands before it must do.
            None => return trimmed[..start].trim_end_matches([' ', ':']).to_owned(),
        }
    }
    text
}

/// The message of a JSON value: a text, or the member that holds one, at any depth.
fn message(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(members) => {
            ["error", "message", "detail"].iter().find_map(|key| members.get(*key).and_then(message))
        }
        Value::Array(elements) => elements.first().and_then(message),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A word without what only the server should know.
fn neutral(word: &str) -> String {
    const MARKS: [char; 12] = ['"', '\'', '`', '(', ')', '<', '>', ',', ';', ':', '.', '!'];
    let start = word.find(|c| !MARKS.contains(&c)).unwrap_or(word.len());
    // A colon before an equals sign and the like stays inside: only the ends are cut.
    let end = word
        .rfind(|c| !MARKS.contains(&c))
        .map_or(start, |n| n + word[n..].chars().next().map_or(1, char::len_utf8));
    let (before, core, after) = (&word[..start], &word[start..end.max(start)], &word[end.max(start)..]);
    let (key, core) = match core.rsplit_once('=') {
        Some((key, value)) => (&core[..=key.len()], value),
        None => ("", core),
    };
    let core = core.trim_start_matches(['"', '\'']);
    let plain = if core.contains("://") {
        "(address)"
    } else if is_path(core) {
        "(file)"
    } else if is_address(core) {
        "(address)"
    } else if let Some(model) = core.strip_prefix("registry.ollama.ai/library/") {
        model
    } else if core == "registry.ollama.ai" {
        "(registry)"
    } else {
        core
    };
    format!("{before}{key}{plain}{after}")
}

/// An absolute path, of Unix or Windows, or one in the server's home.
fn is_path(word: &str) -> bool {
    let bytes = word.as_bytes();
    let unix = word.starts_with("~/") || (bytes.first() == Some(&b'/') && bytes.len() > 1);
    let windows = matches!(bytes, [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic());
    unix || windows || word.contains("/.ollama/")
}

/// An IP address, with or without port, or a pair of them as Go writes connections; or a host of this machine.
fn is_address(word: &str) -> bool {
    word.split("->").any(|part| {
        let host = part.rsplit_once(':').map_or(part, |(host, _)| host);
        part.parse::<SocketAddr>().is_ok()
            || part.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".internal")
            || host.ends_with(".local")
    })
}

#[cfg(test)]
mod tests;
