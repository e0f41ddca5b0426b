//! What signs when no backend is compiled in? Nothing.

use crate::keys::{algorithm::Algorithm, jwk::KeyMaterial};

/// There is no such pair.
pub(super) enum Pair {}

impl Pair {
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, Algorithm> {
        Err(algorithm)
    }

    pub(super) fn public_key(&self) -> KeyMaterial {
        match *self {}
    }

    pub(super) fn sign(&self, _: Algorithm, _: &[u8]) -> Vec<u8> {
        match *self {}
    }
}
