//! Every key of `gateway.toml`: one struct per section, the doc comment of each field gives default and unit.
//! Durations are in seconds and may have a fraction.

mod access;
mod conversations;
mod translate;
mod costs;
mod catalogue;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fleet::config::seconds;
use fleet::store::StoreSettings;
use serde::Deserialize;

pub use self::access::{Access, Issuer, IssuerKind, Role};
pub use self::catalogue::Catalogue;
pub use self::conversations::Conversations;
pub use self::costs::Costs;
pub use self::translate::{Translate, Ui};
use super::instance::{Instance, Metrics};

/// The whole of `gateway.toml`.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub struct Config {
    /// `[listen]`: addresses and the connection cap.
    pub listen: Listen,
    /// `[tls]`: omitted, a self-signed certificate is made in memory.
    pub tls: Option<Tls>,
    /// `[ollama]`: omitted in the front.
    pub ollama: Option<Ollama>,
    /// `[[issuers]]`: whose tokens are taken.
    pub issuers: Vec<Issuer>,
    /// `[access]`: hosts, networks, origins.
    pub access: Access,
    /// `[roles.<name>]`: what callers may; `user` is everyone with a valid token.
    pub roles: BTreeMap<String, Role>,
    /// `[limits]`: sizes and times of one request or connection.
    pub limits: Limits,
    /// `[queue]`: who waits, how many, how long.
    pub queue: Queue,
    /// `[store]`: where keys and usage live.
    pub store: StoreSettings,
    /// `[fleet]`: which fleet this is.
    pub fleet: Fleet,
    /// `[drain]`: how a process leaves.
    pub drain: Drain,
    /// `[instance]`: the machine, where a group launches and ends it.
    pub instance: Instance,
    /// `[metrics]`: what is published while no scaler does.
    pub metrics: Metrics,
    /// `[translate]`: how texts and files are translated.
    pub translate: Translate,
    /// `[conversations]`: what people and models said to each other.
    pub conversations: Conversations,
    /// `[ui]`: the page.
    pub ui: Ui,
    /// `[costs]`: prices, and whether Cost Explorer is asked.
    pub costs: Costs,
    /// `[catalogue]`: models that are offered.
    pub catalogue: Catalogue,
    /// `[log]`: how much is said.
    pub log: Log,
}

impl Config {
    /// Where peers reach this gateway, `host:port`; `None` where nothing says.
    pub fn peer_address(&self) -> Option<String> {
        let listen = self.listen.address;
        let listens = (!listen.ip().is_unspecified() && listen.port() != 0).then(|| listen.to_string());
        self.fleet.address.clone().or(listens)
    }
}

/// `[listen]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Listen {
    /// The TLS listener. Default `0.0.0.0:8443`.
    pub address: SocketAddr,
    /// The plain listener for `/metrics`, loopback only. Default `127.0.0.1:9090`.
    pub admin: SocketAddr,
    /// Open connections at once; lowered with a warning where file descriptors do not suffice. Default 20000.
    pub connections: usize,
    /// Runtimes, one thread each. Default: one per core.
    pub cores: Option<usize>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: ([0, 0, 0, 0], 8443).into(),
            admin: ([127, 0, 0, 1], 9090).into(),
            connections: 20_000,
            cores: None,
        }
    }
}

/// `[tls]`: PEM files, read again when they change.
#[derive(Debug, Clone, Deserialize)]
pub struct Tls {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// Its private key (PKCS#8, SEC1 or PKCS#1).
    pub private_key: PathBuf,
}

/// `[ollama]`: the local model server.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Ollama {
    /// Its address; plain HTTP, loopback in production. Default `http://127.0.0.1:11434`.
    pub url: String,
    /// Slots per loaded model: the `OLLAMA_NUM_PARALLEL` it runs with. Default 4.
    pub parallel: usize,
    /// Models loaded at start and kept; all of them are needed for readiness. Default none.
    pub models: Vec<String>,
    /// Command and arguments that fetch a model in the place of Ollama's own pull, as from a bucket; `{name}` and
    /// `{source}` are replaced. It ends once Ollama has the model, or fails and says why on its last line of stderr;
    /// lines of two numbers on stdout are bytes done and bytes in all. Default: none, Ollama pulls.
    pub fetch_command: Vec<String>,
    /// Where Ollama keeps its models, on a disk of this machine: how much of it is free is told to who pulls. Default
    /// none: nobody knows.
    pub models_directory: Option<PathBuf>,
    /// Bytes of GPU memory, where the gateway may not ask the driver. Default none: `nvidia-smi` is asked at the start.
    pub gpu_memory_bytes: Option<u64>,
    /// Longest load of a model, in seconds. Default 600: twice a cold 70B from network storage.
    #[serde(deserialize_with = "seconds")]
    pub load_seconds: Duration,
    /// A granted slot without a first byte for this long, while the model is in memory, is stuck: the model is
    /// unloaded and loaded again. Default 120.
    #[serde(deserialize_with = "seconds")]
    pub stuck_seconds: Duration,
    /// Prompt tokens a second of an idle node, the start of the estimate of work. Default 1000 (a T4, 7B Q4).
    pub prefill_tokens_per_second: f64,
    /// Generated tokens a second of one stream on an idle node. Default 40 (a T4, 7B Q4).
    pub decode_tokens_per_second: f64,
}

impl Default for Ollama {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:11434".to_owned(),
            parallel: 4,
            models: Vec::new(),
            fetch_command: Vec::new(),
            models_directory: None,
            gpu_memory_bytes: None,
            load_seconds: Duration::from_secs(600),
            stuck_seconds: Duration::from_secs(120),
            prefill_tokens_per_second: 1000.0,
            decode_tokens_per_second: 40.0,
        }
    }
}

