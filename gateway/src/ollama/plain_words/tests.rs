//! Recorded and invented errors, and what clients get to see of them.

use http::StatusCode;
use serde_json::Value;

use super::{SILENT, plain_words, refusal};
use crate::error::Refusal;

fn check(text: &str, expected: &str) {
    assert_eq!(plain_words(text), expected, "{text:?}");
}

#[test]
fn the_innermost_message_comes_out() {
    let over = "request (9024 tokens) exceeds the available context size (4096 tokens), try increasing it";
    check(&format!(r#"{{"error":{{"code":400,"message":"{over}","type":"x","n_ctx":4096}}}}"#), over);
    check(&format!(r#"{{"error":"{{\"error\":{{\"message\":\"{over}\"}}}}"}}"#), over);
    check(r#"{"type":"error","error":{"type":"t","message":"no"},"request_id":"r"}"#, "no");
    check(r#"POST predict: {"error":{"message":"no room"}}"#, "no room");
    check("plain", "plain");
    check("  two   blanks.  here\n", "two blanks. here");
}

#[test]
fn json_numbers_and_silence_never_come_out() {
    for text in ["", " ", "503", "null", "true", "{", "[1]", "{\"a\":1}", "\"\"", "-1.5", "...", "\"7\""] {
        check(text, SILENT);
    }
    check("it broke: {\"a\":1}", "it broke");
}

#[test]
fn what_only_the_server_should_know_is_left_out() {
    check(
        "open /root/.ollama/models/blobs/sha256-00: no such file or directory",
        "open (file): no such file or directory",
    );
    check(
        r#"Get "https://10.0.0.7:5000/v2/library/x/manifests/latest": dial tcp 10.0.0.7:5000: connect: connection refused"#,
        r#"Get "(address)": dial tcp (address): connect: connection refused"#,
    );
    check(
        "dial tcp: lookup registry.ollama.ai on 10.255.255.53:53: no such host",
        "dial tcp: lookup (registry) on (address): no such host",
    );
    check("read tcp 127.0.0.1:3->127.0.0.1:4: broken", "read tcp (address): broken");
    check("dial tcp [::1]:11434: refused", "dial tcp (address): refused");
    check("localhost:1 ip-10-0-0-1.ec2.internal:9", "(address) (address)");
    check("model=/var/lib/x failed", "model=(file) failed");
    check(r"open C:\models\x: denied", "open (file): denied");
    check(
        "registry.ollama.ai/library/tinylong:latest does not support insert",
        "tinylong:latest does not support insert",
    );
    check("\"qwen2.5:7b\" does not support chat", "\"qwen2.5:7b\" does not support chat");
    assert!(plain_words(&"word ".repeat(1000)).chars().count() <= 401);
    check("größe überschritten…", "größe überschritten…");
}

#[test]
fn every_recorded_error_becomes_a_fit_refusal() {
    let text = include_str!("../../../tests/recordings/answers.jsonl");
    let mut errors = 0;
    for line in text.lines() {
        let one: Value = serde_json::from_str(line).unwrap();
        let status = StatusCode::from_u16(u16::try_from(one["status"].as_u64().unwrap()).unwrap()).unwrap();
        if status.is_success() {
            continue;
        }
        let refusal = refusal(status, one["body"].as_str().unwrap().as_bytes());
        let (name, said) = (&one["name"], refusal.to_string());
        assert!(!said.contains("{\"") && said != SILENT, "{name}: {said}");
        for inner in ["127.0.0.1", "/root", "://", "registry.ollama.ai"] {
            assert!(!said.contains(inner), "{name}: {said}");
        }
        errors += 1;
    }
    assert!(errors > 30, "{errors} errors");
}

#[test]
fn statuses_name_whose_fault_it_is() {
    let status = |given: u16, body: &str| {
        let refusal = refusal(StatusCode::from_u16(given).unwrap(), body.as_bytes());
        (refusal.status().as_u16(), refusal.label())
    };
    for (given, body, expected) in [
        (404, "404 page not found", (502, "upstream")),
        (405, "405 method not allowed", (502, "upstream")),
        (403, "", (502, "upstream")),
        (502, "<html>", (502, "upstream")),
        (
            503,
            r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
            (503, "overloaded"),
        ),
        (
            501,
            r#"{"error":"This server does not support embeddings. Start it with `--embeddings`"}"#,
            (400, "ollama"),
        ),
        (500, r#"{"error":"option \"num_predict\" must be of type integer"}"#, (400, "ollama")),
        (500, r#"{"error":"invalid format: \"x\"; expected \"json\""}"#, (400, "ollama")),
        (500, r#"{"error":"llama-server process has terminated: signal: killed"}"#, (502, "upstream")),
        (400, r#"{"error":"\"m\" does not support thinking"}"#, (400, "ollama")),
        (404, r#"{"error":"model 'x' not found"}"#, (404, "no_model")),
        (404, r#"{"error":"model \"x\" not found, try pulling it first"}"#, (404, "no_model")),
        (404, r#"{"error":"something else"}"#, (404, "ollama")),
        (401, r#"{"error":"unauthorized","signin_url":"https://x"}"#, (502, "upstream")),
        (499, r#"{"error":"request canceled"}"#, (502, "upstream")),
        (307, "", (502, "upstream")),
    ] {
        assert_eq!(status(given, body), expected, "{given} {body}");
    }
    let Refusal::NoModel(name) = refusal(StatusCode::NOT_FOUND, br#"{"error":"model 'x:y' not found"}"#)
    else {
        panic!("not a missing model");
    };
    assert_eq!(name, "x:y");
}
