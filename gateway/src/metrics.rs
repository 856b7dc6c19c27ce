//! What the operator's dashboards see. Every label set is bounded: routes, outcomes and reasons are constants, and a
//! model is named only if this node has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

/// Upper bounds of the duration histograms, in seconds: from a refusal's millisecond to a long stream's 900 s.
const SECONDS: &[f64] =
    &[0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0];

/// The metrics of one gateway; a recorder of its own, so that two in one process do not mix.
pub struct Metrics {
    recorder: PrometheusRecorder,
    connections: AtomicUsize,
}

/// One finished request, as the metrics see it.
pub struct Finished<'a> {
    /// The row of the route table, or `none`.
    pub route: &'static str,
    /// How it ended.
    pub outcome: &'static str,
    /// Why it was refused; empty where it was not.
    pub reason: &'static str,
    /// A model this node has, or `none`.
    pub model: &'a str,
    /// First byte of the request to last byte of the answer.
    pub took: Duration,
    /// Time in the queue.
    pub waited: Option<Duration>,
    /// First byte of the request to first byte of the answer.
    pub first_token: Option<Duration>,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Generated tokens.
    pub output_tokens: u64,
}

/// The state that is shown as it is at the moment of asking.
pub struct Present {
    /// Slots of all loaded models.
    pub slots: usize,
    /// Of these, occupied.
    pub busy: usize,
    /// Requests waiting.
    pub queued: usize,
    /// Their work, in seconds of an idle node.
    pub queued_work: f64,
    /// Is the gateway ready?
    pub ready: bool,
}

impl Metrics {
    /// Metrics that start at zero.
    ///
    /// # Errors
    /// Never with the buckets above; the library leaves the possibility open.
    pub fn new() -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
            .build_recorder();
        Ok(Self { recorder, connections: AtomicUsize::new(0) })
    }

    fn record(&self, record: impl FnOnce()) {
        with_local_recorder(&self.recorder, record);
    }

    /// Counts a request that has ended.
    pub fn finished(&self, done: &Finished<'_>) {
        let model = || done.model.to_owned();
        self.record(|| {
            counter!("gateway_requests_total", "route" => done.route, "outcome" => done.outcome).increment(1);
            histogram!("gateway_request_seconds", "route" => done.route).record(done.took);
            if !done.reason.is_empty() {
                counter!("gateway_refusals_total", "reason" => done.reason).increment(1);
            }
            if let Some(waited) = done.waited {
                histogram!("gateway_queue_wait_seconds").record(waited);
            }
            if let Some(first) = done.first_token {
                histogram!("gateway_first_token_seconds", "model" => model()).record(first);
            }
            if done.prompt_tokens + done.output_tokens > 0 {
                counter!("gateway_tokens_total", "kind" => "prompt", "model" => model())
                    .increment(done.prompt_tokens);
                counter!("gateway_tokens_total", "kind" => "output", "model" => model())
                    .increment(done.output_tokens);
            }
        });
    }

    /// Counts a model load of ours.
    pub fn loaded(&self, model: &str, took: Duration, ok: bool) {
        let outcome = if ok { "loaded" } else { "failed" };
        self.record(|| {
            counter!("gateway_loads_total", "outcome" => outcome).increment(1);
            histogram!("gateway_load_seconds", "model" => model.to_owned()).record(took);
        });
    }

    /// A connection is open until the guard is dropped.
    pub fn connection_opened(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Relaxed);
        OpenConnection(self.clone())
    }

    /// Counts a connection over the cap.
    pub fn refused_connection(&self) {
        self.record(|| counter!("gateway_connections_refused_total").increment(1));
    }

    /// Counts a handshake that failed or took too long.
    pub fn failed_handshake(&self) {
        self.record(|| counter!("gateway_handshakes_failed_total").increment(1));
    }

    /// Counts bytes that the HTTP parser refused.
    pub fn malformed_request(&self) {
        self.record(|| counter!("gateway_malformed_requests_total").increment(1));
    }

    /// Counts a stuck slot that was cleared by loading its model again.
    pub fn unstuck(&self) {
        self.record(|| counter!("gateway_stuck_slots_total").increment(1));
    }

    /// Counts a request whose limits could not be asked of the store: within this node's share, or beyond it.
    pub fn unchecked_limit(&self, within: bool) {
        let share = if within { "within" } else { "beyond" };
        self.record(|| counter!("gateway_limits_unchecked_total", "share" => share).increment(1));
    }

    /// Counts what a request really used and the store did not take.
    pub fn lost_settlement(&self) {
        self.record(|| counter!("gateway_settlements_lost_total").increment(1));
    }

    /// Everything, in Prometheus' text form.
    pub fn render(&self, present: &Present) -> String {
        self.record(|| {
            gauge!("gateway_connections").set(self.connections.load(Relaxed) as f64);
            gauge!("gateway_slots").set(present.slots as f64);
            gauge!("gateway_slots_busy").set(present.busy as f64);
            gauge!("gateway_queued").set(present.queued as f64);
            gauge!("gateway_queued_work_seconds").set(present.queued_work);
            gauge!("gateway_ready").set(f64::from(u8::from(present.ready)));
        });
        self.recorder.handle().render()
    }

    /// Folds what the histograms have gathered; wanted every few seconds, or they grow.
    pub fn upkeep(&self) {
        self.recorder.handle().run_upkeep();
    }
}

/// An open connection, counted.
pub struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
