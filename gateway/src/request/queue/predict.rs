//! What a line can say about the future: how long a demand will wait, and when the next slot becomes free.
//!
//! Predictions know what waits and what runs, not what will still arrive.

use tokio::time::Instant;

use super::demand::UpstreamId;
use super::floors::CLASSES;
use super::line::Line;
use super::place::expected_rate;
use crate::identity::{Principal, Priority};

/// Slots assumed of a model that has no place yet: the default of `[ollama] parallel`.
const ASSUMED_SLOTS: usize = 4;

impl Line {
    /// Work-seconds a second while all slots are busy; before the model has a place, what one would do.
    pub fn rate(&self) -> f64 {
        if self.has_place() {
            self.places.values().map(|place| place.rate()).sum()
        } else {
            self.ratio * expected_rate(ASSUMED_SLOTS)
        }
    }

    /// Seconds a demand will wait: one of `caller` that has `position` of their own before it, or, with `None`, one
    /// that arrives now. While the model has no place, counted from the moment it gets one.
    pub fn wait(&self, caller: &Principal, class: Priority, position: Option<usize>, now: Instant) -> f64 {
        if self.has_free_slot() {
            return 0.0;
        }
        let ahead = self.classes[class as usize].ahead(caller, position);
        let (urgent, kept) = self.other_classes(class);
        let rate = self.rate();
        let by_urgency = (urgent + ahead) / (rate * (1.0 - kept));
        let by_floor = ahead / (rate * self.floors.share(class));
        // Without a floor the second is infinite, or not a number; `min` takes the first then.
        self.first_free(now).unwrap_or(0.0) + by_urgency.min(by_floor)
    }

    /// The same as an upper bound, and so what a refusal may promise: whatever ends first, all slots stay busy while
    /// anything waits, so all that runs and waits before this demand is done after its sum ÷ the rate.
    pub fn longest_wait(
        &self,
        caller: &Principal,
        class: Priority,
        position: Option<usize>,
        now: Instant,
    ) -> f64 {
        let wait = self.wait(caller, class, position, now);
        let first = self.first_free(now).unwrap_or(0.0);
        if wait > first { wait - first + self.running_work(now) / self.rate() } else { wait }
    }

    /// Seconds until somebody (or this caller) stops waiting here: is granted a slot or, where the model has no
    /// place yet, gives up at the latest. `None` if nobody of them waits.
    pub fn first_departure(
        &self,
        of: Option<&Principal>,
        ready: Option<Instant>,
        now: Instant,
    ) -> Option<f64> {
        let those =
            self.waiting.values().filter(|waiter| of.is_none_or(|name| waiter.demand.caller == *name));
        let deadline = those.map(|waiter| waiter.demand.patience.deadline(waiter.since, ready)).min()?;
        let given_up = deadline.saturating_duration_since(now).as_secs_f64();
        if !self.has_place() {
            return Some(given_up);
        }
        let granted = match of {
            Some(caller) => {
                let classes =
                    CLASSES.into_iter().filter(|class| self.classes[*class as usize].has_waiting(caller));
                classes.map(|class| self.longest_wait(caller, class, Some(0), now)).min_by(f64::total_cmp)
            }
            None => self.first_free(now),
        };
        Some(granted.map_or(given_up, |granted| granted.min(given_up)))
    }

    /// Work that waits, in seconds of an idle node.
    pub fn work(&self) -> f64 {
        self.waiting.values().map(|waiter| waiter.demand.work).sum()
    }

    /// Seconds until the last of what waits begins.
    pub fn last_wait(&self, now: Instant) -> f64 {
        self.first_free(now).unwrap_or(0.0) + self.work() / self.rate()
    }

    /// The same if only the local Ollama served; `None` where that does not have the model.
    pub fn last_wait_here(&self, now: Instant) -> Option<f64> {
        let here = self.places.get(&UpstreamId::LOCAL).filter(|place| place.slots() > 0)?;
        let first = self.first_free_of(|upstream| upstream.is_local(), now);
        Some(first.unwrap_or(0.0) + self.work() / here.rate())
    }

    /// Seconds until the first slot becomes free; `None` while nothing runs.
    pub fn first_free(&self, now: Instant) -> Option<f64> {
        self.first_free_of(|_| true, now)
    }

    fn first_free_of(&self, those: impl Fn(UpstreamId) -> bool, now: Instant) -> Option<f64> {
        let remaining =
            self.running.values().filter(|running| those(running.upstream())).filter_map(|running| {
                let place = self.places.get(&running.upstream()).filter(|place| place.slots() > 0)?;
                Some(running.remaining(place.speed(), now))
            });
        remaining.min_by(f64::total_cmp)
    }

    /// Work-seconds that run and are not done yet.
    pub fn running_work(&self, now: Instant) -> f64 {
        let left = self.running.values().filter_map(|running| {
            let speed = self.places.get(&running.upstream())?.speed();
            Some(running.remaining(speed, now) * speed)
        });
        left.sum()
    }

    /// Work that waits in more urgent classes, and the share of the rate that less urgent ones keep.
    fn other_classes(&self, class: Priority) -> (f64, f64) {
        let urgent = CLASSES.iter().filter(|other| **other < class);
        let lesser =
            CLASSES.iter().filter(|other| **other > class && !self.classes[**other as usize].is_empty());
        (
            urgent.map(|other| self.classes[*other as usize].work()).sum(),
            lesser.map(|other| self.floors.share(*other)).sum(),
        )
    }
}
