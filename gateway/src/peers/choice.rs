//! Which node has how many places for which model: pure, from what the nodes report and what waits here.

use std::collections::{BTreeMap, HashMap};

use crate::ollama::names::ModelName;
use crate::request::queue::{Outlook, UpstreamId, expected_rate};

/// Slots assumed of a node that has no model in memory yet and so names none: the default of `[ollama] parallel`.
const ASSUMED_SLOTS: usize = 4;
/// How often its slots one gateway fills a node: once what runs and once what waits there, so that no slot is idle
/// between two reports, and no more, since what waits here can still go elsewhere.
const FILL: usize = 2;
/// What a request waits for a model that is not in memory, in seconds: 5 GB from a disk at 437 MB/s are 11 s, and a
/// look before and after.
const LOAD: f64 = 15.0;
/// A hop to a peer is worth it if the wait here is longer than this, in seconds, whatever the peer's: reports are up to
/// two seconds old.
const LEAST_GAIN: f64 = 2.0;
/// And if it is so many times the peer's: both are predictions, which may be wrong by half.
const MARGIN: f64 = 2.0;
/// In the front: a predicted wait, in seconds, from which a further node is to load a model that others have in memory.
/// Twice what the load takes: it puts other models out of memory there.
const SPREAD: f64 = 2.0 * LOAD;

/// A node that could serve.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub id: UpstreamId,
    /// As reported; 0 where it has no model in memory.
    pub slots: usize,
    pub busy: usize,
    pub queued: usize,
    pub queued_work: f64,
    pub models: Vec<ModelName>,
    /// Models that it was found not to have at all.
    pub lacks: Vec<ModelName>,
    /// Requests of this process that were there when the report was read.
    pub ours: usize,
}

/// Places for one model: by node, its slots.
pub(super) type Offer = HashMap<ModelName, BTreeMap<UpstreamId, usize>>;

impl Candidate {
    fn slots(&self) -> usize {
        if self.slots == 0 { ASSUMED_SLOTS } else { self.slots }
    }

    fn has(&self, model: &ModelName) -> bool {
        self.models.contains(model)
    }

    fn may_serve(&self, model: &ModelName) -> bool {
        !self.lacks.contains(model)
    }

    fn fullness(&self) -> f64 {
        (self.busy + self.queued) as f64 / self.slots() as f64
    }

    /// What a front may have there at once: [`FILL`] times its slots, less what others have sent; but never less than its
    /// slots, or the gateway that came first would keep all others out.
    pub fn room_of_front(&self) -> usize {
        let others = (self.busy + self.queued).saturating_sub(self.ours);
        (FILL * self.slots()).saturating_sub(others).max(self.slots())
    }

    /// What a node may have there at once: what it has, and its share of what is left, with all that want to be rid of
    /// something. They decide by the same report and would all send at once.
    pub fn room_of_peer(&self, overloaded: usize) -> usize {
        let left = (FILL * self.slots()).saturating_sub(self.busy + self.queued);
        self.ours + left.div_ceil(overloaded.max(1))
    }

    /// Predicted seconds until a request that is sent there begins.
    fn wait(&self, model: &ModelName) -> f64 {
        let queue =
            if self.busy < self.slots() { 0.0 } else { self.queued_work / expected_rate(self.slots()) };
        if self.has(model) { queue } else { queue + LOAD }
    }
}

/// A front's places. `waiting`: what waits here; `before`: what was offered until now.
pub(super) fn of_front(candidates: &[Candidate], waiting: &[Outlook], before: &Offer) -> Offer {
    let mut offer = Offer::new();
    for candidate in candidates {
        for model in &candidate.models {
            let places = offer.entry(model.clone()).or_default();
            places.insert(candidate.id, candidate.room_of_front());
        }
    }
    for line in waiting {
        let places = offer.entry(line.model.clone()).or_default();
        if !places.is_empty() && line.wait < SPREAD {
            continue;
        }
        let others = candidates.iter().filter(|c| !c.has(&line.model) && c.may_serve(&line.model));
        // Whoever was chosen is loading it by now.
        let chosen = |c: &Candidate| before.get(&line.model).is_some_and(|places| places.contains_key(&c.id));
        let freest =
            others.min_by(|a, b| chosen(b).cmp(&chosen(a)).then(a.fullness().total_cmp(&b.fullness())));
        if let Some(candidate) = freest {
            places.insert(candidate.id, candidate.room_of_front());
        }
    }
    offer.retain(|_, places| !places.is_empty());
    offer
}

/// A node's places at its peers: for what waits here much longer than it would there, or in any case if the node is
/// `leaving`. `overloaded`: nodes that could want the same, this one included.
pub(super) fn of_node(
    candidates: &[Candidate],
    waiting: &[Outlook],
    leaving: bool,
    overloaded: usize,
) -> Offer {
    let mut offer = Offer::new();
    for line in waiting {
        let here = line.wait_here.unwrap_or_else(|| LOAD + line.work / expected_rate(ASSUMED_SLOTS));
        let worth = |c: &&Candidate| leaving || here > LEAST_GAIN + MARGIN * c.wait(&line.model);
        let better: Vec<_> = candidates.iter().filter(|c| c.may_serve(&line.model)).filter(worth).collect();
        let (have, others): (Vec<_>, Vec<_>) = better.into_iter().partition(|c| c.has(&line.model));
        // One at most is made to load it.
        let loading = others.into_iter().min_by(|a, b| a.fullness().total_cmp(&b.fullness()));
        let chosen = if have.is_empty() { loading.into_iter().collect() } else { have };
        let places = chosen.into_iter().map(|c| (c.id, c.room_of_peer(overloaded)));
        offer.insert(line.model.clone(), places.collect());
    }
    offer.retain(|_, places: &mut BTreeMap<_, _>| !places.is_empty());
    offer
}
