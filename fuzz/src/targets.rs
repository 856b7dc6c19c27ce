//! One function per parser of ours: takes any bytes, must not panic, and asserts what holds for all of them. The fuzz
//! targets call them on nightly, the gateway's tests on stable (`gateway/tests/it/corpora.rs`).

use std::net::IpAddr;
use std::str::{FromStr, from_utf8};

use bytes::{Bytes, BytesMut};
use figment::Figment;
use figment::providers::{Format, Toml};
use gateway::config::load::from_tree;
use gateway::config::settings::Limits;
use gateway::identity::jwk::Key;
use gateway::identity::jwks::KeySet;
use gateway::identity::jwt::{Unverified, verify_signature};
use gateway::identity::{Priority, Rights};
use gateway::ollama::dialect::Api;
use gateway::ollama::frames::Frames;
use gateway::ollama::framing::Head;
use gateway::ollama::names::{ModelName, ModelPattern};
use gateway::ollama::plain_words;
use gateway::request::address::client_address;
use gateway::request::authenticate::{LONGEST, credential};
use gateway::request::inspect::{Ask, inspect as inspect_body};
use gateway::request::route::{ROUTES, Route, family_of};
use gateway::request::wellformed;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use ipnet::IpNet;
use serde_json::Value;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the names of their fuzz targets and of their folders of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("route", route),
    ("head", head),
    ("inspect", inspect),
    ("credential", credentials),
    ("jwt", jwt),
    ("jwks", jwks),
    ("address", address),
    ("framing", framing),
    ("frames", frames),
    ("plain_words", words),
    ("config", config),
    ("names", names),
];

const APIS: [Api; 12] = [
    Api::Generate,
    Api::Chat,
    Api::Embed,
    Api::Embeddings,
    Api::Show,
    Api::Pull,
    Api::Delete,
    Api::ChatCompletions,
    Api::Completions,
    Api::OpenAiEmbeddings,
    Api::Responses,
    Api::Messages,
];

/// `METHOD path`: what is found is one literal row, and nothing about the path can be read in two ways.
pub fn route(data: &[u8]) {
    let Some((method, path)) = from_utf8(data).ok().and_then(|text| text.split_once(' ')) else { return };
    let Ok(method) = Method::from_str(method) else { return };
    let _ = family_of(path);
    let Ok(found) = Route::of(&method, path) else { return };
    assert!(ROUTES.contains(found));
    assert!(found.methods.split(", ").any(|allowed| allowed == method.as_str()));
    match found.named_segment(path) {
        Some(model) => assert!(!model.is_empty() && !model.contains('/')),
        None => assert_eq!(found.path, path),
    }
    for never in ["%", "\\", ";", "//", "/.", "?", "#", " "] {
        assert!(!path.contains(never) || (never == "?" || never == "#"), "{path:?}");
    }
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic()));
}

/// Lines `name: value` as fields.
fn fields(lines: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            fields.append(name, value);
        }
    }
    fields
}

/// `METHOD target version`, then fields.
fn parts(data: &[u8]) -> Option<Parts> {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let line = from_utf8(&data[..end]).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let version = match words.next() {
        Some("2") => Version::HTTP_2,
        Some("1.0") => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let mut request = Request::builder().method(method).uri(target).version(version).body(()).ok()?;
    *request.headers_mut() = fields(&data[end..]);
    Some(request.into_parts().0)
}

/// A head that is taken has one host, at most one framing, and no more than the limits.
pub fn head(data: &[u8]) {
    let Some(parts) = parts(data) else { return };
    let id = wellformed::request_id(&parts);
    assert!((8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'"'));
    let limits = Limits { headers: 20, uri_bytes: 200, ..Limits::default() };
    let Ok(host) = wellformed::check(&parts, &limits) else { return };
    assert!(!host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase()));
    assert!(!host.contains(['@', ',', '/', '%', '?', '#']), "{host}");
    assert!(parts.headers.len() <= 20 && parts.uri.path().len() <= 200);
    let codings = parts.headers.get_all(TRANSFER_ENCODING).iter().count();
    assert!(codings <= 1 && !(codings == 1 && parts.headers.contains_key(CONTENT_LENGTH)));
    assert!(!matches!(parts.method, Method::CONNECT | Method::TRACE));
}

