//! The calls to the gateway: those of any client. Each is made with the key of the person who asks; the bot's own key
//! only redeems codes.

mod events;

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::header::{AUTHORIZATION, CONTENT_DISPOSITION, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

pub use self::events::{Broken, Event, Garbled, Reader, Start, Wait};
use crate::config::{Secret, settings};

/// An answer that is no stream takes no longer.
const CALL: Duration = Duration::from_secs(30);
/// A stream says something, if only a comment, more often than this: the gateway's default is every 15 s.
const SILENCE: Duration = Duration::from_secs(90);
/// A connection is there by then, or never.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest answer that is read, but for an export.
const ANSWER_BYTES: usize = 16 << 20;
/// The longest sentence of an error that is passed on.
const SENTENCE_CHARACTERS: usize = 600;

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The key is not valid (any more).
    #[error("the gateway does not know this key")]
    Unknown,
    /// The gateway says no, in a sentence meant for people.
    #[error("{sentence}")]
    Refused {
        /// The status.
        status: u16,
        /// Why.
        sentence: String,
        /// When it may be better.
        retry_after: Option<u64>,
    },
    /// Nothing was asked, or not again: a sentence of ours.
    #[error("{0}")]
    Told(&'static str),
    /// There was no answer.
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(String),
    /// There was one, but nothing that was agreed on.
    #[error("the gateway's answer cannot be read: {0}")]
    Garbled(String),
    /// An export is longer than Telegram takes.
    #[error("longer than {0} bytes")]
    TooLong(usize),
}

impl From<Garbled> for Failure {
    fn from(garbled: Garbled) -> Self {
        Self::Garbled(garbled.to_string())
    }
}

/// Without the address: what is in one is nobody's to see.
fn unreachable(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut told = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    Failure::Unreachable(told)
}

/// A conversation's head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Conversation {
    /// Its name in paths.
    pub id: String,
    /// What it is about.
    #[serde(default)]
    pub title: Option<String>,
    /// Who answers in it.
    pub model: String,
    /// When it last changed, in seconds since 1970.
    #[serde(default)]
    pub updated: i64,
    /// Does somebody write in it now?
    #[serde(default)]
    pub busy: bool,
    /// Is nothing to be added to it?
    #[serde(default)]
    pub closed: bool,
}

/// How far a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// All of it.
    Whole,
    /// It is being written.
    Writing,
    /// Until somebody stopped it.
    Stopped,
    /// Until something broke.
    Broken,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Message {
    /// Its number, as text.
    pub id: String,
    /// What it says.
    pub content: String,
    /// How far it came.
    pub state: Condition,
}

/// A model that a person may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Is it in memory somewhere, so that it answers at once?
    pub loaded: bool,
}

/// What a code was good for.
#[derive(Debug, Clone, Deserialize)]
pub struct Link {
    /// The key that acts as the person.
    pub key: Secret,
    /// Who that is.
    pub principal: String,
}

/// The gateway, seen by its client.
#[derive(Debug)]
pub struct Gateway {
    client: Client,
    url: Url,
    own_key: Secret,
}

