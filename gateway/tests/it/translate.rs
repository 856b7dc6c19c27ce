//! Texts are translated segment by segment, keep their structure, and cost what their inferences cost, once.

use std::time::{Duration, Instant};

use demo::ollama::{Fault, Model, SimulatedOllama};
use fleet::store::{FleetState, Phase};
use fleet::telemetry::Capture;
use gateway::identity::api_keys;
use serde_json::{Value, json};

use crate::apis::{logged, until};
use crate::hops::{Fleet, asked, meets};
use crate::support::{CHAT, DENIED, TestGateway, ollama, ollama_with};

/// Lines, a list, an address, placeholders, a tag, numbers: everything short enough not to be taken for a language.
const TEXT: &str = "Title\n\n- See https://example.com/a?b=1 {name}\n  * <b>Bold</b> 1,234\n\nEnd %s\n";

/// The words to translate in each message that Ollama got, in the order they came.
fn texts(ollama: &SimulatedOllama) -> Vec<String> {
    let content = |seen: Value| seen["messages"][1]["content"].as_str().map(str::to_owned);
    let all = ollama.inferences().into_iter().filter_map(|seen| content(seen.json()));
    all.filter_map(|m| Some(m.split_once("<text>\n")?.1.split_once("\n</text>")?.0.to_owned())).collect()
}

async fn translate(gateway: &TestGateway, body: &Value) -> Value {
    let answer = gateway.post("/translate", body).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The events of a stream: name and data.
pub fn events(stream: &str) -> Vec<(String, Value)> {
    let event = |block: &str| {
        let name = block.lines().find_map(|line| line.strip_prefix("event: "))?;
        let data = block.lines().find_map(|line| line.strip_prefix("data: "))?;
        Some((name.to_owned(), serde_json::from_str(data).unwrap()))
    };
    stream.split("\n\n").filter_map(event).collect()
}

fn named<'e>(events: &'e [(String, Value)], name: &str) -> Vec<&'e Value> {
    events.iter().filter(|(other, _)| other == name).map(|(_, data)| data).collect()
}

async fn stream(gateway: &TestGateway, body: &Value) -> Vec<(String, Value)> {
    let answer = gateway.post("/translate/stream", body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    events(&answer.text().await.unwrap())
}

#[tokio::test]
async fn what_is_no_language_is_never_shown_to_a_model_and_always_back() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let answer = translate(&gateway, &json!({ "q": TEXT, "source": "en", "target": "de" })).await;
    assert_eq!(answer, json!({ "translatedText": TEXT }));
    let mut seen = texts(&ollama);
    seen.sort();
    assert_eq!(seen, ["<g1>Bold</g1> 1,234", "End <x1/>", "See <x1/> <x2/>", "Title"]);
    let html = "<p>One &amp; <a href=\"x\">two</a></p>\n<pre>code</pre><li>Three";
    let body = json!({ "q": [html, "<p></p>"], "source": "en", "target": "de", "format": "html" });
    assert_eq!(translate(&gateway, &body).await, json!({ "translatedText": [html, "<p></p>"] }));
}

#[tokio::test]
async fn languages_are_detected_and_alternatives_made() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let german = "Der schnelle braune Fuchs springt über den faulen Hund, und niemand weiß, warum er das \
        eigentlich jeden Morgen tut, obwohl es regnet.";
    let body = json!({ "q": german, "source": "auto", "target": "de", "alternatives": 2 });
    let answer = translate(&gateway, &body).await;
    assert_eq!(answer["translatedText"], german);
    assert_eq!(answer["detectedLanguage"]["language"], "de");
    assert_eq!(answer["alternatives"], json!([german, german]));
    assert!(texts(&ollama).is_empty(), "what is in the language wanted already costs nothing");
    translate(&gateway, &json!({ "q": "Hi", "source": "en", "target": "de", "alternatives": 2 })).await;
    assert_eq!(texts(&ollama).len(), 3);
    let found: Value =
        gateway.post("/detect", &json!({ "q": german })).send().await.unwrap().json().await.unwrap();
    assert_eq!(found[0]["language"], "de");
    let list: Value = gateway.get("/languages").send().await.unwrap().json().await.unwrap();
    assert!(list.as_array().unwrap().iter().any(|l| l["code"] == "ja" && l["targets"][0].is_string()));
    let settings: Value = gateway.get("/frontend/settings").send().await.unwrap().json().await.unwrap();
    assert_eq!((&settings["charLimit"], &settings["model"]), (&json!(50_000), &json!(CHAT)));
}

