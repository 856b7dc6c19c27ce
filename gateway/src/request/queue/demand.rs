//! What comes to the queue: a request that wants a slot, how far it may go for one, and how long it may wait.

use std::time::Duration;

use tokio::time::Instant;

use crate::identity::{Principal, Priority};
use crate::ollama::names::ModelName;

/// Something that serves models: the local Ollama, or another node of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamId(pub u32);

impl UpstreamId {
    /// The local Ollama.
    pub const LOCAL: Self = Self(0);

    /// Is it the local Ollama?
    pub fn is_local(self) -> bool {
        self == Self::LOCAL
    }
}

/// A request that wants a slot.
#[derive(Debug, Clone)]
pub struct Demand {
    /// The model it wants.
    pub model: ModelName,
    /// Who is charged.
    pub caller: Principal,
    /// The class it waits in.
    pub priority: Priority,
    /// Its estimated cost, in seconds of an idle node.
    pub work: f64,
    /// Tokens of its prompt, estimated; for reports.
    pub prompt_tokens: u32,
    /// The size of its body, for reports; [`crate::request::limit::Bodies`] bounds the sum.
    pub bytes: usize,
    /// How far it may go.
    pub reach: Reach,
    /// How long it may wait.
    pub patience: Patience,
}

/// How far a request may go for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// To the local Ollama or to another node.
    #[default]
    Anywhere,
    /// To the local Ollama only: it has come from another node, and goes one hop, never two.
    Here,
}

impl Reach {
    /// May it be served there?
    pub(super) fn covers(self, upstream: UpstreamId) -> bool {
        self == Self::Anywhere || upstream.is_local()
    }
}

/// How long a request may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// While somebody can serve, counted from the moment that somebody can, or from the arrival if that is later.
    pub wait: Duration,
    /// While nobody can, counted from the arrival.
    pub hold: Duration,
}

impl Patience {
    /// When waiting has no more sense for who has come at `since`. `ready`: since when somebody can serve.
    pub(super) fn deadline(self, since: Instant, ready: Option<Instant>) -> Instant {
        match ready {
            Some(ready) => since.max(ready) + self.wait,
            None => since + self.hold,
        }
    }
}
