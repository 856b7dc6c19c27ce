//! How many launches are worth their price.

use crate::Seconds;

use super::outlook::Outlook;

/// How long a node that the steady state wants is credited with use after its boot.
pub(super) const USEFUL: Seconds = 240.0;

/// The fleet as launches see it: what serves now, and when what boots will.
#[derive(Clone, Debug, Default)]
pub struct Coming {
    /// Ready and taking requests.
    pub ready: u32,
    /// Seconds until each booting node is ready.
    pub etas: Vec<Seconds>,
}

impl Coming {
    /// Nodes ready `ahead` seconds from now.
    #[must_use]
    pub fn at(&self, ahead: Seconds) -> u32 {
        self.ready + self.etas.iter().filter(|eta| **eta <= ahead).count() as u32
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> u32 {
        self.ready + self.etas.len() as u32
    }
}

/// The number of launches, up to `most`, at which waiting and price together are least. `extra` is what a launch
/// costs beside boot and use, `hold` how long a node is kept after its last need.
#[must_use]
pub fn worth(outlook: &Outlook<'_>, coming: &Coming, most: u32, extra: Seconds, hold: Seconds) -> u32 {
    let boot = outlook.boot;
    let horizon = boot + USEFUL;
    let fleet = |k: u32| move |ahead: Seconds| coming.at(ahead) + if ahead >= boot { k } else { 0 };
    let mut best = (outlook.value * outlook.waiting(horizon, fleet(0)), 0);
    if best.0 <= boot + extra {
        return 0; // not even the end of all waiting pays one boot
    }
    let steady = outlook.without_backlog().need(coming.all() + most);
    let mut price = 0.0;
    for k in 1..=most {
        let useful = if steady >= coming.all() + k {
            USEFUL
        } else {
            (outlook.cleared(horizon, fleet(k)) - boot).max(0.0) + hold.min(boot)
        };
        price += boot + extra + useful;
        if price >= best.0 {
            break;
        }
        let cost = price + outlook.value * outlook.waiting(horizon, fleet(k));
        if cost < best.0 {
            best = (cost, k);
        }
    }
    best.1
}

/// What each of `count` further nodes beside `fleet` would save in waiting over one boot, in GPU-seconds: what their lack
/// costs until somebody could help.
#[must_use]
pub fn saving(outlook: &Outlook<'_>, fleet: impl Fn(Seconds) -> u32, count: u32) -> Vec<Seconds> {
    let waiting = |more: u32| outlook.waiting(outlook.boot, |ahead| fleet(ahead) + more);
    let waits: Vec<_> = (0..=count).map(waiting).collect();
    waits.windows(2).map(|pair| outlook.value * (pair[0] - pair[1]).max(0.0)).collect()
}
