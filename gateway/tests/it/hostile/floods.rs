//! Frames by the thousand, each of them cheap for the sender: HTTP/2's denials of service by name.

use std::time::Duration;

use tokio::time::sleep;

use super::frames::*;
use super::siege::{Siege, resident};
use crate::support::chat;

/// The longest that an attack goes on.
const LONG: Duration = Duration::from_secs(1);
/// No attack on one connection may cost more memory. Other tests of this process count too.
const MEMORY: usize = 150 << 20;

/// The odd stream numbers.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| 2 * n + 1)
}

/// A whole attack on a connection of its own, beside honest clients.
async fn flood(siege: &Siege, chunks: impl Iterator<Item = Vec<u8>>) -> Told {
    let before = resident();
    let attack = async { Peer::connect(&siege.gateway, &[]).await.assault(LONG, chunks).await };
    let told = siege.under(attack).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < MEMORY, "{} MiB more than before: {told:?}", grown >> 20);
    told
}

/// What Ollama was asked for somebody but the honest client.
fn asked(siege: &Siege, token_path: &str) -> usize {
    siege.ollama.inferences().iter().filter(|seen| seen.target == token_path).count()
}

#[tokio::test]
async fn rapid_reset_in_bursts_ends_the_connection() {
    let siege = Siege::start().await;
    let token = siege.token();
    let body = chat(true).to_string();
    let pairs = streams(5000).collect::<Vec<_>>();
    let bursts = pairs.chunks(50).map(|burst| {
        burst
            .iter()
            .flat_map(|n| [post(*n, "/v1/chat/completions", &token, &body), reset(*n)].concat())
            .collect()
    });
    let told = flood(&siege, bursts).await;
    assert_eq!((told.goaway, told.closed), (Some(ENHANCE_YOUR_CALM), true), "{told:?}");
    assert!(asked(&siege, "/v1/chat/completions") < 100, "next to nothing of it reaches Ollama");
}

#[tokio::test]
async fn rapid_reset_at_leisure_takes_no_slot_from_others() {
    // Slow enough for each to be taken in, and for some to reach Ollama.
    let siege = Siege::start().await;
    let token = siege.token();
    let body = chat(true).to_string();
    let attack = async {
        let mut peer = Peer::connect(&siege.gateway, &[]).await;
        for n in streams(300) {
            peer.send(post(n, "/v1/chat/completions", &token, &body)).await.unwrap();
            sleep(Duration::from_millis(2)).await;
            peer.send(reset(n)).await.unwrap();
        }
    };
    siege.under(attack).await;
    assert!(asked(&siege, "/v1/chat/completions") > 0);
}

#[tokio::test]
async fn made_you_reset_ends_the_connection() {
    // Each makes the gateway reset a stream that it is working on (CVE-2025-8671).
    type Fault = fn(u32) -> Vec<u8>;
    let faults: [(&str, Fault); 4] = [
        ("a window update of nothing", |n| window(n, 0)),
        ("a window update that overflows", |n| window(n, (1 << 31) - 1)),
        ("DATA behind the end", |n| frame(DATA, 0, n, b"more")),
        ("HEADERS behind the end", |n| frame(HEADERS, END_HEADERS | END_STREAM, n, &block(&[("a", "b")]))),
    ];
    let siege = Siege::start().await;
    siege.ollama.hold_tokens_after(1); // the answers must be under way when the fault comes
    for (case, fault) in faults {
        let token = siege.token();
        let body = chat(true).to_string();
        let pairs =
            streams(4000).map(|n| [post(n, "/v1/chat/completions", &token, &body), fault(n)].concat());
        let mut peer = Peer::connect(&siege.gateway, &[]).await;
        peer.send(window(0, 1 << 20)).await.unwrap();
        // A thousand requests, each of which asks the store for its tokens.
        let told = peer.assault(5 * LONG, pairs).await;
        assert!(told.goaway.is_some() && told.closed, "{case}: {told:?}");
        assert!(told.resets <= 1100, "{case}: {told:?}");
    }
    siege.ollama.release_tokens();
    siege.others_are_served().await;
    siege.nothing_is_left().await;
}

#[tokio::test]
async fn an_endless_head_ends_the_connection() {
    let siege = Siege::start().await;
    let mut good = block(&fields_of_post("/api/chat", &siege.token()));
    good.extend(literal("x", "y"));
    let rest = literal("x-more", "z".repeat(16_000));
    let large =
        [frame(HEADERS, 0, 1, &good)].into_iter().chain((0..4000).map(|_| frame(CONTINUATION, 0, 1, &rest)));
    let empty = [frame(HEADERS, 0, 1, &good)]
        .into_iter()
        .chain((0..20_000).map(|_| frame(CONTINUATION, 0, 1, &[]).repeat(10)));
    let tiny = [frame(HEADERS, 0, 1, &good)]
        .into_iter()
        .chain((0..20_000).map(|_| frame(CONTINUATION, 0, 1, &literal("a", "b"))));
    let check = async |case: &str, attack: &mut dyn Iterator<Item = Vec<u8>>| {
        let told = flood(&siege, attack).await;
        assert!(told.goaway.is_some() && told.closed, "{case} pieces: {told:?}");
        assert_eq!(told.answers, 0, "{case} pieces: {told:?}");
    };
    check("large", &mut { large }).await;
    check("empty", &mut { empty }).await;
    check("tiny", &mut { tiny }).await;
}

