//! `/authorize`: a tiny sign-in page, and the code it ends in.

use std::collections::BTreeMap;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use url::Url;
use url::form_urlencoded;

use super::state::{Grant, Shared};
use super::web::{Answer, text};

/// What a page asks for and the form hands on.
const HANDED_ON: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "audience",
    "code_challenge",
    "code_challenge_method",
];

type Form = BTreeMap<String, String>;

/// The fields of a query or a form; the last of two equal ones counts.
pub(super) fn form(text: &[u8]) -> Form {
    form_urlencoded::parse(text).into_owned().collect()
}

/// `GET /authorize`.
pub(super) fn page(query: &str) -> Answer {
    let form = form(query.as_bytes());
    match asked(&form) {
        Ok(_) => sign_in_page(StatusCode::OK, &form, ""),
        Err(mistake) => text(StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", mistake),
    }
}

/// `POST /authorize`: name and password against a code.
pub(super) fn submit(body: &[u8], shared: &Shared) -> Answer {
    let form = form(body);
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let mut to = match asked(&form) {
        Ok(to) => to,
        Err(mistake) => return text(StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", mistake),
    };
    let mut state = shared.lock();
    let (name, password) = (field("username"), field("password"));
    let known = state.users.iter().find(|user| user.name == name && user.password == password).cloned();
    let Some(user) = known else {
        return sign_in_page(StatusCode::UNAUTHORIZED, &form, "Wrong name or password.");
    };
    let code = secret();
    let grant = Grant {
        user,
        client_id: field("client_id"),
        audience: form.get("audience").filter(|audience| !audience.is_empty()).cloned(),
        nonce: form.get("nonce").cloned(),
        redirect_uri: field("redirect_uri"),
        challenge: field("code_challenge"),
    };
    state.codes.insert(code.clone(), grant);
    to.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = form.get("state") {
        to.query_pairs_mut().append_pair("state", state);
    }
    redirect(&to)
}

/// `GET /logout`: there is no session to end, only a way back.
pub(super) fn logout(query: &str) -> Answer {
    let form = form(query.as_bytes());
    let back = form.get("post_logout_redirect_uri").or(form.get("returnTo")).or(form.get("logout_uri"));
    match back.and_then(|back| Url::parse(back).ok()) {
        Some(back) => redirect(&back),
        None => text(StatusCode::OK, "text/plain; charset=utf-8", "You are signed out."),
    }
}

/// Checks the request; gives the address to return to.
fn asked(form: &Form) -> Result<Url, &'static str> {
    let is = |name: &str, value: &str| form.get(name).is_some_and(|found| found == value);
    if !is("response_type", "code") {
        return Err("response_type must be code");
    }
    if form.get("client_id").is_none_or(String::is_empty) {
        return Err("client_id is missing");
    }
    if !is("code_challenge_method", "S256") || form.get("code_challenge").is_none_or(|c| c.len() != 43) {
        return Err("a code_challenge of method S256 is required");
    }
    let to = form.get("redirect_uri").and_then(|uri| Url::parse(uri).ok());
    to.filter(|to| matches!(to.scheme(), "http" | "https")).ok_or("redirect_uri is no http address")
}

fn redirect(to: &Url) -> Answer {
    let mut answer = text(StatusCode::SEE_OTHER, "", "");
    if let Ok(value) = HeaderValue::from_str(to.as_str()) {
        answer.headers_mut().insert(LOCATION, value);
    }
    answer
}

fn sign_in_page(status: StatusCode, form: &Form, message: &str) -> Answer {
    let hidden: String = (HANDED_ON.iter())
        .filter_map(|name| Some((name, form.get(*name)?)))
        .map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escaped(value))
        })
        .collect();
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sign in to the demo</title>\n\
         <h1>Sign in to the demo</h1>\n<p role=\"alert\">{message}</p>\n<form method=\"post\" action=\"/authorize\">\n\
         {hidden}<p><label>Name <input name=\"username\" autocomplete=\"username\" required autofocus></label>\n\
         <p><label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\" required>\
         </label>\n<p><button>Sign in</button>\n</form>\n</html>\n"
    );
    text(status, "text/html; charset=utf-8", &page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// 256 random bits. Good enough for a stand-in; never for a real issuer.
pub(super) fn secret() -> String {
    (0..4).map(|_| format!("{:016x}", fastrand::u64(..))).collect()
}
