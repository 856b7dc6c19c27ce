//! A text cut into what a model translates at once and what it never sees: put together again, the pieces are the text
//! to the last byte.
//!
//! A line is a segment, a long one as many as it has sentences; around it stands what is structure and no language:
//! indentation, bullets, line ends, lines without words. In markup, blocks are what lines are in a text.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use unicode_segmentation::UnicodeSegmentation;

use super::formats::{html, markdown};
use super::protect::has_words;

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Characters are what they are.
    Plain,
    /// `<` and `&` mean something: HTML, or the inside of a document.
    Markup,
    /// Plain, but for Markdown's structure.
    Markdown,
}

/// A piece of a text: `source` is to be translated, the rest stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// What stands before it, since the segment before.
    pub before: String,
    /// What is to be translated; empty only where the whole text has nothing.
    pub source: String,
    /// What stands behind the last one.
    pub after: String,
}

/// Bullets, numbers of lists, quotation marks of mails, headings: what may open a line and is no language.
static OPENING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:\s+|[-*+•·–—>#|]+\s+|\d{1,3}[.)]\s+|\[[ xX]\]\s+)+").ok());

/// Cuts a text. Segments have at most about `most` characters, where sentences allow it.
pub fn split(text: &str, coding: Coding, most: usize) -> Vec<Segment> {
    let blocks = match coding {
        Coding::Plain => lines(text).collect(),
        Coding::Markdown => markdown::blocks(text),
        Coding::Markup => html::blocks(text),
    };
    let mut ranges = Vec::new();
    for block in blocks {
        let range = trimmed(text, block);
        if has_words(&text[range.clone()], coding) {
            ranges.extend(sentences(text, range, coding, most));
        }
    }
    gather(text, &ranges)
}

/// The text of segments whose sources were replaced by `translated`.
pub fn join<'a>(segments: &'a [Segment], translated: impl IntoIterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    for (segment, text) in segments.iter().zip(translated) {
        joined.extend([&segment.before, text, &segment.after]);
    }
    joined
}

/// The lines of a text, without what opens and what ends them.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive(['\n', '\r']).map(move |line| {
        let start = at;
        at += line.len();
        start + opening(line)..at
    })
}

/// How many bytes at the start of a line are no language.
pub(super) fn opening(line: &str) -> usize {
    OPENING.as_ref().and_then(|opening| opening.find(line)).map_or(0, |found| found.end())
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let piece = &text[range.clone()];
    let start = range.start + piece.len() - piece.trim_start().len();
    start..(range.start + piece.trim_end().len()).max(start)
}

/// The sentences of a block, as many together as fit. In markup no cut falls into a tag.
fn sentences(text: &str, block: Range<usize>, coding: Coding, most: usize) -> Vec<Range<usize>> {
    let piece = &text[block.clone()];
    if piece.chars().count() <= most {
        return vec![block];
    }
    let tags = if coding == Coding::Markup { html::tags(piece) } else { Vec::new() };
    let mut found = Vec::new();
    let (mut start, mut length) = (0, 0);
    for (at, sentence) in piece.split_sentence_bound_indices() {
        let within = tags.iter().any(|tag| tag.start < at && at < tag.end);
        let characters = sentence.chars().count();
        if length > 0 && length + characters > most && !within {
            found.push(start..at);
            (start, length) = (at, 0);
        }
        length += characters;
    }
    found.push(start..piece.len());
    let whole =
        found.into_iter().map(|range| trimmed(text, block.start + range.start..block.start + range.end));
    whole.filter(|range| has_words(&text[range.clone()], coding)).collect()
}

fn gather(text: &str, ranges: &[Range<usize>]) -> Vec<Segment> {
    let mut at = 0;
    let mut segments: Vec<_> = ranges
        .iter()
        .map(|range| {
            let before = text[at..range.start].to_owned();
            at = range.end;
            Segment { before, source: text[range.clone()].to_owned(), after: String::new() }
        })
        .collect();
    if segments.is_empty() {
        segments.push(Segment::default());
    }
    if let Some(last) = segments.last_mut() {
        last.after = text[at..].to_owned();
    }
    segments
}

#[cfg(test)]
mod tests;
