//! A stream that waits is never silent for long: its family's bytes come, then the answer or an error in its form.

use std::time::{Duration, Instant};

use demo::ollama::{Fault, Model, SimulatedOllama};

use crate::apis::{APIS, Api, FAMILIES, Hop, assert_plain, h2_chunk, h2_post, until};
use crate::support::{Builder, CHAT, TestGateway, ollama, ollama_with, request};

/// What a request waits for.
#[derive(Debug, Clone, Copy)]
enum Silence {
    Queued,
    Loading,
    Prefill,
}

const AFTER: Duration = Duration::from_millis(120);
const EVERY: Duration = Duration::from_millis(60);

async fn patient(ollama: &SimulatedOllama) -> Builder {
    TestGateway::in_front_of(ollama).await.config(|config| {
        config.queue.keepalive_after_seconds = AFTER;
        config.queue.keepalive_every_seconds = EVERY;
    })
}

/// Without the pinned model, which then is cold.
async fn cold(ollama: &SimulatedOllama) -> TestGateway {
    let builder = patient(ollama).await;
    builder.config(|config| config.ollama.as_mut().unwrap().models.clear()).start().await
}

fn bodies(gateway: &TestGateway, api: Api) -> reqwest::RequestBuilder {
    gateway.post(api.path, &api.body(true))
}

