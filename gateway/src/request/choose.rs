//! From an admitted request to an answer that has begun: a place in the queue, an upstream, and once more where the
//! upstream could not be reached.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::forward::{Begun, Changes, Failure, Slot, broke_off, forward};
use super::inspect::{Ask, Kind};
use super::limit::BodyHold;
use super::queue::{Demand, Permit, Queue};
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::client::Client;
use crate::ollama::known::unreachable_now;
use crate::ollama::models::Keeper;
use crate::ollama::pace::{Pace, Rates};
use crate::ollama::show;

/// How often a request goes back to its place since its upstream could not be reached.
const TRIES: usize = 3;
/// Slack on the predicted time to a first token before a slot counts as stuck: prompts are estimated, and a full
/// node shares its speed.
const SLACK: f64 = 4.0;
/// The largest `/api/show` taken: a verbose one lists every token of the vocabulary.
const SHOW_BYTES: usize = 32 << 20;
/// A pull or a delete may take as long as a large model over a slow line.
const ADMINISTRATION: Duration = Duration::from_secs(6 * 3600);

/// What an answer needs of the gateway; owned, since a stream may outlive the call that began it.
#[derive(Clone)]
pub struct Means {
    /// The queue.
    pub queue: Arc<Queue>,
    /// The local Ollama's models.
    pub keeper: Arc<Keeper>,
    /// How fast they are.
    pub pace: Arc<Pace>,
    /// Upstream connections of this runtime.
    pub client: Client,
    /// `queue.max_wait_seconds`
    pub max_wait: Duration,
    /// `ollama.stuck_seconds`
    pub stuck: Duration,
}

impl Means {
    /// Waits for a place, forwards, and returns once the answer has begun. Dropping the future leaves the queue, or
    /// closes the upstream, at once.
    ///
    /// # Errors
    /// What the caller is told: overloaded, too late, or Ollama's own error in plain words.
    pub async fn answer(self, ask: Ask, caller: Caller, body: BodyHold) -> Result<Begun, Refusal> {
        let _body_until_begun = body;
        match ask.kind {
            Kind::Generate | Kind::Embed => self.inference(&ask, &caller).await,
            Kind::Load => {
                self.keeper.load(&ask.model).await?;
                self.unqueued(&ask, self.stuck).await
            }
            Kind::Show => self.show(&ask).await,
            Kind::Unload => self.unqueued(&ask, self.stuck).await,
            Kind::Pull | Kind::Delete => {
                let changes = Some(Changes(self.keeper.clone()));
                let begun = self.unqueued(&ask, ADMINISTRATION).await?;
                Ok(Begun { changes, ..begun })
            }
        }
    }

    async fn inference(&self, ask: &Ask, caller: &Caller) -> Result<Begun, Refusal> {
        let mut permit = self.queue.place(self.demand(ask, caller)).await?;
        let rates = self.pace.of(&ask.model);
        for _ in 0..TRIES {
            let waited = permit.waited();
            let slot = Slot::new(permit, self.keeper.clone(), rates);
            let upstream = self.keeper.upstream();
            match forward(&self.client, upstream, ask, Some(slot), waited, self.stuck_after(ask, rates)).await
            {
                Ok(begun) => return Ok(begun),
                Err(Failure::Refused(refusal)) => return Err(refusal),
                Err(Failure::Stuck) => {
                    self.keeper.revive(&ask.model);
                    return Err(Refusal::TooLate(
                        "the model gave no first token in time and is being loaded again; try again"
                            .to_owned(),
                    ));
                }
                Err(Failure::Unreached(unused)) => {
                    self.keeper.broke();
                    permit = self.again(unused).await?;
                }
            }
        }
        Err(unreachable_now())
    }

    async fn again(&self, unused: Option<Permit>) -> Result<Permit, Refusal> {
        unused.ok_or_else(unreachable_now)?.hand_back().await
    }

    fn demand(&self, ask: &Ask, caller: &Caller) -> Demand {
        let rates = self.pace.of(&ask.model);
        Demand {
            model: ask.model.clone(),
            caller: caller.principal.clone(),
            priority: caller.rights.priority,
            work: rates.work(ask.prompt_tokens, rates.expected_output(ask.output_tokens)),
            bytes: ask.body.len(),
            deadline: Instant::now() + self.max_wait,
        }
    }

    /// Only a stream can show that it is stuck: a whole answer says nothing before its end.
    fn stuck_after(&self, ask: &Ask, rates: Rates) -> Option<Duration> {
        let predicted = Duration::from_secs_f64(SLACK * rates.work(ask.prompt_tokens, 0.0));
        ask.stream.then_some(self.stuck + predicted)
    }

    /// What a model is, without the paths of the server.
    async fn show(&self, ask: &Ask) -> Result<Begun, Refusal> {
        let mut begun = self.unqueued(ask, self.stuck).await?;
        let answer = begun.answer.body.collect(SHOW_BYTES).await.map_err(|_| broke_off(true))?;
        let answer = show::without_paths(&answer, &ask.model).ok_or_else(|| broke_off(true))?;
        begun.answer = begun.answer.with_body(answer);
        Ok(begun)
    }

    /// What needs no GPU goes straight through.
    async fn unqueued(&self, ask: &Ask, within: Duration) -> Result<Begun, Refusal> {
        match forward(&self.client, self.keeper.upstream(), ask, None, Duration::ZERO, Some(within)).await {
            Ok(begun) => Ok(begun),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(Failure::Unreached(_)) => {
                self.keeper.broke();
                Err(unreachable_now())
            }
            Err(Failure::Stuck) => {
                Err(Refusal::TooLate("the model server did not answer in time".to_owned()))
            }
        }
    }
}
