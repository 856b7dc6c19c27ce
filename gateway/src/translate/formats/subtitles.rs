//! SubRip and WebVTT: the text under each time, never the times, numbers and notes.

use super::super::segments::Coding;
use super::{Escape, Place, Unit};

/// The text of each cue.
pub(super) fn places(text: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut begun: Option<usize> = None;
    let mut at = 0;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        match begun {
            None if bare.contains("-->") => {
                begun = Some(at + line.len());
                end = at + line.len();
            }
            Some(start) if bare.trim().is_empty() => {
                places.extend(place(text, start, end));
                begun = None;
            }
            Some(_) => end = at + bare.len(),
            None => {}
        }
        at += line.len();
    }
    places.extend(begun.and_then(|start| place(text, start, end)));
    places
}

fn place(text: &str, start: usize, end: usize) -> Option<Place> {
    let cue = text.get(start..end).filter(|cue| !cue.is_empty())?;
    let unit = Unit { text: cue.to_owned(), coding: Coding::Plain };
    Some(Place { unit, range: start..end, escape: Escape::None })
}