impl Gateway {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// An address or a file of authorities that cannot be used.
    pub fn new(settings: &settings::Gateway) -> anyhow::Result<Self> {
        use anyhow::Context;
        let mut builder = Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ollama-fleet-bot/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &settings.ca_file {
            let pem = std::fs::read(file).with_context(|| format!("gateway.ca_file: {}", file.display()))?;
            let authorities = Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("gateway.ca_file: {} holds no certificates", file.display()))?;
            builder = builder.tls_certs_only(authorities);
        }
        let mut url = Url::parse(&settings.url).context("gateway.url")?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self { client: builder.build().context("making a client")?, url, own_key: settings.key.clone() })
    }

    fn request(&self, method: Method, path: &str, key: &Secret) -> Result<RequestBuilder, Failure> {
        let url = self.url.join(path).map_err(|_| Failure::Garbled("an address".to_owned()))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))
            .map_err(|_| Failure::Garbled("a key".to_owned()))?;
        value.set_sensitive(true);
        Ok(self.client.request(method, url).header(AUTHORIZATION, value))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        key: &Secret,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let mut request = self.request(method, path, key)?.timeout(CALL);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = accepted(request.send().await.map_err(unreachable)?).await?;
        let bytes = read(answer, ANSWER_BYTES).await?;
        serde_json::from_slice(&bytes).map_err(|_| Failure::Garbled("another form".to_owned()))
    }

    /// Turns a code into the key that acts as the person it was made for.
    ///
    /// # Errors
    /// 404 for a code that is wrong, used or too old.
    pub async fn redeem(&self, code: &str, label: &str) -> Result<Link, Failure> {
        let body = json!({ "code": code, "label": label });
        self.call(Method::POST, "links/redeem", &self.own_key, Some(&body)).await
    }

    /// The models that may be talked to, in the gateway's order.
    ///
    /// # Errors
    /// As every call.
    pub async fn models(&self, key: &Secret) -> Result<Vec<Model>, Failure> {
        #[derive(Deserialize)]
        struct Tags {
            models: Vec<Tag>,
        }
        #[derive(Deserialize)]
        struct Tag {
            name: String,
            #[serde(default)]
            capabilities: Vec<String>,
        }
        // Ollamas that list no capabilities leave the choice to whoever asks.
        let talks =
            |tag: &Tag| tag.capabilities.is_empty() || tag.capabilities.iter().any(|can| can == "completion");
        let tags: Tags = self.call(Method::GET, "api/tags", key, None).await?;
        let running: Tags = self.call(Method::GET, "api/ps", key, None).await?;
        let loaded = |name: &str| running.models.iter().any(|tag| tag.name == name);
        let models = tags.models.into_iter().filter(talks);
        Ok(models.map(|tag| Model { loaded: loaded(&tag.name), name: tag.name }).collect())
    }

    /// Begins a conversation.
    ///
    /// # Errors
    /// A model that does not exist or may not be used.
    pub async fn begin(&self, key: &Secret, model: &str) -> Result<Conversation, Failure> {
        self.call(Method::POST, "conversations", key, Some(&json!({ "model": model }))).await
    }

    /// The latest conversations, newest first.
    ///
    /// # Errors
    /// As every call.
    pub async fn conversations(&self, key: &Secret, most: usize) -> Result<Vec<Conversation>, Failure> {
        #[derive(Deserialize)]
        struct List {
            conversations: Vec<Conversation>,
        }
        let list: List = self.call(Method::GET, &format!("conversations?limit={most}"), key, None).await?;
        Ok(list.conversations)
    }

    /// A conversation and its last messages, oldest first.
    ///
    /// # Errors
    /// 404 for one that is not theirs or not there.
    pub async fn view(&self, key: &Secret, id: &str) -> Result<(Conversation, Vec<Message>), Failure> {
        #[derive(Deserialize)]
        struct View {
            conversation: Conversation,
            messages: Vec<Message>,
        }
        let view: View = self.call(Method::GET, &format!("{}?limit=4", path_of(id)?), key, None).await?;
        Ok((view.conversation, view.messages))
    }

    /// Says something; the answer comes as events.
    ///
    /// # Errors
    /// 404 where there is no such conversation, 409 where somebody else writes in it or it is closed.
    pub async fn say(&self, key: &Secret, id: &str, content: &str) -> Result<Events, Failure> {
        let path = format!("{}/messages", path_of(id)?);
        let request = self.request(Method::POST, &path, key)?.json(&json!({ "content": content }));
        let answer = tokio::time::timeout(SILENCE, request.send());
        let answer = answer
            .await
            .map_err(|_| Failure::Unreachable("no answer in time".to_owned()))?
            .map_err(unreachable)?;
        let bytes = accepted(answer).await?.bytes_stream().map(|piece| piece.map_err(unreachable)).boxed();
        Ok(Events { bytes, reader: Reader::default(), next: Vec::new().into_iter() })
    }

    /// Ends the answer that is being written, and keeps what has come.
    ///
    /// # Errors
    /// As every call.
    pub async fn stop(&self, key: &Secret, id: &str) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        struct Stopping {
            stopping: bool,
        }
        let stop: Stopping =
            self.call(Method::POST, &format!("{}/stop", path_of(id)?), key, Some(&json!({}))).await?;
        Ok(stop.stopping)
    }

    /// Everything of theirs, as a file: its name and its bytes, at most so many.
    ///
    /// # Errors
    /// [`Failure::TooLong`] for more.
    pub async fn export(&self, key: &Secret, most: usize) -> Result<(String, Bytes), Failure> {
        let request = self.request(Method::GET, "conversations/export", key)?;
        let answer = accepted(request.send().await.map_err(unreachable)?).await?;
        let named = answer.headers().get(CONTENT_DISPOSITION).and_then(|value| value.to_str().ok());
        let name = named.and_then(file_name).unwrap_or("conversations.json").to_owned();
        Ok((name, read(answer, most).await?))
    }
}

