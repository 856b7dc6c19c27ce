//! The step of the journey: a route of conversations, whose caller is known.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts as Head;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::Act;
use super::answer::{Answer, Asking};
use super::edit;
use super::export::export;
use super::pen::Pen;
use super::query::{self, Part, Wanted};
use super::shapes::{self, is_id, shown_id};
use super::shelf;
use super::store::find;
use super::tell::{Sight, Teller};
use super::turn::{self, Said, Turn, Wish};
use crate::body::Body;
use crate::error::Refusal;
use crate::identity::{Caller, Priority};
use crate::process::Shared;
use crate::request::Journey;
use crate::request::account::Account;
use crate::request::limit::{BodyHold, Pass};
use crate::request::local::json as answer;
use crate::request::receive::receive;
use crate::request::route::Route;
use crate::telling;

/// A body besides its texts.
const FIELDS: u64 = 64 << 10;
/// Bytes that a character may need: four, each escaped.
const BYTES_A_CHARACTER: u64 = 12;

/// What the journey knows when it comes here.
pub(crate) struct Visit<'a> {
    pub(crate) head: &'a Head,
    pub(crate) body: Incoming,
    pub(crate) route: &'static Route,
    pub(crate) caller: Caller,
    pub(crate) pass: Option<Pass>,
}

impl Journey {
    /// Answers a route of conversations.
    ///
    /// # Errors
    /// As every step of the journey; 404 alike for what is not there and what is somebody else's.
    pub(crate) async fn converse(
        &self,
        act: Act,
        visit: Visit<'_>,
        account: &mut Account,
    ) -> Result<Response<Body>, Refusal> {
        if visit.caller.forwarded.is_some() {
            return Err(Refusal::Forbidden("a conversation is not forwarded: its inferences are".to_owned()));
        }
        let method = visit.head.method.clone();
        match (act, &method) {
            (Act::All, &Method::POST) => self.begin_conversation(visit, account).await,
            (Act::All, _) => {
                let wanted = Wanted::of(visit.head)?;
                let list = shelf::list(&self.shared, visit.caller.principal.as_str(), &wanted).await?;
                Ok(account.answered(answer(&list)))
            }
            (Act::Export, _) => {
                query::none(visit.head)?;
                export(&self.shared, visit.caller.principal.as_str(), visit.pass, account).await
            }
            (Act::One, &Method::PATCH) => self.change_conversation(visit, account).await,
            (Act::One, &Method::DELETE) => self.delete_conversation(&visit, account).await,
            (Act::One, _) => {
                let part = Part::of(visit.head)?;
                let view = shelf::view(&self.shared, visit.caller.principal.as_str(), visit.id(), part);
                Ok(account.answered(answer(&view.await?)))
            }
            (Act::Say, _) => self.say(visit, account).await,
            (Act::Stop, _) => self.stop_answer(&visit, account).await,
        }
    }

    /// `POST /conversations`
    async fn begin_conversation(
        &self,
        visit: Visit<'_>,
        account: &mut Account,
    ) -> Result<Response<Body>, Refusal> {
        query::none(visit.head)?;
        let caller = visit.caller.clone();
        let (body, _hold) = self.take(visit).await?;
        let new: edit::New = edit::read(&body, "`model` and, if wanted, `title`, `system` and `options`")?;
        let model = edit::model(&self.shared, new.model(), &caller.rights)?;
        self.find_model(&model).await?;
        let made = edit::create(&self.shared, &caller, &model, new).await?;
        self.saw(&caller);
        let mut response = answer(&shapes::whole(&made, false));
        *response.status_mut() = StatusCode::CREATED;
        Ok(account.answered(response))
    }

    /// `PATCH /conversations/{id}`. In a task of its own: once the pen is taken, it is also laid down.
    async fn change_conversation(
        &self,
        visit: Visit<'_>,
        account: &mut Account,
    ) -> Result<Response<Body>, Refusal> {
        query::none(visit.head)?;
        let (shared, caller, id) = (self.shared.clone(), visit.caller.clone(), visit.known_id()?);
        let (body, _hold) = self.take(visit).await?;
        let wanted = edit::read(&body, "any of `title`, `system`, `options` and `closed`")?;
        let changing = async move {
            let changed = edit::apply(&shared, &caller, &id, wanted).await?;
            Ok(shapes::whole(&changed, false))
        };
        let changed = self.shared.tasks.spawn(changing).await.map_err(|_| Refusal::Bug)?;
        Ok(account.answered(answer(&changed?)))
    }

    /// `DELETE /conversations/{id}`, in a task of its own too.
    async fn delete_conversation(
        &self,
        visit: &Visit<'_>,
        account: &mut Account,
    ) -> Result<Response<Body>, Refusal> {
        query::none(visit.head)?;
        let (shared, id) = (self.shared.clone(), visit.known_id()?);
        let principal = visit.caller.principal.clone();
        let removing = async move { shelf::remove(&shared, principal.as_str(), &id).await };
        self.shared.tasks.spawn(removing).await.map_err(|_| Refusal::Bug)??;
        let mut response = Response::new(Body::full(""));
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(account.answered(response))
    }

