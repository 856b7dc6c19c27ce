//! Who may ask at all: the checks of `Host` and `Origin` that an Ollama on a loopback address makes.

use std::net::IpAddr;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

/// The request headers that a preflight is told it may send.
const HEADERS: &str = "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,\
    X-Stainless-Async,X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,\
    X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,\
    X-Stainless-Runtime-Version,X-Stainless-Timeout";

/// What the checks say of a request.
pub(super) enum Verdict {
    /// Goes on; the headers belong on its answer.
    Pass(HeaderMap),
    /// 403 without a body.
    Refuse,
    /// 204: a preflight that is allowed (with headers), or an OPTIONS to a name (without).
    Preflight(HeaderMap),
}

/// Judges a request by its host (of the target or the header), origin and method.
pub(super) fn judge(host: &str, origin: Option<&str>, method: &Method) -> Verdict {
    let (name, is_name) = match allowed_host(host) {
        Some(is_name) => (host, is_name),
        None => return Verdict::Refuse,
    };
    let same = |origin: &str| {
        origin.strip_prefix("http://").or(origin.strip_prefix("https://")).is_some_and(|rest| rest == name)
    };
    let Some(origin) = origin.filter(|origin| !origin.is_empty() && !same(origin)) else {
        if method == Method::OPTIONS && is_name {
            return Verdict::Preflight(HeaderMap::new());
        }
        return Verdict::Pass(HeaderMap::new());
    };
    if !allowed_origin(origin) {
        return Verdict::Refuse;
    }
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(origin) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if method != Method::OPTIONS {
        return Verdict::Pass(headers);
    }
    headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Method"));
    headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    let methods = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS";
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("43200"));
    Verdict::Preflight(headers)
}

/// `Some(is it a name?)` for a host we answer to.
fn allowed_host(host: &str) -> Option<bool> {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !bare.ends_with(':') => bare,
        _ => host,
    };
    let inner = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    // Ollama splits host and port first; an address in brackets without a port is no address to it.
    let address =
        if inner.is_some() && bare == host { None } else { inner.unwrap_or(bare).parse::<IpAddr>().ok() };
    if let Some(address) = address {
        let near = match address {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_unspecified(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unspecified(),
        };
        return near.then_some(false);
    }
    let name = bare.to_ascii_lowercase();
    let local = name.is_empty()
        || name == "localhost"
        || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end));
    local.then_some(!name.is_empty())
}

fn allowed_origin(origin: &str) -> bool {
    let schemes = ["app://", "file://", "tauri://", "vscode-webview://", "vscode-file://"];
    if schemes.iter().any(|scheme| origin.starts_with(scheme)) {
        return true;
    }
    let Some(host) = origin.strip_prefix("http://").or(origin.strip_prefix("https://")) else { return false };
    let bare = host.split_once(':').map_or(host, |(bare, _)| bare);
    matches!(bare, "localhost" | "127.0.0.1" | "0.0.0.0")
}