/// The path of a conversation; an id is never a way elsewhere.
fn path_of(id: &str) -> Result<String, Failure> {
    let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain { Ok(format!("conversations/{id}")) } else { Err(Failure::Garbled("an id".to_owned())) }
}

/// The name in `attachment; filename="x.json"`, if it is a plain one.
fn file_name(disposition: &str) -> Option<&str> {
    let name = disposition.split_once("filename=")?.1.split(';').next()?.trim().trim_matches('"');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (!name.is_empty() && name.len() <= 100 && name.bytes().all(plain)).then_some(name)
}

async fn accepted(answer: Response) -> Result<Response, Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(Failure::Unknown);
    }
    #[derive(Deserialize)]
    struct Told {
        error: String,
    }
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = tokio::time::timeout(CALL, read(answer, 64 << 10)).await;
    let told = body.ok().and_then(Result::ok).and_then(|body| serde_json::from_slice::<Told>(&body).ok());
    let sentence = told.map_or_else(|| format!("the gateway answered {status}"), |told| told.error);
    let sentence = sentence.chars().take(SENTENCE_CHARACTERS).collect();
    Err(Failure::Refused { status: status.as_u16(), sentence, retry_after })
}

async fn read(mut answer: Response, most: usize) -> Result<Bytes, Failure> {
    let mut bytes = bytes::BytesMut::new();
    loop {
        let piece = tokio::time::timeout(SILENCE, answer.chunk()).await;
        let piece = piece.map_err(|_| Failure::Unreachable("it fell silent".to_owned()))?;
        let Some(piece) = piece.map_err(unreachable)? else { return Ok(bytes.freeze()) };
        if bytes.len() + piece.len() > most {
            return Err(Failure::TooLong(most));
        }
        bytes.extend_from_slice(&piece);
    }
}

/// An answer under way.
pub struct Events {
    bytes: BoxStream<'static, Result<Bytes, Failure>>,
    reader: Reader,
    next: std::vec::IntoIter<Event>,
}

impl Events {
    /// The next event; none when the stream has ended.
    ///
    /// # Errors
    /// A connection that breaks or falls silent. The answer goes on at the gateway then, and is kept there.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.next.next() {
                return Ok(Some(event));
            }
            let piece = tokio::time::timeout(SILENCE, self.bytes.next()).await;
            match piece.map_err(|_| Failure::Unreachable("it fell silent".to_owned()))? {
                Some(piece) => self.next = self.reader.take(&piece?)?.into_iter(),
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_a_way_elsewhere() {
        assert!(path_of("0b5c-11").is_ok());
        for id in ["", "..", "a/b", "a?b", "é", "%2e"] {
            assert!(path_of(id).is_err(), "{id}");
        }
    }

    #[test]
    fn a_files_name_is_taken_only_if_plain() {
        assert_eq!(file_name("attachment; filename=\"talk-2026.json\""), Some("talk-2026.json"));
        for told in ["attachment", "attachment; filename=\"\"", "attachment; filename=\"../x\""] {
            assert_eq!(file_name(told), None, "{told}");
        }
    }

    #[tokio::test]
    async fn who_cannot_be_reached_is_told_without_address_and_key() {
        let settings = settings::Gateway {
            url: "http://127.0.0.1:9/secret-path".to_owned(),
            key: Secret::new("secret-key"),
            ca_file: None,
        };
        let gateway = Gateway::new(&settings).unwrap();
        let failure = gateway.models(&settings.key).await.unwrap_err();
        let told = format!("{failure} {failure:?} {gateway:?}");
        assert!(matches!(failure, Failure::Unreachable(_)), "{told}");
        assert!(!failure.to_string().contains("secret-path") && !told.contains("secret-key"), "{told}");
    }
}
