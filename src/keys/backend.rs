//! Who does the arithmetic of signatures?

use crate::keys::{algorithm::Algorithm, jwk::KeyMaterial};

/// The backend cannot use a key, or none is compiled in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unusable;

#[cfg(feature = "aws-lc-rs")]
mod aws_lc {
    use aws_lc_rs::signature::{
        self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
    };

    use super::{Algorithm, KeyMaterial, Unusable};

    /// A public key that is parsed already, for one algorithm.
    pub(crate) struct Verifier(ParsedPublicKey);

    impl Verifier {
        pub(crate) fn new(algorithm: Algorithm, material: &KeyMaterial) -> Result<Self, Unusable> {
            match material {
                KeyMaterial::Rsa { n, e } => {
                    let parameters = rsa(algorithm).ok_or(Unusable)?;
                    RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters)
                }
                KeyMaterial::Ec { x, y, .. } => {
                    let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
                    ParsedPublicKey::new(curve(algorithm).ok_or(Unusable)?, point)
                }
                KeyMaterial::Ed25519 { x } => ParsedPublicKey::new(curve(algorithm).ok_or(Unusable)?, x),
                KeyMaterial::MlDsa { public_key, .. } => {
                    ParsedPublicKey::new(lattice(algorithm).ok_or(Unusable)?, public_key)
                }
            }
            .map(Self)
            .map_err(|_| Unusable)
        }

        pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            #[cfg(test)]
            super::CHECKS.set(super::CHECKS.get().saturating_add(1));
            self.0.verify_sig(message, signature).is_ok()
        }
    }

    fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
        match algorithm {
            Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
            _ => None,
        }
    }

    fn curve(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
        match algorithm {
            Algorithm::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
            Algorithm::Es512 => Some(&signature::ECDSA_P521_SHA512_FIXED),
            Algorithm::EdDsa | Algorithm::Ed25519 => Some(&signature::ED25519),
            _ => None,
        }
    }

    fn lattice(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
        match algorithm {
            Algorithm::MlDsa44 => Some(&signature::ML_DSA_44),
            Algorithm::MlDsa65 => Some(&signature::ML_DSA_65),
            Algorithm::MlDsa87 => Some(&signature::ML_DSA_87),
            _ => None,
        }
    }

    /// Whether the backend verifies this algorithm with a public key.
    pub(crate) fn supports(algorithm: Algorithm) -> bool {
        rsa(algorithm).is_some() || curve(algorithm).is_some() || lattice(algorithm).is_some()
    }
}

#[cfg(feature = "aws-lc-rs")]
pub(crate) use aws_lc::{Verifier, supports};

#[cfg(not(feature = "aws-lc-rs"))]
mod none {
    use super::{Algorithm, KeyMaterial, Unusable};

    /// There is no such key.
    pub(crate) enum Verifier {}

    impl Verifier {
        pub(crate) fn new(_: Algorithm, _: &KeyMaterial) -> Result<Self, Unusable> {
            Err(Unusable)
        }

        pub(crate) fn verify(&self, _: &[u8], _: &[u8]) -> bool {
            match *self {}
        }
    }

    pub(crate) fn supports(_: Algorithm) -> bool {
        false
    }
}

#[cfg(not(feature = "aws-lc-rs"))]
pub(crate) use none::{Verifier, supports};

#[cfg(test)]
thread_local! {
    /// The signature checks of this thread: what a bad token may cost is a promise.
    pub(crate) static CHECKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Whether any backend is compiled in.
pub(crate) const AVAILABLE: bool = cfg!(feature = "aws-lc-rs");
