//! Whatever the text, its segments are the text; and what is no language is in none of them.

use super::*;
use crate::translate::protect::Protected;

/// Words, marks and characters that texts to translate are made of, and some that break naive splitters.
const PIECES: &[&str] = &[
    "Hello",
    " ",
    "world",
    ".",
    "\n",
    "\r\n",
    "\n\n",
    "  ",
    "- ",
    "1. ",
    "> ",
    "# ",
    "https://example.com/a?b=c",
    "{name}",
    "%s",
    "%1$d",
    "${x}",
    "{{y}}",
    "<b>",
    "</b>",
    "<br/>",
    "<p>",
    "</p>",
    "<",
    ">",
    "&amp;",
    "&nbsp;",
    "&",
    "1,234.50",
    "日本語の文。",
    "これは",
    "مرحبا",
    "e\u{301}",
    "👩‍👩‍👧",
    "`code`",
    "```\n",
    "| a | b |",
    "\t",
    "\u{a0}",
    "!?",
    "[link](http://x.y)",
    "<script>",
    "</script>",
    "<!-- c -->",
    "\"q\"",
    "\\n",
    "{",
    "}",
    "---\n",
    "*em*",
    "Mr. Smith",
];

/// A text of so many random pieces.
fn random(seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let length = random.usize(0..40);
    (0..length).map(|_| PIECES[random.usize(..PIECES.len())]).collect()
}

#[test]
fn pieces_rejoined_are_the_text() {
    for seed in 0..250 {
        let text = random(seed);
        for coding in [Coding::Plain, Coding::Markup, Coding::Markdown] {
            for most in [5, 60, 1000] {
                let segments = split(&text, coding, most);
                let sources: Vec<_> = segments.iter().map(|segment| segment.source.as_str()).collect();
                assert_eq!(join(&segments, sources), text, "seed {seed} {coding:?} {most}");
            }
        }
    }
}

#[test]
fn what_is_protected_and_restored_is_the_segment() {
    for seed in 0..250 {
        let text = random(seed);
        for coding in [Coding::Plain, Coding::Markup, Coding::Markdown] {
            for segment in split(&text, coding, 60) {
                let protected = Protected::of(&segment.source, coding);
                let restored = protected.restore(protected.text());
                assert_eq!(restored, segment.source, "seed {seed} {coding:?}: {}", protected.text());
                if coding != Coding::Markup {
                    assert_eq!(protected.put_back(protected.text()), segment.source, "seed {seed}");
                }
            }
        }
    }
}

fn sources(text: &str, coding: Coding, most: usize) -> Vec<String> {
    split(text, coding, most).into_iter().map(|segment| segment.source).collect()
}

#[test]
fn a_line_is_a_segment_without_its_structure() {
    let text = "# Title\n\n- First point\n  2) Second one  \n\n12 %\nhttps://example.com\n{name}\nEnd";
    assert_eq!(sources(text, Coding::Plain, 1000), ["Title", "First point", "Second one", "End"]);
}

#[test]
fn long_lines_are_cut_between_sentences_only() {
    let text = "One is here. Two is there. Three is gone.";
    assert_eq!(sources(text, Coding::Plain, 15), ["One is here.", "Two is there.", "Three is gone."]);
    assert_eq!(sources(text, Coding::Plain, 30), ["One is here. Two is there.", "Three is gone."]);
    assert_eq!(sources("これは一つ。これは二つ。", Coding::Plain, 7), ["これは一つ。", "これは二つ。"]);
}

#[test]
fn blocks_of_markup_are_segments_and_scripts_are_none() {
    let html =
        "<p>One <b>bold</b> word</p><script>var a = 'no';</script><ul><li>Two</li></ul><pre>code</pre>";
    assert_eq!(sources(html, Coding::Markup, 1000), ["One <b>bold</b> word", "Two"]);
}

#[test]
fn a_text_without_words_has_nothing_to_translate() {
    let segments = split(" \n42\n", Coding::Plain, 1000);
    assert_eq!(segments, [Segment { after: " \n42\n".to_owned(), ..Segment::default() }]);
}
