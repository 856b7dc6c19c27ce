//! What a path leads to: redirects of unclean paths first, then the table, matched on the decoded path.

use std::borrow::Cow;

use http::Method;

/// The routes there are.
const TABLE: [(&str, &[Method]); 30] = [
    ("/", &[Method::HEAD, Method::GET]),
    ("/api/version", &[Method::HEAD, Method::GET]),
    ("/api/tags", &[Method::HEAD, Method::GET]),
    ("/api/ps", &[Method::GET]),
    ("/api/status", &[Method::GET]),
    ("/api/show", &[Method::POST]),
    ("/api/generate", &[Method::POST]),
    ("/api/chat", &[Method::POST]),
    ("/api/embed", &[Method::POST]),
    ("/api/embeddings", &[Method::POST]),
    ("/v1/models", &[Method::GET]),
    ("/v1/models/{}", &[Method::GET]),
    ("/v1/chat/completions", &[Method::POST]),
    ("/v1/completions", &[Method::POST]),
    ("/v1/embeddings", &[Method::POST]),
    ("/v1/responses", &[Method::POST]),
    ("/v1/messages", &[Method::POST]),
    ("/v1/audio/transcriptions", &[Method::POST]),
    ("/api/pull", &[Method::POST]),
    ("/api/push", &[Method::POST]),
    ("/api/create", &[Method::POST]),
    ("/api/copy", &[Method::POST]),
    ("/api/delete", &[Method::DELETE]),
    ("/api/blobs/{}", &[Method::HEAD, Method::POST]),
    ("/api/me", &[Method::POST]),
    ("/api/signout", &[Method::POST]),
    ("/api/user/keys/{}", &[Method::DELETE]),
    ("/api/experimental/web_search", &[Method::POST]),
    ("/api/experimental/web_fetch", &[Method::POST]),
    ("/api/experimental/model-recommendations", &[Method::GET]),
];

/// The routes that use a model.
pub(super) const INFERENCE: [&str; 9] = [
    "/api/generate",
    "/api/chat",
    "/api/embed",
    "/api/embeddings",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
];

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A route of the table and its last segment, where the table leaves that open.
    To(&'static str, String),
    /// The path exists for other methods.
    OtherMethods(&'static [Method]),
    /// Another spelling is meant: `301` for GET, else `307`.
    Redirect {
        /// The clean path.
        to: String,
        /// Found by the router (which sends GET a 301), not by the mux before it.
        by_router: bool,
    },
    /// Nothing is there.
    Nowhere,
}

impl Way {
    /// Looks up a raw path.
    pub(super) fn of(method: &Method, raw: &str) -> Self {
        let clean = cleaned(raw);
        if clean != raw {
            return Way::Redirect { to: clean, by_router: false };
        }
        let path = decoded(raw);
        match find(&path) {
            Some((_, methods, _)) if !methods.contains(method) => Way::OtherMethods(methods),
            Some((route, _, rest)) => Way::To(route, rest),
            None => match path.strip_suffix('/').filter(|shorter| find(shorter).is_some()) {
                Some(shorter) => Way::Redirect { to: shorter.to_owned(), by_router: true },
                None => Way::Nowhere,
            },
        }
    }
}

fn find(path: &str) -> Option<(&'static str, &'static [Method], String)> {
    TABLE.iter().find_map(|(route, methods)| {
        let rest = match route.strip_suffix("{}") {
            None => (*route == path).then_some("")?,
            Some(prefix) => {
                path.strip_prefix(prefix).filter(|rest| !rest.is_empty() && !rest.contains('/'))?
            }
        };
        Some((*route, *methods, rest.to_owned()))
    })
}

/// The path without `//`, `/./` and `/../`; a slash at the end stays.
fn cleaned(raw: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in raw.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let slash = if raw.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    format!("/{}{slash}", parts.join("/"))
}

/// `%41` made `A`; what is no escape stays.
fn decoded(raw: &str) -> Cow<'_, str> {
    if !raw.contains('%') {
        return raw.into();
    }
    let bytes = raw.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = raw.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(to: &str, by_router: bool) -> Way {
        Way::Redirect { to: to.to_owned(), by_router }
    }

    #[test]
    fn paths_lead_where_the_real_one_leads() {
        let way = |path| Way::of(&Method::GET, path);
        assert_eq!(way("/api/%74ags"), Way::To("/api/tags", String::new()));
        assert_eq!(way("/v1/models/tiny"), Way::To("/v1/models/{}", "tiny".to_owned()));
        assert_eq!(way("/v1/models/no%2Fsuch"), Way::Nowhere);
        assert_eq!(way("/x/../api/tags"), redirect("/api/tags", false));
        assert_eq!(way("/api/tags/"), redirect("/api/tags", true));
        assert_eq!(way("/api/"), Way::Nowhere);
        assert_eq!(way("/api/chat"), Way::OtherMethods(&[Method::POST]));
    }
}
