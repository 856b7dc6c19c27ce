//! A line on standard error that says how far a replay is; only where somebody looks.

use std::io::{self, IsTerminal, Write};

/// Shown while it lives.
pub struct Progress<'a> {
    name: String,
    percent: u32,
    out: Option<Box<dyn Write + 'a>>,
}

impl<'a> Progress<'a> {
    /// Of the replay with that name, where a person reads standard error.
    pub fn new(name: String) -> Self {
        let err = io::stderr();
        let out = err.is_terminal().then(|| Box::new(err) as Box<dyn Write>);
        Self { name, percent: u32::MAX, out }
    }

    /// So much is done, 0 to 1. A line that cannot be written is no reason to stop.
    pub fn show(&mut self, share: f64) {
        let percent = (100.0 * share) as u32;
        if let Some(out) = &mut self.out
            && percent != self.percent
        {
            self.percent = percent;
            let _ = write!(out, "\r{}: {percent} %   ", self.name);
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(out) = &mut self.out {
            let _ = write!(out, "\r{:width$}\r", "", width = self.name.len() + 10);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_percent_is_written_once_and_all_is_wiped_at_the_end() {
        let mut told = Vec::new();
        let mut progress =
            Progress { name: "day".to_owned(), percent: u32::MAX, out: Some(Box::new(&mut told)) };
        [0.0, 0.001, 0.5, 0.504, 1.0].into_iter().for_each(|share| progress.show(share));
        drop(progress);
        let told = String::from_utf8(told).unwrap();
        let lines: Vec<_> = told.split('\r').map(str::trim_end).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["day: 0 %", "day: 50 %", "day: 100 %"]);
        assert!(told.ends_with("\r             \r"), "as wide as what was written: {told:?}");
    }

    #[test]
    fn where_nobody_looks_nothing_is_written() {
        let mut progress = Progress { name: "day".to_owned(), percent: u32::MAX, out: None };
        progress.show(0.5);
        assert_eq!(progress.percent, u32::MAX);
    }
}
