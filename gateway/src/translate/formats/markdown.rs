//! The lines of a Markdown text that hold language: no code, no front matter, no rules, no link definitions; of a table
//! its cells.

use std::ops::Range;

use super::super::segments::opening;

/// The stretches of text to translate, at most one line each.
pub fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut fence: Option<String> = None;
    let mut front_matter = text.starts_with("---\n") || text.starts_with("---\r\n");
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        let bare = line.trim();
        if front_matter {
            front_matter = number == 0 || bare != "---";
            continue;
        }
        let marks = bare.trim_start_matches(['>', ' ']);
        if let Some(open) = &fence {
            if marks.starts_with(open.as_str()) && marks.chars().all(|c| open.starts_with(c)) {
                fence = None;
            }
            continue;
        }
        fence = fence_of(marks);
        if fence.is_some() || is_structure(marks) {
            continue;
        }
        if marks.starts_with('|') {
            cells(line, start, &mut found);
        } else {
            found.push(start + opening(line)..at);
        }
    }
    found
}

fn fence_of(line: &str) -> Option<String> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.chars().take_while(|c| *c == mark).count();
    // One more of the same in the line is code within a sentence.
    let alone = mark == '~' || !line[length..].contains('`');
    (length >= 3 && alone).then(|| mark.to_string().repeat(length))
}

/// Rules, underlines of headings, lines of a table's head, definitions of links.
fn is_structure(line: &str) -> bool {
    let only = |marks: &[char]| !line.is_empty() && line.chars().all(|c| marks.contains(&c) || c == ' ');
    let definition =
        line.starts_with('[') && line.split_once("]:").is_some_and(|(name, _)| !name.contains(' '));
    only(&['-', '|', ':']) || only(&['=']) || only(&['*']) || only(&['_']) || definition
}

fn cells(line: &str, start: usize, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if c == '|' && !escaped {
            found.push(start + from..start + at);
            from = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    found.push(start + from..start + line.len());
}
