//! The other gateways of the fleet: who they are, what may be sent to them, and what they have.
//!
//! `roster` reads the load reports; `choice` decides from them which node has how many places for which model, and
//! `places` offers those to the queue, which grants them like the slots of a local Ollama. A request that was granted
//! one is sent by `request::forward`. `catalogue` is a front's list of models, which it has from its nodes.

mod roster;
mod reading;
mod choice;
mod places;
mod catalogue;
#[cfg(test)]
mod tests;

pub use self::catalogue::Catalogue;
pub use self::places::Places;
pub use self::roster::{Peer, Roster};
