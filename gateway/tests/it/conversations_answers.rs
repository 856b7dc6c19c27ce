//! An answer is written once, by one writer, whoever reads it: what had come of it is kept, however it ends.

use std::time::Duration;

use demo::ollama::{Fault, Model};
use fleet::store::{Ending, Message, MessageId, PenHeld, Speaker};
use fleet::telemetry::Capture;
use gateway::drain::Phase;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::apis::{logged, until};
use crate::conversations::{Person, given, last, quiet, streamed, without_titles};
use crate::hops::Fleet;
use crate::support::{CHAT, TestGateway, ollama, ollama_with};
use crate::translate::events;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// Reads until this is in it.
async fn read_until(answer: &mut Response, mark: &str) -> String {
    let reading = async {
        let mut text = String::new();
        while !text.contains(mark) {
            let piece = answer.chunk().await.unwrap().unwrap_or_else(|| panic!("no {mark} in {text}"));
            text.push_str(std::str::from_utf8(&piece).unwrap());
        }
        text
    };
    timeout(LONG, reading).await.unwrap_or_else(|_| panic!("{mark} did not come"))
}

/// Waits until nobody writes in a conversation; it as it then is.
async fn settled(alice: &Person<'_>, id: &str) -> Value {
    let waiting = async {
        loop {
            let view = alice.view(id).await;
            if view["conversation"]["busy"] == false {
                return view;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, waiting).await.expect("an end")
}

fn hello() -> Value {
    json!({ "content": "Hello" })
}

#[tokio::test]
async fn a_second_writer_is_told_and_nothing_is_interleaved() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let one = fleet.node("one", &ollama).await.config(without_titles).start().await;
    let mut two = fleet.node("two", &ollama).await.config(without_titles);
    two = two.config(|config| config.issuers = one.gateway.shared.config.issuers.clone());
    let two = two.start().await;
    let here = Person::of(&one);
    let there = Person { gateway: &two, token: one.token() };
    let id = here.begin(json!({})).await;
    ollama.hold_tokens_after(3);
    let mut answer = here.speak(&id, &hello()).await;
    let mut text = read_until(&mut answer, "event: delta").await;
    let path = format!("/conversations/{id}");
    for other in [&here, &there] {
        for body in [hello(), json!({ "regenerate": true })] {
            let sentence = other.refused(409, Method::POST, &format!("{path}/messages"), Some(&body)).await;
            assert!(sentence.contains("written to elsewhere"), "{sentence}");
        }
        other.refused(409, Method::PATCH, &path, Some(&json!({ "closed": true }))).await;
        assert_eq!(other.view(&id).await["conversation"]["busy"], true);
        let renamed = json!({ "title": "Meanwhile" });
        other.told(200, Method::PATCH, &path, Some(&renamed)).await;
    }
    ollama.release_tokens();
    text += &read_until(&mut answer, "event: message").await;
    text += &answer.text().await.unwrap();
    let said = events(&text);
    assert_eq!(last(&said, "message")["conversation"]["title"], "Meanwhile", "both changes stand");
    last(&there.say(&id, &hello()).await, "message");
    let roles: Vec<_> =
        here.transcript(&id).await.into_iter().map(|(role, state, _)| (role, state)).collect();
    let turn = [("user", "whole"), ("assistant", "whole")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(roles, [turn.clone(), turn].concat());
}

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
        until("the generation is over", || one.gateway.shared.queue.load().busy == 0).await;
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
    let stored = async {
        loop {
            let found = alice.transcript(&id).await;
            if found.len() == 2 {
                return found;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let found = timeout(LONG, stored).await.expect("a part is stored");
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
async fn a_writer_that_died_is_followed_by_the_next() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let gateway = fleet.node("one", &ollama).await.config(without_titles).start().await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    let principal = format!("{}#alice", gateway.issuer.url());
    let now = jiff::Timestamp::now();
    let said = |id, role, content: &str, state| Message {
        id: MessageId(id),
        role,
        content: content.to_owned(),
        state,
        ..Message::default()
    };
    let at = now.as_microsecond() as u64;
    let question = said(at, Speaker::User, "Are you there?", Ending::Whole);
    let half = said(at + 1, Speaker::Assistant, "I was", Ending::Writing);
    for message in [&question, &half] {
        fleet.store.write_message(&principal, &id, message).await.unwrap();
    }
    // Its pen is over by now; nobody had to clear it away.
    let second = now.as_second();
    let taken = fleet.store.take_pen(&principal, &id, "the dead", second - 60, second - 40).await.unwrap();
    assert_eq!(taken, PenHeld::Yes(false));
    assert_eq!(alice.transcript(&id).await[1].1, "broken");
    let said = alice.say(&id, &hello()).await;
    assert_eq!(last(&said, "message")["conversation"]["messages"], 4, "counted anew");
    let states = alice.transcript(&id).await.into_iter().map(|one| one.1).collect::<Vec<_>>();
    assert_eq!(states, ["whole", "broken", "whole", "whole"]);
    // One that lives elsewhere keeps it.
    fleet.store.take_pen(&principal, &id, "the living", second, second + 600).await.unwrap();
    alice.refused(409, Method::POST, &format!("/conversations/{id}/messages"), Some(&hello())).await;
}

#[tokio::test]
async fn who_loses_the_pen_writes_no_more() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let gateway = fleet.node("one", &ollama).await.config(without_titles).start().await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    ollama.hold_tokens_after(2);
    let mut answer = alice.speak(&id, &hello()).await;
    let mut text = read_until(&mut answer, "event: delta").await;
    let principal = format!("{}#alice", gateway.issuer.url());
    let far = jiff::Timestamp::now().as_second() + 3600;
    // As if this process had slept for an hour.
    let taken = fleet.store.take_pen(&principal, &id, "another", far, far + 3600).await.unwrap();
    assert_eq!(taken, PenHeld::Yes(false));
    text += &timeout(LONG, answer.text()).await.unwrap().unwrap();
    assert_eq!(last(&events(&text), "error")["code"], "internal");
    let load = || gateway.gateway.shared.queue.load();
    until("the generation is ended", || load().busy == 0).await;
    let transcript = alice.transcript(&id).await;
    assert!(transcript.len() == 1 || transcript[1].1 == "writing", "no end was written: {transcript:?}");
    let pen = fleet.store.pen(&principal, &id, far).await.unwrap();
    assert_eq!(pen.unwrap().holder, "another", "and the other's pen was left alone");
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
async fn an_answer_runs_to_its_end_while_the_gateway_leaves_and_a_restart_sees_it() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let leaving = |config: &mut gateway::config::Config| {
        without_titles(config);
        config.drain.accept_for_seconds = Duration::from_millis(50);
        config.drain.deadline_seconds = Duration::from_secs(60);
    };
    let gateway = fleet.node("one", &ollama).await.config(leaving).start().await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    ollama.hold_tokens_after(2);
    let mut answer = alice.speak(&id, &hello()).await;
    read_until(&mut answer, "event: delta").await;
    drop(answer); // nobody reads: the answer alone keeps the process
    gateway.tasks.drain();
    timeout(LONG, gateway.gateway.shared.drain.reached(Phase::Closing)).await.unwrap();
    until("the connections are closed", || {
        std::net::TcpStream::connect(("127.0.0.1", gateway.port)).is_err()
    })
    .await;
    assert!(!gateway.has_ended());
    assert_eq!(gateway.gateway.shared.conversations.answers(), 1);
    ollama.release_tokens();
    let ended = async {
        while !gateway.has_ended() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, ended).await.expect("it ends with the answer");
    let next = fleet.node("two", &ollama).await.config(without_titles);
    let next =
        next.config(|config| config.issuers = gateway.gateway.shared.config.issuers.clone()).start().await;
    let later = Person { gateway: &next, token: gateway.token() };
    let view = later.view(&id).await;
    assert_eq!(
        (&view["messages"][1]["state"], &view["messages"][1]["output_tokens"]),
        (&json!("whole"), &json!(40))
    );
    last(&later.say(&id, &hello()).await, "message");
}

#[tokio::test]
async fn what_the_drain_cuts_is_kept_as_broken() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let hasty = |config: &mut gateway::config::Config| {
        without_titles(config);
        config.drain.accept_for_seconds = Duration::from_millis(10);
        config.drain.deadline_seconds = Duration::from_secs(1);
    };
    let gateway = fleet.node("one", &ollama).await.config(hasty).start().await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    ollama.hold_tokens_after(2);
    let mut answer = alice.speak(&id, &hello()).await;
    read_until(&mut answer, "event: delta").await;
    gateway.tasks.drain();
    let ended = async {
        while !gateway.has_ended() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, ended).await.expect("it ends");
    let principal = format!("{}#alice", gateway.issuer.url());
    let kept = fleet.store.messages(&principal, &id, None, 10).await.unwrap();
    assert_eq!((kept[1].state, kept[1].content.as_str()), (Ending::Broken, "quiet lamps"));
}

#[tokio::test]
async fn a_removal_ends_the_answer_and_leaves_nothing() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({})).await;
    ollama.hold_tokens_after(2);
    let mut answer = alice.speak(&id, &hello()).await;
    read_until(&mut answer, "event: delta").await;
    let path = format!("/conversations/{id}");
    alice.told(204, Method::DELETE, &path, None).await;
    ollama.release_tokens();
    timeout(LONG, answer.text()).await.unwrap().unwrap();
    alice.refused(404, Method::GET, &path, None).await;
    let principal = format!("{}#alice", gateway.issuer.url());
    assert_eq!(gateway.store.messages(&principal, &id, None, 10).await.unwrap(), []);
    let person = gateway.store.people().await.unwrap();
    assert_eq!(person.iter().map(|one| one.principal.as_str()).collect::<Vec<_>>(), [principal]);
}

/// The log, when everything that was asked has ended.
async fn lines(gateway: &TestGateway, log: &Capture) -> String {
    until("all has ended", || gateway.gateway.shared.conversations.answers() == 0).await;
    until("accounts are closed", || log.text().contains("/conversations/{id}/messages")).await;
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
