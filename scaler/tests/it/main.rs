//! Promises of the scaler, one per module.

mod support;
mod world;

mod it_wakes_and_grows;
mod it_shrinks_without_loss;
mod it_stays_within_its_rails;
mod it_distrusts_old_data;
mod it_forecasts;
mod it_converges;
mod it_runs_a_whole_life;
mod it_survives_its_own_death;
mod it_gives_up_and_tries_again;
mod it_obeys_operators;
mod it_tells_what_it_sees;
mod it_keeps_the_entrance_open;
mod it_replaces_the_sick;
mod it_survives_every_fault;
mod it_replays_fairly;
mod it_prints_what_it_replayed;
mod program;
mod traces;
#[cfg(feature = "aws")]
mod aws;