fn rights(operate: bool) -> Rights {
    Rights {
        models: vec![ModelPattern::Any],
        requests_per_minute: 1,
        requests_burst: 1,
        tokens_per_minute: 1,
        open_requests: 1,
        priority: Priority::Normal,
        operate,
        manage_models: operate,
    }
}

/// The first byte picks API and rights, the rest is the body. What goes upstream is canonical: looked at again it is
/// the same request, to the byte.
pub fn inspect(data: &[u8]) {
    let Some((pick, body)) = data.split_first() else { return };
    let api = APIS[usize::from(pick % 16) % APIS.len()];
    let rights = rights(*pick >= 128);
    let look = |body: Bytes| inspect_body(api, body, &rights, 1000);
    let Ok(first) = look(Bytes::copy_from_slice(body)) else { return };
    let tree: Value = serde_json::from_slice(&first.body).expect("JSON goes upstream");
    assert!(tree.is_object());
    let second = look(first.body.clone()).unwrap_or_else(|error| panic!("{error}: {:?}", first.body));
    let said = |ask: &Ask| (ask.api, ask.kind, ask.model.clone(), ask.stream, ask.output_tokens);
    assert_eq!(said(&first), said(&second));
    assert_eq!(first.body, second.body);
    assert!(first.output_tokens <= 1000);
}

/// Fields, of which one may be a credential; then that as a token.
pub fn credentials(data: &[u8]) {
    let fields = fields(data);
    let Ok(found) = credential(&fields) else { return };
    let secret = found.secret();
    assert!((1..=LONGEST).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()));
    let sent = fields.get_all("authorization").iter().count() + fields.get_all("x-api-key").iter().count();
    assert_eq!(sent, 1, "exactly one");
    assert!(!format!("{found:?}").contains(secret) || secret.len() < 9);
    jwt(secret.as_bytes());
}

/// A set of one key, whose private half nobody has.
const KEYS: &[u8] = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A token: taken apart it is the same text, and nobody can sign for that key.
pub fn jwt(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    assert!(verify_signature(text, KEYS).is_err());
    let Ok(token) = Unverified::parse(text) else { return };
    assert_eq!(text.matches('.').count(), 2);
    assert!(text.len() <= LONGEST);
    let _ = (token.kid(), token.claimed_issuer());
}

/// A key set, and the same bytes as one key.
pub fn jwks(data: &[u8]) {
    if let Ok(set) = KeySet::parse(data) {
        // Not all of it need be text: a key that cannot be read is left out, and the others stand.
        assert!(data.trim_ascii().starts_with(b"{"));
        assert!(set.keys().len() < data.split(|byte| *byte == b'{').count());
        assert!(set.keys().iter().all(|key| !key.verifies("message", "c2lnbmF0dXJl")));
    }
    if let Ok(text) = from_utf8(data) {
        let _ = Key::from_jwk(text);
    }
}

/// Lines of `X-Forwarded-For`: the same as one field of all of them, and never an address of a trusted proxy while
/// there is another to the right of what decides.
pub fn address(data: &[u8]) {
    let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
    let proxy: IpAddr = [10, 0, 0, 1].into();
    let (mut apart, mut whole) = (HeaderMap::new(), Vec::new());
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        apart.append("x-forwarded-for", value);
        whole.push(line);
    }
    let mut together = HeaderMap::new();
    together.insert("x-forwarded-for", HeaderValue::from_bytes(&whole.join(&b","[..])).unwrap());
    let one = client_address(proxy, &apart, &trusted);
    let other = client_address(proxy, &together, &trusted);
    assert_eq!(one.as_ref().ok(), other.as_ref().ok());
    let stranger: IpAddr = [192, 0, 2, 7].into();
    assert_eq!(client_address(stranger, &apart, &trusted).ok(), Some(stranger));
    if let Ok(client) = one {
        assert_eq!(client, client.to_canonical());
        let rightmost = data.rsplit(|byte| matches!(byte, b',' | b'\n')).next().unwrap_or_default();
        let rightmost = from_utf8(rightmost).unwrap_or("").trim_matches([' ', '\t']).parse::<IpAddr>();
        if let Ok(last) = rightmost.map(|ip| ip.to_canonical()) {
            assert!(client == last || trusted.iter().any(|net| net.contains(&last)), "{client} for {last}");
        }
    }
}

