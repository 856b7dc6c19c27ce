//! Everything that waits for one model, and the places where it runs.
//!
//! Each model has a line of its own: a slot serves one model only, so waiting for one never holds up another, and
//! sharing fairly is a question only among those who want the same slots.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::demand::{Demand, UpstreamId};
use super::fair::{Fair, Turn};
use super::floors::{CLASSES, Floors, Pick};
use super::place::Place;
use super::rooms::Rooms;
use super::state::{Grant, Ticket};
use crate::config::settings;

/// One model's line.
pub(super) struct Line {
    pub(super) places: BTreeMap<UpstreamId, Place>,
    pub(super) classes: [Fair; 3],
    pub(super) floors: Floors,
    pub(super) waiting: HashMap<Ticket, Waiter>,
    pub(super) running: HashMap<Ticket, Running>,
    /// Rate learned ÷ rate expected where the model ran last; a new place starts with it.
    pub(super) ratio: f64,
}

/// A demand that waits.
pub(super) struct Waiter {
    pub demand: Demand,
    pub since: Instant,
}

/// A demand that holds a slot.
pub(super) struct Running {
    waiter: Waiter,
    upstream: UpstreamId,
    pick: Pick,
    turn: Turn,
    /// Work-seconds its caller is charged: the estimate, then the truth.
    charged: f64,
    since: Instant,
    /// How long the place had been full when this began.
    full_before: Duration,
    /// When the slot is known to become free: it is held for an upstream that still works.
    until: Option<Instant>,
    taught: bool,
}

impl Line {
    pub fn new(config: &settings::Queue) -> Self {
        Self {
            places: BTreeMap::new(),
            classes: Default::default(),
            floors: Floors::new(config),
            waiting: HashMap::new(),
            running: HashMap::new(),
            ratio: 1.0,
        }
    }

    /// Has the model a place, busy or not?
    pub fn has_place(&self) -> bool {
        self.places.values().any(|place| place.slots() > 0)
    }

    /// Does somebody wait in vain, as long as nobody loads the model?
    pub fn wants(&self) -> bool {
        let here = self.places.get(&UpstreamId::LOCAL).is_some_and(|place| place.slots() > 0);
        !self.waiting.is_empty() && !self.has_place() || !here && self.classes.iter().any(Fair::has_bound)
    }

    /// Could this demand run at once?
    pub fn has_slot_for(&self, demand: &Demand, rooms: &Rooms) -> bool {
        let free = |(upstream, place): (&UpstreamId, &Place)| place.is_free() && rooms.has(*upstream);
        self.places.iter().any(|place| free(place) && demand.reach.covers(*place.0))
    }

    /// Is a slot free?
    pub fn has_free_slot(&self) -> bool {
        self.places.values().any(Place::is_free)
    }

    /// Is there nothing here worth keeping? What was learned is: there is one such number per model ever served.
    pub fn is_forgettable(&self) -> bool {
        self.places.is_empty() && self.waiting.is_empty() && self.running.is_empty() && self.ratio == 1.0
    }

    pub fn offer(&mut self, upstream: UpstreamId, slots: usize, now: Instant) {
        let ratio = self.ratio;
        self.places.entry(upstream).or_insert_with(|| Place::new(slots, ratio)).resize(slots, now);
        self.sweep(upstream);
    }

    pub fn push(&mut self, ticket: Ticket, demand: Demand, now: Instant) {
        self.classes[demand.priority as usize].push(&demand.caller, ticket, demand.work, demand.reach);
        self.waiting.insert(ticket, Waiter { demand, since: now });
    }

