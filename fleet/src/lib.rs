//! What gateway and scaler both say: how they are configured, their reports, the store they share, who leads, how they
//! log, how they stop.

pub mod config;
#[cfg(feature = "aws")]
pub mod aws;
pub mod report;
pub mod store;
pub mod lease;
pub mod publish;
pub mod telemetry;
pub mod supervisor;
pub mod shutdown;

#[cfg(test)]
#[cfg(feature = "aws")]
mod testing;
