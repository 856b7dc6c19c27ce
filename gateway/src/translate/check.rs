//! Whether a model's answer will do as a translation. Pure; what is doubtful passes, since a false alarm costs a second
//! inference.

use serde::Serialize;

use super::languages::{Language, detect};
use super::prompt::Term;
use super::protect::{Kind, Protected, without_marks};

/// What is wrong with a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It is still in the language of the source.
    Language,
    /// Tags were lost, or no longer nest.
    Tags,
    /// Placeholders were lost.
    Placeholders,
    /// A number of the source is missing.
    Numbers,
    /// Addresses were lost.
    Urls,
    /// It is far too short or too long.
    Length,
    /// A term of the glossary is missing.
    Glossary,
}

impl Mark {
    /// The fault, as the model is told.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Language => "it was not in the language asked for",
            Self::Tags | Self::Placeholders | Self::Urls => {
                "marks such as <g1> and <x2/> were missing or misplaced"
            }
            Self::Numbers => "numbers were missing",
            Self::Length => "it was far too short or too long",
            Self::Glossary => "a given term was not translated as given",
        }
    }
}

/// A script without blanks says in one character what others say in about this many.
const DENSE: usize = 3;
/// Below so many letters a guess at the language is none.
const LETTERS: usize = 25;
/// Texts up to this length may grow and shrink as they like.
const SHORT: usize = 24;
/// How many times longer, or shorter, a translation may be: German is a third longer than English, Chinese half as
/// long counted in [`DENSE`] characters.
const LONGER: usize = 4;

/// What a translation is held to.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The segment with its marks.
    pub protected: &'a Protected,
    /// The language of the text, if it is known.
    pub source: Option<&'static Language>,
    /// The language wanted.
    pub target: &'static Language,
    /// The terms that occur in it.
    pub glossary: &'a [&'a Term],
}

impl Expected<'_> {
    /// Everything that is wrong with an answer.
    pub fn faults(&self, answer: &str) -> Vec<Mark> {
        let lost = self.protected.lost(answer);
        let (before, after) = (without_marks(self.protected.text()), without_marks(answer));
        let found = [
            (Mark::Language, self.is_untranslated(&before, &after)),
            (Mark::Tags, lost.contains(&Kind::Tag)),
            (Mark::Placeholders, lost.contains(&Kind::Placeholder)),
            (Mark::Numbers, !keeps_numbers(&before, &after)),
            (Mark::Urls, lost.contains(&Kind::Url)),
            (Mark::Length, !is_as_long(&before, &after)),
            (Mark::Glossary, self.lacks_term(&after)),
        ];
        found.into_iter().filter(|(_, wrong)| *wrong).map(|(mark, _)| mark).collect()
    }

    fn is_untranslated(&self, before: &str, after: &str) -> bool {
        let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).map(weight).sum::<usize>();
        if letters(after) < LETTERS {
            return false;
        }
        let source =
            self.source.or_else(|| detect(before).filter(|found| found.reliable).map(|found| found.language));
        // Neighbours (Danish and Norwegian) are told apart badly; the language one came from is not mistaken for the
        // other's.
        let (Some(source), Some(found)) = (source, detect(after)) else { return false };
        let base = |language: &Language| language.code.split('-').next().unwrap_or_default().to_owned();
        base(source) != base(self.target) && found.reliable && base(found.language) == base(source)
    }

    fn lacks_term(&self, after: &str) -> bool {
        let after = after.to_lowercase();
        self.glossary.iter().any(|term| !after.contains(&term.target.to_lowercase()))
    }
}

/// The terms of a glossary that occur in a text.
pub fn terms_in<'g>(glossary: &'g [Term], text: &str) -> Vec<&'g Term> {
    let text = text.to_lowercase();
    glossary.iter().filter(|term| text.contains(&term.source.to_lowercase())).collect()
}

