//! What a caller sends to be translated: JSON, a form, or a form with a file, as LibreTranslate's clients write them.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use multer::{Constraints, Multipart, SizeLimit};
use serde::Deserialize;

use super::languages::{Language, find};
use super::prompt::{Term, Tone};
use super::segments::Coding;
use crate::error::Refusal;

/// The most terms of a glossary.
const TERMS: usize = 200;
/// The most characters of a term: it stands in every prompt that it occurs in.
const TERM_CHARACTERS: usize = 200;
/// The most texts in one request.
const TEXTS: usize = 500;
/// The most alternatives made: each is a translation of its own.
const ALTERNATIVES: u32 = 3;
/// The most characters of a file's name.
const NAME_CHARACTERS: usize = 200;

/// The fields of a request, whatever they came in.
#[derive(Debug, Default, Deserialize)]
pub struct Fields {
    /// The text or texts.
    #[serde(default)]
    pub q: Option<Texts>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    tone: Option<String>,
    #[serde(default)]
    glossary: Option<Vec<Term>>,
    #[serde(default)]
    alternatives: Option<u32>,
    /// The model asked for.
    #[serde(default)]
    pub model: Option<String>,
    /// The credential of clients that send no header.
    #[serde(default)]
    pub api_key: Option<String>,
    /// The file.
    #[serde(skip)]
    pub file: Option<File>,
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// A file that was sent.
#[derive(Debug)]
pub struct File {
    /// Its name, without folders.
    pub name: String,
    /// What is in it.
    pub bytes: Bytes,
}

/// How to translate.
#[derive(Debug, Clone)]
pub struct Manner {
    /// From which language; `None`: find out.
    pub source: Option<&'static Language>,
    /// Into which.
    pub target: &'static Language,
    /// How the text is written.
    pub coding: Coding,
    /// How the reader is addressed.
    pub tone: Tone,
    /// Fixed terms.
    pub glossary: Vec<Term>,
    /// How many further translations are wanted.
    pub alternatives: u32,
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::Invalid(text.into())
}

/// Reads a body by its type; without one, what begins like JSON is JSON.
///
/// # Errors
/// 400 for what is none of them; the texts never repeat the body.
pub async fn read(headers: &HeaderMap, body: Bytes) -> Result<Fields, Refusal> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "multipart/form-data" => multipart(kind, body).await,
        "application/json" => json(&body),
        // What clients of the command line send as a form is often JSON.
        _ if body.trim_ascii_start().starts_with(b"{") || body.starts_with(b"[") => json(&body),
        _ => form(&body),
    }
}

fn json(body: &[u8]) -> Result<Fields, Refusal> {
    // A list would be taken for an object without names.
    let object = body.trim_ascii_start().starts_with(b"{");
    let (line, column) = match serde_json::from_slice(body) {
        Ok(fields) if object => return Ok(fields),
        Ok(_) => (1, 1),
        Err(error) => (error.line(), error.column()),
    };
    Err(invalid(format!("the body is no JSON object as it is wanted here (line {line}, column {column})")))
}

fn form(body: &[u8]) -> Result<Fields, Refusal> {
    let mut fields = Fields::default();
    for (name, value) in url::form_urlencoded::parse(body) {
        fields.set(&name, value.into_owned())?;
    }
    Ok(fields)
}

async fn multipart(kind: &str, body: Bytes) -> Result<Fields, Refusal> {
    let broken = |_| invalid("the form cannot be read; send it as multipart/form-data with a boundary");
    let boundary = multer::parse_boundary(kind).map_err(broken)?;
    let limits = SizeLimit::new().whole_stream(body.len() as u64);
    let stream = stream::once(async move { Ok::<_, Infallible>(body) });
    let mut parts = Multipart::with_constraints(stream, boundary, Constraints::new().size_limit(limits));
    let mut fields = Fields::default();
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            let name = part.file_name().map(base_name).unwrap_or_default();
            fields.file = Some(File { name, bytes: part.bytes().await.map_err(broken)? });
        } else {
            fields.set(&name, part.text().await.map_err(broken)?)?;
        }
    }
    Ok(fields)
}

/// A file's name without its folders and whatever cannot stand in a header.
fn base_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = base.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '%'));
    let kept: Vec<char> = plain.collect();
    // Its end decides what it is.
    kept[kept.len().saturating_sub(NAME_CHARACTERS)..].iter().collect()
}

impl Fields {
    fn set(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        match name {
            "q" => {
                self.q = Some(match self.q.take() {
                    None => Texts::One(value),
                    Some(Texts::One(first)) => Texts::Many(vec![first, value]),
                    Some(Texts::Many(mut all)) => {
                        all.push(value);
                        Texts::Many(all)
                    }
                });
            }
            "source" => self.source = Some(value),
            "target" => self.target = Some(value),
            "format" => self.format = Some(value),
            "tone" => self.tone = Some(value),
            "model" => self.model = Some(value),
            "api_key" => self.api_key = Some(value),
            "alternatives" => {
                let number = value.parse().map_err(|_| invalid("`alternatives` must be a number"))?;
                self.alternatives = Some(number);
            }
            "glossary" => {
                let terms = serde_json::from_str(&value);
                self.glossary =
                    Some(terms.map_err(|_| invalid("`glossary` must be a list of source and target"))?);
            }
            _ => {}
        }
        Ok(())
    }

