//! Files to translate: which there are, where their texts stand, and how the same file is written with other texts.
//!
//! Nothing of a file is written anew but its texts: everything else is copied byte for byte.

pub mod html;
pub mod markdown;
mod subtitles;
mod po;
mod json;
mod docx;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::segments::Coding;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text.
    Text,
    /// Markdown.
    Markdown,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// HTML.
    Html,
    /// Word.
    Docx,
    /// A gettext catalogue.
    Po,
    /// JSON: its texts, not its keys.
    Json,
}

/// Every format, by the endings of its files.
pub const ENDINGS: &[(&str, Format)] = &[
    (".txt", Format::Text),
    (".md", Format::Markdown),
    (".srt", Format::Srt),
    (".vtt", Format::Vtt),
    (".html", Format::Html),
    (".htm", Format::Html),
    (".docx", Format::Docx),
    (".po", Format::Po),
    (".json", Format::Json),
];

/// Why a file cannot be translated. The text is for people.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FormatError {
    /// Its ending is not one of ours.
    #[error("files of this kind are not translated; send one of {}", endings())]
    Unknown,
    /// It is no text.
    #[error("the file is not text in UTF-8; save it as UTF-8 and send it again")]
    NotText,
    /// It is not what its ending says.
    #[error("the file cannot be read as {0}; is it damaged?")]
    Damaged(&'static str),
    /// Unpacked it would be larger than we take, in bytes.
    #[error("the file is larger than {0} bytes when it is unpacked")]
    TooLarge(u64),
}

fn endings() -> String {
    ENDINGS.iter().map(|(ending, _)| *ending).collect::<Vec<_>>().join(", ")
}

impl Format {
    /// The format of a file of this name.
    ///
    /// # Errors
    /// [`FormatError::Unknown`].
    pub fn of_name(name: &str) -> Result<Self, FormatError> {
        let name = name.to_ascii_lowercase();
        let found = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending));
        found.map(|(_, format)| *format).ok_or(FormatError::Unknown)
    }

    /// `Content-Type` of such a file.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text | Self::Srt | Self::Po => "text/plain; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Vtt => "text/vtt; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Json => "application/json",
        }
    }
}

/// A text in a file, as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The text.
    pub text: String,
    /// How it is written.
    pub coding: Coding,
}

/// How a text is written into its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// The inside of a JSON string.
    Json,
    /// The lines of a gettext string, with their quotation marks.
    Po,
}

/// A text of a file, and the place where its translation goes.
#[derive(Debug)]
struct Place {
    unit: Unit,
    range: Range<usize>,
    escape: Escape,
}

/// A file, read.
#[derive(Debug)]
pub struct Document {
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    Text { text: String, places: Vec<Place> },
    Packed(docx::Package),
}

impl Document {
    /// Reads a file; unpacked it may have `most` bytes.
    ///
    /// # Errors
    /// As [`FormatError`].
    pub fn read(format: Format, bytes: &[u8], most: u64) -> Result<Self, FormatError> {
        if format == Format::Docx {
            return Ok(Self { inside: Inside::Packed(docx::Package::read(bytes, most)?) });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| FormatError::NotText)?.to_owned();
        let places = match format {
            Format::Srt | Format::Vtt => subtitles::places(&text),
            Format::Po => po::places(&text)?,
            Format::Json => json::places(&text)?,
            Format::Html => whole(&text, Coding::Markup),
            Format::Markdown => whole(&text, Coding::Markdown),
            Format::Text | Format::Docx => whole(&text, Coding::Plain),
        };
        Ok(Self { inside: Inside::Text { text, places } })
    }

    /// Its texts, in order.
    pub fn units(&self) -> Vec<&Unit> {
        match &self.inside {
            Inside::Text { places, .. } => places.iter().map(|place| &place.unit).collect(),
            Inside::Packed(package) => package.units(),
        }
    }

    /// The same file with these texts, one for each unit.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] where it cannot be packed again.
    pub fn write(&self, texts: &[String]) -> Result<Vec<u8>, FormatError> {
        match &self.inside {
            Inside::Text { text, places } => Ok(rewrite(text, places, texts).into_bytes()),
            Inside::Packed(package) => package.write(texts),
        }
    }
}

fn whole(text: &str, coding: Coding) -> Vec<Place> {
    let unit = Unit { text: text.to_owned(), coding };
    vec![Place { unit, range: 0..text.len(), escape: Escape::None }]
}

/// A text with its places filled anew; a place whose text has not changed stays as it was written.
fn rewrite(text: &str, places: &[Place], texts: &[String]) -> String {
    let mut written = String::with_capacity(text.len());
    let mut at = 0;
    for (place, new) in places.iter().zip(texts) {
        written.push_str(&text[at..place.range.start]);
        at = place.range.end;
        match place.escape {
            Escape::Po => written.push_str(&po::quoted(new)),
            _ if *new == place.unit.text => written.push_str(&text[place.range.clone()]),
            Escape::Json => written.push_str(&json::escaped(new)),
            Escape::None => written.push_str(new),
        }
    }
    written + &text[at..]
}
