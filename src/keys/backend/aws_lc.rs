//! How does aws-lc-rs verify a signature?

use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};

use super::Unusable;
use crate::keys::{algorithm::Algorithm, jwk::KeyMaterial};

/// A public key that is parsed already, for one algorithm.
pub(super) struct Verifier(ParsedPublicKey);

impl Verifier {
    pub(super) fn new(algorithm: Algorithm, material: &KeyMaterial) -> Result<Self, Unusable> {
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

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
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

pub(super) fn supports(algorithm: Algorithm) -> bool {
    rsa(algorithm).is_some() || curve(algorithm).is_some() || lattice(algorithm).is_some()
}
