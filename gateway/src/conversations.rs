//! Conversations: what a person and a model said to each other, kept, found again, and gone on with.
//!
//! `serve` is the step of the journey. `query` and `shapes` are what clients write and read, `edit` makes and changes
//! heads, `shelf` finds, shows and removes, `export` writes all of it out. A turn begins in `turn`, under the `pen`, with
//! what of the `transcript` (in table and `archive`) fits into the model's `window`; its `answer` is written without
//! regard to who reads it, which is what `tell` is for; `title` names it. `room` is what one process knows of all this.
//! `housekeeping` brings what rests to the archive.

mod clock;
mod store;
pub(crate) mod query;
pub(crate) mod shapes;
mod room;
mod pen;
pub mod archive;
pub(crate) mod transcript;
pub(crate) mod shelf;
mod edit;
mod export;
mod window;
mod turn;
mod tell;
mod answer;
mod title;
mod serve;
pub mod housekeeping;

pub use self::room::Room;
pub(crate) use self::serve::Visit;

/// What a route of conversations does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// `GET` and `POST /conversations`: the list, and a new one.
    All,
    /// `GET /conversations/export`: everything of the caller's as one file.
    Export,
    /// `GET`, `PATCH` and `DELETE /conversations/{id}`.
    One,
    /// `POST /conversations/{id}/messages`: says something, and streams the answer.
    Say,
    /// `POST /conversations/{id}/stop`: ends the answer that is being written.
    Stop,
}
