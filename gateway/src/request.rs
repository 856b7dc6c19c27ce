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
use crate::drain::Phase;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::client::Client;
use crate::ollama::dialect::Api;
use crate::process::Shared;
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
        account.route = Some(route);
        if route.permission == Permission::Probe {
            return Ok(account.answered(self.local(route, head, None)?)); // the load balancer asks by address
        }
        self.admit(head, &host, connection)?;
        if route.permission == Permission::Anyone {
            return Ok(account.answered(self.local(route, head, None)?));
        }
        let caller = self.authenticate(head, route).await?;
        account.caller = Some(caller.principal.clone());
        let pass = self.limit(&caller)?; // requests per minute, open requests; no byte of a body is read before
        let Action::Ask(api) = route.action else {
            self.look_again().await;
            return Ok(account.answered(self.local(route, head, Some(&caller.rights))?));
        };
        let (ask, hold) = self.inspect(head, body, route, api, &caller).await?;
        account.model = Some(ask.model.clone());
        let means = self.means()?;
        let reservation = self.reserve(&ask, &caller).await?; // tokens, settled with the truth
        let committing = Committing::new(&ask, pass, reservation);
        let answer = means.answer(ask, caller, hold); // queue for a place, forward: one future, not yet begun
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
        let ask = inspect::inspect(api, bytes, &caller.rights, limits.output_tokens)?;
        if ask.kind != Kind::Pull {
            self.shared.keeper()?.find(&ask.model).await?;
        }
        Ok((ask, hold))
    }

    /// A list is answered from what is known, which must not be older than our own changes.
    async fn look_again(&self) {
        if let Ok(keeper) = self.shared.keeper() {
            keeper.fresh().await;
        }
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
