//! What gateway and scaler both say: their reports, the store they share, who leads, how they log, how they stop.

pub mod report;
pub mod store;
pub mod lease;
pub mod publish;
pub mod telemetry;
pub mod shutdown;
