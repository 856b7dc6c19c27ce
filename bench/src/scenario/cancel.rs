//! Clients that leave: when does the upstream know?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Bench, Sample};
use crate::clock::nanos;
use crate::fake::{Fake, NOTICE_WITHIN, Scene};
use crate::figure::Figure;
use crate::load::Fault;
use crate::load::lane::{Answer, Lane};
use crate::load::prompt::Prompt;
use crate::load::run::{Faults, percentile};
use crate::load::tally::Tally;
use crate::load::tls::Protocol;
use crate::proxy::Target;

/// Clients at once.
const CLIENTS: usize = 10;
/// The first number of the next client; none is used twice.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Clients that have had a token.
pub async fn within_stream(bench: &Bench, target: &Arc<Target>) -> Sample {
    let figures = [Figure::CancelStreamP50, Figure::CancelStreamP99];
    run(bench, target, Scene::Paced, figures).await
}

/// Clients that have had nothing.
pub async fn within_prefill(bench: &Bench, target: &Arc<Target>) -> Sample {
    let figures = [Figure::CancelPrefillP50, Figure::CancelPrefillP99];
    run(bench, target, Scene::Prefill, figures).await
}

async fn run(bench: &Bench, target: &Arc<Target>, scene: Scene, names: [Figure; 2]) -> Sample {
    let each = bench.profile.cancels.div_ceil(CLIENTS);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (fake, target) = (bench.fake.clone(), target.clone());
        clients.spawn(async move { leave_often(&fake, &target, scene, each).await });
    }
    let (mut left, mut faults) = (Vec::new(), Faults::default());
    for (gone, faulty) in clients.join_all().await {
        left.extend(gone);
        faulty.into_iter().for_each(|fault| faults.add(fault));
    }
    let until = Instant::now() + NOTICE_WITHIN;
    while Instant::now() < until && left.iter().any(|(number, _)| bench.fake.noticed(*number).is_none()) {
        sleep(Duration::from_millis(5)).await;
    }
    let noticed = |(number, at): &(u64, u64)| Some(bench.fake.noticed(*number)?.saturating_sub(*at));
    let mut delays: Vec<u64> = left.iter().filter_map(noticed).collect();
    // Those still running are counted once, by whoever asks the fake whether it is idle; finished ones in vain here.
    let lost = (left.len() - delays.len()) as u64;
    let millis = [0.5, 0.99].map(|share| percentile(&mut delays, share) / 1e6);
    Sample { figures: names.into_iter().zip(millis).collect(), faults, lost, note: None }
}

/// Connects, asks, leaves; the numbers of those who left, and when they did.
async fn leave_often(
    fake: &Fake,
    target: &Target,
    scene: Scene,
    times: usize,
) -> (Vec<(u64, u64)>, Vec<Fault>) {
    let (mut left, mut faults) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let number = NEXT.fetch_add(1, Relaxed);
        match leave(fake, target, scene, number).await {
            Ok(at) => left.push((number, at)),
            Err(fault) => faults.push(fault),
        }
    }
    (left, faults)
}

async fn leave(fake: &Fake, target: &Target, scene: Scene, number: u64) -> Result<u64, Fault> {
    let prompt = Prompt::numbered(scene, number, &target.token);
    let mut lane = Lane::open(target, Protocol::One, 1).await?.pop().ok_or(Fault::short("no lane"))?;
    if scene == Scene::Prefill {
        let Lane::One(connection) = &mut lane else { return Err(Fault::short("no HTTP/1.1")) };
        connection.send(&prompt).await?;
        let until = Instant::now() + NOTICE_WITHIN;
        while !fake.has_arrived(number) {
            if Instant::now() > until {
                return Err(Fault::failed("waiting", "the request never came to the upstream"));
            }
            sleep(Duration::from_millis(1)).await;
        }
    } else {
        let mut answer: Answer = lane.begin(&prompt).await?;
        let mut tally = Tally::new(false);
        while tally.tokens == 0 && lane.some(&mut answer, &mut tally).await? {}
    }
    sleep(Duration::from_millis(fastrand::u64(1..60))).await;
    let at = nanos();
    drop(lane);
    Ok(at)
}