#[tokio::test]
async fn a_head_that_expands_is_refused_unexpanded() {
    let siege = Siege::start().await;
    let good = block(&fields_of_post("/api/chat", &siege.token()));
    let seed = remembered("x-bomb", &"b".repeat(4000)); // fills the dynamic table
    let bomb = [good, seed, vec![0x80 | 62; 12_000]].concat(); // 12000 times 4 KB, in 12 KB
    let attack = streams(200).map(|n| frame(HEADERS, END_HEADERS | END_STREAM, n, &bomb));
    let told = flood(&siege, attack).await;
    assert!(told.answers > 0 || told.goaway.is_some(), "{told:?}");
    assert!(told.data < 1 << 20, "{told:?}");
    assert_eq!(siege.ollama.inferences().iter().filter(|seen| seen.raw.len() > 4000).count(), 0);
}

#[tokio::test]
async fn numbers_without_end_and_absurd_ones_end_the_connection() {
    let siege = Siege::start().await;
    for (case, bytes) in [
        ("an index without end", vec![0xff; 8000]),
        ("a huge index", integer(usize::MAX >> 2, 7, 0x80)),
        ("an index of nothing", vec![0x80]),
        ("an index behind the table", integer(4000, 7, 0x80)),
        ("a huge length", [vec![0], integer(usize::MAX >> 2, 7, 0)].concat()),
        ("a table beyond what was agreed", integer(1 << 30, 5, 0x20)),
        ("a string that is cut", vec![0, 5, b'a']),
        ("Huffman padding that is none", vec![0, 0x81, 0, 1, b'x']),
    ] {
        let told = flood(&siege, [frame(HEADERS, END_HEADERS, 1, &bytes)].into_iter()).await;
        assert!(told.goaway.is_some() && told.closed, "{case}: {told:?}");
    }
}

#[tokio::test]
async fn frames_that_want_an_answer_do_not_pile_up() {
    let siege = Siege::start().await;
    let ping = frame(PING, 0, 0, &[7; 8]);
    let values = settings(&[(INITIAL_WINDOW_SIZE, 1000), (MAX_FRAME_SIZE, 20_000)]);
    let unknown = frame(0xbe, 0, 0, &[1; 100]);
    for (case, one) in [("PING", ping), ("SETTINGS", values), ("unknown", unknown)] {
        let told = flood(&siege, (0..1000).map(|_| one.repeat(100))).await;
        assert!(!told.closed || told.goaway.is_some(), "{case}: {told:?}");
        // The same from somebody who reads none of the answers: the gateway stops reading them.
        let before = resident();
        let deaf = async {
            Peer::connect(&siege.gateway, &[])
                .await
                .deaf_assault(LONG, (0..5000).map(|_| one.repeat(500)))
                .await
        };
        siege.under(deaf).await;
        assert!(resident().saturating_sub(before) < MEMORY, "{case}");
    }
}

#[tokio::test]
async fn empty_and_tiny_frames_cost_nobody_else_anything() {
    let siege = Siege::start().await;
    let open = frame(HEADERS, END_HEADERS, 1, &block(&fields_of_post("/api/chat", &siege.token())));
    let begun =
        |rest: Vec<u8>, times: usize| std::iter::once(open.clone()).chain(std::iter::repeat_n(rest, times));
    let told = flood(&siege, begun(frame(DATA, 0, 1, &[]).repeat(50), 500)).await;
    assert_eq!((told.goaway, told.closed), (Some(ENHANCE_YOUR_CALM), true), "empty DATA: {told:?}");
    let padded = frame(DATA, PADDED, 1, &[&[200][..], &[0; 200]].concat());
    let told = flood(&siege, begun(padded.repeat(50), 500)).await;
    assert!(told.goaway.is_some() && told.closed, "DATA of padding only: {told:?}");
    flood(&siege, begun(frame(DATA, 0, 1, b" ").repeat(50), 500)).await;
    flood(&siege, begun(frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]).repeat(50), 500)).await;
    flood(&siege, begun(window(0, 1).repeat(50), 500)).await;
    flood(&siege, streams(20_000).map(|n| frame(PRIORITY, 0, n + 2, &[0, 0, 0, 0, 1]))).await;
    let told = flood(&siege, streams(4000).map(|n| frame(HEADERS, END_HEADERS | END_STREAM, n, &[]))).await;
    assert!(told.goaway.is_some() && told.closed, "empty HEADERS: {told:?}");
}
