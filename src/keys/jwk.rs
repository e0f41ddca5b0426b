//! Is this JWK a public signature key that may be used?

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use curve25519_dalek::edwards::CompressedEdwardsY;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve};

use crate::{
    keys::{
        algorithm::{Algorithm, AlgorithmSet, Family},
        key::{Kid, VerificationKey},
    },
    token::json::{Kind, Nested, Value, scan_object},
};

/// The numbers of a public key: checked for size and form, not yet for being on their curve.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum KeyMaterial {
    Ec { curve: Family, x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
    MlDsa { set: Family, public_key: Vec<u8> },
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// Why a JWK of a set is not used. The others stay.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub(crate) enum SkipReason {
    /// No algorithm of the issuer's allow-list fits the key.
    #[error("no allowed algorithm fits the key")]
    AlgorithmNotAllowed,
    /// `alg`, `use`, `key_ops` or `kid` has a wrong type, or a member stands twice.
    #[error("the JWK is malformed")]
    Malformed,
    /// `use` or `key_ops` says that the key is for something else (RFC 7517 §4.2, §4.3).
    #[error("the key is not meant for verifying signatures")]
    NotForSignatures,
    /// The key is too small, too large, off its curve, of small order, or not in canonical form.
    #[error("the key is weak or not a point of its curve")]
    Weak,
    /// The key set publishes private key material (RFC 7517 §9.2): tell its owner.
    #[error("the JWK publishes private key material")]
    Private,
    /// The key is a shared secret (RFC 8725 §3.5).
    #[error("the JWK is a shared secret")]
    Symmetric,
    /// Key type, curve or algorithm is not known (RFC 7517 §5).
    #[error("the key type, curve or algorithm is not supported")]
    Unsupported,
}

impl SkipReason {
    /// A fixed label, for tools.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::Malformed => "malformed",
            Self::NotForSignatures => "not_for_signatures",
            Self::Weak => "weak",
            Self::Private => "private",
            Self::Symmetric => "symmetric",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Makes the verification keys of one JWK, given as JSON text: one for each allowed algorithm that fits.
pub(crate) fn import(
    text: &str,
    jwk: usize,
    allowed: &AlgorithmSet,
) -> Result<Vec<VerificationKey>, SkipReason> {
    let members = Members::scan(text)?;
    // RFC 8725 §3.5: whatever else the JWK says, a shared secret stands where everybody can read it.
    if members.kty.and_then(|value| value.raw_str(text)).is_some_and(|kty| kty.is("oct")) {
        return Err(SkipReason::Symmetric);
    }
    if members.private {
        return Err(SkipReason::Private);
    }
    let kid = match members.kid {
        None => Kid::Absent,
        Some(value) => Kid::Is(value.raw_str(text).ok_or(SkipReason::Malformed)?.unescape().into()),
    };
    // RFC 7517 §4.2, §4.3
    if members.r#use.is_some_and(|value| !value.raw_str(text).is_some_and(|text| text.is("sig"))) {
        return Err(SkipReason::NotForSignatures);
    }
    if let Some(operations) = members.key_ops {
        let verifies = |value: Value| value.raw_str(text).is_some_and(|operation| operation.is("verify"));
        if operations.kind() != Kind::Array || !operations.elements(text).any(verifies) {
            return Err(SkipReason::NotForSignatures);
        }
    }
    // RFC 7517 §4.4
    let algorithm = match members.alg {
        None => None,
        Some(value) => {
            let name = value.raw_str(text).ok_or(SkipReason::Malformed)?.unescape();
            Some(Algorithm::from_name(&name).ok_or(SkipReason::Unsupported)?)
        }
    };
    // Only the key's own parameters: `x5c` and its kin are no business of ours, however damaged (RFC 7517 §4.7).
    let parameters = members.parameters(text);
    let model: AlgorithmParameters = serde_json::from_str(&parameters).map_err(|_| SkipReason::Malformed)?;
    keys_of(&material(&model, algorithm)?, algorithm, allowed, &kid, jwk)
}

