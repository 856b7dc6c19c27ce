//! What a translation must carry over unchanged (tags, placeholders, addresses, code) stands as a short mark in the
//! text that the model sees, and is put back behind it.
//!
//! A pair of tags becomes `<g1>…</g1>`, everything else `<x1/>`: the form that translation memories use, which models
//! have seen. Put back is always everything, exactly once: what a model has lost or mixed up stands at the ends.

mod balance;

use std::sync::LazyLock;

use regex::{Captures, Regex};

use self::balance::{Balance, balance_of};
use super::segments::Coding;

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Markup.
    Tag,
    /// A name that a program fills in, or code.
    Placeholder,
    /// An address.
    Url,
}

/// A mark and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    mark: String,
    raw: String,
    kind: Kind,
}

/// A text with marks.
#[derive(Debug, Clone)]
pub struct Protected {
    source: String,
    text: String,
    tokens: Vec<Token>,
    coding: Coding,
    balance: Balance,
}

/// One alternative per kind, first match wins. Braces may hold one level of braces (ICU messages).
static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let url =
        r#"(?P<url>(?:https?|ftp)://[^\s<>"'`、。）」]+|www\.[^\s<>"'`]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"#;
    let block = r"(?P<block><(?:code|kbd|samp|var)\b[^<>]*>[^<]*</(?:code|kbd|samp|var)>)";
    let tag = r#"(?P<tag>(?:<!--(?s:.*?)-->|</?[A-Za-z](?:[^<>"']|"[^"]*"|'[^']*')*>)+)"#;
    let entity = r"(?P<entity>&(?:[A-Za-z][A-Za-z0-9]*|#\d+|#[xX][0-9A-Fa-f]+);)";
    let braces = r"\$?\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}";
    let printf = r"%\(\w+\)[#0+-]*\d*(?:\.\d+)?[a-zA-Z]|%(?:\d+\$)?[#0+-]*\d*(?:\.\d+)?(?:ll|l|h)?[sdifgxXuc]\b|%(?:\d+\$)?@|%[A-Z_]{2,}%";
    let code = r"`[^`\n]+`|\]\([^()\s]+\)|\\[nrt]";
    Regex::new(&format!("{url}|{block}|{tag}|{entity}|(?P<braces>{braces})|(?P<other>{printf}|{code})")).ok()
});

/// A mark as models write it, blanks and a forgotten slash included.
static MARK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"<\s*(/?)\s*([gx])\s*(\d{1,4})\s*/?\s*>").ok());

/// Are there words in it, beside what is protected?
pub fn has_words(text: &str, coding: Coding) -> bool {
    let words = |text: &str| text.chars().any(char::is_alphabetic);
    words(text) && words(&without_marks(&Protected::of(text, coding).text))
}

/// A text without marks: for guessing at languages, for counting.
pub fn without_marks(text: &str) -> String {
    MARK.as_ref().map_or_else(|| text.to_owned(), |mark| mark.replace_all(text, "").into_owned())
}

impl Protected {
    /// Puts marks into a segment's source.
    pub fn of(source: &str, coding: Coding) -> Self {
        let mut protected = Self {
            source: source.to_owned(),
            text: String::new(),
            tokens: Vec::new(),
            coding,
            balance: balance_of(source, coding),
        };
        let mut at = 0;
        for found in PATTERN.iter().flat_map(|pattern| pattern.captures_iter(source)) {
            let Some((raw, kind)) = kind_of(&found, coding) else { continue };
            let start = found.get(0).map_or(at, |whole| whole.start());
            protected.plain(&source[at..start]);
            protected.mark(raw, kind);
            at = start + raw.len();
        }
        protected.plain(&source[at..]);
        protected.pair();
        protected
    }

    /// What the model sees.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn plain(&mut self, text: &str) {
        if self.coding == Coding::Markup {
            self.text.push_str(&text.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&"));
        } else {
            self.text.push_str(text);
        }
    }

    fn mark(&mut self, raw: &str, kind: Kind) {
        let mark = format!("<x{}/>", self.tokens.len() + 1);
        self.text.push_str(&mark);
        self.tokens.push(Token { mark, raw: raw.to_owned(), kind });
    }

    /// Tags that open and close each other get a pair of marks.
    fn pair(&mut self) {
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.tokens.len() {
            let token = &self.tokens[at];
            let Some((name, closes)) = single_tag(token) else { continue };
            if !closes {
                open.push(at);
            } else if let Some(place) = open
                .iter()
                .rposition(|&o| single_tag(&self.tokens[o]).is_some_and(|(other, _)| other == name))
            {
                let opened = open[place];
                open.truncate(place);
                self.rename(opened, format!("<g{}>", opened + 1));
                self.rename(at, format!("</g{}>", opened + 1));
            }
        }
    }

