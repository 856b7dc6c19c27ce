//! One gateway process: what all its runtimes share, what runs beside the requests, and how it is served.

use std::sync::Arc;
use std::time::Duration;

use fleet::shutdown::Tasks;
use fleet::store::Store;
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::connection::accept;
use crate::connection::clock;
use crate::connection::handshake::Certificate;
use crate::connection::serve::Server;
use crate::conversations::archive::Archive;
use crate::conversations::{Room, housekeeping};
use crate::drain::{Drain, Phase};
use crate::error::Refusal;
use crate::history::History;
use crate::identity::{Denials, Identity};
use crate::instance::Machine;
use crate::metrics::{Metrics, Present};
use crate::ollama::known::Known;
use crate::ollama::models::Keeper;
use crate::ollama::pace::Pace;
use crate::page::Page;
use crate::peers::{Catalogue, Places, Roster};
use crate::report::{Activity, Reporter};
use crate::request::account::Books;
use crate::request::cors::Cors;
use crate::request::limit::{Bodies, FleetQuota, Limiter};
use crate::request::queue::Queue;
use crate::request::relay::Rules;
use crate::request::{Core, Journey};
use crate::substitute;
use crate::translate::Kept;
use crate::trust::{Peers, Trust};
use crate::wake::Wake;
use crate::wishes::{Converge, Wishes};

/// How often tables forget what is idle and histograms are folded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// What all runtimes of a process share.
pub struct Shared {
    /// The checked configuration.
    pub config: Config,
    /// Who is who.
    pub identity: Identity,
    /// Which peers are believed, and the key by which they believe us.
    pub trust: Arc<Trust>,
    /// Who is shut out.
    pub denials: Arc<Denials>,
    /// Which pages may call.
    pub cors: Cors,
    /// Requests per minute, open requests.
    pub limiter: Limiter,
    /// Tokens and requests per minute, of the whole fleet.
    pub quota: FleetQuota,
    /// When the fleet was last needed.
    pub activity: Activity,
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
    /// What the fleet is doing, and how it is woken.
    pub wake: Arc<Wake>,
    /// The other gateways of the fleet.
    pub roster: Arc<Roster>,
    /// What may be sent to them.
    pub places: Arc<Places>,
    /// Where the models are.
    pub models: Models,
    /// Which models the fleet should have.
    pub wishes: Arc<Wishes>,
    /// A node's way there; `None` in a front.
    pub converge: Option<Arc<Converge>>,
    /// Keys, denials, usage.
    pub store: Arc<dyn Store>,
    /// The page, where one is configured.
    pub page: Option<Page>,
    /// The fleet's last hours.
    pub history: History,
    /// Translated files that wait to be fetched.
    pub translated: Kept,
    /// Answers that are being written into conversations.
    pub conversations: Room,
    /// The older part of conversations, and both parts as one.
    pub archive: Archive,
}

/// Where a process has its models.
pub enum Models {
    /// A node: in the local Ollama.
    Here(Arc<Keeper>),
    /// A front: at its nodes.
    Elsewhere(Box<Catalogue>),
}

impl Shared {
    /// The local Ollama's keeper.
    ///
    /// # Errors
    /// 503 in a process without a local Ollama.
    pub fn keeper(&self) -> Result<&Arc<Keeper>, Refusal> {
        match &self.models {
            Models::Here(keeper) => Ok(keeper),
            Models::Elsewhere(_) => {
                Err(Refusal::Overloaded { what: "no node is ready", retry_after: Duration::from_secs(30) })
            }
        }
    }

    /// What is known of the models, here or at the nodes.
    pub fn known(&self) -> Arc<Known> {
        match &self.models {
            Models::Here(keeper) => keeper.known(),
            Models::Elsewhere(catalogue) => catalogue.known(),
        }
    }

    /// May requests be sent here?
    pub fn is_ready(&self) -> bool {
        self.drain.phase() == Phase::Serving && self.keeper().ok().is_none_or(|keeper| keeper.is_ready())
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
    /// The machine, where it is a group's; found when the process begins to run.
    machine: Arc<OnceCell<Option<Machine>>>,
}

impl Gateway {
    /// Builds a gateway; opens no socket.
    ///
    /// # Errors
    /// An unreadable certificate, and what `Identity` refuses.
    pub fn new(config: Config, store: Arc<dyn Store>, tasks: Tasks) -> anyhow::Result<Self> {
        Self::build(None, config, store, tasks)
    }

    /// The same, believing `peers` instead of those who report to the store.
    ///
    /// # Errors
    /// As [`Gateway::new`].
    pub fn among(
        peers: Arc<dyn Peers>,
        config: Config,
        store: Arc<dyn Store>,
        tasks: Tasks,
    ) -> anyhow::Result<Self> {
        Self::build(Some(peers), config, store, tasks)
    }

