//! The rows of the table: what is measured, and what the gateway should reach beside nginx.

/// One measured value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Figure {
    Short,
    ShortH2,
    Paced,
    PacedH2,
    Burst,
    Handshake,
    Prompt,
    Latency,
    FirstToken,
    TokenLatency,
    TokenLatencyH2,
    Held,
    Slow,
    SlowKernel,
    CallsRequest,
    CallsToken,
    CancelStreamP50,
    CancelStreamP99,
    CancelPrefillP50,
    CancelPrefillP99,
    Requests,
    RequestsH2,
    Tokens,
}

/// How a figure stands in the table.
pub struct Row {
    /// Which.
    pub figure: Figure,
    /// In words, with the unit.
    pub words: &'static str,
    /// Ratios to nginx: wanted from the first version, and ahead of nginx.
    pub wanted: Option<(f64, f64)>,
    /// More is better.
    pub more: bool,
}

const fn less(figure: Figure, words: &'static str, reach: f64, goal: f64) -> Row {
    Row { figure, words, wanted: Some((reach, goal)), more: false }
}

const fn more(figure: Figure, words: &'static str, reach: f64, goal: f64) -> Row {
    Row { figure, words, wanted: Some((reach, goal)), more: true }
}

const fn shown(figure: Figure, words: &'static str) -> Row {
    Row { figure, words, wanted: None, more: false }
}

/// All rows, in the table's order.
pub const ROWS: [Row; 23] = [
    less(Figure::Short, "short request h1, CPU µs", 1.15, 0.90),
    less(Figure::ShortH2, "short request h2, CPU µs", 1.20, 1.00),
    less(Figure::Paced, "paced stream h1, CPU µs per token", 0.95, 0.85),
    less(Figure::PacedH2, "paced stream h2, CPU µs per token", 1.10, 1.00),
    less(Figure::Burst, "burst stream, CPU µs per token", 1.10, 1.00),
    less(Figure::Handshake, "handshake + request, CPU µs", 0.60, 0.50),
    less(Figure::Prompt, "256 KiB prompt, CPU µs", 1.50, 1.20),
    less(Figure::Latency, "latency at 1000/s, p50 µs", 1.10, 1.00),
    less(Figure::FirstToken, "first token, 100 streams, p50 µs", 1.00, 0.90),
    less(Figure::TokenLatency, "token latency h1, p50 µs", 1.10, 1.00),
    shown(Figure::TokenLatencyH2, "token latency h2, p50 µs"),
    less(Figure::Held, "memory per held stream, KiB", 0.60, 0.40),
    less(Figure::Slow, "memory per slow reader, KiB", 1.00, 0.90),
    shown(Figure::SlowKernel, "kernel buffers per slow reader, KiB"),
    less(Figure::CallsRequest, "system calls per request", 0.90, 0.85),
    less(Figure::CallsToken, "system calls per token", 1.40, 1.05),
    shown(Figure::CancelStreamP50, "cancel in stream noticed, p50 ms"),
    less(Figure::CancelStreamP99, "cancel in stream noticed, p99 ms", 1.50, 1.00),
    shown(Figure::CancelPrefillP50, "cancel in prefill noticed, p50 ms"),
    less(Figure::CancelPrefillP99, "cancel in prefill noticed, p99 ms", 1.50, 1.00),
    more(Figure::Requests, "short requests h1 per second", 0.95, 1.00),
    Row { figure: Figure::RequestsH2, words: "short requests h2 per second", wanted: None, more: true },
    more(Figure::Tokens, "burst tokens per second", 0.90, 1.00),
];

impl Figure {
    /// Does it need a process whose CPU time is read?
    pub fn is_cpu(self) -> bool {
        ROWS.iter().any(|row| row.figure == self && row.words.contains("CPU"))
    }
}

impl Row {
    /// Where a ratio to nginx stands.
    pub fn verdict(&self, ratio: f64) -> String {
        let Some((reach, goal)) = self.wanted else { return String::new() };
        let within = |bound: f64| if self.more { ratio >= bound } else { ratio <= bound };
        if within(goal) {
            "goal".to_owned()
        } else if within(reach) {
            "reach".to_owned()
        } else {
            format!("short by {:.0} %", (ratio / reach - 1.0).abs() * 100.0)
        }
    }
}