/// One key for each allowed algorithm that fits the material, and the algorithm that its owner named.
pub(crate) fn keys_of(
    material: &KeyMaterial,
    named: Option<Algorithm>,
    allowed: &AlgorithmSet,
    kid: &Kid,
    jwk: usize,
) -> Result<Vec<VerificationKey>, SkipReason> {
    check_strength(material)?;
    let family = match material {
        KeyMaterial::Ec { curve, .. } => *curve,
        KeyMaterial::Ed25519 { .. } => Family::Ed25519,
        KeyMaterial::MlDsa { set, .. } => *set,
        KeyMaterial::Rsa { .. } => Family::Rsa,
    };
    if named.is_some_and(|algorithm| algorithm.family() != family) {
        return Err(SkipReason::Malformed);
    }
    let keys = allowed
        .iter()
        .filter(|algorithm| algorithm.family() == family && named.is_none_or(|named| named == *algorithm))
        .map(|algorithm| VerificationKey::new(algorithm, kid.clone(), jwk, material))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| SkipReason::Weak)?;
    if keys.is_empty() { Err(SkipReason::AlgorithmNotAllowed) } else { Ok(keys) }
}

/// The members that decide whether a key is used at all.
#[derive(Default)]
struct Members {
    alg: Option<Value>,
    kid: Option<Value>,
    key_ops: Option<Value>,
    kty: Option<Value>,
    r#use: Option<Value>,
    /// `crv`, `e`, `n`, `pub`, `x`, `y`: what the key is made of.
    material: [Option<Value>; MATERIAL.len()],
    private: bool,
}

const MATERIAL: [&str; 6] = ["crv", "e", "n", "pub", "x", "y"];

impl Members {
    fn scan(text: &str) -> Result<Self, SkipReason> {
        let mut members = Self::default();
        let mut ill_typed = false;
        scan_object(text, Nested::Unique, |name, value| match &*name.unescape() {
            // RFC 7517 §4.1, RFC 7518 §6, RFC 9964 §3: strings, each of them.
            "kty" => {
                members.kty = Some(value);
                ill_typed |= !matches!(value.kind(), Kind::String { .. });
            }
            "alg" => members.alg = Some(value),
            "kid" => members.kid = Some(value),
            "key_ops" => members.key_ops = Some(value),
            "use" => members.r#use = Some(value),
            // RFC 7518 §6.2.2, §6.3.2, RFC 9964 §3
            "priv" | "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" => members.private = true,
            name => {
                let place = MATERIAL.iter().position(|known| *known == name);
                if let Some(place) = place.and_then(|place| members.material.get_mut(place)) {
                    *place = Some(value);
                    ill_typed |= !matches!(value.kind(), Kind::String { .. });
                }
            }
        })
        .map_err(|_| SkipReason::Malformed)?;
        if ill_typed { Err(SkipReason::Malformed) } else { Ok(members) }
    }

    /// The members that the key is made of, as a JSON object: what stands beside them is ignored (RFC 7517 §4).
    fn parameters(&self, text: &str) -> String {
        let named = MATERIAL.into_iter().zip(&self.material).chain([("kty", &self.kty)]);
        let members = named.filter_map(|(name, value)| Some(format!("\"{name}\":{}", (*value)?.text(text))));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

fn material(model: &AlgorithmParameters, named: Option<Algorithm>) -> Result<KeyMaterial, SkipReason> {
    match model {
        AlgorithmParameters::RSA(rsa) => Ok(KeyMaterial::Rsa { n: number(&rsa.n)?, e: number(&rsa.e)? }),
        AlgorithmParameters::EllipticCurve(ec) => {
            let curve = match ec.curve {
                EllipticCurve::P256 => Family::EcP256,
                EllipticCurve::P384 => Family::EcP384,
                EllipticCurve::P521 => Family::EcP521,
                _ => return Err(SkipReason::Unsupported),
            };
            Ok(KeyMaterial::Ec { curve, x: octets(&ec.x)?, y: octets(&ec.y)? })
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Ok(KeyMaterial::Ed25519 { x: octets(&pair.x)? })
        }
        // RFC 9964 §3: the parameter set stands in `alg`, which is mandatory.
        AlgorithmParameters::Other(other) if other.fields.get("kty").is_some_and(|kty| kty == "AKP") => {
            let set = named.map(Algorithm::family).filter(|family| family.ml_dsa().is_some());
            let public_key =
                other.fields.get("pub").and_then(|value| value.as_str()).ok_or(SkipReason::Malformed)?;
            Ok(KeyMaterial::MlDsa {
                set: set.ok_or(SkipReason::Unsupported)?,
                public_key: octets(public_key)?,
            })
        }
        AlgorithmParameters::Other(other) => {
            let member = |name: &str| other.fields.get(name).and_then(|value| value.as_str());
            // A key type and curve that we know, and no key.
            match (member("kty"), member("crv")) {
                (Some("RSA"), _)
                | (Some("EC"), None | Some("P-256" | "P-384" | "P-521"))
                | (Some("OKP"), None | Some("Ed25519"))
                | (None, _) => Err(SkipReason::Malformed),
                _ => Err(SkipReason::Unsupported),
            }
        }
        _ => Err(SkipReason::Unsupported),
    }
}

/// Canonical base64url without padding (RFC 7515 §2).
fn octets(text: &str) -> Result<Vec<u8>, SkipReason> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| SkipReason::Malformed)
}

