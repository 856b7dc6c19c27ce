//! One writer at a time in the whole fleet, however the others ended: told, dead, overtaken, leaving, removed.

use std::time::Duration;

use fleet::store::{Ending, Message, MessageId, PenHeld, Speaker};
use gateway::drain::Phase;
use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::conversations::{LONG, Person, hello, last, quiet, read_until, until, without_titles};
use crate::hops::Fleet;
use crate::support::ollama;
use crate::translate::events;

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
    until("the generation is ended", async || load().busy == 0).await;
    let transcript = alice.transcript(&id).await;
    assert!(transcript.len() == 1 || transcript[1].1 == "writing", "no end was written: {transcript:?}");
    let pen = fleet.store.pen(&principal, &id, far).await.unwrap();
    assert_eq!(pen.unwrap().holder, "another", "and the other's pen was left alone");
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
    until("the connections are closed", async || {
        std::net::TcpStream::connect(("127.0.0.1", gateway.port)).is_err()
    })
    .await;
    assert!(!gateway.has_ended());
    assert_eq!(gateway.gateway.shared.conversations.answers(), 1);
    ollama.release_tokens();
    until("it ends with the answer", async || gateway.has_ended()).await;
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
    until("it ends", async || gateway.has_ended()).await;
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
    until("she was seen", async || gateway.store.people().await.is_ok_and(|people| people.len() == 1)).await;
    assert_eq!(gateway.store.people().await.unwrap()[0].principal, principal);
}
