//! Every error has the status, the shape and the fields that the clients of its family read.

use std::time::Duration;

use gateway::config::Config;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::speak::{Answer, over_h2};
use crate::support::{CHAT, DENIED, TestGateway, chat, ollama, request};

/// A family: where it is asked, and a good body there.
struct Family {
    path: &'static str,
    shape: fn(&Row, &str) -> Value,
}

/// A row of the table: what went wrong, and how the families say so.
struct Row {
    status: u16,
    openai: &'static str,
    code: Option<&'static str>,
    anthropic: &'static str,
}

const FAMILIES: [Family; 3] = [
    Family { path: "/api/chat", shape: |_, text| json!({ "error": text }) },
    Family {
        path: "/v1/chat/completions",
        shape: |row, text| json!({ "error": { "message": text, "type": row.openai, "param": null, "code": row.code } }),
    },
    Family {
        path: "/v1/messages",
        shape: |row, text| json!({ "type": "error", "error": { "type": row.anthropic, "message": text }, "request_id": ID }),
    },
];

const ID: &str = "the-id-of-this-request";
const BAD: &str = "invalid_request_error";

const fn row(status: u16, openai: &'static str, code: Option<&'static str>, anthropic: &'static str) -> Row {
    Row { status, openai, code, anthropic }
}

/// Checks an answer against the shape of its family; the text is free, but must be words.
fn check(family: &Family, row: &Row, answer: &Answer, case: &str) {
    let case = format!("{case} on {}: {answer:?}", family.path);
    assert_eq!(answer.status, row.status, "{case}");
    let body = answer.json();
    let text = match &body["error"] {
        Value::String(text) => text,
        error => error["message"].as_str().unwrap_or_else(|| panic!("no text: {case}")),
    };
    assert!(text.contains(' ') && serde_json::from_str::<Value>(text).is_err(), "plain words: {case}");
    assert_eq!(body, (family.shape)(row, text), "{case}");
    assert_eq!(answer.field("content-type"), Some("application/json"), "{case}");
    assert_eq!(answer.field("content-length"), Some(answer.body.len().to_string().as_str()), "{case}");
    assert_eq!(answer.field("cache-control"), Some("no-store"), "{case}");
    assert_eq!(answer.field("x-request-id"), Some(ID), "{case}");
    assert_eq!(answer.headers.contains_key("www-authenticate"), row.status == 401, "{case}");
    assert_eq!(answer.headers.contains_key("allow"), row.status == 405, "{case}");
    let wait = answer.field("retry-after").map(|seconds| seconds.parse::<u64>().unwrap());
    assert_eq!(wait.is_some(), matches!(row.status, 429 | 503), "{case}");
    assert!(wait.is_none_or(|seconds| (1..=60).contains(&seconds)), "{case}");
}

async fn gateway(set: impl FnOnce(&mut Config)) -> (demo::ollama::SimulatedOllama, TestGateway) {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await;
    (ollama, builder.config(set).start().await)
}

/// A good body for every family.
fn body(model: &str) -> String {
    let words = json!([{ "role": "user", "content": "hi" }]);
    json!({ "model": model, "messages": words, "max_tokens": 10, "stream": false }).to_string()
}