/// A big-endian number; leading zero octets, which some libraries add against RFC 7518 §2, change nothing.
fn number(text: &str) -> Result<Vec<u8>, SkipReason> {
    let octets = octets(text)?;
    Ok(octets.iter().copied().skip_while(|octet| *octet == 0).collect())
}

/// RFC 7518 §3.3 asks for 2048 bits; above 8192 a check takes milliseconds.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

fn check_strength(material: &KeyMaterial) -> Result<(), SkipReason> {
    let strong = match material {
        KeyMaterial::Rsa { n, e } => {
            let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
            let above_one = !matches!(e.as_slice(), [] | [1]);
            RSA_BITS.contains(&bits(n)) && odd(n) && odd(e) && above_one
        }
        // RFC 7518 §6.2.1.2: full size. The backend checks that the point is on the curve.
        KeyMaterial::Ec { curve, x, y } => {
            x.len() == curve.coordinate_length() && y.len() == curve.coordinate_length()
        }
        KeyMaterial::MlDsa { set, public_key } => {
            set.ml_dsa().is_some_and(|sizes| sizes.public_key == public_key.len())
        }
        // aws-lc-rs takes any 32 octets.
        KeyMaterial::Ed25519 { x } => <[u8; 32]>::try_from(x.as_slice())
            .is_ok_and(|x| is_strong_ed25519(x) && CompressedEdwardsY(x).decompress().is_some()),
    };
    if strong { Ok(()) } else { Err(SkipReason::Weak) }
}

fn bits(number: &[u8]) -> u32 {
    let first = number.first().map_or(0, |first| first.leading_zeros());
    u32::try_from(number.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(first)
}

/// A canonical encoding (y below 2^255 − 19, RFC 8032 §5.1.3) of a point that is not of small order: a small-order key
/// would accept one signature for many messages.
pub(crate) fn is_strong_ed25519(mut encoded: [u8; 32]) -> bool {
    encoded[31] &= 0x7F; // the sign of x
    let canonical = encoded.iter().rev().lt(FIELD_PRIME.iter().rev());
    canonical && !SMALL_ORDER_Y.contains(&encoded)
}

/// 2^255 − 19, little-endian.
const FIELD_PRIME: [u8; 32] = {
    let mut prime = [0xFF; 32];
    prime[0] = 0xED;
    prime[31] = 0x7F;
    prime
};

/// The y coordinates of the eight points of small order: orders 4, 1, 2, and twice 8.
const SMALL_ORDER_Y: [[u8; 32]; 5] = {
    let zero = [0; 32];
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = FIELD_PRIME;
    minus_one[0] = 0xEC;
    [zero, one, minus_one, ORDER_8_Y, ORDER_8_MINUS_Y]
};

const ORDER_8_Y: [u8; 32] = [
    0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5,
    0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
];

const ORDER_8_MINUS_Y: [u8; 32] = [
    0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F, 0x2A,
    0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
];
