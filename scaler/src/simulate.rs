//! The fleet in virtual time: a recorded trace through the same `decide` that runs in production, beside what others
//! use. It ranks controllers; it does not predict a bill.

pub mod trace;
pub mod generate;
pub mod setting;
pub mod faults;
pub mod node;
pub mod world;
pub mod replay;
pub mod scaler;
pub mod baselines;
pub mod clairvoyant;
pub mod contest;
pub mod statistics;
pub mod aims;
pub mod picture;
