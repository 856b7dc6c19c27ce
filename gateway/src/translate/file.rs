//! `POST /translate_file`: a file in, the address of its translation out, at once or with progress as a stream.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::Response;
use serde_json::json;

use super::events::{self, Events};
use super::formats::{Document, Format, FormatError};
use super::input::File;
use super::job::{Desk, Job, Text};
use super::kept::KeptFile;
use super::serve::{Asked, believed, guess};
use crate::body::Body;
use crate::error::Refusal;
use crate::identity::Priority;
use crate::request::Journey;
use crate::request::account::Account;
use crate::request::local::json as answer;

/// A file that is being translated.
struct Errand {
    document: Document,
    format: Format,
    job: Job,
    /// Of the translation.
    name: String,
    host: String,
}

impl Journey {
    pub(super) async fn file(
        &self,
        mut asked: Asked,
        account: &mut Account,
    ) -> Result<Response<Body>, Refusal> {
        let events = asked.events;
        let errand = self.errand(&mut asked, account)?;
        let desk = self.desk(asked, Priority::Batch, account);
        if !events {
            let limit = self.shared.config.limits.answer_seconds;
            let ended = desk.ended(limit, desk.translate_file(&errand, &Events::None)).await;
            *account = desk.close();
            return Ok(account.answered(answer(&json!({ "translatedFileUrl": ended? }))));
        }
        let desk = Arc::new(desk);
        let (response, reader, events) = events::stream(&self.shared);
        desk.account.lock().unwrap_or_else(PoisonError::into_inner).status = 200;
        self.shared.tasks.spawn(async move {
            let work = async {
                let url = desk.translate_file(&errand, &events).await?;
                events.say("final", &json!({ "translatedFileUrl": url })).await
            };
            desk.streamed(&errand.job, &events, &reader, work).await;
        });
        Ok(response)
    }

    fn errand(&self, asked: &mut Asked, account: &mut Account) -> Result<Errand, Refusal> {
        let settings = &self.shared.config.translate;
        let wrong = |error: FormatError| Refusal::Invalid(error.to_string());
        let missing =
            || Refusal::Invalid("`file` is missing: send multipart/form-data with a file in it".to_owned());
        let File { name, bytes } = asked.fields.file.take().ok_or_else(missing)?;
        let format = Format::of_name(&name).map_err(wrong)?;
        let document = Document::read(format, &bytes, settings.file_bytes).map_err(wrong)?;
        let manner = asked.fields.manner()?;
        let model = self.model(asked.fields.model.as_deref(), &asked.caller.rights)?;
        account.model = Some(model.clone());
        let units = document.units();
        let sample = units.iter().map(|unit| unit.text.as_str()).collect::<Vec<_>>().join("\n");
        let coding = units.first().map_or(super::segments::Coding::Plain, |unit| unit.coding);
        let source = believed(&manner, guess(&sample, &manner, coding));
        let texts: Vec<_> =
            units.iter().map(|unit| Text { text: &unit.text, coding: unit.coding, source }).collect();
        let target = manner.target.code;
        let job = Job::of(&texts, manner, model, settings.segment_characters);
        if job.characters() > settings.file_characters {
            return Err(Refusal::Invalid(format!(
                "the file has {} characters to translate, the limit is {}; send it in parts",
                job.characters(),
                settings.file_characters
            )));
        }
        Ok(Errand { document, format, job, name: translated_name(&name, target), host: asked.host.clone() })
    }
}

impl Desk {
    /// Translates, writes and keeps a file; the address where it is fetched.
    async fn translate_file(&self, errand: &Errand, events: &Events) -> Result<String, Refusal> {
        let done = self.run(&errand.job, &events.of_files()).await?;
        let written = errand.document.write(&errand.job.join(&done));
        let bytes = Bytes::from(written.map_err(|error| Refusal::Invalid(error.to_string()))?);
        let file = KeptFile { name: errand.name.clone(), kind: errand.format.content_type(), bytes };
        let id = self.journey.shared.translated.put(&self.caller.principal, file);
        let node = &self.journey.shared.config.fleet.node;
        Ok(format!("https://{}/download_file/{id}-{node}", errand.host))
    }
}

/// `letter.txt` in German is `letter.de.txt`.
fn translated_name(name: &str, target: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}.{target}.{ending}"),
        None => name.to_owned(),
    }
}
