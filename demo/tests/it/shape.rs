//! What two bodies must have in common: keys, types, the order of events, and the texts a program reads.

use std::collections::BTreeMap;

use serde_json::Value;

/// Keys whose text is part of the contract; everything else a model or a clock may choose.
const LITERAL: [&str; 9] = [
    "done_reason",
    "finish_reason",
    "object",
    "type",
    "role",
    "stop_reason",
    "error",
    "message",
    "tool_choice",
];

/// The shape of a body by its content type.
pub fn of(content_type: &str, body: &str) -> String {
    if content_type.starts_with("application/json") {
        let value = serde_json::from_str(body).unwrap_or_else(|_| Value::String(format!("no JSON: {body}")));
        return of_value("", &value) + if body.ends_with('\n') { "⏎" } else { "" };
    }
    let parts: Vec<String> = if content_type == "application/x-ndjson" {
        body.lines().map(|line| of("application/json", line)).collect()
    } else if content_type == "text/event-stream" {
        body.split_terminator("\n\n").map(event).collect()
    } else {
        return masked(body);
    };
    runs(parts)
}

/// Counts differ: a run of equal parts is one.
fn runs(mut parts: Vec<String>) -> String {
    parts.dedup();
    parts.join("\n")
}

fn event(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("data: ") {
        Some("[DONE]") | None => line.to_owned(),
        Some(data) => format!("data: {}", of("application/json", data)),
    };
    text.lines().map(line).collect::<Vec<_>>().join(" | ")
}

fn of_value(key: &str, value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(_) => "number".to_owned(),
        Value::String(text) if LITERAL.contains(&key) => format!("{:?}", masked(text)),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(items) => {
            let mut shapes: Vec<String> = items.iter().map(|item| of_value("", item)).collect();
            shapes.dedup();
            format!("[{}]", shapes.join(", "))
        }
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            let member = |(key, value): (&String, &Value)| format!("{key}: {}", of_value(key, value));
            format!("{{{}}}", sorted.into_iter().map(member).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text without what differs from machine to machine: digests, numbers, the server's folder.
fn masked(text: &str) -> String {
    let text = text.replace("{home}", "/var/lib/ollama");
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        if run.len() >= 32 {
            out.push('H');
        } else {
            out.push_str(&digits_masked(&run));
        }
        run.clear();
        out.push(c);
    }
    out.trim_end_matches('\0').to_owned()
}

fn digits_masked(run: &str) -> String {
    let mut parts: Vec<char> = run.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
    parts.dedup_by(|a, b| *a == '#' && *b == '#');
    parts.into_iter().collect()
}
