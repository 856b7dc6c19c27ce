//! How many nodes a fleet has, and which: forecast the work that comes, decide, and prove it on recorded traces.
//!
//! The modules stand in the order of one round: what is known ([`forecast`]), what to do ([`decide`]), and the same
//! two in virtual time ([`simulate`]); [`group`] is what a decision acts on. `forecast`, `decide` and `simulate` read no
//! clock and open no connection.

pub mod forecast;
pub mod decide;
pub mod group;
pub mod simulate;

/// A time or a span in seconds. Times count from any one fixed moment of a clock that never runs backwards.
pub type Seconds = f64;

/// Work: the seconds one request takes on an idle node, prompt and answer together. The unit of queue and rates.
pub type Work = f64;
