//! One public key of an issuer, read from a JSON Web Key (RFC 7517, 7518, 8037) and believed only when it is sound.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use super::strict;

/// A key that may verify tokens, bound to the one algorithm it may be used with.
#[derive(Clone)]
pub struct Key {
    /// The name by which a token picks it.
    pub kid: String,
    /// RS256, ES256 or EdDSA: what the key is made for, never what a token asks for.
    pub algorithm: Algorithm,
    /// The key's own numbers, to tell whether a set has changed.
    material: Vec<u8>,
    decoding: DecodingKey,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (&self.kid, self.algorithm, &self.material) == (&other.kid, other.algorithm, &other.material)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.algorithm, self.kid)
    }
}

/// Smallest and largest RSA modulus, in bits: below it is broken, above it verifying costs an attacker nothing and us
/// much (AWS-LC's own bounds for RS256).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The longest `kid` taken, in bytes; Entra's have 43, Cognito's 44.
const LONGEST_KID: usize = 256;

impl Key {
    /// Reads one entry of a key set.
    ///
    /// # Errors
    /// A short constant word: what makes the key unusable to us.
    pub fn from_jwk(text: &str) -> Result<Self, &'static str> {
        let jwk = strict::object(text.as_bytes()).ok_or("not_an_object")?;
        // A private key that is published, and a shared secret, prove nothing.
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|member| jwk.contains_key(*member)) {
            return Err("not_public");
        }
        let kid = optional(&jwk, "kid")?.ok_or("no_kid")?;
        if kid.is_empty() || kid.len() > LONGEST_KID {
            return Err("kid");
        }
        if !matches!(optional(&jwk, "use")?, None | Some("sig")) {
            return Err("use");
        }
        verifies(&jwk)?;
        let (algorithm, name, material, decoding) = match text_of(&jwk, "kty")? {
            "RSA" => {
                let (n, e) = rsa(&jwk)?;
                let decoding = DecodingKey::from_rsa_raw_components(&n, &e);
                (Algorithm::RS256, "RS256", n, decoding)
            }
            "EC" => {
                let point = p256(&jwk)?;
                (Algorithm::ES256, "ES256", point.clone(), DecodingKey::from_ec_der(&point))
            }
            "OKP" => {
                let point = ed25519(&jwk)?;
                (Algorithm::EdDSA, "EdDSA", point.clone(), DecodingKey::from_ed_der(&point))
            }
            _ => return Err("kty"),
        };
        if optional(&jwk, "alg")?.is_some_and(|alg| alg != name) {
            return Err("alg");
        }
        Ok(Self { kid: kid.to_owned(), algorithm, material, decoding })
    }

    /// Does `signature` (base64url) of `message` hold under this key?
    pub fn verifies(&self, message: &str, signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.decoding, self.algorithm)
            .is_ok_and(|holds| holds)
    }
}

fn optional<'a>(jwk: &'a Map<String, Value>, member: &'static str) -> Result<Option<&'a str>, &'static str> {
    match jwk.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(member),
    }
}

fn text_of<'a>(jwk: &'a Map<String, Value>, member: &'static str) -> Result<&'a str, &'static str> {
    optional(jwk, member)?.ok_or(member)
}

fn number(jwk: &Map<String, Value>, member: &'static str) -> Result<Vec<u8>, &'static str> {
    strict::base64url(text_of(jwk, member)?).ok_or(member)
}

/// `key_ops`, where it is there, names `verify`, and nothing twice (RFC 7517, 4.3).
fn verifies(jwk: &Map<String, Value>) -> Result<(), &'static str> {
    let Some(operations) = jwk.get("key_ops") else { return Ok(()) };
    let operations = operations.as_array().ok_or("key_ops")?;
    let times = |operation: &Value| operations.iter().filter(|other| *other == operation).count();
    if operations.contains(&Value::from("verify")) && operations.iter().all(|one| times(one) == 1) {
        Ok(())
    } else {
        Err("key_ops")
    }
}

fn rsa(jwk: &Map<String, Value>) -> Result<(Vec<u8>, Vec<u8>), &'static str> {
    let (n, e) = (number(jwk, "n")?, number(jwk, "e")?);
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    // A leading zero octet is forbidden (RFC 7518, 6.3.1.1); an even modulus is no product of two large primes.
    let odd = n.last().is_some_and(|last| last % 2 == 1);
    if n.first() == Some(&0) || !RSA_BITS.contains(&bits) || !odd {
        return Err("n");
    }
    if e != [1, 0, 1] {
        return Err("e");
    }
    if has_roca_fingerprint(&n) {
        return Err("roca");
    }
    Ok((n, e))
}

/// Was the modulus made by the broken Infineon library (CVE-2017-15361)? Its primes are powers of 65537 modulo every
/// small prime, and so is their product; of other keys one in 240 million is (the product, over these primes, of the
/// orbit's share). The orbit is walked: at most 166 steps a prime, once per key and fetch.
fn has_roca_fingerprint(n: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
        103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|&prime| {
        let rest = n.iter().fold(0, |rest, &byte| (rest * 256 + u32::from(byte)) % prime);
        let orbit = std::iter::successors(Some(1), |power| Some(power * 65_537 % prime));
        orbit.take(prime as usize).any(|power| power == rest)
    })
}

fn p256(jwk: &Map<String, Value>) -> Result<Vec<u8>, &'static str> {
    if text_of(jwk, "crv")? != "P-256" {
        return Err("crv");
    }
    let (x, y) = (number(jwk, "x")?, number(jwk, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return Err("point");
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    // Parsing refuses what does not lie on the curve, and the point at infinity has no such encoding.
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).map_err(|_| "point")?;
    Ok(point)
}

/// The `y` of every point of small order on edwards25519, little-endian: order 4, 1, 2 and the two of order 8. Under
/// such a key one signature holds for many messages (RFC 8032, 5.1.7 leaves the check to us).
const SMALL_ORDER: [&str; 5] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

fn ed25519(jwk: &Map<String, Value>) -> Result<Vec<u8>, &'static str> {
    if text_of(jwk, "crv")? != "Ed25519" {
        return Err("crv");
    }
    let point = number(jwk, "x")?;
    if point.len() != 32 {
        return Err("point");
    }
    let mut y = point.clone();
    y[31] &= 0x7f;
    // p = 2^255 - 19: from there on a point would have a second spelling.
    let not_reduced = y[31] == 0x7f && y[1..31].iter().all(|byte| *byte == 0xff) && y[0] >= 0xed;
    let hex: String = y.iter().map(|byte| format!("{byte:02x}")).collect();
    if not_reduced || SMALL_ORDER.contains(&hex.as_str()) {
        return Err("point");
    }
    Ok(point)
}

#[cfg(test)]
mod tests;
