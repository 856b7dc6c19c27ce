//! How long a prompt is, and what stands in it that must not: one walk over the values a model reads.
//!
//! The estimate feeds the queue's order, the caller's token reservation and `Retry-After`; the true count replaces
//! it when the answer ends. So it is cheap, never zero for text, and counts what a lax reader would skip.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::object::same_key;
use crate::ollama::dialect::Prompt;

/// Bytes of ASCII text to a token: the usual rule of thumb for English, not measured here.
const ASCII_BYTES_PER_TOKEN: u64 = 4;

/// Tokens of an image, whatever its bytes: what gemma3 makes of one. Other encoders make more or fewer.
const IMAGE_TOKENS: u64 = 256;

/// Tokens a template adds to a message (role and turn marks), or the engine's work per further input. Assumed.
const MESSAGE_TOKENS: u64 = 4;

/// Tokens of the name of a role, the longest of the usual ones.
const ROLE_TOKENS: u64 = 3;

/// Strings up to this length inside an image part are its type or detail; longer ones are the picture.
const SHORTEST_IMAGE: usize = 64;

/// What the walk found.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    ascii: u64,
    wide: u64,
    images: u64,
    tokens: u64,
    /// An image is given as an http(s) address.
    pub(super) remote_image: bool,
    /// A tool asks the server to search the web.
    pub(super) web_search: bool,
    /// An element of an array is of the wrong type.
    pub(super) misfit: bool,
}

/// Tokens of one message with this text, by the estimate that holds for whole requests.
pub fn tokens_of(text: &str) -> u64 {
    let mut tally = Tally { tokens: MESSAGE_TOKENS + ROLE_TOKENS, ..Tally::default() };
    tally.text(text);
    u64::from(tally.tokens())
}

impl Tally {
    /// The estimate in tokens.
    pub(super) fn tokens(&self) -> u32 {
        let text = self.ascii.div_ceil(ASCII_BYTES_PER_TOKEN) + self.wide;
        let all = text + self.images * IMAGE_TOKENS + self.tokens;
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    /// Adds a value's raw JSON, by what the field is for.
    ///
    /// # Errors
    /// serde's, for what the first look let pass: nesting over 128 levels, numbers no float can hold.
    pub(super) fn add(&mut self, raw: &str, prompt: Prompt) -> Result<(), serde_json::Error> {
        // A flat text needs no second reading: its escapes make the estimate a little high, never low.
        if raw.starts_with('"') && !matches!(prompt, Prompt::Images) {
            self.text(&raw[1..raw.len() - 1]);
            self.tokens += if prompt == Prompt::Inputs { MESSAGE_TOKENS } else { 0 };
            return Ok(());
        }
        let place = match prompt {
            Prompt::No => Place::Ignored,
            Prompt::Text => Place::Text,
            Prompt::Messages => Place::Messages,
            Prompt::Tools => Place::Tools,
            Prompt::Images => Place::Pictures,
            Prompt::Tokens => Place::Numbers,
            Prompt::Inputs => Place::Inputs,
        };
        let mut deserializer = serde_json::Deserializer::from_str(raw);
        Walk { tally: self, place }.deserialize(&mut deserializer)
    }

    fn text(&mut self, text: &str) {
        if text.is_ascii() {
            self.ascii += text.len() as u64;
        } else {
            let wide_bytes = text.bytes().filter(|b| !b.is_ascii()).count();
            let ascii = text.len() - wide_bytes;
            self.ascii += ascii as u64;
            self.wide += (text.chars().count() - ascii) as u64;
        }
    }

    fn string(&mut self, text: &str, place: Place) {
        match place {
            Place::Ignored => {}
            Place::Message | Place::Tool | Place::Numbers => self.misfit = true,
            Place::Image | Place::Picture => {
                let scheme = text.get(..8).unwrap_or(text).to_ascii_lowercase();
                self.remote_image |= scheme.starts_with("http://") || scheme.starts_with("https://");
                self.images += u64::from(text.len() > SHORTEST_IMAGE || scheme.starts_with("data:"));
            }
            Place::ToolType => {
                let kind = text.trim().to_ascii_lowercase();
                self.web_search |= kind.starts_with("web_search") || kind.starts_with("web_fetch");
                self.text(text);
            }
            Place::Inputs => {
                self.text(text);
                self.tokens += MESSAGE_TOKENS;
            }
            _ => self.text(text),
        }
    }
}

/// Where in a request the walk stands. Images are recognised in their places only: a tool's arguments may well
/// hold a field `image_url` that is just text to the model.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// Read for its syntax and depth only.
    Ignored,
    /// All strings, keys too, are text.
    Text,
    /// The list of messages.
    Messages,
    /// One message.
    Message,
    /// A list of base64 pictures.
    Pictures,
    /// One of them, a string.
    Picture,
    /// A message's content: text or parts.
    Content,
    /// One part of a content.
    Part,
    /// A picture, sound or file: a string, a list, or an object around it.
    Image,
    /// A part's `source`: around a picture if it is an object, a citation if it is a text.
    Source,
    /// The list of tools.
    Tools,
    /// One tool.
    Tool,
    /// A tool's type.
    ToolType,
    /// A list of token numbers.
    Numbers,
    /// Texts that are one inference each.
    Inputs,
}

