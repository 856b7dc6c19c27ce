//! Listed pages may call, and are told so also in errors; others get nothing done and nothing to read.

use http::HeaderMap;
use reqwest::{Method, RequestBuilder};

use crate::speak::{Answer, over_h2};
use crate::support::{ORIGIN, TestGateway, chat, ollama};

fn vary(headers: &HeaderMap) -> String {
    let fields: Vec<_> = headers.get_all("vary").iter().map(|field| field.to_str().unwrap()).collect();
    fields.join(", ").to_ascii_lowercase()
}

fn readable(answer: &Answer, case: &str) {
    assert_eq!(answer.field("access-control-allow-origin"), Some(ORIGIN), "{case}");
    let exposed = answer.field("access-control-expose-headers").unwrap_or_default().to_ascii_lowercase();
    for field in ["x-request-id", "x-queue-wait-ms", "retry-after"] {
        assert!(exposed.contains(field), "{case}: {field} in {exposed}");
    }
    assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{case}");
    assert!(vary(&answer.headers).contains("origin"), "{case}");
}

fn unreadable(answer: &Answer, case: &str) {
    let marks = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(marks.count(), 0, "{case}: {answer:?}");
    assert!(vary(&answer.headers).contains("origin"), "{case}");
}

fn preflight(gateway: &TestGateway, path: &str, origin: &str) -> RequestBuilder {
    let request = gateway.client().request(Method::OPTIONS, gateway.url(path)).header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    request.header("access-control-request-headers", "authorization,content-type,x-stainless-os")
}

#[tokio::test]
async fn a_preflight_is_answered_here_and_without_a_credential() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let before = ollama.requests().iter().filter(|seen| seen.target != "/api/ps").count();
    for path in ["/api/chat", "/v1/chat/completions", "/v1/messages", "/api/delete", "/api/tags"] {
        let answer = Answer::of(preflight(&gateway, path, ORIGIN)).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}");
        readable(&answer, path);
        let listed = |field: &str| answer.field(field).unwrap().to_ascii_lowercase();
        for header in [
            "authorization",
            "content-type",
            "x-api-key",
            "anthropic-version",
            "anthropic-beta",
            "x-stainless-os",
        ] {
            assert!(listed("access-control-allow-headers").split(", ").any(|one| one == header), "{header}");
        }
        assert!(listed("access-control-allow-methods").contains("post"));
        assert!(!listed("access-control-allow-headers").contains('*'));
        unreadable_preflight(&gateway, path).await;
    }
    assert_eq!(ollama.requests().iter().filter(|seen| seen.target != "/api/ps").count(), before);
}

async fn unreadable_preflight(gateway: &TestGateway, path: &str) {
    for origin in [
        "https://evil.example",
        "null",
        "https://translate.example.com.evil.example",
        "https://translate.example.com:444",
        "http://translate.example.com",
        "https://TRANSLATE.example.com",
        "https://translate.example.com/",
        "https://translate.example.com https://evil.example",
    ] {
        let answer = Answer::of(preflight(gateway, path, origin)).await;
        assert_eq!(answer.status, 403, "{origin}");
        unreadable(&answer, origin);
    }
}

#[tokio::test]
async fn a_foreign_page_gets_nothing_done_by_any_method() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let before = ollama.inferences().len();
    let own = format!("https://localhost:{}", gateway.port);
    for origin in ["https://evil.example", "null", "http://localhost", &own] {
        for (method, path) in [
            (Method::POST, "/api/chat"),
            (Method::POST, "/v1/messages"),
            (Method::GET, "/api/tags"),
            (Method::GET, "/healthz"),
            (Method::OPTIONS, "/api/chat"),
        ] {
            let request =
                gateway.client().request(method.clone(), gateway.url(path)).bearer_auth(gateway.token());
            let request = request.header("origin", origin).body(chat(false).to_string());
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 403, "{method} {path} {origin}");
            unreadable(&answer, origin);
        }
    }
    let two = gateway.get("/api/tags").header("origin", ORIGIN).header("origin", "https://evil.example");
    let two = Answer::of(two).await;
    assert_eq!(two.status, 403);
    unreadable(&two, "two origins");
    assert_eq!(ollama.inferences().len(), before);
}

#[tokio::test]
async fn a_listed_page_can_read_answers_and_errors() {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await;
    let set = |config: &mut gateway::config::Config| {
        let user = config.roles.get_mut("user").unwrap();
        (user.requests_per_minute, user.requests_burst) = (Some(1), Some(4));
    };
    let gateway = builder.config(set).start().await;
    let client = gateway.client();
    let by = |request: RequestBuilder| Answer::of(request.header("origin", ORIGIN));
    let good = gateway.token();
    let post = |token: &str, path: &str, body: &str| {
        client.post(gateway.url(path)).bearer_auth(token).body(body.to_owned())
    };
    let words = chat(false).to_string();
    for (request, status) in [
        (post(&good, "/api/chat", &words), 200),
        (post(&good, "/api/chat", &chat(true).to_string()), 200),
        (post(&good, "/api/chat", "{"), 400),
        (post("wrong", "/api/chat", &words), 401),
        (post(&good, "/api/nothing", &words), 404),
        (client.put(gateway.url("/api/chat")).bearer_auth(&good), 405),
        (post(&good, "/api/chat", r#"{"model":"nobody","messages":[]}"#), 404),
        (post(&good, "/api/chat", &words), 429), // the burst of four is used up
    ] {
        let answer = by(request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        readable(&answer, &status.to_string());
    }
    let h2 = http::Request::get("/api/tags").header("origin", ORIGIN).body(()).unwrap();
    let h2 = over_h2(&gateway, h2, "").await;
    assert_eq!(h2.status, 401);
    readable(&h2, "over HTTP/2");
    let program = Answer::of(client.get(gateway.url("/healthz"))).await;
    assert_eq!(program.status, 200);
    unreadable(&program, "a program");
}