/// `[limits]`: none is off by default.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// A streamed answer, from the first byte forwarded to the last. Default 900 s.
    #[serde(deserialize_with = "seconds")]
    pub stream_seconds: Duration,
    /// An answer that is not streamed: queue, load and generation. Default 280 s; Node and the ALB give up at 300.
    #[serde(deserialize_with = "seconds")]
    pub answer_seconds: Duration,
    /// Tokens an answer may have; what asks for more, or for no limit, gets this. Default 16384: whole answers then
    /// fit into the buffers between engine and gateway.
    pub output_tokens: u32,
    /// Body of an inference request. Default 32 MiB (images).
    pub body_bytes: u64,
    /// Header fields. Default 100.
    pub headers: usize,
    /// Bytes of the head. Default 32768.
    pub header_bytes: usize,
    /// Bytes of the request target. Default 8192.
    pub uri_bytes: usize,
    /// Streams of one HTTP/2 connection. Default 100, at most 256.
    pub h2_streams: u32,
    /// TLS handshake. Default 5 s.
    #[serde(deserialize_with = "seconds")]
    pub handshake_seconds: Duration,
    /// A request's head, first byte to last. Default 5 s.
    #[serde(deserialize_with = "seconds")]
    pub header_seconds: Duration,
    /// Silence within a request body. Default 15 s.
    #[serde(deserialize_with = "seconds")]
    pub body_idle_seconds: Duration,
    /// Slowest body, measured over `body_idle_seconds`. Default 1024 B/s.
    pub body_bytes_per_second: u64,
    /// A kept-alive connection without a request. Default 330 s: longer than the ALB's 300.
    #[serde(deserialize_with = "seconds")]
    pub idle_seconds: Duration,
    /// Over how long a reader's rate is measured. Default 30 s.
    #[serde(deserialize_with = "seconds")]
    pub write_stall_seconds: Duration,
    /// Slowest reader. Default 1024 B/s.
    pub write_bytes_per_second: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stream_seconds: Duration::from_secs(900),
            answer_seconds: Duration::from_secs(280),
            output_tokens: 16_384,
            body_bytes: 32 << 20,
            headers: 100,
            header_bytes: 32_768,
            uri_bytes: 8192,
            h2_streams: 100,
            handshake_seconds: Duration::from_secs(5),
            header_seconds: Duration::from_secs(5),
            body_idle_seconds: Duration::from_secs(15),
            body_bytes_per_second: 1024,
            idle_seconds: Duration::from_secs(330),
            write_stall_seconds: Duration::from_secs(30),
            write_bytes_per_second: 1024,
        }
    }
}

/// `[queue]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// Requests waiting at once. Default 512.
    pub capacity: usize,
    /// Bodies waiting or being read, together. Default 1 GiB.
    pub bytes: u64,
    /// Longest wait, and the longest predicted wait taken in. Default 300 s, from the moment a node is ready.
    #[serde(deserialize_with = "seconds")]
    pub max_wait_seconds: Duration,
    /// Front: longest wait while no node is ready. Default 600 s.
    #[serde(deserialize_with = "seconds")]
    pub hold_seconds: Duration,
    /// Silence after which a stream gets its 200 and a first keep-alive byte. Default 10 s.
    #[serde(deserialize_with = "seconds")]
    pub keepalive_after_seconds: Duration,
    /// Silence between further keep-alive bytes. Default 15 s.
    #[serde(deserialize_with = "seconds")]
    pub keepalive_every_seconds: Duration,
    /// Share of the work served that `normal` keeps while more urgent classes wait. Default 0.2.
    pub normal_floor: f64,
    /// The same for `batch`. Default 0.05.
    pub batch_floor: f64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            capacity: 512,
            bytes: 1 << 30,
            max_wait_seconds: Duration::from_secs(300),
            hold_seconds: Duration::from_secs(600),
            keepalive_after_seconds: Duration::from_secs(10),
            keepalive_every_seconds: Duration::from_secs(15),
            normal_floor: 0.2,
            batch_floor: 0.05,
        }
    }
}

/// `[fleet]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Fleet {
    /// The fleet's name. Default `default`.
    pub name: String,
    /// This node's name, shown in `X-Served-By`. Default `local`.
    pub node: String,
    /// Where peers and fronts reach this gateway, `host:port`. Default: `listen.address`, where that names one address;
    /// without either, nobody forwards to it.
    pub address: Option<String>,
    /// How often a load report is written. Default 2 s, at most 5: after 10 s of silence a node counts as gone.
    #[serde(deserialize_with = "seconds")]
    pub report_every_seconds: Duration,
    /// How long a fleet that sleeps takes until a node is ready, before it has ever been measured. Default 240 s.
    #[serde(deserialize_with = "seconds")]
    pub boot_estimate_seconds: Duration,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            node: "local".to_owned(),
            address: None,
            report_every_seconds: Duration::from_secs(2),
            boot_estimate_seconds: Duration::from_secs(240),
        }
    }
}

/// `[drain]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Drain {
    /// How long requests are still taken after the signal: the load balancer goes on sending. Default 20 s.
    #[serde(deserialize_with = "seconds")]
    pub accept_for_seconds: Duration,
    /// When the last stream is cut, counted from the signal. Default 900 s.
    #[serde(deserialize_with = "seconds")]
    pub deadline_seconds: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { accept_for_seconds: Duration::from_secs(20), deadline_seconds: Duration::from_secs(900) }
    }
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Log {
    /// A tracing filter. Default `info`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned() }
    }
}
