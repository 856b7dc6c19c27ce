//! What is not in the table does not exist, however it is spelled; what is in it wants a credential, but for the four
//! that say so.

use demo::ollama::SimulatedOllama;
use gateway::request::route::{Permission, ROUTES, Route};
use http::Request;

use crate::speak::{Answer, next_answer, over_h2};
use crate::support::{Raw, TestGateway, ollama};

/// A path that a row of the table matches.
fn path(route: &Route) -> String {
    route
        .path
        .replace("{model}", "gemma3n:e4b")
        .replace("{file}", "0123-node")
        .replace("{id}", "0123")
        .replace("{*}", "index.html")
}

/// Asks on a connection that is replaced where the gateway closes it.
struct Asker<'a> {
    gateway: &'a TestGateway,
    raw: Option<Raw>,
}

impl Asker<'_> {
    async fn ask(&mut self, method: &str, path: &str, token: Option<&str>) -> Answer {
        let mut raw = match self.raw.take() {
            Some(raw) => raw,
            None => self.gateway.raw().await,
        };
        let credential = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        raw.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{credential}\r\n")).await;
        let answer = if method == "HEAD" {
            Answer::of_text(&raw.until("\r\n\r\n").await)
        } else {
            next_answer(&mut raw).await
        };
        self.raw = (answer.field("connection") != Some("close")).then_some(raw);
        answer
    }
}

/// What Ollama was asked besides what the gateway asks for itself.
fn asked(ollama: &SimulatedOllama) -> usize {
    let own = ["/api/ps", "/api/tags", "/api/version", "/api/generate"]; // the last loads the pinned model
    ollama.requests().iter().filter(|seen| !own.contains(&seen.target.as_str())).count()
}

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get"];

#[tokio::test]
async fn every_route_wants_a_credential_but_heartbeat_and_health() {
    let ollama = ollama().await;
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("index.html"), "<p>").unwrap();
    let page = folder.path().to_owned();
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| config.ui.directory = Some(page));
    let gateway = builder.start().await;
    let mut asker = Asker { gateway: &gateway, raw: None };
    let mut open = Vec::new();
    for route in ROUTES {
        for method in route.methods.split(", ") {
            let case = format!("{method} {}", route.path);
            let h1 = asker.ask(method, &path(route), None).await;
            let request = Request::builder().method(method).uri(path(route)).body(()).unwrap();
            let h2 = over_h2(&gateway, request, "").await;
            assert_eq!(h1.status, h2.status, "{case}");
            if matches!(route.permission, Permission::Probe | Permission::Anyone) {
                assert_eq!(h1.status, 200, "{case}");
                open.push(route.path);
            } else {
                assert_eq!(h1.status, 401, "{case}");
            }
        }
    }
    open.dedup();
    assert_eq!(open, ["/", "/healthz", "/readyz", "/health", "/ui/{*}"]);
    assert_eq!(asked(&ollama), 0);
}

#[tokio::test]
async fn a_wrong_method_is_405_and_told_the_right_ones() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let mut asker = Asker { gateway: &gateway, raw: None };
    let token = gateway.token_in("admins");
    for route in ROUTES {
        for method in
            METHODS.into_iter().filter(|method| !route.methods.split(", ").any(|one| one == *method))
        {
            let answer = asker.ask(method, &path(route), Some(&token)).await;
            assert_eq!(answer.status, 405, "{method} {}", route.path);
            assert_eq!(answer.field("allow"), Some(route.methods), "{method} {}", route.path);
        }
    }
    assert_eq!(asked(&ollama), 0);
}

#[tokio::test]
async fn every_other_spelling_of_a_route_is_refused() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let mut asker = Asker { gateway: &gateway, raw: None };
    let token = gateway.token_in("admins");
    for route in ROUTES.iter().filter(|route| route.path != "/") {
        let method = route.methods.split(", ").next().unwrap();
        let path = path(route);
        let (front, back) = path.rsplit_once('/').unwrap();
        let escaped = format!("%{:02x}{}", back.as_bytes()[0], &back[1..]);
        let unclean = [
            format!("{front}%2F{back}"),
            format!("{front}%2f{back}"),
            format!("{front}/{escaped}"),
            format!("/%2e{path}"),
            format!("/{path}"),
            format!("{front}//{back}"),
            format!("{path}//"),
            format!("{front}/./{back}"),
            format!("/.{path}"),
            format!("/..{path}"),
            format!("/x/..{path}"),
            format!("{path}/.."),
            format!("{path}/."),
            format!("{path};v=1"),
            format!("{front};/{back}"),
            format!("{front}\\{back}"),
            format!("{path}%00"),
            format!("{path}%20"),
            format!("{path}é"),
            format!("{path}%c3%a9"),
        ];
        for spelling in unclean {
            let answer = asker.ask(method, &spelling, Some(&token)).await;
            assert_eq!(answer.status, 400, "{method} {spelling:?}");
        }
        let mut unlisted =
            vec![format!("{path}/"), format!("/x{path}"), format!("{path}/x"), format!("/api{path}")];
        if route.named_segment(&path).is_none() {
            unlisted.extend([
                path.to_uppercase(),
                format!("{path}x"),
                format!("{path}:"),
                format!("{path},"),
            ]);
        }
        for spelling in unlisted {
            let answer = asker.ask(method, &spelling, Some(&token)).await;
            assert_eq!(answer.status, 404, "{method} {spelling:?}");
        }
    }
    assert_eq!(asked(&ollama), 0);
}

