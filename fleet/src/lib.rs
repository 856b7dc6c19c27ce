//! What gateway and scaler both say: the store they share, how they log, how they stop.

pub mod store;
pub mod telemetry;
pub mod shutdown;
