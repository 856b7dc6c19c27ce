//! The `scaler` program.
fn main() {}