#[tokio::test]
async fn a_stream_tells_all_that_a_page_shows() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let events = stream(&gateway, &json!({ "q": TEXT, "source": "en", "target": "de" })).await;
    let start = named(&events, "start")[0];
    assert_eq!((&start["model"], &start["detectedLanguage"]), (&json!(CHAT), &Value::Null));
    let segments = start["segments"].as_array().unwrap();
    let part = |segment: &Value, name: &str| segment[name].as_str().unwrap().to_owned();
    let whole: String =
        segments.iter().map(|s| part(s, "before") + &part(s, "source") + &part(s, "after")).collect();
    assert_eq!(whole, TEXT);
    for (index, segment) in segments.iter().enumerate() {
        let deltas = named(&events, "delta").into_iter().filter(|delta| delta["index"] == index);
        let streamed: String = deltas.map(|delta| part(delta, "text")).collect();
        assert_eq!(streamed, part(segment, "source"), "pieces add up, marks put back");
        let done = named(&events, "segment").into_iter().find(|done| done["index"] == index).unwrap();
        assert_eq!((&done["text"], &done["marks"]), (&segment["source"], &json!([])));
    }
    let progress = named(&events, "progress");
    assert_eq!(progress.last().unwrap()["done"], 4);
    assert!(progress.iter().all(|p| p["total"] == 4));
    let (last, end) = events.last().unwrap();
    assert_eq!(last, "final");
    assert_eq!((&end["translatedText"], &end["marks"]), (&json!(TEXT), &json!([])));
    assert!(end["promptTokens"].as_u64().unwrap() > 0 && end["outputTokens"].as_u64().unwrap() >= 4);
}

#[tokio::test]
async fn lost_marks_are_asked_for_once_more_and_put_back_in_any_case() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let body = json!({ "q": "Dear <b>{name}</b>,", "source": "en", "target": "de" });
    ollama.fault(Fault::LoseMarks);
    let once = stream(&gateway, &body).await;
    assert_eq!(named(&once, "reset"), [&json!({ "index": 0 })]);
    assert_eq!(once.last().unwrap().1["marks"], json!([]), "the second answer was good");
    let told = ollama.inferences().pop().unwrap().json();
    assert!(told["messages"][0]["content"].as_str().unwrap().contains("missing or misplaced"));
    ollama.fault(Fault::LoseMarks);
    ollama.fault(Fault::LoseMarks);
    let twice = stream(&gateway, &body).await;
    let end = &twice.last().unwrap().1;
    assert_eq!(end["marks"], json!([{ "index": 0, "marks": ["tags", "placeholders"] }]));
    assert_eq!(end["translatedText"], "Dear ,<b>{name}</b>");
    assert_eq!(texts(&ollama).len(), 4, "never a third time");
}

#[tokio::test]
async fn a_text_that_comes_back_untranslated_is_marked() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let q = "The weather is beautiful today and we are going to the seaside.";
    let events = stream(&gateway, &json!({ "q": q, "source": "auto", "target": "de" })).await;
    let end = &events.last().unwrap().1;
    assert_eq!(end["marks"], json!([{ "index": 0, "marks": ["language"] }]));
    assert_eq!(end["detectedLanguage"]["language"], "en");
}

/// The lines about requests of a path.
fn lines(log: &Capture, route: &str) -> Vec<Value> {
    let all = log.text();
    let parsed = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    parsed.filter(|line| line["message"] == "request" && line["route"] == route).collect()
}

#[tokio::test]
async fn a_job_is_one_request_that_costs_what_its_inferences_cost() {
    let (log, _guard) = logged("info");
    let ollama = ollama_with(Model::chat(CHAT).speed(1e6, 1000.0)).await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let events = stream(&gateway, &json!({ "q": TEXT, "source": "en", "target": "de" })).await;
    let end = events.last().unwrap().1.clone();
    until("the account is closed", || !lines(&log, "/translate/stream").is_empty()).await;
    let line = &lines(&log, "/translate/stream")[0];
    assert_eq!(
        (&line["outcome"], &line["status"], &line["model"]),
        (&json!("answered"), &json!(200), &json!(CHAT))
    );
    assert_eq!(
        (&line["prompt_tokens"], &line["output_tokens"]),
        (&end["promptTokens"], &end["outputTokens"])
    );
    assert!(lines(&log, "/api/chat").is_empty());
    assert!(!log.text().contains("Bold") && !log.text().contains("example.com"), "no text in a log");
    gateway.gateway.shared.books.usage.write().await;
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let usage = gateway.store.usage(&format!("{}#alice", gateway.issuer.url()), &day).await.unwrap();
    assert_eq!(usage.requests, 1);
    assert_eq!(json!(usage.prompt_tokens), end["promptTokens"]);
    assert_eq!(json!(usage.generated_tokens), end["outputTokens"]);
    assert!(usage.gpu_seconds > 0.0);
    assert_eq!(ollama.most_at_once(CHAT), 2, "side by side, as many as there are slots");
}

