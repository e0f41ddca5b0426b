//! Keys that are given once: as a JWK Set or as a PEM public key.

use pkcs1::RsaPublicKey;
use spki::{
    ObjectIdentifier, SubjectPublicKeyInfoOwned,
    der::{Decode, DecodePem, pem::PemLabel},
};

use crate::keys::{
    algorithm::{AlgorithmSet, Family},
    jwk::{KeyMaterial, keys_of},
    key::Kid,
    set::KeySet,
};

/// Takes a JWK Set. A document that is none is an error; a set without a usable key is a warning for its owner.
pub(crate) fn jwks(document: &[u8], allowed: &AlgorithmSet) -> Result<KeySet, String> {
    KeySet::parse(document, allowed).map_err(|error| format!("{error}: give a JWK Set, `{{\"keys\":[…]}}`"))
}

/// Takes one PEM public key: `PUBLIC KEY` (RFC 7468 §13) or `RSA PUBLIC KEY`. It serves tokens with any `kid`.
pub(crate) fn pem(text: &str, allowed: &AlgorithmSet) -> Result<KeySet, String> {
    let material = if text.contains(SubjectPublicKeyInfoOwned::PEM_LABEL) && !text.contains("RSA PUBLIC KEY")
    {
        let info = SubjectPublicKeyInfoOwned::from_pem(text.trim()).map_err(|_| NOT_PEM)?;
        spki_material(&info)?
    } else if text.contains("RSA PUBLIC KEY") {
        let (label, der) = spki::der::Document::from_pem(text.trim()).map_err(|_| NOT_PEM)?;
        if label != "RSA PUBLIC KEY" {
            return Err(NOT_PEM.into());
        }
        rsa_material(der.as_bytes())?
    } else if text.contains("PRIVATE KEY") {
        return Err("it is a private key: give the public key, and take care of the private one".into());
    } else if text.contains("CERTIFICATE") {
        return Err("it is a certificate: give its public key (`openssl x509 -pubkey -noout`)".into());
    } else {
        return Err(NOT_PEM.into());
    };
    let keys = keys_of(&material, None, allowed, &Kid::Any, 0)
        .map_err(|reason| format!("{reason}: give a key that fits `.algorithms(..)`"))?;
    Ok(KeySet::of(keys))
}

fn spki_material(info: &SubjectPublicKeyInfoOwned) -> Result<KeyMaterial, String> {
    let bits = info.subject_public_key.as_bytes().ok_or(NOT_PEM)?;
    match info.algorithm.oid {
        RSA => rsa_material(bits),
        ED25519 => Ok(KeyMaterial::Ed25519 { x: bits.to_vec() }),
        EC => {
            let curve =
                info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
            let curve = match curve {
                Some(P256) => Family::EcP256,
                Some(P384) => Family::EcP384,
                Some(P521) => Family::EcP521,
                _ => return Err(UNSUPPORTED.into()),
            };
            let point =
                bits.strip_prefix(&[0x04]).ok_or("its point is compressed: give the uncompressed form")?;
            let (x, y) = point.split_at_checked(curve.coordinate_length()).ok_or(NOT_PEM)?;
            Ok(KeyMaterial::Ec { curve, x: x.to_vec(), y: y.to_vec() })
        }
        _ => Err(UNSUPPORTED.into()),
    }
}

fn rsa_material(der: &[u8]) -> Result<KeyMaterial, String> {
    let key = RsaPublicKey::from_der(der).map_err(|_| NOT_PEM)?;
    Ok(KeyMaterial::Rsa { n: key.modulus.as_bytes().to_vec(), e: key.public_exponent.as_bytes().to_vec() })
}

const NOT_PEM: &str = "it is no PEM public key: give a text that begins with `-----BEGIN PUBLIC KEY-----`";
const UNSUPPORTED: &str = "its key type is not supported: give an RSA, P-256, P-384, P-521 or Ed25519 key";

// RFC 3279 §2.3, RFC 5480 §2.1.1, RFC 8410 §3
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
