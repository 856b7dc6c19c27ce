//! Who is on the deny list is refused everywhere within ten seconds, streams that run are ended, and the list can be
//! taken back.

use std::time::{Duration, Instant};

use demo::issuer::Claims;
use demo::ollama::Model;
use fleet::store::Denial;
use gateway::identity::api_keys;
use gateway::request::route::{Action, Permission, ROUTES};
use tokio::time::timeout;

use crate::apis::{FAMILIES, h2_post, h2_wide, metric, until};
use crate::support::{AUDIENCE, CHAT, TestGateway, chat, ollama, ollama_with};

/// What is promised, and a little for a machine under load.
const IN_FORCE: Duration = Duration::from_secs(12);

async fn deny(gateway: &TestGateway, principal: &str) {
    let denial = Denial {
        principal: principal.to_owned(),
        reason: "left the company".to_owned(),
        by: "a test".to_owned(),
        since: 1,
    };
    gateway.store.deny(&denial).await.unwrap();
}

fn alice(gateway: &TestGateway) -> String {
    format!("{}#alice", gateway.issuer.url())
}

/// Asks until the status is this; how long that took.
async fn becomes(gateway: &TestGateway, credential: &str, status: u16) -> Duration {
    let client = gateway.client(); // one connection, open all the time
    let began = Instant::now();
    loop {
        let asked = client.get(gateway.url("/api/version")).bearer_auth(credential).send().await.unwrap();
        if asked.status() == status {
            return began.elapsed();
        }
        assert!(began.elapsed() < IN_FORCE, "{status} does not come, but {}", asked.status());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_denied_token_and_key_are_refused_on_every_route_and_let_in_again() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let (key, _) = api_keys::create(&*gateway.store, "nightly", Vec::new(), 0, None).await.unwrap();
    let admin = gateway.token_of(&Claims::oidc("alice").audience(AUDIENCE).group("admins"));
    for credential in [&token, &key, &admin] {
        becomes(&gateway, credential, 200).await;
    }
    deny(&gateway, &alice(&gateway)).await;
    deny(&gateway, "key#nightly").await;
    becomes(&gateway, &token, 403).await;
    for credential in [&token, &key, &admin] {
        for route in ROUTES.iter().filter(|route| route.action != Action::Page) {
            let open = matches!(route.permission, Permission::Anyone | Permission::Probe);
            let method = route.methods.split(", ").next().unwrap();
            let path = route
                .path
                .replace("{model}", "gemma3n:e4b")
                .replace("{file}", "0123-node")
                .replace("{id}", "0123")
                .replace("{*}", "index.html");
            let asked = gateway.client().request(method.parse().unwrap(), gateway.url(&path));
            let answer = asked.bearer_auth(credential).body(chat(true).to_string()).send().await.unwrap();
            let status = answer.status().as_u16();
            assert_eq!(status, if open { 200 } else { 403 }, "{method} {path}");
            if !open {
                let told = answer.text().await.unwrap();
                assert!(told.contains("access for this account has been withdrawn"), "{told}");
            }
        }
    }
    assert!(gateway.metrics().contains("denied"), "{}", gateway.metrics());
    becomes(&gateway, &gateway.token_for("bob"), 200).await;
    assert!(gateway.store.allow(&alice(&gateway)).await.unwrap());
    becomes(&gateway, &token, 200).await;
    becomes(&gateway, &key, 403).await;
}

#[tokio::test]
async fn a_running_stream_is_ended_in_words() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    ollama.hold_tokens_after(1);
    let mut streams = Vec::new();
    for api in FAMILIES.into_iter().take(2) {
        // as many as there are slots
        let mut answer = gateway.post(api.path, &api.body(true)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.chunk().await.unwrap().expect("a first token");
        streams.push((api, answer));
    }
    let began = Instant::now();
    deny(&gateway, &alice(&gateway)).await;
    for (api, answer) in streams {
        let rest = timeout(IN_FORCE, answer.text()).await.expect("it ends").unwrap();
        let told = api.error_in(&rest).unwrap_or_else(|| panic!("{api:?}: an error in {rest:?}"));
        assert!(told.to_string().contains("withdrawn"), "{api:?}: {told}");
    }
    assert!(began.elapsed() < IN_FORCE, "{:?}", began.elapsed());
    ollama.wait_until(|stats| stats.running == 0).await.unwrap();
}

/// Also who has no head yet.
#[tokio::test]
async fn who_waits_for_a_whole_answer_is_refused() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    ollama.hold_tokens_after(0);
    let held = gateway.post("/api/chat", &chat(false)).send();
    let denied = async {
        ollama.wait_until(|stats| stats.running == 1).await.unwrap();
        deny(&gateway, &alice(&gateway)).await;
    };
    let (answer, ()) = timeout(IN_FORCE, async { tokio::join!(held, denied) }).await.unwrap();
    assert_eq!(answer.unwrap().status(), 403);
    ollama.wait_until(|stats| stats.running == 0).await.unwrap();
    until("no slot is taken", || gateway.gateway.shared.queue.load().busy == 0).await;
}

/// Nobody polls the answer of a client that is full, and so nobody would tell it.
#[tokio::test]
async fn who_does_not_read_holds_nothing_either() {
    let ollama = ollama_with(Model::chat(CHAT).endless().context(1_000_000)).await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.limits.output_tokens = 1_000_000;
        config.queue.max_wait_seconds = Duration::from_secs(80_000);
    });
    let gateway = builder.start().await;
    ollama.hold_tokens_after(60_000); // some 7 MB of lines: far more than the window takes
    let mut h2 = h2_wide(&gateway).await;
    let unread = h2_post(&gateway, &mut h2, "/api/chat", &chat(true)).await;
    assert_eq!(unread.status(), 200);
    deny(&gateway, &alice(&gateway)).await;
    until("the slot is free", || gateway.gateway.shared.queue.load().busy == 0).await;
    ollama.wait_until(|stats| stats.running == 0).await.unwrap();
    let refused = "gateway_requests_total{route=\"/api/chat\",outcome=\"refused\"}";
    assert_eq!(metric(&gateway, refused), 1.0);
    drop(unread);
}
