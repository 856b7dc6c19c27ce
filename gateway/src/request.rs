//! The journey of a request: [`Journey::handle`] is the whole story, each step a file of this folder.

pub mod wellformed;
pub mod route;
pub mod address;
pub mod cors;
pub mod local;
pub mod authenticate;
pub mod limit;
pub mod receive;
pub mod inspect;
pub mod queue;
pub mod choose;
pub mod forward;
pub mod relay;
pub mod account;

use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::body::Body;
use crate::connection::clock::Sweeper;
use crate::connection::serve::Connection;
use crate::drain::Phase;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::client::Client;
use crate::ollama::dialect::{Api, Family};
use crate::process::Shared;
use account::{Account, Outcome};
use choose::Means;
use cors::Verdict;
use forward::Begun;
use inspect::{Ask, Kind};
use limit::{BodyHold, Pass, Quota};
use relay::{Passage, Relay, Traits};
use route::{Action, Class, Permission, Route};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const QUEUE_WAIT: HeaderName = HeaderName::from_static("x-queue-wait-ms");
const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
/// Tells nginx and its like not to gather tokens into bursts.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Bodies of routes without images: names and switches.
const SMALL_BODY: u64 = 1 << 20;

/// What belongs to one runtime: its upstream connections and its clock.
#[derive(Default)]
pub struct Core {
    /// Upstream connections.
    pub client: Client,
    /// The clock of connections and streams.
    pub sweeper: Arc<Sweeper>,
}

/// The way of every request on one runtime.
pub struct Journey {
    /// What all runtimes share.
    pub shared: Arc<Shared>,
    /// What is this runtime's own.
    pub core: Core,
}

impl Journey {
    /// Answers one request, whatever it is. A closed table, a proven caller, limits, an inspected body, a place in the
    /// queue: each step needs the proof of the one before.
    pub async fn handle(&self, request: Request<Incoming>, connection: &Arc<Connection>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let id = wellformed::request_id(&head);
        let verdict = self.shared.cors.judge(&head.method, &head.headers);
        let mut account = Account::open(id.clone(), self.shared.books.clone());
        let answer = match (self.sound(&head, connection), &verdict) {
            (Err(refusal), _) => Err((refusal, account)),
            (Ok(_), Err(refusal)) => Err((refusal.clone(), account)),
            (Ok(_), Ok(Verdict::Preflight(_))) => {
                (account.status, account.outcome) = (204, Outcome::Answered);
                Ok(self.shared.cors.preflight())
            }
            (Ok(host), Ok(_)) => self.travel(&head, &host, body, connection, account).await,
        };
        let mut response = answer.unwrap_or_else(|(refusal, mut account)| {
            account.refused(&refusal);
            refusal.into_response(route::family_of(head.uri.path()), &id)
        });
        self.shared.cors.apply(&verdict.unwrap_or_default(), response.headers_mut());
        self.finish(&mut response, &head, &id);
        response
    }

    /// The host of a head that can be read in one way only.
    fn sound(&self, head: &Parts, connection: &Connection) -> Result<String, Refusal> {
        if connection.clock.had_fragment(head) {
            return Err(Refusal::Ambiguous("a request target has no fragment"));
        }
        wellformed::check(head, &self.shared.config.limits)
    }

    /// The journey itself.
    async fn travel(
        &self,
        head: &Parts,
        host: &str,
        body: Incoming,
        connection: &Arc<Connection>,
        mut account: Account,
    ) -> Result<Response<Body>, (Refusal, Account)> {
        let result: Result<_, Refusal> = async {
            let route = Route::of(&head.method, head.uri.path())?; // what is not listed does not exist
            account.route = Some(route);
            if route.permission == Permission::Probe {
                return Ok(Travelled::Here(self.local(route, head, None)?)); // the load balancer asks by address
            }
            self.admit(head, host, connection)?;
            if route.permission == Permission::Anyone {
                return Ok(Travelled::Here(self.local(route, head, None)?));
            }
            let caller = self.authenticate(head, route).await?;
            account.caller = Some(caller.principal.clone());
            let pass = self.limit(&caller)?; // requests per minute, open requests; no byte of a body is read before
            let Action::Ask(api) = route.action else {
                if let Ok(keeper) = self.shared.keeper() {
                    keeper.fresh().await;
                }
                return Ok(Travelled::Here(self.local(route, head, Some(&caller.rights))?));
            };
            let (ask, hold) = self.inspect(head, body, route, api, &caller).await?;
            if ask.kind != Kind::Pull {
                self.shared.keeper()?.find(&ask.model).await?;
            }
            account.model = Some(ask.model.clone());
            Ok(Travelled::Asks(Box::new(Asked { ask, caller, pass, hold })))
        }
        .await;
        match result {
            Ok(Travelled::Here(response)) => {
                account.status = response.status().as_u16();
                account.outcome = Outcome::Answered;
                Ok(response)
            }
            Ok(Travelled::Asks(asked)) => self.ask(*asked, account, connection).await,
            Err(refusal) => Err((refusal, account)),
        }
    }

