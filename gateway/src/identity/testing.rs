//! For the tests beside: keys made on the spot, tokens of any shape, and an issuer that does what it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::fetch::{Fetch, FetchError};

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key of an issuer.
pub(super) enum Signer {
    Rsa(&'static RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// RS256. One for all tests of a process: making it takes a while.
    pub(super) fn rsa() -> Self {
        static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
        Self::Rsa(KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    /// ES256.
    pub(super) fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// EdDSA.
    pub(super) fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    pub(super) fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    /// The public key, as an issuer publishes it.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Rsa(key) => {
                json!({
                    "kty": "RSA",
                    "n": b64(key.public_key().modulus().big_endian_without_leading_zero()),
                    "e": b64(key.public_key().exponent().big_endian_without_leading_zero()),
                })
            }
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Self::Ed(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key())}),
        };
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.alg().into();
        jwk
    }

    /// A compact JWS over exactly these texts.
    pub(super) fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", b64(header), b64(payload));
        format!("{signed}.{}", b64(self.signature(signed.as_bytes())))
    }

    /// A token with a plain header.
    pub(super) fn token(&self, kid: &str, claims: &Value) -> String {
        let header = json!({"alg": self.alg(), "kid": kid, "typ": "JWT"});
        self.sign(&header.to_string(), &claims.to_string())
    }

    pub(super) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

pub(super) fn key_set(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// How an issuer answers: after how long, and what.
pub(super) type Answer = (Duration, Result<Vec<u8>, FetchError>);

/// An issuer without a network: gives `next` answers in order, then `always`, and remembers who asked.
#[derive(Clone)]
pub(super) struct FakeIssuer(Arc<Mutex<Script>>);

struct Script {
    next: VecDeque<Answer>,
    always: Answer,
    asked: Vec<(String, Option<String>)>,
}

impl FakeIssuer {
    pub(super) fn new(always: Result<Vec<u8>, FetchError>) -> Self {
        let always = (Duration::ZERO, always);
        Self(Arc::new(Mutex::new(Script { next: VecDeque::new(), always, asked: Vec::new() })))
    }

    pub(super) fn publishing(keys: &[Value]) -> Self {
        Self::new(Ok(key_set(keys)))
    }

    /// From now on.
    pub(super) fn answer(&self, always: Result<Vec<u8>, FetchError>) {
        self.answer_after(Duration::ZERO, always);
    }

    pub(super) fn answer_after(&self, pause: Duration, always: Result<Vec<u8>, FetchError>) {
        self.0.lock().unwrap().always = (pause, always);
    }

    pub(super) fn once(&self, answer: Answer) {
        self.0.lock().unwrap().next.push_back(answer);
    }

    /// How often it was asked for this.
    pub(super) fn times(&self, part_of_url: &str) -> usize {
        self.0.lock().unwrap().asked.iter().filter(|(url, _)| url.contains(part_of_url)).count()
    }

    /// The bearers it was asked with.
    pub(super) fn bearers(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.iter().filter_map(|(_, bearer)| bearer.clone()).collect()
    }
}

#[async_trait]
impl Fetch for FakeIssuer {
    async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Vec<u8>, FetchError> {
        let (pause, answer) = {
            let mut script = self.0.lock().unwrap();
            script.asked.push((url.to_owned(), bearer.map(str::to_owned)));
            script.next.pop_front().unwrap_or_else(|| script.always.clone())
        };
        tokio::time::sleep(pause).await;
        answer
    }
}
