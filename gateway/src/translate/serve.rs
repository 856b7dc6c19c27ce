//! The step of the journey: a translation route, from its credential to its answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts as Head;
use http::{HeaderName, HeaderValue, Response};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Task;
use super::events::{self, Events};
use super::formats::ENDINGS;
use super::input::{Fields, Manner, read};
use super::job::{Desk, Done, Job, Text};
use super::languages::{self, Detected, detect};
use super::protect::{Protected, without_marks};
use super::segments::Coding;
use crate::body::Body;
use crate::error::Refusal;
use crate::identity::{Caller, Priority, Rights};
use crate::ollama::names::{ModelName, NameError};
use crate::process::Models;
use crate::request::Journey;
use crate::request::account::{Account, Outcome};
use crate::request::authenticate;
use crate::request::limit::{BodyHold, Pass};
use crate::request::local::json as answer;
use crate::request::receive::receive;
use crate::request::route::{Class, Route};
use crate::telling;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The largest body read before its sender is known: who sends the key in it cannot be known sooner.
const UNPROVEN: u64 = 1 << 20;
/// What a form adds to the file in it.
const FORM: u64 = 64 << 10;
/// Bytes that a character may need: four, each escaped.
const BYTES_A_CHARACTER: u64 = 12;
/// Characters that a language is guessed by.
const SAMPLE: usize = 4000;

/// A request whose sender is known.
pub(super) struct Asked {
    pub(super) caller: Caller,
    pub(super) pass: Option<Pass>,
    pub(super) fields: Fields,
    pub(super) route: &'static Route,
    /// The host that the client reached us by.
    pub(super) host: String,
    /// It wants a stream of events.
    pub(super) events: bool,
    _body: BodyHold,
}

impl Journey {
    /// Answers a translation route.
    ///
    /// # Errors
    /// As every step of the journey; in LibreTranslate's form, which is that of the native routes.
    pub async fn translate(
        &self,
        head: &Head,
        body: Incoming,
        route: &'static Route,
        task: Task,
        account: &mut Account,
    ) -> Result<Response<Body>, Refusal> {
        if matches!(task, Task::Download | Task::Handover) {
            return Box::pin(self.download(head, body, route, task, account)).await;
        }
        let mut asked = Box::pin(self.asked(head, body, route, task, account)).await?;
        match task {
            Task::Text => Box::pin(self.text(asked, account)).await,
            Task::Stream => Box::pin(self.stream(asked, account)).await,
            Task::File => Box::pin(self.file(asked, account)).await,
            Task::Detect => {
                let (texts, _) = asked.fields.texts(self.shared.config.translate.characters)?;
                let found = texts.first().and_then(|text| detect(text));
                let found =
                    found.map_or(json!({ "language": "en", "confidence": 0 }), |found| found.as_json());
                Ok(account.answered(answer(&json!([found]))))
            }
            Task::Languages => Ok(account.answered(answer(&languages::list()))),
            Task::Settings => Ok(account.answered(answer(&self.settings(&asked.caller.rights)))),
            Task::Download | Task::Handover => Err(Refusal::Bug),
        }
    }

    /// Who asks, for what. Clients of LibreTranslate may send their key in the body, which is then read, within narrow
    /// bounds, before its sender is known; whoever sends a header is known before.
    async fn asked(
        &self,
        head: &Head,
        body: Incoming,
        route: &'static Route,
        task: Task,
        account: &mut Account,
    ) -> Result<Asked, Refusal> {
        let proven = match authenticate::credential(&head.headers) {
            Err(Refusal::Unauthenticated("no_credential")) => None,
            _ => Some(self.authenticate(head, route, &account.id).await?),
        };
        if proven.as_ref().is_some_and(|caller| caller.forwarded.is_some()) {
            return Err(Refusal::Forbidden("a translation is not forwarded: its inferences are".to_owned()));
        }
        let pass = proven.as_ref().map(|caller| self.limit(caller)).transpose()?.flatten();
        let most = if proven.is_some() { self.most(task) } else { self.most(task).min(UNPROVEN) };
        let limits = &self.shared.config.limits;
        let (bytes, hold) =
            receive(&head.headers, body, most.min(limits.body_bytes), limits, &self.shared.bodies).await?;
        let mut fields = match (bytes.is_empty(), task) {
            (true, Task::Languages | Task::Settings) => Fields::default(),
            _ => read(&head.headers, bytes).await?,
        };
        let key = fields.api_key.take().filter(|key| !key.is_empty());
        let caller = match (proven, key) {
            (Some(caller), None) => caller,
            (None, Some(key)) => self.by_key(head, route, &key, account).await?,
            (None, None) => return Err(Refusal::Unauthenticated("no_credential")),
            (Some(_), Some(_)) => return Err(Refusal::Unauthenticated("two_credentials")),
        };
        account.caller = Some(caller.principal.clone());
        let pass = match pass {
            Some(pass) => Some(pass),
            None => self.limit(&caller)?,
        };
        if route.class == Class::Inference && matches!(self.shared.models, Models::Elsewhere(_)) {
            self.look_again().await; // which models there are
        }
        let accept = head.headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let events = accept.is_some_and(|accept| accept.contains("text/event-stream"));
        Ok(Asked { caller, pass, fields, route, host: host(head), events, _body: hold })
    }