#[tokio::test]
async fn who_goes_ends_what_runs_and_what_waits() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    ollama.hold_tokens_after(1);
    let q = ["Some words here"; 6].join("\n");
    let body = json!({ "q": q, "source": "en", "target": "de" });
    let mut answer = gateway.post("/translate/stream", &body).send().await.unwrap();
    let load = || gateway.gateway.shared.queue.load();
    until("two run and two wait", || (load().busy, load().queued) == (2, 2)).await;
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    until("all is free", || (load().busy, load().queued) == (0, 0)).await;
    assert_eq!(texts(&ollama).len(), 2, "the others were never sent");
    ollama.wait_until(|stats| stats.cancelled == 2).await.unwrap();
    // The same where the answer is awaited whole.
    let asking = gateway.post("/translate", &body).send();
    let waited = tokio::time::timeout(Duration::from_secs(1), asking).await;
    assert!(waited.is_err());
    until("all is free again", || (load().busy, load().queued) == (0, 0)).await;
    ollama.release_tokens();
}

#[tokio::test]
async fn what_a_person_typed_goes_before_files() {
    let ollama = ollama().await;
    let one = |config: &mut gateway::config::Config| {
        config.ollama.as_mut().unwrap().parallel = 1;
        config.queue.batch_floor = 0.0;
        config.queue.normal_floor = 0.0;
    };
    let gateway = TestGateway::in_front_of(&ollama).await.config(one).start().await;
    ollama.hold_tokens_after(0);
    let load = || gateway.gateway.shared.queue.load();
    let typed = |words: &str| {
        let request =
            gateway.post_as(&gateway.token_for(words), "/translate", &json!({ "q": words, "target": "de" }));
        gateway.tasks.spawn(async move { request.send().await.unwrap().status() })
    };
    let mut running = vec![typed("first")];
    until("it runs", || load().busy == 1).await;
    let file = crate::translate_files::upload(&gateway, "a.txt", b"from a file", &[("target", "de")]);
    running.push(gateway.tasks.spawn(async move { file.send().await.unwrap().status() }));
    until("the file waits", || load().queued == 1).await;
    running.push(typed("second"));
    until("both wait", || load().queued == 2).await;
    ollama.release_tokens();
    for task in running {
        assert_eq!(task.await.unwrap(), 200);
    }
    assert_eq!(texts(&ollama), ["first", "second", "from a file"]);
}

#[tokio::test]
async fn a_key_in_the_body_is_a_credential_like_any_other() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let now = jiff::Timestamp::now().as_second();
    let (key, _) = api_keys::create(&*gateway.store, "tool", Vec::new(), now, None).await.unwrap();
    let form = |fields: &[(&str, &str)]| {
        let request = gateway.client().post(gateway.url("/translate"));
        request.form(&fields.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect::<Vec<_>>())
    };
    let good = [("q", "Hi"), ("source", "en"), ("target", "de"), ("api_key", &key)];
    let answer = form(&good).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "translatedText": "Hi" }));
    let url = gateway.url("/languages");
    let languages = gateway.client().get(url).form(&[("api_key", &key)]).send().await.unwrap();
    assert_eq!(languages.status(), 200, "a client sends it even with GET");
    assert_eq!(form(&good[..3]).send().await.unwrap().status(), 401);
    assert_eq!(
        form(&good).bearer_auth(gateway.token()).send().await.unwrap().status(),
        401,
        "two credentials"
    );
    let mut wrong = good;
    wrong[3].1 = "ollm_wrong";
    assert_eq!(form(&wrong).send().await.unwrap().status(), 401);
    let long = "x".repeat(2 << 20);
    let answer = form(&[("q", &long), ("target", "de"), ("api_key", &key)]).send().await;
    // The refusal may come while the body is still being sent.
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 413));
}

