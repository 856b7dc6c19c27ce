//! Start-time fair queueing between the callers of one class at one model: whoever has been served the least work
//! goes next (Goyal, Vin, Cheng: "Start-time Fair Queuing", SIGCOMM 1996).
//!
//! A caller's flow carries a tag: the virtual time up to which it has been served. Tags move when work is granted,
//! never when it arrives, so that who leaves the queue has cost nobody anything.

use std::collections::{HashMap, VecDeque};

use super::demand::{Reach, UpstreamId};
use super::state::Ticket;
use crate::identity::Principal;

/// Idle flows remembered for being ahead of the others, while others wait. Each is a caller who was served lately,
/// so the number is small anyway; this makes it a promise (256 flows are some 25 KiB).
const REMEMBERED: usize = 256;

/// The callers of one class, their demands, and the virtual clock they share.
#[derive(Default)]
pub(super) struct Fair {
    /// Virtual time, in work-seconds: the start tag of what was granted last. Who arrives starts here.
    clock: f64,
    flows: HashMap<Principal, Flow>,
    waiting: usize,
    /// Of these, who can be served here only.
    bound: usize,
}

#[derive(Default)]
struct Flow {
    /// Where the next demand of this caller starts, unless the clock is already further.
    tag: f64,
    waiting: VecDeque<Entry>,
    running: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    ticket: Ticket,
    work: f64,
    reach: Reach,
    /// The start it already had, when it was granted once and came back.
    start: Option<f64>,
}

/// A demand whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turn {
    pub ticket: Ticket,
    pub work: f64,
    pub reach: Reach,
    /// Its start tag; [`Fair::put_back`] wants it again.
    pub start: f64,
}

impl Flow {
    fn start(&self, clock: f64) -> f64 {
        let returned = self.waiting.front().and_then(|entry| entry.start);
        returned.unwrap_or_else(|| self.tag.max(clock))
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running == 0
    }
}

impl Fair {
    /// Does nobody wait here?
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Does somebody wait here who may be served there?
    pub fn waits_for(&self, upstream: UpstreamId) -> bool {
        let others = if upstream.is_local() { 0 } else { self.bound };
        self.waiting > others
    }

    /// Does somebody wait here who can be served by the local Ollama only?
    pub fn has_bound(&self) -> bool {
        self.bound > 0
    }

    /// Does this caller wait here?
    pub fn has_waiting(&self, caller: &Principal) -> bool {
        self.flows.get(caller).is_some_and(|flow| !flow.waiting.is_empty())
    }

    /// Work-seconds waiting, of all callers.
    pub fn work(&self) -> f64 {
        self.flows.values().flat_map(|flow| &flow.waiting).map(|entry| entry.work).sum()
    }

    /// Puts a demand at the end of its caller's line.
    pub fn push(&mut self, caller: &Principal, ticket: Ticket, work: f64, reach: Reach) {
        let flow = self.flows.entry(caller.clone()).or_default();
        flow.waiting.push_back(Entry { ticket, work, reach, start: None });
        self.count(reach);
    }

    /// Takes the demand with the earliest start of those that may be served there; among equals, the oldest. Its
    /// caller is charged for it.
    pub fn pop(&mut self, upstream: UpstreamId) -> Option<Turn> {
        let clock = self.clock;
        let waiting = self.flows.iter_mut().filter_map(|(_, flow)| {
            // A caller's own requests that are bound to this node are passed over, not waited for.
            let at = flow.waiting.iter().position(|entry| entry.reach.covers(upstream))?;
            let first = flow.waiting[at];
            Some((first.start.unwrap_or_else(|| flow.tag.max(clock)), first, at, flow))
        });
        let (start, first, at, flow) =
            waiting.min_by(|(a, x, ..), (b, y, ..)| a.total_cmp(b).then(x.ticket.cmp(&y.ticket)))?;
        flow.waiting.remove(at);
        flow.tag = flow.tag.max(start) + first.work;
        flow.running += 1;
        self.clock = clock.max(start);
        self.uncount(first.reach);
        self.forget();
        Some(Turn { ticket: first.ticket, work: first.work, reach: first.reach, start })
    }

