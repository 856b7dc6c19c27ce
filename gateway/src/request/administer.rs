//! Pulling and deleting: an administrator's word becomes a wish of the whole fleet, on whichever gateway it is said.
//! A gateway that is alone deletes also what no wish had brought; among others that would make their lists differ.

use std::time::Duration;

use fleet::report::{NodeState, Role};
use fleet::store::{ProgressState, StoreError};
use tokio::io::duplex;
use tokio::time::Instant;

use super::choose::Means;
use super::destination::Errands;
use super::forward::{Begun, broke_off};
use crate::error::Refusal;
use crate::ollama::client::Answer;
use crate::ollama::known::unreachable_now;
use crate::ollama::plain_words;
use crate::process::{Models, Shared};
use crate::wishes::Follow;

/// Lines of a pull that wait for its client.
const LINES: usize = 16 << 10;
/// When to try again what the store did not take.
const STORE_RETRY: Duration = Duration::from_secs(2);
/// The part of a stream's time after which a pull's client is told that it goes on without them.
const OF_A_STREAM: f64 = 0.95;

impl Means {
    /// Wants a model, and tells how its nodes come to it.
    pub(super) async fn pull(&self, errands: Errands<'_>) -> Result<Begun, Refusal> {
        let (shared, model) = (&self.shared, &errands.ask.model);
        let _ = shared.roster.read().await; // who there is now; while the store fails, who was
        if shared.keeper().is_ok_and(|keeper| !keeper.known().reachable) && !shared.has_other_nodes() {
            return Err(unreachable_now());
        }
        let made = shared.wishes.want(model).await.map_err(|error| not_changed(&error))?;
        tracing::info!(caller = errands.caller.principal.as_str(), %model, "a model is wanted");
        if let Some(converge) = &shared.converge {
            converge.look().await;
        }
        let (of_fleet, for_client) = (shared.clone(), shared.clone());
        let follow = Follow {
            wishes: shared.wishes.clone(),
            made,
            model: model.clone(),
            awake: Box::new(move || of_fleet.awake()),
            until: Instant::now() + shared.config.limits.stream_seconds.mul_f64(OF_A_STREAM),
        };
        let (reader, writer) = duplex(LINES);
        shared.tasks.spawn_background(async move {
            // The list is read again before the client hears of success and asks for it.
            follow.run(writer, for_client.models_changed()).await;
        });
        let answer = Answer::written(reader);
        if errands.ask.stream { Ok(begun(answer)) } else { whole(answer).await.map(begun) }
    }

    /// Wants a model no longer.
    pub(super) async fn delete(&self, errands: Errands<'_>) -> Result<Begun, Refusal> {
        let (shared, model) = (&self.shared, &errands.ask.model);
        if shared.converge.as_ref().is_some_and(|converge| converge.is_pinned(model)) {
            let text =
                format!("this node's configuration keeps {model}; take it out of `ollama.models` first");
            return Err(Refusal::Forbidden(text));
        }
        let _ = shared.roster.read().await;
        let wish = shared.wishes.unwant(model).await.map_err(|error| not_changed(&error))?;
        if wish.is_some() {
            tracing::info!(caller = errands.caller.principal.as_str(), %model, "a model is no longer wanted");
        }
        if let Some(converge) = &shared.converge {
            converge.look().await; // gone here before the answer, and there within ten seconds
        }
        let alone = !shared.has_other_nodes();
        match &shared.models {
            Models::Here(keeper) if alone && (wish.is_none() || keeper.known().has(model)) => {
                keeper.find(model).await?;
                self.delete_here(keeper, errands).await
            }
            _ if let Some(wish) = wish => {
                let had =
                    |said: &fleet::store::Progress| said.state == ProgressState::Present && !said.brought;
                if wish.progress.values().any(had) {
                    return Err(stays());
                }
                if let Models::Elsewhere(catalogue) = &shared.models {
                    catalogue.deleted(model).await;
                }
                Ok(begun(Answer::whole("")))
            }
            Models::Here(keeper) => Err(keeper.find(model).await.err().unwrap_or_else(stays)),
            Models::Elsewhere(catalogue) => Err(catalogue.find(model).await.err().unwrap_or_else(stays)),
        }
    }
}

impl Shared {
    /// The nodes whose Ollama answers, by name: who can pull. One that is alone waits for its own.
    fn awake(&self) -> Vec<String> {
        let own = self.keeper().is_ok_and(|keeper| keeper.known().reachable || !self.has_other_nodes());
        let own = own.then(|| self.config.fleet.node.clone());
        let able = |state| matches!(state, NodeState::Ready | NodeState::Loading);
        let peers = self.roster.peers();
        let others = peers.iter().filter(|peer| peer.view.role == Role::Node && able(peer.view.state));
        others.map(|peer| peer.view.node.clone()).chain(own).collect()
    }

    fn has_other_nodes(&self) -> bool {
        self.roster.peers().iter().any(|peer| peer.view.role == Role::Node)
    }

    /// Lists are read again before they are shown.
    async fn models_changed(self: std::sync::Arc<Self>) {
        match &self.models {
            Models::Here(keeper) => keeper.models_changed(),
            Models::Elsewhere(catalogue) => catalogue.changed().await,
        }
    }
}

fn begun(answer: Answer) -> Begun {
    Begun { answer, slot: None, waited: Duration::ZERO, by: None, changes: None }
}

/// The last word alone, for a client that wants no stream.
async fn whole(mut answer: Answer) -> Result<Answer, Refusal> {
    let lines = answer.body.collect(1 << 20).await.map_err(|_| broke_off(true))?;
    let last = lines.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    match plain_words::of_error(last) {
        Some(text) => Err(Refusal::Upstream { text, worked: true }),
        None => Ok(Answer::whole(bytes::Bytes::copy_from_slice(last))),
    }
}

fn not_changed(error: &StoreError) -> Refusal {
    tracing::warn!(%error, "the fleet's models cannot be changed");
    Refusal::Overloaded {
        what: "the fleet's models cannot be changed at this moment",
        retry_after: STORE_RETRY,
    }
}

fn stays() -> Refusal {
    Refusal::Forbidden(
        "the nodes had this model before anybody pulled it, from their image or configuration, and keep it"
            .to_owned(),
    )
}
