//! Request traces: `arrival_s,input_tokens,output_tokens`, plain or gzip, arrivals ascending.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::decide::policy::Benchmark;
use crate::{Seconds, Work};

/// One request.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Request {
    /// Seconds from the beginning of the trace.
    #[serde(rename = "arrival_s")]
    pub arrival: Seconds,
    /// Prompt tokens.
    #[serde(rename = "input_tokens")]
    pub prompt: u32,
    /// Answer tokens: the controller learns them when the request ends.
    #[serde(rename = "output_tokens")]
    pub output: u32,
}

impl Request {
    /// Seconds on an idle node.
    #[must_use]
    pub fn work(&self, rates: &Benchmark) -> Work {
        f64::from(self.prompt) / rates.prefill + f64::from(self.output) / rates.decode
    }
}

/// What can be wrong with a trace file.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be opened.
    #[error("cannot open {path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A row is no request.
    #[error("{path}: {source}; expected the columns arrival_s,input_tokens,output_tokens")]
    Row {
        /// The file.
        path: String,
        /// Why.
        source: csv::Error,
    },
    /// No rows, or times that run backwards.
    #[error("{path}: {what}")]
    Content {
        /// The file.
        path: String,
        /// What.
        what: String,
    },
}

/// Reads a trace.
///
/// # Errors
/// When the file cannot be opened, a row is no request, or arrivals do not ascend.
pub fn read(path: &Path) -> Result<Vec<Request>, TraceError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| TraceError::Open { path: name.clone(), source })?;
    let zipped = path.extension().is_some_and(|end| end == "gz");
    let bytes: Box<dyn Read> = if zipped { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let mut requests: Vec<Request> = Vec::new();
    for row in csv::Reader::from_reader(bytes).deserialize() {
        let request: Request = row.map_err(|source| TraceError::Row { path: name.clone(), source })?;
        let last = requests.last().map_or(0.0, |last| last.arrival);
        if !request.arrival.is_finite() || request.arrival < last {
            let what = format!("row {}: arrivals must ascend from 0", requests.len() + 1);
            return Err(TraceError::Content { path: name, what });
        }
        requests.push(request);
    }
    if requests.is_empty() {
        return Err(TraceError::Content { path: name, what: "no requests".to_owned() });
    }
    Ok(requests)
}
