//! The rules between keys that types cannot say. Each mistake begins with its key and says what it got.

use url::{Host, Url};

use super::settings::{Config, Issuer, IssuerKind, StoreKind};
use crate::ollama::names::{ModelName, ModelPattern};

/// Every broken rule.
pub(super) fn mistakes(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |ok: bool, sentence: String| {
        if !ok {
            found.push(sentence);
        }
    };
    if let Some(ollama) = &config.ollama {
        check(
            Url::parse(&ollama.url).is_ok_and(|url| url.scheme() == "http" && url.path() == "/"),
            format!("ollama.url: `{}` is not http://host:port", ollama.url),
        );
        check(ollama.parallel > 0, "ollama.parallel: 0 slots serve nobody".to_owned());
        for (at, model) in ollama.models.iter().enumerate() {
            if let Err(error) = ModelName::parse(model) {
                check(false, format!("ollama.models[{at}]: `{model}`: {error}"));
            }
        }
        let rates = [ollama.prefill_tokens_per_second, ollama.decode_tokens_per_second];
        check(
            rates.iter().all(|rate| *rate > 0.0),
            format!("ollama.*_tokens_per_second: {rates:?} must be above 0"),
        );
    }
    check(config.listen.admin.ip().is_loopback(), {
        format!(
            "listen.admin: {} is not a loopback address; metrics never leave the machine",
            config.listen.admin
        )
    });
    check(config.listen.connections > 0, "listen.connections: 0 admits nobody".to_owned());
    check(config.listen.cores != Some(0), "listen.cores: 0 serves nobody".to_owned());
    let streams = config.limits.h2_streams;
    check((1..=256).contains(&streams), format!("limits.h2_streams: {streams} is not between 1 and 256"));
    check(config.limits.output_tokens > 0, "limits.output_tokens: 0 answers nothing".to_owned());
    check(config.limits.headers >= 8, format!("limits.headers: {} is below 8", config.limits.headers));
    check(
        config.limits.header_bytes >= 8192,
        format!(
            "limits.header_bytes: {} is below 8192, which one token may need",
            config.limits.header_bytes
        ),
    );
    let floors = config.queue.normal_floor + config.queue.batch_floor;
    check(
        config.queue.normal_floor >= 0.0 && config.queue.batch_floor >= 0.0 && floors < 1.0,
        format!("queue.*_floor: together {floors}, must be below 1 and none negative"),
    );
    check(config.queue.capacity > 0, "queue.capacity: 0 lets nobody wait".to_owned());
    check(config.store.kind == StoreKind::Sqlite, "store.kind: `dynamodb` is not in this version".to_owned());
    check(
        config.drain.accept_for_seconds <= config.drain.deadline_seconds,
        "drain.accept_for_seconds: longer than drain.deadline_seconds".to_owned(),
    );
    found.extend(config.issuers.iter().enumerate().flat_map(|(at, issuer)| issuer_mistakes(at, issuer)));
    found.extend(config.access.allowed_origins.iter().filter(|o| !is_origin(o)).map(|origin| {
        format!("access.allowed_origins: `{origin}` is not scheme://host[:port], without a path")
    }));
    found.extend(config.roles.iter().flat_map(|(name, role)| {
        let patterns = role.models.iter().flatten();
        patterns.filter_map(move |p| {
            ModelPattern::parse(p).err().map(|error| format!("roles.{name}.models: `{p}`: {error}"))
        })
    }));
    found
}

fn issuer_mistakes(at: usize, issuer: &Issuer) -> Vec<String> {
    let mut found = Vec::new();
    if issuer.kind == IssuerKind::Oidc && issuer.audiences.is_empty() {
        found.push(format!("issuers[{at}].audiences: empty; name the audience your tokens carry"));
    }
    if issuer.kind == IssuerKind::Cognito && issuer.client_ids.is_empty() {
        found.push(format!("issuers[{at}].client_ids: empty; name the app client your tokens come from"));
    }
    let urls = [
        ("issuer", Some(&issuer.issuer)),
        ("jwks_url", issuer.jwks_url.as_ref()),
        ("userinfo_url", issuer.userinfo_url.as_ref()),
    ];
    for (key, url) in urls {
        if let Some(url) = url
            && !is_secure(url)
        {
            found.push(format!("issuers[{at}].{key}: `{url}` is neither https nor http on loopback"));
        }
    }
    found
}

/// https anywhere; http only where nobody is in between.
fn is_secure(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(Host::Ipv6(ip))) => ip.is_loopback(),
        ("http", Some(Host::Domain(name))) => name == "localhost",
        _ => false,
    }
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}
