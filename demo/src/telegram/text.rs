//! What a text and its marks must be (core.telegram.org/bots/api#formatting-options). Lengths are in UTF-16 units.

use serde_json::Value;

use super::api::Refused;

/// The longest message.
pub(super) const MOST: usize = 4096;
/// Marks that are kept; the rest is dropped without a word.
const MARKS: usize = 100;

/// The length that counts.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text as it is kept: without white space around it, its marks checked.
pub(super) fn taken(
    text: &str,
    marks: Vec<Value>,
    parse_mode: &str,
) -> Result<(String, Vec<Value>), Refused> {
    match parse_mode {
        "" => {}
        "HTML" => check_html(text)?,
        "MarkdownV2" => check_markdown(text)?,
        _ => return Err(Refused::bad("unsupported parse_mode")),
    }
    check_marks(text, &marks)?;
    let kept = text.trim();
    let marks = marks.into_iter().take(MARKS).collect();
    Ok((kept.to_owned(), marks))
}

/// Where a mark is, and what.
struct Span<'a> {
    kind: &'a str,
    from: usize,
    to: usize,
}

fn check_marks(text: &str, marks: &[Value]) -> Result<(), Refused> {
    let mut boundaries: Vec<usize> = vec![0];
    text.chars().for_each(|c| boundaries.push(boundaries.last().copied().unwrap_or(0) + c.len_utf16()));
    let mut spans: Vec<Span<'_>> = Vec::new();
    for mark in marks {
        let kind = mark["type"].as_str().unwrap_or_default();
        let number = |key: &str| mark[key].as_u64().and_then(|number| usize::try_from(number).ok());
        let (Some(from), Some(length)) = (number("offset"), number("length")) else {
            return Err(Refused::bad("can't parse entities: Can't parse MessageEntity: offset and length"));
        };
        if !KINDS.contains(&kind) {
            return Err(Refused::bad("can't parse entities: Unsupported MessageEntity type specified"));
        }
        let to = from + length;
        if length == 0 || boundaries.binary_search(&from).is_err() || boundaries.binary_search(&to).is_err() {
            return Err(Refused::bad("ENTITY_BOUNDS_INVALID"));
        }
        spans.push(Span { kind, from, to });
    }
    for (at, one) in spans.iter().enumerate() {
        if let Some(other) = spans[at + 1..].iter().find(|other| clash(one, other)) {
            let what = format!("can't parse entities: {} and {} may not overlap so", one.kind, other.kind);
            return Err(Refused::bad(&what));
        }
    }
    Ok(())
}

const KINDS: [&str; 10] = [
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "code",
    "pre",
    "text_link",
    "text_mention",
];

/// Marks that share text lie one in the other, code in nothing but a quote, quotes in no quote, links in no link.
fn clash(one: &Span<'_>, other: &Span<'_>) -> bool {
    if one.to <= other.from || other.to <= one.from {
        return false;
    }
    let within = |inner: &Span<'_>, outer: &Span<'_>| outer.from <= inner.from && inner.to <= outer.to;
    if !within(one, other) && !within(other, one) {
        return true;
    }
    let either = |kind: &str| one.kind == kind || other.kind == kind;
    one.kind == other.kind || ((either("code") || either("pre")) && !either("blockquote"))
}

/// The tags that Telegram knows, each closed in order; `<`, `>` and `&` as entities.
fn check_html(text: &str) -> Result<(), Refused> {
    let wrong = |what: String| Refused::bad(&format!("can't parse entities: {what}"));
    let mut open: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find('<') {
        let begin = at + next;
        let Some(length) = text[begin..].find('>') else {
            return Err(wrong(format!("Unclosed start tag at byte offset {begin}")));
        };
        let inside = &text[begin + 1..begin + length];
        let name = inside.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
        if inside.starts_with('/') {
            if open.pop() != Some(name) {
                return Err(wrong(format!("Unexpected end tag at byte offset {begin}")));
            }
        } else if TAGS.contains(&name) {
            open.push(name);
        } else {
            return Err(wrong(format!("Unsupported start tag \"{name}\" at byte offset {begin}")));
        }
        at = begin + length + 1;
    }
    open.last().map_or(Ok(()), |name| {
        Err(wrong(format!("Can't find end tag corresponding to start tag \"{name}\"")))
    })
}

