use std::collections::HashMap;

use http::Request;
use serde_json::{Value, json};

use super::*;
use crate::identity::jwt::Unverified;
use crate::identity::{Principal, Priority, Rights};
use crate::ollama::names::{ModelName, ModelPattern};

const NOW: u64 = 1_700_000_000;
const ID: &str = "0123456789abcdef";
const BODY: &[u8] = br#"{"model":"gemma3n:e4b"}"#;

#[derive(Default)]
struct Fleet(HashMap<String, String>);

impl Peers for Fleet {
    fn public_key(&self, node: &str) -> Option<String> {
        self.0.get(node).cloned()
    }
}

/// The node `here`, which knows the node `front` by its key.
struct Ends {
    key: NodeKey,
    here: Trust,
}

fn ends() -> Ends {
    let key = NodeKey::generate().unwrap();
    let fleet = Fleet(HashMap::from([("front".to_owned(), key.public())]));
    Ends { key, here: Trust::new("here", Arc::new(fleet)).unwrap() }
}

fn rights() -> Rights {
    Rights {
        models: ["gemma*", "nomic"].map(|text| ModelPattern::parse(text).unwrap()).to_vec(),
        requests_per_minute: 1,
        requests_burst: 1,
        tokens_per_minute: 1,
        open_requests: 1,
        priority: Priority::Batch,
        operate: true,
        manage_models: false,
    }
}

fn token(key: &NodeKey, sender: &str, receiver: &str, now: u64) -> String {
    let (principal, rights) = (Principal::of_token("https://issuer", "alice"), rights());
    let errand = Errand {
        principal: &principal,
        rights: &rights,
        model: None,
        method: "POST",
        path: "/api/chat",
        body: BODY,
        request_id: ID,
        waited: Duration::from_millis(1500),
    };
    key.vouch(sender, receiver, &errand, now).unwrap()
}

fn head(method: &str, path: &str) -> Parts {
    Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0
}

fn identify(here: &Trust, token: &str, now: u64) -> Result<Caller, &'static str> {
    here.identify_at(token, &head("POST", "/api/chat"), ID, now).map_err(|refusal| {
        assert_eq!(refusal.status(), 401);
        refusal.label()
    })
}

/// Header and claims of an honest token, to be changed and signed again.
fn parts(token: &str) -> (Value, Value) {
    let part = |at| {
        serde_json::from_slice(
            &crate::identity::strict::base64url(token.split('.').nth(at).unwrap()).unwrap(),
        )
    };
    (part(0).unwrap(), part(1).unwrap())
}

fn check(change: impl FnOnce(&mut Value, &mut Value), expected: &'static str) {
    let Ends { key, here } = ends();
    let (mut header, mut claims) = parts(&token(&key, "front", "here", NOW));
    change(&mut header, &mut claims);
    let found = identify(&here, &key.token(&header, &claims), NOW).map(|_| ());
    assert_eq!(found, Err(expected), "{header} {claims}");
}

#[test]
fn a_peer_is_believed_about_whom_it_serves_and_what_they_may() {
    let Ends { key, here } = ends();
    let caller = identify(&here, &token(&key, "front", "here", NOW), NOW).unwrap();
    assert_eq!(caller.principal, Principal::of_token("https://issuer", "alice"));
    let told = rights();
    assert_eq!(caller.rights.models, told.models);
    assert_eq!((caller.rights.priority, caller.rights.operate), (told.priority, told.operate));
    assert!(!caller.rights.manage_models);
    assert_eq!(caller.waited(), Duration::from_millis(1500));
    assert_eq!(caller.forwarded.as_ref().unwrap().by, "front");
    assert!(caller.sends(BODY).is_ok());
    for other in [&b""[..], br#"{"model":"gemma3n:e4b" }"#] {
        assert_eq!(caller.sends(other).unwrap_err().status(), 401);
    }
}

#[test]
fn a_token_for_one_model_opens_no_other() {
    let Ends { key, here } = ends();
    let (principal, rights) = (Principal::of_key("ci"), rights());
    let model = ModelName::parse("gemma3n:e4b").unwrap();
    let errand = Errand {
        principal: &principal,
        rights: &rights,
        model: Some(&model),
        method: "POST",
        path: "/api/chat",
        body: BODY,
        request_id: ID,
        waited: Duration::ZERO,
    };
    let caller = identify(&here, &key.vouch("front", "here", &errand, NOW).unwrap(), NOW).unwrap();
    assert!(caller.rights.may_use(&model));
    assert!(!caller.rights.may_use(&ModelName::parse("gemma3n:e2b").unwrap()));
}

