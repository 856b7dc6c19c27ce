//! What the fake says, made once: pages, and tokens whose only change is the time of their birth.

use std::sync::LazyLock;

use super::Scene;
use crate::clock::nanos;

/// Where in a token's line the 16 digits of its birth stand, from the line's end (its newline not counted).
pub const STAMP_FROM_END: usize = 16 + b"\"},\"done\":false}".len();

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\
    Date: Sat, 21 Nov 2026 10:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n";
const COUNTS: &str = "\"done_reason\":\"stop\",\"done\":true,\"total_duration\":2511000000,\"load_duration\":91000000,\
    \"prompt_eval_count\":26,\"prompt_eval_duration\":52000000,\"eval_count\":100,\"eval_duration\":2368000000}";

/// The head of a stream.
pub static HEAD: LazyLock<Vec<u8>> = LazyLock::new(|| STREAM_HEAD.into());
/// One token as one chunk.
pub static TOKEN: LazyLock<Vec<u8>> = LazyLock::new(|| chunk(&line("0000000000000000", "\"done\":false}")));
/// The last line and the end of the body.
pub static LAST: LazyLock<Vec<u8>> = LazyLock::new(|| [&chunk(&line("", COUNTS))[..], b"0\r\n\r\n"].concat());
/// A whole answer.
pub static WHOLE: LazyLock<Vec<u8>> =
    LazyLock::new(|| page(line("Bonjour tout le monde.", COUNTS).trim_end()));
/// `/api/ps` and `/api/tags`: every scene is a model, and in memory.
pub static MODELS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let entry = |scene: Scene| {
        let name = scene.model();
        format!(
            "{{\"name\":\"{name}\",\"model\":\"{name}\",\"size\":7547589116,\"digest\":\"15cb39fd9394\",\
             \"details\":{{\"family\":\"gemma3n\",\"parameter_size\":\"6.9B\",\"quantization_level\":\"Q4_K_M\"}},\
             \"capabilities\":[\"completion\"],\"expires_at\":\"2318-11-21T10:00:00Z\",\"size_vram\":7547589116}}"
        )
    };
    page(&format!("{{\"models\":[{}]}}", Scene::ALL.map(entry).join(",")))
});
/// `/api/version`.
pub static VERSION: LazyLock<Vec<u8>> = LazyLock::new(|| page("{\"version\":\"0.33.0\"}"));
/// What loads a model is told: it is there.
pub static LOADED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    page(
        "{\"model\":\"bench\",\"created_at\":\"2026-11-21T10:00:00Z\",\"response\":\"\",\"done\":true,\"done_reason\":\"load\"}",
    )
});

/// Writes the present time into a copy of [`TOKEN`].
pub fn stamp(token: &mut [u8]) {
    let line_end = token.len() - b"\n\r\n".len();
    let at = line_end - STAMP_FROM_END;
    let mut rest = nanos();
    for digit in token[at..at + 16].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

fn line(content: &str, end: &str) -> String {
    format!(
        "{{\"model\":\"bench:latest\",\"created_at\":\"2026-11-21T10:00:00.123456789Z\",\
         \"message\":{{\"role\":\"assistant\",\"content\":\"{content}\"}},{end}\n"
    )
}

fn chunk(data: &str) -> Vec<u8> {
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}

fn page(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n\
         Date: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
