//! Offers the queue places at other nodes, and takes them back: the loop around `choice`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet::report::Role;
use tokio::time::{Instant, sleep};

use super::choice::{self, Candidate, Offer};
use super::roster::{Peer, Roster};
use crate::ollama::names::ModelName;
use crate::request::queue::{Queue, UpstreamId};

/// How often the choice is made anew where nothing calls for it: waits grow, and what was left out comes back.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a node is left out that could not be reached or refused, unless it reports before: it may be gone, and its
/// report does not know yet.
const LEFT_OUT: Duration = Duration::from_secs(3);
/// How long a node is taken not to have a model after it has said so: a pull takes minutes.
const LACKS: Duration = Duration::from_secs(30);

/// The places at other nodes.
pub struct Places {
    queue: Arc<Queue>,
    roster: Arc<Roster>,
    /// Without an Ollama of its own: it offers whatever nodes have.
    front: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    offered: Offer,
    limits: HashMap<UpstreamId, usize>,
    /// What was at a node when its report was read: only then the two can be compared.
    ours: HashMap<UpstreamId, (u64, usize)>,
    /// Until when a node is left out, or until its report is another than this one.
    left_out: HashMap<UpstreamId, (Instant, u64)>,
    lacks: HashMap<(UpstreamId, ModelName), Instant>,
}

impl Places {
    /// Nothing offered yet; [`Self::run`] does.
    pub fn new(queue: Arc<Queue>, roster: Arc<Roster>, front: bool) -> Arc<Self> {
        if front {
            queue.set_ready(false); // nobody is known who could serve
        }
        Arc::new(Self { queue, roster, front, state: Mutex::default() })
    }

