//! Files come back as they were, but for their texts, to who sent them, from whichever gateway they ask.

use std::io::{Cursor, Read, Write};

use gateway::identity::api_keys;
use reqwest::RequestBuilder;
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::hops::{Fleet, meets};
use crate::support::{CHAT, TestGateway, ollama};
use crate::translate::events;

/// A file in a form, as a browser sends it.
pub fn upload(gateway: &TestGateway, name: &str, content: &[u8], fields: &[(&str, &str)]) -> RequestBuilder {
    let mut body = Vec::new();
    for (field, value) in fields {
        body.extend(
            format!("--b0\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    let head = format!("--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    body.extend(head.bytes().chain(content.iter().copied()).chain(b"\r\n--b0--\r\n".iter().copied()));
    let request = gateway.client().post(gateway.url("/translate_file")).bearer_auth(gateway.token());
    request.header("content-type", "multipart/form-data; boundary=b0").body(body)
}

async fn url_of(answer: reqwest::Response) -> String {
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["translatedFileUrl"].as_str().unwrap().to_owned()
}

const GERMAN: &[(&str, &str)] = &[("source", "en"), ("target", "de")];

fn word() -> Vec<u8> {
    let body = "<w:document><w:p><w:r><w:t>One </w:t></w:r><w:r><w:t>two</w:t></w:r></w:p></w:document>";
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("word/document.xml", body), ("word/media/a.png", "\u{1}\u{2}")] {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test]
async fn each_kind_of_file_comes_back_with_its_structure() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for (name, content) in [
        ("a.txt", "Title\r\n\r\n- one {x}\n"),
        ("a.md", "# Title\n\n```\ncode\n```\n| a b | c |\n|---|---|\n"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello.</i>\n"),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHello.\n"),
        ("a.html", "<!doctype html><title>Hi</title><p>One &lt; <b>two</b><script>x</script>"),
        ("a.json", "{ \"key\" : \"Some \\u0041 words\", \"n\": 1.0 }"),
    ] {
        let url = url_of(upload(&gateway, name, content.as_bytes(), GERMAN).send().await.unwrap()).await;
        let file = gateway.client().get(&url).bearer_auth(gateway.token()).send().await.unwrap();
        let disposition = file.headers()["content-disposition"].to_str().unwrap().to_owned();
        let name = name.replace("a.", "a.de.");
        assert_eq!(disposition, format!("attachment; filename=\"{name}\""));
        assert_eq!(file.headers()["x-content-type-options"], "nosniff");
        assert_eq!(file.text().await.unwrap(), content, "{name}");
    }
    let po = "msgid \"Some words\"\nmsgstr \"\"\n";
    let url = url_of(upload(&gateway, "a.po", po.as_bytes(), GERMAN).send().await.unwrap()).await;
    let file = gateway.client().get(&url).bearer_auth(gateway.token()).send().await.unwrap();
    assert_eq!(file.text().await.unwrap(), "msgid \"Some words\"\nmsgstr \"Some words\"\n");
    let url = url_of(upload(&gateway, "a.docx", &word(), GERMAN).send().await.unwrap()).await;
    let file = gateway.client().get(&url).bearer_auth(gateway.token()).send().await.unwrap();
    let mut archive = ZipArchive::new(Cursor::new(file.bytes().await.unwrap())).unwrap();
    let mut text = String::new();
    archive.by_name("word/document.xml").unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains("<w:t>One </w:t></w:r><w:r><w:t>two</w:t>"), "{text}");
}

#[tokio::test]
async fn progress_is_told_and_a_file_is_its_owners() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let request = upload(&gateway, "a.txt", b"One thing\nTwo things\n", GERMAN);
    let stream = request.header("accept", "text/event-stream").send().await.unwrap().text().await.unwrap();
    let events = events(&stream);
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "wait").collect();
    assert_eq!(names, ["progress", "progress", "final"]);
    let url = events.last().unwrap().1["translatedFileUrl"].as_str().unwrap().to_owned();
    let get =
        async |token: &str| gateway.client().get(&url).bearer_auth(token).send().await.unwrap().status();
    assert_eq!(get(&gateway.token()).await, 200);
    assert_eq!(get(&gateway.token_for("bob")).await, 404, "somebody else's is none");
    assert_eq!(gateway.client().get(&url).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn what_cannot_be_translated_is_refused_in_words() {
    let ollama = ollama().await;
    let small = |config: &mut gateway::config::Config| {
        config.translate.file_bytes = 1000;
        config.translate.file_characters = 100;
    };
    let gateway = TestGateway::in_front_of(&ollama).await.config(small).start().await;
    let long = "Some words. ".repeat(20);
    for (name, content, status, words) in [
        ("a.exe", "MZ", 400, ".docx"),
        ("a.docx", "no zip", 400, "Word document"),
        ("a.json", "{", 400, "JSON"),
        ("a.txt", long.as_str(), 400, "limit is 100"),
    ] {
        let answer = upload(&gateway, name, content.as_bytes(), GERMAN).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}");
        let error: Value = answer.json().await.unwrap();
        assert!(error["error"].as_str().unwrap().contains(words), "{error}");
    }
    let huge = vec![b'a'; 100 << 10];
    let answer = upload(&gateway, "a.txt", &huge, GERMAN).send().await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 413));
}

#[tokio::test]
async fn a_file_is_fetched_from_whichever_gateway_has_it() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front =
        fleet.front().await.config(|config| config.translate.model = Some(CHAT.to_owned())).start().await;
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    let now = jiff::Timestamp::now().as_second();
    let (key, _) = api_keys::create(&*fleet.store, "tool", Vec::new(), now, None).await.unwrap();
    let fields = [("api_key", key.as_str()), ("target", "de")];
    for (made, other) in [(&front, &node), (&node, &front)] {
        let request = upload(made, "a.txt", b"Some words", &fields);
        let request = request.build().unwrap();
        let client = made.client();
        let mut anonymous = request.try_clone().unwrap();
        anonymous.headers_mut().remove("authorization");
        let url = url_of(client.execute(anonymous).await.unwrap()).await;
        let name = url.rsplit_once('/').unwrap().1.to_owned();
        let get = async |token: &str| {
            let path = other.url(&format!("/download_file/{name}"));
            other.client().get(path).bearer_auth(token).send().await.unwrap()
        };
        let file = get(&key).await;
        assert_eq!(file.status(), 200);
        assert_eq!(file.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(file.text().await.unwrap(), "Some words");
        assert_eq!(get(&other.token()).await.status(), 404, "somebody else's is none");
    }
}