const TAGS: [&str; 14] = [
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "code",
    "pre",
    "a",
    "blockquote",
    "tg-spoiler",
];

/// Every reserved character is a mark that is closed, or stands behind a backslash.
fn check_markdown(text: &str) -> Result<(), Refused> {
    let wrong = |what: String| Refused::bad(&format!("can't parse entities: {what}"));
    let mut open: Vec<(char, usize)> = Vec::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        let in_code = open.last().is_some_and(|(mark, _)| *mark == '`');
        match letter {
            '\\' => drop(letters.next()),
            '`' | '*' | '_' | '~' if !in_code || letter == '`' => {
                if open.last().is_some_and(|(mark, _)| *mark == letter) {
                    open.pop();
                } else {
                    open.push((letter, at));
                }
            }
            '[' | ']' | '(' | ')' | '>' | '#' | '+' | '-' | '=' | '|' | '{' | '}' | '.' | '!' if !in_code => {
                return Err(wrong(format!(
                    "Character '{letter}' is reserved and must be escaped with the preceding '\\'"
                )));
            }
            _ => {}
        }
    }
    open.last().map_or(Ok(()), |(mark, at)| {
        Err(wrong(format!("Can't find end of the entity '{mark}' starting at byte offset {at}")))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn marks(text: &str, marks: Value) -> Result<(), String> {
        let marks = marks.as_array().unwrap().clone();
        taken(text, marks, "").map(drop).map_err(|refused| refused.description)
    }

    #[test]
    fn marks_lie_within_the_text_and_in_each_other() {
        let mark = |kind: &str, offset: usize, length: usize| json!({ "type": kind, "offset": offset, "length": length });
        assert!(marks("a 😀 b", json!([mark("bold", 0, 6), mark("italic", 2, 2)])).is_ok());
        for (text, wrong) in [
            ("ab", json!([mark("bold", 0, 3)])),
            ("ab", json!([mark("bold", 1, 0)])),
            ("😀", json!([mark("bold", 1, 1)])),
            ("ab", json!([mark("bald", 0, 1)])),
            ("abc", json!([mark("bold", 0, 2), mark("italic", 1, 2)])),
            ("abc", json!([mark("bold", 0, 3), mark("code", 1, 1)])),
            ("abc", json!([mark("blockquote", 0, 3), mark("blockquote", 1, 1)])),
        ] {
            assert!(marks(text, wrong.clone()).is_err(), "{wrong}");
        }
        assert!(marks("abc", json!([mark("blockquote", 0, 3), mark("code", 1, 1)])).is_ok());
    }

    #[test]
    fn markup_must_be_right() {
        let parsed =
            |text: &str, mode: &str| taken(text, Vec::new(), mode).map_err(|refused| refused.description);
        assert!(parsed("<b>x <i>y</i></b> &lt;", "HTML").is_ok());
        for (text, told) in [
            ("<b>x", "Can't find end tag"),
            ("x</b>", "Unexpected end tag"),
            ("<h1>x</h1>", "Unsupported start tag \"h1\""),
            ("a < b", "Unclosed start tag"),
        ] {
            assert!(parsed(text, "HTML").unwrap_err().contains(told), "{text}");
        }
        assert!(parsed("*b* _i_ `a.b` 1\\.5", "MarkdownV2").is_ok());
        assert!(parsed("1.5", "MarkdownV2").unwrap_err().contains("Character '.' is reserved"));
        assert!(parsed("*b", "MarkdownV2").unwrap_err().contains("Can't find end"));
        assert!(parsed("x", "Markdown3").is_err());
        assert_eq!(parsed("  x \n", "").unwrap().0, "x");
    }
}