    /// A waiter leaves; `None` if it does not wait (any more).
    pub fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        let waiter = self.waiting.remove(&ticket)?;
        self.classes[waiter.demand.priority as usize].remove(&waiter.demand.caller, ticket);
        Some(waiter)
    }

    /// Gives the next waiter a slot, if there is one of each: here first, since a hop costs time, then at the emptiest
    /// peer. Who is `leaving` gives its own slots last.
    pub fn grant(&mut self, rooms: &mut Rooms, leaving: bool, now: Instant) -> Option<Grant> {
        self.grant_at(self.emptiest(!leaving, rooms), rooms, now)
            .or_else(|| self.grant_at(self.emptiest(leaving, rooms), rooms, now))
    }

    /// The emptiest place with a free slot, here or elsewhere; of equals the first.
    fn emptiest(&self, here: bool, rooms: &Rooms) -> Option<UpstreamId> {
        let free = self.places.iter().filter(|(upstream, place)| {
            upstream.is_local() == here && place.is_free() && rooms.has(**upstream)
        });
        let emptiest = free.min_by(|(_, a), (_, b)| a.fullness().total_cmp(&b.fullness()));
        emptiest.map(|(upstream, _)| *upstream)
    }

    fn grant_at(&mut self, upstream: Option<UpstreamId>, rooms: &mut Rooms, now: Instant) -> Option<Grant> {
        let upstream = upstream?;
        let waits = CLASSES.map(|class| self.classes[class as usize].waits_for(upstream));
        let pick = self.floors.pick(waits)?;
        let turn = self.classes[pick.class as usize].pop(upstream)?;
        let waiter = self.waiting.remove(&turn.ticket)?;
        self.floors.book(pick, turn.work, waits);
        let place = self.places.get_mut(&upstream)?;
        place.take(now);
        rooms.take(upstream);
        let Demand { model, caller, patience, .. } = waiter.demand.clone();
        let since = waiter.since;
        let full_before = place.full_for(now);
        let running = Running {
            waiter,
            upstream,
            pick,
            turn,
            charged: turn.work,
            since: now,
            full_before,
            until: None,
            taught: false,
        };
        self.running.insert(turn.ticket, running);
        let waited = now.saturating_duration_since(since);
        Some(Grant { ticket: turn.ticket, model, upstream, caller, since, patience, waited })
    }

    /// Estimated prompt tokens of what runs at the local Ollama. A slot that is held for an Ollama that still works
    /// counts as long.
    pub fn prompt_tokens_here(&self) -> u64 {
        let here = self.running.values().filter(|running| running.upstream.is_local());
        here.map(|running| u64::from(running.waiter.demand.prompt_tokens)).sum()
    }

    /// The truth about a running demand: its caller's share is corrected, and the place learns from it, once.
    pub fn settle(&mut self, ticket: Ticket, work: f64, busy: Duration, now: Instant) {
        let Some(running) = self.running.get_mut(&ticket) else { return };
        let difference = work - running.charged;
        running.charged = work;
        let class = running.pick.class;
        self.classes[class as usize].correct(&running.waiter.demand.caller, difference);
        if running.pick.on_credit {
            self.floors.correct(class, difference);
        }
        if let Some(place) = self.places.get_mut(&running.upstream).filter(|_| !running.taught) {
            place.learn(work, busy, place.full_for(now).saturating_sub(running.full_before));
            self.ratio = place.ratio();
            running.taught = true;
        }
    }

    /// The slot of a running demand will become free at `until`.
    pub fn hold(&mut self, ticket: Ticket, until: Instant) {
        if let Some(running) = self.running.get_mut(&ticket) {
            running.until = Some(until);
        }
    }

    /// A running demand ends and frees its slot; where that was.
    pub fn release(&mut self, ticket: Ticket, now: Instant) -> Option<UpstreamId> {
        let running = self.running.remove(&ticket)?;
        self.classes[running.pick.class as usize].finish(&running.waiter.demand.caller);
        self.free(running.upstream, now);
        Some(running.upstream)
    }

    /// A running demand frees its slot and waits again, first in its caller's line and uncharged; where the slot was,
    /// `None` if it does not run.
    pub fn put_back(&mut self, ticket: Ticket, now: Instant) -> Option<UpstreamId> {
        let running = self.running.remove(&ticket)?;
        let caller = &running.waiter.demand.caller;
        let class = running.pick.class;
        self.classes[class as usize].correct(caller, running.turn.work - running.charged);
        self.classes[class as usize].put_back(caller, running.turn);
        if running.pick.on_credit {
            self.floors.correct(class, -running.charged);
        }
        self.waiting.insert(ticket, running.waiter);
        self.free(running.upstream, now);
        Some(running.upstream)
    }

    fn free(&mut self, upstream: UpstreamId, now: Instant) {
        if let Some(place) = self.places.get_mut(&upstream) {
            place.free(now);
        }
        self.sweep(upstream);
    }

    /// A withdrawn place goes when the last request there has ended.
    fn sweep(&mut self, upstream: UpstreamId) {
        let gone = |place: &Place| place.slots() == 0 && place.busy() == 0;
        if self.places.get(&upstream).is_some_and(gone) {
            self.places.remove(&upstream);
        }
    }
}

impl Running {
    /// Seconds until the slot will be free, at `speed` work-seconds a second. A request that has outlived its
    /// estimate is taken to have 30 % of it left: more than nothing, which is what the estimate would say.
    pub fn remaining(&self, speed: f64, now: Instant) -> f64 {
        if let Some(until) = self.until {
            return until.saturating_duration_since(now).as_secs_f64();
        }
        let whole = self.turn.work / speed;
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        if elapsed < whole { whole - elapsed } else { 0.3 * whole }
    }

    pub fn upstream(&self) -> UpstreamId {
        self.upstream
    }
}