    async fn by_key(
        &self,
        head: &Head,
        route: &'static Route,
        key: &str,
        account: &Account,
    ) -> Result<Caller, Refusal> {
        let mut head = head.clone();
        let mut key = HeaderValue::from_str(key).map_err(|_| Refusal::Unauthenticated("malformed"))?;
        key.set_sensitive(true);
        head.headers.insert(API_KEY, key);
        self.authenticate(&head, route, &account.id).await
    }

    fn most(&self, task: Task) -> u64 {
        let settings = &self.shared.config.translate;
        match task {
            Task::File => settings.file_bytes + FORM,
            _ => settings.characters as u64 * BYTES_A_CHARACTER + FORM,
        }
    }

    /// The model that translates for this caller.
    pub(super) fn model(&self, asked: Option<&str>, rights: &Rights) -> Result<ModelName, Refusal> {
        let config = &self.shared.config;
        let first = || config.ollama.as_ref().and_then(|ollama| ollama.models.first()).map(String::as_str);
        let named =
            asked.filter(|name| !name.is_empty()).or(config.translate.model.as_deref()).or_else(first);
        if let Some(name) = named {
            return ModelName::parse(name).map_err(|error| match error {
                NameError::Invalid => Refusal::Invalid(error.to_string()),
                NameError::Cloud => Refusal::Forbidden(error.to_string()),
            });
        }
        let known = self.shared.known();
        let fits = |name: &&ModelName| rights.may_use(name) && !known.embeds(name);
        if let Some(found) = known.tags.iter().map(|(name, _)| name).find(fits) {
            return Ok(found.clone());
        }
        self.shared.wake.admitted()?; // a front that has never seen a node learns of its models by waking one
        Err(Refusal::Overloaded {
            what: "no model that translates is known yet",
            retry_after: Duration::from_secs(10),
        })
    }

    fn settings(&self, rights: &Rights) -> Value {
        let settings = &self.shared.config.translate;
        json!({
            "apiKeys": true,
            "keyRequired": true,
            "charLimit": settings.characters,
            "frontendTimeout": 500,
            "filesTranslation": true,
            "supportedFilesFormat": ENDINGS.iter().map(|(ending, _)| *ending).collect::<Vec<_>>(),
            "fileBytes": settings.file_bytes,
            "suggestions": false,
            "model": self.model(None, rights).ok().map(|model| model.to_string()),
            "prompts": super::prompt::VERSION,
            "tones": ["neutral", "formal", "informal"],
            "language": {
                "source": { "code": "auto", "name": "Auto Detect" },
                "target": { "code": "en", "name": "English" },
            },
        })
    }

    /// `POST /translate`
    async fn text(&self, mut asked: Asked, account: &mut Account) -> Result<Response<Body>, Refusal> {
        let (texts, many) = asked.fields.texts(self.shared.config.translate.characters)?;
        let (mut job, found) = self.job_of(&mut asked, &texts, account)?;
        let (alternatives, automatic) = (job.manner.alternatives, job.manner.source.is_none());
        let desk = self.desk(asked, Priority::Interactive, account);
        let limit = self.shared.config.limits.answer_seconds;
        let ended = desk.ended(limit, desk.variants(&mut job, alternatives)).await;
        *account = desk.close();
        let mut all = ended?.into_iter();
        let translated = all.next().unwrap_or_default();
        let others: Vec<_> = all.collect();
        let of = |at: usize| others.iter().filter_map(|texts| texts.get(at)).collect::<Vec<_>>();
        let found: Vec<_> =
            found.iter().map(|found| found.map_or(Value::Null, |found| found.as_json())).collect();
        let mut body = if many {
            json!({ "translatedText": translated })
        } else {
            json!({ "translatedText": translated.first() })
        };
        if automatic {
            body["detectedLanguage"] = if many { json!(found) } else { json!(found.first()) };
        }
        if alternatives > 0 {
            let each: Vec<_> = (0..translated.len()).map(of).collect();
            body["alternatives"] = if many { json!(each) } else { json!(each.first()) };
        }
        Ok(account.answered(answer(&body)))
    }

    /// `POST /translate/stream`
    async fn stream(&self, mut asked: Asked, account: &mut Account) -> Result<Response<Body>, Refusal> {
        let (texts, _) = asked.fields.texts(self.shared.config.translate.characters)?;
        let (job, found) = self.job_of(&mut asked, &texts, account)?;
        let found = found.into_iter().next().flatten();
        let desk = Arc::new(self.desk(asked, Priority::Interactive, account));
        let (response, reader, events) = events::stream(&self.shared);
        let detected = found.map(|found| found.as_json());
        desk.account.lock().unwrap_or_else(std::sync::PoisonError::into_inner).status = 200;
        self.shared.tasks.spawn(async move {
            let work = async {
                events.say("start", &started(&desk, &job, detected.as_ref())).await?;
                let done = desk.run(&job, &events).await?;
                events.say("final", &finished(&desk, &job, &done, detected.as_ref())).await
            };
            desk.streamed(&job, &events, &reader, work).await;
        });
        Ok(response)
    }

