//! What goes upstream for which body, byte for byte, and what is refused with which words.

use bytes::Bytes;
use serde_json::Value;

use super::object::same_key;
use super::{Ask, Kind, inspect};
use crate::error::Refusal;
use crate::identity::{Priority, Rights};
use crate::ollama::dialect::{Api, EVERYWHERE, Limit, OPTIONS};
use crate::ollama::names::ModelPattern;
use crate::request::route::{Action, ROUTES};

const MOST_OUTPUT: u32 = 100;

fn user() -> Rights {
    Rights {
        models: vec![ModelPattern::parse("m*").unwrap(), ModelPattern::parse("tiny*").unwrap()],
        requests_per_minute: 60,
        requests_burst: 20,
        tokens_per_minute: 60_000,
        open_requests: 4,
        priority: Priority::Normal,
        operate: false,
        manage_models: false,
    }
}

fn admin() -> Rights {
    Rights { models: vec![ModelPattern::Any], operate: true, manage_models: true, ..user() }
}

fn look(rights: &Rights, api: Api, body: impl AsRef<[u8]>) -> Result<Ask, Refusal> {
    inspect(api, Bytes::copy_from_slice(body.as_ref()), rights, MOST_OUTPUT)
}

/// What a user's body becomes.
fn check(api: Api, body: &str, upstream: &str) -> Ask {
    let ask = look(&user(), api, body).unwrap_or_else(|e| panic!("{body}: {e}"));
    assert_eq!(std::str::from_utf8(&ask.body).unwrap(), upstream, "{body}");
    ask
}

/// With which status, and which word in its text, a user's body is refused.
fn refuses(api: Api, body: impl AsRef<[u8]>, status: u16, word: &str) {
    let body = body.as_ref();
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    match look(&user(), api, body) {
        Ok(ask) => panic!("{shown} passed as {:?}", ask.body),
        Err(e) => {
            assert_eq!(e.status().as_u16(), status, "{shown}: {e}");
            assert!(e.to_string().contains(word), "{shown}: {e}");
        }
    }
}

