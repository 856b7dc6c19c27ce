//! Promises of the scaler, one per module.

mod support;

mod it_wakes_and_grows;
mod it_shrinks_without_loss;
mod it_stays_within_its_rails;
mod it_distrusts_old_data;
mod it_forecasts;
mod it_converges;
mod traces;
#[cfg(feature = "aws")]
mod aws;
