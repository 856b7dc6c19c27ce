//! Which tokens are believed.

use serde_json::json;

use super::super::testing::{Signer, b64, key_set};
use super::*;

const NOW: f64 = 1_800_000_000.0;

fn oidc_issuer() -> Issuer {
    Issuer {
        issuer: "https://tenant.example/".to_owned(),
        kind: IssuerKind::Oidc,
        audiences: vec!["api".to_owned(), "api2".to_owned()],
        client_ids: Vec::new(),
        jwks_url: None,
        userinfo_url: None,
        groups_claim: "groups".to_owned(),
    }
}

fn cognito_issuer() -> Issuer {
    Issuer {
        kind: IssuerKind::Cognito,
        audiences: vec![],
        client_ids: vec!["app".to_owned()],
        ..oidc_issuer()
    }
}

fn oidc_claims() -> Value {
    json!({"iss": "https://tenant.example/", "sub": "auth0|7", "aud": "api", "exp": NOW + 60.0, "iat": NOW})
}

fn cognito_claims() -> Value {
    json!({
        "iss": "https://tenant.example/", "sub": "7", "token_use": "access", "client_id": "app", "exp": NOW + 60.0
    })
}

/// Checks the claims after `changes` (null: taken out).
fn check(issuer: &Issuer, mut claims: Value, changes: &[(&str, Value)], expected: Result<(), Reason>) {
    for (claim, value) in changes {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(*claim);
        } else {
            claims[*claim] = value.clone();
        }
    }
    let signer = Signer::ed();
    let key = Key::from_jwk(&signer.jwk("k").to_string()).unwrap();
    let token = signer.token("k", &claims);
    let found = Unverified::parse(&token).unwrap().verified(&key, issuer, NOW);
    assert_eq!(found.map(drop), expected, "{claims}");
}

fn oidc_check(changes: &[(&str, Value)], expected: Result<(), Reason>) {
    check(&oidc_issuer(), oidc_claims(), changes, expected);
}

#[test]
fn a_good_token_says_who_it_is() {
    let signer = Signer::rsa();
    let key = Key::from_jwk(&signer.jwk("k").to_string()).unwrap();
    let mut claims = oidc_claims();
    claims["groups"] = json!(["a", 7, "b"]);
    claims["email"] = "a@b.example".into();
    claims["email_verified"] = true.into();
    let token = signer.token("k", &claims);
    let token = Unverified::parse(&token).unwrap();
    assert_eq!(token.kid(), "k");
    assert_eq!(token.claimed_issuer().as_deref(), Some("https://tenant.example/"));
    let found = token.verified(&key, &oidc_issuer(), NOW).unwrap();
    let expected = Claims {
        subject: "auth0|7".to_owned(),
        expires: NOW + 60.0,
        groups: vec!["a".to_owned(), "b".to_owned()],
        email: Some("a@b.example".to_owned()),
    };
    assert_eq!(found, expected);
}

#[test]
fn times_are_numbers_and_hold_within_the_leeway() {
    oidc_check(&[("exp", Value::Null)], Err("exp"));
    oidc_check(&[("exp", "1900000000".into())], Err("exp"));
    oidc_check(&[("exp", json!([NOW + 60.0]))], Err("exp"));
    oidc_check(&[("exp", json!(NOW as i64 + 60))], Ok(()));
    oidc_check(&[("exp", json!(NOW - 29.5))], Ok(()));
    oidc_check(&[("exp", json!(NOW - 30.0))], Err("expired"));
    oidc_check(&[("exp", json!(-1))], Err("expired"));
    oidc_check(&[("exp", json!(0))], Err("expired"));
    oidc_check(&[("nbf", json!(NOW + 30.0))], Ok(()));
    oidc_check(&[("nbf", json!(NOW + 30.5))], Err("not_yet"));
    oidc_check(&[("nbf", "0".into())], Err("nbf"));
    oidc_check(&[("iat", Value::Null)], Ok(()));
    oidc_check(&[("iat", json!(NOW + 31.0))], Err("issued_later"));
    oidc_check(&[("iat", true.into())], Err("iat"));
}

