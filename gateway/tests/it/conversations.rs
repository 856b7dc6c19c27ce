//! What a person and a model said is kept: found again, gone on with, changed and removed, by its owner alone.

use std::time::Duration;

use demo::ollama::SimulatedOllama;
use gateway::config::Config;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{CHAT, DENIED, EMBED, TestGateway, ollama};
use crate::translate::events;

/// Somebody who talks: a token on a gateway.
pub struct Person<'g> {
    pub gateway: &'g TestGateway,
    pub token: String,
}

impl<'g> Person<'g> {
    pub fn of(gateway: &'g TestGateway) -> Self {
        Self { gateway, token: gateway.token() }
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let request = self.gateway.client().request(method, self.gateway.url(path)).bearer_auth(&self.token);
        let body = body.map(Value::to_string).unwrap_or_default();
        request.body(body).send().await.unwrap()
    }

    /// The answer, which must have this status.
    pub async fn told(&self, status: u16, method: Method, path: &str, body: Option<&Value>) -> Value {
        let answer = self.ask(method.clone(), path, body).await;
        let (found, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(found, status, "{method} {path}: {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.told(200, Method::GET, path, None).await
    }

    /// The sentence of a refusal.
    pub async fn refused(&self, status: u16, method: Method, path: &str, body: Option<&Value>) -> String {
        let answer = self.told(status, method, path, body).await;
        answer["error"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// A new conversation's id.
    pub async fn begin(&self, with: Value) -> String {
        let mut body = json!({ "model": CHAT });
        body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let made = self.told(201, Method::POST, "/conversations", Some(&body)).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// The stream of an answer that has begun.
    pub async fn speak(&self, id: &str, body: &Value) -> Response {
        let answer = self.ask(Method::POST, &format!("/conversations/{id}/messages"), Some(body)).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        answer
    }

    /// All events of an answer.
    pub async fn say(&self, id: &str, body: &Value) -> Vec<(String, Value)> {
        events(&self.speak(id, body).await.text().await.unwrap())
    }

    pub async fn view(&self, id: &str) -> Value {
        self.get(&format!("/conversations/{id}")).await
    }

    /// Role, state and content of each message.
    pub async fn transcript(&self, id: &str) -> Vec<(String, String, String)> {
        let view = self.view(id).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = view["messages"].as_array().unwrap().iter();
        messages.map(|one| (text(&one["role"]), text(&one["state"]), text(&one["content"]))).collect()
    }
}

/// Longer than anything here takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);

/// Waits until `reached`.
pub async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !reached().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// Reads until this is in it.
pub async fn read_until(answer: &mut Response, mark: &str) -> String {
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
pub async fn settled(alice: &Person<'_>, id: &str) -> Value {
    until("the answer ends", async || alice.view(id).await["conversation"]["busy"] == false).await;
    alice.view(id).await
}

pub fn hello() -> Value {
    json!({ "content": "Hello" })
}

/// The data of the last event, which must be of this name.
pub fn last<'e>(events: &'e [(String, Value)], name: &str) -> &'e Value {
    let (last, data) = events.last().expect("events");
    assert_eq!(last, name, "{data}");
    data
}

/// The pieces of an answer, put together.
pub fn streamed(events: &[(String, Value)]) -> String {
    let pieces = events.iter().filter(|(name, _)| name == "delta");
    pieces.map(|(_, data)| data["text"].as_str().unwrap()).collect()
}

/// What the model was given, of each question that reached it, without those for titles.
pub fn given(ollama: &SimulatedOllama) -> Vec<Vec<(String, String)>> {
    let messages = |seen: Value| {
        let all = seen["messages"].as_array()?.clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some(all.iter().map(|one| (text(&one["role"]), text(&one["content"]))).collect::<Vec<_>>())
    };
    let all = ollama.inferences().into_iter().filter_map(|seen| messages(seen.json()));
    all.filter(|messages| !messages[0].1.contains("You name conversations")).collect()
}

/// A gateway whose models make no titles: what reaches the model is what people say.
pub async fn quiet(ollama: &SimulatedOllama) -> TestGateway {
    TestGateway::in_front_of(ollama).await.config(without_titles).start().await
}

pub fn without_titles(config: &mut Config) {
    config.conversations.titles = false;
}

#[tokio::test]
async fn a_conversation_from_its_first_word_to_its_removal() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    let body = json!({ "model": "gemma3n:e4b", "system": "Be brief.", "options": { "temperature": 0.5, "num_ctx": 9 } });
    let made = alice.told(201, Method::POST, "/conversations", Some(&body)).await;
    assert_eq!((&made["model"], &made["title"], &made["messages"]), (&json!(CHAT), &json!(""), &json!(0)));
    assert_eq!(made["options"], json!({ "temperature": 0.5 }), "an option of the load is the operators'");
    let id = made["id"].as_str().unwrap();

    let said = alice.say(id, &json!({ "content": "What is a harbour?" })).await;
    let (first, start) = &said[0];
    assert_eq!(first, "start");
    assert_eq!((&start["model"], &start["turns_cut"]), (&json!(CHAT), &json!(0)));
    assert_eq!(
        (&start["user"]["role"], &start["user"]["content"]),
        (&json!("user"), &json!("What is a harbour?"))
    );
    let end = last(&said, "message");
    let (message, conversation) = (&end["message"], &end["conversation"]);
    assert_eq!((&message["id"], &message["state"]), (&start["answer"], &json!("whole")));
    assert_eq!(message["content"], streamed(&said), "what was streamed is what is kept");
    assert_eq!(message["output_tokens"], 40);
    assert!(message["prompt_tokens"].as_u64().unwrap() > 0);
    assert!(message["seconds"].as_f64().unwrap() >= message["first_token_seconds"].as_f64().unwrap());
    assert_eq!((&conversation["messages"], &conversation["output_tokens"]), (&json!(2), &json!(40)));
    assert_eq!(
        (&conversation["title"], &conversation["busy"]),
        (&json!("What is a harbour?"), &json!(false))
    );

    alice.say(id, &json!({ "content": "And a lamp?" })).await;
    let answer = message["content"].as_str().unwrap().to_owned();
    let pair = |role: &str, content: &str| (role.to_owned(), content.to_owned());
    let told = given(&ollama);
    let first = vec![pair("system", "Be brief."), pair("user", "What is a harbour?")];
    assert_eq!(told[0], first);
    let second: Vec<_> = [first, vec![pair("assistant", &answer), pair("user", "And a lamp?")]].concat();
    assert_eq!(told[1], second);
    let asked = ollama.inferences().pop().unwrap().json();
    assert_eq!((&asked["options"]["temperature"], &asked["options"]["num_ctx"]), (&json!(0.5), &Value::Null));

    let view = alice.view(id).await;
    assert_eq!((view["messages"].as_array().unwrap().len(), &view["earlier"]), (4, &Value::Null));
}

#[tokio::test]
async fn what_a_conversation_is_called_and_told_is_changed_and_it_is_closed_and_removed() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    let id = &alice.begin(json!({ "system": "Be brief.", "options": { "seed": 1 } })).await;
    alice.say(id, &json!({ "content": "What is a harbour?" })).await;
    let path = format!("/conversations/{id}");
    let change = json!({ "title": " Ports ", "system": "", "options": {} });
    let changed = alice.told(200, Method::PATCH, &path, Some(&change)).await;
    assert_eq!(
        (&changed["title"], &changed["system"], &changed["options"]),
        (&json!("Ports"), &json!(""), &json!({}))
    );
    assert_eq!(changed["messages"], 2);
    let list = alice.get("/conversations").await;
    assert_eq!(list["conversations"][0]["title"], "Ports");
    assert!(list["conversations"][0].get("system").is_none() && list["next"].is_null());

    let closed = alice.told(200, Method::PATCH, &path, Some(&json!({ "closed": true }))).await;
    assert_eq!(closed["closed"], true);
    let say = json!({ "content": "Hello?" });
    let sentence = alice.refused(409, Method::POST, &format!("{path}/messages"), Some(&say)).await;
    assert!(sentence.contains("closed"), "{sentence}");
    assert_eq!(alice.transcript(id).await.len(), 2, "and it is still there to read");
    alice.told(200, Method::PATCH, &path, Some(&json!({ "closed": false }))).await;
    last(&alice.say(id, &say).await, "message");

    alice.told(204, Method::DELETE, &path, None).await;
    alice.refused(404, Method::GET, &path, None).await;
    alice.refused(404, Method::DELETE, &path, None).await;
    assert_eq!(alice.get("/conversations").await, json!({ "conversations": [], "next": null }));
}

#[tokio::test]
async fn nobody_can_tell_that_anothers_exists() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let (alice, bob) = (Person::of(&gateway), Person { gateway: &gateway, token: gateway.token_for("bob") });
    let admin = Person { gateway: &gateway, token: gateway.token_in("admins") };
    let hers = alice.begin(json!({ "title": "Hers" })).await;
    alice.say(&hers, &json!({ "content": "A secret" })).await;
    let none = "00000000-0000-4000-8000-000000000000";
    let before = ollama.inferences().len();
    for other in [&bob, &admin] {
        assert_eq!(other.get("/conversations").await["conversations"], json!([]));
        for (method, end, body) in [
            (Method::GET, "", None),
            (Method::PATCH, "", Some(json!({ "title": "Mine" }))),
            (Method::PATCH, "", Some(json!({ "closed": true }))),
            (Method::DELETE, "", None),
            (Method::POST, "/messages", Some(json!({ "content": "Hello" }))),
            (Method::POST, "/messages", Some(json!({ "regenerate": true }))),
            (Method::POST, "/stop", None),
        ] {
            let path = |id: &str| format!("/conversations/{id}{end}");
            let to_hers = other.refused(404, method.clone(), &path(&hers), body.as_ref()).await;
            for id in [none, "x", &hers.to_uppercase()] {
                let to_none = other.refused(404, method.clone(), &path(id), body.as_ref()).await;
                assert_eq!(to_hers, to_none, "{method} {end}");
            }
        }
        let export = other.get("/conversations/export").await;
        assert_eq!(export["conversations"], json!([]));
    }
    assert_eq!(ollama.inferences().len(), before, "no model was asked");
    assert_eq!(alice.transcript(&hers).await.len(), 2, "nothing was done to it");
}

#[tokio::test]
async fn mistakes_are_refused_in_words_and_roles_are_not_the_clients_to_give() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    for (status, body, words) in [
        (400, json!({}), "`model`"),
        (400, json!([]), "`model`"),
        (400, json!({ "model": CHAT, "messages": [] }), "nothing else"),
        (400, json!({ "model": "a b" }), "model"),
        (400, json!({ "model": EMBED }), "embeddings"),
        (404, json!({ "model": DENIED }), "not found"),
        (404, json!({ "model": "gemma-absent" }), "not found"),
        (400, json!({ "model": CHAT, "title": "" }), "`title`"),
        (400, json!({ "model": CHAT, "title": "x".repeat(201) }), "200"),
        (400, json!({ "model": CHAT, "system": "x".repeat(20_001) }), "20000"),
        (400, json!({ "model": CHAT, "options": { "temperature": "hot" } }), "temperature"),
        (400, json!({ "model": CHAT, "options": [] }), "options"),
    ] {
        let sentence = alice.refused(status, Method::POST, "/conversations", Some(&body)).await;
        assert!(sentence.contains(words), "{sentence}");
    }
    let id = alice.begin(json!({})).await;
    let path = format!("/conversations/{id}");
    for (status, body, words) in [
        (400, json!({ "content": " " }), "empty"),
        (400, json!({ "content": "Hi", "role": "system" }), "nothing else"),
        (400, json!({ "messages": [{ "role": "system", "content": "Hi" }] }), "nothing else"),
        (400, json!({ "content": "Hi", "replaces": "1700000000000000" }), "`replaces`"),
        (409, json!({ "regenerate": true }), "answered again"),
        (413, json!({ "content": "x".repeat(100_001) }), "100000"),
        (413, json!({ "content": "word ".repeat(15_000) }), "too long for the model"),
    ] {
        let sentence = alice.refused(status, Method::POST, &format!("{path}/messages"), Some(&body)).await;
        assert!(sentence.contains(words), "{sentence}");
    }
    for query in ["?limit=0", "?limit=201", "?before=1", "?search=x", "?limit=1&limit=1"] {
        alice.refused(400, Method::GET, &format!("{path}{query}"), None).await;
    }
    alice.refused(400, Method::GET, "/conversations?page=2", None).await;
    alice.refused(400, Method::PATCH, &path, Some(&json!({ "model": CHAT }))).await;
    assert_eq!(alice.view(&id).await["messages"], json!([]), "nothing of it was kept");
    assert!(given(&ollama).is_empty());
    let off = TestGateway::in_front_of(&ollama).await.config(|config| config.conversations.enabled = false);
    let off = off.start().await;
    let sentence = Person::of(&off).refused(404, Method::GET, "/conversations", None).await;
    assert!(sentence.contains("no such route"), "{sentence}");
}

