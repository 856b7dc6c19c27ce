//! The fields of a request body, with the errors Ollama has for wrong ones.

use std::time::Duration;

use super::answer::Refusal;
use super::engine::{KeepAlive, RunnerOptions};
use super::json::Json;

/// A decoded body that is to become one of Ollama's request types.
pub(super) struct Fields {
    json: Json,
    /// The Go type's name, as errors show it: `ChatRequest`.
    of: &'static str,
}

impl Fields {
    /// Decodes a native body.
    ///
    /// # Errors
    /// 400 with Go's text; an empty body has a text of Ollama's own.
    pub(super) fn native(body: &[u8], of: &'static str) -> Result<Self, Refusal> {
        Self::read(body, "api", of, "missing request body")
    }

    /// Decodes a body of the other families.
    ///
    /// # Errors
    /// 400 with Go's text.
    pub(super) fn foreign(body: &[u8], package: &str, of: &'static str) -> Result<Self, Refusal> {
        Self::read(body, package, of, "EOF")
    }

    fn read(body: &[u8], package: &str, of: &'static str, empty: &str) -> Result<Self, Refusal> {
        let json = Json::first(body)
            .map_err(|text| Refusal::binding(if text == "EOF" { empty.to_owned() } else { text }))?;
        match json {
            Json::Object(_) | Json::Null => Ok(Self { json, of }),
            other => Err(Refusal::binding(format!(
                "json: cannot unmarshal {} into Go value of type {package}.{of}",
                other.kind()
            ))),
        }
    }

    /// The field, unless it is missing or null.
    pub(super) fn any(&self, key: &str) -> Option<&Json> {
        self.json.get(key)
    }

    /// A text; empty when missing.
    pub(super) fn text(&self, key: &str) -> Result<&str, Refusal> {
        match self.any(key) {
            None => Ok(""),
            Some(Json::Text(text)) => Ok(text),
            Some(other) => Err(self.mistyped(other, key, "string")),
        }
    }

    /// A truth value.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Refusal> {
        match self.any(key) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.mistyped(other, key, "bool")),
        }
    }

    /// A number.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, Refusal> {
        match self.any(key) {
            None => Ok(None),
            Some(Json::Number(number)) => Ok(Some(*number)),
            Some(other) => Err(self.mistyped(other, key, "int")),
        }
    }

    /// A list; empty when missing.
    pub(super) fn list(&self, key: &str) -> Result<&[Json], Refusal> {
        match self.any(key) {
            None => Ok(&[]),
            Some(Json::List(items)) => Ok(items),
            Some(other) => Err(self.mistyped(other, key, "[]interface {}")),
        }
    }

    /// `model`, or `name` where a route takes both.
    pub(super) fn model_or_name(&self) -> Result<&str, Refusal> {
        let model = self.text("model")?;
        if model.is_empty() { self.text("name") } else { Ok(model) }
    }

    /// `options`, checked.
    pub(super) fn options(&self) -> Result<Options, Refusal> {
        match self.any("options") {
            None => Ok(Options::default()),
            Some(Json::Object(members)) => Options::read(members),
            Some(other) => Err(self.mistyped(other, "options", "map[string]interface {}")),
        }
    }

    /// `keep_alive`: seconds or a Go duration, negative for ever.
    pub(super) fn keep_alive(&self) -> Result<Option<KeepAlive>, Refusal> {
        match self.any("keep_alive") {
            None => Ok(None),
            Some(Json::Number(seconds)) => Ok(Some(Duration::try_from_secs_f64(*seconds).ok())),
            Some(Json::Text(text)) => go_duration(text).map(Some).map_err(Refusal::binding),
            Some(other) => Err(self.mistyped(other, "keep_alive", "api.Duration")),
        }
    }

    fn mistyped(&self, found: &Json, key: &str, wanted: &str) -> Refusal {
        let (kind, of) = (found.kind(), self.of);
        Refusal::binding(format!(
            "json: cannot unmarshal {kind} into Go struct field {of}.{key} of type {wanted}"
        ))
    }
}

