//! Who may not, and how much one may.

use serde::{Deserialize, Serialize};

/// A person or key that is shut out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Denial {
    /// Who: issuer and subject, or a key's owner, as callers are named everywhere.
    pub principal: String,
    /// Why, for operators.
    pub reason: String,
    /// Who decided it.
    pub by: String,
    /// When, in seconds since 1970.
    pub since: i64,
}

/// What one principal has reserved in one minute, all gateways together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Window {
    /// Tokens reserved, corrected by what was settled.
    pub tokens: i64,
    /// Requests begun.
    pub requests: i64,
}

/// The answer to a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It fits and is counted; this is the window with it.
    Reserved(Window),
    /// It does not fit and nothing was counted; this is the window without it.
    Refused(Window),
}

/// How long a window is kept after its minute, in seconds. A request waits up to 10 minutes and streams up to 15 before
/// it is settled.
const WINDOW_KEPT: i64 = 3600;

/// When a window may be thrown away.
pub(super) fn window_expires_at(minute: i64) -> i64 {
    minute.saturating_mul(60).saturating_add(WINDOW_KEPT)
}

/// What may stand in the window so that a claim still fits below its limits: tokens, requests. `None`: more is claimed
/// than the limit, and it never fits.
pub(super) fn room(tokens: u64, requests: u64, token_limit: u64, request_limit: u64) -> Option<(i64, i64)> {
    let tokens = token_limit.checked_sub(tokens)?;
    let requests = request_limit.checked_sub(requests)?;
    Some((signed(tokens), signed(requests)))
}

/// Both stores count in signed numbers; what does not fit is as good as the largest.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