    /// Offers for ever. `leaving`: is this process on its way out?
    pub async fn run(&self, leaving: impl Fn() -> bool) {
        let mut readings = self.roster.changes();
        loop {
            self.offer(leaving());
            tokio::select! {
                _ = readings.changed() => {} // the roster holds the sender, and this the roster
                () = self.asked() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Somebody waits for a model without a place. Beside an Ollama that is the keeper's call.
    async fn asked(&self) {
        if self.front { self.queue.changed().await } else { std::future::pending().await }
    }

    /// The node with this number could not be reached or refused: nothing more is sent there until it has reported
    /// again, or for some seconds.
    pub fn failed(&self, peer: &Peer) {
        let mut state = self.state();
        // What it has reported since the request was sent does not count: it was told before the failure.
        let sequence = self.roster.peer(peer.id).map_or(peer.view.sequence, |peer| peer.view.sequence);
        state.left_out.insert(peer.id, (Instant::now() + LEFT_OUT, sequence));
        self.withdraw(&mut state, peer.id);
    }

    /// The process with this number is gone.
    pub fn gone(&self, id: UpstreamId) {
        self.withdraw(&mut self.state(), id);
    }

    /// A node has said that it does not have a model; is there another that may?
    pub fn lacks(&self, peer: &Peer, model: &ModelName) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        state.lacks.retain(|_, until| *until > now);
        state.lacks.insert((peer.id, model.clone()), now + LACKS);
        let taken_back = state.offered.get_mut(model).and_then(|places| places.remove(&peer.id));
        if taken_back.is_some() {
            self.queue.withdraw(peer.id, model);
        }
        let peers = self.roster.peers();
        let mut others = peers.iter().filter(|other| other.is_ready());
        !self.front || others.any(|other| !state.lacks.contains_key(&(other.id, model.clone())))
    }

    /// A ready node to ask what needs no slot, of those that have `model` in memory if one does; not one of `but`.
    pub fn any(&self, model: Option<&ModelName>, but: &[UpstreamId]) -> Option<Arc<Peer>> {
        let (state, peers, now) = (self.state(), self.roster.peers(), Instant::now());
        let able = |peer: &&Arc<Peer>| peer.is_ready() && !but.contains(&peer.id);
        let has = |peer: &Arc<Peer>| model.is_some_and(|model| peer.models.contains(model));
        let best = peers.iter().filter(able).min_by_key(|peer| (state.is_left_out(peer, now), !has(peer)));
        best.cloned()
    }

    fn withdraw(&self, state: &mut State, id: UpstreamId) {
        for (model, places) in &mut state.offered {
            if places.remove(&id).is_some() {
                self.queue.withdraw(id, model);
            }
        }
    }

    /// Chooses, and tells the queue what has changed.
    pub(super) fn offer(&self, leaving: bool) {
        let mut state = self.state();
        let (peers, now) = (self.roster.peers(), Instant::now());
        if self.front {
            self.queue.set_ready(peers.iter().any(|peer| peer.is_ready()));
        }
        self.queue.set_leaving(leaving);
        let candidates = self.candidates(&mut state, &peers, now);
        let waiting = self.queue.outlook();
        let (offer, limits) = if self.front {
            let limits = candidates.iter().map(|c| (c.id, c.room_of_front())).collect();
            (choice::of_front(&candidates, &waiting, &state.offered), limits)
        } else {
            let overloaded = 1 + peers.iter().filter(|peer| is_overloaded(peer)).count();
            let limits = candidates.iter().map(|c| (c.id, c.room_of_peer(overloaded))).collect();
            (choice::of_node(&candidates, &waiting, leaving, overloaded), limits)
        };
        self.limit(&mut state, limits);
        self.tell(&state.offered, &offer);
        state.offered = offer;
    }

    fn candidates(&self, state: &mut State, peers: &[Arc<Peer>], now: Instant) -> Vec<Candidate> {
        let left_out: BTreeSet<_> =
            peers.iter().filter(|peer| state.is_left_out(peer, now)).map(|peer| peer.id).collect();
        state.left_out.retain(|id, _| left_out.contains(id));
        state.lacks.retain(|_, until| *until > now);
        state.ours.retain(|id, _| peers.iter().any(|peer| peer.id == *id));
        let able = peers.iter().filter(|peer| peer.is_ready() && !left_out.contains(&peer.id));
        let candidate = |peer: &Arc<Peer>| {
            let ours = state.ours.entry(peer.id).or_insert((u64::MAX, 0));
            if ours.0 != peer.view.sequence {
                *ours = (peer.view.sequence, self.queue.taken(peer.id));
            }
            let lacks = state.lacks.keys().filter(|(id, _)| *id == peer.id);
            Candidate {
                id: peer.id,
                slots: peer.view.slots as usize,
                busy: peer.view.busy as usize,
                queued: peer.view.queued as usize,
                queued_work: peer.view.queued_work_seconds,
                models: peer.models.clone(),
                lacks: lacks.map(|(_, model)| model.clone()).collect(),
                ours: ours.1,
            }
        };
        able.map(candidate).collect()
    }

    /// Bounds what is at each node, before anything more is offered there.
    fn limit(&self, state: &mut State, limits: HashMap<UpstreamId, usize>) {
        for id in state.limits.keys().filter(|id| !limits.contains_key(id)) {
            self.withdraw_all(&state.offered, *id);
            self.queue.limit(*id, usize::MAX);
        }
        for (id, most) in &limits {
            if state.limits.get(id) != Some(most) {
                self.queue.limit(*id, *most);
            }
        }
        state.limits = limits;
    }

    fn withdraw_all(&self, offered: &Offer, id: UpstreamId) {
        let models = offered.iter().filter(|(_, places)| places.contains_key(&id));
        models.for_each(|(model, _)| self.queue.withdraw(id, model));
    }

    fn tell(&self, before: &Offer, now: &Offer) {
        let none = BTreeMap::new();
        for (model, places) in before {
            let kept = now.get(model).unwrap_or(&none);
            places.keys().filter(|id| !kept.contains_key(id)).for_each(|id| self.queue.withdraw(*id, model));
        }
        for (model, places) in now {
            let known = before.get(model).unwrap_or(&none);
            for (id, slots) in places.iter().filter(|(id, slots)| known.get(id) != Some(slots)) {
                self.queue.offer(*id, model, *slots);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_left_out(&self, peer: &Peer, now: Instant) -> bool {
        let out = self.left_out.get(&peer.id);
        out.is_some_and(|(until, sequence)| now < *until && peer.view.sequence == *sequence)
    }
}

/// Does it have more than it can do at once?
fn is_overloaded(peer: &Peer) -> bool {
    peer.view.role == Role::Node && peer.view.queued > 0
}
