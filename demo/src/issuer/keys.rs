//! The issuer's private keys, made at start and never written anywhere, and tokens signed with them.

use anyhow::{Context, anyhow};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// What a token is signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA 2048 with SHA-256: what Cognito and Auth0 use.
    Rs256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All there are; one key of each is published.
    pub const ALL: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

    /// The name in a token's header.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        }
    }
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A private key with its published half.
pub struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    pair: Pair,
}

impl SigningKey {
    /// A fresh key with a random `kid`.
    ///
    /// # Errors
    /// When the crypto library has no randomness.
    pub fn generate(algorithm: Algorithm) -> anyhow::Result<Self> {
        let pair = match algorithm {
            Algorithm::Rs256 => {
                Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).context("making an RSA key")?)
            }
            Algorithm::Es256 => Pair::Ec(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("making an EC key")?,
            ),
            Algorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().context("making an Ed25519 key")?),
        };
        let kid = format!("{}-{:016x}", algorithm.name().to_ascii_lowercase(), fastrand::u64(..));
        Ok(Self { algorithm, kid, pair })
    }

    /// The algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its identifier in the key set.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as a JWK with `use`, `alg` and `kid`.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let (n, e) = rsa_numbers(pair.public_key().as_ref());
                json!({"kty": "RSA", "n": b64(n), "e": b64(e)})
            }
            Pair::Ec(pair) => {
                // 4, then x and y of 32 bytes each.
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Pair::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())}),
        };
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm.name().into();
        jwk["kid"] = self.kid.as_str().into();
        jwk
    }

    /// The public half as DER (`SubjectPublicKeyInfo`): what a forger would use as an HMAC secret.
    ///
    /// # Errors
    /// When the crypto library cannot encode it.
    pub fn public_der(&self) -> anyhow::Result<Vec<u8>> {
        let der = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().map(|der| der.as_ref().to_vec()),
            Pair::Ec(pair) => pair.public_key().as_der().map(|der| der.as_ref().to_vec()),
            Pair::Ed(pair) => pair.public_key().as_der().map(|der| der.as_ref().to_vec()),
        };
        der.map_err(|_| anyhow!("encoding the public key"))
    }

    /// The signature of `message` alone.
    ///
    /// # Errors
    /// When the crypto library has no randomness.
    pub fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).context("signing with RSA")?;
                Ok(signature)
            }
            Pair::Ec(pair) => {
                Ok(pair.sign(&random, message).context("signing with ECDSA")?.as_ref().to_vec())
            }
            Pair::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// A compact token of any header and any payload, honest or not.
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub fn token(&self, header: &Value, payload: &Value) -> anyhow::Result<String> {
        let signed =
            format!("{}.{}", b64(header.to_string().as_bytes()), b64(payload.to_string().as_bytes()));
        let signature = self.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", b64(&signature)))
    }

    /// The header an honest token has.
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "kid": self.kid, "typ": "JWT"})
    }
}

/// Base64 as tokens use it: URL alphabet, no padding.
pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Modulus and exponent out of a PKCS#1 `RSAPublicKey` of 2048 bits: both have one possible layout there (a modulus
/// of 257 bytes with a leading zero after 8 bytes of headers; the exponent 65537 in the last 3).
fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    (&der[9..265], &der[der.len() - 3..])
}
