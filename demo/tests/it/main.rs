//! What the stand-ins promise to the tests that lean on them.

mod raw;
mod recordings;
mod shape;
