//! An Ollama that costs next to nothing: raw sockets, answers made beforehand, one thread of its own.
//!
//! It lives in the load generator's process, so that a token's birth, its arrival, a client's leaving and the moment
//! the upstream notices stand on one clock. What a request gets is said by its model's name ([`Scene`]).

mod answer;
mod connection;
mod request;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::nanos;

pub use self::answer::STAMP_FROM_END;

/// Time between two tokens of a paced stream: 40 tokens a second.
pub const GAP: Duration = Duration::from_millis(25);
/// Tokens of a paced stream: two and a half seconds.
pub const PACED_TOKENS: u64 = 100;
/// Tokens of a burst stream.
const BURST_TOKENS: u64 = 2000;
/// How long the upstream may take to notice that its client is gone before that counts as lost.
pub const NOTICE_WITHIN: Duration = Duration::from_secs(5);

/// What a request gets. Each is a model of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// One small whole answer at once.
    Short,
    /// A token every [`GAP`].
    Paced,
    /// [`BURST_TOKENS`] as fast as they are taken.
    Burst,
    /// One token, then silence.
    Held,
    /// Nothing at all until the client goes.
    Prefill,
    /// Tokens as fast as they are taken, for ever.
    Endless,
}

impl Scene {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Short, Self::Paced, Self::Burst, Self::Held, Self::Prefill, Self::Endless];

    /// The model that stands for it.
    pub fn model(self) -> &'static str {
        match self {
            Self::Short => "bench-short:latest",
            Self::Paced => "bench-paced:latest",
            Self::Burst => "bench-burst:latest",
            Self::Held => "bench-held:latest",
            Self::Prefill => "bench-prefill:latest",
            Self::Endless => "bench-endless:latest",
        }
    }
}

/// A running fake, on a free port of loopback. It runs as long as the process.
#[derive(Clone)]
pub struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Requests being answered.
    open: AtomicUsize,
    numbered: Mutex<Numbered>,
}

/// Requests that carry a number, so that their end can be told.
#[derive(Default)]
struct Numbered {
    arrived: HashSet<u64>,
    gone: HashMap<u64, u64>,
}

impl Fake {
    /// Starts it on a thread of its own.
    ///
    /// # Errors
    /// Where no port or no runtime can be had.
    pub fn start() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("listening for the fake Ollama")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = shared.clone();
        std::thread::Builder::new()
            .name("fake".into())
            .spawn(move || runtime.block_on(accept(listener, serving)))?;
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has the request of this number come?
    pub fn has_arrived(&self, number: u64) -> bool {
        self.shared.numbered().arrived.contains(&number)
    }

    /// When its client's leaving was noticed, on the clock of [`nanos`].
    pub fn noticed(&self, number: u64) -> Option<u64> {
        self.shared.numbered().gone.get(&number).copied()
    }

    /// Waits until nothing is being answered; returns what still is after [`NOTICE_WITHIN`].
    pub async fn idle(&self) -> usize {
        let until = tokio::time::Instant::now() + NOTICE_WITHIN;
        loop {
            let open = self.shared.open.load(Relaxed);
            if open == 0 || tokio::time::Instant::now() > until {
                return open;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Shared {
    fn numbered(&self) -> MutexGuard<'_, Numbered> {
        self.numbered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrived(&self, number: Option<u64>) {
        if let Some(number) = number {
            self.numbered().arrived.insert(number);
        }
    }

    fn gone(&self, number: Option<u64>) {
        let at = nanos();
        if let Some(number) = number {
            self.numbered().gone.insert(number, at);
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        connections.spawn(connection::serve(stream, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}
