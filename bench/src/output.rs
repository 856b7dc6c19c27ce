//! What a person sees: progress on stderr, the table on stdout.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this module is for")]

use crate::machine;
use crate::table::Results;

/// Says what is being done.
pub fn progress(line: &str) {
    eprintln!("{line}");
}

/// The result.
pub fn table(results: &Results, method: &str) {
    println!("{}\n{method}; load average {} at the end.\n", machine::describe(), machine::load_average());
    println!("{}", results.markdown());
    for note in results.notes() {
        println!("- {note}");
    }
}
