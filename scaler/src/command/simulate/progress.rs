//! A line on standard error that says how far a replay is; only where somebody looks.

use std::io::{self, IsTerminal, Write};

/// Shown while it lives.
pub struct Progress {
    name: String,
    percent: u32,
    on: bool,
}

impl Progress {
    /// Of the replay with that name.
    pub fn new(name: String) -> Self {
        Self { name, percent: u32::MAX, on: io::stderr().is_terminal() }
    }

    /// So much is done, 0 to 1.
    pub fn show(&mut self, share: f64) {
        let percent = (100.0 * share) as u32;
        if self.on && percent != self.percent {
            self.percent = percent;
            let _ = write!(io::stderr().lock(), "\r{}: {percent} %   ", self.name);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.on {
            let _ = write!(io::stderr().lock(), "\r{:width$}\r", "", width = self.name.len() + 10);
        }
    }
}
