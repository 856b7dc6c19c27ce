//! Where the blocks of an HTML text begin and end, and its tags: by a tokenizer that reads as browsers do.

use std::ops::Range;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// Elements within a line of text; every other one begins a block.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "big", "br", "cite", "code", "data", "del", "dfn", "em", "font", "i",
    "img", "ins", "kbd", "label", "mark", "q", "ruby", "rb", "rp", "rt", "s", "samp", "small", "span",
    "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
];

/// Elements whose text is no language, or not shown.
const SKIPPED: &[&str] =
    &["script", "style", "pre", "textarea", "svg", "math", "template", "noscript", "iframe"];

/// Elements without an end.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];

/// Has an element of this name no end?
pub fn is_void(name: &str) -> bool {
    VOID.contains(&name)
}

/// The name in a tag, in lower case.
pub fn name_of(tag: &str) -> String {
    let inner = tag.trim_start_matches(['<', '/']);
    let end = inner.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).unwrap_or(inner.len());
    inner[..end].to_ascii_lowercase()
}

fn tokens(text: &str) -> impl Iterator<Item = Token<usize>> {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(text, emitter).filter_map(Result::ok)
}

/// The places of all tags.
pub fn tags(text: &str) -> Vec<Range<usize>> {
    let place = |token| match token {
        Token::StartTag(tag) => Some(tag.span.start..tag.span.end),
        Token::EndTag(tag) => Some(tag.span.start..tag.span.end),
        _ => None,
    };
    tokens(text).filter_map(place).filter(|range| text.get(range.clone()).is_some()).collect()
}

/// The stretches of text between the tags of blocks, tags within lines included.
pub fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut skipping: Option<(Vec<u8>, usize)> = None;
    let mut cut = |to: usize, from: usize, skipped: bool| {
        if at < to && !skipped && text.get(at..to).is_some() {
            found.push(at..to);
        }
        at = from.max(at);
    };
    for token in tokens(text) {
        match token {
            Token::StartTag(tag) => match &mut skipping {
                Some((name, depth)) => {
                    *depth += usize::from(**tag.name == *name.as_slice() && !tag.self_closing)
                }
                None if is_kept(&tag) => {
                    cut(tag.span.start, tag.span.end, false);
                    let ends = tag.self_closing || is_void(&String::from_utf8_lossy(&tag.name));
                    skipping = (!ends).then(|| (tag.name.to_vec(), 1));
                }
                None if !is_inline(&tag.name) => cut(tag.span.start, tag.span.end, false),
                None => {}
            },
            Token::EndTag(tag) => match &mut skipping {
                Some((name, depth)) if **tag.name == *name.as_slice() => {
                    *depth -= 1;
                    if *depth == 0 {
                        cut(tag.span.start, tag.span.end, true);
                        skipping = None;
                    }
                }
                Some(_) => {}
                None if !is_inline(&tag.name) => cut(tag.span.start, tag.span.end, false),
                None => {}
            },
            Token::Doctype(doctype) => cut(doctype.span.start, doctype.span.end, skipping.is_some()),
            _ => {}
        }
    }
    cut(text.len(), text.len(), skipping.is_some());
    found
}

fn is_inline(name: &[u8]) -> bool {
    // What belongs to other vocabularies (`w:r`) is a place within a line.
    INLINE.iter().any(|inline| inline.as_bytes() == name) || name.contains(&b':')
}

/// Is what stands in this element not to be translated?
fn is_kept(tag: &StartTag<usize>) -> bool {
    let attribute = |wanted: &str| {
        let mut all = tag.attributes.iter();
        all.find(|(name, _)| ***name == *wanted.as_bytes()).map(|(_, value)| value.value.to_vec())
    };
    let names = |value: Vec<u8>| value.split(u8::is_ascii_whitespace).any(|class| class == b"notranslate");
    let skipped = SKIPPED.iter().any(|skipped| skipped.as_bytes() == &**tag.name);
    let asked =
        attribute("translate").is_some_and(|value| value == b"no") || attribute("class").is_some_and(names);
    skipped || (asked && !is_inline(&tag.name))
}
