//! One public key, ready to verify signatures of one algorithm.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
};

use crate::{
    keys::{
        algorithm::{Algorithm, Family},
        backend::{Unusable, Verifier},
        jwk::{KeyMaterial, is_strong_ed25519},
    },
    token::digest::TokenDigest,
};

/// A key that was checked, parsed, and bound to one algorithm (RFC 8725 §3.1). It cannot verify any other.
pub(crate) struct VerificationKey {
    algorithm: Algorithm,
    kid: Kid,
    jwk: usize,
    identity: u64,
    print: KeyPrint,
    signature_length: usize,
    verifier: Verifier,
}

/// SHA-256 of an algorithm and a key's numbers: what trust may turn on. Equal prints are one key for one algorithm.
pub(crate) type KeyPrint = TokenDigest;

/// Which tokens ask for a key.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Kid {
    /// Any: the only key of an issuer, given without a name.
    Any,
    /// Those that carry no `kid`.
    Absent,
    /// Those with exactly this `kid`.
    Is(Box<str>),
}

impl VerificationKey {
    /// `jwk` tells the keys of one JWK from those of another.
    pub(crate) fn new(
        algorithm: Algorithm,
        kid: Kid,
        jwk: usize,
        material: &KeyMaterial,
    ) -> Result<Self, Unusable> {
        let signature_length = match (algorithm.family(), material) {
            (Family::Rsa, KeyMaterial::Rsa { n, e }) if is_short(e) => n.len(),
            (family, KeyMaterial::Ec { curve, .. }) if *curve == family => {
                curve.coordinate_length().saturating_mul(2)
            }
            (Family::Ed25519, KeyMaterial::Ed25519 { .. }) => 64,
            (family, KeyMaterial::MlDsa { set, .. }) if *set == family => {
                family.ml_dsa().ok_or(Unusable)?.signature
            }
            _ => return Err(Unusable),
        };
        let verifier = Verifier::new(algorithm, material)?;
        let identity = IDENTITIES.hash_one((&kid, material));
        let print = print(algorithm, material);
        Ok(Self { algorithm, kid, jwk, identity, print, signature_length, verifier })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether a token with this `kid`, or without one, asks for this key.
    pub(crate) fn answers_to(&self, kid: Option<&str>) -> bool {
        match (&self.kid, kid) {
            (Kid::Any, _) | (_, None) => true,
            (Kid::Absent, Some(_)) => false,
            (Kid::Is(name), Some(kid)) => **name == *kid,
        }
    }

    pub(crate) fn jwk(&self) -> usize {
        self.jwk
    }

    /// Tells a key of this process from another one, by name and material: for what is told about changes, not for trust.
    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }

    pub(crate) fn print(&self) -> &KeyPrint {
        &self.print
    }

    /// Whether `signature` is this key's over `message`. Its length must be exact (RFC 7518 §3.3–3.5, RFC 8037 §3.1).
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.signature_length
            && (self.algorithm.family() != Family::Ed25519 || has_strong_nonce(signature))
            && self.verifier.verify(message, signature)
    }
}

fn print(algorithm: Algorithm, material: &KeyMaterial) -> KeyPrint {
    let parts: &[&[u8]] = match material {
        KeyMaterial::Ec { x, y, .. } => &[x, y],
        KeyMaterial::Ed25519 { x } => &[x],
        KeyMaterial::MlDsa { public_key, .. } => &[public_key],
        KeyMaterial::Rsa { n, e } => &[n, e],
    };
    let mut text = Vec::new();
    // The algorithm names the type of the key too. Each part is led by its length: no two keys read the same.
    for part in [&[algorithm.name().as_bytes()], parts].concat() {
        text.extend_from_slice(&part.len().to_be_bytes());
        text.extend_from_slice(part);
    }
    TokenDigest::of(&text)
}

/// Keyed anew in each process: nobody can make two keys look like one.
static IDENTITIES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The point R of an honest Ed25519 signature is never of small order, whatever the arithmetic says.
fn has_strong_nonce(signature: &[u8]) -> bool {
    signature.first_chunk::<32>().is_some_and(|point| is_strong_ed25519(*point))
}

/// At most 33 bits: with a longer exponent each check is a burden, and no backend does it. So such a key is refused
/// here, where it is seen, and not in each of its signatures.
fn is_short(exponent: &[u8]) -> bool {
    exponent.len() < 5 || matches!(exponent, [0 | 1, _, _, _, _])
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}
