//! HTTP/2 by hand: frames and header blocks that no client library would send.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::{PATIENCE, TestGateway};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

pub const HEADER_TABLE_SIZE: u16 = 1;
pub const ENABLE_PUSH: u16 = 2;
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
pub const INITIAL_WINDOW_SIZE: u16 = 4;
pub const MAX_FRAME_SIZE: u16 = 5;
pub const MAX_HEADER_LIST_SIZE: u16 = 6;

pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// `SETTINGS` with these values.
pub fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = values
        .iter()
        .flat_map(|(id, value)| id.to_be_bytes().into_iter().chain(value.to_be_bytes()))
        .collect();
    frame(SETTINGS, 0, 0, &payload)
}

/// `RST_STREAM` with `CANCEL`.
pub fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

/// `WINDOW_UPDATE`.
pub fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

/// An HPACK integer (RFC 7541, 5.1) with these high bits in its first byte.
pub fn integer(mut value: usize, prefix: u32, high: u8) -> Vec<u8> {
    let most = (1 << prefix) - 1;
    if value < most {
        return vec![high | u8::try_from(value).unwrap()];
    }
    let mut bytes = vec![high | u8::try_from(most).unwrap()];
    value -= most;
    while value >= 128 {
        bytes.push(u8::try_from(value % 128).unwrap() | 128);
        value /= 128;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let mut coded = integer(bytes.len(), 7, 0);
    coded.extend_from_slice(bytes);
    coded
}

/// A field, neither indexed nor compressed.
pub fn literal(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![0], text(name.as_ref()), text(value.as_ref())].concat()
}

/// A field that also goes into the dynamic table.
pub fn remembered(name: &str, value: &str) -> Vec<u8> {
    [vec![0x40], text(name.as_bytes()), text(value.as_bytes())].concat()
}

/// A header block of literals.
pub fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// The fields of a good `POST`.
pub fn fields_of_post(path: &str, token: &str) -> Vec<(String, String)> {
    let bearer = format!("Bearer {token}");
    [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
        ("authorization", &bearer),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// A good `POST` of `body`, whole.
pub fn post(stream: u32, path: &str, token: &str, body: &str) -> Vec<u8> {
    let head = block(&fields_of_post(path, token));
    [frame(HEADERS, END_HEADERS, stream, &head), frame(DATA, END_STREAM, stream, body.as_bytes())].concat()
}

/// What came from the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The 32 bits at this place.
    pub fn number(&self, at: usize) -> u32 {
        self.payload.get(at..at + 4).map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()))
    }

    /// The status in a header block, where the peer has no dynamic table.
    pub fn status(&self) -> u16 {
        let start = self.payload.iter().position(|byte| byte & 0xe0 != 0x20).expect("a field");
        match self.payload[start..] {
            [byte @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(byte - 0x88)],
            [0x08 | 0x18 | 0x48, length, ref rest @ ..] if length < 0x80 => {
                std::str::from_utf8(&rest[..usize::from(length)]).unwrap().parse().unwrap()
            }
            [0x08 | 0x18 | 0x48, length, ref rest @ ..] => digits(&rest[..usize::from(length & 0x7f)]),
            ref other => panic!("no status in {other:?}"),
        }
    }
}

/// A number of three digits in HPACK's Huffman code: 0 to 2 have five bits, the others six.
fn digits(coded: &[u8]) -> u16 {
    let bits: Vec<u16> =
        coded.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1))).collect();
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let take = |n: usize| bits[at..at + n].iter().fold(0, |value, bit| value << 1 | bit);
        let (digit, used) = if take(5) < 3 { (take(5), 5) } else { (take(6) - 0b01_1001 + 3, 6) };
        (number, at) = (number * 10 + digit, at + used);
    }
    number
}

/// An HTTP/2 connection that says what a test wants.
pub struct Peer {
    stream: TlsStream<TcpStream>,
}

impl Peer {
    /// Connects, with the preface and these settings; announces that it has no dynamic table.
    pub async fn connect(gateway: &TestGateway, values: &[(u16, u32)]) -> Self {
        let mut peer = Self { stream: gateway.tls(&[b"h2"]).await };
        let values = [values, &[(HEADER_TABLE_SIZE, 0)]].concat();
        peer.send([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), settings(&values)].concat()).await.unwrap();
        peer
    }

    /// Sends these bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// The next frame; `None` at the end of the connection, whatever that looks like.
    pub async fn next(&mut self) -> Option<Frame> {
        read(&mut self.stream).await
    }

    /// The next frame of this kind on this stream. Panics where the connection ends before.
    pub async fn until(&mut self, kind: u8, stream: u32) -> Frame {
        let found = async {
            loop {
                let frame = self.next().await.expect("a frame before the end");
                let answers = matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK != 0;
                if (frame.kind, frame.stream) == (kind, stream) && !answers {
                    return frame;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the frame in time")
    }

    /// Sends what `chunks` gives, piece by piece, and reads nothing, until all is sent, the connection ends or the
    /// time is over; then goes. How many chunks were taken.
    pub async fn deaf_assault(mut self, time: Duration, chunks: impl Iterator<Item = Vec<u8>>) -> usize {
        let mut taken = 0;
        let writing = async {
            for chunk in chunks {
                if self.send(chunk).await.is_err() {
                    break;
                }
                taken += 1;
                tokio::task::yield_now().await;
            }
        };
        let _ = tokio::time::timeout(time, writing).await;
        taken
    }

    /// Sends what `chunks` gives, piece by piece, and reads meanwhile, until the chunks or the connection end or the
    /// time is over; then reads on for a moment and goes.
    pub async fn assault(self, time: Duration, chunks: impl Iterator<Item = Vec<u8>>) -> Told {
        let (mut from, mut to) = tokio::io::split(self.stream);
        let mut told = Told::default();
        let writing = async {
            for chunk in chunks {
                if to.write_all(&chunk).await.is_err() || to.flush().await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            // What the gateway says at the end stands in the socket also where it takes no more.
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        let reading = async {
            while let Some(frame) = read(&mut from).await {
                told.hear(&frame);
            }
            told.closed = true;
        };
        let both = async {
            tokio::select! {
                () = reading => {}
                () = writing => {}
            }
        };
        let _ = tokio::time::timeout(time, both).await;
        told
    }
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some(Frame { kind: head[3], flags: head[4], stream, payload })
}

/// What the gateway said during an attack.
#[derive(Debug, Default)]
pub struct Told {
    /// The code of the last `GOAWAY`.
    pub goaway: Option<u32>,
    /// Streams that it reset.
    pub resets: usize,
    /// Streams that it answered.
    pub answers: usize,
    /// Bytes of `DATA`.
    pub data: usize,
    /// `PING` acknowledged.
    pub pongs: usize,
    /// It ended the connection.
    pub closed: bool,
}

impl Told {
    fn hear(&mut self, frame: &Frame) {
        match frame.kind {
            GOAWAY => self.goaway = Some(frame.number(4)),
            RST_STREAM => self.resets += 1,
            HEADERS => self.answers += 1,
            DATA => self.data += frame.payload.len(),
            PING if frame.flags & ACK != 0 => self.pongs += 1,
            _ => {}
        }
    }
}
