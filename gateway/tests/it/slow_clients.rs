//! A slow client costs nobody anything: heads, bodies and idle connections have their time, and no more.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use crate::speak::{Answer, next_answer};
use crate::support::{PATIENCE, TestGateway, chat, ollama, request};

const HEADER: Duration = Duration::from_millis(300);
const IDLE: Duration = Duration::from_millis(1200);
const BODY_IDLE: Duration = Duration::from_millis(300);

async fn gateway() -> (demo::ollama::SimulatedOllama, TestGateway) {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.limits.header_seconds = HEADER;
        config.limits.idle_seconds = IDLE;
        config.limits.body_idle_seconds = BODY_IDLE;
        config.limits.body_bytes_per_second = 1000;
    });
    (ollama, builder.start().await)
}

#[tokio::test]
async fn a_head_has_its_time_in_all_however_steadily_it_comes() {
    let (_ollama, gateway) = gateway().await;
    let token = gateway.token();
    let head = format!("GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    for kept_alive in [false, true] {
        let mut raw = gateway.raw().await;
        if kept_alive {
            raw.send(&head).await;
            assert_eq!(next_answer(&mut raw).await.status, 200);
        }
        let began = Instant::now();
        let (mut read, mut write) = tokio::io::split(raw.stream);
        let dribble = async {
            for byte in head.as_bytes() {
                if write.write_all(&[*byte]).await.and(write.flush().await).is_err() {
                    break;
                }
                sleep(HEADER / 20).await; // never silent for long
            }
            std::future::pending::<()>().await
        };
        let mut answer = Vec::new();
        tokio::select! {
            ended = timeout(PATIENCE, read.read_to_end(&mut answer)) => drop(ended.expect("the connection ends")),
            () = dribble => {}
        }
        let took = began.elapsed();
        assert!((HEADER / 2..IDLE).contains(&took), "kept alive {kept_alive}: {took:?}");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_may_stay_for_longer_than_a_head_may_take() {
    let (_ollama, gateway) = gateway().await;
    let mut raw = gateway.raw().await;
    for _ in 0..2 {
        raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(next_answer(&mut raw).await.status, 200);
        sleep(HEADER * 2).await; // the client thinks
    }
    raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(next_answer(&mut raw).await.status, 200);
    let began = Instant::now();
    assert_eq!(raw.rest().await, "");
    let took = began.elapsed();
    assert!((IDLE * 9 / 10..IDLE * 3).contains(&took), "{took:?}");
}

/// Sends the head, then pieces of a body at a time; what is answered, and after how long.
async fn trickle(gateway: &TestGateway, bytes: usize, every: Duration, chunked: bool) -> (Answer, Duration) {
    let framing = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 100000" };
    let head = format!(
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{framing}\r\n\r\n",
        gateway.token()
    );
    let raw = gateway.raw().await;
    let (mut read, mut write) = tokio::io::split(raw.stream);
    let began = Instant::now();
    let sending = async {
        write.write_all(head.as_bytes()).await.unwrap();
        let data = " ".repeat(bytes);
        let piece = if chunked { format!("{bytes:x}\r\n{data}\r\n") } else { data };
        while bytes > 0 && write.write_all(piece.as_bytes()).await.and(write.flush().await).is_ok() {
            sleep(every).await;
        }
        let _ = write.flush().await;
        std::future::pending::<()>().await
    };
    let mut answer = Vec::new();
    tokio::select! {
        ended = timeout(PATIENCE, read.read_to_end(&mut answer)) => drop(ended.expect("an end")),
        () = sending => {}
    }
    (Answer::of_text(&String::from_utf8(answer).unwrap()), began.elapsed())
}

#[tokio::test]
async fn a_body_that_stops_or_trickles_is_408() {
    let (ollama, gateway) = gateway().await;
    for (bytes, every, chunked) in [
        (0, Duration::ZERO, false),
        (0, Duration::ZERO, true),
        (1, Duration::from_millis(20), false), // 50 of the 1000 bytes a second that are wanted
        (1, Duration::from_millis(20), true),
    ] {
        let (answer, took) = trickle(&gateway, bytes, every, chunked).await;
        let case = format!("{bytes} every {every:?}, chunked {chunked}: {answer:?}");
        assert_eq!(answer.status, 408, "{case}");
        assert_eq!(answer.field("connection"), Some("close"), "{case}");
        assert_eq!(answer.field("x-should-retry"), Some("false"), "{case}");
        assert!((BODY_IDLE / 2..BODY_IDLE * 5).contains(&took), "{case}: {took:?}");
    }
    assert!(ollama.inferences().iter().all(|seen| seen.target != "/api/chat"));
    assert_eq!(gateway.gateway.shared.bodies.used(), 0);
}

#[tokio::test]
async fn over_http2_a_stopped_body_is_408_and_its_siblings_go_on() {
    let (ollama, gateway) = gateway().await;
    let mut h2 = gateway.h2().await;
    let request = |path: &str| {
        let request = http::Request::post(gateway.url(path));
        request.header("authorization", format!("Bearer {}", gateway.token())).body(()).unwrap()
    };
    let (answer, mut send) = h2.send_request(request("/api/chat"), false).unwrap();
    send.send_data("{".into(), false).unwrap();
    let (sibling, mut whole) = h2.send_request(request("/api/chat"), false).unwrap();
    whole.send_data(chat(false).to_string().into(), true).unwrap();
    assert_eq!(timeout(PATIENCE, sibling).await.unwrap().unwrap().status(), 200);
    assert_eq!(timeout(PATIENCE, answer).await.unwrap().unwrap().status(), 408);
    let (after, mut whole) = h2.send_request(request("/api/chat"), false).unwrap();
    whole.send_data(chat(false).to_string().into(), true).unwrap();
    assert_eq!(timeout(PATIENCE, after).await.unwrap().unwrap().status(), 200);
    assert_eq!(ollama.inferences().iter().filter(|seen| seen.target == "/api/chat").count(), 2);
}

#[tokio::test]
async fn over_http2_silence_has_its_time_too() {
    let (_ollama, gateway) = gateway().await;
    for sent in ["", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let mut stream = gateway.tls(&[b"h2"]).await;
        let began = Instant::now();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut read = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("the connection ends");
        let took = began.elapsed();
        // A second more is the time for a goodbye.
        assert!((HEADER / 2..HEADER * 5 + Duration::from_secs(1)).contains(&took), "{sent:?}: {took:?}");
    }
}

#[tokio::test]
async fn a_slow_body_at_the_wanted_rate_is_taken() {
    let (_ollama, gateway) = gateway().await;
    let body = chat(false).to_string();
    let padded = format!("{body}{}", " ".repeat(4000 - body.len()));
    let whole = request("POST", "/api/chat", &gateway.token(), &padded);
    let mut raw = gateway.raw().await;
    let began = Instant::now();
    let (head, body) = whole.split_at(whole.find("\r\n\r\n").unwrap() + 4);
    raw.send(head).await;
    for piece in body.as_bytes().chunks(400) {
        raw.send(piece).await;
        sleep(BODY_IDLE / 4).await; // 5333 bytes a second
    }
    assert!(began.elapsed() > BODY_IDLE * 2, "longer than one window");
    let answer = raw.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn three_hundred_stalled_connections_slow_nobody() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let mut stalled = Vec::new();
    for at in 0..300 {
        match at % 3 {
            0 => {
                let tcp = tokio::net::TcpStream::connect(("127.0.0.1", gateway.port)).await.unwrap();
                stalled.push(Box::new(tcp) as Box<dyn Send>);
            }
            1 => {
                let mut raw = gateway.raw().await;
                raw.send("GET /api/tags HTTP/1.1\r\nHost: local").await;
                stalled.push(Box::new(raw));
            }
            _ => {
                let mut raw = gateway.raw().await;
                let whole = request("POST", "/api/chat", &token, &chat(false).to_string());
                raw.send(&whole[..whole.len() - 10]).await;
                stalled.push(Box::new(raw));
            }
        }
    }
    let began = Instant::now();
    let answer = gateway.post_as(&gateway.token_for("bob"), "/api/chat", &chat(false)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
