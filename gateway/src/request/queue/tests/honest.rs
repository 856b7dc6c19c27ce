//! Never more permits than slots, never a slot lost, never a waiter beside a free slot: whatever the interleaving.

use super::*;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

type Placing = Pin<Box<dyn Future<Output = Outcome>>>;

/// A queue with two upstreams and two models, and everything that anyone may do to it, at random.
struct Chaos {
    queue: Arc<Queue>,
    random: fastrand::Rng,
    slots: HashMap<(UpstreamId, ModelName), usize>,
    waiting: Vec<(ModelName, Placing)>,
    permits: Vec<(ModelName, Permit)>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        Self {
            queue: Queue::new(&config()),
            random: fastrand::Rng::with_seed(seed),
            slots: HashMap::new(),
            waiting: Vec::new(),
            permits: Vec::new(),
        }
    }

    fn model(&mut self) -> ModelName {
        model(["m", "n"][self.random.usize(0..2)])
    }

    fn step(&mut self) {
        match self.random.u32(0..100) {
            0..40 => self.arrive(),
            40..50 => {
                if let Some(index) = self.pick(self.waiting.len()) {
                    drop(self.waiting.swap_remove(index));
                }
            }
            50..80 => {
                if let Some(index) = self.pick(self.permits.len()) {
                    let (_, mut permit) = self.permits.swap_remove(index);
                    permit.settle(self.random.f64() * 5.0, Duration::from_secs(1));
                }
            }
            80..85 => self.hand_back(),
            85..93 => self.poll(),
            _ => self.offer(),
        }
        // Grants may lie unread in their seats; only sometimes are they read at once.
        if self.random.bool() {
            self.poll();
        }
    }

    fn pick(&mut self, len: usize) -> Option<usize> {
        (len > 0).then(|| self.random.usize(0..len))
    }

    fn arrive(&mut self) {
        let (queue, model) = (Arc::clone(&self.queue), self.model());
        let name = format!("{}", self.random.u32(0..6));
        let priority = floors::CLASSES[self.random.usize(0..3)];
        let demand = Demand { model: model.clone(), priority, ..demand(&name, self.random.f64() * 9.0) };
        self.start(model, Box::pin(async move { queue.place(demand).await }));
    }

    fn hand_back(&mut self) {
        if let Some(index) = self.pick(self.permits.len()) {
            let (model, permit) = self.permits.swap_remove(index);
            self.start(model, Box::pin(permit.hand_back()));
        }
    }

    fn offer(&mut self) {
        let (upstream, model) = (UpstreamId(self.random.u32(0..2)), self.model());
        let slots = self.random.usize(0..5);
        self.slots.insert((upstream, model.clone()), slots);
        self.queue.offer(upstream, &model, slots);
    }

    fn start(&mut self, model: ModelName, mut placing: Placing) {
        match placing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => self.permits.push((model, outcome.unwrap())),
            Poll::Pending => self.waiting.push((model, placing)),
        }
    }

    fn poll(&mut self) {
        for (model, placing) in std::mem::take(&mut self.waiting) {
            self.start(model, placing);
        }
    }

    /// Everything that must hold at any moment at which no grant lies unread.
    fn check(&mut self, grown: &HashMap<(UpstreamId, ModelName), usize>) {
        self.poll();
        let load = self.queue.load();
        assert_eq!(load.busy, self.permits.len(), "busy slots are the permits out");
        assert_eq!(load.queued, self.waiting.len(), "who waits is known, who left is not");
        assert_eq!(self.queue.lock().seats.len(), self.waiting.len());
        let held = self.held();
        for (place, held) in &held {
            let most =
                self.slots.get(place).copied().unwrap_or(0).max(grown.get(place).copied().unwrap_or(0));
            assert!(*held <= most, "{held} permits at a place of {most}");
        }
        for (place, slots) in &self.slots {
            let free = held.get(place).copied().unwrap_or(0) < *slots;
            assert!(!free || self.waiting.iter().all(|(model, _)| *model != place.1), "forgotten waiter");
        }
    }

    /// Permits out, by place.
    fn held(&self) -> HashMap<(UpstreamId, ModelName), usize> {
        let mut held = HashMap::new();
        for (model, permit) in &self.permits {
            *held.entry((permit.upstream(), model.clone())).or_default() += 1;
        }
        held
    }
}

#[tokio::test(start_paused = true)]
async fn slots_are_honest_under_random_operations() {
    // Unconstrained: one task that polls hundreds of seats would else be told to yield, not that it was granted.
    tokio::task::unconstrained(async {
        for seed in 0..60 {
            let mut chaos = Chaos::new(seed);
            for _ in 0..1000 {
                // A place may have shrunk below what runs there; that only ever goes down.
                let before = chaos.held();
                chaos.step();
                chaos.check(&before);
            }
            chaos.waiting.clear();
            chaos.permits.clear();
            let load = chaos.queue.load();
            assert_eq!((load.busy, load.queued), (0, 0), "all slots come back");
            assert_eq!(chaos.queue.lock().state.flows(), 0);
        }
    })
    .await;
}

#[test]
fn slots_are_honest_between_threads() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let queue = Queue::new(&config());
    queue.offer(HERE, &model("m"), 3);
    let (running, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for core in 0..4 {
            let (queue, running, most, done) = (&queue, &running, &most, &done);
            threads.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let one = |index: u64| async move {
                    let placing = queue.place(demand(&format!("{core}"), 1.0));
                    let patience = Duration::from_micros(50 * (index % 40));
                    let Ok(permit) = tokio::time::timeout(patience, placing).await else { return };
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                    done.fetch_add(1, Ordering::SeqCst);
                };
                for round in 0..100 {
                    runtime.block_on(futures_util::future::join_all((0..20).map(|i| one(i + round))));
                }
            });
        }
    });
    assert!(most.into_inner() <= 3);
    assert!(done.into_inner() > 0);
    let load = queue.load();
    assert_eq!((load.slots, load.busy, load.queued), (3, 0, 0));
}
