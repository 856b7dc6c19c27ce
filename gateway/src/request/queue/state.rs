//! Who waits, who runs where: every decision of the queue, with time as a value. It has no clock, wakes nobody and
//! does no I/O; [`super::Queue`] does.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::demand::{Demand, Patience, Reach, UpstreamId};
use super::line::{Line, Waiter};
use super::rooms::Rooms;
use crate::config::settings;
use crate::error::Refusal;
use crate::identity::{Principal, Priority};
use crate::ollama::names::ModelName;

/// Least and most work-seconds a demand counts for: nobody is free of charge, and no estimate breaks the sums.
const LEAST_WORK: f64 = 0.001;
const MOST_WORK: f64 = 86_400.0;

/// The name of a demand in the queue, in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// A slot was given to a demand.
#[derive(Debug)]
pub(super) struct Grant {
    pub ticket: Ticket,
    pub model: ModelName,
    pub upstream: UpstreamId,
    pub caller: Principal,
    /// When it arrived.
    pub since: Instant,
    pub patience: Patience,
    pub waited: Duration,
}

/// What became of a demand that was taken in.
#[derive(Debug)]
pub(super) enum Arrival {
    Granted(Grant),
    Waiting(Ticket),
}

/// How full the queue is and how fast it moves, over all models.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// Slots of the local Ollama.
    pub slots: usize,
    /// Requests that are being served, those of withdrawn places and those at other nodes included.
    pub busy: usize,
    /// Of these, at other nodes.
    pub away: usize,
    /// Requests waiting.
    pub queued: usize,
    /// Their bodies, in bytes.
    pub queued_bytes: usize,
    /// Their work, in seconds of an idle node.
    pub queued_work_seconds: f64,
    /// Tokens of their prompts, estimated.
    pub queued_prompt_tokens: u64,
    /// Tokens of the prompts that the local Ollama works on, estimated.
    pub running_prompt_tokens: u64,
    /// Work that runs and is not done yet, estimated.
    pub running_work_seconds: f64,
    /// How long the oldest of them has waited, in seconds.
    pub oldest_wait_seconds: f64,
    /// Work-seconds a second that the slots offered do when all of them are busy.
    pub work_per_second: f64,
}

/// What waits for one model, as far as it may go elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// The model.
    pub model: ModelName,
    /// All that waits for it, in seconds of an idle node.
    pub work: f64,
    /// Seconds until the last of it begins, at all its places; without a place, from the moment that it has one.
    pub wait: f64,
    /// The same at the local Ollama alone; `None` where that has it not in memory.
    pub wait_here: Option<f64>,
}

/// The whole queue.
pub(super) struct State {
    config: settings::Queue,
    lines: HashMap<ModelName, Line>,
    rooms: Rooms,
    /// Since when somebody can serve, here or elsewhere.
    ready: Option<Instant>,
    /// Does this process give its own slots last?
    leaving: bool,
    /// Demands waiting, by caller: no zeros, so as large as the callers who wait.
    waiting: HashMap<Principal, usize>,
    next: u64,
}

impl State {
    pub fn new(config: settings::Queue) -> Self {
        Self {
            config,
            lines: HashMap::new(),
            rooms: Rooms::default(),
            ready: None,
            leaving: false,
            waiting: HashMap::new(),
            next: 0,
        }
    }

    /// Somebody can serve from now on, or nobody any more; since when somebody can.
    pub fn set_ready(&mut self, ready: bool, now: Instant) -> Option<Instant> {
        self.ready = ready.then(|| self.ready.unwrap_or(now));
        self.ready
    }

    /// Gives slots of other nodes before those here from now on, or after them.
    pub fn set_leaving(&mut self, leaving: bool) {
        self.leaving = leaving;
    }

    /// At most so many requests may be at another node at once, whatever their models; `usize::MAX`: no bound.
    pub fn limit(&mut self, upstream: UpstreamId, most: usize, now: Instant) -> Vec<Grant> {
        self.rooms.limit(upstream, most);
        std::iter::from_fn(|| self.grant_at(upstream, now)).collect()
    }

    /// Requests of this process that are at another node.
    pub fn taken(&self, upstream: UpstreamId) -> usize {
        self.rooms.taken(upstream)
    }

    /// A demand arrives: granted at once where a slot is free, refused where it would wait beyond the bounds.
    pub fn arrive(&mut self, mut demand: Demand, now: Instant) -> Result<Arrival, Refusal> {
        demand.work = bounded(demand.work);
        let free = self.lines.get(&demand.model).is_some_and(|line| line.has_slot_for(&demand, &self.rooms));
        if !free {
            self.admit(&demand, now)?;
        }
        let (model, ticket) = (demand.model.clone(), Ticket(self.next));
        self.next += 1;
        *self.waiting.entry(demand.caller.clone()).or_default() += 1;
        self.line(&model).push(ticket, demand, now);
        // While a slot is free nobody waits for it, so a grant can only be our own.
        Ok(self.grant(&model, now).map_or(Arrival::Waiting(ticket), Arrival::Granted))
    }

