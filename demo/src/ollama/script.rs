//! What a test has told the simulation to do: faults of single requests, and gates that hold everybody.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// How one request goes wrong, each in a way a real Ollama (or its machine) does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The engine's process dies after so many tokens. Every family shows it differently; the next request loads again.
    DieAfterTokens(u64),
    /// The stream ends properly after so many tokens, but without its terminal marker.
    EndAfterTokens(u64),
    /// The stream falls silent after so many tokens; the connection stays open.
    StallAfterTokens(u64),
    /// The connection closes (FIN) after so many bytes of the answer, its head included.
    CutAfterBytes(usize),
    /// The connection is reset (RST) after so many bytes of the answer, its head included.
    ResetAfterBytes(usize),
    /// The request is read, and nothing is ever answered.
    Stall,
    /// 503 as for a full queue, in the family's form.
    QueueFull,
    /// 500 with this text, in the family's form, after the load's time.
    FailLoad(String),
    /// This status and body, whatever was asked.
    Answer {
        /// The status, 100..=999.
        status: u16,
        /// `Content-Type`; none when empty.
        content_type: String,
        /// The body, sent with `Content-Length`.
        body: String,
    },
}

/// What is held back now.
#[derive(Debug, Clone, Copy, Default)]
struct Gates {
    loads: bool,
    tokens_after: Option<u64>,
}

/// Faults yet to happen, and the gates.
#[derive(Default)]
pub(super) struct Script {
    faults: Mutex<Vec<(Option<String>, Fault)>>,
    gates: watch::Sender<Gates>,
}

impl Script {
    pub(super) fn add(&self, path: Option<&str>, fault: Fault) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push((path.map(str::to_owned), fault));
    }

    /// The first fault meant for `path`, or for any inference route if it is one.
    pub(super) fn take(&self, path: &str, inference: bool) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = |of: &Option<String>| of.as_deref().map_or(inference, |of| of == path);
        let at = faults.iter().position(|(of, _)| meant(of))?;
        Some(faults.remove(at).1)
    }

    pub(super) fn hold_loads(&self, held: bool) {
        self.gates.send_modify(|gates| gates.loads = held);
    }

    pub(super) fn hold_tokens(&self, after: Option<u64>) {
        self.gates.send_modify(|gates| gates.tokens_after = after);
    }

    pub(super) async fn load_may_begin(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.gates.subscribe().wait_for(|gates| !gates.loads).await;
    }

    /// May the token number `n` (from 0) be written?
    pub(super) async fn token_may_go(&self, n: u64) {
        let open = |gates: &Gates| gates.tokens_after.is_none_or(|after| n < after);
        if !open(&self.gates.borrow()) {
            let _ = self.gates.subscribe().wait_for(open).await;
        }
    }
}
