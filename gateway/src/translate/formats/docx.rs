//! Word documents: the text of each paragraph. Everything between two pieces of its text (the ends and beginnings of
//! runs, tabs, breaks) is one mark in it, so that fonts, links and pictures stay where they were.

use std::io::{Cursor, Read, Write};

use quick_xml::Reader;
use quick_xml::events::Event;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::super::segments::Coding;
use super::{Escape, FormatError, Place, Unit, rewrite};

const DAMAGED: FormatError = FormatError::Damaged("a Word document");

/// A document, unpacked as far as it holds text.
#[derive(Debug)]
pub(super) struct Package {
    packed: Vec<u8>,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: String,
    text: String,
    places: Vec<Place>,
}

impl Package {
    /// Unpacks what holds text, at most `most` bytes of it.
    pub(super) fn read(bytes: &[u8], most: u64) -> Result<Self, FormatError> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| DAMAGED)?;
        let names = archive.file_names().filter_map(Result::ok).map(|name| name.into_owned());
        let names: Vec<String> = names.filter(|name| holds_text(name)).collect();
        let mut left = most;
        let mut parts = Vec::new();
        for name in names {
            let file = archive.by_name(&name).map_err(|_| DAMAGED)?;
            let mut text = String::new();
            // Not by its claimed size: what is read is counted, so that no bomb goes off.
            file.take(left + 1).read_to_string(&mut text).map_err(|_| DAMAGED)?;
            left = left.checked_sub(text.len() as u64).ok_or(FormatError::TooLarge(most))?;
            let places = places(&text)?;
            parts.push(Part { name, text, places });
        }
        if !parts.iter().any(|part| part.name == "word/document.xml") {
            return Err(DAMAGED);
        }
        Ok(Self { packed: bytes.to_vec(), parts })
    }

    pub(super) fn units(&self) -> Vec<&Unit> {
        self.parts.iter().flat_map(|part| &part.places).map(|place| &place.unit).collect()
    }

    /// The same package with other texts; what holds none is copied without being unpacked.
    pub(super) fn write(&self, texts: &[String]) -> Result<Vec<u8>, FormatError> {
        let mut archive = ZipArchive::new(Cursor::new(&self.packed)).map_err(|_| DAMAGED)?;
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for at in 0..archive.len() {
            let file = archive.by_index_raw(at).map_err(|_| DAMAGED)?;
            let name = file.name().map_err(|_| DAMAGED)?.into_owned();
            let mut before = 0;
            let part = self.parts.iter().find(|part| {
                let found = part.name == name;
                before += if found { 0 } else { part.places.len() };
                found
            });
            match part {
                Some(part) => {
                    let own = &texts[before.min(texts.len())..];
                    let text = rewrite(&part.text, &part.places, own);
                    writer.start_file(&part.name, SimpleFileOptions::default()).map_err(|_| DAMAGED)?;
                    writer.write_all(text.as_bytes()).map_err(|_| DAMAGED)?;
                }
                None => writer.raw_copy_file(file).map_err(|_| DAMAGED)?,
            }
        }
        writer.finish().map(Cursor::into_inner).map_err(|_| DAMAGED)
    }
}

/// The body, and what else is read: headers, footers, notes, comments.
fn holds_text(name: &str) -> bool {
    let Some(name) = name.strip_prefix("word/").and_then(|name| name.strip_suffix(".xml")) else {
        return false;
    };
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    ["document", "header", "footer", "footnotes", "endnotes", "comments"].contains(&name)
}

/// From the first piece of text of each paragraph to its last.
fn places(text: &str) -> Result<Vec<Place>, FormatError> {
    let mut reader = Reader::from_str(text);
    let mut places = Vec::new();
    let (mut start, mut end, mut within) = (None, 0, false);
    loop {
        let from = position(&reader);
        let event = reader.read_event().map_err(|_| DAMAGED)?;
        let to = position(&reader);
        let closes = match event {
            Event::Start(tag) if tag.name().as_ref() == "w:t" => {
                within = true;
                start.get_or_insert(to);
                end = end.max(to);
                false
            }
            Event::End(tag) if tag.name().as_ref() == "w:t" => {
                (within, end) = (false, from);
                false
            }
            Event::Start(tag) => tag.name().as_ref() == "w:p",
            Event::End(tag) => tag.name().as_ref() == "w:p",
            // Text of other elements (the code of a field, what was deleted) is nobody's to translate.
            Event::Text(words) => !within && !words.trim().is_empty(),
            Event::Eof => true,
            _ => false,
        };
        if closes && let Some(begun) = start.take() {
            let unit = Unit { text: text.get(begun..end).ok_or(DAMAGED)?.to_owned(), coding: Coding::Markup };
            places.push(Place { unit, range: begun..end, escape: Escape::None });
        }
        if to >= text.len() && start.is_none() {
            return Ok(places);
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}
