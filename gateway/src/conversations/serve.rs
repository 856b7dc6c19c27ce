//! The step of the journey: a route of conversations, whose caller is known.

use http::Response;
use http::request::Parts as Head;
use hyper::body::Incoming;

use super::Act;
use crate::body::Body;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::request::Journey;
use crate::request::account::Account;
use crate::request::limit::Pass;
use crate::request::route::Route;

impl Journey {
    /// Answers a route of conversations.
    ///
    /// # Errors
    /// As every step of the journey.
    #[expect(clippy::too_many_arguments, reason = "what the journey knows by now")]
    pub(crate) async fn converse(
        &self,
        head: &Head,
        body: Incoming,
        route: &'static Route,
        act: Act,
        caller: Caller,
        pass: Option<Pass>,
        account: &mut Account,
    ) -> Result<Response<Body>, Refusal> {
        let _ = (head, body, route, act, caller, pass, account);
        Err(Refusal::NoRoute)
    }
}
