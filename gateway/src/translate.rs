//! Translation: a text or a file is cut into segments, each of which is an inference like any other.
//!
//! `languages`, `segments`, `protect` and `formats` know texts; `prompt` and `check` what a model is told and whether its
//! answer will do. `input` reads a request, `job` runs its segments side by side, `serve` is the step of the journey;
//! `events` writes it as a stream, `kept` holds translated files until they are fetched.

pub mod languages;
pub mod formats;
pub mod segments;
pub mod protect;
pub mod prompt;
pub mod check;
pub mod input;
mod reading;
mod job;
mod events;
mod kept;
mod serve;
mod file;
mod download;

pub use self::kept::Kept;

/// What a route of translation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// `POST /translate`: a text, answered whole.
    Text,
    /// `POST /translate/stream`: a text, as it comes.
    Stream,
    /// `POST /translate_file`: a file, to be fetched.
    File,
    /// `GET /download_file/{file}`: the file.
    Download,
    /// `POST /fleet/file`: the same, asked by another gateway of the fleet.
    Handover,
    /// `POST /detect`: which language it is.
    Detect,
    /// `GET /languages`
    Languages,
    /// `GET /frontend/settings`: what a page must know.
    Settings,
}
