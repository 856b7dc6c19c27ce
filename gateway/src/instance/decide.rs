//! What a process owes the group of its machine at a moment. Pure, with time as a value.

use std::time::Duration;

use tokio::time::Instant;

/// How often a hook is kept from timing out: a third of the shortest timeout there is (30 s is AWS's least, 60 s ours).
const HEARTBEAT_EVERY: Duration = Duration::from_secs(20);
/// After a refusal, until the same is tried again: the hook may not be open yet. Doubled with each, up to the longest.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);

/// Where a group wants its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Serving.
    InService,
    /// Waiting in the warm pool.
    Warmed,
    /// Gone.
    Terminated,
    /// Something else: detached, in standby.
    Other,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Act {
    /// The launch hook: the node serves.
    Launched,
    /// The launch hook: it never will.
    Abandon,
    /// The launch hook: it takes longer.
    Booting,
    /// Drain, with the configured deadline.
    Leave,
    /// Drain, and end what runs then.
    LeaveBy(Instant),
    /// The terminate hook: streams still run.
    Draining,
    /// The terminate hook: nothing runs any more.
    Drained,
    /// The node cannot be revived from inside.
    Unhealthy,
}

impl Act {
    /// Does it only gain time?
    pub fn is_heartbeat(self) -> bool {
        matches!(self, Self::Booting | Self::Draining)
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// It may or may not have been done.
    Unanswered,
}

/// The process and its machine at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub target: Option<Target>,
    /// When what runs must have ended, since the machine is taken back.
    pub leave_by: Option<Instant>,
    /// All models in memory that readiness needs.
    pub loaded: bool,
    /// Ollama answers.
    pub answers: bool,
    /// It drains, for whatever reason.
    pub leaving: bool,
    /// Nothing runs, nothing waits, nothing new is taken.
    pub drained: bool,
}

/// What the configuration says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub boot: Duration,
    pub sick: Duration,
    /// The longest load of a model.
    pub load: Duration,
    pub launch_hook: bool,
    pub terminate_hook: bool,
}

/// What has been done so far.
#[derive(Debug)]
pub(super) struct Life {
    rules: Rules,
    launch: Option<Hook>,
    terminate: Option<Hook>,
    target: Option<Target>,
    told_to_go: bool,
    taken: bool,
    /// It was ready once.
    served: bool,
    silent_since: Option<Instant>,
    unloaded_since: Option<Instant>,
    told_sick: bool,
}

/// A hook that holds the machine.
#[derive(Debug, Clone, Copy)]
struct Hook {
    since: Instant,
    /// Not before then is it completed.
    next: Instant,
    beat: Instant,
    refusals: u32,
}

impl Hook {
    fn new(now: Instant) -> Self {
        Self { since: now, next: now, beat: now, refusals: 0 }
    }

    fn refused(&mut self, now: Instant) {
        let pause = AGAIN.saturating_mul(1 << self.refusals.min(8)).min(AGAIN_AT_MOST);
        self.refusals += 1;
        self.next = now + pause;
    }
}

impl Life {
    pub(super) fn new(rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            launch: rules.launch_hook.then(|| Hook::new(now)),
            terminate: None,
            target: None,
            told_to_go: false,
            taken: false,
            served: false,
            silent_since: None,
            unloaded_since: None,
            told_sick: false,
        }
    }

    /// What is to be done at `now`.
    pub(super) fn next(&mut self, seen: &Seen, now: Instant) -> Vec<Act> {
        self.turn(seen, now);
        [self.going(seen), self.launching(seen, now), self.terminating(seen, now), self.sick(seen, now)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Takes note of where the group wants the instance now.
    fn turn(&mut self, seen: &Seen, now: Instant) {
        let before = std::mem::replace(&mut self.target, seen.target);
        if before == Some(Target::Warmed) && seen.target == Some(Target::InService) {
            // It leaves the warm pool without having been stopped, and its launch hook holds it a second time.
            self.launch = self.rules.launch_hook.then(|| Hook::new(now));
        }
        if seen.target == Some(Target::Terminated) {
            self.launch = None;
            if self.rules.terminate_hook && before != seen.target {
                self.terminate = Some(Hook::new(now));
            }
        }
    }

    fn going(&mut self, seen: &Seen) -> Option<Act> {
        if let Some(at) = seen.leave_by.filter(|_| !self.taken) {
            self.taken = true;
            return Some(Act::LeaveBy(at));
        }
        if seen.target == Some(Target::Terminated) && !self.told_to_go {
            self.told_to_go = true;
            return Some(Act::Leave);
        }
        None
    }

    fn launching(&mut self, seen: &Seen, now: Instant) -> Option<Act> {
        let hook = self.launch.as_mut()?;
        let late = now.saturating_duration_since(hook.since) >= self.rules.boot;
        if seen.loaded || late {
            let act = if seen.loaded { Act::Launched } else { Act::Abandon };
            return (now >= hook.next).then_some(act);
        }
        let beat = now >= hook.beat;
        if beat {
            hook.beat = now + HEARTBEAT_EVERY;
        }
        beat.then_some(Act::Booting)
    }

    fn terminating(&mut self, seen: &Seen, now: Instant) -> Option<Act> {
        let hook = self.terminate.as_mut()?;
        if seen.drained {
            return (now >= hook.next).then_some(Act::Drained);
        }
        let beat = now >= hook.beat;
        if beat {
            hook.beat = now + HEARTBEAT_EVERY;
        }
        beat.then_some(Act::Draining)
    }

    /// Once ready, Ollama has been gone for too long; or it answers, and does not get its models into memory again for
    /// as long as a load may take besides.
    fn sick(&mut self, seen: &Seen, now: Instant) -> Option<Act> {
        self.served |= seen.loaded;
        let since = |gone: bool, since: Option<Instant>| gone.then(|| since.unwrap_or(now));
        self.silent_since = since(!seen.answers, self.silent_since);
        self.unloaded_since = since(!seen.loaded, self.unloaded_since);
        let longer = |since: Option<Instant>, than| {
            since.is_some_and(|since| now.saturating_duration_since(since) >= than)
        };
        let sick = longer(self.silent_since, self.rules.sick)
            || longer(self.unloaded_since, self.rules.sick + self.rules.load);
        let may = self.served && !seen.leaving && !self.told_sick && self.launch.is_none();
        (may && sick).then_some(Act::Unhealthy)
    }

    /// An act was tried.
    pub(super) fn done(&mut self, act: Act, outcome: Outcome, now: Instant) {
        let boot = self.rules.boot;
        match (act, outcome) {
            (Act::Launched | Act::Abandon, Outcome::Done) => self.launch = None,
            (Act::Launched | Act::Abandon, Outcome::Refused) => {
                // Not held yet, or no longer: a process that was started anew on a machine that has long served.
                let over = |hook: &Hook| now.saturating_duration_since(hook.since) >= boot;
                self.launch = self.launch.filter(|hook| !over(hook));
                self.launch.iter_mut().for_each(|hook| hook.refused(now));
            }
            (Act::Drained, Outcome::Done) => self.terminate = None,
            (Act::Drained, Outcome::Refused) => {
                self.terminate.iter_mut().for_each(|hook| hook.refused(now));
            }
            (Act::Unhealthy, Outcome::Done | Outcome::Refused) => self.told_sick = true,
            _ => {}
        }
    }

    /// What is still to be said when the process ends.
    pub(super) fn farewell(&self) -> Option<Act> {
        self.terminate.map(|_| Act::Drained)
    }
}
