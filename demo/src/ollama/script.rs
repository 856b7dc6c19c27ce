//! What a test has told the simulation to do: faults of single requests, and gates that hold everybody.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// How one request goes wrong, each in a way a real Ollama (or its machine) does.
///
/// Given without a path, those that count tokens or bytes wait for a request that generates (a load passes them by),
/// [`Fault::FailLoad`] for one that needs its model, the others for any request to an inference route.
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
    /// A translation comes without the marks (`<g1>`, `<x2/>`) that were in its text.
    LoseMarks,
    /// The request is read, and nothing is ever answered.
    Stall,
    /// 503 as for a full queue, in the family's form.
    QueueFull,
    /// The model's load fails after its time: 500 with this text, in the family's form.
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

    /// The first fault meant for exactly `path`, or, on an inference route, for whatever arrives.
    pub(super) fn on_arrival(&self, path: &str, inference: bool) -> Option<Fault> {
        let at_once = |fault: &Fault| matches!(fault, Fault::Stall | Fault::QueueFull | Fault::Answer { .. });
        self.take(|of, fault| match of {
            Some(of) => of == path,
            None => inference && at_once(fault),
        })
    }

    /// The first fault meant for a request that is about to use its model, and generates or not.
    pub(super) fn on_work(&self, generates: bool) -> Option<Fault> {
        let counts = |fault: &Fault| !matches!(fault, Fault::Stall | Fault::QueueFull | Fault::Answer { .. });
        self.take(|of, fault| {
            of.is_none() && counts(fault) && (generates || matches!(fault, Fault::FailLoad(_)))
        })
    }

    fn take(&self, meant: impl Fn(Option<&str>, &Fault) -> bool) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let at = faults.iter().position(|(of, fault)| meant(of.as_deref(), fault))?;
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
