//! JSON: every string that is no key. Layout, order and numbers stay as they were written.

use serde::de::IgnoredAny;

use super::super::segments::Coding;
use super::{Escape, FormatError, Place, Unit};

/// The strings of a JSON text.
pub(super) fn places(text: &str) -> Result<Vec<Place>, FormatError> {
    // Read once by a real reader: from here on the text is known to be well formed.
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| FormatError::Damaged("JSON"))?;
    let bytes = text.as_bytes();
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &bytes[at..]) {
        let start = at + quote + 1;
        let end = start + length(&bytes[start..]);
        at = end + 1;
        let key = bytes[at.min(bytes.len())..].iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':');
        if !key {
            let quoted = &text[start - 1..(end + 1).min(text.len())];
            let value: String = serde_json::from_str(quoted).map_err(|_| FormatError::Damaged("JSON"))?;
            let unit = Unit { text: value, coding: Coding::Plain };
            places.push(Place { unit, range: start..end, escape: Escape::Json });
        }
    }
    Ok(places)
}

/// Bytes up to the quotation mark that ends a string.
fn length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'"' {
        at += 1 + usize::from(bytes[at] == b'\\');
    }
    at.min(bytes.len())
}

/// The inside of the string that holds this text.
pub(super) fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