#[tokio::test]
async fn mistakes_are_refused_in_the_form_its_clients_show() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for path in ["/translate", "/translate/stream"] {
        for (body, status, words) in [
            (json!({ "target": "de" }), 400, "`q` is missing"),
            (json!({ "q": "Hi" }), 400, "`target` is missing"),
            (json!({ "q": "Hi", "target": "klingon" }), 400, "GET /languages"),
            (json!({ "q": "Hi", "target": "de", "format": "pdf" }), 400, "text or html"),
            (json!({ "q": "x".repeat(50_001), "target": "de" }), 400, "50000"),
            (json!([]), 400, "JSON"),
        ] {
            let answer = gateway.post(path, &body).send().await.unwrap();
            assert_eq!(answer.status(), status, "{path} {words}");
            let error: Value = answer.json().await.unwrap();
            assert!(error["error"].as_str().unwrap().contains(words), "{error}");
        }
    }
    let denied = json!({ "q": "Hi", "target": "de", "model": DENIED });
    assert_eq!(gateway.post("/translate", &denied).send().await.unwrap().status(), 404);
    let events = stream(&gateway, &denied).await;
    assert_eq!(events.last().unwrap().0, "error");
    assert!(texts(&ollama).is_empty());
}

#[tokio::test]
async fn a_limit_stops_the_first_segment_and_delays_the_others() {
    let ollama = ollama().await;
    let poor = |config: &mut gateway::config::Config| {
        config.roles.get_mut("user").unwrap().requests_per_minute = Some(3);
        config.roles.get_mut("user").unwrap().requests_burst = Some(3);
    };
    let gateway = TestGateway::in_front_of(&ollama).await.config(poor).start().await;
    let ten = ["Some words"; 10].join("\n");
    let answer = translate(&gateway, &json!({ "q": ten, "source": "en", "target": "de" })).await;
    assert_eq!(answer["translatedText"], ten, "ten inferences are one request");
    let body = json!({ "q": "Hi", "source": "en", "target": "de" });
    translate(&gateway, &body).await;
    translate(&gateway, &body).await;
    let refused = gateway.post("/translate", &body).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_broken_answer_is_asked_for_again_and_a_broken_model_is_said() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let body = json!({ "q": "Some words here", "source": "en", "target": "de" });
    ollama.fault(Fault::EndAfterTokens(1));
    let events = stream(&gateway, &body).await;
    assert_eq!(events.last().unwrap().1["translatedText"], "Some words here");
    assert_eq!(named(&events, "reset").len(), 1, "what had come of it is taken back");
    ollama.fault(Fault::EndAfterTokens(1));
    ollama.fault(Fault::EndAfterTokens(1));
    let events = stream(&gateway, &body).await;
    let (name, error) = events.last().unwrap();
    assert_eq!((name.as_str(), &error["code"]), ("error", &json!("upstream")));
}

#[tokio::test]
async fn a_front_forwards_segments_and_wakes_for_them() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let named_model = |config: &mut gateway::config::Config| config.translate.model = Some(CHAT.to_owned());
    let front = fleet.front().await.config(named_model).start().await;
    let request = front.post("/translate/stream", &json!({ "q": TEXT, "source": "en", "target": "de" }));
    let begun = Instant::now();
    let waiting = front.tasks.spawn(async move {
        let mut answer = request.send().await.unwrap();
        let mut stream = String::new();
        while let Some(piece) = answer.chunk().await.unwrap() {
            stream.push_str(std::str::from_utf8(&piece).unwrap());
        }
        stream
    });
    let phase = async || fleet.store.state("default").await.unwrap_or_else(|_| FleetState::default()).phase;
    while phase().await != Phase::Waking {
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody was woken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    let stream = waiting.await.unwrap();
    let events = events(&stream);
    let waits = named(&events, "wait");
    assert!(
        waits.iter().any(|wait| wait["state"] != "queued" && wait["seconds"].as_f64().unwrap() > 1.0),
        "{waits:?}"
    );
    assert!(stream.contains(": \n\n"), "signs of life meanwhile");
    assert_eq!(events.last().unwrap().1["translatedText"], TEXT, "{events:?}");
    assert_eq!(asked(&ollama), 4);
    front.gateway.shared.books.usage.write().await;
    node.gateway.shared.books.usage.write().await;
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let usage = fleet.store.usage(&format!("{}#alice", front.issuer.url()), &day).await.unwrap();
    assert_eq!(usage.requests, 1, "charged once, at the front");
}
