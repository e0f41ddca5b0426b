//! How do the crates of RustCrypto and dalek make a key pair and sign with it?

use getrandom::SysRng;
use rsa::{
    Generate as _, PrivateKey,
    sha2::{Sha256, Sha384, Sha512},
    signature::{Error, Signer as _},
    traits::PublicKeyParts as _,
};

use crate::keys::{
    algorithm::{Algorithm, Family},
    jwk::KeyMaterial,
};

pub(super) enum Pair {
    EcP256(p256::ecdsa::SigningKey),
    EcP384(p384::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Rsa(PrivateKey),
}

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

    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = &mut SysRng;
        match self {
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
