//! Every recorded answer, cut at every byte: what passes, what is dropped, what is counted.

use bytes::BytesMut;
use serde_json::Value;

use super::{FrameError, Frames, Seen, facts_of_whole, keepalive};
use crate::ollama::dialect::Api;
use crate::request::route::{Action, ROUTES};

fn api_of(path: &str) -> Api {
    match ROUTES.iter().find(|route| route.path == path).map(|route| route.action) {
        Some(Action::Ask(api)) => api,
        _ => panic!("no API at {path}"),
    }
}

fn recordings() -> Vec<Value> {
    let text = include_str!("../../../tests/recordings/answers.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn body_of(name: &str) -> String {
    let all = recordings();
    let one = all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no recording {name:?}"));
    one["body"].as_str().unwrap().to_owned()
}

/// Pushes the pieces; what passed, and the follower.
fn follow(api: Api, hide: bool, pieces: &[&[u8]]) -> (String, Frames) {
    let (mut frames, mut out) = (Frames::new(api, hide), BytesMut::new());
    for piece in pieces {
        frames.push(piece, &mut out).unwrap();
    }
    frames.finish(&mut out);
    (String::from_utf8(out.to_vec()).unwrap(), frames)
}

/// Cuts `body` at every byte and into single bytes; each time the same must come of it.
fn check(api: Api, hide: bool, body: &str, passed: &str, complete: bool) -> Seen {
    let (out, whole) = follow(api, hide, &[body.as_bytes()]);
    assert_eq!(out, passed);
    assert_eq!(whole.is_complete(), complete, "{body}");
    for cut in 0..=body.len() {
        let (first, second) = body.as_bytes().split_at(cut);
        let (out, frames) = follow(api, hide, &[first, second]);
        assert_eq!(out, passed, "cut at {cut}");
        assert_eq!((frames.seen(), frames.is_complete()), (whole.seen(), complete), "cut at {cut}");
    }
    let single: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    assert_eq!(follow(api, hide, &single).0, passed);
    whole.seen().clone()
}

#[test]
fn every_recorded_stream_passes_unchanged_and_is_whole() {
    let mut streams = 0;
    for one in recordings() {
        let (name, path) = (one["name"].as_str().unwrap(), one["path"].as_str().unwrap());
        let kind = one["type"].as_str().unwrap();
        let streamed = kind.starts_with("text/event-stream") || kind.starts_with("application/x-ndjson");
        if !streamed || name.starts_with("failures") || name.starts_with("management") {
            continue;
        }
        let body = one["body"].as_str().unwrap();
        let seen = check(api_of(path), false, body, body, true);
        assert!(seen.tokens >= 5, "{name}: {seen:?}");
        streams += 1;
    }
    assert!(streams >= 8, "{streams} streams");
}

#[test]
fn counts_and_durations_of_a_native_stream_are_read() {
    let body = body_of("native: generate, warm, stream");
    let seen = check(Api::Generate, false, &body, &body, true);
    assert_eq!((seen.frames, seen.tokens), (7, 6));
    assert_eq!((seen.prompt_tokens, seen.output_tokens), (Some(24), Some(6)));
    assert_eq!(seen.load.unwrap().as_nanos(), 818_780);
    assert_eq!(seen.prefill.unwrap().as_nanos(), 17_972_000);
    assert_eq!(seen.decode.unwrap().as_nanos(), 713_000);
}

#[test]
fn counts_of_the_other_families_are_read() {
    for (name, api, tokens) in [
        ("openai: chat, stream, usage", Api::ChatCompletions, 5),
        ("openai: completions, stream, usage", Api::Completions, 5),
        ("openai: responses, stream", Api::Responses, 5),
        ("anthropic: stream", Api::Messages, 5),
    ] {
        let body = body_of(name);
        let seen = check(api, false, &body, &body, true);
        assert_eq!(
            (seen.tokens, seen.prompt_tokens, seen.output_tokens),
            (tokens, Some(21), Some(5)),
            "{name}"
        );
    }
}

#[test]
fn the_usage_chunk_is_dropped_for_who_did_not_ask() {
    let body = body_of("openai: chat, stream, usage");
    let passed: String =
        body.split_inclusive("\n\n").filter(|event| !event.contains("\"choices\":[]")).collect();
    assert_ne!(passed, body);
    let seen = check(Api::ChatCompletions, true, &body, &passed, true);
    assert_eq!(seen.output_tokens, Some(5));
}

#[test]
fn a_dead_engine_never_looks_whole() {
    let mut seen = 0;
    for one in recordings() {
        let name = one["name"].as_str().unwrap();
        if !name.starts_with("failures: engine dies in the stream") {
            continue;
        }
        let (api, body) = (api_of(one["path"].as_str().unwrap()), one["body"].as_str().unwrap());
        let harmless = |frame: &&str| !frame.starts_with("{\"error\"") && !frame.contains("\"model\":\"\"");
        let end = if body.starts_with('{') { "\n" } else { "\n\n" };
        let passed: String = body.split_inclusive(end).filter(harmless).collect();
        check(api, false, body, &passed, false);
        let (_, frames) = follow(api, false, &[body.as_bytes()]);
        let native = body.starts_with('{');
        let text = "an error was encountered while running the model: unexpected EOF";
        assert_eq!(frames.error(), native.then_some(text), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn progress_of_a_pull_passes_and_its_errors_are_cleaned() {
    let body = "{\"status\":\"pulling manifest\"}\n{\"status\":\"pulling 1\",\"total\":9}\n{\"status\":\"success\"}\n";
    check(Api::Pull, false, body, body, true);
    let body = body_of("management: pull, host that refuses, stream");
    let (out, frames) = follow(Api::Pull, false, &[body.as_bytes()]);
    assert_eq!(out, "{\"status\":\"pulling manifest\"}\n");
    let error = frames.error().unwrap();
    assert!(!frames.is_complete() && !error.contains("127.0.0.1") && error.contains("refused"), "{error}");
}

#[test]
fn a_load_answered_without_a_newline_passes() {
    let body = body_of("native: generate load only");
    let seen = check(Api::Generate, false, &body, &body, true);
    assert_eq!(seen.tokens, 0);
}

#[test]
fn a_cut_line_is_neither_passed_nor_whole() {
    let body = body_of("native: chat, stream");
    let (out, frames) = follow(Api::Chat, false, &[&body.as_bytes()[..body.len() - 9]]);
    assert!(!frames.is_complete() && out.ends_with('\n') && body.starts_with(&out));
}

#[test]
fn markers_inside_what_a_model_says_mean_nothing() {
    for line in [
        r#"{"model":"m","message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"done":true,"error":"x"}}}]},"done":false}"#,
        r#"{"model":"m","message":{"content":"\"done\":true"},"done":false}"#,
        r#"{"model":"m","message":{"tool_calls":[{"arguments":{"done":true}}]},"done":false,"logprobs":[]}"#,
    ] {
        check(Api::Chat, false, &format!("{line}\n"), &format!("{line}\n"), false);
    }
    let event = "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"\",\"x\":{\"model\":\"\",\"choices\":[]}},\
                 \"finish_reason\":null}]}\n\n";
    let seen = check(Api::ChatCompletions, true, event, event, false);
    assert_eq!(seen.tokens, 1);
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"[DONE]\"},\"finish_reason\":null}]}\n\n";
    check(Api::ChatCompletions, true, event, event, false);
}

#[test]
fn keep_alives_of_another_gateway_are_not_passed() {
    let line = "{\"done\":true}\n";
    check(Api::Chat, false, &format!("  {line}"), line, true);
    check(Api::Chat, false, &format!("\n\n{line}\n"), line, true);
    let done = "data: [DONE]\n\n";
    check(Api::ChatCompletions, false, &format!(": keep-alive\n\n{done}"), done, true);
    let (_, frames) = follow(Api::Chat, false, &[b"   "]);
    assert!(frames.at_boundary());
}

#[test]
fn nothing_passes_behind_an_error() {
    let body = "data: {\"error\":{\"message\":\"no room\"}}\n\ndata: [DONE]\n\n";
    check(Api::ChatCompletions, false, body, "", false);
    let body = "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"no room\"}}\n\n";
    check(Api::Messages, false, body, "", false);
    let (_, frames) = follow(Api::Messages, false, &[body.as_bytes()]);
    assert_eq!(frames.error(), Some("no room"));
}

#[test]
fn what_is_held_is_bounded_and_known() {
    let (mut frames, mut out) = (Frames::new(Api::Chat, false), BytesMut::new());
    assert!(frames.at_boundary());
    frames.push(b"{\"model\"", &mut out).unwrap();
    assert!(!frames.at_boundary());
    frames.push(b":1}\n", &mut out).unwrap();
    assert!(frames.at_boundary() && out[..] == b"{\"model\":1}\n"[..]);
    let mut result = frames.push(b"{", &mut out);
    for _ in 0..5 {
        result = result.and_then(|()| frames.push(&vec![b'a'; 1 << 20], &mut out));
    }
    assert_eq!(result, Err(FrameError::TooLong));
    let mut frames = Frames::new(Api::Chat, false);
    assert_eq!(frames.push(b"502 bad gateway\n", &mut out), Err(FrameError::NotAFrame));
}

#[test]
fn counts_of_whole_answers_are_read_from_their_end() {
    for (name, api, prompt, output) in [
        ("native: generate, cold, whole", Api::Generate, Some(24), Some(6)),
        ("native: chat, whole", Api::Chat, Some(21), Some(6)),
        ("native: generate logprobs", Api::Generate, Some(20), Some(3)),
        ("native: embed two", Api::Embed, Some(10), None),
        ("native: embeddings", Api::Embeddings, None, None),
        ("openai: chat, whole", Api::ChatCompletions, Some(21), Some(5)),
        ("openai: completions, whole", Api::Completions, Some(21), Some(5)),
        ("openai: embeddings, one", Api::OpenAiEmbeddings, Some(5), None),
        ("openai: responses, whole", Api::Responses, Some(21), Some(5)),
        ("anthropic: whole", Api::Messages, Some(21), Some(5)),
    ] {
        let body = body_of(name);
        let tail = &body.as_bytes()[body.len().saturating_sub(2048)..];
        let seen = facts_of_whole(api, tail);
        assert_eq!((seen.prompt_tokens, seen.output_tokens), (prompt, output), "{name}");
    }
    let seen = facts_of_whole(Api::Chat, body_of("native: chat, whole").as_bytes());
    assert_eq!(seen.prefill.unwrap().as_nanos(), 703_000);
    assert_eq!(facts_of_whole(Api::Chat, b"nonsense"), Seen { frames: 1, ..Seen::default() });
}

#[test]
fn keep_alives_fit_their_family() {
    for words in [None, Some("asleep, about 80 s")] {
        assert_eq!(keepalive(Api::Chat, words), " ");
        assert!(keepalive(Api::Messages, words).starts_with(b"event: ping\n"));
    }
    assert_eq!(keepalive(Api::Responses, None), ": keep-alive\n\n");
    assert_eq!(keepalive(Api::Responses, Some("asleep, about 80 s")), ": asleep, about 80 s\n\n");
}
