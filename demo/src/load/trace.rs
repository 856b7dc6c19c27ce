//! A trace: when requests came, and how long their prompts and answers were.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use flate2::read::GzDecoder;
use serde::Deserialize;

/// The seconds that the trace of our own making is about.
const OFFICE_SECONDS: f64 = 3600.0;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Row {
    /// Seconds from the start.
    #[serde(rename = "arrival_s")]
    pub at: f64,
    /// Tokens of the prompt.
    #[serde(rename = "input_tokens")]
    pub input: f64,
    /// Tokens of the answer.
    #[serde(rename = "output_tokens")]
    pub output: f64,
}

/// The requests of the first `limit` seconds, at `speed` times their pace and a `speed`th of their length.
pub(super) fn read(file: Option<&Path>, speed: f64, limit: f64) -> anyhow::Result<Vec<Row>> {
    if !(speed.is_finite() && speed > 0.0) {
        bail!("--speed {speed}: it must be above 0");
    }
    let rows = match file {
        Some(file) => recorded(file)?,
        None => office(),
    };
    let start = rows.first().map_or(0.0, |row| row.at);
    let faster = rows.into_iter().map(|row| Row {
        at: (row.at - start) / speed,
        input: (row.input / speed).max(1.0),
        output: (row.output / speed).max(1.0),
    });
    Ok(faster.take_while(|row| row.at <= limit).collect())
}

fn recorded(file: &Path) -> anyhow::Result<Vec<Row>> {
    let open = File::open(file).with_context(|| format!("opening {}", file.display()))?;
    let input: Box<dyn Read> = if file.extension().is_some_and(|end| end == "gz") {
        Box::new(GzDecoder::new(open))
    } else {
        Box::new(open)
    };
    let rows: Result<Vec<Row>, _> = csv::Reader::from_reader(input).deserialize().collect();
    let rows = rows.with_context(|| format!("{} is no trace", file.display()))?;
    if rows.windows(2).any(|pair| pair[0].at > pair[1].at) {
        bail!("{}: arrivals must not go back in time", file.display());
    }
    Ok(rows)
}

/// An hour in an office: almost nobody, a rush that is worth two or three nodes, a lull. Poisson arrivals, log-normal lengths;
/// always the same one.
fn office() -> Vec<Row> {
    let mut random = fastrand::Rng::with_seed(9);
    let mut rows = Vec::new();
    let mut at = 0.0;
    while at < OFFICE_SECONDS {
        let hour = at / OFFICE_SECONDS;
        let per_second = 0.05 + 1.0 * (-((hour - 0.45) / 0.2).powi(2)).exp();
        at -= random.f64().max(1e-9).ln() / per_second;
        let spread = |median: f64, random: &mut fastrand::Rng| {
            // A sum of uniforms is normal enough here.
            let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            (median * (0.7 * normal).exp()).round()
        };
        rows.push(Row { at, input: spread(700.0, &mut random), output: spread(250.0, &mut random) });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faster_trace_is_as_busy() {
        let slow = read(None, 1.0, f64::INFINITY).unwrap();
        let fast = read(None, 10.0, f64::INFINITY).unwrap();
        let work = |rows: &[Row]| {
            rows.iter().map(|row| row.output).sum::<f64>() / rows.last().map_or(1.0, |row| row.at)
        };
        assert!(slow.len() > 500, "{}", slow.len());
        assert_eq!(slow.len(), fast.len());
        assert!((work(&fast) / work(&slow) - 1.0).abs() < 0.05, "{} {}", work(&fast), work(&slow));
        assert!(read(None, 60.0, 20.0).unwrap().iter().all(|row| row.at <= 20.0));
    }

    #[test]
    fn what_is_no_trace_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace.csv");
        for (text, error) in [
            ("a,b\n1,2\n", "is no trace"),
            ("arrival_s,input_tokens,output_tokens\n2,1,1\n1,1,1\n", "back in time"),
        ] {
            std::fs::write(&file, text).unwrap();
            let told = format!("{:#}", read(Some(&file), 1.0, 10.0).unwrap_err());
            assert!(told.contains(error), "{told}");
        }
        assert!(read(None, 0.0, 10.0).is_err());
    }
}
