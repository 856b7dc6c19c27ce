//! What is replayed on what: a trace with its beginning, and the machines.

use std::path::Path;

use crate::Seconds;
use crate::decide::policy::{Benchmark, LaunchPrice, Policy};

use super::faults::Faults;
use super::replay::Beginning;
use super::trace::{self, Request, TraceError};
use super::world::{Machines, WarmPool};

/// How long nothing happens before a cold run, so that every controller is at zero.
const SILENCE: Seconds = 600.0;

/// A fleet that was there before the first row has so many times the nodes that the mean load needs.
const WARM_START: f64 = 1.2;

/// Requests of the first five minutes are not counted then: the fleet is ours by luck, not by decision.
const WARM_SKIP: Seconds = 300.0;

/// A trace, ready to be replayed.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name in the table.
    pub name: String,
    /// The requests.
    pub requests: Vec<Request>,
    /// How it begins.
    pub beginning: Beginning,
    /// Mean boot of a cold launch.
    pub boot: Seconds,
    /// Warm pool: its size.
    pub warm_pool: u32,
    /// Mean boot out of it.
    pub warm_boot: Seconds,
    /// Whether launches cost more than their time.
    pub price: bool,
    /// What goes wrong.
    pub faults: Faults,
    /// Shifts boot times and faults.
    pub seed: u64,
    /// Speed of the machines.
    pub rates: Benchmark,
}

impl Setting {
    /// Reads a trace. The one-hour samples `azure23_*` begin in the middle of a day: with a fleet, and uncounted at
    /// first; `azure23_conv` takes every second row, which fits 24 nodes. `cold` begins at zero after ten minutes of
    /// silence instead.
    ///
    /// # Errors
    /// When the file is no trace.
    pub fn read(path: &Path, boot: Seconds, cold: bool) -> Result<Self, TraceError> {
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = file.split('.').next().unwrap_or_default();
        let mut requests = trace::read(path)?;
        if stem.starts_with("azure23_conv") {
            requests = requests.into_iter().step_by(2).collect();
        }
        let name = if cold { format!("{stem}_cold") } else { stem.to_owned() };
        Ok(Self::of(&name, requests, boot, cold, stem.starts_with("azure23_") && !cold))
    }

    /// Requests that are in memory already.
    #[must_use]
    pub fn of(name: &str, mut requests: Vec<Request>, boot: Seconds, cold: bool, warm_start: bool) -> Self {
        let rates = Policy::default().benchmark;
        let span = requests.last().map_or(1.0, |last| last.arrival.max(1.0));
        let load = requests.iter().map(|request| request.work(&rates)).sum::<f64>() / span / rates.throughput;
        if cold {
            requests.iter_mut().for_each(|request| request.arrival += SILENCE);
        }
        let beginning = if warm_start {
            Beginning { ready: (WARM_START * load).ceil() as u32, skip: WARM_SKIP }
        } else {
            Beginning::default()
        };
        Self {
            name: name.to_owned(),
            requests,
            beginning,
            boot,
            warm_pool: 0,
            warm_boot: 90.0,
            price: false,
            faults: Faults::default(),
            seed: 1,
            rates,
        }
    }

    /// Seconds from the beginning to the last arrival.
    #[must_use]
    pub fn span(&self) -> Seconds {
        self.requests.last().map_or(0.0, |last| last.arrival)
    }

    /// The machines.
    #[must_use]
    pub fn machines(&self) -> Machines {
        Machines {
            boot: self.boot,
            slots: 4,
            cap: 24,
            seed: self.seed,
            rates: self.rates,
            warm: (self.warm_pool > 0).then(|| WarmPool::full(self.warm_pool, self.warm_boot)),
            price: self.launch_price(),
            faults: self.faults,
        }
    }

    /// What a launch costs beside its time: the fee for initializing a 30 GiB volume, $0.108 at the $0.526 an hour of
    /// a g4dn.xlarge = 739 GPU-seconds, and 20 s between the last stream and the end of the bill.
    #[must_use]
    fn launch_price(&self) -> LaunchPrice {
        if self.price { LaunchPrice { refill: 0.0, fee: 739.0, tail: 20.0 } } else { LaunchPrice::default() }
    }

    /// The policy that fits these machines. The price of a refill is only the controller's to reckon with: the bill
    /// has it as the time of the refilling instance.
    #[must_use]
    pub fn policy(&self, value_of_waiting: f64) -> Policy {
        let warm = self.warm_pool > 0;
        let refill = if self.price && warm { self.boot } else { 0.0 };
        Policy {
            value_of_waiting,
            boot: self.boot,
            warm_boot: warm.then_some(self.warm_boot),
            benchmark: self.rates,
            price: LaunchPrice { refill, ..self.launch_price() },
            ..Policy::default()
        }
    }
}
