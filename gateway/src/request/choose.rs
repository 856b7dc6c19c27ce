//! From an admitted request to an answer that has begun: a place in the queue, the destination it names, and once more
//! where that could not be reached or refused.

use std::sync::Arc;
use std::time::Duration;

use super::destination::{Destination, Errands};
use super::forward::{Begun, Changes, Failure, Slot, broke_off, forward};
use super::inspect::{Ask, Kind};
use super::limit::BodyHold;
use super::queue::{Demand, Patience, Permit, Reach};
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::client::Client;
use crate::ollama::known::unreachable_now;
use crate::ollama::models::Keeper;
use crate::ollama::pace::Rates;
use crate::ollama::show;
use crate::process::{Models, Shared};

/// How often a request goes back to its place since the local Ollama could not be reached, or since a node broke off
/// that may have begun to work: such a request could be what breaks them.
const TRIES: usize = 3;
/// Slack on the predicted time to a first token before a slot counts as stuck: prompts are estimated, and a full
/// node shares its speed.
const SLACK: f64 = 4.0;
/// The largest `/api/show` taken: a verbose one lists every token of the vocabulary.
const SHOW_BYTES: usize = 32 << 20;
/// A pull or a delete may take as long as a large model over a slow line.
const ADMINISTRATION: Duration = Duration::from_secs(6 * 3600);
/// How long a node may take to say what a model is; no GPU is needed for it.
const SHOW_WITHIN: Duration = Duration::from_secs(30);

/// What an answer needs of the gateway; owned, since a stream may outlive the call that began it.
#[derive(Clone)]
pub struct Means {
    /// What all runtimes share.
    pub shared: Arc<Shared>,
    /// Upstream connections of this runtime.
    pub client: Client,
}

impl Means {
    /// Waits for a place, forwards, and returns once the answer has begun. Dropping the future leaves the queue, or
    /// closes the upstream, at once. `id`: the request's.
    ///
    /// # Errors
    /// What the caller is told: overloaded, too late, or Ollama's own error in plain words.
    pub async fn answer(
        self,
        ask: Ask,
        caller: Caller,
        id: String,
        body: BodyHold,
    ) -> Result<Begun, Refusal> {
        let _body_until_begun = body;
        let errands = Errands { ask: &ask, caller: &caller, id: &id };
        match (&self.shared.models, ask.kind) {
            (_, Kind::Generate | Kind::Embed) | (Models::Elsewhere(_), Kind::Load) => {
                self.inference(errands).await
            }
            (Models::Here(keeper), Kind::Load) => {
                keeper.load(&ask.model).await?;
                self.here(keeper, errands, self.stuck()).await
            }
            (Models::Here(keeper), Kind::Show) => self.show(keeper, errands).await,
            (Models::Here(keeper), Kind::Unload) => self.here(keeper, errands, self.stuck()).await,
            (Models::Here(keeper), Kind::Pull | Kind::Delete) => {
                let changes = Some(Changes(keeper.clone()));
                let begun = self.here(keeper, errands, ADMINISTRATION).await?;
                Ok(Begun { changes, ..begun })
            }
            (Models::Elsewhere(_), Kind::Show) => self.any_node(errands).await,
            (Models::Elsewhere(_), Kind::Unload | Kind::Pull | Kind::Delete) => Err(not_here()),
        }
    }

    async fn inference(&self, errands: Errands<'_>) -> Result<Begun, Refusal> {
        let ask = errands.ask;
        let entered = self.shared.queue.enter(self.demand(errands))?;
        self.count_arrival(errands); // a refusal is no arrival
        let mut permit = entered.granted().await?;
        let rates = self.shared.pace.of(&ask.model);
        let mut tries = 0;
        loop {
            let Some(destination) = Destination::of(permit.upstream(), &self.shared) else {
                self.shared.places.gone(permit.upstream());
                permit = permit.hand_back().await?;
                continue;
            };
            let waited = permit.waited();
            let slot = Slot::new(permit, destination.clone(), rates, &self.shared.books, ask.prompt_tokens);
            let stuck_after = self.stuck_after(&destination, ask, rates);
            let sent =
                forward(&self.client, &self.shared, &destination, errands, Some(slot), waited, stuck_after);
            let (unused, counts) = match sent.await {
                Ok(begun) => return Ok(begun),
                Err(Failure::Refused(refusal)) => return Err(refusal),
                Err(Failure::Stuck) => return Err(self.revive(errands)),
                Err(Failure::Unreached(unused)) => (unused, destination.is_local()),
                Err(Failure::BrokeOff(unused)) => (unused, true),
                Err(Failure::Lacks(unused, refusal)) => {
                    if !destination.lacks(&self.shared, &ask.model) {
                        return Err(refusal);
                    }
                    permit = again(unused).await?;
                    continue;
                }
            };
            destination.broke(&self.shared); // or the same slot would be granted again at once
            tries += usize::from(counts);
            permit = again(unused).await?;
            if tries == TRIES {
                return Err(unreachable_now());
            }
        }
    }