#[tokio::test]
async fn lists_and_views_come_in_pages() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    for n in 0..5 {
        alice.begin(json!({ "title": format!("About {}", ["Lamps", "boats"][n % 2]) })).await;
    }
    let mut seen = Vec::new();
    let mut path = "/conversations?limit=2".to_owned();
    loop {
        let page = alice.get(&path).await;
        seen.extend(page["conversations"].as_array().unwrap().iter().map(|one| one["id"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/conversations?limit=2&before={next}");
    }
    let whole = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((whole, seen.len()), (5, 5));
    let found = alice.get("/conversations?search=LAMP").await;
    assert_eq!(found["conversations"].as_array().unwrap().len(), 3);

    let id = alice.begin(json!({})).await;
    for n in 0..3 {
        last(&alice.say(&id, &json!({ "content": format!("Question {n}") })).await, "message");
    }
    let all = alice.view(&id).await["messages"].as_array().unwrap().clone();
    let mut pages = Vec::new();
    let mut path = format!("/conversations/{id}?limit=4");
    loop {
        let page = alice.get(&path).await;
        pages.splice(0..0, page["messages"].as_array().unwrap().clone());
        let Some(earlier) = page["earlier"].as_str() else { break };
        path = format!("/conversations/{id}?limit=4&before={earlier}");
    }
    assert_eq!(pages, all);
    let list = alice.get("/conversations").await;
    let updated: Vec<_> =
        list["conversations"].as_array().unwrap().iter().map(|one| one["updated"].as_i64()).collect();
    assert!(updated.is_sorted_by(|one, next| one >= next), "the latest is first: {updated:?}");
}

#[tokio::test]
async fn the_export_is_one_file_of_everything() {
    let ollama = ollama().await;
    let gateway = quiet(&ollama).await;
    let alice = Person::of(&gateway);
    let (one, two) =
        (alice.begin(json!({ "title": "One" })).await, alice.begin(json!({ "system": "Hm" })).await);
    for n in 0..3 {
        alice.say(&one, &json!({ "content": format!("Question {n}") })).await;
    }
    alice.say(&two, &json!({ "content": "Another" })).await;
    let answer = alice.ask(Method::GET, "/conversations/export", None).await;
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let export: Value = answer.json().await.unwrap();
    assert_eq!((&export["complete"], export["exported"].is_i64()), (&json!(true), true));
    assert_eq!(export["principal"], format!("{}#alice", gateway.issuer.url()));
    for id in [&one, &two] {
        let mut view = alice.view(id).await;
        let mine = export["conversations"].as_array().unwrap().iter().find(|found| found["id"] == *id);
        let mut mine = mine.expect("in the file").clone();
        assert_eq!(mine["transcript"].take(), view["messages"].take());
        mine.as_object_mut().unwrap().remove("transcript");
        assert_eq!(mine, view["conversation"]);
    }
}

#[tokio::test]
async fn a_model_names_a_conversation_once_and_a_person_decides() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let alice = Person::of(&gateway);
    let titles = || {
        let asked = ollama.inferences().into_iter().map(|seen| seen.json());
        asked
            .filter(|seen| seen["messages"][0]["content"].as_str().is_some_and(|t| t.contains("You name")))
            .count()
    };
    let id = alice.begin(json!({})).await;
    let end = alice.say(&id, &json!({ "content": "What is a harbour?" })).await;
    assert_eq!(last(&end, "message")["conversation"]["title"], "What is a harbour?", "its first words");
    let title = async || alice.view(&id).await["conversation"]["title"].as_str().unwrap().to_owned();
    until("a title is made", async || title().await != "What is a harbour?").await;
    assert!(title().await.starts_with("quiet lamps") && title().await.chars().count() <= 80);
    assert_eq!(titles(), 1);
    last(&alice.say(&id, &json!({ "content": "And a lamp?" })).await, "message");
    let own = alice.begin(json!({ "title": "My own" })).await;
    last(&alice.say(&own, &json!({ "content": "What is a boat?" })).await, "message");
    let load = || gateway.gateway.shared.queue.load();
    until("all is quiet", async || load().busy + load().queued == 0).await;
    assert_eq!(titles(), 1, "never a second, and none where a person chose one");
    assert_eq!(alice.view(&own).await["conversation"]["title"], "My own");
}
