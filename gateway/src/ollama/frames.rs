//! What the bytes of a streamed answer mean: which frames pass, whether the answer is whole, what it cost.
//!
//! The relay pushes what each read brought and writes what comes out. Frames pass byte for byte; dropped are only
//! those that would harm a client or that it did not ask for. A clean end of the connection says nothing: Ollama
//! closes properly also when its engine has died, so an answer is whole only once its terminal marker was seen.

mod classify;
mod facts;
#[cfg(test)]
mod tests;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

pub use self::facts::{Seen, facts_of_whole};
use super::dialect::{Api, Family};

/// Longest frame taken, in bytes. A `generate` ends with its whole context, some 6 bytes a token; 262144 tokens of
/// it are 1.6 MB.
const LONGEST_FRAME: usize = 4 << 20;

/// Why a stream cannot be followed further. The text is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame is longer than anything Ollama sends.
    #[error("the model server sent a part of an answer that is too long")]
    TooLong,
    /// A line is no JSON object.
    #[error("the model server sent something that is not part of an answer")]
    NotAFrame,
}

/// Follows one streamed answer.
#[derive(Debug)]
pub struct Frames {
    api: Api,
    hide_usage: bool,
    /// An incomplete frame, kept until its end comes. Without memory while there is none.
    held: BytesMut,
    /// So many bytes of `held` were searched for an end in vain.
    searched: usize,
    seen: Seen,
    complete: bool,
    broken: bool,
    error: Option<String>,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Drop,
}

impl Frames {
    /// A stream of `api` that has not begun. `hide_usage`: drop the chunk with the token counts.
    pub fn new(api: Api, hide_usage: bool) -> Self {
        Self {
            api,
            hide_usage,
            held: BytesMut::new(),
            searched: 0,
            seen: Seen::default(),
            complete: false,
            broken: false,
            error: None,
        }
    }

    /// Takes what one read brought and appends to `out` every whole frame that is to be passed on (an NDJSON line or
    /// an SSE event, byte for byte). An incomplete rest is kept.
    ///
    /// # Errors
    /// What came cannot be an answer; nothing more is to be pushed. Frames before it are in `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), FrameError> {
        if self.held.is_empty() {
            // The common case: a read brings whole frames, and nothing is copied but from it to `out`.
            let rest = self.take_frames(bytes, 0, out)?;
            return self.hold(&bytes[rest..]);
        }
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let rest = self.take_frames(&held, self.searched, out)?;
        self.held = held;
        self.held.advance(rest);
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
        self.bound()
    }

    /// The upstream has ended properly. A last NDJSON line counts without its newline: Ollama answers a load so.
    pub fn finish(&mut self, out: &mut BytesMut) {
        let last = std::mem::take(&mut self.held);
        let whole = self.api.family() == Family::Native
            && serde_json::from_slice::<serde::de::IgnoredAny>(&last).is_ok();
        if whole && self.judge(&last) == Verdict::Pass {
            out.extend_from_slice(&last);
        }
    }

    /// No incomplete frame is held: keep-alive bytes may be sent to the client now.
    pub fn at_boundary(&self) -> bool {
        self.held.is_empty()
    }

    /// What has been seen so far, for the accounts.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The terminal marker of this API was seen, and no error.
    pub fn is_complete(&self) -> bool {
        self.complete && !self.broken && self.error.is_none()
    }

    /// The error that the upstream put into its stream, in plain words. Its frame was not passed on, nor what came
    /// behind it: the relay writes an error of ours.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Judges every whole frame in `bytes`, of which the first `searched` hold no end; the length of what was taken.
    fn take_frames(
        &mut self,
        bytes: &[u8],
        searched: usize,
        out: &mut BytesMut,
    ) -> Result<usize, FrameError> {
        // Neighbouring frames that pass are copied together: one copy per read, not per token.
        let (mut passing, mut at, mut searched) = (0, 0, searched);
        loop {
            let blank = blanks(&bytes[at..]);
            if blank > 0 {
                // Blank lines break NDJSON readers, and between events they mean nothing. Neither do the blanks of
                // another gateway's keep-alive: the relay sends its own.
                out.extend_from_slice(&bytes[passing..at]);
                at += blank;
                passing = at;
            }
            let Some(end) = self.end_of_frame(&bytes[at..], searched.saturating_sub(at)) else { break };
            searched = 0;
            let frame = &bytes[at..at + end];
            if self.api.family() == Family::Native && frame[0] != b'{' {
                out.extend_from_slice(&bytes[passing..at]);
                return Err(FrameError::NotAFrame);
            }
            if self.judge(frame) == Verdict::Drop {
                out.extend_from_slice(&bytes[passing..at]);
                passing = at + end;
            }
            at += end;
        }
        out.extend_from_slice(&bytes[passing..at]);
        self.searched = bytes.len() - at;
        Ok(at)
    }

    /// The length of the frame at the start of `bytes`, terminator included.
    fn end_of_frame(&self, bytes: &[u8], searched: usize) -> Option<usize> {
        let native = self.api.family() == Family::Native;
        // Of an event's empty line the first half may have been searched already.
        let mut from = searched.min(bytes.len()).saturating_sub(1);
        loop {
            let line_end = from + memchr(b'\n', &bytes[from..])? + 1;
            if native {
                return Some(line_end);
            }
            if bytes.get(line_end) == Some(&b'\n') {
                return Some(line_end + 1);
            }
            from = line_end;
        }
    }

    fn hold(&mut self, rest: &[u8]) -> Result<(), FrameError> {
        self.held.extend_from_slice(rest);
        self.bound()
    }

    fn bound(&self) -> Result<(), FrameError> {
        if self.held.len() > LONGEST_FRAME { Err(FrameError::TooLong) } else { Ok(()) }
    }
}

/// How many blanks and line ends stand at the start.
fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().position(|b| !matches!(b, b' ' | b'\n' | b'\r')).unwrap_or(bytes.len())
}

/// What may be sent to a client at a frame boundary while nothing else is: bytes that every official client skips.
/// Only a comment can carry `words`, one line of them: the other families' clients parse what is no space or ping.
pub fn keepalive(api: Api, words: Option<&str>) -> Bytes {
    match (api.family(), words) {
        (Family::Native, _) => Bytes::from_static(b" "),
        (Family::OpenAi, None) => Bytes::from_static(b": keep-alive\n\n"),
        (Family::OpenAi, Some(words)) => Bytes::from(format!(": {words}\n\n")),
        (Family::Anthropic, _) => Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
    }
}
