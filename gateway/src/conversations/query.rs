//! What stands behind the question mark. On other routes it is dropped; here it says which part of a list is meant, so
//! what cannot be read is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fleet::store::MessageId;
use http::request::Parts as Head;
use url::form_urlencoded;

use super::shapes::{is_id, message_id};
use crate::error::Refusal;

/// Longest text to search titles for, in characters.
const SEARCH_CHARACTERS: usize = 200;
/// Entries of a list, or messages, where nothing is said.
pub(crate) const USUAL: usize = 50;
/// The most conversations at once.
pub(crate) const MOST_LISTED: usize = 100;
/// The most messages at once.
pub(crate) const MOST_SHOWN: usize = 200;

/// Which part of a list of conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Only those whose title has this in it, in whatever case.
    pub(crate) search: Option<String>,
    /// Only those behind this one.
    pub(crate) before: Option<Cursor>,
    /// At most so many.
    pub(crate) limit: usize,
}

/// A place in a list whose latest comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// When the conversation there was last added to.
    pub(crate) updated: i64,
    /// Which it is.
    pub(crate) id: String,
}

/// Which part of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Only messages before this one.
    pub(crate) before: Option<MessageId>,
    /// At most so many.
    pub(crate) limit: usize,
}

impl Wanted {
    /// From a list's query.
    ///
    /// # Errors
    /// 400 for what is unknown, said twice, or out of its bounds.
    pub(super) fn of(head: &Head) -> Result<Self, Refusal> {
        let mut wanted = Self { search: None, before: None, limit: USUAL };
        for (name, value) in pairs(head, &["search", "before", "limit"])? {
            match name {
                "search" => wanted.search = search(&value)?,
                "before" => wanted.before = Some(Cursor::read(&value)?),
                _ => wanted.limit = limit(&value, MOST_LISTED)?,
            }
        }
        Ok(wanted)
    }
}

impl Part {
    /// From a view's query.
    ///
    /// # Errors
    /// As [`Wanted::of`].
    pub(super) fn of(head: &Head) -> Result<Self, Refusal> {
        let mut part = Self { before: None, limit: USUAL };
        for (name, value) in pairs(head, &["before", "limit"])? {
            match name {
                "before" => part.before = Some(before(&value)?),
                _ => part.limit = limit(&value, MOST_SHOWN)?,
            }
        }
        Ok(part)
    }
}

impl Cursor {
    /// What [`Cursor::written`] wrote.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(crate) fn read(text: &str) -> Result<Self, Refusal> {
        let place = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let (updated, id) = text.split_once('.')?;
            Some(Self { updated: updated.parse().ok()?, id: is_id(id).then(|| id.to_owned())? })
        };
        place().ok_or_else(|| {
            Refusal::Invalid("`before` must be what `next` of an earlier list said".to_owned())
        })
    }

    /// For the client, who need not understand it.
    pub(crate) fn written(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.updated, self.id))
    }
}

/// A text to search titles for; nothing is no search.
///
/// # Errors
/// 400 for one that is too long.
pub(crate) fn search(text: &str) -> Result<Option<String>, Refusal> {
    if text.chars().count() > SEARCH_CHARACTERS {
        return Err(Refusal::Invalid(format!("`search` may have at most {SEARCH_CHARACTERS} characters")));
    }
    Ok(Some(text.trim().to_lowercase()).filter(|text| !text.is_empty()))
}

/// The message before which others are wanted.
///
/// # Errors
/// 400 for what is no id.
pub(crate) fn before(text: &str) -> Result<MessageId, Refusal> {
    message_id(text)
        .ok_or_else(|| Refusal::Invalid("`before` must be the id of a message, 16 digits".to_owned()))
}

/// Nothing is asked of a route that takes no query.
///
/// # Errors
/// 400 for whatever is.
pub(super) fn none(head: &Head) -> Result<(), Refusal> {
    pairs(head, &[]).map(drop)
}

fn limit(text: &str, most: usize) -> Result<usize, Refusal> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| Refusal::Invalid(format!("`limit` must be a number between 1 and {most}")))
}

fn pairs<'n>(head: &Head, names: &[&'n str]) -> Result<Vec<(&'n str, String)>, Refusal> {
    let query = head.uri.query().unwrap_or_default();
    let mut found: Vec<(&str, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(&name) = names.iter().find(|known| **known == name) else {
            let takes = if names.is_empty() {
                "no query".to_owned()
            } else {
                format!("`{}` only", names.join("`, `"))
            };
            return Err(Refusal::Invalid(format!("this route takes {takes} behind the question mark")));
        };
        if found.iter().any(|(other, _)| *other == name) {
            return Err(Refusal::Invalid(format!("`{name}` is said twice")));
        }
        if value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Refusal::Invalid(format!("`{name}` is no text in UTF-8")));
        }
        found.push((name, value.into_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(query: &str) -> Head {
        Request::get(format!("/conversations{query}")).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_query_says_which_part_is_meant() {
        let cursor = Cursor { updated: 7, id: super::super::shapes::new_id() };
        let query = format!("?search=Gr%C3%BC%C3%9Fe+an&limit=100&before={}", cursor.written());
        let wanted = Wanted::of(&head(&query)).unwrap();
        assert_eq!(wanted, Wanted { search: Some("grüße an".to_owned()), before: Some(cursor), limit: 100 });
        let all = Wanted { search: None, before: None, limit: USUAL };
        for nothing in ["", "?", "?search=", "?search=+"] {
            assert_eq!(Wanted::of(&head(nothing)).unwrap(), all, "{nothing}");
        }
        let part = Part::of(&head("?before=1700000000000000&limit=200")).unwrap();
        assert_eq!(part, Part { before: Some(MessageId(1_700_000_000_000_000)), limit: 200 });
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for wrong in [
            "?limit=0",
            "?limit=101",
            "?limit=-1",
            "?limit=",
            "?limit=1&limit=2",
            "?page=2",
            "?before=x",
            "?before=1700000000000000",
            "?search=%ff",
            "?Limit=1",
        ] {
            assert!(matches!(Wanted::of(&head(wrong)), Err(Refusal::Invalid(_))), "{wrong}");
        }
        assert!(Wanted::of(&head(&format!("?search={}", "x".repeat(201)))).is_err());
        assert!(Part::of(&head("?before=170")).is_err() && Part::of(&head("?search=x")).is_err());
        assert!(none(&head("?a=1")).is_err() && none(&head("")).is_ok());
    }
}
