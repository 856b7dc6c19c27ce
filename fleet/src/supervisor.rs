//! What the process tells whoever supervises it.

/// Says that the process does its work from now on (`sd_notify(3)`, for units of `Type=notify`). Without a supervisor
/// that listens it says nothing.
pub fn ready() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "the supervisor could not be told that the process is ready");
    }
}
