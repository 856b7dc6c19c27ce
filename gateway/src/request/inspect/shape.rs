//! Is a field of the type Ollama takes? Ollama answers some of the client's mistakes with 500, which official
//! clients send again twice; here they are 400 and name the field.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::object::invalid;
use crate::error::Refusal;
use crate::ollama::dialect::{Field, OptionKind, Prompt, Shape};

/// A string, borrowed unless it holds escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value of a raw JSON string; `None` for anything else.
pub(super) fn text(raw: &str) -> Option<Cow<'_, str>> {
    raw.starts_with('"').then(|| serde_json::from_str::<Text<'_>>(raw).ok().map(|Text(text)| text)).flatten()
}

/// The value of a raw JSON number, if a float can hold it.
pub(super) fn number(raw: &str) -> Option<f64> {
    if !raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return None;
    }
    raw.parse::<f64>().ok().filter(|n| n.is_finite())
}

/// The value of a raw whole number, as Go's `int` takes it.
pub(super) fn whole(raw: &str) -> Option<i64> {
    raw.parse().ok()
}

/// Checks the field `name`, whose raw value is not `null`. Of an array that a model reads, only the bracket is looked
/// at here; `measure` walks its elements anyway.
///
/// # Errors
/// 400 that names the field and what it takes; never what was sent.
pub(super) fn check(field: &Field, raw: &str) -> Result<(), Refusal> {
    let walked = field.prompt != Prompt::No;
    let list = |first| raw.starts_with('[') && (walked || all(raw, first));
    let fits = match field.shape {
        Shape::Text => raw.starts_with('"'),
        Shape::Flag => is_flag(raw),
        Shape::Whole => whole(raw).is_some(),
        Shape::Number => number(raw).is_some(),
        Shape::Object => raw.starts_with('{'),
        Shape::Array => raw.starts_with('['),
        Shape::Objects => list(b'{'),
        Shape::Texts => list(b'"'),
        Shape::TextOrTexts => raw.starts_with('"') || list(b'"'),
        Shape::TextOrObjects => raw.starts_with('"') || list(b'{'),
        Shape::Format => raw.starts_with('{') || matches!(text(raw).as_deref(), Some("json" | "")),
        Shape::Think => {
            is_flag(raw) || matches!(text(raw).as_deref(), Some("low" | "medium" | "high" | "max"))
        }
        Shape::KeepAlive => keep_alive(raw).is_some(),
        Shape::TopLogprobs => whole(raw).is_some_and(|n| (0..=20).contains(&n)),
    };
    if fits { Ok(()) } else { Err(misfit(field)) }
}

/// The 400 for a field of the wrong type.
pub(super) fn misfit(field: &Field) -> Refusal {
    let wanted = match field.shape {
        Shape::Text => "a string",
        Shape::Flag => "true or false",
        Shape::Whole => "a whole number",
        Shape::Number => "a number",
        Shape::Object => "an object",
        Shape::Array => "an array of numbers",
        Shape::Objects => "an array of objects",
        Shape::Texts => "an array of strings",
        Shape::TextOrTexts => "a string or an array of strings",
        Shape::TextOrObjects => "a string or an array of objects",
        Shape::Format => "\"json\" or a JSON schema",
        Shape::Think => "true, false, \"low\", \"medium\", \"high\" or \"max\"",
        Shape::KeepAlive => "a number of seconds or a duration such as \"5m\" or \"1h30m\"",
        Shape::TopLogprobs => "a whole number from 0 to 20",
    };
    invalid(format!("`{}` must be {wanted}", field.name))
}

/// Checks an entry of `options`, whose raw value is not `null`.
///
/// # Errors
/// 400 in the words Ollama has for it (it says 500).
pub(super) fn check_option(name: &str, kind: OptionKind, raw: &str) -> Result<(), Refusal> {
    let (fits, wanted) = match kind {
        OptionKind::Integer => (number(raw).is_some(), "type integer"),
        OptionKind::Float => (number(raw).is_some(), "type float32"),
        OptionKind::Boolean => (is_flag(raw), "type boolean"),
        OptionKind::Texts if !raw.starts_with('[') => (false, "type array"),
        OptionKind::Texts => (all(raw, b'"'), "an array of strings"),
    };
    if fits { Ok(()) } else { Err(invalid(format!("option \"{name}\" must be of {wanted}"))) }
}

fn is_flag(raw: &str) -> bool {
    matches!(raw, "true" | "false")
}

/// Is the raw value an array whose elements all begin with `first`? Nothing is kept of it: an array may have
/// millions of elements.
fn all(raw: &str, first: u8) -> bool {
    struct Elements(u8);
    impl<'de> Visitor<'de> for Elements {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
            let mut fits = true;
            while let Some(element) = elements.next_element::<&RawValue>()? {
                fits &= element.get().as_bytes().first() == Some(&self.0);
            }
            Ok(fits)
        }
    }
    serde_json::Deserializer::from_str(raw).deserialize_seq(Elements(first)).unwrap_or(false)
}

/// What a `keep_alive` means to Ollama.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeepAlive {
    /// Out of memory at once.
    Unload,
    /// Any other time.
    Keep,
}

/// Reads a number of seconds or a Go duration; `None` where Ollama would not.
pub(super) fn keep_alive(raw: &str) -> Option<KeepAlive> {
    // Should a version cut the fraction off, less than a second is zero: taken for an unload, to be safe.
    let seconds = match number(raw) {
        Some(seconds) => seconds,
        None => go_duration(&text(raw)?)?,
    };
    Some(if seconds > -1.0 && seconds < 1.0 { KeepAlive::Unload } else { KeepAlive::Keep })
}

/// Seconds of a duration in Go's notation: `[+-](number unit)+`, or `0`.
fn go_duration(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    if unsigned == "0" {
        return Some(0.0);
    }
    let mut rest = unsigned;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let amount: f64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += amount
            * match &rest[..unit] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    (!unsigned.is_empty()).then_some(sign * seconds)
}