#[tokio::test]
async fn what_a_caller_may_not_is_403_before_anything_else() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let mut asker = Asker { gateway: &gateway, raw: None };
    let (user, operator, admin) =
        (gateway.token(), gateway.token_in("operators"), gateway.token_in("admins"));
    let mut kept = Vec::new();
    for route in ROUTES {
        let allowed = match route.permission {
            Permission::Probe | Permission::Anyone | Permission::User => [true, true, true],
            Permission::Operate => [false, true, true],
            Permission::ManageModels | Permission::Administer => [false, false, true],
        };
        for (token, allowed) in [&user, &operator, &admin].into_iter().zip(allowed) {
            let method = route.methods.split(", ").next().unwrap();
            let answer = asker.ask(method, &path(route), Some(token)).await;
            assert_eq!(answer.status != 403, allowed, "{method} {}: {}", route.path, answer.status);
            if !allowed {
                kept.push(route.path);
                assert!(answer.body.contains("only "), "in words: {}", answer.body);
            }
        }
    }
    kept.dedup();
    assert_eq!(
        kept,
        [
            "/fleet/wake",
            "/fleet/sleep",
            "/fleet/hold",
            "/fleet/keys",
            "/fleet/denials",
            "/fleet/links",
            "/moderation/people",
            "/moderation/conversations",
            "/moderation/conversation",
            "/moderation/search",
            "/moderation/audit",
            "/fleet/history",
            "/api/pull",
            "/api/delete"
        ]
    );
    assert_eq!(gateway.store.state("default").await.unwrap().phase, fleet::store::Phase::FallingAsleep);
}

#[tokio::test]
async fn what_ollama_has_and_nobody_may_is_404_for_everybody() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let mut asker = Asker { gateway: &gateway, raw: None };
    let digest = format!("/api/blobs/sha256:{}", "0".repeat(64));
    for token in
        [None, Some(gateway.token()), Some(gateway.token_in("operators")), Some(gateway.token_in("admins"))]
    {
        for (method, path) in [
            ("POST", "/v1/audio/transcriptions"),
            ("POST", "/api/push"),
            ("POST", "/api/create"),
            ("POST", "/api/copy"),
            ("HEAD", &digest),
            ("POST", &digest),
            ("POST", "/api/me"),
            ("POST", "/api/signout"),
            ("DELETE", "/api/user/keys/x"),
            ("POST", "/api/experimental/web_search"),
            ("POST", "/api/experimental/web_fetch"),
            ("GET", "/api/experimental/model-recommendations"),
            ("GET", "/debug/pprof/"),
            ("GET", "/debug/vars"),
            ("GET", "/metrics"),
            ("GET", "/api"),
            ("GET", "/v1"),
            ("GET", "/v1/models/"),
            ("GET", "/v1/models/library/gemma3n"),
            ("POST", "/v1/messages/count_tokens"),
            ("GET", "/index.html"),
        ] {
            assert_eq!(asker.ask(method, path, token.as_deref()).await.status, 404, "{method} {path}");
        }
    }
    assert_eq!(asked(&ollama), 0);
}

#[tokio::test]
async fn the_query_is_dropped_and_head_has_no_body() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let mut asker = Asker { gateway: &gateway, raw: None };
    let token = gateway.token();
    for path in ["/api/version?ts=1", "/api/tags?model=secret&x=%2F..%2f;//", "/?a"] {
        assert_eq!(asker.ask("GET", path, Some(&token)).await.status, 200, "{path}");
    }
    assert_eq!(asker.ask("GET", "/", None).await.body, "Ollama is running");
    for (path, token, status) in [
        ("/", None, 200),
        ("/api/version", Some(token.as_str()), 200),
        ("/api/tags", Some(token.as_str()), 200),
        ("/api/tags", None, 401),
        ("/api/ps", Some(token.as_str()), 405),
        ("/api/nothing", None, 404),
    ] {
        // A body would be read as the head of the next answer.
        let h1 = asker.ask("HEAD", path, token).await;
        assert_eq!(h1.status, status, "{path}");
        let get = asker.ask("GET", path, token).await;
        if get.status == status {
            assert_eq!(h1.field("content-length"), get.field("content-length"), "{path}");
        }
        let mut request = Request::head(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let h2 = over_h2(&gateway, request.body(()).unwrap(), "").await;
        assert_eq!((h2.status, h2.body.as_str()), (status, ""), "{path}");
    }
}

#[tokio::test]
async fn hosts_and_networks_are_checked_for_all_but_health() {
    let ollama = ollama().await;
    let start = |hosts: Vec<String>, networks: &'static str| async {
        let builder = TestGateway::in_front_of(&ollama).await;
        let set = |config: &mut gateway::config::Config| {
            config.access.hosts = hosts;
            config.access.allowed_networks = vec![networks.parse().unwrap()];
        };
        builder.config(set).start().await
    };
    let other_name = start(vec!["llm.example.com".to_owned()], "127.0.0.0/8").await;
    let other_network = start(Vec::new(), "10.8.0.0/16").await;
    for (gateway, refused) in [(&other_name, 421), (&other_network, 403)] {
        let mut asker = Asker { gateway, raw: None };
        let token = gateway.token_in("admins");
        for route in ROUTES {
            let method = route.methods.split(", ").next().unwrap();
            let expected = if route.permission == Permission::Probe { 200 } else { refused };
            for token in [None, Some(token.as_str())] {
                let answer = asker.ask(method, &path(route), token).await;
                assert_eq!(answer.status, expected, "{method} {}", route.path);
            }
        }
    }
    for host in ["llm.example.com", "LLM.example.COM", "llm.example.com:8443"] {
        let mut raw = other_name.raw().await;
        raw.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(next_answer(&mut raw).await.status, 200, "{host}");
    }
}
