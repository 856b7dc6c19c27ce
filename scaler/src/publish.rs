//! What the leader says of the fleet every ten seconds.
