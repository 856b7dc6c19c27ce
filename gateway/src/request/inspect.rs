//! Step 5 of the journey: what a request wants, proven harmless and written anew.
//!
//! The body is one unambiguous JSON object; the model is canonical and permitted; fields that would hurt others are
//! stripped, pinned or refused; the output is capped; the cost is estimated. What goes upstream is a canonical
//! re-write, so that Ollama's lax reader cannot see another request than the one checked here. Pure: no I/O, no
//! clock.

mod measure;
mod object;
mod options;
mod shape;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use self::measure::Tally;
pub use self::measure::tokens_of;
use self::object::{Object, invalid, is_empty, quote, same_key, syntax};
use self::shape::KeepAlive;
use crate::error::Refusal;
use crate::identity::Rights;
use crate::ollama::dialect::{Api, EVERYWHERE, Family, Field, Layout, Limit, Prompt};
use crate::ollama::names::{ModelName, NameError};

/// What a request does to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Generates text.
    Generate,
    /// Makes embeddings.
    Embed,
    /// Loads a model and generates nothing.
    Load,
    /// Puts a model out of memory, for everybody.
    Unload,
    /// Reads what a model is.
    Show,
    /// Fetches a model.
    Pull,
    /// Deletes a model.
    Delete,
}

/// What a request wants. Only [`inspect`] makes one; queue and forward want one.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The API it came by.
    pub api: Api,
    /// What it does.
    pub kind: Kind,
    /// Its model, which the caller may use.
    pub model: ModelName,
    /// The answer is to be streamed.
    pub stream: bool,
    /// What goes upstream, whole: `Content-Length` is its length.
    pub body: Bytes,
    /// Tokens of the prompt, estimated.
    pub prompt_tokens: u32,
    /// The cap on generated tokens that is now in the body; 0 where nothing is generated.
    pub output_tokens: u32,
    /// We asked for the usage chunk, the client did not: it is to be dropped from the stream.
    pub hide_usage: bool,
}

/// Looks at a body and makes an [`Ask`] of it. `most_output`: the most tokens an answer may have
/// (`limits.output_tokens`).
///
/// # Errors
/// 400 for what is malformed, ambiguous or of the wrong type; 403 for what the caller may not ask for; 404 for a
/// model that does not exist for them. The texts never repeat the body.
pub fn inspect(api: Api, body: Bytes, rights: &Rights, most_output: u32) -> Result<Ask, Refusal> {
    let layout = api.layout();
    let mut object = Object::of_body(&body)?;
    // Unknown fields pass with their keys, so that clients newer than this gateway go on working; what Ollama could
    // fold to a known one carries that one's name from here on.
    object.canonicalize(|key| known(layout, key).map(|field| field.name));
    let tally = check_fields(layout, &object)?;
    let model = take_model(api, layout, &mut object, rights)?;
    let kind = kind_of(api, &object);
    require(api, &object)?;
    permit(kind, &tally, &object, &model, rights)?;
    strip(api, &mut object, rights);
    let stream = layout.streams.is_some_and(|default| match object.get("stream") {
        Some(given) => given == "true",
        None => default,
    });
    let cap = cap_output(api, layout.limit, &mut object, rights, most_output)?;
    let hide_usage = want_usage(api, stream, &mut object)?;
    let prompt_tokens = tally.tokens();
    let output_tokens = if kind == Kind::Generate { cap } else { 0 };
    Ok(Ask {
        api,
        kind,
        model,
        stream,
        body: Bytes::from(object.write()),
        prompt_tokens,
        output_tokens,
        hide_usage,
    })
}

/// Options of a model as this caller may set them: checked, and without those that would load it again for everybody.
///
/// # Errors
/// 400 for an ambiguous key or an option of the wrong type.
pub fn options_for(raw: &str, rights: &Rights) -> Result<String, Refusal> {
    options::rewrite(Some(raw), rights.operate, None).map(|(options, _)| options)
}

