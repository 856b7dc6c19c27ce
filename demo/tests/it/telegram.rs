//! The fake Telegram holds a bot to what the Bot API's documents say, in the real server's words.

use demo::telegram::{Failure, Telegram};
use reqwest::Client;
use serde_json::{Value, json};

const ANN: i64 = 5;

/// Calls a method; the status and what it answers.
async fn call(telegram: &Telegram, method: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/bot{}/{method}", telegram.url(), telegram.token());
    let answer = Client::new().post(url).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn refused(telegram: &Telegram, method: &str, body: Value) -> String {
    let (status, answer) = call(telegram, method, body).await;
    assert!(status >= 400 && answer["ok"] == false && answer["error_code"] == status, "{answer}");
    answer["description"].as_str().unwrap().to_owned()
}

fn text(text: &str) -> Value {
    json!({ "chat_id": ANN, "text": text })
}

#[tokio::test]
async fn only_its_bot_may_call() {
    let telegram = Telegram::start().await.unwrap();
    for (token, status) in [("123:unknown", 401), ("nonsense", 404)] {
        let url = format!("{}/bot{token}/getMe", telegram.url());
        assert_eq!(Client::new().get(url).send().await.unwrap().status(), status);
    }
    let (status, me) = call(&telegram, "getMe", json!({})).await;
    assert_eq!((status, &me["result"]["is_bot"]), (200, &json!(true)));
    assert_eq!(refused(&telegram, "sendPoem", json!({})).await, "Not Found: method not found");
}

#[tokio::test]
async fn messages_are_short_not_empty_and_to_somebody_who_wrote_first() {
    let telegram = Telegram::start().await.unwrap();
    assert_eq!(refused(&telegram, "sendMessage", text("x")).await, "Bad Request: chat not found");
    telegram.say(ANN, "/start");
    let (status, sent) = call(&telegram, "sendMessage", text(&"😀".repeat(2048))).await;
    assert_eq!(status, 200);
    assert_eq!(refused(&telegram, "sendMessage", text(" \n")).await, "Bad Request: message text is empty");
    let long = "😀".repeat(2048) + "x";
    assert_eq!(refused(&telegram, "sendMessage", text(&long)).await, "Bad Request: message is too long");
    assert_eq!(sent["result"]["message_id"], 2);
}

#[tokio::test]
async fn twenty_messages_at_once_are_a_flood() {
    let telegram = Telegram::start().await.unwrap();
    telegram.say(ANN, "/start");
    let mut sent = tokio::task::JoinSet::new();
    let url = format!("{}/bot{}/sendMessage", telegram.url(), telegram.token());
    let client = Client::new();
    for _ in 0..20 {
        sent.spawn(client.post(&url).json(&text("x")).send());
    }
    let mut floods = 0;
    while let Some(answer) = sent.join_next().await {
        let answer: Value = answer.unwrap().unwrap().json().await.unwrap();
        if answer["error_code"] == 429 {
            assert!((1..=3).contains(&answer["parameters"]["retry_after"].as_u64().unwrap()), "{answer}");
            floods += 1;
        }
    }
    assert!(floods > 0 && telegram.floods() == floods);
    assert_eq!(telegram.bot_says(ANN).len(), 20 - floods);
}

#[tokio::test]
async fn an_edit_changes_a_message_of_the_bots_that_is_there() {
    let telegram = Telegram::start().await.unwrap();
    telegram.say(ANN, "/start");
    let edit = |id: u64, text: &str| json!({ "chat_id": ANN, "message_id": id, "text": text });
    call(&telegram, "sendMessage", text("one")).await;
    assert!(
        refused(&telegram, "editMessageText", edit(2, " one ")).await.contains("message is not modified")
    );
    assert!(refused(&telegram, "editMessageText", edit(1, "mine")).await.contains("message can't be edited"));
    telegram.fail_next("editMessageText", Failure::FloodWait(1));
    assert!(refused(&telegram, "editMessageText", edit(2, "two")).await.contains("retry after 1"));
    telegram.delete(ANN, 2);
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert!(
        refused(&telegram, "editMessageText", edit(2, "two")).await.contains("message to edit not found")
    );
}

#[tokio::test]
async fn updates_come_until_they_are_confirmed_and_to_one_reader() {
    let telegram = Telegram::start().await.unwrap();
    telegram.say(ANN, "one");
    telegram.say(ANN, "two");
    let texts = |answer: &Value| -> Vec<String> {
        let updates = answer["result"].as_array().unwrap().iter();
        updates.map(|update| update["message"]["text"].as_str().unwrap().to_owned()).collect()
    };
    let (_, first) = call(&telegram, "getUpdates", json!({})).await;
    assert_eq!(texts(&first), ["one", "two"]);
    let (_, limited) = call(&telegram, "getUpdates", json!({ "limit": 1 })).await;
    assert_eq!(texts(&limited), ["one"]);
    let next = limited["result"][0]["update_id"].as_u64().unwrap() + 1;
    let (_, rest) = call(&telegram, "getUpdates", json!({ "offset": next })).await;
    assert_eq!(texts(&rest), ["two"]);
    let waits = call(&telegram, "getUpdates", json!({ "offset": next + 1, "timeout": 50 }));
    let others = async {
        loop {
            call(&telegram, "getUpdates", json!({})).await;
        }
    };
    let (status, gone) = tokio::select! {
        gone = waits => gone,
        never = others => never,
    };
    assert_eq!(status, 409);
    assert!(gone["description"].as_str().unwrap().starts_with("Conflict: terminated by other getUpdates"));
}

#[tokio::test]
async fn files_come_as_forms_up_to_their_size() {
    let telegram = Telegram::start().await.unwrap();
    telegram.say(ANN, "/start");
    let send = |bytes: Vec<u8>| {
        let head = "--cut\r\nContent-Disposition: form-data; name=";
        let file = "\"document\"; filename=\"a.json\"\r\nContent-Type: application/json";
        let fields =
            format!("{head}\"chat_id\"\r\n\r\n{ANN}\r\n{head}\"caption\"\r\n\r\nall\r\n{head}{file}\r\n\r\n");
        let body = [fields.as_bytes(), &bytes, b"\r\n--cut--\r\n"].concat();
        let url = format!("{}/bot{}/sendDocument", telegram.url(), telegram.token());
        Client::new().post(url).header("content-type", "multipart/form-data; boundary=cut").body(body).send()
    };
    assert_eq!(send(b"{}".to_vec()).await.unwrap().status(), 200);
    assert_eq!(send(Vec::new()).await.unwrap().status(), 400);
    assert_eq!(send(vec![0; 50_000_001]).await.unwrap().status(), 413);
    let message = telegram.chat(ANN).pop().unwrap();
    let (name, content) = message.document.unwrap();
    assert_eq!((name.as_str(), &content[..], message.text.as_str()), ("a.json", &b"{}"[..], "all"));
}
