//! A model's Markdown as text with marks: what is bold, what is code. Telegram gets text and marks apart from each other
//! (core.telegram.org/bots/api#messageentity), so nothing in an answer can be taken for markup: there is nothing to
//! escape, and an unfinished answer is as good as a whole one.

mod table;

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use url::Url;

use self::table::Table;

/// How a stretch of text looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Style {
    /// Bold.
    Bold,
    /// Italic.
    Italic,
    /// Struck through.
    Struck,
    /// Code within a line.
    Code,
    /// Lines of code, and their language.
    Block(Option<String>),
    /// Leads to an address of the web.
    Link(Url),
    /// Quoted from elsewhere.
    Quote,
}

/// A stretch of text that looks different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// How.
    pub style: Style,
    /// Where, in bytes.
    pub range: Range<usize>,
}

/// What is to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The text, without any markup.
    pub text: String,
    /// Its marks. Any two lie apart, or one in the other.
    pub marks: Vec<Mark>,
}

impl Shown {
    /// A text as it is.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), marks: Vec::new() }
    }

    /// The Markdown of a model.
    pub fn markdown(text: &str) -> Self {
        let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
        let mut writer = Writer::default();
        Parser::new_ext(text, options).for_each(|event| writer.take(event));
        Self { text: writer.text, marks: writer.marks }
    }

    /// The same with a remark of ours below.
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let start = self.text.len();
        self.text.push_str(note);
        self.marks.push(Mark { style: Style::Italic, range: start..self.text.len() });
        self
    }
}

