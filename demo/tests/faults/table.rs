//! One line of the table of faults.

use std::io::Write;
use std::time::Duration;

/// What a fault did.
#[derive(Debug, Default)]
pub struct Row {
    /// What was done to the fleet.
    pub fault: &'static str,
    /// Requests that were open when it happened.
    pub open: usize,
    /// Of those, how many ended with an error because they were on what was struck.
    pub cut: usize,
    /// Errors that anybody else saw.
    pub others: usize,
    /// From the fault until the fleet was as it should be.
    pub recovery: Duration,
}

impl Row {
    /// Shows it. `scripts/faults.sh` looks for lines that begin so.
    pub fn tell(&self) {
        let Self { fault, open, cut, others, recovery } = self;
        let line = format!("\nfault: {fault}|{open}|{cut}|{others}|{:.1}\n", recovery.as_secs_f64());
        // Past the harness, which keeps what tests print.
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
}