    /// A waiter leaves. Nothing happens to one that was granted meanwhile: its permit frees the slot.
    pub fn leave(&mut self, model: &ModelName, ticket: Ticket) {
        if let Some(waiter) = self.lines.get_mut(model).and_then(|line| line.remove(ticket)) {
            self.uncount(&waiter.demand.caller);
            self.tidy(model);
        }
    }

    /// An upstream has `slots` for a model; 0 withdraws it. What runs there goes on.
    pub fn offer(
        &mut self,
        upstream: UpstreamId,
        model: &ModelName,
        slots: usize,
        now: Instant,
    ) -> Vec<Grant> {
        self.line(model).offer(upstream, slots, now);
        let granted = std::iter::from_fn(|| self.grant(model, now)).collect();
        self.tidy(model);
        granted
    }

    /// The truth about a running demand, in seconds of an idle node and of the slot.
    pub fn settle(&mut self, model: &ModelName, ticket: Ticket, work: f64, busy: Duration, now: Instant) {
        if let Some(line) = self.lines.get_mut(model) {
            line.settle(ticket, bounded(work), busy, now);
        }
    }

    /// A running demand keeps its slot until then, and no longer.
    pub fn hold(&mut self, model: &ModelName, ticket: Ticket, until: Instant) {
        if let Some(line) = self.lines.get_mut(model) {
            line.hold(ticket, until);
        }
    }

    /// A running demand frees its slot; the next in line gets it.
    pub fn release(&mut self, model: &ModelName, ticket: Ticket, now: Instant) -> Option<Grant> {
        let upstream = self.lines.get_mut(model)?.release(ticket, now)?;
        self.rooms.free(upstream);
        let granted = self.grant(model, now).or_else(|| self.grant_at(upstream, now));
        self.tidy(model);
        granted
    }

    /// A running demand frees its slot and takes its old place in the line, bounds or not: it was admitted once.
    pub fn put_back(&mut self, model: &ModelName, ticket: Ticket, now: Instant) -> Option<Grant> {
        let line = self.lines.get_mut(model)?;
        let Some(upstream) = line.put_back(ticket, now) else { return self.grant(model, now) };
        let caller = line.waiting[&ticket].demand.caller.clone();
        *self.waiting.entry(caller).or_default() += 1;
        self.rooms.free(upstream);
        self.grant(model, now).or_else(|| self.grant_at(upstream, now))
    }

    /// Everyone who waits for a model leaves; who they are.
    pub fn dismiss(&mut self, model: &ModelName) -> Vec<Ticket> {
        let tickets: Vec<Ticket> =
            self.lines.get(model).into_iter().flat_map(|line| line.waiting.keys().copied()).collect();
        tickets.iter().for_each(|ticket| self.leave(model, *ticket));
        tickets
    }

    /// Models that someone waits for in vain, the longest awaited first: they have no place, or none here and somebody
    /// may go nowhere else.
    pub fn wanted(&self) -> Vec<ModelName> {
        let placeless = self.lines.iter().filter(|(_, line)| line.wants());
        let mut wanted: Vec<_> =
            placeless.filter_map(|(model, line)| Some((line.waiting.keys().min()?, model))).collect();
        wanted.sort();
        wanted.into_iter().map(|(_, model)| model.clone()).collect()
    }

    /// Does someone wait for the model in vain, as long as nobody loads it?
    pub fn wants(&self, model: &ModelName) -> bool {
        self.lines.get(model).is_some_and(Line::wants)
    }

    /// How long a demand would wait that arrived now.
    pub fn predicted_wait(
        &self,
        caller: &Principal,
        priority: Priority,
        model: &ModelName,
        now: Instant,
    ) -> f64 {
        self.lines.get(model).map_or(0.0, |line| line.wait(caller, priority, None, now))
    }

    /// The longest of these waits over all models.
    pub fn longest_wait(&self, caller: &Principal, priority: Priority, now: Instant) -> f64 {
        let waits = self.lines.values().map(|line| line.wait(caller, priority, None, now));
        waits.fold(0.0, f64::max)
    }

    /// Every model for which something waits that may be served elsewhere.
    pub fn outlook(&self, now: Instant) -> Vec<Outlook> {
        let movable = |line: &Line| line.waiting.values().any(|w| w.demand.reach == Reach::Anywhere);
        let lines = self.lines.iter().filter(|(_, line)| movable(line));
        lines
            .map(|(model, line)| Outlook {
                model: model.clone(),
                work: line.work(),
                wait: line.last_wait(now),
                wait_here: line.last_wait_here(now),
            })
            .collect()
    }

