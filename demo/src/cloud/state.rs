//! What is told of the fake in a file, for a program that looks at it from outside.

use serde::Serialize;

use super::machines::Machines;
use crate::aws::{Call, FakeAws};

/// The fake at one moment.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct State {
    desired: u32,
    /// Nodes, front.
    weights: (u32, u32),
    /// The weights have sent clients to a group without targets, at some moment since the beginning.
    misled: bool,
    instances: Vec<Seen>,
    /// The calls that change something, each with what it names.
    calls: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Seen {
    id: String,
    stage: &'static str,
    /// How the load balancer finds it; nothing while it is not registered.
    target: Option<String>,
    address: Option<String>,
}

impl State {
    pub(super) fn of(aws: &FakeAws, machines: &Machines) -> Self {
        let instances = aws.instances().into_iter().map(|instance| Seen {
            stage: instance.stage.name(),
            target: instance.target.map(|health| format!("{health:?}").to_lowercase()),
            address: machines.address(&instance.id).map(|address| address.to_string()),
            id: instance.id,
        });
        let calls = aws.calls();
        let changing = calls.iter().filter(|call| !call.action.starts_with("Describe"));
        Self {
            desired: aws.desired(),
            weights: aws.weights(),
            misled: aws.has_misled(),
            instances: instances.collect(),
            calls: changing.map(line).collect(),
        }
    }
}

/// A call with the parameters that tell what it was about.
fn line(call: &Call) -> String {
    let named = ["DesiredCapacity", "InstanceId", "LifecycleHookName", "LifecycleActionResult"];
    let mut words = vec![call.action.as_str()];
    words.extend(named.iter().filter_map(|name| call.get(name)));
    words.join(" ")
}
