//! Activities: what the group did, and what it could not do.

use std::time::Duration;

use super::Group;

pub(in crate::aws) struct Activity {
    pub(in crate::aws) number: usize,
    pub(in crate::aws) description: String,
    pub(in crate::aws) instance: String,
    pub(in crate::aws) status: &'static str,
    pub(in crate::aws) message: Option<String>,
    pub(in crate::aws) began: Duration,
    pub(in crate::aws) ended: Option<Duration>,
}

impl Group {
    /// An activity begins.
    pub(super) fn begin(&mut self, description: String, instance: &str, now: Duration) {
        self.history.push(Activity {
            number: self.history.len(),
            description,
            instance: instance.to_owned(),
            status: "InProgress",
            message: None,
            began: now,
            ended: None,
        });
    }

    /// How the activity of this kind on this instance ended.
    pub(super) fn note(
        &mut self,
        of: &str,
        kind: &str,
        status: &'static str,
        why: Option<&str>,
        now: Duration,
    ) {
        let mut open = self.history.iter_mut().rev();
        let found = open.find(|activity| activity.instance == of && activity.description.starts_with(kind));
        if let Some(activity) = found {
            (activity.status, activity.message, activity.ended) = (status, why.map(str::to_owned), Some(now));
        }
    }

    /// A launch that did not happen.
    pub(super) fn refused(&mut self, why: &str, now: Duration) {
        let why = format!("Could not launch On-Demand Instances. {why} Launching EC2 instance failed.");
        self.begin(format!("Launching a new EC2 instance.  Status Reason: {why}"), "", now);
        self.note("", "Launching", "Failed", Some(&why), now);
    }
}
