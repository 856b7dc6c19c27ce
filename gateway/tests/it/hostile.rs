//! Clients that mean harm: while one is at work others are served, and when it has gone nothing of it is left.

mod frames;
mod siege;
mod malformed_streams;
mod malformed_frames;
mod floods;
mod windows;
mod desync;