    pub fn load(&self, now: Instant) -> Load {
        let mut load = Load::default();
        for line in self.lines.values() {
            for (upstream, place) in &line.places {
                if upstream.is_local() {
                    load.slots += place.slots();
                } else {
                    load.away += place.busy();
                }
                load.busy += place.busy();
                load.work_per_second += place.rate();
            }
            load.running_work_seconds += line.running_work(now);
            load.running_prompt_tokens += line.prompt_tokens_here();
            for Waiter { demand, since } in line.waiting.values() {
                load.queued += 1;
                load.queued_bytes += demand.bytes;
                load.queued_prompt_tokens += u64::from(demand.prompt_tokens);
                load.queued_work_seconds += demand.work;
                let waited = now.saturating_duration_since(*since).as_secs_f64();
                load.oldest_wait_seconds = load.oldest_wait_seconds.max(waited);
            }
        }
        load
    }

    /// Callers remembered by all lines; for tests of what is forgotten.
    #[cfg(test)]
    pub fn flows(&self) -> usize {
        self.lines.values().flat_map(|line| &line.classes).map(super::fair::Fair::flows).sum()
    }

    /// May a demand wait that cannot run at once? If not, the time named is when all bounds are met: coming back
    /// earlier would be in vain.
    fn admit(&self, demand: &Demand, now: Instant) -> Result<(), Refusal> {
        let Demand { caller, priority, model, .. } = demand;
        let own = self.waiting.get(caller).copied().unwrap_or(0);
        let half = own >= (self.config.capacity / 2).max(1);
        let full = self.waiting.values().sum::<usize>() >= self.config.capacity;
        let longest = self.config.max_wait_seconds.as_secs_f64();
        let long = self.predicted_wait(caller, *priority, model, now) > longest;
        let what = match (half, full, long) {
            (true, ..) => "your own requests already fill your half of the queue",
            (_, true, _) => "the queue is full",
            (.., true) => "the wait would be longer than a request may wait",
            _ => return Ok(()),
        };
        let own_room = if half { self.first_departure(Some(caller), now) } else { 0.0 };
        let room = if full { self.first_departure(None, now) } else { 0.0 };
        let line = self.lines.get(model);
        let drained = line.map_or(0.0, |line| line.longest_wait(caller, *priority, None, now) - longest);
        Err(Refusal::Overloaded { what, retry_after: seconds(own_room.max(room).max(drained)) })
    }

    /// Seconds until somebody (or this caller) stops waiting.
    fn first_departure(&self, of: Option<&Principal>, now: Instant) -> f64 {
        let departures = self.lines.values().filter_map(|line| line.first_departure(of, self.ready, now));
        departures.min_by(f64::total_cmp).unwrap_or(0.0)
    }

    fn grant(&mut self, model: &ModelName, now: Instant) -> Option<Grant> {
        let grant = self.lines.get_mut(model)?.grant(&mut self.rooms, self.leaving, now)?;
        self.uncount(&grant.caller);
        Some(grant)
    }

    /// Another node has room for one more, of whatever model it serves: the longest awaited one takes it.
    fn grant_at(&mut self, upstream: UpstreamId, now: Instant) -> Option<Grant> {
        if upstream.is_local() || !self.rooms.has(upstream) {
            return None;
        }
        let there = |line: &Line| line.places.get(&upstream).is_some_and(|place| place.is_free());
        let waiting = self.lines.iter().filter(|(_, line)| there(line));
        let mut models: Vec<_> =
            waiting.filter_map(|(model, line)| Some((*line.waiting.keys().min()?, model.clone()))).collect();
        models.sort();
        models.into_iter().find_map(|(_, model)| self.grant(&model, now))
    }

    fn uncount(&mut self, caller: &Principal) {
        if let Some(count) = self.waiting.get_mut(caller) {
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(caller);
            }
        }
    }

    fn line(&mut self, model: &ModelName) -> &mut Line {
        self.lines.entry(model.clone()).or_insert_with(|| Line::new(&self.config))
    }

    fn tidy(&mut self, model: &ModelName) {
        if self.lines.get(model).is_some_and(Line::is_forgettable) {
            self.lines.remove(model);
        }
    }
}

/// Work as the sums can bear it; what is not a number counts least.
fn bounded(work: f64) -> f64 {
    if work.is_nan() { LEAST_WORK } else { work.clamp(LEAST_WORK, MOST_WORK) }
}

/// Whole seconds, rounded up, at least one: what a refusal may promise.
fn seconds(wait: f64) -> Duration {
    Duration::from_secs(wait.ceil().clamp(1.0, MOST_WORK) as u64)
}
