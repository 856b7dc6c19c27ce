//! The request line as it came, for the one thing of it that hyper hides: it drops a `#fragment` unseen, and what
//! stands before us may have judged another target than the one we then serve.
//!
//! Only the first request of a read is seen: behind a body, or pipelined, nobody but hyper knows where a line begins.
//! There the fragment is dropped, as hyper does, and what goes upstream is our own literal path in any case.

use std::mem;

/// The longest line kept while it is not complete: over `uri_bytes`' default the target is refused anyway.
const LONGEST: usize = 16 << 10;

/// Reads request lines out of a connection's bytes.
#[derive(Default)]
pub(super) struct RequestLine {
    place: Place,
    kept: Vec<u8>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    Within,
    Past,
}

impl RequestLine {
    /// The bytes that come next are the beginning of a head.
    pub fn begin(&mut self) {
        (self.place, self.kept) = (Place::Before, Vec::new());
    }

    /// Takes bytes as they come. Where the line has a `#`: what stands before it.
    pub fn read(&mut self, mut bytes: &[u8]) -> Option<Vec<u8>> {
        if self.place == Place::Before {
            // Empty lines may stand before a request (RFC 9112, 2.2).
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            bytes = &bytes[blank..];
        }
        if self.place == Place::Past || bytes.is_empty() {
            return None;
        }
        let end = memchr::memchr2(b'#', b'\n', bytes);
        let more = &bytes[..end.unwrap_or(bytes.len())];
        if self.kept.len() + more.len() > LONGEST {
            (self.place, self.kept) = (Place::Past, Vec::new());
            return None;
        }
        self.place = if end.is_some() { Place::Past } else { Place::Within };
        match end.map(|at| bytes[at]) {
            Some(b'#') => {
                self.kept.extend_from_slice(more);
                Some(mem::take(&mut self.kept))
            }
            Some(_) => {
                self.kept = Vec::new();
                None
            }
            None => {
                self.kept.extend_from_slice(more);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str], expected: Option<&str>) {
        let mut line = RequestLine::default();
        let found: Vec<_> = pieces.iter().filter_map(|piece| line.read(piece.as_bytes())).collect();
        let expected: Vec<_> = expected.iter().map(|text| text.as_bytes().to_vec()).collect();
        assert_eq!(found, expected, "{pieces:?}");
    }

    #[test]
    fn a_fragment_is_seen_however_the_line_comes() {
        check(&["GET /a#b HTTP/1.1\r\nX: #\r\n"], Some("GET /a"));
        check(&["\r\n\r\nGET", " /", "a", "#b HTTP/1.1\r\n"], Some("GET /a"));
        check(&["\r", "\n", "GET /a?b=", "c#d#e HTTP/1.1\r\n"], Some("GET /a?b=c"));
    }

    #[test]
    fn what_is_behind_the_line_is_not_looked_at() {
        check(&["GET /a HTTP/1.1\r\nX: #\r\n"], None);
        check(&["GET /a HTTP/1.1\r\n", "X: #\r\n"], None);
        check(&["x", &"y".repeat(LONGEST), "#"], None);
    }
}