#[test]
fn spellings_that_ollama_folds_come_out_canonical() {
    let upstream = r#"{"model":"m:latest"}"#;
    for body in [
        r#"{"model":"m"}"#,
        r#"{"MODEL":"m"}"#,
        r#"{"moDel": "M:Latest"}"#,
        r#"{"mode\u006c":" m "}"#,
        "\n\t {\"model\" : \"registry.ollama.ai/library/m:latest\" } \r\n",
        r#"{"model":"m:local"}"#,
        r#"{"name":"m"}"#,
        r#"{"model":"","NAME":"m"}"#,
        r#"{"model":null,"name":"m"}"#,
        r#"{"model":"m","name":"library/m"}"#,
        r#"{"model":"\u006d"}"#,
    ] {
        let body_upstream = look(&user(), Api::Show, body).unwrap().body;
        assert_eq!(body_upstream, upstream, "{body}");
    }
    check(
        Api::Generate,
        "{\"model\":\"m\",\"prompt\":\"a\",\"\u{17f}tream\":false,\"\u{212a}eep_alive\":9}",
        r#"{"model":"m:latest","prompt":"a","stream":false,"options":{"num_predict":100}}"#,
    );
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for body in [
        r#"{"model":"a","model":"m"}"#,
        r#"{"model":"a","MODEL":"m"}"#,
        r#"{"model":"a","mode\u006c":"m"}"#,
        "{\"model\":\"m\",\"stream\":true,\"\u{17f}tream\":false}",
        "{\"model\":\"m\",\"keep_alive\":1,\"\u{212a}eep_alive\":0}",
        r#"{"model":"m","zzz":1,"ZZZ":2}"#,
        r#"{"model":"m","options":{"num_ctx":1,"NUM_CTX":2}}"#,
    ] {
        refuses(Api::Generate, body, 400, "same name");
    }
    let twice = r#"{"model":"m","messages":[{}],"stream":true,
        "stream_options":{"include_usage":true,"Include_Usage":false}}"#;
    refuses(Api::ChatCompletions, twice, 400, "same name");
    refuses(Api::Show, r#"{"model":"m","name":"m2"}"#, 400, "two models");
    refuses(Api::Show, r#"{"model":"m"}{"model":"a"}"#, 400, "trailing");
    refuses(Api::Show, r#"{"model":"m"} xx"#, 400, "trailing");
    refuses(Api::Show, b"{\"model\":\"m\"}\0", 400, "trailing");
}

#[test]
fn only_one_whole_object_is_a_body() {
    refuses(Api::Show, "", 400, "missing");
    refuses(Api::Show, " \n ", 400, "missing");
    for body in ["null", "[]", "\"x\"", "7", "true"] {
        refuses(Api::Show, body, 400, "object");
    }
    refuses(Api::Show, "\u{feff}{\"model\":\"m\"}", 400, "byte order mark");
    refuses(Api::Show, b"\x1f\x8b\x08\x00", 400, "UTF-8");
    refuses(Api::Show, b"{\"model\":\"m\",\"system\":\"\xff\xfe\"}", 400, "UTF-8");
    refuses(Api::Show, r#"{"model":"#, 400, "EOF");
    refuses(Api::Show, "{'model':'x'}", 400, "valid JSON");
    refuses(Api::Show, r#"{"model":"m",}"#, 400, "valid JSON");
    refuses(Api::Show, r#"{"model":"m","n":01}"#, 400, "valid JSON");
    refuses(Api::Show, "{\"model\":\"m\",\"system\":\"a\nb\"}", 400, "valid JSON");
    for half in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\udbffx", r"a\\\ud800", r"\ud800\\udc00"] {
        refuses(Api::Show, format!(r#"{{"model":"m","system":"{half}"}}"#), 400, "surrogate");
    }
    look(&user(), Api::Show, r#"{"model":"m","system":"\ud83d\ude00 \\ud800 \n"}"#).unwrap();
    let deep = |n: usize| format!(r#"{{"model":"m","x":{}1{}}}"#, "[".repeat(n), "]".repeat(n));
    look(&user(), Api::Show, deep(100)).unwrap();
    refuses(Api::Show, deep(200), 400, "recursion");
    refuses(Api::Show, deep(200_000), 400, "recursion");
    let many = (0..200).map(|n| format!("\"x{n}\":1")).collect::<Vec<_>>().join(",");
    refuses(Api::Show, format!("{{\"model\":\"m\",{many}}}"), 400, "more than");
}

#[test]
fn errors_never_repeat_the_body() {
    for body in [
        r#"{"model":5,"x":"SECRET"}"#,
        r#"{"model":"SECRET SECRET"}"#,
        r#"{"SECRET"}"#,
        r#""SECRET""#,
        r#"{"model":"m","stream":"SECRET"}"#,
        r#"{"model":"m","options":{"top_k":"SECRET"}}"#,
        r#"{"model":"m","options":"SECRET"}"#,
        r#"{"model":"m","keep_alive":"SECRET"}"#,
        r#"{"model":"m","SECRET":1,"SECRET":2}"#,
    ] {
        let text = look(&user(), Api::Generate, body).unwrap_err().to_string();
        assert!(!text.contains("SECRET") && !text.to_lowercase().contains("secret"), "{text}");
    }
}

#[test]
fn models_are_canonical_permitted_and_local() {
    for body in [r#"{}"#, r#"{"model":null}"#, r#"{"model":""}"#] {
        refuses(Api::Chat, body, 400, "`model` is required");
    }
    refuses(Api::Chat, r#"{"model":5}"#, 400, "`model` must be a string");
    for name in ["../../etc/passwd", "m\\u0000", "http://registry.ollama.ai/library/m", "a b"] {
        refuses(Api::Chat, format!(r#"{{"model":"{name}"}}"#), 400, "invalid model name");
    }
    for name in ["m:cloud", "m:20b-cloud", "M:20B-CLOUD"] {
        refuses(Api::Chat, format!(r#"{{"model":"{name}"}}"#), 403, "cloud");
    }
    for route in ROUTES {
        if let Action::Ask(api) = route.action {
            refuses(api, r#"{"model":"LLAMA3"}"#, 404, "model 'llama3:latest' not found");
        }
    }
    // `name` means nothing where Ollama reads `model` only.
    refuses(Api::Chat, r#"{"name":"m"}"#, 400, "`model` is required");
    let pull = |body| look(&admin(), Api::Pull, body);
    assert_eq!(pull(r#"{"model":"127.0.0.1:9/library/none"}"#).unwrap_err().status(), 403);
    let ask = pull(r#"{"name":"Gemma3","insecure":true,"username":"u","password":"p"}"#).unwrap();
    assert_eq!((ask.kind, &ask.body[..]), (Kind::Pull, &br#"{"model":"gemma3:latest"}"#[..]));
    refuses(Api::Pull, r#"{"model":"m"}"#, 403, "administrators");
    refuses(Api::Delete, r#"{"model":"m"}"#, 403, "administrators");
}

#[test]
fn wrong_types_are_refused_by_name() {
    for (field, values) in [
        ("stream", &["\"false\"", "1", "[]"][..]),
        ("prompt", &["1", "[\"a\"]"]),
        ("raw", &["1"]),
        ("format", &["\"yaml\"", "true", "[]", "1"]),
        ("think", &["\"much\"", "1"]),
        ("images", &["\"x\"", "[1]", "[null]", "[{}]"]),
        ("context", &["[\"a\"]", "1"]),
        ("keep_alive", &["\"soon\"", "\"\"", "\"5\"", "true", "\"5x\"", "\"m\""]),
        ("logprobs", &["1"]),
        ("top_logprobs", &["21", "-1", "1.5", "\"2\""]),
        ("options", &["[]", "\"x\"", "1"]),
        ("tools", &["{}", "[1]", "[\"web_search\"]", "[[]]"]),
    ] {
        for value in values {
            let body = format!(r#"{{"model":"m","{field}":{value}}}"#);
            refuses(Api::Generate, body, 400, &format!("`{field}` must be"));
        }
    }
}

#[test]
fn options_of_the_wrong_type_are_refused_by_name() {
    for (option, value, word) in [
        ("num_predict", "\"six\"", "type integer"),
        ("NUM_PREDICT", "\"six\"", "option \"num_predict\""),
        ("top_p", "true", "type float32"),
        ("use_mmap", "1", "type boolean"),
        ("stop", "\"a\"", "type array"),
        ("stop", "[1]", "array of strings"),
        ("seed", "1e999", "type integer"),
    ] {
        let body = format!(r#"{{"model":"m","prompt":"a","options":{{"{option}":{value}}}}}"#);
        let refused = look(&user(), Api::Generate, &body).unwrap_err();
        assert_eq!(refused.status(), 400, "{body}");
        assert!(value == "1e999" || refused.to_string().contains(word), "{refused}");
    }
}

#[test]
fn what_an_api_cannot_do_without_is_required() {
    for (api, body, word) in [
        (Api::Chat, r#"{"model":"m","messages":{}}"#, "`messages` must be"),
        (Api::Chat, r#"{"model":"m","messages":[null]}"#, "`messages` must be"),
        (Api::Chat, r#"{"model":"m","messages":["a"]}"#, "`messages` must be"),
        (Api::ChatCompletions, r#"{"model":"m"}"#, "`messages` is required"),
        (Api::ChatCompletions, r#"{"model":"m","messages":[ ]}"#, "`messages` is required"),
        (Api::ChatCompletions, r#"{"model":"m","messages":[{}],"max_tokens":1.5}"#, "`max_tokens` must be"),
        (Api::ChatCompletions, r#"{"model":"m","messages":[{}],"stop":[1]}"#, "`stop` must be"),
        (
            Api::ChatCompletions,
            r#"{"model":"m","messages":[{}],"stream_options":1}"#,
            "`stream_options` must",
        ),
        (
            Api::ChatCompletions,
            r#"{"model":"m","messages":[{}],"stream_options":{"include_usage":1}}"#,
            "include_usage",
        ),
        (Api::Messages, r#"{"model":"m","max_tokens":5,"messages":[]}"#, "`messages` is required"),
        (Api::Messages, r#"{"model":"m","messages":[{}]}"#, "`max_tokens` is required"),
        (Api::Messages, r#"{"model":"m","messages":[{}],"max_tokens":0}"#, "must be positive"),
        (Api::Embed, r#"{"model":"m","input":[1]}"#, "`input` must be"),
        (Api::Embed, r#"{"model":"m","input":{}}"#, "`input` must be"),
        (Api::OpenAiEmbeddings, r#"{"model":"m","input":[]}"#, "`input` is required"),
        (Api::OpenAiEmbeddings, r#"{"model":"m"}"#, "`input` is required"),
        (Api::Responses, r#"{"model":"m"}"#, "`input` is required"),
        (Api::Responses, r#"{"model":"m","input":[1]}"#, "`input` must be"),
    ] {
        refuses(api, body, 400, word);
    }
}

#[test]
fn fields_that_hurt_others_do_not_reach_ollama() {
    let body = r#"{"model":"m","prompt":"a","keep_alive":-1,"shift":false,"remote_host":"x","new_field":[1, 2],
        "options":{"num_ctx":1,"Num_GPU":2,"main_gpu":0,"num_thread":1,"num_batch":1,"use_mmap":true,
        "draft_num_predict":1,"use_mlock":true,"zzz":1,"temperature":0.5,"TOP_K":3,"seed":null}}"#;
    check(
        Api::Generate,
        body,
        r#"{"model":"m:latest","prompt":"a","new_field":[1, 2],"options":{"temperature":0.5,"top_k":3,"num_predict":100}}"#,
    );
    let ask = look(&admin(), Api::Generate, body).unwrap();
    let kept = std::str::from_utf8(&ask.body).unwrap();
    for part in ["\"keep_alive\":-1", "\"num_ctx\":1", "\"num_gpu\":2", "\"shift\":false", "\"zzz\":1"] {
        assert!(kept.contains(part), "{kept}");
    }
    assert!(!kept.contains("remote_host"));
    let ask = check(
        Api::ChatCompletions,
        r#"{"model":"m","messages":[{}],"options":{"num_ctx":1},"keep_alive":0}"#,
        r#"{"model":"m:latest","messages":[{}],"max_tokens":100}"#,
    );
    assert_eq!(ask.kind, Kind::Generate);
    check(
        Api::Embed,
        r#"{"model":"m","input":"a","keep_alive":0,"options":{"num_ctx":9}}"#,
        r#"{"model":"m:latest","input":"a","options":{}}"#,
    );
}

#[test]
fn what_nobody_may_ask_is_forbidden() {
    for rights in [user(), admin()] {
        let status = |api, body: &str| look(&rights, api, body).unwrap_err().status().as_u16();
        let body = r#"{"model":"m","prompt":"a","_Debug_Render_Only":true}"#;
        assert_eq!(status(Api::Generate, body), 403);
        for kind in ["web_search_20250305", "web_search", "WEB_SEARCH_preview", "web\\u005fsearch"] {
            let tools = format!(r#""tools":[{{"type":"function"}},{{"name":"x","tYpe":"{kind}"}}]"#);
            let body = format!(r#"{{"model":"m","max_tokens":1,"messages":[{{}}],{tools}}}"#);
            assert_eq!(status(Api::Messages, &body), 403);
            assert_eq!(status(Api::Responses, &format!(r#"{{"model":"m","input":"a",{tools}}}"#)), 403);
        }
    }
    check(
        Api::Generate,
        r#"{"model":"m","prompt":"a","_debug_render_only":false}"#,
        r#"{"model":"m:latest","prompt":"a","options":{"num_predict":100}}"#,
    );
    let own =
        r#"{"model":"m","messages":[{}],"tools":[{"type":"function","function":{"name":"web_search"}}]}"#;
    look(&user(), Api::ChatCompletions, own).unwrap();
}

#[test]
fn loads_are_harmless_and_unloads_are_for_operators() {
    let load = r#"{"model":"m:latest","options":{"num_predict":100}}"#;
    let ask = check(Api::Generate, r#"{"model":"m"}"#, load);
    assert_eq!((ask.kind, ask.output_tokens), (Kind::Load, 0));
    assert_eq!(check(Api::Generate, r#"{"model":"m","keep_alive":"5m"}"#, load).kind, Kind::Load);
    assert_eq!(look(&user(), Api::Chat, r#"{"model":"m","messages":[ ]}"#).unwrap().kind, Kind::Load);
    for zero in ["0", "-0.0", "0.5", "\"0\"", "\"0s\"", "\"0h0m\"", "\"500ms\"", "\"-0s\""] {
        let generate = format!(r#"{{"model":"m","prompt":"","keep_alive":{zero}}}"#);
        refuses(Api::Generate, &generate, 403, "operators");
        refuses(
            Api::Chat,
            format!(r#"{{"model":"m","messages":null,"keep_alive":{zero}}}"#),
            403,
            "operators",
        );
        assert_eq!(look(&admin(), Api::Generate, &generate).unwrap().kind, Kind::Unload);
    }
    let busy = r#"{"model":"m","prompt":"a","keep_alive":0}"#;
    assert_eq!(look(&user(), Api::Generate, busy).unwrap().kind, Kind::Generate);
    for long in ["-1", "\"-1m\"", "\"1h30m\"", "\"1.5h\"", "300"] {
        let body = format!(r#"{{"model":"m","keep_alive":{long}}}"#);
        assert_eq!(look(&admin(), Api::Generate, body).unwrap().kind, Kind::Load);
    }
}

#[test]
fn output_is_always_capped() {
    for (asked, cap) in
        [("7", 7), ("-1", 100), ("-2", 100), ("0", 100), ("1e9", 100), ("7.9", 7), ("null", 100)]
    {
        let body = format!(r#"{{"model":"m","prompt":"a","options":{{"num_predict":{asked}}}}}"#);
        let ask = look(&user(), Api::Generate, &body).unwrap();
        assert_eq!(ask.output_tokens, cap, "{asked}");
        let upstream: Value = serde_json::from_slice(&ask.body).unwrap();
        assert_eq!(upstream["options"]["num_predict"], cap, "{asked}");
    }
    check(
        Api::ChatCompletions,
        r#"{"model":"m","messages":[{}],"max_tokens":40,"max_completion_tokens":3}"#,
        r#"{"model":"m:latest","messages":[{}],"max_tokens":3}"#,
    );
    check(
        Api::ChatCompletions,
        r#"{"model":"m","messages":[{}],"Max_Tokens":-1,"max_completion_tokens":999}"#,
        r#"{"model":"m:latest","messages":[{}],"max_tokens":100}"#,
    );
    check(
        Api::Responses,
        r#"{"model":"m","input":"a","max_output_tokens":99999999999}"#,
        r#"{"model":"m:latest","input":"a","max_output_tokens":100}"#,
    );
    check(
        Api::Messages,
        r#"{"model":"m","max_tokens":5,"messages":[{}]}"#,
        r#"{"model":"m:latest","max_tokens":5,"messages":[{}]}"#,
    );
    check(Api::Completions, r#"{"model":"m"}"#, r#"{"model":"m:latest","max_tokens":100}"#);
}

#[test]
fn chat_streams_tell_their_counts() {
    let ask = check(
        Api::ChatCompletions,
        r#"{"model":"m","messages":[{}],"stream":true}"#,
        r#"{"model":"m:latest","messages":[{}],"stream":true,"max_tokens":100,"stream_options":{"include_usage":true}}"#,
    );
    assert!(ask.stream && ask.hide_usage);
    let ask = check(
        Api::ChatCompletions,
        r#"{"model":"m","messages":[{}],"stream":true,"stream_options":{"INCLUDE_USAGE":true,"x":1}}"#,
        r#"{"model":"m:latest","messages":[{}],"stream":true,"stream_options":{"include_usage":true,"x":1},"max_tokens":100}"#,
    );
    assert!(!ask.hide_usage);
    for (api, body, stream) in [
        (Api::ChatCompletions, r#"{"model":"m","messages":[{}]}"#, false),
        (Api::Completions, r#"{"model":"m","prompt":"a","stream":true}"#, true),
        (Api::Generate, r#"{"model":"m","prompt":"a"}"#, true),
        (Api::Generate, r#"{"model":"m","prompt":"a","stream":null}"#, true),
        (Api::Generate, r#"{"model":"m","prompt":"a","stream":false}"#, false),
        (Api::Embed, r#"{"model":"m","input":"a","stream":true}"#, false),
        (Api::Messages, r#"{"model":"m","messages":[{}],"max_tokens":1}"#, false),
    ] {
        let ask = look(&user(), api, body).unwrap();
        assert_eq!((ask.stream, ask.hide_usage), (stream, false), "{body}");
        assert!(!String::from_utf8_lossy(&ask.body).contains("include_usage"));
    }
}

#[test]
fn prompts_are_estimated() {
    let tokens = |api, body: &str| look(&user(), api, body).unwrap().prompt_tokens;
    let generate = |prompt: &str| tokens(Api::Generate, &format!(r#"{{"model":"m","prompt":"{prompt}"}}"#));
    assert_eq!(generate(&"a".repeat(4000)), 1000);
    assert_eq!(generate(&"漢".repeat(500)), 500);
    assert_eq!(generate("été"), 3);
    let image = "A".repeat(100_000);
    let native = format!(r#"{{"model":"m","prompt":"abcd","images":["{image}","{image}"]}}"#);
    assert_eq!(tokens(Api::Generate, &native), 513);
    let parts = format!(
        r#"{{"model":"m","messages":[{{"content":[{{"type":"text"}},{{"image_url":{{"url":"data:image/png;base64,{image}"}}}}]}}]}}"#
    );
    assert!((256..300).contains(&tokens(Api::ChatCompletions, &parts)));
    let source = format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"content":[{{"source":{{"type":"base64","data":"{image}"}}}}]}}]}}"#
    );
    assert!((256..300).contains(&tokens(Api::Messages, &source)));
    assert_eq!(tokens(Api::Embed, r#"{"model":"m","input":["abcd","efgh"]}"#), 2 + 8);
    assert_eq!(tokens(Api::Generate, r#"{"model":"m","prompt":"abcd","context":[1,2,3]}"#), 4);
}

#[test]
fn images_by_address_are_refused_in_their_places_only() {
    let parts = |part: &str| format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"content":[{part}]}}]}}"#);
    for part in [
        r#"{"type":"image_url","image_url":{"url":"http://192.0.2.1/x.png"}}"#,
        r#"{"type":"image_url","image_url":"HTTPS://x/y"}"#,
    ] {
        refuses(Api::ChatCompletions, parts(part), 400, "base64");
    }
    refuses(Api::Messages, parts(r#"{"source":{"type":"url","url":"https://x/y"}}"#), 400, "base64");
    refuses(Api::Generate, r#"{"model":"m","prompt":"a","images":["http://x"]}"#, 400, "base64");
    let cited =
        parts(r#"{"type":"search_result","source":"https://x/y","content":[{"type":"text","text":"a"}]}"#);
    look(&user(), Api::Messages, cited).unwrap();
    let text = r#"{"model":"m","messages":[{"content":"http://x","tool_calls":[{"function":{"arguments":{"image_url":"http://x"}}}]}]}"#;
    look(&user(), Api::Chat, text).unwrap();
}

#[test]
fn what_a_real_ollama_answered_is_let_through() {
    let mut passed = 0;
    for line in include_str!("../../../tests/recordings/answers.jsonl").lines() {
        let one: Value = serde_json::from_str(line).unwrap();
        let (Some(body), Some(200)) = (one["request"].as_str(), one["status"].as_u64()) else { continue };
        let route = ROUTES.iter().find(|route| one["path"] == route.path).unwrap();
        let Action::Ask(api) = route.action else { panic!("{}", route.path) };
        let foreign = body.contains("127.0.0.1") || body.contains("_debug_render_only");
        match look(&admin(), api, body) {
            Ok(ask) => {
                let streamed = one["type"] == "text/event-stream" || one["type"] == "application/x-ndjson";
                assert!(ask.stream || !streamed, "{}", one["name"]);
                passed += 1;
            }
            Err(e) => assert!(foreign, "{}: {e}", one["name"]),
        }
    }
    assert!(passed > 40, "{passed} passed");
}

/// Reads an object as Go does: keys folded, the last of several wins, `null` unsets nothing.
fn lax<'a>(body: &'a Value, name: &str, folded: bool) -> Option<&'a Value> {
    let members = body.as_object()?;
    members
        .iter()
        .filter(|(key, _)| if folded { same_key(key, name) } else { *key == name })
        .map(|(_, v)| v)
        .next_back()
}

/// Bodies to begin with.
const SEEDS: [(Api, &str); 4] = [
    (
        Api::Generate,
        r#"{"model":"m","prompt":"a","stream":false,"keep_alive":0,"options":{"num_predict":5,"num_ctx":9}}"#,
    ),
    (Api::ChatCompletions, r#"{"model":"m","messages":[{"role":"user"}],"max_tokens":500,"stream":true}"#),
    (
        Api::Messages,
        r#"{"model":"m","max_tokens":5,"messages":[{"role":"user"}],"_debug_render_only":false}"#,
    ),
    (Api::Embed, r#"{"model":"m","input":["a","b"],"keep_alive":"0s","options":{"num_gpu":1}}"#),
];

/// What is put into them.
const PARTS: &[&str] = &[
    "\"model\":\"a\",",
    "\"MODEL\":\"m2\",",
    "\"\u{17f}tream\":true,",
    "\"\u{212a}eep_alive\":0,",
    "\"mode\\u006c\":\"a\",",
    "{",
    "}",
    ",",
    "\"",
    "\\",
    "null",
    "\"options\":{\"NUM_CTX\":1},",
    "\u{0}",
    " ",
    "[",
    "]",
    "0",
    "\"Max_Tokens\":-1,",
    "\"num_predict\":-1,",
    "\\ud800",
    "M",
    "\u{17f}",
    ":",
    "\"shift\":true,",
    "\"a\u{212a}\":1,",
];

/// A few random deletions, changes of case and insertions.
fn mangle(seed: &str, random: &mut fastrand::Rng) -> String {
    let mut body = seed.to_owned();
    for _ in 0..random.usize(0..4) {
        let at = (0..=body.len())
            .filter(|n| body.is_char_boundary(*n))
            .nth(random.usize(0..body.len()))
            .unwrap_or(1);
        match random.u8(0..3) {
            0 if at < body.len() => drop(body.remove(at)),
            1 if at < body.len() => {
                let c = body.remove(at);
                body.insert(
                    at,
                    if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() },
                );
            }
            _ => body.insert_str(at, PARTS[random.usize(0..PARTS.len())]),
        }
    }
    body
}

/// A lax reader must see in the upstream body exactly what was decided by.
fn check_upstream(api: Api, body: &str, ask: &Ask) {
    // serde_json's map keeps the last of several equal keys, as Go does; a second spelling shows in the fold.
    let read: Value = serde_json::from_slice(&ask.body).unwrap();
    let names = || api.layout().fields.iter().chain(EVERYWHERE).map(|field| field.name);
    let keys = read.as_object().unwrap();
    for name in names() {
        assert!(keys.keys().filter(|key| same_key(key, name)).count() <= 1, "{body}");
        assert_eq!(lax(&read, name, true), lax(&read, name, false), "{body}");
    }
    assert_eq!(read["model"], ask.model.as_str(), "{body}");
    assert!(user().may_use(&ask.model) && read.get("keep_alive").is_none() && read.get("shift").is_none());
    let default = api.layout().streams;
    let stream = default.is_some_and(|default| read.get("stream").map_or(default, |v| v == true));
    assert_eq!(stream, ask.stream, "{body}");
    let cap = match api.layout().limit {
        Some(Limit::Option) => &read["options"]["num_predict"],
        Some(Limit::Field(name)) => &read[name],
        None => return,
    };
    assert!(cap.as_u64().is_some_and(|n| (1..=100).contains(&n)), "{body}");
    for option in OPTIONS.iter().filter(|option| option.runner) {
        assert!(lax(&read["options"], option.name, true).is_none(), "{body}");
    }
}

#[test]
fn mangled_bodies_are_never_read_otherwise_than_checked() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut passed = 0;
    for round in 0..60_000 {
        let (api, seed) = SEEDS[round % SEEDS.len()];
        let body = mangle(seed, &mut random);
        if let Ok(ask) = look(&user(), api, &body) {
            check_upstream(api, &body, &ask);
            passed += 1;
        }
    }
    assert!(passed > 5_000, "{passed} passed");
}
