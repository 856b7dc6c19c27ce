//! The fair, bounded queue. What it grants is a *place*: an upstream and a slot there, held by a [`Permit`].
//!
//! Ollama's own queue has no bound and no order, so no more requests are let in than it has slots; the others wait
//! here, where each caller gets an equal share of the work, urgent classes go first, and who leaves is gone. All
//! deciding is in `state` and below; here are the lock, the clock and the waking.

mod demand;
mod permit;
mod state;
mod line;
mod fair;
mod floors;
mod place;
mod rooms;
mod predict;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep_until};

pub use self::demand::{Demand, Patience, Reach, UpstreamId};
pub use self::permit::Permit;
pub(crate) use self::place::expected_rate;
use self::state::{Arrival, Grant, State, Ticket};
pub use self::state::{Load, Outlook};
use crate::config::settings;
use crate::error::Refusal;
use crate::identity::{Principal, Priority};
use crate::ollama::names::ModelName;

/// The queue of one process, shared by its cores.
pub struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
    /// Since when somebody can serve: how long a waiter may wait hangs on it.
    ready: watch::Sender<Option<Instant>>,
}

struct Inner {
    state: State,
    /// Where each waiter listens.
    seats: HashMap<Ticket, oneshot::Sender<Outcome>>,
}

type Outcome = Result<Permit, Refusal>;

/// A grant, and where its waiter listens.
struct Seated(Grant, Option<oneshot::Sender<Outcome>>);

impl Queue {
    /// An empty queue without places, in which requests wait as for somebody who can serve.
    pub fn new(config: &settings::Queue) -> Arc<Self> {
        let inner = Inner { state: State::new(config.clone()), seats: HashMap::new() };
        let ready = watch::Sender::new(None);
        let queue = Arc::new(Self { inner: Mutex::new(inner), changed: Notify::new(), ready });
        queue.set_ready(true);
        queue
    }

    /// Somebody can serve from now on, or nobody any more: what waits is held then, for as long as its
    /// [`Patience::hold`] says.
    pub fn set_ready(&self, ready: bool) {
        let since = self.with(|state, now| state.set_ready(ready, now));
        self.ready.send_if_modified(|before| std::mem::replace(before, since) != since);
    }

    /// How long somebody has been able to serve.
    pub fn ready_for(&self) -> Duration {
        self.ready.borrow().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// This process leaves: other nodes' slots are given before its own from now on; or it stays after all.
    pub fn set_leaving(&self, leaving: bool) {
        self.with(|state, _| state.set_leaving(leaving));
    }

    /// At most so many requests may be at another node at once, over all models. What runs there goes on.
    pub fn limit(self: &Arc<Self>, upstream: UpstreamId, most: usize) {
        let granted = self.lock().act(|state, now| state.limit(upstream, most, now));
        self.announce(granted);
    }

    /// Requests of this process that are at another node.
    pub fn taken(&self, upstream: UpstreamId) -> usize {
        self.with(|state, _| state.taken(upstream))
    }

    /// An upstream has the model in memory and runs `slots` requests of it at once: newly, or with another number.
    pub fn offer(self: &Arc<Self>, upstream: UpstreamId, model: &ModelName, slots: usize) {
        let granted = self.lock().act(|state, now| state.offer(upstream, model, slots, now));
        self.announce(granted);
        self.check(model);
    }

    /// The model has left that upstream's memory, or the upstream is gone: no grants there any more. Permits that
    /// were granted stay good until they drop.
    pub fn withdraw(self: &Arc<Self>, upstream: UpstreamId, model: &ModelName) {
        self.offer(upstream, model, 0);
    }

    /// Waits for a slot. Dropping the future leaves the queue at once; a grant on its way then goes to the next.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] at once when the queue, the caller's half of it or the predicted wait is over its
    /// bound, with the time after which there will be room; [`Refusal::TooLate`] at the demand's deadline; or what
    /// [`Queue::fail`] says.
    pub async fn place(self: &Arc<Self>, demand: Demand) -> Result<Permit, Refusal> {
        self.enter(demand)?.granted().await
    }

    /// Takes a demand in, or refuses it at once: the first half of [`Queue::place`], for who must know which.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`], as there.
    pub fn enter(self: &Arc<Self>, demand: Demand) -> Result<Entered, Refusal> {
        let (model, patience, since) = (demand.model.clone(), demand.patience, Instant::now());
        let (ticket, seat) = {
            let mut inner = self.lock();
            match inner.state.arrive(demand, since)? {
                Arrival::Granted(grant) => {
                    return Ok(Entered::Granted(Permit::new(Arc::clone(self), grant)));
                }
                Arrival::Waiting(ticket) => (ticket, inner.seat(ticket)),
            }
        };
        let waiting = Waiting { queue: Arc::clone(self), model, ticket, seat, since, patience };
        self.check(&waiting.model);
        Ok(Entered::Waiting(waiting))
    }

    /// Models that someone waits for in vain until they are loaded, the longest awaited first.
    pub fn wanted(&self) -> Vec<ModelName> {
        self.with(|state, _| state.wanted())
    }

    /// Returns when [`Queue::wanted`] may have gained a model since the last return. For one listener.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The model could not be loaded: everyone who waits for it is refused.
    pub fn fail(&self, model: &ModelName, refusal: Refusal) {
        let mut inner = self.lock();
        let dismissed = inner.state.dismiss(model);
        let seats: Vec<_> = dismissed.iter().filter_map(|ticket| inner.seats.remove(ticket)).collect();
        drop(inner);
        for seat in seats {
            // Who does not listen any more has left.
            let _ = seat.send(Err(refusal.clone()));
        }
    }

    /// What waits here that may be served elsewhere, by model.
    pub fn outlook(&self) -> Vec<Outlook> {
        self.with(|state, now| state.outlook(now))
    }

    /// How full the queue is and how fast it moves, over all models.
    pub fn load(&self) -> Load {
        self.with(|state, now| state.load(now))
    }

    /// How long a request of this caller would wait that arrived now; for a model without a place, from the moment
    /// that it has one.
    pub fn predicted_wait(&self, caller: &Principal, priority: Priority, model: &ModelName) -> Duration {
        let wait = self.with(|state, now| state.predicted_wait(caller, priority, model, now));
        Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX)
    }

