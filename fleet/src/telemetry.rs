//! How the processes speak: one JSON object a line, on stderr, never waiting for whoever reads it.

mod lines;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use self::lines::{Lines, Writer};

/// Why logging did not begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is no tracing filter.
    #[error("log.filter: `{filter}`: {reason}")]
    Filter {
        /// What it was.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No thread could be had to write with.
    #[error("cannot begin to log: {0}")]
    Thread(#[from] io::Error),
    /// Logging had begun before.
    #[error("logging has already begun in this process")]
    Twice,
}

/// Keeps the writer alive; dropped at the very end of `main`, it writes what still waits.
#[derive(Debug)]
pub struct Guard {
    lines: Lines,
    _writer: Writer,
}

impl Guard {
    /// Lines lost since the start, because stderr was not read in time.
    pub fn lost_lines(&self) -> usize {
        self.lines.lost()
    }
}

/// Begins to log to stderr what passes `filter` (`info`, `warn,gateway=debug`).
///
/// # Errors
/// A filter that cannot be read, and a second call in one process.
pub fn init(filter: &str) -> Result<Guard, TelemetryError> {
    let (lines, writer) = Lines::start(io::stderr())?;
    let guard = Guard { lines: lines.clone(), _writer: writer };
    let subscriber = subscriber(filter, lines)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Twice)?;
    Ok(guard)
}

/// The form of every line: `timestamp` (UTC), `level`, `target` and the event's own fields side by side. Spans are
/// left out: what a line is about it says itself.
///
/// # Errors
/// A filter that cannot be read.
pub fn subscriber<W>(filter: &str, writer: W) -> Result<impl Subscriber + Send + Sync, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|error| TelemetryError::Filter { filter: filter.to_owned(), reason: error.to_string() })?;
    Ok(tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish())
}

/// Keeps every line in memory, so that a test can say what must never be in one:
///
/// ```
/// let lines = fleet::telemetry::Capture::default();
/// let all = fleet::telemetry::subscriber("trace", lines.clone())?;
/// tracing::subscriber::with_default(all, || tracing::info!(model = "gemma3", "asked"));
/// assert!(lines.text().contains("gemma3") && !lines.text().contains("secret"));
/// # Ok::<(), fleet::telemetry::TelemetryError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    /// Everything written so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Capture {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_is_one_flat_object_in_utc() {
        let lines = Capture::default();
        tracing::subscriber::with_default(subscriber("info", lines.clone()).unwrap(), || {
            let _span = tracing::info_span!("request", prompt = "never shown").entered();
            tracing::debug!("below the filter");
            tracing::info!(status = 200, text = "two\nlines \u{1b}[31m", "answered");
        });
        let text = lines.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["status"], 200);
        assert_eq!(line["text"], "two\nlines \u{1b}[31m");
        assert_eq!(line["message"], "answered");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{text}");
        assert!(!text.contains("never shown"));
    }

    #[test]
    fn a_bad_filter_is_named() {
        let error = subscriber("gateway=loud", Capture::default()).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("log.filter: `gateway=loud`: "), "{error}");
    }
}
