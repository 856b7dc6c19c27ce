//! The journey of a request.

pub mod route;
pub mod cors;
pub mod address;
pub mod authenticate;
pub mod limit;
pub mod inspect;
pub mod queue;
pub mod choose;
pub mod forward;
pub mod relay;
