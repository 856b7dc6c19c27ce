//! One gateway process: what all its runtimes share, what runs beside the requests, and how it is served.

use std::sync::Arc;
use std::time::Duration;

use fleet::shutdown::Tasks;
use fleet::store::Store;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::connection::accept;
use crate::connection::clock;
use crate::connection::handshake::Certificate;
use crate::connection::serve::Server;
use crate::drain::Drain;
use crate::error::Refusal;
use crate::identity::Identity;
use crate::metrics::{Metrics, Present};
use crate::ollama::models::Keeper;
use crate::ollama::pace::Pace;
use crate::request::account::Books;
use crate::request::cors::Cors;
use crate::request::limit::{Bodies, InMemory, Limiter};
use crate::request::queue::Queue;
use crate::request::relay::Rules;
use crate::request::{Core, Journey};
use crate::usage::UsageLedger;

/// How often tables forget what is idle and histograms are folded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// What all runtimes of a process share.
pub struct Shared {
    /// The checked configuration.
    pub config: Config,
    /// Who is who.
    pub identity: Identity,
    /// Which pages may call.
    pub cors: Cors,
    /// Requests per minute, open requests.
    pub limiter: Limiter,
    /// Tokens per minute.
    pub quota: InMemory,
    /// Bytes of all bodies.
    pub bodies: Arc<Bodies>,
    /// Who waits.
    pub queue: Arc<Queue>,
    /// How fast the models are.
    pub pace: Arc<Pace>,
    /// Times and rates of relays.
    pub rules: Rules,
    /// Metrics, log and usage of finished requests.
    pub books: Arc<Books>,
    /// The same metrics.
    pub metrics: Arc<Metrics>,
    /// How far the leaving has come.
    pub drain: Drain,
    /// Everything spawned.
    pub tasks: Tasks,
    keeper: Option<Arc<Keeper>>,
}

impl Shared {
    /// The local Ollama's keeper.
    ///
    /// # Errors
    /// 503 in a process without a local Ollama.
    pub fn keeper(&self) -> Result<&Arc<Keeper>, Refusal> {
        self.keeper
            .as_ref()
            .ok_or(Refusal::Overloaded { what: "no node is ready", retry_after: Duration::from_secs(30) })
    }

    /// May requests be sent here?
    pub fn is_ready(&self) -> bool {
        self.drain.phase() == crate::drain::Phase::Serving
            && self.keeper.as_ref().is_none_or(|keeper| keeper.is_ready())
    }

    /// What the metrics show as it is now.
    pub fn present(&self) -> Present {
        let load = self.queue.load();
        Present {
            slots: load.slots,
            busy: load.busy,
            queued: load.queued,
            queued_work: load.queued_work_seconds,
            ready: self.is_ready(),
        }
    }
}

/// A gateway, built and not yet serving. Clones serve on further runtimes.
#[derive(Clone)]
pub struct Gateway {
    /// What its runtimes share.
    pub shared: Arc<Shared>,
    certificate: Arc<Certificate>,
    connections: Arc<Semaphore>,
}

impl Gateway {
    /// Builds a gateway; opens no socket.
    ///
    /// # Errors
    /// An unreadable certificate, and what `Identity` refuses.
    pub fn new(config: Config, store: Arc<dyn Store>, tasks: Tasks) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new()?);
        let queue = Queue::new(&config.queue);
        let ollama = config.ollama.clone().unwrap_or_default();
        let keeper = config.ollama.as_ref();
        let keeper = keeper.map(|ollama| Keeper::new(ollama, queue.clone(), metrics.clone(), tasks.clone()));
        let certificate = Certificate::new(config.tls.as_ref())?;
        let connections = accept::connection_cap(config.listen.connections);
        let shared = Shared {
            identity: Identity::new(&config, store.clone(), &tasks)?,
            cors: Cors::new(&config.access.allowed_origins),
            limiter: Limiter::default(),
            quota: InMemory::default(),
            bodies: Bodies::new(&config.queue),
            queue,
            pace: Arc::new(Pace::new(&ollama)),
            rules: Rules::new(&config.limits, &config.queue),
            books: Arc::new(Books { metrics: metrics.clone(), usage: UsageLedger::new(store) }),
            metrics,
            drain: Drain::new(&config.drain),
            tasks,
            keeper,
            config,
        };
        Ok(Self { shared: Arc::new(shared), certificate, connections })
    }

    /// Serves `listener` on the caller's runtime until the drain is over. Run it once per core, on clones of one
    /// listener.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub async fn serve(&self, listener: TcpListener) -> anyhow::Result<()> {
        let journey = Arc::new(Journey { shared: self.shared.clone(), core: Core::default() });
        let server = Arc::new(Server {
            shared: self.shared.clone(),
            journey: journey.clone(),
            tls: TlsAcceptor::from(self.certificate.server_config()?),
            connections: self.connections.clone(),
        });
        let tick = clock::tick(&self.shared.config.limits);
        let serving = self.shared.drain.serving();
        let served = async {
            accept::serve(server, listener).await;
            // The first runtime also counts the deadline: none leaves before the last.
            serving.over().await;
        };
        tokio::select! {
            () = served => {}
            () = journey.core.sweeper.run(tick) => {}
        }
        Ok(())
    }

    /// What runs beside the requests, once per process, until it is dropped: models, certificate, usage, upkeep.
    pub async fn background(&self) {
        let keeper = async {
            match &self.shared.keeper {
                Some(keeper) => keeper.clone().run().await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(
            keeper,
            self.certificate.keep_fresh(),
            self.shared.books.usage.keep_writing(),
            self.upkeep(),
        );
    }

    async fn upkeep(&self) {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            self.shared.metrics.upkeep();
            self.shared.limiter.sweep();
            self.shared.quota.sweep();
        }
    }
}
