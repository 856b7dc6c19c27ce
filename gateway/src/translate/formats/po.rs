//! Gettext catalogues: each empty `msgstr` gets the translation of its `msgid`. What a person has translated, comments,
//! flags and obsolete entries stay as they are.

use std::ops::Range;

use super::super::segments::Coding;
use super::{Escape, FormatError, Place, Unit};

/// One keyword and its strings: `msgid "a"` and the lines that go on with it.
struct Entry {
    keyword: String,
    text: String,
    range: Range<usize>,
}

/// The empty translations of a catalogue.
pub(super) fn places(text: &str) -> Result<Vec<Place>, FormatError> {
    let (mut id, mut plural) = (String::new(), None);
    let mut places = Vec::new();
    for Entry { keyword, text, range } in entries(text)? {
        match keyword.as_str() {
            "msgid" => (id, plural) = (text, None),
            "msgid_plural" => plural = Some(text),
            _ if keyword.starts_with("msgstr") && text.is_empty() && !id.is_empty() => {
                let source = match &plural {
                    Some(plural) if keyword != "msgstr[0]" => plural,
                    _ => &id,
                };
                let unit = Unit { text: source.clone(), coding: Coding::Plain };
                places.push(Place { unit, range, escape: Escape::Po });
            }
            _ => {}
        }
    }
    Ok(places)
}

fn entries(text: &str) -> Result<Vec<Entry>, FormatError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut open = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let bare = line.trim_end();
        let (indent, content) = (bare.len() - bare.trim_start().len(), bare.trim_start());
        let end = start + bare.len();
        if content.starts_with('"') {
            let piece = unquoted(content)?;
            let last =
                entries.last_mut().filter(|_| open).ok_or(FormatError::Damaged("a gettext catalogue"))?;
            last.text.push_str(&piece);
            last.range.end = end;
        } else if content.starts_with("msg") {
            let quote = content.find('"').ok_or(FormatError::Damaged("a gettext catalogue"))?;
            let keyword = content[..quote].trim().to_owned();
            let range = start + indent + quote..end;
            entries.push(Entry { keyword, text: unquoted(&content[quote..])?, range });
            open = true;
        } else {
            open = false;
        }
    }
    Ok(entries)
}

fn unquoted(quoted: &str) -> Result<String, FormatError> {
    let damaged = FormatError::Damaged("a gettext catalogue");
    let Some(inner) = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(damaged);
    };
    let mut text = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some(other) => text.push(other),
                None => return Err(damaged),
            },
            (c, false) => text.push(c),
        }
    }
    Ok(text)
}

/// A text as the strings of a catalogue: one line each, after an empty one where there are several.
pub(super) fn quoted(text: &str) -> String {
    let quote = |line: &str| {
        let line = line.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t").replace('\r', "\\r");
        format!("\"{}\"", line.replace('\n', "\\n"))
    };
    let lines: Vec<_> = text.split_inclusive('\n').map(quote).collect();
    match lines.as_slice() {
        [] => "\"\"".to_owned(),
        [line] => line.clone(),
        lines => format!("\"\"\n{}", lines.join("\n")),
    }
}
