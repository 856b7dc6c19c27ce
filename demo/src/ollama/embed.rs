//! Vectors: `/api/embed`, `/api/embeddings`, `/v1/embeddings`.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Body, Refusal, converted, native};
use super::app::{App, Asked};
use super::fields::{Fields, Options, tokens_of};
use super::generate::{Finish, Work, collect};
use super::json::Json;
use super::models::{Kind, Model};

#[derive(Serialize)]
struct Embeddings<'a> {
    model: &'a str,
    embeddings: Vec<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_duration: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_duration: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_eval_count: Option<u64>,
}

/// `POST /api/embed`.
pub(super) async fn embed(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::native(&asked.body, "EmbedRequest")?;
    let name = fields.text("model")?;
    let inputs = inputs(&fields)?;
    let ran = run(app, asked, &fields, &inputs).await?;
    let some = !inputs.is_empty();
    Ok(native(&Embeddings {
        model: name,
        embeddings: inputs.iter().map(|input| vector(&ran.model, input)).collect(),
        total_duration: some.then(|| ran.finish.total.as_nanos().max(1000)),
        load_duration: some.then(|| ran.finish.load.as_nanos().max(1000)),
        prompt_eval_count: some.then_some(ran.finish.prompt_tokens),
    }))
}

/// `POST /api/embeddings`: the old form, one prompt, full precision.
pub(super) async fn embeddings(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::native(&asked.body, "EmbeddingRequest")?;
    let prompt = fields.text("prompt")?;
    let inputs: Vec<&str> = if prompt.is_empty() { vec![] } else { vec![prompt] };
    let ran = run(app, asked, &fields, &inputs).await?;
    let numbers = inputs.first().map(|input| vector(&ran.model, input)).unwrap_or_default();
    Ok(native(&json!({"embedding": numbers.into_iter().map(f64::from).collect::<Vec<_>>()})))
}

/// `POST /v1/embeddings`.
pub(super) async fn openai(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::foreign(&asked.body, "openai", "EmbedRequest")?;
    let name = fields.text("model")?;
    let inputs = inputs(&fields)?;
    if inputs.is_empty() {
        return Err(Refusal::binding("invalid input"));
    }
    let in_base64 = fields.text("encoding_format")? == "base64";
    let ran = run(app, asked, &fields, &inputs).await?;
    let entry = |(index, input): (usize, &&str)| {
        let numbers = vector(&ran.model, input);
        let embedding = if in_base64 { Vector::Packed(packed(&numbers)) } else { Vector::Plain(numbers) };
        Entry { object: "embedding", embedding, index }
    };
    let data = inputs.iter().enumerate().map(entry).collect();
    let tokens = ran.finish.prompt_tokens;
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    Ok(converted(&List { object: "list", data, model: name, usage }))
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry>,
    model: &'a str,
    usage: Value,
}

#[derive(Serialize)]
struct Entry {
    object: &'static str,
    embedding: Vector,
    index: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Plain(Vec<f32>),
    Packed(String),
}

struct Ran {
    model: Model,
    finish: Finish,
}

async fn run(app: &App, asked: &Asked, fields: &Fields, inputs: &[&str]) -> Result<Ran, Refusal> {
    let name = fields.text("model")?;
    let model = app.model_to_pull(name)?;
    let truncate = fields.flag("truncate")? != Some(false);
    let options = fields.options().unwrap_or_else(|_| Options::default());
    let mut job = app.job(&model, &options, fields.keep_alive()?);
    let tokens = |input: &&str| tokens_of(input) + 2;
    if inputs.iter().any(|input| tokens(input) > job.want.context) && !truncate {
        return Err(Refusal::new(400, "the input length exceeds the context length"));
    }
    job.prompt_tokens = inputs.iter().map(|input| tokens(input).min(job.want.context)).sum();
    job.work = if inputs.is_empty() { Work::Load } else { Work::Embed };
    if model.kind == Kind::Chat {
        let text = "This server does not support embeddings. Start it with `--embeddings`";
        job.engine_refuses = Some(Refusal::new(501, text));
    }
    asked.hand_over(&mut job);
    Ok(Ran { model, finish: collect(app.bench.begin(job)).await?.finish })
}

fn inputs(fields: &Fields) -> Result<Vec<&str>, Refusal> {
    match fields.any("input") {
        None => Ok(vec![]),
        Some(Json::Text(text)) => Ok(vec![text]),
        Some(Json::List(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Json::text).collect();
            texts.ok_or_else(|| Refusal::binding("invalid input type"))
        }
        Some(_) => Err(Refusal::binding("invalid input type")),
    }
}

/// A vector of length 1 that depends on nothing but the text.
fn vector(model: &Model, text: &str) -> Vec<f32> {
    let seed = digest::digest(&digest::SHA256, text.as_bytes());
    let numbers: Vec<f32> = (0..model.dimensions)
        .map(|n| {
            f32::from(seed.as_ref()[n % 32]) - 127.5
                + f32::from(u8::try_from(n / 32 % 256).unwrap_or(0)) / 9.0
        })
        .collect();
    let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
    numbers.into_iter().map(|x| x / length).collect()
}

/// Little-endian floats in base64.
fn packed(numbers: &[f32]) -> String {
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
