//! What is measured: each scenario runs against one proxy at a time and brings figures and counts.

mod steady;
mod held;
mod cancel;
mod calls;

use std::sync::Arc;
use std::time::Duration;

use crate::args::Profile;
use crate::fake::Fake;
use crate::figure::Figure;
use crate::load::run::Faults;
use crate::proxy::{Proxy, Target};

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Small whole answers over kept-alive connections, as fast as they come.
    Short,
    /// The same over HTTP/2.
    ShortH2,
    /// Small whole answers, 1000 a second.
    Latency,
    /// 100 streams of 40 tokens a second.
    Paced,
    /// The same over HTTP/2.
    PacedH2,
    /// Streams as fast as they are taken.
    Burst,
    /// A connection of its own for every small request.
    Handshake,
    /// Prompts of 256 KiB.
    Prompt,
    /// Thousands of streams that say nothing.
    Held,
    /// Readers that stop reading an endless stream.
    Slow,
    /// Clients that leave within a stream.
    CancelStream,
    /// Clients that leave before the first token.
    CancelPrefill,
    /// System calls per request and per token, counted by strace.
    Calls,
}

/// What one run of one scenario against one proxy brought.
#[derive(Debug, Default)]
pub struct Sample {
    /// Measured values.
    pub figures: Vec<(Figure, f64)>,
    /// What went wrong.
    pub faults: Faults,
    /// Answers still being made 5 s after their clients had gone.
    pub lost: u64,
    /// Words for whoever optimises: what the figures alone do not say.
    pub note: Option<String>,
}

/// What every scenario needs.
pub struct Bench {
    /// The upstream.
    pub fake: Fake,
    /// How much of everything.
    pub profile: Profile,
}

impl Scenario {
    /// Does it say anything about this one? `direct` has no process to measure.
    pub fn includes(self, proxy: Proxy) -> bool {
        let without_process = matches!(self, Self::Short | Self::Latency | Self::Paced | Self::Burst);
        proxy != Proxy::Direct || without_process
    }

    /// Does it weigh memory? Then every proxy starts anew for it.
    pub fn weighs(self) -> bool {
        matches!(self, Self::Held | Self::Slow)
    }

    /// How often it runs, when `rounds` are wanted: what counts memory or calls barely varies.
    pub fn rounds(self, rounds: usize) -> usize {
        match self {
            Self::Held | Self::Slow | Self::Calls => rounds.div_ceil(3),
            _ => rounds,
        }
    }

    /// Runs it once.
    ///
    /// # Errors
    /// Where the machine, not the proxy, fails.
    pub async fn run(self, bench: &Bench, target: &Arc<Target>) -> anyhow::Result<Sample> {
        let mut sample = match self {
            Self::Held => held::held(bench, target).await,
            Self::Slow => held::slow(bench, target).await,
            Self::CancelStream => cancel::within_stream(bench, target).await,
            Self::CancelPrefill => cancel::within_prefill(bench, target).await,
            Self::Calls => calls::count(bench, target).await?,
            _ => steady::run(self, bench, target).await,
        };
        sample.lost += bench.fake.idle().await as u64;
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(sample)
    }
}
