//! An answer is written once, by one writer, whoever reads it: what had come of it is kept, however it ends.

use demo::ollama::{Fault, Model};
use fleet::telemetry::Capture;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::apis::logged;
use crate::conversations::{
    LONG, Person, given, hello, last, quiet, read_until, settled, streamed, until, without_titles,
};
use crate::hops::{Fleet, meets};
use crate::support::{CHAT, TestGateway, ollama, ollama_with};
use crate::translate::events;

#[tokio::test]
async fn a_stop_keeps_what_had_come_from_whichever_gateway_it_is_said() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let one = fleet.node("one", &ollama).await.config(without_titles).start().await;
    let two = fleet.node("two", &ollama).await.config(without_titles);
    let two = two.config(|config| config.issuers = one.gateway.shared.config.issuers.clone()).start().await;
    let here = Person::of(&one);
    let there = Person { gateway: &two, token: one.token() };
    let id = here.begin(json!({})).await;
    let stop = format!("/conversations/{id}/stop");
    assert_eq!(here.told(202, Method::POST, &stop, None).await, json!({ "stopping": false }));
    for who in [&here, &there] {
        ollama.hold_tokens_after(3);
        let mut answer = here.speak(&id, &hello()).await;
        let mut text = read_until(&mut answer, "cross").await;
        assert_eq!(who.told(202, Method::POST, &stop, None).await, json!({ "stopping": true }));
        text += &timeout(LONG, answer.text()).await.unwrap().unwrap();
        let said = events(&text);
        let end = last(&said, "message");
        assert_eq!(
            (&end["message"]["state"], &end["message"]["content"]),
            (&json!("stopped"), &json!(streamed(&said)))
        );
        assert!(streamed(&said).starts_with("quiet lamps cross"), "{text}");
        until("the generation is over", async || one.gateway.shared.queue.load().busy == 0).await;
        ollama.release_tokens();
    }
    let transcript = here.transcript(&id).await;
    assert_eq!(transcript.iter().filter(|one| one.1 == "stopped").count(), 2, "{transcript:?}");
    assert_eq!(here.view(&id).await["conversation"]["messages"], 4);
}

#[tokio::test]
async fn a_connection_that_breaks_loses_nothing() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    ollama.hold_tokens_after(2);
    let mut answer = alice.speak(&id, &hello()).await;
    read_until(&mut answer, "event: delta").await;
    drop(answer);
    // What had come is stored while it is being written: a process that is killed now would lose seconds.
    until("a part is stored", async || alice.transcript(&id).await.len() == 2).await;
    let found = alice.transcript(&id).await;
    assert_eq!((found[1].1.as_str(), found[1].2.as_str()), ("writing", "quiet lamps"));
    assert_eq!(ollama.cancelled(), 0);
    ollama.release_tokens();
    let view = settled(&alice, &id).await;
    let message = &view["messages"][1];
    assert_eq!((&message["state"], &message["output_tokens"]), (&json!("whole"), &json!(40)));
    assert_eq!(message["content"].as_str().unwrap().split(' ').count(), 40);
    assert_eq!(view["conversation"]["messages"], 2);
}

#[tokio::test]
async fn an_answer_is_made_again_and_a_question_is_edited() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    let first = alice.say(&id, &json!({ "content": "One" })).await;
    let second = alice.say(&id, &json!({ "content": "Two" })).await;
    let old = last(&second, "message")["message"]["id"].clone();

    let again = alice.say(&id, &json!({ "regenerate": true })).await;
    let start = &again[0].1;
    assert_eq!((&start["user"], start["answer"] == old), (&Value::Null, false));
    let end = last(&again, "message");
    assert_eq!((&end["message"]["id"], &end["conversation"]["messages"]), (&start["answer"], &json!(4)));
    assert_eq!(given(&ollama)[2], given(&ollama)[1], "asked as before");
    let contents = async || alice.transcript(&id).await.into_iter().map(|one| one.2).collect::<Vec<_>>();
    assert_eq!(contents().await.iter().filter(|text| *text == "Two").count(), 1);
    assert_eq!(contents().await.len(), 4);

    // An answer that does not come leaves the old one.
    ollama.fault(Fault::EndAfterTokens(0));
    ollama.fault(Fault::EndAfterTokens(0));
    let failed = alice.say(&id, &json!({ "regenerate": true })).await;
    assert_eq!(last(&failed, "error")["message"]["id"], start["answer"], "what was kept");
    assert_eq!(contents().await.len(), 4);

    let question = first[0].1["user"]["id"].clone();
    let answer = first[0].1["answer"].clone();
    let path = format!("/conversations/{id}/messages");
    let wrong = json!({ "content": "Other", "replaces": answer });
    alice.refused(400, Method::POST, &path, Some(&wrong)).await;
    let edited = alice.say(&id, &json!({ "content": "Other", "replaces": question })).await;
    assert_eq!(last(&edited, "message")["conversation"]["messages"], 2);
    assert_eq!(contents().await[0], "Other");
    assert_eq!(contents().await.len(), 2, "all that came behind it is gone");
    let told = given(&ollama).pop().unwrap();
    assert_eq!(told, [("user".to_owned(), "Other".to_owned())]);
}

