//! What operators order: wake, sleep, hold, release. Each is one conditional change of the fleet's state, written to
//! the log with who ordered it; the leader obeys within seconds.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use fleet::store::{Change, FleetState, Hold, Phase, Store};
use fleet::telemetry;
use jiff::Timestamp;
use scaler::config::{Config, person};

use super::status::Status;

/// How often a change is tried that others were faster than. Each loss means that somebody else has won.
const TRIES: usize = 5;

/// The longest hold: a week. Longer is what `[group] min` and `[schedule]` are for.
const LONGEST: u64 = 7 * 24 * 3600;

/// `scaler hold`
#[derive(Debug, Args)]
pub struct HoldFor {
    /// At least so many nodes.
    nodes: u32,
    /// For so long: 90s, 45m, 2h, 1d.
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    time: Duration,
}

/// Reads `45m`.
fn span(text: &str) -> Result<Duration, String> {
    let unit = |unit: char| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        _ => None,
    };
    let parts = text.chars().last().and_then(unit).zip(text.get(..text.len().saturating_sub(1)));
    let seconds = parts.and_then(|(unit, number)| number.parse::<u64>().ok()?.checked_mul(unit));
    match seconds {
        Some(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        Some(_) => Err("between 1s and 7d; for longer set `min` or `[schedule]`".to_owned()),
        None => Err("a whole number and s, m, h or d, like 2h".to_owned()),
    }
}

/// Wakes the fleet.
pub async fn wake(config: &Config, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    order(config, out, "wake", |state, now| match state.phase {
        Phase::Awake | Phase::Waking => state.clone(),
        Phase::Asleep | Phase::FallingAsleep => state.moved_to(Phase::Waking, now),
        // Whoever wakes a broken fleet by hand has mended something, and wants all tries again.
        Phase::Broken => FleetState { boot_failures: 0, ..state.moved_to(Phase::Waking, now) },
    })
    .await
}

/// Puts it to sleep.
pub async fn sleep(config: &Config, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let by = person();
    order(config, out, "sleep", move |state, now| {
        let told = match state.phase {
            Phase::Asleep => state.clone(),
            // A fall by order is not taken back when the queue fills, only when somebody wakes the fleet.
            _ => state.moved_to(Phase::FallingAsleep, now).because(&format!("ordered by {by}")),
        };
        FleetState { hold: None, ..told }
    })
    .await
}

/// Ends a hold.
pub async fn release(config: &Config, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    order(config, out, "release", |state, _| FleetState { hold: None, ..state.clone() }).await
}

impl HoldFor {
    /// Holds so many nodes.
    pub async fn run(self, config: &Config, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        if self.nodes == 0 {
            bail!("hold: 0 nodes hold nothing; `scaler release` ends a hold, `scaler sleep` ends the nodes");
        }
        if self.nodes > config.group.max {
            bail!("hold: {} nodes are above group.max, {}", self.nodes, config.group.max);
        }
        let seconds = i64::try_from(self.time.as_secs()).unwrap_or(i64::MAX);
        let nodes = self.nodes;
        order(config, out, "hold", move |state, now| {
            let woken = match state.phase {
                Phase::Asleep | Phase::FallingAsleep => state.moved_to(Phase::Waking, now),
                _ => state.clone(),
            };
            FleetState { hold: Some(Hold { nodes, until: now + seconds }), ..woken }
        })
        .await
    }
}

async fn order(
    config: &Config,
    out: &mut (dyn Write + Send),
    what: &str,
    change: impl Fn(&FleetState, i64) -> FleetState + Send,
) -> anyhow::Result<()> {
    let _telemetry = telemetry::init(&config.log.filter)?;
    let store = config.store.open().await.context("[store]")?;
    let state = tell(&*store, &config.fleet.name, change).await?;
    let (by, phase) = (person(), scaler::act::word(state.phase));
    let hold = state.hold.map(|hold| hold.nodes);
    tracing::info!(fleet = config.fleet.name, order = what, by, phase, hold, "an operator's order");
    Status::default().show(config, &*store, out).await
}

/// Changes the state under its version; what is so already is left alone.
async fn tell(
    store: &dyn Store,
    fleet: &str,
    change: impl Fn(&FleetState, i64) -> FleetState + Send,
) -> anyhow::Result<FleetState> {
    let mut state = store.state(fleet).await?;
    for _ in 0..TRIES {
        let next = change(&state, Timestamp::now().as_second());
        if next == state {
            return Ok(state);
        }
        match store.change_state(fleet, &state, &next).await? {
            Change::Made(made) => return Ok(made),
            Change::Refused(theirs) => state = theirs.unwrap_or_default(),
        }
    }
    Err(anyhow!("the fleet's state changes faster than it can be told; try again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("45m", 2700), ("2h", 7200), ("7d", LONGEST)] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "2", "0h", "-1h", "8d", "2 h", "1.5h", "99999999999999999999d", "2ü"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