/// Where a text is cut: whole; each byte by itself; in two at some places.
fn cuts(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut all = vec![vec![bytes]];
    if bytes.len() <= 2000 {
        all.push(bytes.chunks(1).collect());
    }
    let places = [1, 2, bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)];
    all.extend(places.iter().map(|at| {
        let (one, other) = bytes.split_at((*at).min(bytes.len()));
        vec![one, other]
    }));
    all
}

/// An answer of an upstream: its head needs all its bytes, its body is the same however it is cut.
pub fn framing(data: &[u8]) {
    let Ok(Some((_, length))) = Head::parse(data) else { return };
    assert!(length <= data.len());
    assert!(matches!(Head::parse(&data[..length - 1]), Ok(None)), "a head without its last byte");
    let mut expected = None;
    for pieces in cuts(&data[length..]) {
        let Ok(Some((head, _))) = Head::parse(&data[..length]) else { panic!("the same head again") };
        assert!(!head.status.is_informational() || head.framing.is_done());
        let mut framing = head.framing;
        let (mut body, mut result) = (Vec::new(), Ok(()));
        for piece in pieces {
            result = result.and_then(|()| framing.decode(piece, &mut |bytes| body.extend_from_slice(bytes)));
        }
        assert!(body.len() <= data.len() - length);
        let seen = (body, result, framing.is_done(), framing.had_excess());
        assert_eq!(expected.get_or_insert(seen.clone()), &seen);
    }
}

/// The first byte picks API and usage, the rest is a stream: what passes and what is known of it is the same however
/// the stream is cut.
pub fn frames(data: &[u8]) {
    let Some((pick, stream)) = data.split_first() else { return };
    let api = APIS[usize::from(pick % 16) % APIS.len()];
    let mut expected = None;
    for pieces in cuts(stream) {
        let mut frames = Frames::new(api, *pick >= 128);
        let (mut out, mut result) = (BytesMut::new(), Ok(()));
        for piece in pieces {
            result = result.and_then(|()| frames.push(piece, &mut out));
        }
        if result.is_ok() {
            frames.finish(&mut out);
        }
        assert!(out.len() <= stream.len());
        let error = frames.error().map(str::to_owned);
        let seen = (out, result, frames.is_complete(), error, frames.seen().clone());
        assert_eq!(expected.get_or_insert(seen.clone()), &seen);
    }
}

/// An error text: what a client gets is one short line of words, and stays what it is when told again.
pub fn words(data: &[u8]) {
    let status = StatusCode::from_u16(400 + u16::from(data.first().copied().unwrap_or(0))).unwrap();
    let _ = plain_words::refusal(status, data);
    let text = String::from_utf8_lossy(data);
    let plain = plain_words::plain_words(&text);
    assert!(!plain.is_empty() && plain.chars().count() <= 401 && !plain.contains(['\n', '\r']), "{plain:?}");
    assert!(serde_json::from_str::<Value>(&plain).is_err() && !plain.starts_with('{'), "{plain:?}");
}

/// A configuration: taken, or every mistake named.
pub fn config(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let Ok(tree) = Figment::new().merge(Toml::string(text)).extract::<Value>() else { return };
    if let Err(error) = from_tree(tree) {
        assert!(!error.mistakes.is_empty());
        assert!(error.mistakes.iter().all(|mistake| mistake.contains(": ")), "{:?}", error.mistakes);
    }
}

/// A model name: canonical is canonical.
pub fn names(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let _ = ModelPattern::parse(text);
    let Ok(name) = ModelName::parse(text) else { return };
    assert_eq!(ModelName::parse(name.as_str()), Ok(name.clone()));
    assert_eq!(name.as_str(), name.as_str().to_ascii_lowercase());
    assert!(name.as_str().split('/').all(|part| !part.starts_with(['.', '-'])), "{name}");
    let pattern = ModelPattern::parse(name.as_str()).expect("a name is a pattern");
    assert!(pattern.covers(&name));
}