#[test]
fn the_issuer_is_meant_to_the_letter() {
    for issuer in ["https://tenant.example", "https://TENANT.example/", "https://other.example/", ""] {
        oidc_check(&[("iss", issuer.into())], Err("issuer"));
    }
    oidc_check(&[("iss", Value::Null)], Err("issuer"));
    oidc_check(&[("iss", json!(["https://tenant.example/"]))], Err("issuer"));
}

#[test]
fn the_audience_names_us() {
    oidc_check(&[("aud", json!(["https://tenant.example/userinfo", "api2"]))], Ok(()));
    oidc_check(&[("aud", json!(["api", 7]))], Err("audience"));
    for aud in
        [Value::Null, "".into(), "API".into(), "api ".into(), json!([]), json!(["x"]), json!({"api": 1})]
    {
        oidc_check(&[("aud", aud)], Err("audience"));
    }
    let nobody = Issuer { audiences: vec![], ..oidc_issuer() };
    check(&nobody, oidc_claims(), &[], Err("audience"));
}

#[test]
fn the_client_is_listed_where_clients_are() {
    let some = Issuer { client_ids: vec!["web".to_owned()], ..oidc_issuer() };
    check(&some, oidc_claims(), &[("azp", "web".into())], Ok(()));
    check(&some, oidc_claims(), &[("client_id", "web".into())], Ok(()));
    check(&some, oidc_claims(), &[("azp", "other".into()), ("client_id", "web".into())], Err("client"));
    check(&some, oidc_claims(), &[("azp", json!(["web"]))], Err("client"));
    check(&some, oidc_claims(), &[], Err("client"));
    oidc_check(&[("azp", "anything".into())], Ok(()));
}

#[test]
fn cognito_has_rules_of_its_own() {
    let cognito = |changes: &[(&str, Value)], expected| {
        check(&cognito_issuer(), cognito_claims(), changes, expected);
    };
    cognito(&[], Ok(()));
    cognito(&[("token_use", "id".into()), ("aud", "app".into())], Err("token_use"));
    cognito(&[("token_use", Value::Null)], Err("token_use"));
    cognito(&[("client_id", "other".into())], Err("client"));
    cognito(&[("client_id", Value::Null)], Err("client"));
    cognito(&[("client_id", Value::Null), ("azp", "app".into())], Err("client"));
    cognito(&[("aud", "https://any.example".into())], Ok(()));
    cognito(&[("iss", "https://other-pool.example/".into())], Err("issuer"));
    let bound = Issuer { audiences: vec!["https://us.example".to_owned()], ..cognito_issuer() };
    check(&bound, cognito_claims(), &[], Ok(()));
    check(&bound, cognito_claims(), &[("aud", "https://us.example".into())], Ok(()));
    check(&bound, cognito_claims(), &[("aud", "https://any.example".into())], Err("audience"));
}

#[test]
fn somebody_must_be_meant() {
    for subject in [Value::Null, "".into(), 7.into(), "a\nb".into(), "x".repeat(256).into()] {
        oidc_check(&[("sub", subject)], Err("subject"));
    }
    oidc_check(&[("sub", "x".repeat(255).into())], Ok(()));
}

#[test]
fn only_a_verified_address_counts() {
    for (email, verified, expected) in [
        (json!("a@b.example"), json!(true), Some("a@b.example")),
        (json!("a@b.example"), json!("true"), Some("a@b.example")),
        (json!("a@b.example"), json!("false"), None),
        (json!("a@b.example"), json!(false), None),
        (json!("a@b.example"), json!(1), None),
        (json!("a@b.example"), Value::Null, None),
        (json!(["a@b.example"]), json!(true), None),
    ] {
        let claims = json!({"email": email, "email_verified": verified});
        assert_eq!(verified_email(claims.as_object().unwrap()).as_deref(), expected, "{claims}");
    }
    assert_eq!(verified_email(json!({"email": "a@b.example"}).as_object().unwrap()), None);
}