    /// A granted demand comes back unserved: first in its caller's line, with the start it had, and not charged.
    pub fn put_back(&mut self, caller: &Principal, turn: Turn) {
        let flow = self.flows.entry(caller.clone()).or_default();
        flow.tag -= turn.work;
        flow.running = flow.running.saturating_sub(1);
        let Turn { ticket, work, reach, start } = turn;
        flow.waiting.push_front(Entry { ticket, work, reach, start: Some(start) });
        self.count(reach);
    }

    /// A waiting demand leaves.
    pub fn remove(&mut self, caller: &Principal, ticket: Ticket) {
        if let Some(flow) = self.flows.get_mut(caller) {
            let left = flow.waiting.iter().position(|entry| entry.ticket == ticket);
            if let Some(entry) = left.and_then(|at| flow.waiting.remove(at)) {
                self.uncount(entry.reach);
            }
            self.forget();
        }
    }

    fn count(&mut self, reach: Reach) {
        self.waiting += 1;
        self.bound += usize::from(reach == Reach::Here);
    }

    fn uncount(&mut self, reach: Reach) {
        self.waiting -= 1;
        self.bound -= usize::from(reach == Reach::Here);
    }

    /// A granted demand turned out to be `difference` work-seconds more (or less) than was charged.
    pub fn correct(&mut self, caller: &Principal, difference: f64) {
        if let Some(flow) = self.flows.get_mut(caller) {
            flow.tag += difference;
        }
    }

    /// A granted demand has ended.
    pub fn finish(&mut self, caller: &Principal) {
        if let Some(flow) = self.flows.get_mut(caller) {
            flow.running = flow.running.saturating_sub(1);
            self.forget();
        }
    }

    /// Work-seconds granted before the demand of `caller` that has `position` of its own before it (`None`: before
    /// one that arrives now): its own line, and of others only what starts before it does.
    pub fn ahead(&self, caller: &Principal, position: Option<usize>) -> f64 {
        let flow = self.flows.get(caller);
        let before = flow.into_iter().flat_map(|flow| &flow.waiting).take(position.unwrap_or(usize::MAX));
        let own: f64 = before.map(|entry| entry.work).sum();
        let start = flow.map_or(self.clock, |flow| flow.start(self.clock)) + own;
        let others = self.flows.iter().filter(|(name, _)| *name != caller);
        own + others.map(|(_, flow)| flow.work_until(start, self.clock)).sum::<f64>()
    }

    /// Flows that are remembered; for tests of what is forgotten.
    #[cfg(test)]
    pub fn flows(&self) -> usize {
        self.flows.len()
    }

    /// Forgets idle flows that the clock has passed, and all of them once nobody waits: there is nothing to be
    /// fair about, and a caller who returns starts level with the others.
    fn forget(&mut self) {
        let (clock, contended) = (self.clock, self.waiting > 0);
        self.flows.retain(|_, flow| !flow.is_idle() || (contended && flow.tag > clock));
        let mut ahead: Vec<f64> =
            self.flows.values().filter(|flow| flow.is_idle()).map(|flow| flow.tag).collect();
        if let Some(excess) = ahead.len().checked_sub(REMEMBERED).filter(|excess| *excess > 0) {
            ahead.sort_by(f64::total_cmp);
            let least = ahead[excess - 1];
            self.flows.retain(|_, flow| !flow.is_idle() || flow.tag > least);
        }
        if self.flows.is_empty() {
            self.clock = 0.0;
        }
    }
}

impl Flow {
    /// Work of this flow's demands whose start is not after `until`.
    fn work_until(&self, until: f64, clock: f64) -> f64 {
        let begin = self.start(clock);
        let mut tag = begin;
        for entry in &self.waiting {
            if tag > until {
                break;
            }
            tag += entry.work;
        }
        tag - begin
    }
}
