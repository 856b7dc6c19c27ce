//! What every route works with: the models there are, the engine, and one request as it was read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::answer::Refusal;
use super::engine::{KeepAlive, Want};
use super::fields::Options;
use super::generate::{Bench, Job, Work};
use super::models::Model;
use super::names::{Name, NameError};
use super::script::{Fault, Script};
use super::tap::{Ending, Wire};

/// One simulated Ollama, without its socket.
pub(super) struct App {
    pub(super) catalogue: Mutex<Vec<Model>>,
    pub(super) bench: Bench,
    pub(super) recording: bool,
}

/// A request whose body was read.
pub(super) struct Asked {
    pub(super) body: Bytes,
    pub(super) multipart: bool,
    /// What goes wrong with it, where that was decided on arrival.
    pub(super) fault: Option<Fault>,
    pub(super) wire: Wire,
    pub(super) script: Arc<Script>,
    /// See [`Job::attached`].
    pub(super) attached: bool,
}

impl Asked {
    /// Gives a job what it has to know of its connection and of its fault.
    pub(super) fn hand_over(&self, job: &mut Job) {
        job.attached = self.attached;
        let generates = matches!(job.work, Work::Text { .. });
        job.fault = self.fault.clone().or_else(|| self.script.on_work(generates));
        if let Some(Fault::FailLoad(text)) = &job.fault {
            job.want.fail_load = Some(text.clone());
        }
        self.cut(job.fault.as_ref());
    }

    /// Sets the connection's end, if the fault is one of the connection.
    pub(super) fn cut(&self, fault: Option<&Fault>) {
        match fault {
            Some(Fault::CutAfterBytes(bytes)) => self.wire.cut_after(*bytes, Ending::Close),
            Some(Fault::ResetAfterBytes(bytes)) => self.wire.cut_after(*bytes, Ending::Reset),
            _ => {}
        }
    }
}

impl App {
    /// The models, locked.
    pub(super) fn models(&self) -> MutexGuard<'_, Vec<Model>> {
        self.catalogue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model of a name, for routes that generate.
    ///
    /// # Errors
    /// As [`App::find`]; 404 for an unknown one.
    pub(super) fn model(&self, text: &str) -> Result<Model, Refusal> {
        let found = self.find(text, "remote model is unavailable")?;
        found.ok_or_else(|| Refusal::new(404, format!("model '{text}' not found")))
    }

    /// The model of a name, for routes that make vectors: they have another text for an unknown one.
    ///
    /// # Errors
    /// As [`App::model`].
    pub(super) fn model_to_pull(&self, text: &str) -> Result<Model, Refusal> {
        let found = self.find(text, "remote model is unavailable")?;
        found.ok_or_else(|| Refusal::new(404, format!("model \"{text}\" not found, try pulling it first")))
    }

    /// The model of a name, if there is one.
    ///
    /// # Errors
    /// 400 for what is no name, 403 for a name in the cloud.
    pub(super) fn find(&self, text: &str, cloud: &str) -> Result<Option<Model>, Refusal> {
        if text.is_empty() {
            return Err(Refusal::new(400, "model is required"));
        }
        match Name::parse(text) {
            Ok(name) => Ok(self.models().iter().find(|model| model.key() == name.key()).cloned()),
            Err(NameError::Invalid) => Err(Refusal::new(400, "invalid model name")),
            Err(NameError::Cloud) => Err(Refusal::new(403, format!("ollama cloud is disabled: {cloud}"))),
            Err(NameError::Both) => {
                Err(Refusal::new(400, format!("use either :local or :cloud, not both: {text:?}")))
            }
        }
    }

    /// A job with the limits that hold when a request sets none: 10 x the context.
    pub(super) fn job(&self, model: &Model, options: &Options, keep_alive: Option<KeepAlive>) -> Job {
        let context = options.num_ctx.unwrap_or(model.context);
        let want = Want {
            model: model.clone(),
            options: options.runner(model.context),
            context,
            keep_alive,
            fail_load: None,
        };
        let work = Work::Text { limit: context.saturating_mul(10) };
        Job { want, work, prompt_tokens: 0, fault: None, engine_refuses: None, says: None, attached: true }
    }
}