#[tokio::test]
async fn what_the_model_reads_is_cut_by_whole_turns_and_that_is_said() {
    // Its window is what it was loaded with.
    let ollama = ollama_with(Model::chat(CHAT).context(600)).await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({ "system": "Be brief." })).await;
    for n in 0..4 {
        let text = format!("{n} {}", "word ".repeat(60));
        last(&alice.say(&id, &json!({ "content": text })).await, "message");
    }
    let said = alice.say(&id, &json!({ "content": "The last" })).await;
    let (start, end) = (&said[0].1, last(&said, "message"));
    let cut = start["turns_cut"].as_u64().unwrap();
    assert!((1..=4).contains(&cut), "{cut}");
    assert_eq!(end["message"]["turns_cut"], cut);
    let told = given(&ollama).pop().unwrap();
    assert_eq!(told[0], ("system".to_owned(), "Be brief.".to_owned()), "it always stays");
    assert_eq!(told.len() as u64, 1 + 2 * (4 - cut) + 1);
    assert!(told[1].0 == "user" && (cut == 4 || told[1].1.starts_with(&format!("{cut} "))), "whole turns");
    assert_eq!(alice.transcript(&id).await.len(), 10, "nothing is lost to the person");
    let long = json!({ "content": "word ".repeat(500) });
    let path = format!("/conversations/{id}/messages");
    let sentence = alice.refused(413, Method::POST, &path, Some(&long)).await;
    assert!(sentence.contains("450 fit"), "{sentence}");
    assert_eq!(alice.transcript(&id).await.len(), 10, "and nothing of it is kept");
}

#[tokio::test]
async fn a_model_that_takes_less_than_we_thought_is_given_less() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    for n in 0..5 {
        alice.say(&id, &json!({ "content": format!("{n} {}", "word ".repeat(350)) })).await;
    }
    let text = "{\"error\":\"request (9024 tokens) exceeds the available context size (4096 tokens), try increasing it\"}";
    let (status, content_type) = (400, "application/json".to_owned());
    ollama.fault(Fault::Answer { status, content_type, body: text.to_owned() });
    let said = alice.say(&id, &hello()).await;
    let cut = last(&said, "message")["message"]["turns_cut"].as_u64().unwrap();
    assert!(cut > said[0].1["turns_cut"].as_u64().unwrap(), "{cut}");
}

#[tokio::test]
async fn a_model_that_breaks_leaves_what_had_come() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    ollama.fault(Fault::EndAfterTokens(2));
    let said = alice.say(&id, &hello()).await;
    let error = last(&said, "error");
    assert_eq!((&error["code"], &error["message"]["state"]), (&json!("upstream"), &json!("broken")));
    assert_eq!(error["message"]["content"], "quiet lamps");
    assert_eq!(alice.transcript(&id).await[1].2, "quiet lamps");
    // Nothing at all came, twice: the question stays, and can be answered again.
    ollama.fault(Fault::EndAfterTokens(0));
    ollama.fault(Fault::EndAfterTokens(0));
    let said = alice.say(&id, &json!({ "content": "Second" })).await;
    assert_eq!(last(&said, "error")["message"], Value::Null);
    assert_eq!(alice.view(&id).await["conversation"]["messages"], 3);
    last(&alice.say(&id, &json!({ "regenerate": true })).await, "message");
    let transcript = alice.transcript(&id).await;
    assert_eq!(
        transcript.iter().map(|one| one.1.as_str()).collect::<Vec<_>>(),
        ["whole", "broken", "whole", "whole"]
    );
    assert_eq!(alice.view(&id).await["conversation"]["messages"], 4);
}

