//! Conversations: what a person and a model said to each other, kept, found again, and gone on with.

mod serve;
pub mod archive;

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