/// The known field that a key folds to.
fn known(layout: &'static Layout, key: &str) -> Option<&'static Field> {
    layout.fields.iter().chain(EVERYWHERE).find(|field| same_key(field.name, key))
}

/// Checks all types and the nesting, and measures what the model will read.
fn check_fields(layout: &'static Layout, object: &Object<'_>) -> Result<Tally, Refusal> {
    let mut tally = Tally::default();
    for (key, raw) in object.iter() {
        let field = known(layout, key);
        if let Some(field) = field {
            shape::check(field, raw)?;
        }
        let prompt = field.map_or(Prompt::No, |field| field.prompt);
        if prompt != Prompt::No || raw.starts_with(['[', '{']) {
            // What is wrong in here is nesting or the size of a number: serde says so with a constant text.
            tally.add(raw, prompt).map_err(|e| syntax(&e, "a field of the body"))?;
        }
        if let Some(field) = field
            && tally.misfit
        {
            return Err(shape::misfit(field));
        }
    }
    Ok(tally)
}

/// Takes the model out of `model` or `name`, checks it, and writes its canonical name into the body.
fn take_model(
    api: Api,
    layout: &Layout,
    object: &mut Object<'_>,
    rights: &Rights,
) -> Result<ModelName, Refusal> {
    let model = read_name(object.get("model"))?;
    let name = if layout.alias { read_name(object.get("name"))? } else { None };
    let model = match (model, name) {
        (Some(model), Some(name)) if model != name => {
            return Err(invalid("`model` and `name` name two models; send `model` only"));
        }
        (Some(model), _) | (None, Some(model)) => model,
        (None, None) => return Err(invalid("`model` is required")),
    };
    if api == Api::Pull && model.has_foreign_host() {
        return Err(Refusal::Forbidden("models are pulled from the default registry only".to_owned()));
    }
    if !rights.may_use(&model) {
        return Err(Refusal::NoModel(model.to_string()));
    }
    if layout.alias {
        object.remove("name");
    }
    object.set("model", quote(model.as_str()));
    Ok(model)
}

/// The canonical name in a raw string; `None` where it is absent or empty.
fn read_name(raw: Option<&str>) -> Result<Option<ModelName>, Refusal> {
    let Some(text) = raw.and_then(shape::text).filter(|text| !text.is_empty()) else { return Ok(None) };
    ModelName::parse(&text).map(Some).map_err(|e| match e {
        NameError::Invalid => invalid(e.to_string()),
        NameError::Cloud => Refusal::Forbidden(e.to_string()),
    })
}

/// What the request does: without a prompt, the native generation APIs load or unload.
fn kind_of(api: Api, object: &Object<'_>) -> Kind {
    let prompt = match api {
        Api::Embed | Api::Embeddings | Api::OpenAiEmbeddings => return Kind::Embed,
        Api::Show => return Kind::Show,
        Api::Pull => return Kind::Pull,
        Api::Delete => return Kind::Delete,
        Api::ChatCompletions | Api::Completions | Api::Responses | Api::Messages => return Kind::Generate,
        Api::Generate => "prompt",
        Api::Chat => "messages",
    };
    if !object.get(prompt).is_none_or(is_empty) {
        return Kind::Generate;
    }
    match object.get("keep_alive").and_then(shape::keep_alive) {
        Some(KeepAlive::Unload) => Kind::Unload,
        _ => Kind::Load,
    }
}

/// Refuses what lacks a field that its API cannot do without.
fn require(api: Api, object: &Object<'_>) -> Result<(), Refusal> {
    let missing = |name| object.get(name).is_none_or(is_empty);
    match api {
        Api::ChatCompletions | Api::Messages if missing("messages") => {
            Err(invalid("`messages` is required and must not be empty"))
        }
        Api::OpenAiEmbeddings if missing("input") => {
            Err(invalid("`input` is required and must not be empty"))
        }
        Api::Responses if object.get("input").is_none() => Err(invalid("`input` is required")),
        Api::Messages if object.get("max_tokens").and_then(shape::whole).is_none_or(|n| n <= 0) => {
            Err(invalid("`max_tokens` is required and must be positive"))
        }
        _ => Ok(()),
    }
}

/// Refuses what this caller, or nobody, may ask for.
fn permit(
    kind: Kind,
    tally: &Tally,
    object: &Object<'_>,
    model: &ModelName,
    rights: &Rights,
) -> Result<(), Refusal> {
    let forbidden = |text: String| Err(Refusal::Forbidden(text));
    if tally.remote_image {
        return Err(invalid("images by address are not fetched; send them base64-encoded"));
    }
    if tally.web_search {
        // Ollama would search with the server's own identity and ask its own API again, unseen by queue and quota.
        return forbidden(
            "the server's own web search is not offered here; define a tool of your own".to_owned(),
        );
    }
    if object.get("_debug_render_only") == Some("true") {
        return forbidden(
            "`_debug_render_only` is not offered here: it shows the model's system prompt".to_owned(),
        );
    }
    match kind {
        Kind::Unload if !rights.operate => forbidden(format!(
            "only operators may unload {model}: it would leave everybody who uses it waiting"
        )),
        Kind::Pull | Kind::Delete if !rights.manage_models => {
            forbidden("only administrators may pull and delete models".to_owned())
        }
        _ => Ok(()),
    }
}

/// Removes what must not reach Ollama: from this caller, by this API, or from anybody.
fn strip(api: Api, object: &mut Object<'_>, rights: &Rights) {
    // `options` means nothing to the `/v1` routes today; should it ever, it would come past the limits there.
    let foreign_options = api.family() != Family::Native;
    let credentials = api == Api::Pull;
    object.retain(|key| match key {
        "_debug_render_only" | "remote_host" | "remote_model" | "insecure" => false,
        "username" | "password" => !credentials,
        "options" => !foreign_options,
        // Resets the timer of everybody's model; a different `shift` reloads it.
        "keep_alive" | "shift" => rights.operate,
        _ => true,
    });
}

/// Writes the cap on generated tokens into the body; the cap.
fn cap_output(
    api: Api,
    limit: Option<Limit>,
    object: &mut Object<'_>,
    rights: &Rights,
    most: u32,
) -> Result<u32, Refusal> {
    match limit {
        Some(Limit::Field(name)) => {
            let mut cap = capped(object.get(name).and_then(shape::whole), most);
            if api == Api::ChatCompletions {
                // Ollama does not know the newer name of `max_tokens` and would generate without end.
                let newer = object.remove("max_completion_tokens");
                cap = cap.min(capped(newer.as_deref().and_then(shape::whole), most));
            }
            object.set(name, cap.to_string());
            Ok(cap)
        }
        Some(Limit::Option) => {
            let (raw, cap) = options::rewrite(object.get("options"), rights.operate, Some(most))?;
            object.set("options", raw);
            Ok(cap)
        }
        None => {
            if let Some(given) = object.get("options") {
                let (raw, _) = options::rewrite(Some(given), rights.operate, None)?;
                object.set("options", raw);
            }
            Ok(0)
        }
    }
}

/// What was asked for if it is a limit at all, within `most`. Zero and negative numbers stand for no limit.
fn capped(asked: Option<i64>, most: u32) -> u32 {
    asked.filter(|n| *n > 0).map_or(most, |n| u32::try_from(n).unwrap_or(u32::MAX).min(most))
}

/// Has a chat stream end with its token counts; whether the client did not ask for them. `/v1/completions` would
/// put zero counts into every chunk then, so its streams are counted by chunks.
fn want_usage(api: Api, stream: bool, object: &mut Object<'_>) -> Result<bool, Refusal> {
    let counted = api == Api::ChatCompletions && stream;
    let mut options = match object.get("stream_options") {
        Some(raw) => Object::of_raw(raw, "`stream_options`")?,
        None if counted => Object::empty(),
        None => return Ok(false),
    };
    options.canonicalize(|key| same_key(key, "include_usage").then_some("include_usage"));
    let asked = match options.get("include_usage") {
        Some("true") => true,
        Some("false") | None => false,
        Some(_) => return Err(invalid("`stream_options.include_usage` must be true or false")),
    };
    if counted {
        options.set("include_usage", "true".to_owned());
    }
    let raw = options.write();
    object.set("stream_options", raw);
    Ok(counted && !asked)
}
