//! What signs when no backend is compiled in? Nothing.

use crate::keys::algorithm::Algorithm;
#[cfg(feature = "testing")]
use crate::keys::jwk::KeyMaterial;

/// There is no such pair.
pub(super) enum Pair {}

impl Pair {
    pub(super) fn from_pkcs8(_: &[u8]) -> Result<(Self, Algorithm), &'static str> {
        Err(
            "no signature backend is compiled in: enable the cargo feature `aws-lc-rs` or `rust-crypto` of bearergate",
        )
    }

    pub(super) fn sign(&self, _: Algorithm, _: &[u8]) -> Vec<u8> {
        match *self {}
    }
}

#[cfg(feature = "testing")]
impl Pair {
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, Algorithm> {
        Err(algorithm)
    }

    pub(super) fn public_key(&self) -> KeyMaterial {
        match *self {}
    }
}