    /// Cuts texts up, each by its language.
    fn job_of(
        &self,
        asked: &mut Asked,
        texts: &[String],
        account: &mut Account,
    ) -> Result<(Job, Vec<Option<Detected>>), Refusal> {
        let manner = asked.fields.manner()?;
        let model = self.model(asked.fields.model.as_deref(), &asked.caller.rights)?;
        account.model = Some(model.clone());
        let found: Vec<_> = texts.iter().map(|text| guess(text, &manner, manner.coding)).collect();
        let texts: Vec<_> = texts
            .iter()
            .zip(&found)
            .map(|(text, found)| Text { text, coding: manner.coding, source: believed(&manner, *found) })
            .collect();
        let most = self.shared.config.translate.segment_characters;
        Ok((Job::of(&texts, manner, model, most), found))
    }

    /// Where a job is worked on. Typed texts go first, files last; who may only ask when nobody else does stays so.
    pub(super) fn desk(&self, asked: Asked, priority: Priority, account: &mut Account) -> Desk {
        Desk::new(self.apart(), asked.route, asked.caller.at(priority), asked.pass, account.hand_over())
    }
}

impl Desk {
    /// The result of work that must be done within `limit`, unless the caller is shut out.
    pub(super) async fn ended<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let shared = &self.journey.shared;
        tokio::select! {
            result = work => result,
            () = shared.denials.shut_out(&self.caller.principal) => Err(Refusal::Denied),
            () = sleep(limit) => {
                let until_ready = shared.wake.until_ready();
                Err(if until_ready.is_zero() { too_late() } else { Refusal::StillWaking(until_ready) })
            }
        }
    }

    /// The same for a stream: ends it in words, whatever happens, and notes how it ended.
    pub(super) async fn streamed(
        &self,
        job: &Job,
        events: &Events,
        reader: &tokio::sync::mpsc::Sender<Bytes>,
        work: impl Future<Output = Result<(), Refusal>>,
    ) {
        let shared = &self.journey.shared;
        let ended = tokio::select! {
            biased;
            () = reader.closed() => return, // the account says that its client left
            ended = self.ended(shared.config.limits.stream_seconds, work) => ended,
            () = self.tell_waits(job, events) => return,
        };
        if let Err(refusal) = &ended {
            let waking = !shared.wake.until_ready().is_zero() && self.flowing.load(Ordering::Relaxed) == 0;
            let _unread = events.say("error", &telling::error(refusal, waking)).await;
        }
        let mut account = self.account.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &ended {
            Ok(()) => account.outcome = Outcome::Answered,
            Err(refusal) => account.refused(refusal),
        }
    }

    /// The translation, and so many others.
    async fn variants(&self, job: &mut Job, others: u32) -> Result<Vec<Vec<String>>, Refusal> {
        let mut all = Vec::new();
        for variant in 0..=others {
            job.variant = variant;
            all.push(job.join(&self.run(job, &Events::None).await?));
        }
        Ok(all)
    }
}

fn too_late() -> Refusal {
    Refusal::TooLate(
        "the translation was not complete in time; send less at once, or use POST /translate/stream"
            .to_owned(),
    )
}

/// The language of a text that says none.
pub(super) fn guess(text: &str, manner: &Manner, coding: Coding) -> Option<Detected> {
    if manner.source.is_some() {
        return None;
    }
    let sample: String = text.chars().take(SAMPLE).collect();
    detect(&without_marks(Protected::of(&sample, coding).text()))
}

/// The language to tell the model: what was said, or a guess to rely on.
pub(super) fn believed(manner: &Manner, found: Option<Detected>) -> Option<&'static languages::Language> {
    manner.source.or(found.filter(|found| found.reliable).map(|found| found.language))
}

fn started(desk: &Desk, job: &Job, detected: Option<&Value>) -> Value {
    let segments: Vec<_> = (job.pieces.iter().enumerate())
        .map(|(index, piece)| {
            let segment = &piece.segment;
            json!({ "index": index, "source": segment.source, "before": segment.before, "after": segment.after })
        })
        .collect();
    json!({
        "job": desk.id,
        "model": job.model.as_str(),
        "detectedLanguage": detected,
        "segments": segments,
    })
}

fn finished(desk: &Desk, job: &Job, done: &[Done], detected: Option<&Value>) -> Value {
    let marked = done.iter().enumerate().filter(|(_, done)| !done.marks.is_empty());
    let marks: Vec<_> = marked.map(|(index, done)| json!({ "index": index, "marks": done.marks })).collect();
    let spent = desk.spent();
    json!({
        "translatedText": job.join(done).concat(),
        "detectedLanguage": detected,
        "marks": marks,
        "promptTokens": spent.prompt_tokens,
        "outputTokens": spent.output_tokens,
    })
}

/// The host, with its port, as the client wrote it; it was found well-formed.
fn host(head: &Head) -> String {
    let authority = head.uri.authority().map(|authority| authority.as_str().to_owned());
    let field =
        || head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    authority.or_else(field).unwrap_or_default()
}