#[tokio::test]
async fn limits_hold_and_a_place_is_free_before_the_end_is_told() {
    let ollama = ollama().await;
    let few = |config: &mut gateway::config::Config| {
        without_titles(config);
        let user = config.roles.get_mut("user").unwrap();
        (user.requests_per_minute, user.requests_burst) = (Some(1), Some(30));
        user.open_requests = Some(1);
    };
    let gateway = TestGateway::in_front_of(&ollama).await.config(few).start().await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    for n in 0..10 {
        last(&alice.say(&id, &json!({ "content": format!("Number {n}") })).await, "message");
    }
    let path = format!("/conversations/{id}/messages");
    let mut refused = None;
    for _ in 0..30 {
        let answer = alice.ask(Method::POST, &path, Some(&hello())).await;
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
        answer.text().await.unwrap();
    }
    assert!(refused.expect("a limit").headers().contains_key("retry-after"));
    let poor = |config: &mut gateway::config::Config| {
        without_titles(config);
        config.roles.get_mut("user").unwrap().tokens_per_minute = Some(1);
    };
    let gateway = TestGateway::in_front_of(&ollama).await.config(poor).start().await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    last(&alice.say(&id, &hello()).await, "message"); // of a whole minute one request is let through, whatever its size
    let said = alice.say(&id, &hello()).await;
    let error = last(&said, "error");
    assert_eq!((&error["code"], error["retryAfter"].is_number()), (&json!("limit"), true));
    assert_eq!(alice.transcript(&id).await.len(), 3, "the question is kept");
}

#[tokio::test]
async fn a_front_that_sleeps_tells_of_the_wait_and_answers_through_a_node() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front = fleet.front().await.config(without_titles).start().await;
    let alice = Person::of(&front);
    let id = alice.begin(json!({})).await;
    let mut answer = alice.speak(&id, &hello()).await;
    let mut text = read_until(&mut answer, "event: wait").await;
    text += &read_until(&mut answer, ": \n\n").await;
    assert_eq!(alice.view(&id).await["conversation"]["busy"], true);
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    text += &timeout(LONG, answer.text()).await.unwrap().unwrap();
    let said = events(&text);
    let waits: Vec<_> = said.iter().filter(|(name, _)| name == "wait").map(|(_, data)| data).collect();
    assert!(waits[0]["state"] != "queued" && waits[0]["seconds"].as_f64().unwrap() > 1.0, "{waits:?}");
    let end = last(&said, "message");
    assert_eq!(
        (&end["message"]["content"], &end["message"]["state"]),
        (&json!(streamed(&said)), &json!("whole"))
    );
}

/// The log, when everything that was asked has ended.
async fn lines(gateway: &TestGateway, log: &Capture) -> String {
    until("all has ended", async || gateway.gateway.shared.conversations.answers() == 0).await;
    until("accounts are closed", async || log.text().contains("/conversations/{id}/messages")).await;
    log.text()
}

#[tokio::test]
async fn what_is_said_is_in_no_log_no_metric_and_no_error() {
    const SAID: &str = "canary-of-the-question";
    const TITLE: &str = "canary-of-the-title";
    const SYSTEM: &str = "canary-of-the-system";
    const SEARCH: &str = "canary-of-the-search";
    let (log, _guard) = logged("trace,reqwest=off,hyper_util=off");
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({ "title": TITLE, "system": SYSTEM })).await;
    let untitled = alice.begin(json!({})).await;
    let mut told = String::new();
    for id in [&id, &untitled] {
        alice.say(id, &json!({ "content": SAID })).await;
        ollama.fault(Fault::EndAfterTokens(1));
        alice.say(id, &json!({ "content": SAID })).await;
    }
    let path = format!("/conversations/{id}");
    for (status, method, path, body) in [
        (400, Method::POST, format!("{path}/messages"), json!({ "content": SAID, "role": "system" })),
        (400, Method::POST, format!("{path}/messages"), json!({ "content": SAID, "replaces": SAID })),
        (400, Method::PATCH, path.clone(), json!({ "title": TITLE, "closed": SAID })),
        (400, Method::GET, format!("/conversations?search={SEARCH}&limit={SAID}"), json!({})),
    ] {
        told += &alice.refused(status, method, &path, Some(&body)).await;
    }
    alice.get(&format!("/conversations?search={SEARCH}")).await;
    alice.get("/conversations/export").await;
    let lines = lines(&gateway, &log).await;
    let metrics = gateway.metrics();
    assert!(lines.contains("\"message\":\"request\""), "{lines}");
    for secret in [SAID, TITLE, SYSTEM, SEARCH, "quiet lamps", &id] {
        let line = lines.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "in a log line: {secret}");
        assert!(!metrics.contains(secret) && !told.contains(secret), "{secret}");
    }
    let cost = lines.lines().filter(|line| line.contains("/conversations/{id}/messages")).count();
    assert!(cost >= 4, "each is accounted for");
}
