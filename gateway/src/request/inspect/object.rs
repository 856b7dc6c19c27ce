//! One unambiguous JSON object: what a lax reader could understand in two ways is refused, the rest is kept as
//! slices of what the client sent. No tree is built.
//!
//! Go's decoder takes keys in any case, folds `ſ` (U+017F) to `s` and the Kelvin sign (U+212A) to `k`, lets the
//! last of several equal keys win, and never looks behind the first value. So must our comparison of keys, or a
//! request could show us one model and Ollama another.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memmem};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::Refusal;

/// Most fields one object may have: clients send a few dozen at most. Comparing each with each stays cheap then.
const MOST_FIELDS: usize = 128;

/// An object whose keys differ under Go's folding.
#[derive(Debug)]
pub(super) struct Object<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Object<'a> {
    /// Reads a request body.
    ///
    /// # Errors
    /// 400, in words that never repeat the body, unless it is UTF-8 and one unambiguous object.
    pub(super) fn of_body(body: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body).map_err(|e| {
            invalid(format!("the body is not UTF-8 (at byte {}); send it as UTF-8", e.valid_up_to()))
        })?;
        match text.trim_ascii_start().as_bytes().first() {
            Some(b'{') => {}
            None => return Err(invalid("the request body is missing; send one JSON object")),
            Some(_) if text.starts_with('\u{feff}') => {
                return Err(invalid("the body begins with a byte order mark; send plain UTF-8 without it"));
            }
            Some(_) => return Err(invalid("the body must be one JSON object, `{…}`")),
        }
        check_surrogates(body)?;
        Self::of_raw(text, "the body")
    }

    /// Reads the raw text of a value that is to be an object; `what` names it in errors.
    ///
    /// # Errors
    /// 400 as for [`Object::of_body`].
    pub(super) fn of_raw(raw: &'a str, what: &str) -> Result<Self, Refusal> {
        let Raw(fields) = serde_json::from_str(raw).map_err(|e| syntax(&e, what))?;
        if fields.len() > MOST_FIELDS {
            return Err(invalid(format!("{what} has more than {MOST_FIELDS} fields")));
        }
        for (n, (key, _)) in fields.iter().enumerate() {
            if fields[..n].iter().any(|(other, _)| same_key(key, other)) {
                return Err(invalid(format!(
                    "{what} has two fields of the same name (upper and lower case count as the same); send each once"
                )));
            }
        }
        Ok(Self { fields })
    }

    /// An object without fields.
    pub(super) fn empty() -> Self {
        Self { fields: Vec::new() }
    }

    /// Gives every field that `known` recognises its canonical key, and drops those that are `null`: Go leaves the
    /// field unset then.
    pub(super) fn canonicalize(&mut self, known: impl Fn(&str) -> Option<&'static str>) {
        self.fields.retain_mut(|(key, value)| {
            let Some(name) = known(key) else { return true };
            *key = Cow::Borrowed(name);
            value != "null"
        });
    }

    /// The raw value of a field by its canonical name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// Keys and raw values, in the client's order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Sets a field to raw JSON, in its place if it is there, else at the end.
    pub(super) fn set(&mut self, name: &'static str, raw: String) {
        match self.fields.iter_mut().find(|(key, _)| key == name) {
            Some((_, value)) => *value = Cow::Owned(raw),
            None => self.fields.push((Cow::Borrowed(name), Cow::Owned(raw))),
        }
    }

    /// Removes a field; its raw value.
    pub(super) fn remove(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let n = self.fields.iter().position(|(key, _)| key == name)?;
        Some(self.fields.remove(n).1)
    }

    /// Keeps the fields for which `keep` holds.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.fields.retain(|(key, _)| keep(key));
    }

    /// The object as JSON: keys escaped anew, values as they came.
    pub(super) fn write(&self) -> String {
        let length = self.fields.iter().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>() + 2;
        let mut out = String::with_capacity(length);
        out.push('{');
        for (n, (key, value)) in self.fields.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            quote_into(key, &mut out);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        out
    }
}

/// A text as a JSON string.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote_into(text, &mut out);
    out
}

fn quote_into(text: &str, out: &mut String) {
    if text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// The raw fields of an object, before anything is compared.
struct Raw<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// A key, borrowed unless it holds escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    // Behind the limit only the syntax is still read; the count alone decides then.
                    if fields.len() <= MOST_FIELDS {
                        fields.push((key, Cow::Borrowed(value.get())));
                    }
                }
                Ok(Raw(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Are two keys one field to Go?
pub(super) fn same_key(a: &str, b: &str) -> bool {
    a.chars().map(fold).eq(b.chars().map(fold))
}

/// Go's simple folding as far as it touches ASCII names: nothing else folds to an ASCII letter.
fn fold(c: char) -> char {
    match c {
        '\u{017f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    }
}

/// Refuses halves of surrogate pairs. Ollama would take U+FFFD for them: it would read another text than was sent.
fn check_surrogates(body: &[u8]) -> Result<(), Refusal> {
    // Nearly all bodies hold none, and code is full of other escapes: look for any before looking at each.
    if memmem::find(body, b"\\ud").is_none() && memmem::find(body, b"\\uD").is_none() {
        return Ok(());
    }
    let mut at = 0;
    while let Some(n) = memchr(b'\\', &body[at..]) {
        let escape = &body[at + n..];
        at += n + 2;
        match unit(escape) {
            Some(0xD800..=0xDBFF)
                if matches!(unit(escape.get(6..).unwrap_or(&[])), Some(0xDC00..=0xDFFF)) =>
            {
                at += 10;
            }
            Some(0xD800..=0xDFFF) => {
                return Err(invalid(format!(
                    "the body holds half a surrogate pair (before byte {at}); send whole characters"
                )));
            }
            _ => {}
        }
        if at >= body.len() {
            break;
        }
    }
    Ok(())
}

/// The UTF-16 unit of an escape `\uXXXX` at the start of `bytes`.
fn unit(bytes: &[u8]) -> Option<u16> {
    match bytes {
        [b'\\', b'u', digits @ ..] => {
            u16::from_str_radix(std::str::from_utf8(digits.get(..4)?).ok()?, 16).ok()
        }
        _ => None,
    }
}

/// A 400 with this sentence.
pub(super) fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::Invalid(text.into())
}

/// serde's error as a sentence. Syntax errors are constant texts with a position; anything else might repeat what
/// was sent and is left out.
pub(super) fn syntax(error: &serde_json::Error, what: &str) -> Refusal {
    if error.is_syntax() || error.is_eof() {
        invalid(format!("{what} is not valid JSON: {error}"))
    } else {
        invalid(format!("{what} must be one JSON object"))
    }
}

/// Is the raw value an empty string, array or object? White space may stand in it.
pub(super) fn is_empty(raw: &str) -> bool {
    match raw.as_bytes() {
        b"\"\"" => true,
        [b'[', inner @ .., b']'] | [b'{', inner @ .., b'}'] => inner.trim_ascii().is_empty(),
        _ => false,
    }
}
