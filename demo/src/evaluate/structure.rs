//! What a translation must carry over, counted: of each kind, how many the source has and how many came back.

use std::collections::BTreeMap;

/// What is counted, in the order of the table.
pub(super) const KINDS: [&str; 5] = ["tags", "placeholders", "addresses", "numbers", "lines"];

/// Kept and wanted, by kind.
pub(super) type Kept = BTreeMap<&'static str, (usize, usize)>;

/// Counts what of `source` is in `translation`.
pub(super) fn kept(source: &str, translation: &str) -> Kept {
    let mut kept = Kept::new();
    for (kind, find) in [
        ("tags", tags as fn(&str) -> Vec<String>),
        ("placeholders", placeholders),
        ("addresses", addresses),
        ("numbers", numbers),
        ("lines", outlines),
    ] {
        let (wanted, mut left) = (find(source), find(translation));
        let found = wanted.iter().filter(|item| {
            let place = left.iter().position(|other| other == *item);
            place.map(|at| left.swap_remove(at)).is_some()
        });
        kept.insert(kind, (found.count(), wanted.len()));
    }
    kept
}

/// Pieces from `open` to `close`, both in them.
fn between(text: &str, open: &str, close: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(open) {
        let Some(length) = rest[start..].find(close) else { break };
        found.push(rest[start..start + length + close.len()].to_owned());
        rest = &rest[start + length + close.len()..];
    }
    found
}

fn tags(text: &str) -> Vec<String> {
    between(text, "<", ">")
}

fn placeholders(text: &str) -> Vec<String> {
    let printf = text.split_whitespace().filter(|word| {
        let word = word.trim_matches(|c: char| matches!(c, '"' | '.' | ',' | '!'));
        word.starts_with('%') && word.len() > 1
    });
    let trimmed = |word: &str| word.trim_matches(|c: char| matches!(c, '"' | '.' | ',' | '!')).to_owned();
    [between(text, "{", "}"), between(text, "`", "`"), printf.map(trimmed).collect()].concat()
}

fn addresses(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || "<>\"()、。".contains(c));
    let is = |word: &&str| word.starts_with("http") || (word.contains('@') && word.contains('.'));
    words.filter(is).map(|word| word.trim_end_matches(['.', ',']).to_owned()).collect()
}

/// Digits alone: grouping follows the language.
fn numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut number = String::new();
    let characters: Vec<char> = text.chars().collect();
    for (at, c) in characters.iter().enumerate() {
        let groups = !number.is_empty() && ".,\u{a0}\u{202f}'’".contains(*c);
        let goes_on = groups && characters.get(at + 1).is_some_and(char::is_ascii_digit);
        if c.is_ascii_digit() {
            number.push(*c);
        } else if !goes_on && !number.is_empty() {
            found.push(std::mem::take(&mut number));
        }
    }
    found.extend((!number.is_empty()).then_some(number));
    found
}

/// Of each line its place, its indentation, and whether it is empty.
fn outlines(text: &str) -> Vec<String> {
    let outline = |(at, line): (usize, &str)| {
        let bare = line.trim_start();
        format!("{at}:{}:{}", line.len() - bare.len(), bare.is_empty())
    };
    text.split('\n').enumerate().map(outline).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_counts_and_what_is_lost_does_not() {
        let source = "  <b>Hi</b> {name}, %d of 1,250 at https://a.b/c.\n\nEnd";
        assert!(kept(source, source).values().all(|(kept, wanted)| kept == wanted && *wanted > 0));
        let lost = kept(source, "<b>Hallo {name}, von 1.250 unter https://a.b/c.\nEnde");
        let expected = [
            ("addresses", (1, 1)),
            ("lines", (0, 3)),
            ("numbers", (1, 1)),
            ("placeholders", (1, 2)),
            ("tags", (1, 2)),
        ];
        assert_eq!(lost.into_iter().collect::<Vec<_>>(), expected);
    }
}
