//! How do the crates of RustCrypto and dalek make a key pair and sign with it?

use ed25519_dalek::pkcs8::DecodePrivateKey as _;
#[cfg(feature = "testing")]
use getrandom::SysRng;
use rsa::signature::Signer as _;
#[cfg(feature = "testing")]
use rsa::{
    Generate as _, PrivateKey,
    sha2::{Sha256, Sha384, Sha512},
    signature::Error,
    traits::PublicKeyParts as _,
};

use crate::keys::algorithm::Algorithm;
#[cfg(feature = "testing")]
use crate::keys::{algorithm::Family, jwk::KeyMaterial};

pub(super) enum Pair {
    EcP256(p256::ecdsa::SigningKey),
    EcP384(p384::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    /// Of the embedded issuer alone: RUSTSEC-2023-0071, what `rsa` does with a private key takes a time that tells of it.
    #[cfg(feature = "testing")]
    Rsa(PrivateKey),
}

impl Pair {
    /// The key, and the algorithm that it usually signs by.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<(Self, Algorithm), &'static str> {
        if let Ok(pair) = p256::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Ok((Self::EcP256(pair), Algorithm::Es256));
        }
        if let Ok(pair) = p384::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Ok((Self::EcP384(pair), Algorithm::Es384));
        }
        match ed25519_dalek::SigningKey::from_pkcs8_der(der) {
            Ok(pair) => Ok((Self::Ed25519(pair), Algorithm::EdDsa)),
            Err(_) => Err(UNUSABLE),
        }
    }

    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        #[cfg(feature = "testing")]
        let random = &mut SysRng;
        #[cfg(not(feature = "testing"))]
        let _one_per_key = algorithm;
        match self {
            #[cfg(feature = "testing")]
            Pair::Rsa(pair) => match algorithm {
                Algorithm::Ps256 => pair.pss_sign_with_rng::<Sha256, _>(random, message),
                Algorithm::Ps384 => pair.pss_sign_with_rng::<Sha384, _>(random, message),
                Algorithm::Ps512 => pair.pss_sign_with_rng::<Sha512, _>(random, message),
                Algorithm::Rs384 => pair.pkcs1v15_sign_with_rng::<Sha384, _>(random, message),
                Algorithm::Rs512 => pair.pkcs1v15_sign_with_rng::<Sha512, _>(random, message),
                _ => pair.pkcs1v15_sign_with_rng::<Sha256, _>(random, message),
            }
            .expect("an RSA key of 2048 bits signs"),
            Pair::EcP256(pair) => {
                let signature: p256::ecdsa::Signature = pair.sign(message);
                signature.to_bytes().to_vec()
            }
            Pair::EcP384(pair) => {
                let signature: p384::ecdsa::Signature = pair.sign(message);
                signature.to_bytes().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(message).to_bytes().to_vec(),
        }
    }
}

#[cfg(feature = "testing")]
impl Pair {
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        match algorithm.family() {
            Family::Rsa => PrivateKey::new(&mut SysRng, 2048).map(Pair::Rsa).map_err(Error::from),
            Family::Ed25519 => {
                let seed = <[u8; 32]>::try_generate_from_rng(&mut SysRng).map_err(|_| Error::new())?;
                Ok(Pair::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed)))
            }
            Family::EcP256 => p256::ecdsa::SigningKey::try_generate_from_rng(&mut SysRng)
                .map(Pair::EcP256)
                .map_err(|_| Error::new()),
            Family::EcP384 => p384::ecdsa::SigningKey::try_generate_from_rng(&mut SysRng)
                .map(Pair::EcP384)
                .map_err(|_| Error::new()),
            Family::EcP521 | Family::Hmac | Family::MlDsa44 | Family::MlDsa65 | Family::MlDsa87 => {
                Err(Error::new())
            }
        }
    }

    pub(super) fn public_key(&self) -> KeyMaterial {
        let on_curve = |curve: Family, point: &[u8]| {
            let (x, y) = point.get(1..).unwrap_or_default().split_at(curve.coordinate_length());
            KeyMaterial::Ec { curve, x: x.to_vec(), y: y.to_vec() }
        };
        match self {
            Pair::Rsa(pair) => KeyMaterial::Rsa { n: pair.n_bytes().into(), e: pair.e_bytes().into() },
            Pair::EcP256(pair) => {
                on_curve(Family::EcP256, pair.verifying_key().to_sec1_point(false).as_bytes())
            }
            Pair::EcP384(pair) => {
                on_curve(Family::EcP384, pair.verifying_key().to_sec1_point(false).as_bytes())
            }
            Pair::Ed25519(pair) => KeyMaterial::Ed25519 { x: pair.verifying_key().as_bytes().to_vec() },
        }
    }
}

const UNUSABLE: &str = "the private key is of a type that the cargo feature `rust-crypto` does not sign with: give EC on P-256 or P-384, or Ed25519, or enable the cargo feature `aws-lc-rs` of bearergate for RSA";
