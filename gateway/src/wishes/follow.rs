//! What the client of a pull is told: the states that the nodes write, added up, in the lines that Ollama would write
//! itself. `stage` is the rule; [`Follow::run`] reads and writes.

use std::sync::Arc;
use std::time::Duration;

use fleet::store::{Progress, ProgressState, WantedModel};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

use super::{Made, Wishes};
use crate::identity::api_keys::sha256;
use crate::ollama::names::ModelName;

/// How often the states are read while somebody watches: nodes write them every two seconds.
const READ_EVERY: Duration = Duration::from_secs(1);

/// The nodes that are awake now, by name.
pub type Awake = Box<dyn Fn() -> Vec<String> + Send + Sync>;

/// Follows one wish until every node that is awake has met it or has failed.
pub struct Follow {
    /// Where the states are.
    pub wishes: Arc<Wishes>,
    /// What was wished.
    pub made: Made,
    /// The model's name.
    pub model: ModelName,
    /// Who is expected to meet it.
    pub awake: Awake,
    /// When the client is told that it goes on without them.
    pub until: Instant,
}

/// How far the nodes are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Somebody has taken the wish back.
    Withdrawn,
    /// No node is awake.
    Asleep,
    /// Some still pull.
    Going(Sum),
    /// All have ended, and at least one has it.
    Done(Sum),
    /// All have failed; why the first of them did.
    Failed(String),
}

/// The states of several nodes, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    nodes: usize,
    present: usize,
    failed: usize,
    completed: u64,
    total: u64,
}

fn stage(wish: Option<&WantedModel>, awake: &[String]) -> Stage {
    let Some(wish) = wish else { return Stage::Withdrawn };
    let states: Vec<Option<&Progress>> = awake.iter().map(|node| wish.progress.get(node)).collect();
    let (said, is) = (states.iter().flatten(), |state: ProgressState| {
        states.iter().flatten().filter(|progress| progress.state == state).count()
    });
    let sum = Sum {
        nodes: awake.len(),
        present: is(ProgressState::Present),
        failed: is(ProgressState::Failed),
        completed: said.clone().map(|progress| progress.completed).sum(),
        total: said.map(|progress| progress.total).sum(),
    };
    match sum {
        Sum { nodes: 0, .. } => Stage::Asleep,
        Sum { nodes, present, failed, .. } if present + failed < nodes => Stage::Going(sum),
        Sum { present: 1.., .. } => Stage::Done(sum),
        _ => {
            let why = states.iter().flatten().find_map(|progress| progress.error.clone());
            Stage::Failed(why.unwrap_or_else(|| "the model could not be pulled".to_owned()))
        }
    }
}

/// The lines of a stage.
fn lines(stage: &Stage, model: &ModelName) -> Vec<Value> {
    let status = |text: String| json!({ "status": text });
    let success = || status("success".to_owned());
    match stage {
        Stage::Withdrawn => vec![json!({ "error": "the model is no longer wanted: somebody deleted it" })],
        Stage::Asleep => vec![status("wanted; nodes pull it when they wake".to_owned()), success()],
        Stage::Going(sum) if sum.total == 0 => Vec::new(),
        Stage::Going(sum) => vec![bar(sum, model)],
        Stage::Done(sum) => {
            let has_bytes = (sum.total > 0).then(|| bar(sum, model));
            let behind = (sum.failed > 0).then(|| {
                status(format!("{} of {} nodes have it; the others try again", sum.present, sum.nodes))
            });
            [has_bytes, behind, Some(success())].into_iter().flatten().collect()
        }
        Stage::Failed(why) => vec![json!({ "error": why })],
    }
}

/// One bar for all parts and all nodes. Clients draw a bar by digest, and older ones cut it at fixed places: this one is
/// of the model's name.
fn bar(sum: &Sum, model: &ModelName) -> Value {
    let Sum { nodes, present, completed, total, .. } = sum;
    let status = match nodes {
        1 => format!("pulling {model}"),
        _ => format!("pulling {model}: {present} of {nodes} nodes have it"),
    };
    let digest: String = sha256(model.as_str().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "status": status, "digest": format!("sha256:{digest}"), "total": total, "completed": completed })
}

