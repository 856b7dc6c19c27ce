//! A long text as messages that are short enough, each with its own marks.

use teloxide_core::types::{MessageEntity, MessageEntityKind};

use crate::markup::{Shown, Style};

/// The most UTF-16 units of a message (core.telegram.org/bots/api#sendmessage: 4096 characters; Telegram counts
/// entities, and so lengths, in UTF-16 units).
pub const MOST: usize = 4096;

/// The most marks of a message; Telegram drops what is more.
const MOST_MARKS: usize = 100;

/// A message to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// Its text: never empty, no white space around it, since Telegram would take that off.
    pub text: String,
    /// What looks different in it.
    pub entities: Vec<MessageEntity>,
}

/// Cuts a text into pieces of at most `most` UTF-16 units: between paragraphs where that is not too wasteful, else
/// between lines, else between words, else anywhere. Of nothing there are no pieces.
pub fn cut(shown: &Shown, most: usize) -> Vec<Piece> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    loop {
        let rest = &shown.text[start..];
        let skipped = rest.len() - rest.trim_start().len();
        start += skipped;
        let rest = &rest[skipped..];
        if rest.is_empty() {
            return pieces;
        }
        let end = start + end_of_first(rest, most);
        let text = shown.text[start..end].trim_end();
        pieces.push(Piece { text: text.to_owned(), entities: entities(shown, start, start + text.len()) });
        start = end;
    }
}

/// How many bytes of `text` the first piece takes: at least one character.
fn end_of_first(text: &str, most: usize) -> usize {
    let mut units = 0;
    let over = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > most
    });
    let Some((over, _)) = over else { return text.len() };
    let first = text.chars().next().map_or(0, char::len_utf8);
    // White space right behind what fits is as good a place as any within.
    let window = &text[..over];
    let after =
        |mark: &str, least: usize| window.rfind(mark).filter(|at| *at >= least).map(|at| at + mark.len());
    let behind = text[over..].starts_with([' ', '\n']).then_some(over);
    let cut = after("\n\n", over / 2).or_else(|| after("\n", over / 4));
    cut.or(behind).or_else(|| after(" ", over / 8)).unwrap_or(over).max(first)
}

/// The marks of a stretch, as Telegram takes them.
fn entities(shown: &Shown, start: usize, end: usize) -> Vec<MessageEntity> {
    let units = |from: usize, to: usize| shown.text[from..to].encode_utf16().count();
    let within = shown.marks.iter().filter_map(|mark| {
        let (from, to) = (mark.range.start.max(start), mark.range.end.min(end));
        (from < to && !shown.text[from..to].trim().is_empty())
            .then(|| MessageEntity::new(kind(&mark.style), units(start, from), units(from, to)))
    });
    within.take(MOST_MARKS).collect()
}

fn kind(style: &Style) -> MessageEntityKind {
    match style {
        Style::Bold => MessageEntityKind::Bold,
        Style::Italic => MessageEntityKind::Italic,
        Style::Struck => MessageEntityKind::Strikethrough,
        Style::Code => MessageEntityKind::Code,
        Style::Block(language) => MessageEntityKind::Pre { language: language.clone() },
        Style::Link(url) => MessageEntityKind::TextLink { url: url.clone() },
        Style::Quote => MessageEntityKind::Blockquote,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, most: usize) -> Vec<String> {
        cut(&Shown::plain(text), most).into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn the_cut_is_where_a_reader_would_make_it() {
        assert_eq!(texts("short", 10), ["short"]);
        assert_eq!(texts("one two\n\nthree four", 15), ["one two", "three four"]);
        assert_eq!(texts("one\ntwo three four", 9), ["one", "two three", "four"]);
        assert_eq!(texts("one two three", 8), ["one two", "three"]);
        assert_eq!(texts("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(texts("  \n ", 4), Vec::<String>::new());
        // A paragraph that ends right at the beginning is no place: the first message would be a stub.
        assert_eq!(texts("a\n\nbcdef ghi jkl", 13), ["a\n\nbcdef ghi", "jkl"]);
    }

    #[test]
    fn lengths_are_counted_in_utf16() {
        // Two units each: four bytes, one character.
        assert_eq!(texts("😀😀😀", 4), ["😀😀", "😀"]);
        assert_eq!(texts("ééé", 2), ["éé", "é"]);
        // Never less than a character, however little fits.
        assert_eq!(texts("😀", 1), ["😀"]);
    }

    #[test]
    fn nothing_is_lost_and_nothing_is_too_long() {
        let text: String = (0..3000).map(|n| format!("{n}😀{}", ["\n\n", "\n", " ", ""][n % 4])).collect();
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        for most in [7, 64, 1000, MOST] {
            let pieces = texts(&text, most);
            assert!(pieces.iter().all(|piece| piece.encode_utf16().count() <= most));
            assert_eq!(bare(&pieces.concat()), bare(&text));
        }
    }

    #[test]
    fn marks_go_with_their_text() {
        let shown = Shown::markdown("😀 **bold words here** x\n\n```rs\nlet a;\nlet b;\n```");
        let pieces = cut(&shown, 14);
        let marked: Vec<(String, usize, usize)> = pieces
            .iter()
            .flat_map(|piece| piece.entities.iter().map(|e| (piece.text.clone(), e.offset, e.length)))
            .collect();
        let of = |text: &str, offset, length| (text.to_owned(), offset, length);
        assert_eq!(marked, [of("😀 bold words", 3, 10), of("here x", 0, 4), of("let a;\nlet b;", 0, 13)]);
        assert_eq!(pieces[2].entities[0].kind, MessageEntityKind::Pre { language: Some("rs".to_owned()) });
    }
}
