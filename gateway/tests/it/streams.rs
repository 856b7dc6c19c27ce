//! A stream reaches the client as Ollama wrote it: every byte, each token as it comes, over both protocols.

use demo::ollama::{Fault, Model, SimulatedOllama};
use serde_json::{Value, json};

use crate::apis::{APIS, Api, h2_chunk, h2_post};
use crate::support::{CHAT, TestGateway, ollama, ollama_with};

#[derive(Debug, Clone, Copy)]
enum Over {
    H1,
    H2,
}

/// An answer being read.
enum Reading {
    H1(reqwest::Response),
    H2(http::Response<h2::RecvStream>),
}

impl Reading {
    async fn begin(gateway: &TestGateway, over: Over, api: Api, body: &Value) -> Self {
        match over {
            Over::H1 => Self::H1(gateway.post(api.path, body).send().await.unwrap()),
            Over::H2 => {
                let mut h2 = gateway.h2().await;
                Self::H2(h2_post(gateway, &mut h2, api.path, body).await)
            }
        }
    }

    fn head(&self) -> (u16, &http::HeaderMap) {
        match self {
            Self::H1(answer) => (answer.status().as_u16(), answer.headers()),
            Self::H2(answer) => (answer.status().as_u16(), answer.headers()),
        }
    }

    /// Reads on until `mark` has come, or to the end.
    async fn until(&mut self, text: &mut String, mark: Option<&str>) {
        while mark.is_none_or(|mark| !text.contains(mark)) {
            let chunk = match self {
                Self::H1(answer) => answer.chunk().await.unwrap(),
                Self::H2(answer) => h2_chunk(answer.body_mut()).await.map(Result::unwrap),
            };
            match chunk {
                Some(bytes) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
                None => return assert_eq!(mark, None, "the end came first: {text}"),
            }
        }
    }
}

fn check_head(reading: &Reading, api: Api) {
    let (status, headers) = reading.head();
    assert_eq!(status, 200, "{api:?}");
    assert_eq!(headers["content-type"], api.content_type);
    assert_eq!(headers["cache-control"], "no-cache, no-transform");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert_eq!(headers["x-served-by"], "local");
    assert!(headers["x-queue-wait-ms"].to_str().unwrap().parse::<u64>().is_ok());
    assert!(headers.contains_key("x-request-id") && !headers.contains_key("content-length"), "{headers:?}");
}

/// What the simulation answers to this request when nobody is between.
async fn straight(ollama: &SimulatedOllama, api: Api, body: &Value) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{}", ollama.url(), api.path);
    client.post(url).body(body.to_string()).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn every_byte_of_every_api() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for api in APIS {
        let written = straight(&ollama, api, &api.body(true)).await;
        assert!(written.contains(api.end), "{api:?} {written}");
        for over in [Over::H1, Over::H2] {
            let (content_type, body) = (api.content_type.to_owned(), written.clone());
            ollama.fault_on(api.path, Fault::Answer { status: 200, content_type, body });
            let mut reading = Reading::begin(&gateway, over, api, &api.body(true)).await;
            check_head(&reading, api);
            let mut text = String::new();
            reading.until(&mut text, None).await;
            assert_eq!(text, written, "{over:?} {api:?}");
        }
    }
}

#[tokio::test]
async fn each_token_as_it_comes() {
    let ollama = ollama_with(Model::chat(CHAT).words(3)).await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for api in APIS {
        // Words as the simulation writes them, from an answer without gates.
        let whole = straight(&ollama, api, &api.body(true)).await;
        let tokens = whole.matches(first_word(&whole)).count();
        assert!(tokens >= 1, "{whole}");
        for over in [Over::H1, Over::H2] {
            ollama.hold_tokens_after(1);
            let mut reading = Reading::begin(&gateway, over, api, &api.body(true)).await;
            let mut text = String::new();
            reading.until(&mut text, Some(first_word(&whole))).await;
            assert_eq!(ollama.running(), 1, "{over:?} {api:?}: the others are still held");
            assert!(!text.contains(api.end));
            ollama.release_tokens();
            reading.until(&mut text, None).await;
            assert!(text.contains(api.end), "{over:?} {api:?} {text}");
        }
    }
}

/// The first word of an answer, as it stands in its frame.
fn first_word(stream: &str) -> &str {
    let marks = ["\"delta\":\"", "\"text\":\"", "\"content\":\"", "\"response\":\""];
    let words = marks.iter().flat_map(|mark| {
        stream.match_indices(mark).map(|(at, mark)| stream[at + mark.len()..].split('"').next().unwrap())
    });
    words.into_iter().find(|word| word.len() > 2).unwrap_or_else(|| panic!("no word in {stream}"))
}

#[tokio::test]
async fn token_counts_are_asked_for_and_shown_only_to_who_asked() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for (asked, shown) in [(None, false), (Some(false), false), (Some(true), true)] {
        let mut body = APIS[2].body(true);
        if let Some(asked) = asked {
            body["stream_options"] = json!({ "include_usage": asked });
        }
        let text = gateway.post(APIS[2].path, &body).send().await.unwrap().text().await.unwrap();
        assert_eq!(text.contains("\"choices\":[]"), shown, "{asked:?}: {text}");
        assert!(text.ends_with("data: [DONE]\n\n"));
        let upstream = ollama.inferences().last().unwrap().json();
        assert_eq!(upstream["stream_options"]["include_usage"], true);
    }
}

#[tokio::test]
async fn every_answer_is_capped() {
    let ollama = ollama_with(Model::chat(CHAT).endless()).await;
    let builder = TestGateway::in_front_of(&ollama).await;
    let gateway = builder.config(|config| config.limits.output_tokens = 7).start().await;
    for api in APIS {
        for stream in [true, false] {
            let answer = gateway.post(api.path, &api.body(stream)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{api:?}");
            assert!(!answer.text().await.unwrap().is_empty());
            let upstream = ollama.inferences().last().unwrap().json();
            assert_eq!(api.cap_of(&upstream), 7, "{api:?} {upstream}");
        }
    }
}
