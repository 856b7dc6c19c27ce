//! Every key of `scaler.toml`: one struct per section, the doc comment of each field gives default and unit.
//! Durations are in seconds and may have a fraction.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fleet::config::seconds;
use fleet::store::StoreSettings;
use serde::{Deserialize, Deserializer};

use super::schedule::{DailyTime, Day};

/// The whole of `scaler.toml`.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub struct Config {
    /// `[fleet]`: which fleet this is.
    pub fleet: Fleet,
    /// `[store]`: the table it shares with its gateways.
    pub store: StoreSettings,
    /// `[group]`: the machines.
    pub group: Group,
    /// `[policy]`: what the owner wants.
    pub policy: Policy,
    /// `[schedule]`: minimums by time of week.
    pub schedule: Schedule,
    /// `[entrance]`: the load balancer's weights; omitted, there is none.
    pub entrance: Option<Entrance>,
    /// `[metrics]`: what is published.
    pub metrics: Metrics,
    /// `[log]`: how much is said.
    pub log: Log,
}

/// `[fleet]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Fleet {
    /// The fleet's name, as in its gateways' configuration. Default `default`.
    pub name: String,
}

impl Default for Fleet {
    fn default() -> Self {
        Self { name: "default".to_owned() }
    }
}

/// What the machines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupKind {
    /// Processes on this machine.
    Local,
    /// An Auto Scaling group.
    Aws,
}

/// Who raises the group's desired count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drive {
    /// The group's step policy on `NodesShort`; the leader only wakes the fleet from zero.
    Metrics,
    /// The leader itself.
    Calls,
}

/// `[group]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Group {
    /// `local` or `aws`. Default `local`.
    pub kind: GroupKind,
    /// The Auto Scaling group's name; of a local one, what its instances' names begin with. Default `node`.
    pub name: String,
    /// Never fewer nodes. Default 0.
    pub min: u32,
    /// Never more nodes. Default 4. Above the group's own bounds, the group's hold.
    pub max: u32,
    /// `metrics` or `calls`. Default `calls`.
    pub drive: Drive,
    /// A cold launch, from the call to a ready node; a first guess, the boots seen replace it. Default 240 s.
    #[serde(deserialize_with = "seconds")]
    pub boot_seconds: Duration,
    /// The same out of a warm pool; omitted, there is no pool.
    #[serde(deserialize_with = "some_seconds")]
    pub warm_boot_seconds: Option<Duration>,
    /// Requests at once in one node, before one has reported. Default 4.
    pub slots: u32,
    /// Prompt tokens a second of an idle node, from the image's smoke test. Default 1000.
    pub prefill_tokens_per_second: f64,
    /// Answer tokens a second of one stream on an idle node. Default 40.
    pub decode_tokens_per_second: f64,
    /// Work that a full node does in a second, one stream alone doing 1. Default 2.105: four streams, each slowed by
    /// 0.3 by every other.
    pub full_throughput: f64,
    /// Price of a launch: boot of the instance that refills the warm pool. Default 0 s.
    #[serde(deserialize_with = "seconds")]
    pub launch_refill_seconds: Duration,
    /// Price of a launch: the volume's initialization fee over the price of a second. Default 0 s.
    #[serde(deserialize_with = "seconds")]
    pub launch_fee_seconds: Duration,
    /// Price of a launch: from the last stream to the end of the bill. Default 0 s.
    #[serde(deserialize_with = "seconds")]
    pub launch_tail_seconds: Duration,
    /// `[group.local]`: how one node is started, where `kind` is `local`.
    pub local: Option<Local>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            kind: GroupKind::Local,
            name: "node".to_owned(),
            min: 0,
            max: 4,
            drive: Drive::Calls,
            boot_seconds: Duration::from_secs(240),
            warm_boot_seconds: None,
            slots: 4,
            prefill_tokens_per_second: 1000.0,
            decode_tokens_per_second: 40.0,
            full_throughput: 4.0 / 1.9,
            launch_refill_seconds: Duration::ZERO,
            launch_fee_seconds: Duration::ZERO,
            launch_tail_seconds: Duration::ZERO,
            local: None,
        }
    }
}

/// `[group.local]`. In `command` and `environment`, `{id}` is the node's name, `{port}` a free port and `{address}`
/// `127.0.0.1:{port}`.
#[derive(Debug, Clone, Deserialize)]
pub struct Local {
    /// Program and arguments that start one node and stay in the foreground. SIGTERM must drain and end it.
    pub command: Vec<String>,
    /// Variables it gets beside the scaler's own. Default none.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Where the scaler notes which nodes run, so that the next one finds them, and where their logs go. Default
    /// `nodes`.
    #[serde(default = "nodes")]
    pub directory: PathBuf,
    /// From SIGTERM to SIGKILL. Default 960 s: a node's own drain ends after 900.
    #[serde(default = "stop_after", deserialize_with = "seconds")]
    pub stop_seconds: Duration,
}

fn nodes() -> PathBuf {
    "nodes".into()
}

fn stop_after() -> Duration {
    Duration::from_secs(960)
}

/// `[policy]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// GPU-seconds that one request-second of waiting is worth: economy 0.3, interactive 1, premium 5. Default 1.
    pub value_of_waiting: f64,
    /// How long the last node stays without need. Default 10.
    pub idle_minutes: f64,
    /// Ends a run of the fleet by draining after so long. Default: never.
    pub hard_limit_minutes: Option<f64>,
    /// GPU-hours a calendar month (UTC) may use. Default: no bound.
    pub budget: Option<f64>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { value_of_waiting: 1.0, idle_minutes: 10.0, hard_limit_minutes: None, budget: None }
    }
}

/// `[schedule]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Schedule {
    /// The time zone that days and times are meant in, as in `Europe/Dublin`. Default `UTC`.
    pub timezone: String,
    /// `[[schedule.windows]]`: the largest minimum in force counts.
    pub windows: Vec<Window>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { timezone: "UTC".to_owned(), windows: Vec::new() }
    }
}

/// `[[schedule.windows]]`: at least so many nodes on some days between two times.
#[derive(Debug, Clone, Deserialize)]
pub struct Window {
    /// `mon` to `sun`: the days on which it begins.
    pub days: Vec<Day>,
    /// `"HH:MM"`.
    pub from: DailyTime,
    /// `"HH:MM"`, at most `24:00`. Not after `from`: it ends on the next day.
    pub until: DailyTime,
    /// The minimum.
    pub nodes: u32,
}

/// `[entrance]`: what of the load balancer the leader sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Entrance {
    /// ARN of the listener rule that carries the weights.
    pub rule: String,
    /// ARN of the nodes' target group.
    pub gpu_target_group: String,
    /// ARN of the fronts' target group.
    pub front_target_group: String,
}

/// `[metrics]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Whether metrics go to CloudWatch. Default false.
    pub on: bool,
    /// Their namespace. Default `OllamaFleet`.
    pub namespace: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { on: false, namespace: "OllamaFleet".to_owned() }
    }
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Log {
    /// A tracing filter. Default `info`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned() }
    }
}

fn some_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    seconds(deserializer).map(Some)
}
