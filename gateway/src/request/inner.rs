//! An inference within a request: what a gateway asks a model for in the caller's name. It goes the way of every other
//! one (inspection, tokens, activity, queue, forward, relay); the request around it has the pass and writes the account.

use bytes::Bytes;

use super::account::Account;
use super::choose::Means;
use super::inspect::{Ask, inspect};
use super::limit::Reservation;
use super::relay::{Passage, Relay, Traits};
use super::route::Route;
use super::{Core, Journey};
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::dialect::Api;
use crate::ollama::names::ModelName;
use crate::process::Models;

/// Whose inference it is, and of which request.
pub struct Inner<'a> {
    /// The row of the request around it.
    pub route: &'static Route,
    /// Who pays, with the priority that this inference has.
    pub caller: &'a Caller,
    /// The id of the request around it.
    pub id: &'a str,
    /// The request's first one: it counts as a request against the fleet's limit, the others' tokens only.
    pub first: bool,
    /// What its cost is added to.
    pub account: Account,
}

impl Journey {
    /// The same journey for a task of this runtime that outlives the call.
    pub fn apart(&self) -> Self {
        let core = Core { client: self.core.client.clone(), sweeper: self.core.sweeper.clone() };
        Self { shared: self.shared.clone(), core }
    }

    /// Waits for a place and returns the stream of the answer as Ollama's `/api/chat` writes it. Dropping the future, or
    /// the relay, leaves the queue or ends the generation.
    ///
    /// # Errors
    /// As for any inference: limits, queue, time, or Ollama's own error in plain words.
    pub async fn ask_within(&self, inner: Inner<'_>, body: Bytes) -> Result<Relay, Refusal> {
        let Inner { route, caller, id, first, account } = inner;
        let shared = &self.shared;
        let hold = shared.bodies.reserve(body.len() as u64)?;
        let ask = inspect(Api::Chat, body, &caller.rights, shared.config.limits.output_tokens)?;
        self.find(&ask).await?;
        let reservation = self.reserve_within(&ask, caller, first).await?;
        let mut reservation = self.count(route, &ask, Some(reservation))?;
        let traits = Traits::of(&ask, false);
        let means = Means { shared: shared.clone(), client: self.core.client.clone() };
        let begun = means.answer(ask, caller.clone(), id.to_owned(), hold).await.inspect_err(|_| {
            reservation.take().into_iter().for_each(|reservation| reservation.settle(0)); // it cost nothing
        })?;
        let passage = Passage { account, pass: None, reservation, serving: None };
        let relay = Relay::begun(begun, traits, passage, shared.pace.clone(), shared.rules);
        Ok(relay.watched(&self.core.sweeper, None, shared))
    }

    pub(super) async fn find(&self, ask: &Ask) -> Result<(), Refusal> {
        self.find_model(&ask.model).await
    }

    /// Is the model there, here or at some node, as far as somebody can tell?
    ///
    /// # Errors
    /// 404 where it is not.
    pub(crate) async fn find_model(&self, model: &ModelName) -> Result<(), Refusal> {
        match &self.shared.models {
            Models::Here(keeper) => keeper.find(model).await,
            Models::Elsewhere(catalogue) => catalogue.find(model).await,
        }
    }

    async fn reserve_within(&self, ask: &Ask, caller: &Caller, first: bool) -> Result<Reservation, Refusal> {
        let output = self.shared.pace.of(&ask.model).expected_output(ask.output_tokens);
        let tokens = u64::from(ask.prompt_tokens) + output.ceil() as u64;
        let mut reservation = self.shared.quota.reserve_for(caller, tokens, u64::from(first)).await?;
        // Who leaves before an answer pays for the prompt, which may have been read by then.
        reservation.count(u64::from(ask.prompt_tokens));
        Ok(reservation)
    }
}