/// Reads until so many keep-alive units have come, and nothing else.
async fn keepalives(answer: &mut reqwest::Response, api: Api, units: usize) -> String {
    let mut text = String::new();
    while text.len() < units * api.keepalive.len() {
        let chunk = answer.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert_eq!(text, api.keepalive.repeat(text.len() / api.keepalive.len()), "{api:?}");
    text
}

async fn check(silence: Silence, api: Api) {
    let ollama = ollama().await;
    let gateway = match silence {
        Silence::Loading => cold(&ollama).await,
        _ => patient(&ollama).await.start().await,
    };
    let mut others = Vec::new();
    match silence {
        Silence::Loading => ollama.hold_loads(),
        Silence::Prefill => ollama.hold_tokens_after(0),
        Silence::Queued => {
            ollama.hold_tokens_after(0);
            for _ in 0..2 {
                let mut raw = gateway.raw().await;
                raw.send(request("POST", api.path, &gateway.token(), &api.body(true).to_string())).await;
                others.push(raw);
            }
            ollama.wait_until(|stats| stats.running == 2).await.unwrap();
        }
    }
    let began = Instant::now();
    let mut answer = bodies(&gateway, api).send().await.unwrap();
    assert!(began.elapsed() >= AFTER, "{silence:?} {api:?}: not before its time");
    let headers = answer.headers();
    assert_eq!(
        (answer.status().as_u16(), &headers["content-type"]),
        (200, &api.content_type.parse().unwrap())
    );
    for unknown in ["x-queue-wait-ms", "x-served-by", "retry-after", "content-length"] {
        assert!(!headers.contains_key(unknown), "{silence:?} {api:?}: {unknown}");
    }
    let came = keepalives(&mut answer, api, 4).await;
    let (units, took) = (came.len() / api.keepalive.len(), began.elapsed());
    assert!(took >= AFTER + EVERY * (units as u32 - 1), "{units} within {took:?}");
    ollama.release_loads();
    ollama.release_tokens();
    let rest = answer.text().await.unwrap();
    let answer = rest.replace(api.keepalive, if api.keepalive == " " { " " } else { "" });
    assert!(answer.contains(api.end), "{silence:?} {api:?}: {answer}");
    assert!(api.error_in(&answer).is_none());
    if api.keepalive == " " {
        for line in answer.trim_start_matches(' ').lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}

#[tokio::test]
async fn while_queued() {
    for api in FAMILIES {
        check(Silence::Queued, api).await;
    }
}

#[tokio::test]
async fn while_loading() {
    for api in FAMILIES {
        check(Silence::Loading, api).await;
    }
}

#[tokio::test]
async fn while_the_prompt_is_read() {
    for api in FAMILIES {
        check(Silence::Prefill, api).await;
    }
}

/// Behind the first token too: a model that thinks without a word, a machine that stutters.
#[tokio::test]
async fn between_tokens() {
    let ollama = ollama().await;
    let gateway = patient(&ollama).await.start().await;
    for api in FAMILIES {
        ollama.hold_tokens_after(1);
        let mut answer = bodies(&gateway, api).send().await.unwrap();
        let mut text = String::new();
        while text.matches(api.keepalive).count() < if api.keepalive == " " { 4 } else { 2 } {
            let chunk = answer.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        ollama.release_tokens();
        let rest = answer.text().await.unwrap();
        assert!(rest.contains(api.end), "{api:?} {rest}");
    }
}

#[tokio::test]
async fn a_refusal_behind_the_head_is_an_error_in_the_stream() {
    for api in APIS {
        let ollama = ollama().await;
        let gateway = cold(&ollama).await;
        ollama.fault_on("/api/generate", Fault::FailLoad("llama-server process has terminated".to_owned()));
        ollama.hold_loads();
        let mut answer = bodies(&gateway, api).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        keepalives(&mut answer, api, 2).await;
        let mut h2 = gateway.h2().await;
        let mut second = h2_post(&gateway, &mut h2, api.path, &api.body(true)).await;
        ollama.release_loads();
        let rest = answer.text().await.expect("a proper end");
        assert_plain(
            &api.error_in(rest.trim_start_matches(' ')).unwrap_or_else(|| panic!("{api:?}: {rest}")),
        );
        let mut text = String::new();
        while let Some(chunk) = h2_chunk(second.body_mut()).await {
            text.push_str(std::str::from_utf8(&chunk.expect("a proper end")).unwrap());
        }
        assert_plain(
            &api.error_in(text.trim_start_matches(' ')).unwrap_or_else(|| panic!("{api:?}: {text}")),
        );
    }
}

#[tokio::test]
async fn before_its_time_a_refusal_has_its_status() {
    let ollama = ollama().await;
    let gateway = cold(&ollama).await;
    for api in APIS {
        let mut unknown = api.body(true);
        unknown["model"] = "gemma-none".into();
        let answer = gateway.post(api.path, &unknown).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (404, &"application/json".parse().unwrap())
        );
    }
    ollama.fault_on("/api/generate", Fault::FailLoad("llama-server process has terminated".to_owned()));
    let answer = bodies(&gateway, APIS[1]).send().await.unwrap();
    assert_eq!(answer.status(), 502);
}

/// Ten minutes behind a load balancer that cuts after one of silence, a hundred times faster: 6 s, 0.6 s, and
/// keep-alive bytes after 0.1 s and every 0.15 s. The test's sockets and the store run in real time, so does this.
#[tokio::test]
async fn ten_minutes_pass_through_a_hop_that_cuts_silence() {
    let ollama = ollama_with(Model::chat(CHAT).load_time(Duration::from_secs(6))).await;
    let mut gateway = patient(&ollama)
        .await
        .config(|config| {
            config.ollama.as_mut().unwrap().models.clear();
            config.queue.keepalive_after_seconds = Duration::from_millis(100);
            config.queue.keepalive_every_seconds = Duration::from_millis(150);
        })
        .start()
        .await;
    let hop = Hop::to(gateway.port, Duration::from_millis(600)).await;
    gateway.port = hop.port;
    let began = Instant::now();
    let asked = FAMILIES.map(|api| {
        let asking = bodies(&gateway, api);
        async move { (api, asking.send().await.unwrap().text().await.unwrap()) }
    });
    for (api, text) in futures_util::future::join_all(asked).await {
        assert!(text.contains(api.end) && text.matches(api.keepalive).count() >= 30, "{api:?} {text}");
    }
    assert!(began.elapsed() >= Duration::from_secs(6));
    // The hop does cut: a request that says nothing meanwhile is lost.
    ollama.hold_tokens_after(0);
    let silent = gateway.post("/api/chat", &APIS[1].body(false)).send();
    assert!(silent.await.is_err());
    until("its slot is free", || gateway.gateway.shared.queue.load().busy == 0).await;
}
