//! What changes the models (pull, create, copy, delete, blobs) and what would need the cloud.

use aws_lc_rs::digest;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::BodyExt;
use serde_json::json;

use super::answer::{Body, JSON, NDJSON, Pieces, Refusal, respond, to_json};
use super::app::{App, Asked};
use super::fields::Fields;
use super::models::{Model, hex};
use super::names::{Name, NameError};

/// What the real one says of a registry that does not listen.
const REFUSED: &str = "dial tcp 127.0.0.1:9: connect: connection refused";

/// Steps of a job that reports its progress; an error ends it.
struct Progress {
    steps: Vec<serde_json::Value>,
    error: Option<String>,
}

impl Progress {
    fn of(steps: &[&str]) -> Self {
        Self { steps: steps.iter().map(|status| json!({"status": status})).collect(), error: None }
    }

    fn failing(self, error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..self }
    }

    /// Lines while it goes on, or the last word alone. The first line decides the status: failures come in a 200.
    fn answer(self, fields: &Fields) -> Result<Response<Body>, Refusal> {
        let streamed = fields.flag("stream")? != Some(false);
        if !streamed {
            return Ok(match self.error {
                None => respond(200, JSON, r#"{"status":"success"}"#, false),
                Some(error) => respond(500, JSON, to_json(&json!({"error": error})), false),
            });
        }
        let last = self.error.map_or_else(|| json!({"status": "success"}), |error| json!({"error": error}));
        let lines = self.steps.iter().chain([&last]).map(|line| to_json(line) + "\n").collect();
        let mut answer = Response::new(Pieces::lines(lines).boxed_unsync());
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
        Ok(answer)
    }
}

fn parse(text: &str) -> Result<Name, Refusal> {
    Name::parse(text).map_err(|error| match error {
        NameError::Cloud => Refusal::new(403, "ollama cloud is disabled: remote model is unavailable"),
        _ => Refusal::new(400, "invalid model name"),
    })
}

/// `POST /api/pull`: every registry has every model, but for the one at 127.0.0.1:9.
pub(super) fn pull(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::native(&asked.body, "PullRequest")?;
    let name = parse(fields.model_or_name()?)?;
    if name.host == "127.0.0.1:9" {
        let scheme = if fields.flag("insecure")? == Some(true) { "http" } else { "https" };
        return unreachable(&name, scheme).answer(&fields);
    }
    let model = Model::chat(&name.shortest());
    let digest = format!("sha256:{}", model.digest());
    let mut progress = Progress::of(&["pulling manifest"]);
    for completed in [0, model.size / 2, model.size] {
        let status = format!("pulling {}", &digest[7..19]);
        progress
            .steps
            .push(json!({"status": status, "digest": digest, "total": model.size, "completed": completed}));
    }
    progress.steps.extend(Progress::of(&["verifying sha256 digest", "writing manifest"]).steps);
    if app.find(&name.shortest(), "")?.is_none() {
        app.models().push(model);
    }
    progress.answer(&fields)
}

fn unreachable(name: &Name, scheme: &str) -> Progress {
    let Name { host, namespace, model, tag } = name;
    let url = format!("{scheme}://{host}/v2/{namespace}/{model}/manifests/{tag}");
    Progress::of(&["pulling manifest"]).failing(format!("pull model manifest: Get \"{url}\": {REFUSED}"))
}

/// `POST /api/create`: from a model there is, and nothing else.
pub(super) fn create(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::native(&asked.body, "CreateRequest")?;
    let name = parse(fields.model_or_name()?)?;
    if let Some(super::json::Json::Object(files)) = fields.any("files") {
        let digest =
            files.first().and_then(|(_, digest)| digest.text()).unwrap_or_default().replace(':', "-");
        let error = format!("open /var/lib/ollama/models/blobs/{digest}: no such file or directory");
        return Progress::of(&["parsing GGUF"]).failing(error).answer(&fields);
    }
    let from = fields.text("from")?;
    if from.is_empty() {
        return Err(Refusal::new(400, "neither 'from' or 'files' was specified").in_stream());
    }
    let from_name = parse(from)?;
    let Some(source) = app.find(from, "remote model is unavailable")? else {
        return unreachable(&from_name, "https").answer(&fields);
    };
    let layer = |verb: &str, model: &Model| format!("{verb} layer sha256:{}", model.digest());
    let made = source.renamed(&name);
    let steps =
        [layer("using existing", &source), layer("creating new", &made), "writing manifest".to_owned()];
    put(app, made);
    Progress::of(&steps.each_ref().map(String::as_str)).answer(&fields)
}