    /// What is forwarded has arrived where its client is; a load is no work.
    fn count_arrival(&self, Errands { ask, caller, .. }: Errands<'_>) {
        if caller.forwarded.is_none() && ask.kind != Kind::Load {
            self.shared.books.work.arrived(ask.prompt_tokens);
        }
    }

    fn revive(&self, errands: Errands<'_>) -> Refusal {
        if let Ok(keeper) = self.shared.keeper() {
            keeper.revive(&errands.ask.model);
        }
        Refusal::TooLate(
            "the model gave no first token in time and is being loaded again; try again".to_owned(),
        )
    }

    fn demand(&self, errands: Errands<'_>) -> Demand {
        let Errands { ask, caller, .. } = errands;
        let (rates, config) = (self.shared.pace.of(&ask.model), &self.shared.config.queue);
        Demand {
            model: ask.model.clone(),
            caller: caller.principal.clone(),
            priority: caller.rights.priority,
            work: rates.work(ask.prompt_tokens, rates.expected_output(ask.output_tokens)),
            prompt_tokens: ask.prompt_tokens,
            bytes: ask.body.len(),
            // One hop, never two.
            reach: if caller.forwarded.is_some() { Reach::Here } else { Reach::Anywhere },
            patience: Patience {
                wait: config.max_wait_seconds.saturating_sub(caller.waited()),
                hold: config.hold_seconds,
            },
        }
    }

    fn stuck(&self) -> Duration {
        self.shared.config.ollama.as_ref().map_or(Duration::MAX, |ollama| ollama.stuck_seconds)
    }

    /// Only a stream can show that it is stuck: a whole answer says nothing before its end. And only here: a node sees
    /// to its own slots.
    fn stuck_after(&self, destination: &Destination, ask: &Ask, rates: Rates) -> Option<Duration> {
        let predicted = Duration::from_secs_f64(SLACK * rates.work(ask.prompt_tokens, 0.0));
        (ask.stream && destination.is_local()).then(|| self.stuck().saturating_add(predicted))
    }

    /// What a model is, without the paths of the server.
    async fn show(&self, keeper: &Arc<Keeper>, errands: Errands<'_>) -> Result<Begun, Refusal> {
        let mut begun = self.here(keeper, errands, self.stuck()).await?;
        let answer = begun.answer.body.collect(SHOW_BYTES).await.map_err(|_| broke_off(true))?;
        let answer = show::without_paths(&answer, &errands.ask.model).ok_or_else(|| broke_off(true))?;
        begun.answer = begun.answer.with_body(answer);
        Ok(begun)
    }

    /// What needs no GPU goes straight through.
    async fn here(
        &self,
        keeper: &Arc<Keeper>,
        errands: Errands<'_>,
        within: Duration,
    ) -> Result<Begun, Refusal> {
        let here = Destination::Here(keeper.clone());
        self.unqueued(&here, errands, within).await.map_err(|failure| match failure {
            Failure::Refused(refusal) | Failure::Lacks(_, refusal) => refusal,
            Failure::Unreached(_) | Failure::BrokeOff(_) => {
                keeper.broke();
                unreachable_now()
            }
            Failure::Stuck => Refusal::TooLate("the model server did not answer in time".to_owned()),
        })
    }

    /// The same at any node; nobody is woken for it.
    async fn any_node(&self, errands: Errands<'_>) -> Result<Begun, Refusal> {
        let mut tried = Vec::new();
        while let Some(peer) = self.shared.places.any(Some(&errands.ask.model), &tried) {
            tried.push(peer.id);
            match self.unqueued(&Destination::Peer(peer), errands, SHOW_WITHIN).await {
                Err(Failure::Refused(refusal)) => return Err(refusal),
                Err(Failure::Lacks(_, refusal)) if tried.len() >= self.shared.roster.ready_nodes() => {
                    return Err(refusal);
                }
                Ok(begun) => return Ok(begun),
                Err(_) if tried.len() == TRIES => break,
                Err(_) => {}
            }
        }
        Err(Refusal::Overloaded {
            what: "no node is awake to ask; a chat wakes one",
            retry_after: Duration::from_secs(30),
        })
    }

    async fn unqueued(
        &self,
        destination: &Destination,
        errands: Errands<'_>,
        within: Duration,
    ) -> Result<Begun, Failure> {
        let (shared, wait) = (&self.shared, Duration::ZERO);
        forward(&self.client, shared, destination, errands, None, wait, Some(within)).await
    }
}

async fn again(unused: Option<Permit>) -> Result<Permit, Refusal> {
    unused.ok_or_else(unreachable_now)?.hand_back().await
}

/// What changes the models of one Ollama has no meaning at the front of many.
fn not_here() -> Refusal {
    Refusal::Forbidden(
        "the models of a fleet cannot be unloaded, pulled or deleted through its front".to_owned(),
    )
}