/// The options of a native request.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    /// Negative or missing: no limit asked for.
    pub(super) num_predict: Option<u64>,
    pub(super) num_ctx: Option<u64>,
    runner: RunnerOptions,
}

impl Options {
    fn read(members: &[(String, Json)]) -> Result<Self, Refusal> {
        let mut options = Self::default();
        for (key, value) in members {
            let wanted = match key.as_str() {
                "num_keep" | "seed" | "num_predict" | "top_k" | "num_ctx" | "num_batch" | "num_gpu"
                | "main_gpu" | "num_thread" | "repeat_last_n" | "draft_num_predict" => "integer",
                "top_p" | "min_p" | "typical_p" | "temperature" | "repeat_penalty" | "presence_penalty"
                | "frequency_penalty" => "float32",
                "use_mmap" => "boolean",
                "stop" => "array",
                _ => continue,
            };
            let fits = match value {
                Json::Null => continue,
                Json::Number(_) => wanted == "integer" || wanted == "float32",
                Json::Bool(_) => wanted == "boolean",
                Json::List(_) => wanted == "array",
                _ => false,
            };
            if !fits {
                return Err(Refusal::new(500, format!("option \"{key}\" must be of type {wanted}")));
            }
            options.set(key, value);
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &Json) {
        const RUNNER: [&str; 6] =
            ["num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap", "draft_num_predict"];
        let number = if let Json::Number(number) = value { whole(*number) } else { None };
        match key {
            "num_predict" => self.num_predict = number,
            "num_ctx" => self.num_ctx = number,
            other => {
                if let Some(name) = RUNNER.into_iter().find(|name| *name == other) {
                    self.runner.insert(name, format!("{value:?}"));
                }
            }
        }
    }

    /// What distinguishes a runner loaded with these options; `num_ctx` equal to the model's own is no difference.
    pub(super) fn runner(&self, own_context: u64) -> RunnerOptions {
        let mut runner = self.runner.clone();
        if let Some(context) = self.num_ctx.filter(|context| *context != own_context) {
            runner.insert("num_ctx", context.to_string());
        }
        runner
    }
}

/// A positive whole number; `None` for zero, negatives and nonsense.
pub(super) fn whole(number: f64) -> Option<u64> {
    // Decimal text is the only conversion that neither casts nor wraps.
    format!("{:.0}", number.trunc()).parse().ok().filter(|n| *n > 0)
}

/// `1h30m`, `250ms`, `-1s`: negative is for ever.
fn go_duration(text: &str) -> Result<KeepAlive, String> {
    let bad = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total = 0.0;
    while !rest.is_empty() && rest != "0" {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "" => return Err(format!("time: missing unit in duration {text:?}")),
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                other => return Err(format!("time: unknown unit {other:?} in duration {text:?}")),
            };
        rest = &rest[unit..];
    }
    Ok(if negative { None } else { Duration::try_from_secs_f64(total).ok() })
}

/// A rough count of tokens: one for each word, more for long ones.
pub(super) fn tokens_of(text: &str) -> u64 {
    text.split_whitespace().map(|word| 1 + word.len() as u64 / 8).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let seconds = |n| Ok(Some(Duration::from_secs(n)));
        assert_eq!(go_duration("1h30m"), seconds(5400));
        assert_eq!(go_duration("0"), seconds(0));
        assert_eq!(go_duration("-1s"), Ok(None));
        assert_eq!(go_duration("soon"), Err("time: invalid duration \"soon\"".to_owned()));
        assert_eq!(go_duration("5"), Err("time: missing unit in duration \"5\"".to_owned()));
    }

    #[test]
    fn whole_numbers_are_positive() {
        assert_eq!([whole(6.9), whole(-1.0), whole(0.0), whole(f64::NAN)], [Some(6), None, None, None]);
    }
}