    /// The same for whichever model that somebody uses or waits for has the longest line.
    pub fn longest_wait(&self, caller: &Principal, priority: Priority) -> Duration {
        let wait = self.with(|state, now| state.longest_wait(caller, priority, now));
        Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX)
    }

    fn release(self: &Arc<Self>, model: &ModelName, ticket: Ticket) {
        let granted = self.lock().act(|state, now| state.release(model, ticket, now));
        self.announce(granted);
    }

    /// A granted demand waits again.
    async fn again(self: &Arc<Self>, grant: &Grant) -> Outcome {
        let Grant { model, ticket, since, patience, .. } = grant;
        let (seat, granted) = {
            let mut inner = self.lock();
            let seat = inner.seat(*ticket);
            (seat, inner.act(|state, now| state.put_back(model, *ticket, now)))
        };
        let (queue, model) = (Arc::clone(self), model.clone());
        let waiting = Waiting { queue, model, ticket: *ticket, seat, since: *since, patience: *patience };
        self.announce(granted);
        self.check(&waiting.model);
        waiting.outcome().await
    }

    /// Hands out permits, outside the lock: one that nobody takes any more drops here, which takes the lock again
    /// and grants the slot to the next.
    fn announce(self: &Arc<Self>, granted: Vec<Seated>) {
        for Seated(grant, seat) in granted {
            let permit = Permit::new(Arc::clone(self), grant);
            // Without a seat, or with one that nobody sits on any more, the permit drops here.
            let _unused = match seat {
                Some(seat) => seat.send(Ok(permit)),
                None => Err(Ok(permit)),
            };
        }
    }

    /// Wakes whoever loads models, if this one is wanted.
    fn check(&self, model: &ModelName) {
        if self.with(|state, _| state.wants(model)) {
            self.changed.notify_one();
        }
    }

    fn with<T>(&self, decide: impl FnOnce(&mut State, Instant) -> T) -> T {
        decide(&mut self.lock().state, Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn seat(&mut self, ticket: Ticket) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        self.seats.insert(ticket, sender);
        receiver
    }

    /// Lets the state decide, and finds the seats of those who were granted a slot.
    fn act<G>(&mut self, decide: impl FnOnce(&mut State, Instant) -> G) -> Vec<Seated>
    where
        G: IntoIterator<Item = Grant>,
    {
        let mut seated = Vec::new();
        for grant in decide(&mut self.state, Instant::now()) {
            let seat = self.seats.remove(&grant.ticket);
            seated.push(Seated(grant, seat));
        }
        seated
    }
}

/// A demand that was taken in. Dropping it leaves the queue at once.
#[must_use]
pub enum Entered {
    /// A slot was free.
    Granted(Permit),
    /// It has to wait for one.
    Waiting(Waiting),
}

impl Entered {
    /// Waits for a slot, if it has to.
    ///
    /// # Errors
    /// [`Refusal::TooLate`], or what [`Queue::fail`] says.
    pub async fn granted(self) -> Result<Permit, Refusal> {
        match self {
            Self::Granted(permit) => Ok(permit),
            Self::Waiting(waiting) => waiting.outcome().await,
        }
    }
}

/// A waiter's side of the queue. It leaves when it drops; if it was granted a slot by then, the permit lies in the
/// seat and drops with it.
pub struct Waiting {
    queue: Arc<Queue>,
    model: ModelName,
    ticket: Ticket,
    seat: oneshot::Receiver<Outcome>,
    since: Instant,
    patience: Patience,
}

impl Waiting {
    async fn outcome(mut self) -> Outcome {
        let mut ready = self.queue.ready.subscribe();
        loop {
            let since = *ready.borrow_and_update();
            let deadline = self.patience.deadline(self.since, since);
            tokio::select! {
                biased;
                // The seat is only ever given up together with an outcome.
                outcome = &mut self.seat => return outcome.unwrap_or(Err(Refusal::Bug)),
                () = sleep_until(deadline) => return Err(too_late(since.is_some())),
                // The queue holds the sender, and this the queue.
                _ = ready.changed() => {}
            }
        }
    }
}

fn too_late(ready: bool) -> Refusal {
    let text = if ready {
        "no slot became free in the time this request may wait; try again later"
    } else {
        "no node became ready in the time this request may wait; try again later"
    };
    Refusal::TooLate(text.to_owned())
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.queue.lock();
        inner.state.leave(&self.model, self.ticket);
        inner.seats.remove(&self.ticket);
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("load", &self.load()).finish()
    }
}
