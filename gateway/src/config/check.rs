//! The rules between keys that types cannot say. Each mistake begins with its key and says what it got.

use std::time::Duration;

use http::uri::Authority;
use url::{Host, Url};

use super::instance;
use super::settings::{Config, Conversations, Issuer, IssuerKind, Ollama, Translate};
use crate::conversations::housekeeping::LATEST_KEPT;
use crate::ollama::names::{ModelName, ModelPattern};

/// Half of the silence after which a report is stale: one lost write must not make a node disappear.
const LONGEST_REPORT_PAUSE: Duration = Duration::from_secs(fleet::report::STALE_AFTER.unsigned_abs() / 2);

/// The store takes messages of up to 4 MB; a character is at most four bytes.
const MOST_CHARACTERS: usize = 1_000_000;
/// Less holds no conversation.
const LEAST_CONTEXT: u64 = 512;

/// Every broken rule.
pub(super) fn mistakes(config: &Config) -> Vec<String> {
    let mut found = file_mistakes(config);
    found.extend(config.ollama.iter().flat_map(ollama_mistakes));
    found.extend(number_mistakes(config));
    found.extend(instance::mistakes(&config.instance, &config.metrics));
    found.extend(translate_mistakes(&config.translate));
    found.extend(conversation_mistakes(&config.conversations));
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

/// The sentences of the rules that do not hold.
fn broken<const N: usize>(rules: [(bool, String); N]) -> Vec<String> {
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, sentence)| sentence).collect()
}

fn file_mistakes(config: &Config) -> Vec<String> {
    let files = config
        .tls
        .iter()
        .flat_map(|tls| [("tls.certificate", &tls.certificate), ("tls.private_key", &tls.private_key)]);
    let missing = files.filter(|(_, file)| !file.is_file());
    missing.map(|(key, file)| format!("{key}: `{}`: there is no such file", file.display())).collect()
}

fn ollama_mistakes(ollama: &Ollama) -> Vec<String> {
    let rates = [ollama.prefill_tokens_per_second, ollama.decode_tokens_per_second];
    let mut found = broken([
        (
            Url::parse(&ollama.url).is_ok_and(|url| url.scheme() == "http" && url.path() == "/"),
            format!("ollama.url: `{}` is not http://host:port", ollama.url),
        ),
        (
            ollama.fetch_command.is_empty()
                || ollama
                    .fetch_command
                    .iter()
                    .skip(1)
                    .any(|part| part.contains("{name}") || part.contains("{source}")),
            format!(
                "ollama.fetch_command: {:?} has neither `{{name}}` nor `{{source}}`",
                ollama.fetch_command
            ),
        ),
        (ollama.parallel > 0, "ollama.parallel: 0 slots serve nobody".to_owned()),
        (
            rates.iter().all(|rate| *rate > 0.0),
            format!("ollama.*_tokens_per_second: {rates:?} must be above 0"),
        ),
    ]);
    let models = ollama.models.iter().enumerate();
    found.extend(models.filter_map(|(at, model)| {
        ModelName::parse(model).err().map(|error| format!("ollama.models[{at}]: `{model}`: {error}"))
    }));
    found
}

fn translate_mistakes(translate: &Translate) -> Vec<String> {
    let mut found = broken([
        (translate.concurrency > 0, "translate.concurrency: 0 segments translate nothing".to_owned()),
        (
            (50..=8000).contains(&translate.segment_characters),
            format!(
                "translate.segment_characters: {} is not between 50 and 8000",
                translate.segment_characters
            ),
        ),
        (translate.characters > 0, "translate.characters: 0 translates nothing".to_owned()),
        (!translate.keep_seconds.is_zero(), "translate.keep_seconds: 0 s would keep no file".to_owned()),
    ]);
    found.extend(translate.model.iter().filter_map(|model| {
        ModelName::parse(model).err().map(|error| format!("translate.model: `{model}`: {error}"))
    }));
    found
}