    /// Host names, networks, and the way out.
    fn admit(&self, head: &Parts, host: &str, connection: &Connection) -> Result<(), Refusal> {
        let access = &self.shared.config.access;
        if !access.hosts.is_empty() && !access.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)) {
            return Err(Refusal::ForeignHost);
        }
        let client = address::client_address(connection.peer.ip(), &head.headers, &access.trusted_proxies)?;
        address::admitted(client, &access.allowed_networks)?;
        if self.shared.drain.phase() >= Phase::Closing {
            return Err(Refusal::Overloaded {
                what: "this node is leaving",
                retry_after: Duration::from_secs(1),
            });
        }
        Ok(())
    }

    async fn authenticate(&self, head: &Parts, route: &Route) -> Result<Caller, Refusal> {
        let credential = authenticate::credential(&head.headers)?;
        let caller = self.shared.identity.identify(credential).await?;
        if route.permission == Permission::ManageModels && !caller.rights.manage_models {
            return Err(Refusal::Forbidden("only administrators may pull or delete models".to_owned()));
        }
        Ok(caller)
    }

    fn limit(&self, caller: &Caller) -> Result<Pass, Refusal> {
        self.shared.limiter.begin(caller)
    }

    async fn inspect(
        &self,
        head: &Parts,
        body: Incoming,
        route: &Route,
        api: Api,
        caller: &Caller,
    ) -> Result<(Ask, BodyHold), Refusal> {
        let limits = &self.shared.config.limits;
        let most = if route.class == Class::Inference {
            limits.body_bytes
        } else {
            limits.body_bytes.min(SMALL_BODY)
        };
        let (bytes, hold) = receive::receive(&head.headers, body, most, limits, &self.shared.bodies).await?;
        Ok((inspect::inspect(api, bytes, &caller.rights, limits.output_tokens)?, hold))
    }

    /// Reserves the caller's tokens, then waits for the answer to begin: the two ways it can be committed.
    async fn ask(
        &self,
        asked: Asked,
        account: Account,
        connection: &Arc<Connection>,
    ) -> Result<Response<Body>, (Refusal, Account)> {
        let Asked { ask, caller, pass, hold } = asked;
        let reservation = match self.reserve(&ask, &caller).await {
            Ok(reservation) => reservation,
            Err(refusal) => return Err((refusal, account)),
        };
        let means = match self.means() {
            Ok(means) => means,
            Err(refusal) => return Err((refusal, account)),
        };
        let traits = Traits::of(&ask);
        let (stream, api, kind) = (ask.stream, ask.api, ask.kind);
        let mut awaited: relay::Awaited = Box::pin(means.answer(ask, caller, hold));
        let patience = self.patience(stream, kind);
        let begun = timeout(patience, &mut awaited).await;
        let mut passage = Passage { account, pass, reservation, serving: None };
        let (pace, rules) = (self.shared.pace.clone(), self.shared.rules);
        let (mut response, relay) = match begun {
            Ok(Ok(begun)) => {
                let response = self.head_of(&begun, stream, api);
                passage.account.status = response.status().as_u16();
                (response, Relay::begun(begun, traits, passage, pace, rules))
            }
            Ok(Err(refusal)) => {
                // What was refused costs no tokens.
                passage.reservation.into_iter().for_each(|reservation| reservation.settle(0));
                return Err((refusal, passage.account));
            }
            // Time has won: the 200 goes out, the body goes on polling that same future.
            Err(_) if stream => {
                passage.account.status = 200;
                let response = stream_head(api);
                (response, Relay::awaiting(awaited, traits, passage, pace, rules))
            }
            Err(_) => return Err((too_late(), passage.account)),
        };
        let clock = (!connection.h2).then(|| connection.clock.clone());
        *response.body_mut() = Body::relay(relay.watched(&self.core.sweeper, clock));
        Ok(response)
    }

    async fn reserve(&self, ask: &Ask, caller: &Caller) -> Result<Option<limit::Reservation>, Refusal> {
        if !matches!(ask.kind, Kind::Generate | Kind::Embed) {
            return Ok(None);
        }
        let output = self.shared.pace.of(&ask.model).expected_output(ask.output_tokens);
        let tokens = u64::from(ask.prompt_tokens) + output.ceil() as u64;
        let mut reservation = self.shared.quota.reserve(caller, tokens).await?;
        // Who leaves before an answer pays for the prompt, which may have been read by then.
        reservation.count(u64::from(ask.prompt_tokens));
        Ok(Some(reservation))
    }

    fn means(&self) -> Result<Means, Refusal> {
        let shared = &self.shared;
        let stuck = shared.config.ollama.as_ref().map_or(Duration::MAX, |ollama| ollama.stuck_seconds);
        Ok(Means {
            queue: shared.queue.clone(),
            keeper: shared.keeper()?.clone(),
            pace: shared.pace.clone(),
            client: self.core.client.clone(),
            max_wait: shared.config.queue.max_wait_seconds,
            stuck,
        })
    }

    /// How long the head may be held back.
    fn patience(&self, stream: bool, kind: Kind) -> Duration {
        match (stream, kind) {
            (true, _) => self.shared.config.queue.keepalive_after_seconds,
            (false, Kind::Pull) => self.shared.config.limits.stream_seconds,
            (false, _) => self.shared.config.limits.answer_seconds,
        }
    }

    fn head_of(&self, begun: &Begun, stream: bool, api: Api) -> Response<Body> {
        let mut response = if stream { stream_head(api) } else { Response::new(Body::full("")) };
        let headers = response.headers_mut();
        if !stream && let Some(kind) = &begun.answer.content_type {
            let kind = HeaderValue::from_maybe_shared(kind.clone());
            headers.insert(CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/json")));
        }
        headers.insert(QUEUE_WAIT, HeaderValue::from(begun.waited.as_millis() as u64));
        if let Ok(node) = HeaderValue::from_str(&self.shared.config.fleet.node) {
            headers.insert(SERVED_BY, node);
        }
        response
    }

    /// What every answer carries.
    fn finish(&self, response: &mut Response<Body>, head: &Parts, id: &str) {
        if head.method == Method::HEAD {
            // hyper cuts the body on HTTP/1.1 only, and the length is that of a GET.
            let whole = std::mem::replace(response.body_mut(), Body::full(""));
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(whole.size_hint().lower()));
        }
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(REQUEST_ID, id);
        }
        if head.version == Version::HTTP_11 && self.shared.drain.phase() >= Phase::Leaving {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        } else if head.version == Version::HTTP_2 {
            headers.remove(CONNECTION);
        }
    }
}

/// What the first half of the journey leads to.
enum Travelled {
    Here(Response<Body>),
    Asks(Box<Asked>),
}

/// A question for the model, and what its asker holds.
struct Asked {
    ask: Ask,
    caller: Caller,
    pass: Pass,
    hold: BodyHold,
}

/// The head of a stream: one kind per family, never cached, gathered or transformed on its way.
fn stream_head(api: Api) -> Response<Body> {
    let mut response = Response::new(Body::full(""));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(stream_content_type(api)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

fn stream_content_type(api: Api) -> &'static str {
    match api.family() {
        Family::Native => "application/x-ndjson",
        Family::OpenAi | Family::Anthropic => "text/event-stream",
    }
}

fn too_late() -> Refusal {
    Refusal::TooLate(
        "the answer was not complete in time; stream it (`\"stream\": true`), or ask for less".to_owned(),
    )
}