fn weight(c: char) -> usize {
    // Kana, ideographs, Hangul.
    if matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}') {
        DENSE
    } else {
        1
    }
}

fn is_as_long(before: &str, after: &str) -> bool {
    let length = |text: &str| text.trim().chars().map(weight).sum::<usize>();
    let (before, after) = (length(before), length(after));
    let grown = after > SHORT.max(before) * LONGER;
    let shrunk = before > SHORT && after * LONGER < before;
    (before == 0 || after > 0) && !grown && !shrunk
}

/// Is every number of the source in the translation? Digits count, not how they are grouped or in which script; what is
/// there besides may have its reasons (May becomes 5月).
fn keeps_numbers(before: &str, after: &str) -> bool {
    let mut left = numbers(after);
    numbers(before).into_iter().all(|number| {
        let place = left.iter().position(|other| *other == number);
        place.map(|at| left.swap_remove(at)).is_some()
    })
}

fn numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut digits = String::new();
    let mut separator = false;
    for c in text.chars().chain([' ']) {
        match digit(c) {
            Some(digit) => {
                digits.push(digit);
                separator = false;
            }
            // One of these between two digits groups them, or marks the fraction.
            None if !digits.is_empty() && !separator && ".,'’\u{a0}\u{202f}٫٬".contains(c) => {
                separator = true
            }
            None => {
                if !digits.is_empty() {
                    found.push(std::mem::take(&mut digits));
                }
                separator = false;
            }
        }
    }
    found
}

/// A decimal digit of ASCII, full width, Arabic, Persian, Devanagari or Bengali.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 6] = [0x30, 0xff10, 0x660, 0x6f0, 0x966, 0x9e6];
    let zero = ZEROS.iter().find(|&&zero| (zero..zero + 10).contains(&u32::from(c)))?;
    char::from_digit(u32::from(c) - zero, 10)
}

#[cfg(test)]
mod tests {
    use super::super::languages::find;
    use super::super::segments::Coding;
    use super::*;

    fn check(source: &str, answer: &str, expected: &[Mark]) {
        let protected = Protected::of(source, Coding::Plain);
        let term = Term { source: "node".to_owned(), target: "Knoten".to_owned() };
        let glossary = terms_in(std::slice::from_ref(&term), source);
        let target = find("de").unwrap();
        let expects = Expected { protected: &protected, source: find("en"), target, glossary: &glossary };
        assert_eq!(expects.faults(answer), expected, "{answer}");
    }

    #[test]
    fn a_good_translation_passes() {
        check("Hello {name}, 1,234.50 euros", "Hallo <x1/>, 1.234,50 Euro", &[]);
        check("The node is down.", "Der Knoten ist ausgefallen.", &[]);
        check("OK", "In Ordnung", &[]);
    }

    #[test]
    fn each_fault_is_found() {
        let english = "The weather is beautiful today and we are going to the seaside.";
        check(english, english, &[Mark::Language]);
        check("See {a} at https://example.com now", "Sehen", &[Mark::Placeholders, Mark::Urls]);
        check("<b>Bold</b>", "Fett", &[Mark::Tags]);
        check("In 2024 and 12 weeks", "In 2024 und zwölf Wochen", &[Mark::Numbers]);
        check("The node", "Der Rechner", &[Mark::Glossary]);
        check("Short", "", &[Mark::Length]);
        check("Short", &"lang ".repeat(30), &[Mark::Length]);
        check("A sentence that is rather long, and says a lot of things.", "Ein Satz.", &[Mark::Length]);
    }

    #[test]
    fn numbers_are_compared_by_their_digits() {
        assert!(keeps_numbers(
            "1,000 and 2.5",
            "２．5 und 1 000".replace('．', ".").replace("1 000", "1\u{a0}000").as_str()
        ));
        assert!(keeps_numbers("5 May", "5月5日"));
        assert!(!keeps_numbers("7, 7", "7"));
        assert!(keeps_numbers("١٢", "12"));
    }
}
