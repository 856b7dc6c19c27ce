//! What is fuzzed: one function per parser of ours.

pub mod targets;
