//! A private key that signs: assertions of this resource server, and the tokens of the embedded issuer.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
mod none;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
mod rust_crypto;

use std::fmt;

#[cfg(feature = "testing")]
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
#[cfg(feature = "testing")]
use serde_json::{Value, json};
use spki::der::SecretDocument;

#[cfg(feature = "aws-lc-rs")]
use self::aws_lc::Pair;
#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
use self::none::Pair;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
use self::rust_crypto::Pair;
use crate::keys::algorithm::Algorithm;
#[cfg(feature = "testing")]
use crate::keys::{algorithm::Family, jwk::KeyMaterial};

/// A key pair for one algorithm.
pub(crate) struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    pair: Pair,
}

impl SigningKey {
    /// Reads a private key in PEM, `PRIVATE KEY` (RFC 5958, PKCS #8). It signs by `algorithm`, or else by the usual one for
    /// such a key. The error says what to change, and nothing of the key.
    pub(crate) fn from_pem(pem: &str, algorithm: Option<Algorithm>) -> Result<Self, &'static str> {
        let (label, document) = SecretDocument::from_pem(pem.trim()).map_err(|_| NOT_PEM)?;
        if label != "PRIVATE KEY" {
            return Err(if label.ends_with("PRIVATE KEY") { OTHER_PEM } else { NOT_PEM });
        }
        let (pair, usual) = Pair::from_pkcs8(document.as_bytes())?;
        let algorithm = algorithm.unwrap_or(usual);
        if algorithm.family() != usual.family() || !algorithm.is_supported() {
            return Err(
                "the algorithm of the assertion does not fit the private key: choose another one, or none",
            );
        }
        Ok(Self { algorithm, kid: String::new(), pair })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The signature over `message`, in the form of JOSE (RFC 7518 §3.3–3.5, RFC 8037 §3.1).
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(self.algorithm, message)
    }
}

/// What the embedded issuer does with its keys.
#[cfg(feature = "testing")]
impl SigningKey {
    /// Generates a pair. Panics where there is no entropy, or for an algorithm that has no pairs or no backend.
    pub(crate) fn generate(algorithm: Algorithm, kid: String) -> Self {
        assert!(
            algorithm.is_supported(),
            "no key pair for {algorithm}: HS* has none, ES512 and ML-DSA need the cargo feature `aws-lc-rs` of \
             bearergate, the others `aws-lc-rs` or `rust-crypto`"
        );
        Pair::generate(algorithm)
            .map(|pair| Self { algorithm, kid, pair })
            .expect("the algorithm has key pairs, and the system has entropy")
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a JWK (RFC 7517 §4).
    pub(crate) fn jwk(&self) -> Value {
        let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let mut jwk = match self.pair.public_key() {
            KeyMaterial::Rsa { n, e } => json!({"kty": "RSA", "n": encode(&n), "e": encode(&e)}),
            KeyMaterial::Ec { curve, x, y } => {
                let crv = match curve {
                    Family::EcP384 => "P-384",
                    Family::EcP521 => "P-521",
                    _ => "P-256",
                };
                json!({"kty": "EC", "crv": crv, "x": encode(&x), "y": encode(&y)})
            }
            KeyMaterial::MlDsa { public_key, .. } => json!({"kty": "AKP", "pub": encode(&public_key)}),
            KeyMaterial::Ed25519 { x } => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&x)}),
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), self.kid.clone().into());
            members.insert("alg".into(), self.algorithm.name().into());
            members.insert("use".into(), "sig".into());
        }
        jwk
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

const NOT_PEM: &str =
    "the private key is not PEM: give the text that begins with `-----BEGIN PRIVATE KEY-----`";

const OTHER_PEM: &str = "the private key is encrypted, or not in the form of PKCS #8: convert it by `openssl pkcs8 -topk8 -nocrypt`";
