//! How do the crates of RustCrypto and dalek verify a signature?

use rsa::{
    BoxedUint, PublicKey, pkcs1v15, pss,
    sha2::{Sha256, Sha384, Sha512},
    signature,
};

use super::Unusable;
use crate::keys::{algorithm::Algorithm, jwk::KeyMaterial};

/// A public key that is parsed already, for one algorithm.
pub(super) enum Verifier {
    Ed25519(ed25519_dalek::VerifyingKey),
    Es256(p256::ecdsa::VerifyingKey),
    Es384(p384::ecdsa::VerifyingKey),
    Ps256(pss::VerifyingKey<Sha256>),
    Ps384(pss::VerifyingKey<Sha384>),
    Ps512(pss::VerifyingKey<Sha512>),
    Rs256(pkcs1v15::VerifyingKey<Sha256>),
    Rs384(pkcs1v15::VerifyingKey<Sha384>),
    Rs512(pkcs1v15::VerifyingKey<Sha512>),
}

impl Verifier {
    pub(super) fn new(algorithm: Algorithm, material: &KeyMaterial) -> Result<Self, Unusable> {
        Ok(match (algorithm, material) {
            (Algorithm::Es256, KeyMaterial::Ec { x, y, .. }) => {
                p256::ecdsa::VerifyingKey::from_sec1_bytes(&point(x, y)).map(Self::Es256)?
            }
            (Algorithm::Es384, KeyMaterial::Ec { x, y, .. }) => {
                p384::ecdsa::VerifyingKey::from_sec1_bytes(&point(x, y)).map(Self::Es384)?
            }
            (Algorithm::EdDsa | Algorithm::Ed25519, KeyMaterial::Ed25519 { x }) => {
                ed25519_dalek::VerifyingKey::try_from(x.as_slice()).map(Self::Ed25519)?
            }
            (Algorithm::Ps256, KeyMaterial::Rsa { n, e }) => Self::Ps256(pss::VerifyingKey::new(rsa(n, e)?)),
            (Algorithm::Ps384, KeyMaterial::Rsa { n, e }) => Self::Ps384(pss::VerifyingKey::new(rsa(n, e)?)),
            (Algorithm::Ps512, KeyMaterial::Rsa { n, e }) => Self::Ps512(pss::VerifyingKey::new(rsa(n, e)?)),
            (Algorithm::Rs256, KeyMaterial::Rsa { n, e }) => {
                Self::Rs256(pkcs1v15::VerifyingKey::new(rsa(n, e)?))
            }
            (Algorithm::Rs384, KeyMaterial::Rsa { n, e }) => {
                Self::Rs384(pkcs1v15::VerifyingKey::new(rsa(n, e)?))
            }
            (Algorithm::Rs512, KeyMaterial::Rsa { n, e }) => {
                Self::Rs512(pkcs1v15::VerifyingKey::new(rsa(n, e)?))
            }
            _ => return Err(Unusable),
        })
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            // Without cofactor, and R is compared as it is written. Not `verify_strict`: what that refuses besides
            // are points of small order, which no key here is and no R gets this far.
            Self::Ed25519(key) => has_reduced_scalar(signature) && holds(key, message, signature),
            Self::Es256(key) => holds::<p256::ecdsa::Signature>(key, message, signature),
            Self::Es384(key) => holds::<p384::ecdsa::Signature>(key, message, signature),
            Self::Ps256(key) => holds(key, message, signature),
            Self::Ps384(key) => holds(key, message, signature),
            Self::Ps512(key) => holds(key, message, signature),
            Self::Rs256(key) => holds(key, message, signature),
            Self::Rs384(key) => holds(key, message, signature),
            Self::Rs512(key) => holds(key, message, signature),
        }
    }
}

pub(super) fn supports(algorithm: Algorithm) -> bool {
    match algorithm {
        Algorithm::Ed25519
        | Algorithm::EdDsa
        | Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512
        | Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512 => true,
        Algorithm::Es512
        | Algorithm::Hs256
        | Algorithm::Hs384
        | Algorithm::Hs512
        | Algorithm::MlDsa44
        | Algorithm::MlDsa65
        | Algorithm::MlDsa87 => false,
    }
}

fn holds<S>(key: &impl signature::Verifier<S>, message: &[u8], signature: &[u8]) -> bool
where
    S: for<'s> TryFrom<&'s [u8]>,
{
    S::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

/// An uncompressed point (SEC 1 §2.3.3).
fn point(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[0x04], x, y].concat()
}

fn rsa(n: &[u8], e: &[u8]) -> Result<PublicKey, Unusable> {
    let number = BoxedUint::from_be_slice_vartime;
    Ok(PublicKey::new_with_size_limits(number(n), number(e), 2048..=8192)?)
}

impl From<signature::Error> for Unusable {
    fn from(_: signature::Error) -> Self {
        Self
    }
}

impl From<rsa::Error> for Unusable {
    fn from(_: rsa::Error) -> Self {
        Self
    }
}

/// S is below the order of the base point (RFC 8032 §5.1.7). The library checks it as well, unless some other crate of
/// the build switches its feature `legacy_compatibility` on.
fn has_reduced_scalar(signature: &[u8]) -> bool {
    signature.last_chunk::<32>().is_some_and(|scalar| scalar.iter().rev().lt(ORDER.iter().rev()))
}

/// 2^252 + 27742317777372353535851937790883648493, little-endian.
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
];
