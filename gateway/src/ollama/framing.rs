//! HTTP/1.1 as Ollama answers it: the head, and the three ways a body can be framed. Pure; `client` does the reading.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::client::ClientError;

/// What we use of an answer's head.
pub struct Head {
    /// Its status.
    pub status: StatusCode,
    /// Its `Content-Type`.
    pub content_type: Option<Bytes>,
    /// Its `Retry-After`, where that is a count of seconds.
    pub retry_after: Option<Duration>,
    /// Its `X-Queue-Wait-Ms`.
    pub queue_wait: Option<Duration>,
    /// How its body ends.
    pub framing: Framing,
    /// May the connection serve again?
    pub keep_alive: bool,
}

impl Head {
    /// Parses a head from the start of `bytes`; `None` while it is incomplete. Returns its length too.
    ///
    /// # Errors
    /// What no HTTP/1 server would send.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ClientError> {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut answer = httparse::Response::new(&mut fields);
        let length = match answer.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(ClientError::Protocol("the head cannot be read")),
        };
        let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or(ClientError::Protocol("the status is out of range"))?;
        let field = |name: &str| {
            answer.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
        };
        let framing = if status.is_informational() || status == StatusCode::NO_CONTENT {
            Framing::done()
        } else if let Some(coding) = field("transfer-encoding") {
            if !coding.eq_ignore_ascii_case(b"chunked") {
                return Err(ClientError::Protocol("the transfer coding is not one of ours"));
            }
            Framing { way: Way::Chunked(Chunk::Size { value: 0, digits: 0 }), excess: false }
        } else if let Some(value) = field("content-length") {
            Framing::of_length(number(value).ok_or(ClientError::Protocol("the length cannot be read"))?)
        } else {
            Framing::until_close()
        };
        let close = field("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        let keep_alive = answer.version == Some(1) && !close;
        let content_type = field("content-type").map(Bytes::copy_from_slice);
        let retry_after = field("retry-after").and_then(number).map(Duration::from_secs);
        let queue_wait = field("x-queue-wait-ms").and_then(number).map(Duration::from_millis);
        let head = Self { status, content_type, retry_after, queue_wait, framing, keep_alive };
        Ok(Some((head, length)))
    }
}

/// Digits and nothing else.
fn number(value: &[u8]) -> Option<u64> {
    let plain = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| plain).and_then(|text| text.parse().ok())
}

/// How far a body has been read.
pub struct Framing {
    way: Way,
    excess: bool,
}

enum Way {
    /// So many bytes to come.
    Length {
        left: u64,
        whole: u64,
    },
    Chunked(Chunk),
    /// Until the connection closes.
    Close,
    Done,
}

/// Where in the chunked coding the next byte stands (RFC 9112, 7.1).
enum Chunk {
    Size {
        value: u64,
        digits: u8,
    },
    /// The rest of a size line: an extension, CR, LF.
    SizeLine(u64),
    Data(u64),
    /// CR and LF behind a chunk; how many of the two are to come.
    DataEnd(u8),
    /// Trailer lines; bytes of the present line.
    Trailer(u32),
}

impl Framing {
    /// A body that is over.
    pub fn done() -> Self {
        Self { way: Way::Done, excess: false }
    }

    /// A body that ends where its stream does.
    pub fn until_close() -> Self {
        Self { way: Way::Close, excess: false }
    }

    /// A body of so many bytes.
    pub fn of_length(length: u64) -> Self {
        let way = if length == 0 { Way::Done } else { Way::Length { left: length, whole: length } };
        Self { way, excess: false }
    }

    /// The whole length, where the head told it.
    pub fn length(&self) -> Option<u64> {
        match self.way {
            Way::Length { whole, .. } => Some(whole),
            Way::Done => Some(0),
            _ => None,
        }
    }

    /// Has the proper end been read?
    pub fn is_done(&self) -> bool {
        matches!(self.way, Way::Done)
    }

    /// Is the end of the connection the proper end?
    pub fn ends_with_close(&self) -> bool {
        matches!(self.way, Way::Close)
    }

    /// Did bytes come behind the end? Such a connection is not used again.
    pub fn had_excess(&self) -> bool {
        self.excess
    }

    /// Takes bytes off the wire and shows the payload in them to `sink`.
    ///
    /// # Errors
    /// A sentence, where the coding is broken.
    pub fn decode(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            let (used, next) = match &mut self.way {
                Way::Done => {
                    self.excess = true;
                    return Ok(());
                }
                Way::Close => {
                    sink(bytes);
                    return Ok(());
                }
                Way::Length { left, .. } => {
                    let used = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    sink(&bytes[..used]);
                    *left -= used as u64;
                    (used, (*left == 0).then_some(Way::Done))
                }
                Way::Chunked(chunk) => {
                    let (used, next) = chunk.step(bytes, sink)?;
                    (used, next)
                }
            };
            if let Some(next) = next {
                self.way = next;
            }
            bytes = &bytes[used..];
        }
        Ok(())
    }
}

