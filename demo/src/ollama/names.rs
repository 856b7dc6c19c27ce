//! Model names as Ollama reads them: many spellings, one model.

/// Why a text names no local model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameError {
    /// Not `[scheme://][host/][namespace/]model[:tag]` in Ollama's alphabet.
    Invalid,
    /// Points at Ollama's cloud, which is switched off here.
    Cloud,
    /// Carries both source suffixes.
    Both,
}

/// A name with its defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) host: String,
    pub(super) namespace: String,
    pub(super) model: String,
    pub(super) tag: String,
}

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// See [`NameError`].
    pub(super) fn parse(text: &str) -> Result<Self, NameError> {
        let text = without_source(text.trim())?;
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (path, tag) = match text.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (text, "latest"),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (host, namespace, model) = match parts[..] {
            [model] => ("registry.ollama.ai", "library", model),
            [namespace, model] => ("registry.ollama.ai", namespace, model),
            [host, namespace, model] => (host, namespace, model),
            _ => return Err(NameError::Invalid),
        };
        let whole = is_part(host, ":.") && is_part(namespace, "") && is_part(model, ".") && is_part(tag, ".");
        if !whole {
            return Err(NameError::Invalid);
        }
        let [host, namespace, model, tag] = [host, namespace, model, tag].map(str::to_owned);
        Ok(Self { host, namespace, model, tag })
    }

    /// The shortest spelling, as lists show it: defaults left out, the tag always there.
    pub(super) fn shortest(&self) -> String {
        let Self { host, namespace, model, tag } = self;
        if host != "registry.ollama.ai" {
            format!("{host}/{namespace}/{model}:{tag}")
        } else if namespace != "library" {
            format!("{namespace}/{model}:{tag}")
        } else {
            format!("{model}:{tag}")
        }
    }

    /// What two spellings of one model have in common: Ollama compares part by part, in any case.
    pub(super) fn key(&self) -> String {
        self.shortest().to_ascii_lowercase()
    }
}

/// The key of any spelling; a text that is no name is its own key.
pub(super) fn key_of(text: &str) -> String {
    Name::parse(text).map_or_else(|_| text.to_owned(), |name| name.key())
}

/// Strips `:local`; finds `:cloud` and tags that end in `-cloud`.
fn without_source(text: &str) -> Result<&str, NameError> {
    let ends = |text: &str, suffix: &str| {
        text.len() >= suffix.len()
            && text.as_bytes()[text.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
    };
    let cloud = |text: &str| {
        ends(text, ":cloud") || text.rsplit_once(':').is_some_and(|(_, tag)| ends(tag, "-cloud"))
    };
    if cloud(text) {
        let base = text.rsplit_once(':').map_or(text, |(base, _)| base);
        return Err(if ends(base, ":local") { NameError::Both } else { NameError::Cloud });
    }
    if !ends(text, ":local") {
        return Ok(text);
    }
    let base = &text[..text.len() - ":local".len()];
    if cloud(base) { Err(NameError::Both) } else { Ok(base) }
}

fn is_part(part: &str, also: &str) -> bool {
    let taken = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || also.contains(c);
    (1..=350).contains(&part.len())
        && part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && part.chars().all(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_model_share_a_key() {
        for text in [
            "tiny",
            " TINY:Latest ",
            "library/tiny",
            "http://registry.ollama.ai/library/tiny:latest",
            "tiny:local",
        ] {
            assert_eq!(key_of(text), "tiny:latest", "{text}");
        }
        assert_eq!(key_of("127.0.0.1:9/library/none"), "127.0.0.1:9/library/none:latest");
    }

    #[test]
    fn what_is_no_local_model_is_told_apart() {
        assert_eq!(Name::parse("a b"), Err(NameError::Invalid));
        assert_eq!(Name::parse("../../etc/passwd"), Err(NameError::Invalid));
        assert_eq!(Name::parse("x:20b-cloud"), Err(NameError::Cloud));
        assert_eq!(Name::parse("x:local:cloud"), Err(NameError::Both));
    }
}