/// `POST /api/push`: nobody is signed in.
pub(super) fn push(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::native(&asked.body, "PushRequest")?;
    let name = parse(fields.model_or_name()?)?;
    let Name { host, namespace, model, tag } = &name;
    let progress = Progress::of(&["retrieving manifest"]);
    let Some(found) = app.find(&name.shortest(), "")? else {
        let mut progress = progress;
        progress.steps.push(json!({"status": "couldn't retrieve manifest"}));
        let path = format!("/var/lib/ollama/models/manifests/{host}/{namespace}/{model}/{tag}");
        return progress.failing(format!("open {path}: no such file or directory")).answer(&fields);
    };
    let url = format!("https://{host}/v2/{namespace}/{model}/blobs/sha256:{}", found.digest());
    let why = "dial tcp: lookup registry.ollama.ai on 127.0.0.53:53: no such host";
    progress.failing(format!("Head \"{url}\": {why}")).answer(&fields)
}

/// `POST /api/copy`.
pub(super) fn copy(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::native(&asked.body, "CopyRequest")?;
    let (from, to) = (fields.text("source")?, fields.text("destination")?);
    let invalid = |what: &str, text: &str| Refusal::new(400, format!("{what} {text:?} is invalid"));
    Name::parse(from).map_err(|_| invalid("source", from))?;
    let name = Name::parse(to).map_err(|_| invalid("destination", to))?;
    let source = app.find(from, "")?.ok_or_else(|| Refusal::new(404, format!("model {from:?} not found")))?;
    put(app, source.renamed(&name));
    Ok(empty(200))
}

/// `DELETE /api/delete`.
pub(super) fn delete(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::native(&asked.body, "DeleteRequest")?;
    let text = fields.model_or_name()?;
    let found = app.find(text, "")?;
    let key = found.ok_or_else(|| Refusal::new(404, format!("model '{text}' not found")))?.key();
    app.models().retain(|model| model.key() != key);
    app.bench.engine.unload(&key);
    Ok(empty(200))
}

/// `HEAD /api/blobs/{digest}`: there are none.
pub(super) fn blob_head(digest: &str) -> Result<Response<Body>, Refusal> {
    well_formed(digest)?;
    Err(Refusal::new(404, "blob not found"))
}

/// `POST /api/blobs/{digest}`: checked, then forgotten.
pub(super) fn blob_post(digest: &str, asked: &Asked) -> Result<Response<Body>, Refusal> {
    well_formed(digest)?;
    let found = format!("sha256:{}", hex(digest::digest(&digest::SHA256, &asked.body).as_ref()));
    if found != digest {
        return Err(Refusal::new(400, format!("digest mismatch, expected {digest:?}, got {found:?}")));
    }
    Ok(empty(201))
}

fn well_formed(digest: &str) -> Result<(), Refusal> {
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    if digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Refusal::new(400, "invalid digest format"))
}

fn put(app: &App, model: Model) {
    let mut models = app.models();
    models.retain(|other| other.key() != model.key());
    models.push(model);
}

/// A status and nothing else.
pub(super) fn empty(status: u16) -> Response<Body> {
    respond(status, "", "", false)
}

/// What needs an account or the cloud.
pub(super) fn account() -> Refusal {
    Refusal::new(503, "account unavailable")
}

/// What needs the cloud.
pub(super) fn cloud(what: &str) -> Refusal {
    Refusal::new(403, format!("ollama cloud is disabled: {what} is unavailable"))
}

/// `POST /v1/audio/transcriptions`: no simulated model hears.
pub(super) fn transcriptions(asked: &Asked) -> Refusal {
    if asked.multipart {
        return Refusal::new(400, "this model does not support audio");
    }
    Refusal::binding("failed to parse multipart form: request Content-Type isn't multipart/form-data")
}
