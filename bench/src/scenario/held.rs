//! Memory: of streams that say nothing, and of readers that take nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Bench, Sample};
use crate::fake::Scene;
use crate::figure::Figure;
use crate::load::Fault;
use crate::load::http1::Http1;
use crate::load::lane::tls_of;
use crate::load::prompt::Prompt;
use crate::load::run::Faults;
use crate::load::tally::Tally;
use crate::load::tls::Protocol;
use crate::observe::{kernel_kib, memory_kib};
use crate::proxy::Target;

/// Connections opened at once: fewer than any backlog.
const OPENING: usize = 64;
/// What a stalled client's own kernel may keep; the rest backs up into the proxy.
const READER_BUFFER: u32 = 64 << 10;
/// How long buffers are given to fill.
const FILL: Duration = Duration::from_secs(4);
/// Longest wait for a first token.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens streams, waits for one token each, and weighs the proxy.
pub async fn held(bench: &Bench, target: &Arc<Target>) -> Sample {
    let pids = target.pids();
    let before = memory_kib(&pids);
    let count = bench.profile.held;
    let (open, faults) = crowd(target, Scene::Held, count, None).await;
    sleep(Duration::from_secs(1)).await;
    let after = memory_kib(&pids);
    let each = (after - before) / open.len().max(1) as f64;
    let note =
        format!("{} streams: {:.0} MiB, {:.0} MiB before", open.len(), after / 1024.0, before / 1024.0);
    Sample { figures: vec![(Figure::Held, each)], faults, note: Some(note), lost: 0 }
}

/// Opens endless streams, stops reading, and weighs proxy and kernel.
pub async fn slow(bench: &Bench, target: &Arc<Target>) -> Sample {
    let pids = target.pids();
    let before = memory_kib(&pids);
    let (open, faults) = crowd(target, Scene::Endless, bench.profile.slow, Some(READER_BUFFER)).await;
    sleep(FILL).await;
    let count = open.len().max(1) as f64;
    let mut figures = vec![(Figure::Slow, (memory_kib(&pids) - before) / count)];
    figures.extend(
        kernel_kib(target.address, bench.fake.address()).map(|held| (Figure::SlowKernel, held / count)),
    );
    Sample { figures, faults, ..Sample::default() }
}

/// Connections that have each had their first token.
async fn crowd(
    target: &Arc<Target>,
    scene: Scene,
    count: usize,
    receive: Option<u32>,
) -> (Vec<Http1>, Faults) {
    let prompt = Prompt::usual(scene, &target.token);
    let (mut open, mut faults, mut opening) = (Vec::with_capacity(count), Faults::default(), JoinSet::new());
    let mut begun = 0;
    while open.len() as u64 + faults.errors + faults.short < count as u64 {
        while begun < count && opening.len() < OPENING {
            let (target, prompt) = (target.clone(), prompt.clone());
            opening.spawn(async move {
                timeout(PATIENCE, first(&target, &prompt, receive))
                    .await
                    .unwrap_or(Err(Fault::failed("waiting", "no first token in 10 s")))
            });
            begun += 1;
        }
        match opening.join_next().await {
            Some(Ok(Ok(connection))) => open.push(connection),
            Some(Ok(Err(fault))) => faults.add(fault),
            Some(Err(error)) => faults.add(Fault::failed("a lane", error)),
            None => break,
        }
    }
    (open, faults)
}

async fn first(target: &Target, prompt: &Prompt, receive: Option<u32>) -> Result<Http1, Fault> {
    let tls = tls_of(target, Protocol::One)?;
    let mut connection = Http1::open(target, tls.as_ref(), receive).await?;
    connection.send(prompt).await?;
    let mut body = connection.head().await?;
    let mut tally = Tally::new(false);
    while tally.tokens == 0 && connection.some(&mut body, &mut tally).await? {}
    if tally.tokens == 0 { Err(Fault::short("no token")) } else { Ok(connection) }
}
