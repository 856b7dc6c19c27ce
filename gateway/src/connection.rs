//! From a socket to requests: accept under a cap, shake hands by a deadline, speak HTTP/1.1 or HTTP/2 under limits,
//! close gracefully.

pub mod accept;
pub mod socket;
pub mod handshake;
pub mod serve;
mod request_line;
pub mod clock;
pub mod linger;
