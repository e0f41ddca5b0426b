//! How does aws-lc-rs read or make a key pair, and sign with it?

#[cfg(feature = "testing")]
use aws_lc_rs::{
    error::Unspecified,
    rsa::KeySize,
    signature::{KeyPair as _, PqdsaKeyPair, PqdsaSigningAlgorithm},
};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair},
};
#[cfg(feature = "testing")]
use spki::der::Decode as _;

use crate::keys::algorithm::Algorithm;
#[cfg(feature = "testing")]
use crate::keys::{algorithm::Family, jwk::KeyMaterial};

pub(super) enum Pair {
    Ec {
        #[cfg(feature = "testing")]
        curve: Family,
        pair: EcdsaKeyPair,
    },
    Ed25519(Ed25519KeyPair),
    #[cfg(feature = "testing")]
    MlDsa(Family, PqdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    /// The key, and the algorithm that it usually signs by.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<(Self, Algorithm), &'static str> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            return Ok((Self::Rsa(pair), Algorithm::Rs256));
        }
        for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve(algorithm), der) {
                #[cfg(feature = "testing")]
                let pair = Self::Ec { curve: algorithm.family(), pair };
                #[cfg(not(feature = "testing"))]
                let pair = Self::Ec { pair };
                return Ok((pair, algorithm));
            }
        }
        match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            Ok(pair) => Ok((Self::Ed25519(pair), Algorithm::EdDsa)),
            Err(_) => Err(UNUSABLE),
        }
    }

    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Pair::Rsa(pair) => {
                let mut octets = vec![0; pair.public_modulus_len()];
                pair.sign(padding(algorithm), &random, message, &mut octets)
                    .expect("an RSA key of 2048 bits signs");
                octets
            }
            Pair::Ec { pair, .. } => pair.sign(&random, message).expect("an EC key signs").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            #[cfg(feature = "testing")]
            Pair::MlDsa(_, pair) => {
                let mut octets = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut octets).expect("an ML-DSA key signs");
                octets
            }
        }
    }
}

#[cfg(feature = "testing")]
impl Pair {
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, Unspecified> {
        match algorithm.family() {
            Family::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Family::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
            family @ (Family::EcP256 | Family::EcP384 | Family::EcP521) => {
                EcdsaKeyPair::generate(curve(algorithm)).map(|pair| Pair::Ec { curve: family, pair })
            }
            family @ (Family::MlDsa44 | Family::MlDsa65 | Family::MlDsa87) => {
                PqdsaKeyPair::generate(parameter_set(algorithm)).map(|pair| Pair::MlDsa(family, pair))
            }
            Family::Hmac => Err(Unspecified),
        }
    }

    pub(super) fn public_key(&self) -> KeyMaterial {
        match self {
            Pair::Rsa(pair) => {
                let public = pkcs1::RsaPublicKey::from_der(pair.public_key().as_ref())
                    .expect("a key of our own is DER");
                let octets = |number: pkcs1::UintRef<'_>| number.as_bytes().to_vec();
                KeyMaterial::Rsa { n: octets(public.modulus), e: octets(public.public_exponent) }
            }
            Pair::Ec { curve, pair } => {
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                KeyMaterial::Ec { curve: *curve, x: x.to_vec(), y: y.to_vec() }
            }
            Pair::MlDsa(set, pair) => {
                KeyMaterial::MlDsa { set: *set, public_key: pair.public_key().as_ref().to_vec() }
            }
            Pair::Ed25519(pair) => KeyMaterial::Ed25519 { x: pair.public_key().as_ref().to_vec() },
        }
    }
}

const UNUSABLE: &str = "the private key is of a type or size that cannot be used: give RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519";

fn curve(algorithm: Algorithm) -> &'static EcdsaSigningAlgorithm {
    match algorithm {
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        Algorithm::Es512 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        _ => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    }
}

#[cfg(feature = "testing")]
fn parameter_set(algorithm: Algorithm) -> &'static PqdsaSigningAlgorithm {
    match algorithm {
        Algorithm::MlDsa65 => &signature::ML_DSA_65_SIGNING,
        Algorithm::MlDsa87 => &signature::ML_DSA_87_SIGNING,
        _ => &signature::ML_DSA_44_SIGNING,
    }
}

fn padding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}
