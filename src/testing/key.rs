//! A private key that signs tokens, made when it is first needed.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, PqdsaKeyPair,
        PqdsaSigningAlgorithm, RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use spki::der::Decode as _;

use crate::keys::algorithm::{Algorithm, Family};

/// A key pair for one algorithm.
pub(crate) struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Generates a pair. Panics where there is no entropy, or for an HMAC algorithm, which has no pair.
    pub(crate) fn generate(algorithm: Algorithm, kid: String) -> Self {
        let pair = match algorithm.family() {
            Family::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Family::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Family::EcP256 | Family::EcP384 | Family::EcP521 => {
                EcdsaKeyPair::generate(curve(algorithm)).map(Pair::Ec)
            }
            Family::MlDsa44 | Family::MlDsa65 | Family::MlDsa87 => {
                PqdsaKeyPair::generate(parameter_set(algorithm)).map(Pair::MlDsa)
            }
            Family::Hmac => Err(aws_lc_rs::error::Unspecified),
        };
        Self { algorithm, kid, pair: pair.expect("the algorithm has key pairs, and the system has entropy") }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a JWK (RFC 7517 §4).
    pub(crate) fn jwk(&self) -> Value {
        let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = pkcs1::RsaPublicKey::from_der(pair.public_key().as_ref())
                    .expect("a key of our own is DER");
                json!({"kty": "RSA", "n": encode(public.modulus.as_bytes()), "e": encode(public.public_exponent.as_bytes())})
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let crv = match self.algorithm.family() {
                    Family::EcP384 => "P-384",
                    Family::EcP521 => "P-521",
                    _ => "P-256",
                };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
            }
            Pair::MlDsa(pair) => json!({"kty": "AKP", "pub": encode(pair.public_key().as_ref())}),
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), self.kid.clone().into());
            members.insert("alg".into(), self.algorithm.name().into());
            members.insert("use".into(), "sig".into());
        }
        jwk
    }

    /// The signature over `message`, in the form of JOSE (RFC 7518 §3.3–3.5, RFC 8037 §3.1).
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut octets = vec![0; pair.public_modulus_len()];
                pair.sign(padding(self.algorithm), &random, message, &mut octets)
                    .expect("an RSA key of 2048 bits signs");
                octets
            }
            Pair::Ec(pair) => pair.sign(&random, message).expect("an EC key signs").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::MlDsa(pair) => {
                let mut octets = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut octets).expect("an ML-DSA key signs");
                octets
            }
        }
    }
}

fn curve(algorithm: Algorithm) -> &'static EcdsaSigningAlgorithm {
    match algorithm {
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        Algorithm::Es512 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        _ => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    }
}

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

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}