fn conversation_mistakes(settings: &Conversations) -> Vec<String> {
    let archive = settings.archive.as_deref();
    let bucket = archive.and_then(|archive| archive.strip_prefix("s3://"));
    let mut found = broken([
        (
            bucket.is_none_or(|rest| rest.split('/').next().is_some_and(|bucket| !bucket.is_empty())),
            format!("conversations.archive: `{}` names no bucket", archive.unwrap_or_default()),
        ),
        (
            bucket.is_none() || cfg!(feature = "aws"),
            "conversations.archive: this build has no S3; build the gateway with `--features aws`".to_owned(),
        ),
        (
            bucket.is_some() || archive.is_none_or(|folder| !folder.is_empty() && !folder.contains("://")),
            format!(
                "conversations.archive: `{}` is neither a folder nor s3://bucket/prefix",
                archive.unwrap_or_default()
            ),
        ),
        (settings.idle_hours > 0, "conversations.idle_hours: 0 would archive what is being said".to_owned()),
        (
            settings.recent_messages >= LATEST_KEPT,
            format!(
                "conversations.recent_messages: {} is below {LATEST_KEPT}, which always stay",
                settings.recent_messages
            ),
        ),
        (settings.recent_bytes > 0, "conversations.recent_bytes: 0 keeps nothing".to_owned()),
        (
            (1..=MOST_CHARACTERS).contains(&settings.message_characters),
            format!(
                "conversations.message_characters: {} is not between 1 and {MOST_CHARACTERS}",
                settings.message_characters
            ),
        ),
        (
            settings.context_tokens >= LEAST_CONTEXT,
            format!("conversations.context_tokens: {} is below {LEAST_CONTEXT}", settings.context_tokens),
        ),
    ]);
    found.extend(settings.titles_model.iter().filter_map(|model| {
        ModelName::parse(model).err().map(|error| format!("conversations.titles_model: `{model}`: {error}"))
    }));
    found
}

fn number_mistakes(config: &Config) -> Vec<String> {
    let (listen, limits, queue) = (&config.listen, &config.limits, &config.queue);
    let floors = queue.normal_floor + queue.batch_floor;
    let mut found = broken([
        (
            listen.admin.ip().is_loopback(),
            format!(
                "listen.admin: {} is not a loopback address; metrics never leave the machine",
                listen.admin
            ),
        ),
        (listen.connections > 0, "listen.connections: 0 admits nobody".to_owned()),
        (listen.cores != Some(0), "listen.cores: 0 serves nobody".to_owned()),
        (
            (1..=256).contains(&limits.h2_streams),
            format!("limits.h2_streams: {} is not between 1 and 256", limits.h2_streams),
        ),
        (limits.body_bytes > 0, "limits.body_bytes: 0 takes no request".to_owned()),
        (limits.output_tokens > 0, "limits.output_tokens: 0 answers nothing".to_owned()),
        (limits.headers >= 8, format!("limits.headers: {} is below 8", limits.headers)),
        (
            limits.header_bytes >= 8192,
            format!("limits.header_bytes: {} is below 8192, which one token may need", limits.header_bytes),
        ),
        (
            queue.normal_floor >= 0.0 && queue.batch_floor >= 0.0 && floors < 1.0,
            format!("queue.*_floor: together {floors}, must be below 1 and none negative"),
        ),
        (queue.capacity > 0, "queue.capacity: 0 lets nobody wait".to_owned()),
        (
            config.store.kind.is_built_in(),
            "store.kind: this build has no `dynamodb`; build the gateway with `--features aws`".to_owned(),
        ),
        (
            config.fleet.report_every_seconds <= LONGEST_REPORT_PAUSE,
            "fleet.report_every_seconds: over 5; after 10 s of silence a node counts as gone".to_owned(),
        ),
        (
            config.fleet.address.as_deref().is_none_or(is_host_and_port),
            format!(
                "fleet.address: `{}` is not host:port, as peers reach it",
                config.fleet.address.as_deref().unwrap_or_default()
            ),
        ),
        (
            config.drain.accept_for_seconds <= config.drain.deadline_seconds,
            "drain.accept_for_seconds: longer than drain.deadline_seconds".to_owned(),
        ),
    ]);
    let none = times(config).into_iter().filter(|(_, time)| time.is_zero());
    found.extend(
        none.map(|(key, _)| format!("{key}: 0 s would end everything at once; no limit can be turned off")),
    );
    found
}

/// Times that must not be zero.
fn times(config: &Config) -> Vec<(&'static str, Duration)> {
    let (limits, queue) = (&config.limits, &config.queue);
    let mut times = vec![
        ("limits.stream_seconds", limits.stream_seconds),
        ("limits.answer_seconds", limits.answer_seconds),
        ("limits.handshake_seconds", limits.handshake_seconds),
        ("limits.header_seconds", limits.header_seconds),
        ("limits.body_idle_seconds", limits.body_idle_seconds),
        ("limits.idle_seconds", limits.idle_seconds),
        ("limits.write_stall_seconds", limits.write_stall_seconds),
        ("queue.max_wait_seconds", queue.max_wait_seconds),
        ("queue.keepalive_every_seconds", queue.keepalive_every_seconds),
        ("fleet.report_every_seconds", config.fleet.report_every_seconds),
    ];
    if let Some(ollama) = &config.ollama {
        times.push(("ollama.load_seconds", ollama.load_seconds));
        times.push(("ollama.stuck_seconds", ollama.stuck_seconds));
    }
    times
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

fn is_host_and_port(text: &str) -> bool {
    let authority = text.parse::<Authority>();
    authority.is_ok_and(|at| {
        let named = !at.host().is_empty() && !at.as_str().contains('@');
        named && at.port_u16().is_some_and(|port| port > 0)
    })
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}