    /// The texts, and whether they came as a list.
    ///
    /// # Errors
    /// 400 without any, with too many, or with more than `most` characters together.
    pub fn texts(&mut self, most: usize) -> Result<(Vec<String>, bool), Refusal> {
        let (texts, many) = match self.q.take() {
            Some(Texts::One(text)) => (vec![text], false),
            Some(Texts::Many(texts)) => (texts, true),
            None => return Err(invalid("`q` is missing: the text to translate")),
        };
        if texts.len() > TEXTS {
            return Err(invalid(format!("`q` has more than {TEXTS} texts; send them in several requests")));
        }
        let characters: usize = texts.iter().map(|text| text.chars().count()).sum();
        if characters > most {
            return Err(invalid(format!(
                "the text has {characters} characters, the limit is {most}; send it in parts, or as a file"
            )));
        }
        Ok((texts, many))
    }

    /// How to translate.
    ///
    /// # Errors
    /// 400 for unknown languages and values.
    pub fn manner(&mut self) -> Result<Manner, Refusal> {
        let language = |field: &str, code: &str| {
            find(code).ok_or_else(|| invalid(format!("`{field}` names no language listed by GET /languages")))
        };
        let source = match self.source.as_deref() {
            None | Some("auto" | "") => None,
            Some(code) => Some(language("source", code)?),
        };
        let Some(target) = self.target.as_deref() else {
            return Err(invalid("`target` is missing: the language to translate into"));
        };
        let coding = match self.format.as_deref() {
            None | Some("text" | "") => Coding::Plain,
            Some("html") => Coding::Markup,
            Some(_) => return Err(invalid("`format` must be text or html")),
        };
        let tone = match self.tone.as_deref() {
            None | Some("neutral" | "") => Tone::Neutral,
            Some("formal") => Tone::Formal,
            Some("informal") => Tone::Informal,
            Some(_) => return Err(invalid("`tone` must be neutral, formal or informal")),
        };
        let alternatives = self.alternatives.unwrap_or(0).min(ALTERNATIVES);
        Ok(Manner {
            source,
            target: language("target", target)?,
            coding,
            tone,
            glossary: self.terms()?,
            alternatives,
        })
    }

    fn terms(&mut self) -> Result<Vec<Term>, Refusal> {
        let mut terms = self.glossary.take().unwrap_or_default();
        terms.retain(|term| !term.source.trim().is_empty());
        let long = |text: &String| text.chars().count() > TERM_CHARACTERS;
        if terms.len() > TERMS || terms.iter().any(|term| long(&term.source) || long(&term.target)) {
            return Err(invalid(format!(
                "the glossary may have {TERMS} terms of at most {TERM_CHARACTERS} characters each"
            )));
        }
        Ok(terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    async fn fields(kind: &'static str, body: &'static str) -> Result<Fields, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        read(&headers, Bytes::from_static(body.as_bytes())).await
    }

    #[tokio::test]
    async fn all_forms_of_a_body_say_the_same() {
        const FORM: &str = "application/x-www-form-urlencoded";
        let multipart = "--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\na & b\r\n--b\r\n\
            Content-Disposition: form-data; name=\"target\"\r\n\r\nde\r\n--b--\r\n";
        for (kind, body) in [
            ("application/json", "{\"q\":\"a & b\",\"target\":\"de\",\"unknown\":1}"),
            (FORM, "q=a+%26+b&target=de&unknown=1"),
            (FORM, "{\"q\":\"a & b\",\"target\":\"de\"}"),
            ("multipart/form-data; boundary=b", multipart),
        ] {
            let mut fields = fields(kind, body).await.unwrap();
            assert_eq!(fields.texts(10).unwrap(), (vec!["a & b".to_owned()], false), "{kind}");
            let manner = fields.manner().unwrap();
            assert_eq!((manner.target.code, manner.source, manner.coding), ("de", None, Coding::Plain));
        }
        assert_eq!(
            fields(FORM, "q=a&q=b").await.unwrap().texts(2).unwrap(),
            (vec!["a".into(), "b".into()], true)
        );
    }

    #[tokio::test]
    async fn mistakes_are_said_in_words() {
        const JSON: &str = "application/json";
        let said = async |body, most| {
            let mut fields = match fields(JSON, body).await {
                Ok(fields) => fields,
                Err(refusal) => return refusal.to_string(),
            };
            let texts = fields.texts(most).map(|_| ());
            texts.and_then(|()| fields.manner().map(|_| ())).unwrap_err().to_string()
        };
        assert!(said("[]", 9).await.contains("no JSON object"));
        assert!(
            said("{\"q\":\"a\",\"q\":\"b\"}", 9).await.contains("no JSON object"),
            "two readers, two texts"
        );
        assert!(said("{\"target\":\"de\"}", 9).await.contains("`q` is missing"));
        assert!(said("{\"q\":\"abc\",\"target\":\"de\"}", 2).await.contains("limit is 2"));
        assert!(said("{\"q\":\"a\"}", 9).await.contains("`target` is missing"));
        assert!(said("{\"q\":\"a\",\"target\":\"xx\"}", 9).await.contains("`target` names no language"));
        assert!(said("{\"q\":\"a\",\"target\":\"de\",\"format\":\"pdf\"}", 9).await.contains("text or html"));
        assert!(said("{\"q\":\"a\",\"target\":\"de\",\"tone\":\"rude\"}", 9).await.contains("`tone`"));
    }

    #[test]
    fn names_of_files_lose_their_folders() {
        assert_eq!(base_name("C:\\tmp\\a \"b\".txt"), "a b.txt");
        assert_eq!(base_name("../../etc/x.md"), "x.md");
    }
}
