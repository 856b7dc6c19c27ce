//! The key of a process: made at its start, gone with it, never written anywhere.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The machine gave no randomness to make a key of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot make this process's key: the system has no randomness to give")]
pub struct KeyError;

/// The Ed25519 key by which a process vouches for the requests it forwards.
pub struct NodeKey(Ed25519KeyPair);

impl NodeKey {
    /// Makes a new one.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn generate() -> Result<Self, KeyError> {
        Ed25519KeyPair::generate().map(Self).map_err(|_| KeyError)
    }

    /// The public half as the load report carries it: 32 bytes, base64url without padding.
    pub fn public(&self) -> String {
        b64(self.0.public_key().as_ref())
    }

    /// The signature of `message`: 64 bytes, base64url without padding.
    pub fn sign(&self, message: &[u8]) -> String {
        b64(self.0.sign(message).as_ref())
    }
}

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeKey({})", self.public())
    }
}

pub(super) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