#[test]
fn it_is_good_once() {
    let Ends { key, here } = ends();
    let (first, second) = (token(&key, "front", "here", NOW), token(&key, "front", "here", NOW));
    assert!(identify(&here, &first, NOW).is_ok());
    assert_eq!(identify(&here, &first, NOW + 34).unwrap_err(), "peer_replayed");
    assert!(identify(&here, &second, NOW).is_ok());
}

#[test]
fn a_token_that_did_not_fit_is_not_used_up() {
    let Ends { key, here } = ends();
    let token = token(&key, "front", "here", NOW);
    assert!(here.identify_at(&token, &head("POST", "/api/generate"), ID, NOW).is_err());
    assert!(identify(&here, &token, NOW).is_ok());
}

#[test]
fn it_is_good_for_half_a_minute_and_the_leeway() {
    let Ends { key, here } = ends();
    let made_at = |now| token(&key, "front", "here", now);
    for (made, expected) in [
        (NOW - LIFETIME - LEEWAY, Err("peer_expired")),
        (NOW - LIFETIME - LEEWAY + 1, Ok(())),
        (NOW + LEEWAY, Ok(())),
        (NOW + LEEWAY + 1, Err("peer_early")),
    ] {
        assert_eq!(identify(&here, &made_at(made), NOW).map(|_| ()), expected, "made at {made}");
    }
}

#[test]
fn it_is_for_one_node_by_a_known_one() {
    let Ends { key, here } = ends();
    assert_eq!(identify(&here, &token(&key, "front", "there", NOW), NOW).unwrap_err(), "peer_audience");
    assert_eq!(identify(&here, &token(&key, "stranger", "here", NOW), NOW).unwrap_err(), "peer_unknown");
    let other = NodeKey::generate().unwrap();
    assert_eq!(identify(&here, &token(&other, "front", "here", NOW), NOW).unwrap_err(), "bad_signature");
    let nobody = Trust::new("here", Arc::new(NoPeers)).unwrap();
    assert_eq!(identify(&nobody, &token(&key, "front", "here", NOW), NOW).unwrap_err(), "peer_unknown");
}

/// A point of small order: one signature would hold for many messages.
#[test]
fn a_key_that_proves_nothing_is_not_believed() {
    let Ends { key, .. } = ends();
    for public in ["AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", "AQ", "not base64url"] {
        let fleet = Fleet(HashMap::from([("front".to_owned(), public.to_owned())]));
        let here = Trust::new("here", Arc::new(fleet)).unwrap();
        assert_eq!(identify(&here, &token(&key, "front", "here", NOW), NOW).unwrap_err(), "peer_key");
    }
}

#[test]
fn it_is_for_one_request() {
    let Ends { key, here } = ends();
    let token = token(&key, "front", "here", NOW);
    let label = |head: Parts, id: &str| here.identify_at(&token, &head, id, NOW).unwrap_err().label();
    assert_eq!(label(head("POST", "/api/generate"), ID), "peer_path");
    assert_eq!(label(head("DELETE", "/api/chat"), ID), "peer_path");
    assert_eq!(label(head("POST", "/api/chat"), "another-request"), "peer_request_id");
}

#[test]
fn what_a_peer_would_not_write_is_refused() {
    check(|_, claims| claims["charged"] = json!(false), "peer_uncharged");
    check(|_, claims| drop(claims.as_object_mut().unwrap().remove("charged")), "peer_claims");
    check(|_, claims| claims["exp"] = json!(NOW + 3600), "peer_early");
    check(|_, claims| claims["exp"] = json!(u64::MAX), "peer_early");
    check(|_, claims| claims["iss"] = json!("another"), "peer_issuer");
    check(|_, claims| claims["aud"] = json!(["here"]), "peer_claims");
    check(|_, claims| claims["sub"] = json!(""), "subject");
    check(|_, claims| claims["sub"] = json!("a\nb"), "subject");
    check(|_, claims| claims["rights"]["models"] = json!(["../x"]), "peer_rights");
    check(|_, claims| claims["rights"]["priority"] = json!("first"), "peer_claims");
    check(|_, claims| claims["request"]["body_sha256"] = json!("AA"), "peer_claims");
    check(|header, _| header["alg"] = json!("none"), "algorithm");
    check(|header, _| header["alg"] = json!("ES256"), "bad_signature");
    check(|header, _| header["jwk"] = json!({}), "header");
    check(|header, _| header["kid"] = json!("stranger"), "peer_unknown");
}

