//! The journey of a request: [`Journey::handle`] is the whole story, each step a file of this folder.

pub mod wellformed;
pub mod route;
pub mod address;
pub mod cors;
pub mod local;
pub mod fleet;
pub mod books;
pub mod authenticate;
pub mod limit;
pub mod receive;
pub mod inspect;
pub mod queue;
pub mod inner;
pub mod choose;
pub mod administer;
pub mod destination;
pub mod forward;
pub mod commit;
pub mod relay;
pub mod account;

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::body::Body;
use crate::connection::clock::Sweeper;
use crate::connection::serve::Connection;
use crate::conversations::Visit;
use crate::drain::Phase;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::client::Client;
use crate::ollama::dialect::Api;
use crate::process::{Models, Shared};
use crate::trust;
use account::Account;
use choose::Means;
use commit::Committing;
use cors::Verdict;
use inspect::{Ask, Kind};
use limit::{BodyHold, Pass, Quota};
use route::{Action, Class, Permission, Route};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bodies of routes without images: names and switches.
const SMALL_BODY: u64 = 1 << 20;

/// What a body may have grown by at the first hop, which writes it anew with its caps and pins.
const REWRITTEN: u64 = 4 << 10;

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
    /// Answers one request, whatever it is; no error leaves here but as an answer.
    pub async fn handle(&self, request: Request<Incoming>, connection: &Arc<Connection>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let id = wellformed::request_id(&head);
        let page = self.shared.cors.judge(&head.method, &head.headers);
        let mut account = Account::open(id.clone(), self.shared.books.clone());
        let answer = self.travel(&head, body, connection, &page, &mut account).await;
        let mut response = answer.unwrap_or_else(|refusal| {
            account.refused(&refusal);
            refusal.into_response(route::family_of(head.uri.path()), &id)
        });
        self.shared.cors.apply(&page.unwrap_or_default(), response.headers_mut());
        self.finish(&mut response, &head, &id);
        response
    }

    /// The journey. Each step hands the next a proof: nothing is read before its sender is known, nothing queued before
    /// it is inspected, nothing forwarded without a place.
    async fn travel(
        &self,
        head: &Parts,
        body: Incoming,
        connection: &Arc<Connection>,
        page: &Result<Verdict, Refusal>,
        account: &mut Account,
    ) -> Result<Response<Body>, Refusal> {
        let host = self.sound(head, connection)?;
        if let Verdict::Preflight(_) = page.as_ref().map_err(Refusal::clone)? {
            return Ok(account.answered(self.shared.cors.preflight()));
        }
        let route = Route::of(&head.method, head.uri.path())?; // what is not listed does not exist
        if matches!(route.action, Action::Converse(_)) && !self.shared.config.conversations.enabled {
            return Err(Refusal::NoRoute);
        }
        account.route = Some(route);
        if route.permission == Permission::Probe {
            return Ok(account.answered(self.local(route, head, None)?)); // the load balancer asks by address
        }
        self.admit(head, route, &host, connection)?;
        if route.permission == Permission::Anyone {
            return Ok(account.answered(self.local(route, head, None)?));
        }
        if let Action::Translate(task) = route.action {
            return self.translate(head, body, route, task, account).await; // its clients may keep their key in the body
        }
        let caller = self.authenticate(head, route, &account.id).await?;
        account.caller = Some(caller.principal.clone());
        account.forwarded_by = caller.forwarded.as_ref().map(|forwarded| forwarded.by.clone());
        let pass = self.limit(&caller)?; // requests per minute, open requests; no byte of a body is read before
        if let Action::Converse(act) = route.action {
            return Box::pin(self.converse(act, Visit { head, body, route, caller, pass }, account)).await;
        }
        let api = match route.action {
            Action::Ask(api) => api,
            Action::Keep(book) => return Ok(account.answered(self.book(book, head, body, &caller).await?)),
            Action::Fleet | Action::Wake | Action::Sleep => {
                caller.sends(b"")?; // what is forwarded to a list is vouched for too
                return Ok(account.answered(self.fleet(route.action, &caller).await?));
            }
            _ => {
                caller.sends(b"")?;
                self.look_again().await;
                return Ok(account.answered(self.local(route, head, Some(&caller.rights))?));
            }
        };
        let (ask, hold) = self.inspect(head, body, route, api, &caller).await?;
        account.model = Some(ask.model.clone());
        let reservation = self.reserve(&ask, &caller).await?; // tokens, settled with the truth
        let reservation = self.count(route, &ask, reservation)?; // activity: a fleet that sleeps wakes
        let committing = Committing::new(&ask, &caller, pass, reservation);
        let means = Means { shared: self.shared.clone(), client: self.core.client.clone() };
        let answer = means.answer(ask, caller, account.id.clone(), hold); // queue for a place, forward: one future, not yet begun
        self.commit(Box::pin(answer), committing, account, connection).await // relay; early when the wait is long
    }

    /// The host of a head that can be read in one way only.
    fn sound(&self, head: &Parts, connection: &Connection) -> Result<String, Refusal> {
        if connection.clock.had_fragment(head) {
            return Err(Refusal::Ambiguous("a request target has no fragment"));
        }
        wellformed::check(head, &self.shared.config.limits)
    }

    /// Host names, networks, and the way out.
    fn admit(&self, head: &Parts, route: &Route, host: &str, connection: &Connection) -> Result<(), Refusal> {
        let forwarded = route.permission != Permission::Anyone && trust::is_forwarded(&head.headers);
        if !forwarded {
            self.admit_client(head, host, connection)?; // a peer has done so, and proves that it is one
        }
        if self.shared.drain.phase() >= Phase::Closing {
            return Err(Refusal::Overloaded {
                what: "this node is leaving",
                retry_after: Duration::from_secs(1),
            });
        }
        Ok(())
    }

    fn admit_client(&self, head: &Parts, host: &str, connection: &Connection) -> Result<(), Refusal> {
        let access = &self.shared.config.access;
        if !access.hosts.is_empty() && !access.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)) {
            return Err(Refusal::ForeignHost);
        }
        let client = address::client_address(connection.peer.ip(), &head.headers, &access.trusted_proxies)?;
        address::admitted(client, &access.allowed_networks)
    }

    /// Who calls: by the one credential they sent, or by the word of the peer that forwards.
    pub(crate) async fn authenticate(
        &self,
        head: &Parts,
        route: &Route,
        id: &str,
    ) -> Result<Caller, Refusal> {
        let caller = if trust::is_forwarded(&head.headers) {
            self.shared.trust.identify(head, id)?
        } else {
            self.shared.identity.identify(authenticate::credential(&head.headers)?).await?
        };
        if self.shared.denials.denies(&caller.principal) {
            return Err(Refusal::Denied); // on every route alike, and before the body
        }
        if route.permission == Permission::Operate && !caller.rights.operate {
            return Err(Refusal::Forbidden(
                "only operators may see the history of the fleet, wake it, hold it, or put it to sleep"
                    .to_owned(),
            ));
        }
        if route.permission == Permission::Administer && !caller.rights.manage_models {
            return Err(Refusal::Forbidden("only administrators may do this".to_owned()));
        }
        if route.permission == Permission::ManageModels && !caller.rights.manage_models {
            return Err(Refusal::Forbidden("only administrators may pull or delete models".to_owned()));
        }
        Ok(caller)
    }

    /// `None` for what a peer forwards: it was counted there.
    pub(crate) fn limit(&self, caller: &Caller) -> Result<Option<Pass>, Refusal> {
        if caller.forwarded.is_some() {
            return Ok(None);
        }
        self.shared.limiter.begin(caller).map(Some)
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
        let most = most + caller.forwarded.as_ref().map_or(0, |_| REWRITTEN);
        let (bytes, hold) = receive::receive(&head.headers, body, most, limits, &self.shared.bodies).await?;
        caller.sends(&bytes)?;
        let ask = inspect::inspect(api, bytes, &caller.rights, limits.output_tokens)?;
        if !matches!(ask.kind, Kind::Pull | Kind::Delete) {
            self.find(&ask).await?;
        }
        Ok((ask, hold))
    }

    /// A list is answered from what is known, which must not be older than our own changes.
    pub(crate) async fn look_again(&self) {
        match &self.shared.models {
            Models::Here(keeper) => keeper.fresh().await,
            Models::Elsewhere(catalogue) => catalogue.fresh().await,
        }
    }

    /// An inference request is admitted: nothing else wakes the fleet or counts as activity. What only frees memory is
    /// none. A broken fleet refuses at once, and that costs nothing.
    fn count(
        &self,
        route: &Route,
        ask: &Ask,
        reservation: Option<limit::Reservation>,
    ) -> Result<Option<limit::Reservation>, Refusal> {
        if route.class != Class::Inference || ask.kind == Kind::Unload {
            return Ok(reservation);
        }
        if let Err(broken) = self.shared.wake.admitted() {
            reservation.into_iter().for_each(|reservation| reservation.settle(0));
            return Err(broken);
        }
        self.shared.activity.mark();
        Ok(reservation)
    }

    async fn reserve(&self, ask: &Ask, caller: &Caller) -> Result<Option<limit::Reservation>, Refusal> {
        if !matches!(ask.kind, Kind::Generate | Kind::Embed) || caller.forwarded.is_some() {
            return Ok(None); // charged once, at the first hop
        }
        let output = self.shared.pace.of(&ask.model).expected_output(ask.output_tokens);
        let tokens = u64::from(ask.prompt_tokens) + output.ceil() as u64;
        let mut reservation = self.shared.quota.reserve(caller, tokens).await?;
        // Who leaves before an answer pays for the prompt, which may have been read by then.
        reservation.count(u64::from(ask.prompt_tokens));
        Ok(Some(reservation))
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
