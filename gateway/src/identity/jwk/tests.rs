//! Which keys are believed.

use serde_json::json;

use super::super::testing::{Signer, b64};
use super::*;

fn read(jwk: &Value) -> Result<Key, &'static str> {
    Key::from_jwk(&jwk.to_string())
}

/// Reads the key after `member` was set (or with null taken out).
fn check(signer: &Signer, member: &str, value: Value, expected: Result<(), &'static str>) {
    let mut jwk = signer.jwk("k");
    if value.is_null() {
        jwk.as_object_mut().unwrap().remove(member);
    } else {
        jwk[member] = value.clone();
    }
    assert_eq!(read(&jwk).map(drop), expected, "{} {member}={value}", signer.alg());
}

#[test]
fn sound_keys_of_three_algorithms_verify_what_they_signed() {
    for signer in [Signer::rsa(), Signer::ec(), Signer::ed()] {
        let key = read(&signer.jwk("k")).unwrap();
        assert!(key.verifies("message", &b64(signer.signature(b"message"))), "{}", signer.alg());
        assert!(!key.verifies("massage", &b64(signer.signature(b"message"))));
        assert!(!key.verifies("message", "AA"));
    }
}

#[test]
fn use_alg_and_key_ops_are_honoured() {
    for signer in [Signer::rsa(), Signer::ec(), Signer::ed()] {
        check(&signer, "use", Value::Null, Ok(()));
        check(&signer, "use", "enc".into(), Err("use"));
        check(&signer, "use", json!(["sig"]), Err("use"));
        check(&signer, "alg", Value::Null, Ok(()));
        for alg in ["RS384", "PS256", "RSA1_5", "ES384", "ES521", "HS256", "none", "rs256", "Ed25519"] {
            check(&signer, "alg", alg.into(), Err("alg"));
        }
        check(&signer, "key_ops", json!(["verify"]), Ok(()));
        check(&signer, "key_ops", json!(["verify", "encrypt"]), Ok(()));
        check(&signer, "key_ops", json!(["encrypt"]), Err("key_ops"));
        check(&signer, "key_ops", json!(["sign"]), Err("key_ops"));
        check(&signer, "key_ops", json!([]), Err("key_ops"));
        check(&signer, "key_ops", json!(["verify", "verify"]), Err("key_ops"));
        check(&signer, "key_ops", "verify".into(), Err("key_ops"));
        check(&signer, "x5c", json!(["anything"]), Ok(()));
    }
}

#[test]
fn a_key_needs_a_name_and_no_secret() {
    let signer = Signer::ec();
    check(&signer, "kid", Value::Null, Err("no_kid"));
    check(&signer, "kid", "".into(), Err("kid"));
    check(&signer, "kid", "k".repeat(257).into(), Err("kid"));
    check(&signer, "kid", 7.into(), Err("kid"));
    check(&signer, "d", "AA".into(), Err("not_public"));
    check(&signer, "kty", "oct".into(), Err("kty"));
    check(&signer, "kty", Value::Null, Err("kty"));
    assert_eq!(read(&json!({"kty": "oct", "kid": "k", "k": "AAAA"})).map(drop), Err("not_public"));
    assert_eq!(Key::from_jwk(r#"{"kid":"a","kid":"b"}"#).map(drop), Err("not_an_object"));
    assert_eq!(Key::from_jwk("[]").map(drop), Err("not_an_object"));
}

#[test]
fn rsa_keys_are_large_odd_and_have_the_usual_exponent() {
    let signer = Signer::rsa();
    let modulus = |bytes: usize, first: u8, last: u8| {
        let mut n = vec![0x5a; bytes];
        n[0] = first;
        n[bytes - 1] = last;
        Value::from(b64(n))
    };
    check(&signer, "n", modulus(256, 0x80, 1), Ok(()));
    check(&signer, "n", modulus(256, 0x7f, 1), Err("n"));
    check(&signer, "n", modulus(128, 0xff, 1), Err("n"));
    check(&signer, "n", modulus(1024, 0xff, 1), Ok(()));
    check(&signer, "n", modulus(1025, 0x01, 1), Err("n"));
    check(&signer, "n", modulus(256, 0x80, 2), Err("n"));
    check(&signer, "n", modulus(257, 0x00, 1), Err("n"));
    check(&signer, "n", "".into(), Err("n"));
    check(&signer, "n", "a+/=".into(), Err("n"));
    for e in [&[1][..], &[3], &[0x11], &[], &[0, 1, 0, 1], &[1, 0, 2], &[1, 0, 0, 0, 1]] {
        check(&signer, "e", b64(e).into(), Err("e"));
    }
}

#[test]
fn keys_of_the_broken_library_are_refused() {
    // A power of 65537 is one modulo every prime, as the library's moduli are.
    let mut power = vec![1_u8];
    while power.len() < 300 {
        // times 65537 = times 2^16, plus itself
        let shifted = [power.as_slice(), &[0, 0]].concat();
        let mut sum = shifted.clone();
        let mut carry = 0_u16;
        for at in 0..sum.len() {
            let own = power.len().checked_sub(at + 1).map_or(0, |from| power[from]);
            let place = sum.len() - 1 - at;
            let total = u16::from(sum[place]) + u16::from(own) + carry;
            sum[place] = total as u8;
            carry = total >> 8;
        }
        power = sum;
    }
    check(&Signer::rsa(), "n", b64(&power).into(), Err("roca"));
}

#[test]
fn ec_points_lie_on_p256() {
    let signer = Signer::ec();
    check(&signer, "crv", "P-384".into(), Err("crv"));
    check(&signer, "crv", "secp256k1".into(), Err("crv"));
    check(&signer, "crv", Value::Null, Err("crv"));
    check(&signer, "y", b64([7; 32]).into(), Err("point"));
    check(&signer, "x", b64([0xff; 32]).into(), Err("point"));
    check(&signer, "x", b64([0; 32]).into(), Err("point"));
    check(&signer, "x", b64([1; 31]).into(), Err("point"));
    check(&signer, "x", b64([1; 33]).into(), Err("point"));
    check(&signer, "x", "=".into(), Err("x"));
}

#[test]
fn ed25519_points_have_a_large_order_and_one_spelling() {
    let signer = Signer::ed();
    let bytes = |hex: &str| -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    for hex in SMALL_ORDER {
        let mut point = bytes(hex);
        check(&signer, "x", b64(&point).into(), Err("point"));
        point[31] |= 0x80;
        check(&signer, "x", b64(&point).into(), Err("point"));
    }
    for first in [0xed, 0xee, 0xff] {
        let mut point = [0xff; 32];
        point[0] = first;
        check(&signer, "x", b64(point).into(), Err("point"));
        point[31] = 0x7f;
        check(&signer, "x", b64(point).into(), Err("point"));
    }
    check(&signer, "x", b64([5; 31]).into(), Err("point"));
    check(&signer, "crv", "Ed448".into(), Err("crv"));
    check(&signer, "crv", "X25519".into(), Err("crv"));
}
