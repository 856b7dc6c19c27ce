//! How many nodes a fleet has, and which: forecast the work that comes, decide, and prove it on recorded traces.
//!
//! The modules stand in the order of one round: what is configured ([`config`]) and seen ([`observe`]), what is known
//! of the work to come ([`forecast`]), what to do ([`decide`]), where the fleet stands in its life ([`life`], [`sick`],
//! [`budget`], [`drain`]), the doing ([`act`]) on a [`group`] of machines, whom clients reach ([`entrance`]) and what is
//! said of it ([`publish`]). [`round`] is the round, [`run`] the process, [`simulate`] the same decision in virtual time.
//! `forecast`, `decide`, `life`, `sick`, `drain` and `simulate` read no clock and open no connection.

pub mod config;
pub mod clock;
pub mod observe;
pub mod forecast;
pub mod decide;
pub mod life;
pub mod sick;
pub mod budget;
pub mod drain;
pub mod act;
pub mod group;
pub mod entrance;
pub mod publish;
pub mod round;
pub mod run;
pub mod status;
pub mod simulate;

/// A time or a span in seconds. Times count from any one fixed moment of a clock that never runs backwards.
pub type Seconds = f64;

/// Work: the seconds one request takes on an idle node, prompt and answer together. The unit of queue and rates.
pub type Work = f64;