impl Chunk {
    /// One step: how many bytes it took, and the next state where that changes.
    fn step(
        &mut self,
        bytes: &[u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(usize, Option<Way>), &'static str> {
        let byte = bytes[0];
        let next = match self {
            Self::Size { value, digits } => match (byte as char).to_digit(16) {
                Some(_) if *digits == 15 => return Err("a chunk size is too long"),
                Some(digit) => Self::Size { value: *value << 4 | u64::from(digit), digits: *digits + 1 },
                None if *digits == 0 => return Err("a chunk size has no digit"),
                None if byte == b'\n' => Self::behind_size(*value),
                None => Self::SizeLine(*value),
            },
            Self::SizeLine(value) if byte == b'\n' => Self::behind_size(*value),
            Self::SizeLine(_) => return Ok((1, None)),
            Self::Data(left) => {
                let used = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                sink(&bytes[..used]);
                *left -= used as u64;
                let next = (*left == 0).then_some(Way::Chunked(Self::DataEnd(2)));
                return Ok((used, next));
            }
            Self::DataEnd(2) if byte == b'\r' => Self::DataEnd(1),
            Self::DataEnd(1) if byte == b'\n' => Self::Size { value: 0, digits: 0 },
            Self::DataEnd(_) => return Err("a chunk does not end where it said"),
            Self::Trailer(0) if byte == b'\n' => return Ok((1, Some(Way::Done))),
            Self::Trailer(_) if byte == b'\n' => Self::Trailer(0),
            Self::Trailer(_) if byte == b'\r' => return Ok((1, None)),
            Self::Trailer(n) if *n > 8192 => return Err("a trailer line is too long"),
            Self::Trailer(n) => Self::Trailer(*n + 1),
        };
        Ok((1, Some(Way::Chunked(next))))
    }

    fn behind_size(size: u64) -> Self {
        if size == 0 { Self::Trailer(0) } else { Self::Data(size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(head: &str, pieces: &[&[u8]]) -> (Vec<u8>, Framing, Result<(), &'static str>) {
        let (head, _) = Head::parse(head.as_bytes()).ok().flatten().unwrap();
        let mut framing = head.framing;
        let mut out = Vec::new();
        let mut result = Ok(());
        for piece in pieces {
            result = result.and_then(|()| framing.decode(piece, &mut |bytes| out.extend_from_slice(bytes)));
        }
        (out, framing, result)
    }

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn a_chunked_body_is_the_same_however_it_is_cut() {
        let wire = b"5\r\nhello\r\n7;x=1\r\n, world\r\n0\r\nT: v\r\n\r\n";
        for cut in 0..=wire.len() {
            let (out, framing, result) = decode(CHUNKED, &[&wire[..cut], &wire[cut..]]);
            assert_eq!((out.as_slice(), result), (b"hello, world".as_slice(), Ok(())), "cut at {cut}");
            assert!(framing.is_done() && !framing.had_excess());
        }
    }

    #[test]
    fn broken_chunks_are_errors_and_never_payload() {
        for wire in [&b"x\r\n"[..], b"\r\n", b"3\r\nabcd\r\n", b"1111111111111111\r\n"] {
            assert!(decode(CHUNKED, &[wire]).2.is_err(), "{wire:?}");
        }
    }

    #[test]
    fn a_length_is_kept_and_excess_is_seen() {
        let (out, framing, _) = decode("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", &[b"ab", b"cdef"]);
        assert_eq!(out, b"abc");
        assert!(framing.is_done() && framing.had_excess());
    }

    #[test]
    fn a_cut_body_is_not_done() {
        assert!(!decode(CHUNKED, &[b"5\r\nhel"]).1.is_done());
        assert!(!decode(CHUNKED, &[b"5\r\nhello\r\n0\r\n"]).1.is_done());
    }

    #[test]
    fn a_head_says_whether_the_connection_may_serve_again() {
        let keep = |head: &str| Head::parse(head.as_bytes()).ok().flatten().unwrap().0.keep_alive;
        assert!(keep(CHUNKED));
        assert!(!keep("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"));
        assert!(!keep("HTTP/1.0 200 OK\r\n\r\n"));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nConte").ok().unwrap().is_none());
        assert!(Head::parse(b"SSH-2.0-x\r\n\r\n").is_err());
    }

    #[test]
    fn a_body_framed_in_no_way_of_ours_is_an_error() {
        for field in ["Transfer-Encoding: gzip, chunked", "Content-Length: +3", "Content-Length: 3, 3"] {
            assert!(
                Head::parse(format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n").as_bytes()).is_err(),
                "{field}"
            );
        }
    }
}
