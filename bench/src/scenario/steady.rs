//! Scenarios in which lanes simply go on, and a window of time is looked at.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, Sample, Scenario};
use crate::fake::{GAP, PACED_TOKENS, Scene};
use crate::figure::Figure;
use crate::load::lane::Lane;
use crate::load::prompt::Prompt;
use crate::load::run::{Faults, Rhythm, Run, Window};
use crate::load::tls::Protocol;
use crate::proxy::{Proxy, Target};

/// Lanes of a closed loop: enough to keep two workers busy.
const LANES: usize = 32;
/// Paced streams at once.
const STREAMS: usize = 100;
/// Burst streams at once.
const BURSTS: usize = 8;
/// 1000 requests a second: each of 20 lanes every 20 ms.
const CALM_LANES: usize = 20;
const CALM: Duration = Duration::from_millis(20);
/// Bytes of a large prompt.
const LARGE: usize = 256 << 10;

struct Plan {
    scene: Scene,
    protocol: Protocol,
    lanes: usize,
    rhythm: Rhythm,
    timed: bool,
}

fn plan(scenario: Scenario) -> Plan {
    let short = Plan {
        scene: Scene::Short,
        protocol: Protocol::One,
        lanes: LANES,
        rhythm: Rhythm::Closed,
        timed: false,
    };
    match scenario {
        Scenario::ShortH2 => Plan { protocol: Protocol::Two, lanes: 40, ..short },
        Scenario::Latency => Plan { lanes: CALM_LANES, rhythm: Rhythm::Every(CALM), ..short },
        Scenario::Paced => Plan {
            scene: Scene::Paced,
            lanes: STREAMS,
            rhythm: Rhythm::Spread(GAP * PACED_TOKENS as u32),
            timed: true,
            ..short
        },
        Scenario::PacedH2 => Plan { protocol: Protocol::Two, ..plan(Scenario::Paced) },
        Scenario::Burst => Plan { scene: Scene::Burst, lanes: BURSTS, ..short },
        Scenario::Handshake => Plan { lanes: 16, rhythm: Rhythm::Fresh, ..short },
        Scenario::Prompt => Plan { lanes: 8, ..short },
        _ => short,
    }
}

/// Runs one of them.
pub async fn run(scenario: Scenario, bench: &Bench, target: &Arc<Target>) -> Sample {
    let plan = plan(scenario);
    let prompt = match scenario {
        Scenario::Prompt => Prompt::new(plan.scene, &large(), &target.token),
        _ => Prompt::usual(plan.scene, &target.token),
    };
    let lanes = match Lane::open(target, plan.protocol, plan.lanes).await {
        Ok(lanes) => lanes,
        Err(fault) => {
            let mut faults = Faults::default();
            faults.add(fault);
            return Sample { faults, ..Sample::default() };
        }
    };
    let running = Run::start(target, lanes, &prompt, plan.rhythm, plan.timed);
    let window = running.window(&target.pids(), bench.profile.window).await;
    let faults = running.stop().await;
    let mut figures = figures(scenario, &window);
    figures.retain(|(figure, value)| {
        value.is_finite() && *value > 0.0 && (target.proxy != Proxy::Direct || !figure.is_cpu())
    });
    Sample { figures, faults, ..Sample::default() }
}

fn figures(scenario: Scenario, window: &Window) -> Vec<(Figure, f64)> {
    let (each, token) = (window.cpu / window.requests, window.cpu / window.tokens);
    let (requests, tokens) = (window.requests / window.seconds, window.tokens / window.seconds);
    match scenario {
        Scenario::Short => vec![(Figure::Short, each), (Figure::Requests, requests)],
        Scenario::ShortH2 => vec![(Figure::ShortH2, each), (Figure::RequestsH2, requests)],
        Scenario::Latency => vec![(Figure::Latency, window.whole_p50)],
        Scenario::Paced => vec![
            (Figure::Paced, token),
            (Figure::FirstToken, window.first_p50),
            (Figure::TokenLatency, window.age_p50),
        ],
        Scenario::PacedH2 => vec![(Figure::PacedH2, token), (Figure::TokenLatencyH2, window.age_p50)],
        Scenario::Burst => vec![(Figure::Burst, token), (Figure::Tokens, tokens)],
        Scenario::Handshake => vec![(Figure::Handshake, each)],
        Scenario::Prompt => vec![(Figure::Prompt, each)],
        _ => Vec::new(),
    }
}

fn large() -> String {
    let sentence =
        "The committee met on Tuesday and agreed, after some debate, to publish the report in full. ";
    let mut words = sentence.repeat(LARGE / sentence.len() + 1);
    words.truncate(LARGE);
    words
}
