//! One connection to the fake: request after request, and always an eye on whether the other end is still there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::answer::{HEAD, LAST, LOADED, MODELS, TOKEN, VERSION, WHOLE, stamp};
use super::request::{Inbox, Wanted};
use super::{BURST_TOKENS, GAP, PACED_TOKENS, Scene, Shared};

/// Answers until the connection ends.
pub async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut inbox = Inbox::default();
    while let Some(wanted) = inbox.next(&mut stream).await? {
        let (scene, number) = match wanted {
            Wanted::Page(path) => {
                stream.write_all(page(path)).await?;
                continue;
            }
            Wanted::Scene { scene: Scene::Short, .. } => {
                stream.write_all(&WHOLE).await?;
                continue;
            }
            Wanted::Scene { scene, number } => (scene, number),
        };
        shared.arrived(number);
        shared.open.fetch_add(1, Relaxed);
        let answered = play(&mut stream, scene).await;
        shared.open.fetch_sub(1, Relaxed);
        if answered.is_err() {
            shared.gone(number);
            return answered;
        }
    }
    Ok(())
}

fn page(path: &str) -> &'static [u8] {
    match path {
        "/api/ps" | "/api/tags" => &MODELS,
        "/api/version" => &VERSION,
        _ => &LOADED,
    }
}

/// Plays a scene to its end.
///
/// # Errors
/// The other end has gone.
async fn play(stream: &mut TcpStream, scene: Scene) -> io::Result<()> {
    let silence = Duration::from_secs(3600);
    match scene {
        Scene::Short => Ok(()),
        Scene::Paced => paced(stream).await,
        Scene::Burst => bursts(stream, BURST_TOKENS).await,
        Scene::Endless => bursts(stream, u64::MAX).await,
        Scene::Held => {
            first(stream).await?;
            pause(stream, Instant::now() + silence).await
        }
        Scene::Prefill => pause(stream, Instant::now() + silence).await,
    }
}

async fn first(stream: &mut TcpStream) -> io::Result<()> {
    let mut begin = [&HEAD[..], &TOKEN[..]].concat();
    stamp(&mut begin);
    stream.write_all(&begin).await
}

async fn paced(stream: &mut TcpStream) -> io::Result<()> {
    let began = Instant::now();
    first(stream).await?;
    let mut token = TOKEN.clone();
    for n in 1..PACED_TOKENS {
        pause(stream, began + GAP * n as u32).await?;
        stamp(&mut token);
        stream.write_all(&token).await?;
    }
    stream.write_all(&LAST).await
}

/// One write a token, as an engine makes them.
async fn bursts(stream: &mut TcpStream, tokens: u64) -> io::Result<()> {
    stream.write_all(&HEAD).await?;
    let (mut reader, mut writer) = stream.split();
    for _ in 0..tokens {
        tokio::select! {
            biased;
            written = writer.write_all(&TOKEN) => written?,
            () = gone(&mut reader) => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    stream.write_all(&LAST).await
}

/// Waits until `until`.
///
/// # Errors
/// The other end has gone meanwhile.
async fn pause(stream: &mut TcpStream, until: Instant) -> io::Result<()> {
    let (mut reader, _) = stream.split();
    tokio::select! {
        biased;
        () = gone(&mut reader) => Err(io::ErrorKind::UnexpectedEof.into()),
        () = sleep_until(until) => Ok(()),
    }
}

/// Resolves at a FIN or a reset.
async fn gone(reader: &mut tokio::net::tcp::ReadHalf<'_>) {
    loop {
        if reader.readable().await.is_err() {
            return;
        }
        match reader.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Nobody here pipelines: a byte within an answer would be as much of an end.
            _ => return,
        }
    }
}
