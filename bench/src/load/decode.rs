//! The body of an HTTP/1.1 answer, by length or in chunks.

use std::io;

use memchr::memchr;

/// How far a body has been read.
pub enum Body {
    /// So many bytes to come.
    Length(usize),
    /// So many bytes of the present chunk to come, its line end included; 0: a size line is next.
    Chunked(usize),
    /// Over.
    Done,
}

impl Body {
    /// Shows the payload at the start of `bytes` to `sink`; returns how many bytes were used.
    ///
    /// # Errors
    /// Broken chunks.
    pub fn decode(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            match self {
                Self::Done => return Ok(at),
                Self::Length(left) => {
                    let n = rest.len().min(*left);
                    sink(&rest[..n]);
                    *left -= n;
                    at += n;
                    if *left == 0 {
                        *self = Self::Done;
                    } else {
                        return Ok(at);
                    }
                }
                Self::Chunked(0) => {
                    let Some(end) = memchr(b'\n', rest) else { return Ok(at) };
                    let size = size(&rest[..end])?;
                    if size == 0 {
                        // No trailers here: an empty line follows.
                        if rest.len() < end + 3 {
                            return Ok(at);
                        }
                        at += end + 3;
                        *self = Self::Done;
                    } else {
                        at += end + 1;
                        *self = Self::Chunked(size + 2);
                    }
                }
                Self::Chunked(left) => {
                    let n = rest.len().min(*left);
                    sink(&rest[..n.min(left.saturating_sub(2))]);
                    *left -= n;
                    at += n;
                    if n == 0 {
                        return Ok(at);
                    }
                }
            }
        }
    }
}

fn size(line: &[u8]) -> io::Result<usize> {
    let text = std::str::from_utf8(line.trim_ascii()).map_err(io::Error::other)?;
    let digits = text.split(';').next().unwrap_or_default();
    usize::from_str_radix(digits, 16).map_err(|_| io::Error::other(format!("a chunk of `{text}` bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read_however_they_are_cut() {
        let wire = b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nnext";
        for step in 1..wire.len() {
            let (mut body, mut held, mut payload, mut fed) = (Body::Chunked(0), Vec::new(), Vec::new(), 0);
            while !matches!(body, Body::Done) {
                let more = (fed + step).min(wire.len());
                held.extend_from_slice(&wire[fed..more]);
                fed = more;
                let used = body.decode(&held, |bytes| payload.extend_from_slice(bytes)).unwrap();
                held.drain(..used);
            }
            assert_eq!(payload, b"abc0123456789", "in steps of {step}");
        }
    }

    #[test]
    fn a_length_ends_where_it_says() {
        let mut body = Body::Length(3);
        let mut payload = Vec::new();
        assert_eq!(body.decode(b"abcd", |bytes| payload.extend_from_slice(bytes)).unwrap(), 3);
        assert!(matches!(body, Body::Done) && payload == b"abc");
    }
}
