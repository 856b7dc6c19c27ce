//! Clients that take nothing, or next to nothing: flow control as a weapon, and how much one connection may have.

use std::time::Duration;

use demo::ollama::Model;
use tokio::time::{sleep, timeout};

use super::frames::*;
use super::siege::Siege;
use crate::support::{CHAT, PATIENCE, TestGateway, chat, ollama, ollama_with};

/// Waits until nobody holds a slot or runs at Ollama, whatever connections there are.
async fn slots_are_free(siege: &Siege) {
    let free = async {
        loop {
            let load = siege.gateway.gateway.shared.queue.load();
            if load.busy == 0 && load.queued == 0 && siege.ollama.running() == 0 {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), free).await.unwrap_or_else(|_| {
        panic!("still {:?} {:?}", siege.gateway.gateway.shared.queue.load(), siege.ollama.stats())
    });
}

#[tokio::test]
async fn what_is_announced_is_kept() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let limits = &gateway.gateway.shared.config.limits;
    let mut peer = Peer::connect(&gateway, &[]).await;
    let announced = peer.until(SETTINGS, 0).await;
    let value = |id: u16| {
        let pairs = announced.payload.chunks(6);
        pairs
            .filter(|pair| pair[..2] == id.to_be_bytes())
            .map(|pair| u32::from_be_bytes(pair[2..].try_into().unwrap()))
            .last()
    };
    assert_eq!(value(MAX_CONCURRENT_STREAMS), Some(limits.h2_streams));
    assert_eq!(value(MAX_HEADER_LIST_SIZE), Some(limits.header_bytes as u32));
    assert!(value(INITIAL_WINDOW_SIZE).unwrap_or(65_535) <= 1 << 20);
    assert!(value(HEADER_TABLE_SIZE).unwrap_or(4096) <= 4096);
    assert!(value(MAX_FRAME_SIZE).unwrap_or(16_384) <= 16_384);
    assert_ne!(value(ENABLE_PUSH), Some(1), "a server never announces it");

    // One stream more than announced, all of them waiting for their bodies.
    let head = block(&fields_of_post("/api/chat", &gateway.token()));
    for n in 0..=limits.h2_streams {
        peer.send(frame(HEADERS, END_HEADERS, 2 * n + 1, &head)).await.unwrap();
    }
    let refused = peer.until(RST_STREAM, 2 * limits.h2_streams + 1).await;
    assert_eq!(refused.number(0), 7, "REFUSED_STREAM");

    // A head that is longer than announced, in pieces that are each short enough.
    let mut peer = Peer::connect(&gateway, &[]).await;
    let long = [head.clone(), literal("x-long", "l".repeat(15_000)), literal("x-longer", "l".repeat(20_000))]
        .concat();
    let pieces: Vec<_> = long.chunks(16_000).collect();
    peer.send(frame(HEADERS, END_STREAM, 1, pieces[0])).await.unwrap();
    for (at, piece) in pieces.iter().enumerate().skip(1) {
        let last = if at + 1 == pieces.len() { END_HEADERS } else { 0 };
        peer.send(frame(CONTINUATION, last, 1, piece)).await.unwrap();
    }
    assert_eq!(peer.until(HEADERS, 1).await.status(), 431);

    // And one of too many fields.
    let many = [head, block(&vec![("x", "y"); limits.headers + 1])].concat();
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, &many)).await.unwrap();
    assert_eq!(peer.until(HEADERS, 3).await.status(), 431);
}

#[tokio::test]
async fn a_closed_window_keeps_neither_slot_nor_upstream() {
    let siege = Siege::of(ollama_with(Model::chat(CHAT).endless().speed(1_000_000.0, 2000.0)).await).await;
    let token = siege.token();
    let mut peer = Peer::connect(&siege.gateway, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    for n in 0..4 {
        peer.send(post(2 * n + 1, "/api/chat", &token, &chat(true).to_string())).await.unwrap();
    }
    peer.until(HEADERS, 1).await;
    slots_are_free(&siege).await; // though the connection is still there
    assert!(siege.ollama.most_at_once(CHAT) <= 2);
    assert_eq!(siege.connections(), 1);
}

#[tokio::test]
async fn a_window_that_opens_by_bytes_counts_as_closed() {
    let siege = Siege::of(ollama_with(Model::chat(CHAT).endless().speed(1_000_000.0, 2000.0)).await).await;
    let token = siege.token();
    let mut peer = Peer::connect(&siege.gateway, &[(INITIAL_WINDOW_SIZE, 1)]).await;
    peer.send(post(1, "/api/chat", &token, &chat(true).to_string())).await.unwrap();
    peer.until(HEADERS, 1).await;
    let trickle = async {
        loop {
            peer.send(window(1, 1)).await.unwrap();
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = trickle => {}
        () = slots_are_free(&siege) => {}
    }
}

#[tokio::test]
async fn others_are_served_beside_many_closed_windows() {
    let siege = Siege::start().await;
    let token = siege.token();
    let attack = async {
        let mut peers = Vec::new();
        for _ in 0..5 {
            let mut peer = Peer::connect(&siege.gateway, &[(INITIAL_WINDOW_SIZE, 0)]).await;
            for n in 0..20 {
                peer.send(post(2 * n + 1, "/api/chat", &token, &chat(true).to_string())).await.unwrap();
            }
            peers.push(peer);
        }
        sleep(Duration::from_secs(2)).await;
    };
    siege.under(attack).await;
}

#[tokio::test]
async fn answers_that_nobody_takes_do_not_keep_a_connection_for_ever() {
    let ollama = ollama_with(Model::chat(CHAT).endless().speed(1_000_000.0, 2000.0)).await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.limits.idle_seconds = Duration::from_millis(600);
        config.limits.write_stall_seconds = Duration::from_millis(400);
    });
    let gateway = builder.start().await;
    let token = gateway.token();
    let wrong = post(1, "/api/chat", "wrong", "");
    let stream = post(1, "/api/chat", &token, &chat(true).to_string());
    let check = async |case: &str, request: Vec<u8>| {
        let mut peer = Peer::connect(&gateway, &[(INITIAL_WINDOW_SIZE, 0)]).await;
        peer.send(request).await.unwrap();
        peer.until(HEADERS, 1).await;
        let ended = async { while peer.next().await.is_some() {} };
        timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{case} holds its connection"));
    };
    tokio::join!(check("a refusal", wrong), check("a stream", stream));
}

#[tokio::test]
async fn a_connection_that_never_asks_has_the_time_of_a_head() {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.limits.header_seconds = Duration::from_millis(300);
    });
    let gateway = builder.start().await;
    let head = block(&fields_of_post("/api/chat", &gateway.token()));
    let check = async |case: &str, bytes: Vec<u8>| {
        let mut peer = Peer::connect(&gateway, &[]).await;
        peer.send(bytes).await.unwrap();
        let ended = async { while peer.next().await.is_some() {} };
        timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{case} holds its connection"));
    };
    tokio::join!(
        check("silence", Vec::new()),
        check("PING", frame(PING, 0, 0, &[0; 8])),
        check("half a head", frame(HEADERS, 0, 1, &head)),
    );
}