/// A mistake, how it is made, and what is said to it.
type Case = (&'static str, Method, fn(RequestBuilder) -> RequestBuilder, Row);

/// Mistakes that every family can be asked with.
fn cases() -> [Case; 12] {
    [
        ("no JSON", Method::POST, |r| r.body("{"), row(400, BAD, None, BAD)),
        ("no object", Method::POST, |r| r.body("[]"), row(400, BAD, None, BAD)),
        ("nothing", Method::POST, |r| r.body(""), row(400, BAD, None, BAD)),
        (
            "two models",
            Method::POST,
            |r| {
                r.body(
                    r#"{"model":"a","MODEL":"b","messages":[{"role":"user","content":"x"}],"max_tokens":1}"#,
                )
            },
            row(400, BAD, None, BAD),
        ),
        (
            "no credential",
            Method::POST,
            |r| r.header("x-api-key", "second").body(body(CHAT)),
            row(401, "authentication_error", Some("invalid_api_key"), "authentication_error"),
        ),
        (
            "a foreign page",
            Method::POST,
            |r| r.header("origin", "https://evil.example").body(body(CHAT)),
            row(403, "permission_error", Some("forbidden"), "permission_error"),
        ),
        (
            "a denied model",
            Method::POST,
            |r| r.body(body(DENIED)),
            row(404, "not_found_error", Some("model_not_found"), "not_found_error"),
        ),
        (
            "an unknown model",
            Method::POST,
            |r| r.body(body("gemma-unknown")),
            row(404, "not_found_error", Some("model_not_found"), "not_found_error"),
        ),
        ("a method", Method::PUT, |r| r.body(body(CHAT)), row(405, BAD, Some("method_not_allowed"), BAD)),
        (
            "a large body",
            Method::POST,
            |r| r.body(" ".repeat(5000)),
            row(413, BAD, Some("request_too_large"), "request_too_large"),
        ),
        (
            "an encoding",
            Method::POST,
            |r| r.header("content-encoding", "gzip").body("x"),
            row(415, BAD, None, BAD),
        ),
        (
            "a second encoding",
            Method::POST,
            |r| r.header("content-encoding", "identity").header("content-encoding", "zstd").body("x"),
            row(415, BAD, None, BAD),
        ),
    ]
}

#[tokio::test]
async fn each_family_gets_its_own_form() {
    let (_ollama, gateway) = gateway(|config| config.limits.body_bytes = 4000).await;
    let (client, token) = (gateway.client(), gateway.token());
    for family in &FAMILIES {
        for (case, method, make, row) in &cases() {
            let request = client.request(method.clone(), gateway.url(family.path)).bearer_auth(&token);
            let answer = Answer::of(make(request.header("x-request-id", ID))).await;
            check(family, row, &answer, case);
        }
        let long = format!("{}?{}", family.path, "x".repeat(9000));
        let long = client.post(gateway.url(&long)).header("x-request-id", ID);
        check(family, &row(414, BAD, None, BAD), &Answer::of(long).await, "a long target");
    }
}

#[tokio::test]
async fn an_unknown_route_has_the_form_of_its_prefix() {
    let (_ollama, gateway) = gateway(|_| ()).await;
    let unknown = row(404, "not_found_error", Some("not_found"), "not_found_error");
    for (path, at) in [
        ("/api/nothing", 0),
        ("/nothing", 0),
        ("/v2/models", 0),
        ("/v1x", 0),
        ("/v1/nothing", 1),
        ("/v1/messagesx", 1),
        ("/v1/messages/count_tokens", 2),
    ] {
        let answer = Answer::of(gateway.post(path, &chat(false)).header("x-request-id", ID)).await;
        check(&FAMILIES[at], &unknown, &answer, path);
    }
    let unclean = Answer::of(gateway.get("/v1/models/a%2Fb").header("x-request-id", ID)).await;
    check(&FAMILIES[1], &row(400, BAD, None, BAD), &unclean, "an unclean path");
}

#[tokio::test]
async fn a_limit_reached_says_when_to_come_back() {
    let (_ollama, gateway) = gateway(|config| {
        let user = config.roles.get_mut("user").unwrap();
        (user.requests_per_minute, user.requests_burst) = (Some(1), Some(1));
    })
    .await;
    assert_eq!(Answer::of(gateway.get("/api/tags")).await.status, 200);
    let row = row(429, "rate_limit_error", Some("rate_limit_exceeded"), "rate_limit_error");
    for family in &FAMILIES {
        let answer = gateway.post(family.path, &chat(false)).header("x-request-id", ID);
        check(family, &row, &Answer::of(answer).await, "too many");
    }
}

#[tokio::test]
async fn a_slow_body_is_told_not_to_try_again() {
    let (_ollama, gateway) =
        gateway(|config| config.limits.body_idle_seconds = Duration::from_millis(50)).await;
    let row = row(408, "timeout_error", Some("request_timeout"), "timeout_error");
    for family in &FAMILIES {
        let mut raw = gateway.raw().await;
        let whole = request("POST", family.path, &gateway.token(), &body(CHAT));
        let whole = whole.replacen("\r\n", &format!("\r\nX-Request-Id: {ID}\r\n"), 1);
        raw.send(&whole[..whole.len() - 1]).await;
        let answer = Answer::of_text(&raw.rest().await);
        check(family, &row, &answer, "a slow body");
        assert_eq!(answer.field("connection"), Some("close"));
        assert_eq!(answer.field("x-should-retry"), Some("false"));
    }
}

#[tokio::test]
async fn a_front_for_which_no_node_wakes_says_so() {
    let (_ollama, gateway) = gateway(|config| {
        config.ollama = None;
        config.queue.hold_seconds = Duration::from_millis(100);
    })
    .await;
    let row = row(504, "timeout_error", Some("upstream_timeout"), "timeout_error");
    for family in &FAMILIES {
        let request = gateway.client().post(gateway.url(family.path)).bearer_auth(gateway.token());
        let request = request.header("x-request-id", ID).body(body(CHAT));
        check(family, &row, &Answer::of(request).await, "no node");
    }
}

#[tokio::test]
async fn too_many_fields_are_431_on_both_protocols() {
    let (_ollama, gateway) = gateway(|_| ()).await;
    let token = gateway.token();
    for (fields, length) in [(150, 1), (3, 20_000)] {
        let mut h1 =
            format!("GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
        let mut h2 = http::Request::get("/api/tags").header("authorization", format!("Bearer {token}"));
        for at in 0..fields {
            let value = "v".repeat(length);
            h1.push_str(&format!("x-{at}: {value}\r\n"));
            h2 = h2.header(format!("x-{at}"), value);
        }
        let mut raw = gateway.raw().await;
        raw.send(format!("{h1}\r\n")).await;
        let answer = raw.rest().await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        assert_eq!(over_h2(&gateway, h2.body(()).unwrap(), "").await.status, 431);
    }
}

#[tokio::test]
async fn a_request_id_is_returned_or_made() {
    let (_ollama, gateway) = gateway(|_| ()).await;
    for path in ["/api/tags", "/healthz", "/api/nothing"] {
        let id = async |given: Option<&str>| {
            let request = gateway.get(path);
            let request = given.into_iter().fold(request, |request, id| request.header("x-request-id", id));
            Answer::of(request).await.field("x-request-id").unwrap().to_owned()
        };
        assert_eq!(id(Some("0123-abc_DEF.x")).await, "0123-abc_DEF.x");
        let (one, two) = (id(None).await, id(None).await);
        assert!(one != two && one.len() == 32, "{one} {two}");
        for bad in ["short", "with spaces in it", "{\"a\":1}{\"a\":1}", &"x".repeat(65)] {
            assert_ne!(id(Some(bad)).await, bad);
        }
    }
}