impl Follow {
    /// Writes lines into `out` until the end, also for a client that is gone: a wish that no node can meet is taken
    /// back by whoever made it. `before_success` is awaited before that is said.
    pub async fn run(self, mut out: DuplexStream, before_success: impl Future<Output = ()>) {
        let mut before_success = Some(before_success);
        let mut changes = self.wishes.changes();
        let mut told = json!({ "status": "pulling manifest" });
        write(&mut out, &told).await;
        loop {
            changes.mark_unchanged(); // before reading: what comes after it wakes
            if let Some(stage) = self.stage().await {
                let ended = !matches!(stage, Stage::Going(_));
                if matches!(stage, Stage::Failed(_)) && self.made.first {
                    self.take_back().await;
                }
                if ended && let Some(last) = before_success.take() {
                    last.await;
                }
                for line in lines(&stage, &self.model) {
                    if line != told {
                        write(&mut out, &line).await;
                        told = line;
                    }
                }
                if ended {
                    return;
                }
            }
            if Instant::now() >= self.until {
                let text = "the nodes go on pulling it; GET /fleet tells operators how far they are";
                return write(&mut out, &json!({ "error": text })).await;
            }
            tokio::select! {
                () = sleep(READ_EVERY) => {}
                _ = changes.changed() => {} // the sender lives in `wishes`
            }
        }
    }

    /// `None` while the store does not say.
    async fn stage(&self) -> Option<Stage> {
        let wishes = self.wishes.read().await.ok()?;
        let wish = wishes.iter().find(|wish| wish.name == self.made.wish.name);
        Some(stage(wish, &(self.awake)()))
    }

    async fn take_back(&self) {
        match self.wishes.unwant(&self.model).await {
            Ok(_) => {
                tracing::info!(model = %self.model, "no node can pull the model: it is no longer wanted")
            }
            Err(error) => {
                tracing::warn!(model = %self.model, %error, "a wish that failed stays; delete the model")
            }
        }
    }
}

/// A client that is gone, or does not read, misses lines; nothing waits for it.
async fn write(out: &mut DuplexStream, line: &Value) {
    let _ = out.write_all(format!("{line}\n").as_bytes()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(states: &[(&str, ProgressState, u64, u64)]) -> WantedModel {
        let progress = |&(node, state, completed, total): &(&str, ProgressState, u64, u64)| {
            let error = (state == ProgressState::Failed).then(|| format!("{node} cannot"));
            (node.to_owned(), Progress { state, completed, total, error, ..Progress::default() })
        };
        WantedModel {
            name: "m:1b".to_owned(),
            progress: states.iter().map(progress).collect(),
            ..WantedModel::default()
        }
    }

    fn check(states: &[(&str, ProgressState, u64, u64)], awake: &[&str], expected: &[Value]) {
        let awake: Vec<_> = awake.iter().map(|&node| node.to_owned()).collect();
        let model = ModelName::parse("m:1b").unwrap();
        let mut told = lines(&stage(Some(&wish(states)), &awake), &model);
        for line in &mut told {
            if let Some(digest) = line.as_object_mut().unwrap().remove("digest") {
                assert_eq!(digest.as_str().unwrap().len(), 71);
            }
        }
        assert_eq!(told, expected, "{states:?} {awake:?}");
    }

    #[test]
    fn states_are_added_up_over_the_nodes_that_are_awake() {
        use ProgressState::*;
        let success = json!({ "status": "success" });
        check(&[], &["a"], &[]);
        check(&[("a", Pulling, 0, 0)], &["a"], &[]);
        let bar = json!({ "status": "pulling m:1b", "completed": 3, "total": 10 });
        check(&[("a", Pulling, 3, 10), ("gone", Pulling, 1, 10)], &["a"], &[bar]);
        let bar = json!({ "status": "pulling m:1b: 1 of 2 nodes have it", "completed": 13, "total": 20 });
        check(&[("a", Present, 10, 10), ("b", Pulling, 3, 10)], &["a", "b"], &[bar]);
        check(&[("a", Present, 0, 0)], &["a", "b"], &[]); // the other has not said anything yet
        check(&[("a", Present, 0, 0)], &["a"], std::slice::from_ref(&success));
        let bar = json!({ "status": "pulling m:1b", "completed": 10, "total": 10 });
        check(&[("a", Present, 10, 10)], &["a"], &[bar, success.clone()]);
        let behind = json!({ "status": "1 of 2 nodes have it; the others try again" });
        check(&[("a", Present, 0, 0), ("b", Failed, 0, 0)], &["a", "b"], &[behind, success.clone()]);
        check(&[("a", Failed, 0, 0)], &["a"], &[json!({ "error": "a cannot" })]);
        let asleep = json!({ "status": "wanted; nodes pull it when they wake" });
        check(&[("gone", Failed, 0, 0)], &[], &[asleep, success]);
    }
}