    fn rename(&mut self, at: usize, mark: String) {
        self.text = self.text.replacen(&self.tokens[at].mark, &mark, 1);
        self.tokens[at].mark = mark;
    }

    /// The kinds of which an answer has lost, doubled or mixed up something.
    pub fn lost(&self, answer: &str) -> Vec<Kind> {
        let found = self.found(answer);
        let mut kinds = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            if found.iter().filter(|&&other| other == at).count() != 1 && !kinds.contains(&token.kind) {
                kinds.push(token.kind);
            }
        }
        if kinds.is_empty() && balance_of(&self.put_back(answer), self.coding) != self.balance {
            kinds.push(Kind::Tag);
        }
        kinds
    }

    /// The places of the marks in an answer.
    fn found(&self, answer: &str) -> Vec<usize> {
        let marks = MARK.iter().flat_map(|mark| mark.captures_iter(answer));
        marks.filter_map(|found| self.place(&found)).collect()
    }

    fn place(&self, found: &Captures<'_>) -> Option<usize> {
        let mark = match (&found[1], &found[2]) {
            ("", "g") => format!("<g{}>", &found[3]),
            (_, "g") => format!("</g{}>", &found[3]),
            _ => format!("<x{}/>", &found[3]),
        };
        self.tokens.iter().position(|token| token.mark == mark)
    }

    /// An answer with everything put back, also what it has lost.
    pub fn restore(&self, answer: &str) -> String {
        if answer == self.text {
            return self.source.clone(); // to the byte, however its author escaped it
        }
        if self.lost(answer).is_empty() {
            return self.put_back(answer);
        }
        let leading = self.leading();
        let raw = |tokens: &[Token]| tokens.iter().map(|token| token.raw.as_str()).collect::<String>();
        let text = self.escaped(without_marks(answer).trim());
        format!("{}{text}{}", raw(&self.tokens[..leading]), raw(&self.tokens[leading..]))
    }

    /// How many tokens stand before the first word.
    fn leading(&self) -> usize {
        let mut rest = self.text.as_str();
        self.tokens
            .iter()
            .take_while(|token| rest.strip_prefix(&token.mark).map(|left| rest = left).is_some())
            .count()
    }

    /// An answer, or a piece of one, with its known marks replaced; unknown ones vanish.
    pub fn put_back(&self, answer: &str) -> String {
        let mut whole = String::new();
        let mut at = 0;
        for found in MARK.iter().flat_map(|mark| mark.captures_iter(answer)) {
            let Some(mark) = found.get(0) else { continue };
            whole.push_str(&self.escaped(&answer[at..mark.start()]));
            if let Some(place) = self.place(&found) {
                whole.push_str(&self.tokens[place].raw);
            }
            at = mark.end();
        }
        whole + &self.escaped(&answer[at..])
    }

    fn escaped(&self, text: &str) -> String {
        if self.coding == Coding::Markup {
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
        } else {
            text.to_owned()
        }
    }
}

/// What of a match is protected; `None` where it only looks like it.
fn kind_of<'s>(found: &Captures<'s>, coding: Coding) -> Option<(&'s str, Kind)> {
    let group = |name| found.name(name).map(|group| group.as_str());
    if let Some(url) = group("url") {
        return Some((url.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '*', '_']), Kind::Url));
    }
    if let Some(code) = group("block") {
        return Some((code, Kind::Placeholder));
    }
    if let Some(tag) = group("tag") {
        return Some((tag, Kind::Tag));
    }
    if let Some(entity) = group("entity") {
        let plain = ["&amp;", "&quot;", "&#39;"].contains(&entity);
        return (coding == Coding::Markup && !plain).then_some((entity, Kind::Placeholder));
    }
    if let Some(braces) = group("braces") {
        let inner = braces.trim_start_matches(['$', '{']).trim_end_matches('}').trim();
        let message = [", plural", ", select", ", number", ", date"].iter().any(|word| inner.contains(word));
        let name = !inner.contains(char::is_whitespace);
        return (name || message).then_some((braces, Kind::Placeholder));
    }
    group("other").map(|other| (other, Kind::Placeholder))
}

/// The name of a token that is one tag, and whether it closes.
fn single_tag(token: &Token) -> Option<(&str, bool)> {
    let raw = token.raw.as_str();
    if token.kind != Kind::Tag || raw.matches('<').count() != 1 || raw.ends_with("/>") {
        return None;
    }
    let (closes, inner) = match raw.strip_prefix("</") {
        Some(inner) => (true, inner),
        None => (false, raw.strip_prefix('<')?),
    };
    Some((inner.split(|c: char| c.is_whitespace() || c == '>').next()?, closes))
}

#[cfg(test)]
mod tests;