    fn build(
        peers: Option<Arc<dyn Peers>>,
        config: Config,
        store: Arc<dyn Store>,
        tasks: Tasks,
    ) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new()?);
        let queue = Queue::new(&config.queue);
        let ollama = config.ollama.clone().unwrap_or_default();
        let keeper = config.ollama.as_ref();
        let keeper = keeper.map(|ollama| Keeper::new(ollama, queue.clone(), metrics.clone(), tasks.clone()));
        let certificate = Certificate::new(config.tls.as_ref())?;
        let connections = accept::connection_cap(config.listen.connections);
        let wake = Arc::new(Wake::new(&config, store.clone(), queue.clone(), keeper.clone()));
        let roster = Roster::new(&config.fleet, store.clone());
        let trust = Arc::new(Trust::new(&config.fleet.node, peers.unwrap_or_else(|| roster.clone()))?);
        let places = Places::new(queue.clone(), roster.clone(), keeper.is_none());
        let models = match keeper {
            Some(keeper) => Models::Here(keeper),
            None => Models::Elsewhere(Box::new(Catalogue::new(
                &config.fleet,
                store.clone(),
                trust.clone(),
                roster.clone(),
                places.clone(),
            ))),
        };
        let wishes = Wishes::new(&config.fleet, store.clone());
        let converge = match &models {
            Models::Here(keeper) => Some(Arc::new(Converge::new(&ollama, wishes.clone(), keeper.clone()))),
            Models::Elsewhere(_) => None,
        };
        let ready = roster.clone();
        let shared = Shared {
            identity: Identity::new(&config, store.clone(), &tasks)?,
            trust,
            denials: Arc::new(Denials::new(store.clone())),
            cors: Cors::new(&config.access.allowed_origins),
            limiter: Limiter::default(),
            quota: FleetQuota::new(store.clone(), Arc::new(move || 1 + ready.ready_nodes()), metrics.clone()),
            activity: Activity::default(),
            bodies: Bodies::new(&config.queue),
            queue,
            pace: Arc::new(Pace::new(&ollama)),
            rules: Rules::new(&config.limits, &config.queue),
            books: Arc::new(Books::new(metrics.clone(), store.clone())),
            metrics,
            drain: Drain::new(&config.drain),
            tasks,
            wake,
            roster,
            places,
            models,
            wishes,
            converge,
            store,
            page: config.ui.directory.as_deref().map(Page::read).transpose()?,
            history: History::default(),
            translated: Kept::new(&config.translate),
            conversations: Room::default(),
            archive: Archive::open(&config.conversations)?,
            config,
        };
        Ok(Self { shared: Arc::new(shared), certificate, connections, machine: Arc::default() })
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
            self.shared.conversations.quiet(&self.shared.drain).await; // an answer outlives its connection
            // The first runtime also counts the deadline: none leaves before the last.
            serving.over().await;
        };
        tokio::select! {
            () = served => {}
            () = journey.core.sweeper.run(tick) => {}
        }
        Ok(())
    }

    /// What runs beside the requests, once per process, until it is dropped: models, certificate, usage,
    /// settlements, reports, upkeep.
    pub async fn background(&self) {
        let models = async {
            match &self.shared.models {
                Models::Here(keeper) => {
                    let converge = futures_util::future::OptionFuture::from(
                        self.shared.converge.as_ref().map(|converge| Box::pin(converge.run())),
                    );
                    tokio::join!(keeper.clone().run(), converge);
                }
                Models::Elsewhere(catalogue) => catalogue.run().await,
            }
        };
        let shared = &self.shared;
        let holding = || shared.queue.load().queued > 0;
        let leaving = || shared.drain.phase() != Phase::Serving;
        let (store, certificate) = (shared.store.clone(), self.certificate.clone());
        let reporter = Reporter::new(shared.clone(), store, certificate, shared.trust.key().public());
        tokio::join!(
            models,
            shared.roster.run(holding),
            shared.places.run(leaving),
            self.certificate.keep_fresh(),
            self.shared.books.usage.keep_writing(),
            self.shared.wake.run(),
            self.shared.quota.keep_settling(),
            reporter.run(),
            self.shared.denials.keep_fresh(),
            Box::pin(self.live_in_group()),
            Box::pin(self.stand_in()),
            Box::pin(housekeeping::run(shared)),
            shared.history.run(shared.store.clone(), &shared.config.fleet.name, shared.keeper().is_err()),
            self.upkeep(),
        );
    }

    /// The process has served to its end: writes what is not written yet, and lets a machine go that its group ends.
    pub async fn farewell(&self) {
        self.shared.books.usage.write().await;
        self.shared.quota.settle().await;
        if let Some(Some(machine)) = self.machine.get() {
            machine.farewell().await;
        }
    }

    /// Keeps the group of this machine informed, if it has one.
    async fn live_in_group(&self) {
        let machine = self.machine.get_or_init(|| Machine::of(&self.shared.config)).await;
        if let Some(machine) = machine {
            machine.run(&self.shared).await;
        }
    }

    /// Publishes in the place of a scaler that is gone, if metrics are on.
    async fn stand_in(&self) {
        if let Some(publish) = substitute::publisher(&self.shared.config).await {
            substitute::run(&self.shared, self.shared.store.clone(), publish).await;
        }
    }

    async fn upkeep(&self) {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            self.shared.metrics.upkeep();
            self.shared.limiter.sweep();
            self.shared.quota.sweep();
            self.shared.translated.sweep();
        }
    }
}
