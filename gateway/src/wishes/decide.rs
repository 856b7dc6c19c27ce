//! What a node owes the wishes: what it pulls next, what it deletes, what it says. Pure, with the time as a value.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use fleet::store::{ProgressState, WantedModel};
use tokio::time::Instant;

use crate::ollama::names::ModelName;

/// After a pull that failed, until the next; doubled with each, up to the longest.
const AGAIN: Duration = Duration::from_secs(30);
const AGAIN_AT_MOST: Duration = Duration::from_secs(600);

/// The node at one moment.
#[derive(Debug)]
pub(super) struct Here<'a> {
    /// Its name.
    pub node: &'a str,
    /// When this process began, in seconds since 1970.
    pub since: i64,
    /// What its Ollama has.
    pub has: HashSet<ModelName>,
    /// What its configuration keeps.
    pub pinned: &'a [ModelName],
}

/// What the node remembers of what it did.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Models that were not here before a wish.
    brought: HashSet<ModelName>,
    /// By model, the last wish that was met.
    met: HashMap<ModelName, Met>,
    failed: HashMap<ModelName, Failed>,
}

#[derive(Debug, Clone, Copy)]
struct Met {
    requested_at: i64,
    /// Fetched for it.
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    /// Which wish: a later one is tried at once.
    requested_at: i64,
    times: u32,
    again: Instant,
}

/// What is to be done besides pulling.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Duty {
    /// Say that the model is here, and how many bytes were fetched: the look and the pull may both say it, in any order.
    Present(WantedModel, u64),
    /// Delete it: a wish had brought it, and nobody wants it any more.
    Delete(ModelName),
}

/// What is to be pulled.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// This, now.
    Pull(WantedModel),
    /// Something, at this time.
    At(Instant),
    /// Nothing.
    Nothing,
}

impl Memory {
    /// The duties that follow from `wishes`. What a wish had brought before this process began is learned from them.
    pub(super) fn duties(&mut self, wishes: &[WantedModel], here: &Here<'_>) -> Vec<Duty> {
        let wanted: HashMap<ModelName, &WantedModel> =
            wishes.iter().filter_map(|wish| Some((ModelName::parse(&wish.name).ok()?, wish))).collect();
        let brought =
            wanted.iter().filter(|(_, wish)| wish.progress.get(here.node).is_some_and(|said| said.brought));
        self.brought.extend(brought.map(|(model, _)| model.clone()));
        self.met.retain(|model, _| wanted.contains_key(model));
        self.failed.retain(|model, _| wanted.contains_key(model));
        self.brought.retain(|model| here.has.contains(model) || wanted.contains_key(model));
        let here_and_unsaid = |(model, wish): &(&ModelName, &&WantedModel)| {
            self.is_met(model, wish, here) && state(wish, here) != Some(ProgressState::Present)
        };
        let bytes = |model: &ModelName| self.met.get(model).map_or(0, |met| met.bytes);
        let present = wanted.iter().filter(here_and_unsaid);
        let present = present.map(|(model, wish)| Duty::Present((*wish).clone(), bytes(model)));
        let unwanted = self.brought.iter().filter(|model| !wanted.contains_key(*model));
        let delete = unwanted.filter(|model| !here.pinned.contains(model)).cloned().map(Duty::Delete);
        present.chain(delete).collect()
    }

    /// What is to be pulled at `now`: the oldest wish that is not met.
    pub(super) fn next(&self, wishes: &[WantedModel], here: &Here<'_>, now: Instant) -> Next {
        let mut open: Vec<_> = wishes
            .iter()
            .filter_map(|wish| Some((ModelName::parse(&wish.name).ok()?, wish)))
            .filter(|(model, wish)| !self.is_met(model, wish, here))
            .map(|(model, wish)| {
                let failed = self.failed.get(&model);
                (failed.filter(|failed| failed.requested_at == wish.requested_at), wish)
            })
            .collect();
        open.sort_by_key(|(_, wish)| wish.requested_at);
        let due = |failed: &Option<&Failed>| failed.is_none_or(|failed| failed.again <= now);
        match open.iter().find(|(failed, _)| due(failed)) {
            Some((_, wish)) => Next::Pull((*wish).clone()),
            None => {
                let first = open.iter().filter_map(|(failed, _)| Some(failed.as_ref()?.again)).min();
                first.map_or(Next::Nothing, Next::At)
            }
        }
    }

    /// A wish that was made while the node lives is met by a pull, even where the model is there: a pull is also how
    /// it is renewed. An older one is met by the model itself: a node that boots with it has nothing to fetch.
    fn is_met(&self, model: &ModelName, wish: &WantedModel, here: &Here<'_>) -> bool {
        let met = || self.met.get(model).is_some_and(|met| met.requested_at == wish.requested_at);
        let said = || state(wish, here) == Some(ProgressState::Present);
        here.has.contains(model) && (wish.requested_at < here.since || met() || said())
    }

    /// A pull begins. What comes of it goes with the wish, unless the model was here before.
    pub(super) fn begun(&mut self, model: &ModelName, here: &Here<'_>) {
        if !here.has.contains(model) {
            self.brought.insert(model.clone());
        }
    }

    /// A pull of so many bytes has ended well.
    pub(super) fn met(&mut self, model: &ModelName, wish: &WantedModel, bytes: u64) {
        self.failed.remove(model);
        self.met.insert(model.clone(), Met { requested_at: wish.requested_at, bytes });
    }

    /// A pull has failed. `spread`, 0 to 1, keeps nodes that fail together from coming back together.
    pub(super) fn failed(&mut self, model: &ModelName, wish: &WantedModel, now: Instant, spread: f64) {
        let requested_at = wish.requested_at;
        let before = self.failed.get(model).filter(|failed| failed.requested_at == requested_at);
        let times = before.map_or(0, |failed| failed.times);
        let pause = AGAIN.saturating_mul(1 << times.min(8)).min(AGAIN_AT_MOST).mul_f64(1.0 + spread / 4.0);
        let failed = Failed { requested_at, times: times + 1, again: now + pause };
        self.failed.insert(model.clone(), failed);
    }

    /// Has a wish brought it?
    pub(super) fn has_brought(&self, model: &ModelName) -> bool {
        self.brought.contains(model)
    }

    /// It is deleted.
    pub(super) fn deleted(&mut self, model: &ModelName) {
        self.brought.remove(model);
    }
}

/// What the node has said of this wish.
fn state(wish: &WantedModel, here: &Here<'_>) -> Option<ProgressState> {
    wish.progress.get(here.node).map(|said| said.state)
}
