//! What the model is told: the files in `gateway/prompts`, filled in. A change of them is a new version.

use serde_json::{Value, json};

use super::check::Mark;
use super::languages::Language;

/// Which prompts these are.
pub const VERSION: &str = "translate-1";

const SYSTEM: &str = include_str!("../../prompts/translate-1-system.txt");
const USER: &str = include_str!("../../prompts/translate-1-user.txt");
const AGAIN: &str = include_str!("../../prompts/translate-1-again.txt");

/// Characters of neighbouring text shown on each side: a sentence or two.
const CONTEXT: usize = 240;

/// How the reader is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As the text has it.
    #[default]
    Neutral,
    /// Politely.
    Formal,
    /// As a friend.
    Informal,
}

/// A term and its fixed translation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Term {
    /// As it stands in the text.
    pub source: String,
    /// As it must stand in the translation.
    pub target: String,
}

/// What one attempt at one segment is about.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// The language of the text, if it is known.
    pub source: Option<&'static Language>,
    /// The language wanted.
    pub target: &'static Language,
    /// How the reader is addressed.
    pub tone: Tone,
    /// The terms that occur in it.
    pub glossary: &'a [&'a Term],
    /// What stands before and behind it.
    pub context: (&'a str, &'a str),
    /// What is to be translated, with marks.
    pub text: &'a str,
    /// What was wrong with the first attempt.
    pub faults: &'a [Mark],
}

impl Brief<'_> {
    /// The messages of a chat.
    pub fn messages(&self) -> Value {
        json!([
            { "role": "system", "content": self.system() },
            { "role": "user", "content": self.user() },
        ])
    }

    fn system(&self) -> String {
        let tone = match self.tone {
            Tone::Neutral => "",
            Tone::Formal => "- Use the formal register; address the reader politely.\n",
            Tone::Informal => "- Use an informal register; address the reader as a friend.\n",
        };
        let mut glossary = String::new();
        for term in self.glossary {
            glossary.push_str(&format!(
                "- Translate \"{}\" as \"{}\".\n",
                one_line(&term.source),
                one_line(&term.target)
            ));
        }
        if !self.faults.is_empty() {
            let faults: Vec<_> = self.faults.iter().map(|fault| fault.in_words()).collect();
            glossary.push_str(&AGAIN.replace("{{faults}}", &faults.join("; ")));
        }
        // The caller's words last, so that nothing in them is taken for a place to fill in.
        SYSTEM
            .replace(
                "{{source}}",
                self.source.map_or("the language it is written in", |language| language.name),
            )
            .replace("{{target}}", self.target.name)
            .replace("{{tone}}", tone)
            .replace("{{glossary}}", &glossary)
    }

    fn user(&self) -> String {
        let (before, after) = (last(self.context.0), first(self.context.1));
        let mut context = String::new();
        if !before.is_empty() {
            context.push_str(&format!("Context, what stands before: {before}\n\n"));
        }
        if !after.is_empty() {
            context.push_str(&format!("Context, what follows: {after}\n\n"));
        }
        let (start, end) = USER.split_once("{{text}}").unwrap_or((USER, ""));
        start.replace("{{context}}", &context) + self.text + end
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn last(text: &str) -> String {
    let characters = text.chars().count();
    one_line(&text.chars().skip(characters.saturating_sub(CONTEXT)).collect::<String>())
}

fn first(text: &str) -> String {
    one_line(&text.chars().take(CONTEXT).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::languages::find;
    use super::*;

    #[test]
    fn a_brief_is_filled_in_whole_and_words_of_the_caller_fill_in_nothing() {
        let term = Term { source: "{{text}}".to_owned(), target: "Ende\nzwei".to_owned() };
        let brief = Brief {
            source: find("en"),
            target: find("de").unwrap(),
            tone: Tone::Formal,
            glossary: &[&term],
            context: ("Before {{text}}", ""),
            text: "{{context}} <x1/>",
            faults: &[Mark::Numbers],
        };
        let (system, user) = (brief.system(), brief.user());
        assert!(system.contains("from English into German") && system.contains("politely"), "{system}");
        assert!(system.contains("\"{{text}}\" as \"Ende zwei\"") && system.contains("numbers"), "{system}");
        assert!(
            !system.contains("{{glossary}}")
                && !system.contains("{{tone}}")
                && !system.contains("{{faults}}")
        );
        assert!(user.ends_with("<text>\n{{context}} <x1/>\n</text>\n"), "{user}");
    }
}