#[test]
fn groups_are_names() {
    assert_eq!(groups(Some(&json!("one two"))), ["one two"]);
    assert_eq!(groups(Some(&json!(["a", null, "b"]))), ["a", "b"]);
    assert!(groups(Some(&json!({"a": true}))).is_empty() && groups(None).is_empty());
}

fn header_check(header: &str, expected: Result<(), Reason>) {
    let token = Signer::ed().sign(header, "{}");
    assert_eq!(Unverified::parse(&token).map(drop), expected, "{header}");
}

#[test]
fn a_header_says_one_of_three_algorithms_and_nothing_that_changes_its_meaning() {
    for alg in ["RS256", "ES256", "EdDSA"] {
        header_check(&format!(r#"{{"alg":"{alg}","kid":"k"}}"#), Ok(()));
    }
    for alg in
        ["none", "None", "NONE", "HS256", "RS384", "RS512", "PS256", "ES384", "ES512", "Ed25519", "rs256", ""]
    {
        header_check(&format!(r#"{{"alg":"{alg}","kid":"k"}}"#), Err("algorithm"));
    }
    header_check(r#"{"kid":"k"}"#, Err("algorithm"));
    header_check(r#"{"alg":["RS256"],"kid":"k"}"#, Err("algorithm"));
    for member in ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "cty", "enc", "epk"] {
        header_check(&format!(r#"{{"alg":"RS256","kid":"k","{member}":null}}"#), Err("header"));
    }
    header_check(r#"{"alg":"RS256","kid":"k","x5t":"abc","unknown":{}}"#, Ok(()));
    header_check(r#"{"alg":"RS256"}"#, Err("no_kid"));
    header_check(r#"{"alg":"RS256","kid":7}"#, Err("no_kid"));
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/JWT"] {
        header_check(&format!(r#"{{"alg":"RS256","kid":"k","typ":"{typ}"}}"#), Ok(()));
    }
    for typ in [r#""logout+jwt""#, r#""dpop+jwt""#, r#""JWE""#, r#""""#, "7", "null"] {
        header_check(&format!(r#"{{"alg":"RS256","kid":"k","typ":{typ}}}"#), Err("type"));
    }
    for twice in [r#"{"alg":"none","alg":"RS256","kid":"k"}"#, r#"{"alg":"RS256","kid":"k","kid":"k"}"#] {
        header_check(twice, Err("header"));
    }
    for garbage in ["", "null", "[]", "\"x\"", "{\"alg\":\"RS256\",\"kid\":\"k\"} x", "{"] {
        header_check(garbage, Err("header"));
    }
}

#[test]
fn a_token_has_three_segments_in_one_spelling() {
    let good = Signer::ec().token("k", &json!({}));
    assert!(Unverified::parse(&good).is_ok());
    let segments: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = segments[..] else { panic!("{good}") };
    for (token, expected) in [
        (String::new(), "segments"),
        ("..".to_owned(), "signature"),
        (format!("{header}.{payload}"), "segments"),
        (format!("{good}."), "segments"),
        (format!("{good}.{signature}"), "segments"),
        (format!("{header}.{payload}."), "signature"),
        (format!("{header}.{payload}.{signature}="), "signature"),
        (format!(" {good}"), "header"),
        (format!("{header}=.{payload}.{signature}"), "header"),
        (format!(".{payload}.{signature}"), "header"),
        (format!("{good}{}", "A".repeat(8192)), "too_long"),
        (json!({"payload": payload, "signatures": []}).to_string(), "segments"),
    ] {
        assert_eq!(Unverified::parse(&token).map(drop), Err(expected), "{token}");
    }
    // 64 bytes leave four unused bits in the last character: setting them is another spelling of the same signature.
    let last = signature.chars().last().unwrap();
    let next = char::from(last as u8 + 1);
    let other = format!("{header}.{payload}.{}{next}", &signature[..signature.len() - 1]);
    assert_eq!(Unverified::parse(&other).map(drop), Err("signature"), "{last} {next}");
}

#[test]
fn what_was_not_signed_does_not_hold() {
    let (signer, other) = (Signer::ec(), Signer::ec());
    let set = key_set(&[signer.jwk("k")]);
    let good = signer.token("k", &oidc_claims());
    assert!(verify_signature(&good, &set).is_ok());
    assert_eq!(verify_signature(&other.token("k", &oidc_claims()), &set), Err("bad_signature"));
    let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let forged = format!("{header}.{}.{signature}", b64(json!({"sub": "admin"}).to_string()));
    assert_eq!(verify_signature(&forged, &set), Err("bad_signature"));
    for signature in [&b64([0; 64]), &b64([0; 63]), "AA"] {
        let forged = format!("{}.{signature}", good.rsplit_once('.').unwrap().0);
        assert_eq!(verify_signature(&forged, &set), Err("bad_signature"));
    }
}

#[test]
fn a_payload_with_doubled_members_is_refused_even_when_signed() {
    let signer = Signer::ec();
    let key = Key::from_jwk(&signer.jwk("k").to_string()).unwrap();
    let claims = oidc_claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    let token = signer.sign(r#"{"alg":"ES256","kid":"k"}"#, &claims);
    let token = Unverified::parse(&token).unwrap();
    assert_eq!(token.verified(&key, &oidc_issuer(), NOW), Err("payload"));
    assert_eq!(token.claimed_issuer(), None);
}

#[test]
fn kid_and_algorithm_pick_exactly_one_key() {
    let (ec, ed, rsa) = (Signer::ec(), Signer::ed(), Signer::rsa());
    let token = ec.token("k", &json!({}));
    for (keys, expected) in [
        (vec![ec.jwk("k"), ed.jwk("other")], Ok(())),
        (vec![rsa.jwk("k"), ec.jwk("k")], Ok(())),
        (vec![ec.jwk("K")], Err("unknown_key")),
        (vec![ec.jwk("k"), Signer::ec().jwk("k")], Err("ambiguous_key")),
        (vec![ec.jwk("k"), ec.jwk("k")], Err("ambiguous_key")),
        (vec![rsa.jwk("k")], Err("algorithm")),
    ] {
        assert_eq!(verify_signature(&token, &key_set(&keys)).map(drop), expected, "{keys:?}");
    }
}

#[test]
fn the_algorithm_is_the_keys_whatever_the_token_says() {
    let (ec, ed) = (Signer::ec(), Signer::ed());
    let set = key_set(&[ec.jwk("k"), ed.jwk("d")]);
    for (header, expected) in [
        (r#"{"alg":"EdDSA","kid":"k"}"#, "algorithm"),
        (r#"{"alg":"RS256","kid":"k"}"#, "algorithm"),
        (r#"{"alg":"HS256","kid":"k"}"#, "algorithm"),
        (r#"{"alg":"ES256","kid":"d"}"#, "algorithm"),
        (r#"{"alg":"EdDSA","kid":"d"}"#, "bad_signature"),
    ] {
        assert_eq!(verify_signature(&ec.sign(header, "{}"), &set), Err(expected), "{header}");
    }
}

#[test]
fn a_key_of_another_name_or_algorithm_proves_nothing() {
    let signer = Signer::ec();
    let token = signer.token("k", &json!({}));
    let token = Unverified::parse(&token).unwrap();
    let key = Key::from_jwk(&signer.jwk("k").to_string()).unwrap();
    assert!(token.payload(&key).is_ok());
    // A good signature, but the header speaks of another algorithm.
    let other = signer.sign(r#"{"alg":"EdDSA","kid":"k"}"#, "{}");
    assert_eq!(Unverified::parse(&other).unwrap().payload(&key), Err("bad_signature"));
    let mut renamed = key;
    renamed.kid = "other".to_owned();
    assert_eq!(token.payload(&renamed), Err("bad_signature"));
}
