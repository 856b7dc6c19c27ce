//! What the group's history tells: when an instance was launched, and whether the last launch was refused.

use aws_sdk_autoscaling::types::{Activity, ScalingActivityStatusCode as Status};

use crate::decide::observation::NodeId;
use crate::group::LaunchRefusal;

/// A refusal this old says nothing of the capacity there is now. Auto Scaling itself tries again every few minutes
/// while desired stays, and each try is an activity of its own.
const RECENT: i64 = 10 * 60;

/// Longest reason kept: some name every availability zone.
const LONGEST: usize = 300;

/// A launch's description ends with the instance's id, from the warm pool or not; of a refused one, with no id.
const LAUNCH: &str = "Launching a new EC2 instance";

/// Which instance this activity launched, and when.
pub(super) fn launch(activity: &Activity) -> Option<(NodeId, i64)> {
    let id = activity.description()?.strip_prefix(LAUNCH)?.rsplit(' ').next()?;
    let at = activity.start_time()?.secs();
    id.starts_with("i-").then(|| (NodeId::new(id), at))
}

/// The newest launch, if it was refused lately. `activities` come newest first, as the group lists them.
pub(super) fn refusal(activities: &[Activity], now: i64) -> Option<LaunchRefusal> {
    let launches = activities.iter().filter(|one| one.description().is_some_and(|is| is.starts_with(LAUNCH)));
    for launch in launches {
        if refused(launch) {
            return recent(launch, now);
        }
        if self::launch(launch).is_some() {
            return None; // it had its instance
        }
        // Not yet known, or called off: the one before it tells.
    }
    None
}

/// Did this launch come to nothing by AWS's doing? One that failed in its hook had its instance: that is a boot that
/// failed, which is counted elsewhere. A volume that cannot be decrypted ends the instance at once, and is called
/// cancelled.
fn refused(launch: &Activity) -> bool {
    let why = launch.status_message().unwrap_or_default();
    match launch.status_code() {
        Some(Status::Failed) => !why.contains("Lifecycle Action"),
        Some(Status::Cancelled) => why.contains("error on launch"),
        _ => false,
    }
}

fn recent(launch: &Activity, now: i64) -> Option<LaunchRefusal> {
    let at = launch.end_time().or(launch.start_time())?.secs();
    let why = launch.status_message().unwrap_or("no reason given").chars().take(LONGEST).collect();
    (now - at < RECENT).then_some(LaunchRefusal { at, why })
}