/// Turns events into text and marks.
#[derive(Default)]
struct Writer {
    text: String,
    marks: Vec<Mark>,
    /// The styles of what is written next.
    styles: Vec<Style>,
    /// The last stretch whose styles may go on: where it begins in `marks` and in `text`.
    run: Option<(usize, usize)>,
    /// Line ends that are owed before the next text.
    gap: usize,
    /// Open lists: the number of the next item, or none.
    lists: Vec<Option<u64>>,
    /// Nothing follows the mark of an item, or the beginning of a quote, yet.
    fresh: bool,
    /// Where the outermost quote began, and how many are open.
    quotes: (usize, usize),
    /// Where the code began, and its language.
    code: Option<(usize, Option<String>)>,
    table: Option<Table>,
    /// Where a link leads that is none we show as one.
    elsewhere: Vec<Option<String>>,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        if let Some(table) = &mut self.table {
            if matches!(event, Event::End(TagEnd::Table)) {
                self.end_table();
            } else {
                table.take(event);
            }
            return;
        }
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.write(&text),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.write_code(&text),
            Event::Code(text) => self.write_code(&text),
            Event::SoftBreak | Event::HardBreak => self.write("\n"),
            Event::Rule => {
                self.block();
                self.write("———");
            }
            Event::TaskListMarker(done) => self.write(if done { "☑ " } else { "☐ " }),
            Event::FootnoteReference(name) => self.write(&format!("[{name}]")),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.block(),
            Tag::Heading { .. } => {
                self.block();
                self.styles.push(Style::Bold);
            }
            Tag::BlockQuote(_) => {
                self.block();
                self.catch_up();
                if self.quotes.1 == 0 {
                    self.quotes.0 = self.text.len();
                }
                self.quotes.1 += 1;
                self.fresh = true;
            }
            Tag::CodeBlock(kind) => {
                self.block();
                self.catch_up();
                self.code = Some((self.text.len(), language(&kind)));
            }
            Tag::List(first) => {
                self.block();
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::Table(_) => {
                self.block();
                self.table = Some(Table::default());
            }
            Tag::Emphasis => self.styles.push(Style::Italic),
            Tag::Strong => self.styles.push(Style::Bold),
            Tag::Strikethrough => self.styles.push(Style::Struck),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => self.link(&dest_url),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.styles.pop();
            }
            TagEnd::BlockQuote(_) => {
                self.quotes.1 = self.quotes.1.saturating_sub(1);
                if self.quotes.1 == 0 {
                    self.mark(Style::Quote, self.quotes.0);
                }
            }
            TagEnd::CodeBlock => {
                if let Some((start, language)) = self.code.take() {
                    self.text.truncate(start + self.text[start..].trim_end_matches('\n').len());
                    self.mark(Style::Block(language), start);
                }
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.fresh = false;
            }
            TagEnd::Link | TagEnd::Image => match self.elsewhere.pop().flatten() {
                Some(address) => self.write(&format!(" ({address})")),
                None => {
                    self.styles.pop();
                }
            },
            _ => {}
        }
    }

    /// What follows is a block of its own: within a list on a line of its own, else after an empty line.
    fn block(&mut self) {
        if !std::mem::take(&mut self.fresh) && !self.text.is_empty() {
            self.gap = self.gap.max(if self.lists.is_empty() { 2 } else { 1 });
        }
    }

    fn item(&mut self) {
        self.fresh = false;
        self.block();
        let depth = self.lists.len().saturating_sub(1);
        let mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "• ".to_owned(),
        };
        self.write_as(&format!("{}{mark}", "   ".repeat(depth)), &[]);
        self.fresh = true;
    }

    fn link(&mut self, address: &str) {
        let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        self.elsewhere.push(if url.is_some() { None } else { Some(address.to_owned()) });
        self.styles.extend(url.map(Style::Link));
    }

    fn end_table(&mut self) {
        let Some(table) = self.table.take() else { return };
        self.catch_up();
        let start = self.text.len();
        self.text.push_str(&table.drawn());
        self.mark(Style::Block(None), start);
    }

    fn mark(&mut self, style: Style, start: usize) {
        self.run = None;
        if start < self.text.len() {
            self.marks.push(Mark { style, range: start..self.text.len() });
        }
    }

    fn write(&mut self, text: &str) {
        let styles = self.styles.clone();
        self.write_as(text, &styles);
    }

    /// Telegram has no code within anything but a quote: neither in bold text, nor in a link.
    fn write_code(&mut self, text: &str) {
        match self.styles.iter().find(|style| matches!(style, Style::Link(_))).cloned() {
            Some(link) => self.write_as(text, &[link]),
            None => self.write_as(text, &[Style::Code]),
        }
    }

    /// Every style gets the same range, so that none crosses another; a stretch of equal styles stays one.
    fn write_as(&mut self, text: &str, styles: &[Style]) {
        if text.is_empty() {
            return;
        }
        self.fresh = false;
        self.catch_up();
        let from = self.text.len();
        self.text.push_str(text);
        if self.code.is_some() || styles.is_empty() {
            self.run = None;
            return;
        }
        let goes_on = self.run.filter(|(first, end)| {
            *end == from && self.marks[*first..].iter().map(|mark| &mark.style).eq(styles)
        });
        let first = goes_on.map_or(self.marks.len(), |(first, _)| first);
        match goes_on {
            Some(_) => self.marks[first..].iter_mut().for_each(|mark| mark.range.end = self.text.len()),
            None => {
                let range = from..self.text.len();
                self.marks
                    .extend(styles.iter().map(|style| Mark { style: style.clone(), range: range.clone() }));
            }
        }
        self.run = Some((first, self.text.len()));
    }

    fn catch_up(&mut self) {
        if self.gap > 0 {
            self.run = None;
            self.text.push_str(&"\n".repeat(std::mem::take(&mut self.gap)));
        }
    }
}

/// The language of a block, if it is a word that could name one.
fn language(kind: &CodeBlockKind<'_>) -> Option<String> {
    let CodeBlockKind::Fenced(info) = kind else { return None };
    let word = info.split_whitespace().next()?;
    let could_be = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '#' | '_' | '.');
    (word.len() <= 32 && word.chars().all(could_be)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests;
