//! What one answer brought: whole or not, how many tokens, and how old each was when it came.

use memchr::{memchr, memmem};

use crate::clock::nanos;
use crate::fake::STAMP_FROM_END;

/// Reads one answer's payload as it comes.
pub struct Tally {
    /// Look at each token's age? In bursts nobody asks, and looking costs.
    timed: bool,
    rest: Vec<u8>,
    /// Tokens so far.
    pub tokens: u64,
    /// When the first came.
    pub first: Option<u64>,
    /// Ages of the tokens since the last look, in nanoseconds.
    pub ages: Vec<u64>,
    complete: bool,
}

impl Tally {
    /// For one answer.
    pub fn new(timed: bool) -> Self {
        Self { timed, rest: Vec::new(), tokens: 0, first: None, ages: Vec::new(), complete: false }
    }

    /// Takes what one read brought.
    pub fn take(&mut self, payload: &[u8]) {
        let now = if self.timed || self.first.is_none() { nanos() } else { 0 };
        let mut bytes = payload;
        while let Some(end) = memchr(b'\n', bytes) {
            if self.rest.is_empty() {
                self.line(&bytes[..end], now);
            } else {
                self.rest.extend_from_slice(&bytes[..end]);
                let line = std::mem::take(&mut self.rest);
                self.line(&line, now);
            }
            bytes = &bytes[end + 1..];
        }
        self.rest.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8], now: u64) {
        if !line.ends_with(b"\"done\":false}") {
            self.complete |= memmem::find(line, b"\"done\":true").is_some();
            return;
        }
        self.tokens += 1;
        self.first.get_or_insert(now);
        if self.timed {
            let at = line.len().saturating_sub(STAMP_FROM_END);
            let born = std::str::from_utf8(&line[at..(at + 16).min(line.len())])
                .ok()
                .and_then(|text| text.parse().ok());
            self.ages.extend(born.map(|born: u64| now.saturating_sub(born)));
        }
    }

    /// The body has ended: was it whole?
    pub fn is_whole(&mut self) -> bool {
        let last = std::mem::take(&mut self.rest);
        self.line(&last, 0);
        self.complete
    }
}
