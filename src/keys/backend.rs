//! Who does the arithmetic of signatures?

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
mod none;
// Features only add: with both on, what aws-lc-rs does is not changed.
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
mod rust_crypto;

#[cfg(feature = "aws-lc-rs")]
use self::aws_lc as in_force;
#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
use self::none as in_force;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
use self::rust_crypto as in_force;
use crate::keys::{algorithm::Algorithm, jwk::KeyMaterial};

/// A public key that is parsed already, for one algorithm.
pub(crate) struct Verifier(in_force::Verifier);

impl Verifier {
    pub(crate) fn new(algorithm: Algorithm, material: &KeyMaterial) -> Result<Self, Unusable> {
        in_force::Verifier::new(algorithm, material).map(Self)
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        #[cfg(test)]
        CHECKS.set(CHECKS.get().saturating_add(1));
        self.0.verify(message, signature)
    }
}

/// Whether the backend in force verifies this algorithm with a public key.
pub(crate) fn supports(algorithm: Algorithm) -> bool {
    in_force::supports(algorithm)
}

/// The backend cannot use a key, or none is compiled in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unusable;

#[cfg(test)]
thread_local! {
    /// The signature checks of this thread: what a bad token may cost is a promise.
    pub(crate) static CHECKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Whether any backend is compiled in.
pub(crate) const AVAILABLE: bool = cfg!(any(feature = "aws-lc-rs", feature = "rust-crypto"));
