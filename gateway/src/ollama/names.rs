//! Model names, made canonical before anything is decided by them.
//!
//! Ollama takes `llama3`, `LLAMA3:Latest`, `library/llama3` and `registry.ollama.ai/library/llama3:latest` for one
//! model (types/model/name.go of v0.33); so must an allow list.

use std::fmt;
use std::sync::Arc;

/// The longest name taken, in bytes: host 350, namespace 80, model 80, tag 80 and separators (Ollama's limits).
const LONGEST: usize = 600;

/// A canonical model name: lower case, defaults left out, the tag always there. `llama3:latest`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelName(Arc<str>);

/// Why a text is no model name we serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `[host/][namespace/]model[:tag]` in Ollama's alphabet.
    #[error("invalid model name: write it as model, model:tag or namespace/model:tag")]
    Invalid,
    /// The name asks for a model in Ollama's cloud, which this fleet never uses.
    #[error("cloud models are not served here: this fleet runs its own models only")]
    Cloud,
}

impl ModelName {
    /// Makes a name canonical.
    ///
    /// # Errors
    /// [`NameError::Invalid`] for anything Ollama would not take, and for `scheme://` (we never need it);
    /// [`NameError::Cloud`] for a `:cloud` or `-cloud` source suffix.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let lower = text.trim().to_ascii_lowercase();
        if lower.is_empty() || lower.len() > LONGEST || lower.contains("://") {
            return Err(NameError::Invalid);
        }
        let name = lower.strip_suffix(":local").unwrap_or(&lower);
        if name.ends_with(":local") {
            return Err(NameError::Invalid); // sent on as `x:local`, Ollama would take off the other one too
        }
        if name.ends_with(":cloud") || name.rsplit_once(':').is_some_and(|(_, tag)| tag.ends_with("-cloud")) {
            return Err(NameError::Cloud);
        }
        let (path, tag) = match name.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (name, "latest"),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (host, namespace, model) = match parts[..] {
            [model] => ("", "", model),
            [namespace, model] => ("", namespace, model),
            [host, namespace, model] => (host, namespace, model),
            _ => return Err(NameError::Invalid),
        };
        let host_ok = parts.len() < 3 || is_part(host, 350, true);
        let namespace_ok = parts.len() < 2 || (is_part(namespace, 80, false) && !namespace.contains('.'));
        if !(host_ok && namespace_ok && is_part(model, 80, false) && is_part(tag, 80, false)) {
            return Err(NameError::Invalid);
        }
        let mut canonical = String::with_capacity(name.len() + 8);
        let foreign_host = !(host.is_empty() || host == "registry.ollama.ai");
        if foreign_host {
            canonical.push_str(host);
            canonical.push('/');
        }
        if foreign_host || !(namespace.is_empty() || namespace == "library") {
            canonical.push_str(namespace);
            canonical.push('/');
        }
        canonical.push_str(model);
        canonical.push(':');
        canonical.push_str(tag);
        Ok(Self(canonical.into()))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does the name point at a registry other than Ollama's own?
    pub fn has_foreign_host(&self) -> bool {
        self.0.matches('/').count() == 2
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_part(part: &str, longest: usize, colon: bool) -> bool {
    let alphabet =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.') || (colon && b == b':');
    !part.is_empty()
        && part.len() <= longest
        && part.as_bytes()[0].is_ascii_alphanumeric()
        && part.bytes().all(alphabet)
}

/// An entry of a role's `models`: everything, a prefix (`gemma*`), or one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelPattern {
    /// `*`
    Any,
    /// `gemma3*`: every canonical name that begins so.
    Prefix(String),
    /// One canonical name.
    One(ModelName),
}

impl ModelPattern {
    /// Reads an entry of a role's `models`.
    ///
    /// # Errors
    /// As [`ModelName::parse`]; a `*` is taken only at the end.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text.strip_suffix('*') {
            Some("") => Ok(Self::Any),
            Some(prefix) if !prefix.contains('*') => Ok(Self::Prefix(prefix.to_ascii_lowercase())),
            Some(_) => Err(NameError::Invalid),
            None => ModelName::parse(text).map(Self::One),
        }
    }

    /// Does the pattern cover `name`?
    pub fn covers(&self, name: &ModelName) -> bool {
        match self {
            Self::Any => true,
            Self::Prefix(prefix) => name.as_str().starts_with(prefix),
            Self::One(one) => one == name,
        }
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::One(one) => one.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, NameError>) {
        let parsed = ModelName::parse(text);
        assert_eq!(parsed.as_ref().map(ModelName::as_str).map_err(|e| *e), expected, "{text:?}");
    }

    #[test]
    fn spellings_of_one_model_are_one_name() {
        for text in [
            "llama3",
            "LLAMA3:Latest",
            " llama3 ",
            "library/llama3",
            "registry.ollama.ai/library/llama3:latest",
            "llama3:local",
            "llama3:latest:local",
        ] {
            check(text, Ok("llama3:latest"));
        }
    }

    #[test]
    fn other_registries_and_namespaces_stay_apart() {
        check("me/llama3", Ok("me/llama3:latest"));
        check("hf.co/me/llama3:q4", Ok("hf.co/me/llama3:q4"));
        check("127.0.0.1:9/library/none:latest", Ok("127.0.0.1:9/library/none:latest"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            " ",
            "a b",
            "../../etc/passwd",
            "x\u{0}",
            "a//b",
            "http://registry.ollama.ai/library/llama3",
            "a/b/c/d",
            ":tag",
            "x:",
            "-x",
            "é",
            "x:local:local",
        ] {
            check(text, Err(NameError::Invalid));
        }
    }

    #[test]
    fn cloud_names_are_refused() {
        for text in ["x:cloud", "x:20b-cloud", "X:20B-CLOUD", "x:latest:cloud"] {
            check(text, Err(NameError::Cloud));
        }
    }

    #[test]
    fn patterns_cover_what_they_say() {
        let name = ModelName::parse("gemma3n:e4b").unwrap();
        let covers = |p: &str| ModelPattern::parse(p).unwrap().covers(&name);
        assert!(covers("*") && covers("gemma*") && covers("GEMMA3N:e4b"));
        assert!(!covers("gemma3n") && !covers("llama*"));
        assert!(ModelPattern::parse("a*b*").is_err());
        for text in ["*", "gemma*", "gemma3n:e4b"] {
            assert_eq!(ModelPattern::parse(text).unwrap().to_string(), text);
        }
    }
}