impl Place {
    /// The place of an element of an array here.
    fn element(self) -> Self {
        match self {
            Self::Messages => Self::Message,
            Self::Content => Self::Part,
            Self::Tools => Self::Tool,
            Self::Pictures => Self::Picture,
            other => other,
        }
    }

    /// The place of the value under `key` of an object here. `content`, `output` hold parts, parts hold images.
    fn member(self, key: &str) -> Self {
        let is = |name: &str| same_key(key, name);
        match self {
            Self::Message | Self::Part if is("content") || is("output") => Self::Content,
            Self::Message if is("images") => Self::Image,
            Self::Part if is("image_url") || is("input_audio") || is("file_data") => Self::Image,
            Self::Part if is("source") => Self::Source,
            Self::Source => Self::Image,
            Self::Tool if is("type") => Self::ToolType,
            Self::Ignored | Self::Image => self,
            _ => Self::Text,
        }
    }
}

struct Walk<'t> {
    tally: &'t mut Tally,
    place: Place,
}

impl Walk<'_> {
    /// A number, a flag or `null`: one token, where it may stand.
    fn scalar(self) {
        let misplaced = matches!(self.place, Place::Message | Place::Tool | Place::Picture | Place::Inputs);
        self.tally.misfit |= misplaced;
        self.tally.tokens += u64::from(self.place != Place::Ignored);
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.tally.string(text, self.place);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        {
            self.scalar();
            Ok(())
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        {
            self.scalar();
            Ok(())
        }
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        {
            self.scalar();
            Ok(())
        }
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        {
            self.scalar();
            Ok(())
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        // An array within an array where only objects or strings belong.
        self.tally.misfit |= matches!(self.place, Place::Message | Place::Tool | Place::Picture);
        let place = self.place.element();
        while elements.next_element_seed(Walk { tally: &mut *self.tally, place })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.tally.misfit |= matches!(self.place, Place::Picture | Place::Inputs | Place::Numbers);
        self.tally.tokens += if self.place == Place::Message { MESSAGE_TOKENS } else { 0 };
        while let Some(place) =
            members.next_key_seed(Member { tally: &mut *self.tally, place: self.place })?
        {
            members.next_value_seed(Walk { tally: &mut *self.tally, place })?;
        }
        Ok(())
    }
}

/// Reads a key: where its value stands. Free keys are text to the model, the fixed ones of messages are not.
struct Member<'t> {
    tally: &'t mut Tally,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Place, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Member<'_> {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Place, E> {
        if matches!(self.place, Place::Text | Place::Tool) {
            self.tally.text(key);
        }
        Ok(self.place.member(key))
    }
}
