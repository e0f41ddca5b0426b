//! What is there to verify with when no backend is compiled in? Nothing, and trusting keys is a `ConfigError`.

use super::Unusable;
use crate::keys::{algorithm::Algorithm, jwk::KeyMaterial};

/// There is no such key.
pub(super) enum Verifier {}

impl Verifier {
    pub(super) fn new(_: Algorithm, _: &KeyMaterial) -> Result<Self, Unusable> {
        Err(Unusable)
    }

    pub(super) fn verify(&self, _: &[u8], _: &[u8]) -> bool {
        match *self {}
    }
}

pub(super) fn supports(_: Algorithm) -> bool {
    false
}
