//! What a gateway tells the fleet of itself every two seconds, and what it hears back by the same write.

mod histogram;
mod load;
mod summary;
mod sightings;

use serde::{Deserialize, Serialize, Serializer};

pub use histogram::{BOUNDS, Counts, Histogram};
pub use load::Load;
pub use sightings::Sightings;
pub use summary::{PeerView, Summary};

/// A report this old says nothing any more, in seconds: five missed ones in a row.
pub const STALE_AFTER: i64 = 10;

/// When the store may throw a report away, in seconds after it was written. Long after it is stale: readers must not
/// depend on the store's broom, and an order survives a node's hiccup.
pub const EXPIRES_AFTER: i64 = 600;

/// Most bytes of an encoded report. DynamoDB charges by begun KiB of the whole item; keys, names, times and an order
/// take up to 130 more.
pub const MAX_ENCODED: usize = 890;

/// What kind of gateway reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A gateway beside an Ollama.
    #[default]
    Node,
    /// A gateway without one, which holds requests while the fleet sleeps.
    Front,
}

/// What a gateway can do for a request right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Its Ollama does not answer yet.
    #[default]
    Starting,
    /// Its Ollama answers; the model is on its way into memory.
    Loading,
    /// It serves.
    Ready,
    /// It takes nothing new.
    Draining,
}

/// A load report. Times are seconds since 1970, UTC; counts only grow while a process lives.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Which gateway: the instance's id, or a name on one machine.
    pub node: String,
    /// Where peers reach it, `host:port`.
    pub address: String,
    /// Node or front.
    pub role: Role,
    /// What it can do.
    pub state: NodeState,
    /// Requests that may be inside its Ollama at once.
    pub slots: u32,
    /// Slots taken.
    pub busy: u32,
    /// Requests that wait in its queue.
    pub queued: u32,
    /// What they are worth, in seconds of an idle node.
    #[serde(serialize_with = "thousandths")]
    pub queued_work_seconds: f64,
    /// How long the oldest of them has waited.
    #[serde(serialize_with = "thousandths")]
    pub oldest_wait_seconds: f64,
    /// Tokens generated per second, as measured lately.
    #[serde(serialize_with = "thousandths")]
    pub tokens_per_second: f64,
    /// Models in its memory.
    pub models: Vec<String>,
    /// When the last request that counts as activity was admitted.
    pub last_request_at: Option<i64>,
    /// When the process began; another start means that the counts begin anew.
    pub started_at: i64,
    /// The program's version.
    pub version: String,
    /// Grows by one with every report of the process.
    pub sequence: u64,
    /// SHA-256 of the TLS certificate that peers pin, 64 hexadecimal digits.
    pub certificate_sha256: String,
    /// The Ed25519 key by which peers check its identity tokens, base64url.
    pub public_key: String,
    /// The last order's number that it obeys: an echo of [`ReportAnswer::order_seq`].
    pub order_seen: u64,
    /// Memory of all its GPUs, in bytes; `None` where it has none, or cannot tell. Written in MiB.
    #[serde(rename = "gpu_mib", with = "mebibytes", skip_serializing_if = "Option::is_none")]
    pub gpu_memory_bytes: Option<u64>,
    /// Bytes that are free where its models are kept, as last measured. Written in MiB.
    #[serde(rename = "disk_mib", with = "mebibytes", skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
    /// What arrived, waits, runs and was finished, in tokens: the scaler's forecast lives on it.
    pub load: Load,
    /// Counts for the fleet's metrics.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Three decimals: what is measured is no more exact, and 17 digits a number would not fit.
fn thousandths<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((value * 1000.0).round() / 1000.0)
}

/// Bytes, written as whole MiB: six digits less, and nobody asks for more.
mod mebibytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const MIB: u64 = 1 << 20;

    pub(super) fn serialize<S: Serializer>(bytes: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        bytes.map(|bytes| bytes / MIB).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(|mib| mib.saturating_mul(MIB)))
    }
}

impl Report {
    /// As JSON of at most [`MAX_ENCODED`] bytes as long as names have sane lengths: models that do not fit are left
    /// out, the last first, since a peer that does not see one merely fails to prefer this node for it.
    ///
    /// # Errors
    /// None in practice: every field has a form in JSON.
    pub fn encode(&self) -> serde_json::Result<String> {
        let mut text = serde_json::to_string(self)?;
        let mut shorter = self.clone();
        while text.len() > MAX_ENCODED && shorter.models.pop().is_some() {
            text = serde_json::to_string(&shorter)?;
        }
        Ok(text)
    }
}

/// What the leader wants of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderKind {
    /// Serve.
    #[default]
    None,
    /// Take nothing new and finish what is there.
    Drain,
}

/// An order of the leader to one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// What to do.
    pub kind: OrderKind,
    /// Its number, larger than that of the order before; the same again renews it.
    pub seq: u64,
    /// When it lapses, in seconds since 1970.
    pub until: i64,
}

/// What a node hears when it writes its report: the leader's latest order, zeros where there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportAnswer {
    /// What to do, while it is in force.
    pub order: OrderKind,
    /// The order's number, for the node to echo.
    pub order_seq: u64,
    /// When the order lapses.
    pub order_until: i64,
}

impl ReportAnswer {
    /// The order to obey at `now`: a lapsed one is none, so that a node outlives the leader that stopped it.
    pub fn in_force(&self, now: i64) -> OrderKind {
        if now < self.order_until { self.order } else { OrderKind::None }
    }
}

/// A node's line in the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its latest report.
    pub report: Report,
    /// When it was written, by the node's clock.
    pub written_at: i64,
    /// The order that stands beside it.
    #[serde(flatten)]
    pub answer: ReportAnswer,
}

/// Does what was written then still count now? One from the future does: clocks differ, and [`Sightings`] knows who
/// has fallen silent without asking them.
pub(crate) fn is_current(written_at: i64, now: i64) -> bool {
    written_at.saturating_add(STALE_AFTER) > now
}

#[cfg(test)]
pub(crate) mod tests;
