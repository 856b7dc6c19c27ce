//! Auto Scaling's states of an instance, in the four that we act on.

use aws_sdk_autoscaling::types::LifecycleState as State;

use crate::group::Life;

/// Where an instance in this state stands; `None` where it is no member: gone, or in the warm pool.
pub(super) fn of(state: &State) -> Option<Life> {
    match state {
        State::Pending | State::PendingWait | State::PendingProceed => Some(Life::Pending),
        State::InService => Some(Life::InService),
        // A retained instance is one whose terminate hook was abandoned: billed until a person ends it.
        State::Terminating
        | State::TerminatingWait
        | State::TerminatingProceed
        | State::TerminatingRetained => Some(Life::Terminating),
        State::Detached | State::Terminated => None,
        warmed if warmed.as_str().starts_with("Warmed:") => None,
        // Standby, detaching, a root volume being replaced, and what AWS may yet add: billed, and not ours to act on.
        _ => Some(Life::Aside),
    }
}

/// Is it ready to start from the warm pool?
pub(super) fn is_warm(state: &State) -> bool {
    matches!(state, State::WarmedStopped | State::WarmedRunning | State::WarmedHibernated)
}