#[test]
fn no_other_kind_of_token_passes_as_one_nor_one_as_another() {
    for typ in ["JWT", "at+jwt", "application/at+jwt", "fleet-identity"] {
        check(|header, _| header["typ"] = json!(typ), "type");
    }
    check(|header, _| drop(header.as_object_mut().unwrap().remove("typ")), "type");
    let Ends { key, .. } = ends();
    let token = token(&key, "front", "here", NOW);
    assert_eq!(Unverified::parse(&token).err(), Some("type"));
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let Ends { key: signer, here } = ends();
    let (header, claims) = parts(&token(&signer, "front", "here", NOW));
    let twice = claims.to_string().replacen('{', r#"{"sub":"mallory","#, 1);
    let b64 = key::b64;
    let signed = format!("{}.{}", b64(header.to_string().as_bytes()), b64(twice.as_bytes()));
    let token = format!("{signed}.{}", signer.sign(signed.as_bytes()));
    assert_eq!(identify(&here, &token, NOW).unwrap_err(), "payload");
}

#[test]
fn it_stands_alone() {
    let here = ends().here;
    for (fields, expected) in [
        (vec![("x-fleet-identity", "a"), ("authorization", "Bearer b")], "two_credentials"),
        (vec![("x-fleet-identity", "a"), ("x-api-key", "b")], "two_credentials"),
        (vec![("x-fleet-identity", "a"), ("x-fleet-identity", "a")], "two_credentials"),
        (vec![("x-fleet-identity", "a")], "segments"),
        (vec![("x-fleet-identity", "\u{e9}")], "peer_malformed"),
        (vec![("x-fleet-identity", "")], "segments"),
    ] {
        let mut head = head("POST", "/api/chat");
        for (name, value) in &fields {
            head.headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let refusal = here.identify(&head, ID).unwrap_err();
        assert_eq!((refusal.status().as_u16(), refusal.label()), (401, expected), "{fields:?}");
    }
}

#[test]
fn the_fields_of_an_attempt_are_new_each_time_and_shown_to_nobody() {
    let trust = Trust::new("front", Arc::new(NoPeers)).unwrap();
    let (principal, rights) = (Principal::of_key("ci"), rights());
    let errand = |rights| Errand {
        principal: &principal,
        rights,
        model: None,
        method: "GET",
        path: "/api/tags",
        body: b"",
        request_id: ID,
        waited: Duration::ZERO,
    };
    let fields = || trust.vouch("here", &errand(&rights)).unwrap();
    let (first, second) = (fields(), fields());
    assert_eq!((&first[0].0, first[0].1.as_bytes()), (&REQUEST_ID, ID.as_bytes()));
    assert_eq!(first[1].0, IDENTITY);
    assert!(first[1].1.is_sensitive());
    assert_ne!(first[1].1, second[1].1);
    let model = ModelPattern::parse("a-model-with-a-long-name-that-many-have").unwrap();
    let long = Rights { models: vec![model; 200], ..rights.clone() };
    assert!(matches!(trust.vouch("here", &errand(&long)), Err(TokenError::TooLong(8193..))));
}

/// The second hop looks at the body that the first has written: it must find nothing to change, or its caps and pins
/// would add up, and the first hop would wait for an answer to another request.
#[test]
fn a_body_is_inspected_a_second_time_without_a_change() {
    use crate::ollama::dialect::Api;
    use crate::request::inspect::inspect;
    let messages = json!([{ "role": "user", "content": "h\u{e9}llo \u{1f30d}" }]);
    let prompt = json!("hello");
    for (api, key, value) in [
        (Api::Generate, "prompt", &prompt),
        (Api::Chat, "messages", &messages),
        (Api::Embed, "input", &prompt),
        (Api::Embeddings, "prompt", &prompt),
        (Api::ChatCompletions, "messages", &messages),
        (Api::Completions, "prompt", &prompt),
        (Api::OpenAiEmbeddings, "input", &prompt),
        (Api::Responses, "input", &prompt),
        (Api::Messages, "messages", &messages),
        (Api::Show, "verbose", &json!(true)),
    ] {
        for operate in [false, true] {
            for stream in [false, true] {
                let rights = Rights { operate, ..rights() };
                let mut body =
                    json!({ "model": "Gemma3n:E4B", "stream": stream, "x": 1, "max_tokens": 9e4 as u32 });
                body[key] = value.clone();
                if matches!(api, Api::Generate | Api::Chat | Api::Embed) {
                    body["options"] = json!({ "num_ctx": 8192, "temperature": 0.5 });
                    body["keep_alive"] = json!("5m");
                }
                let first = inspect(api, body.to_string().into(), &rights, 1000).unwrap();
                let second = inspect(api, first.body.clone(), &rights, 1000).unwrap();
                assert_eq!(second.body, first.body, "{api:?}");
                assert_eq!(
                    (second.kind, &second.model, second.stream),
                    (first.kind, &first.model, first.stream)
                );
                assert_eq!(second.prompt_tokens, first.prompt_tokens);
                assert_eq!(second.output_tokens, first.output_tokens);
                assert!(
                    !second.hide_usage,
                    "{api:?}: the first hop is shown the counts, and drops them itself"
                );
            }
        }
    }
}