    /// `POST /conversations/{id}/stop`
    async fn stop_answer(&self, visit: &Visit<'_>, account: &mut Account) -> Result<Response<Body>, Refusal> {
        query::none(visit.head)?;
        let (principal, id) = (visit.caller.principal.as_str(), visit.known_id()?);
        find(&*self.shared.store, principal, &id).await?;
        let stopping = shelf::stop(&self.shared, principal, &id).await?;
        let mut response = answer(&json!({ "stopping": stopping }));
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(account.answered(response))
    }

    /// `POST /conversations/{id}/messages`. From here on it is a task's, which no connection ends; who goes before the
    /// answer has begun loses nothing either.
    async fn say(&self, visit: Visit<'_>, account: &mut Account) -> Result<Response<Body>, Refusal> {
        let begun = Instant::now();
        query::none(visit.head)?;
        let (id, route, caller) = (visit.known_id()?, visit.route, visit.caller.clone());
        let mut visit = visit;
        let pass = visit.pass.take();
        let (body, _hold) = self.take(visit).await?;
        let said: Said = edit::read(&body, "`content`, with `replaces` if wanted, or `regenerate`")?;
        let wish = said.wish(self.shared.config.conversations.message_characters)?;
        self.saw(&caller);
        let asking = Asking {
            journey: self.apart(),
            route,
            caller: caller.at(Priority::Interactive),
            pass,
            account: account.hand_over(),
            begun,
        };
        let (tell, told) = oneshot::channel();
        self.shared.tasks.spawn(Box::pin(asking.run(id, wish, tell)));
        match told.await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(refused)) => {
                let (refusal, theirs) = *refused;
                *account = theirs;
                Err(refusal)
            }
            Err(_) => Err(Refusal::Bug),
        }
    }

    /// The body, which is bounded by what may be said.
    async fn take(&self, visit: Visit<'_>) -> Result<(Bytes, BodyHold), Refusal> {
        let limits = &self.shared.config.limits;
        let texts = self.shared.config.conversations.message_characters as u64 * BYTES_A_CHARACTER;
        let most = limits.body_bytes.min(texts + FIELDS + edit::SYSTEM_CHARACTERS as u64 * BYTES_A_CHARACTER);
        receive(&visit.head.headers, visit.body, most, limits, &self.shared.bodies).await
    }

    /// Notes that somebody is active, beside the request.
    fn saw(&self, caller: &Caller) {
        let (shared, principal) = (self.shared.clone(), caller.principal.clone());
        self.shared.tasks.spawn_background(async move {
            shared.conversations.saw(&*shared.store, &principal).await;
        });
    }
}

impl Visit<'_> {
    fn id(&self) -> &str {
        self.route.named_segment(self.head.uri.path()).unwrap_or_default()
    }

    /// The id, where it could be a conversation's.
    fn known_id(&self) -> Result<String, Refusal> {
        if is_id(self.id()) { Ok(self.id().to_owned()) } else { Err(Refusal::NoConversation) }
    }
}

/// What a request that began no answer ends with, and the account that says so.
type Refused = Box<(Refusal, Account)>;

impl Asking {
    /// Makes ready, tells that the answer begins, and has it written.
    async fn run(mut self, id: String, wish: Wish, tell: oneshot::Sender<Result<Response<Body>, Refused>>) {
        let shared = self.journey.shared.clone();
        let _answering = shared.conversations.answering();
        let (turn, pen) = match self.prepare(&id, wish).await {
            Ok(ready) => ready,
            Err(refusal) => {
                let _gone = tell.send(Err(Box::new((refusal, self.account))));
                return;
            }
        };
        self.account.model = Some(turn.model.clone());
        self.account.status = 200;
        let (response, reader) = telling::stream();
        let (board, sight) = watch::channel(Sight::default());
        let teller = Teller {
            board: sight,
            reader,
            shared: shared.clone(),
            caller: self.caller.clone(),
            model: turn.model.clone(),
        };
        shared.tasks.spawn(teller.tell(started(&turn)));
        let _gone = tell.send(Ok(response));
        Box::pin(Answer::new(self, turn, board).write(pen)).await;
    }

    async fn prepare(&self, id: &str, wish: Wish) -> Result<(Turn, Pen), Refusal> {
        let shared: &Arc<Shared> = &self.journey.shared;
        let principal = self.caller.principal.as_str();
        find(&*shared.store, principal, id).await?; // no pen for what is not there
        let pen = Pen::take(shared, principal, id).await?;
        match turn::prepare(&self.journey, &self.caller, id, wish).await {
            Ok(turn) => Ok((turn, pen)),
            Err(refusal) => {
                pen.lay_down().await;
                Err(refusal)
            }
        }
    }
}

fn started(turn: &Turn) -> Value {
    json!({
        "user": turn.user.as_ref().map(|user| shapes::message(user, true)),
        "answer": shown_id(turn.answer),
        "turns_cut": turn.turns_cut,
        "model": turn.model.as_str(),
    })
}
