//! Key pairs that everybody knows: what they sign can be judged with the private half at hand.

use aws_lc_rs::{
    digest::{self, SHA256},
    signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    decode, encode,
    numbers::{Modulus, at_length},
};

/// An RSA key pair, and every way to use it wrongly.
#[derive(Debug)]
pub struct RsaPair {
    pub n: Vec<u8>,
    pub e: Vec<u8>,
    d: Vec<u8>,
}

impl RsaPair {
    /// The key of RFC 7520 §3.4, with 2048 bits.
    pub fn rfc7520() -> Self {
        let n = concat!(
            "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKr",
            "Kb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5l",
            "FHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__",
            "kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
        );
        let d = concat!(
            "bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ-A1irkwMSMkK1J3XTGgdrhCk",
            "u9gRldY7sNA_AKZGh-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqpaIsA-bMwWWSDFu2MUBYwkHTMEzLYGqOe04noqeq1hExBTHBO",
            "BdkMXiuFhUq1BU6l-DqEiWxqg82sXt2h-LMnT3046AOYJoRioz75tSUQfGCshWTBnP5uDjd18kKhyv07lhfSJdrPdM5Plyl21hsFf4L_",
            "mHCuoFau7gdsPfHPxxjVOcOpBrQzwQ",
        );
        Self { n: decode(n), e: vec![1, 0, 1], d: decode(d) }
    }

    pub fn jwk(&self, kid: &str) -> Value {
        json!({"kty": "RSA", "kid": kid, "n": encode(&self.n), "e": encode(&self.e)})
    }

    /// The private operation on any number below the modulus.
    pub fn apply(&self, number: &[u8]) -> Vec<u8> {
        Modulus::new(&self.n).power(number, &self.d)
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2.1).
    pub fn rs256(&self, message: &[u8]) -> Vec<u8> {
        self.apply(&pkcs1_encoding(&sha256_info(message), self.n.len()))
    }

    /// RSASSA-PSS with SHA-256 (RFC 8017 §8.1.1) and a salt of this length.
    pub fn ps256(&self, message: &[u8], salt_length: usize) -> Vec<u8> {
        self.apply(&pss_encoding(message, salt_length, self.n.len()))
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2) of any content.
pub fn pkcs1_encoding(content: &[u8], length: usize) -> Vec<u8> {
    let padding = vec![0xFF; length - content.len() - 3];
    [&[0, 1], padding.as_slice(), &[0], content].concat()
}

/// The DigestInfo of SHA-256 (RFC 8017 §9.2, note 1).
pub fn sha256_info(message: &[u8]) -> Vec<u8> {
    digest_info(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01], true, &sha256(message))
}

pub fn digest_info(algorithm: &[u8], null: bool, hash: &[u8]) -> Vec<u8> {
    let parameters = if null { der(0x05, &[]) } else { Vec::new() };
    der(0x30, &[der(0x30, &[der(0x06, algorithm), parameters].concat()), der(0x04, hash)].concat())
}

pub fn sha256(message: &[u8]) -> Vec<u8> {
    digest::digest(&SHA256, message).as_ref().to_vec()
}

/// EMSA-PSS (RFC 8017 §9.1.1) for a modulus whose top bit is set.
fn pss_encoding(message: &[u8], salt_length: usize, length: usize) -> Vec<u8> {
    let salt = vec![0xA5; salt_length];
    let hash = sha256(&[&[0; 8], sha256(message).as_slice(), &salt].concat());
    let block_length = length - hash.len() - 1;
    let mut block = at_length(&[&[1], salt.as_slice()].concat(), block_length);
    let mask = (0_u32..).flat_map(|counter| sha256(&[&hash, counter.to_be_bytes().as_slice()].concat()));
    for (octet, mask) in block.iter_mut().zip(mask) {
        *octet ^= mask;
    }
    block[0] &= 0x7F;
    [block.as_slice(), &hash, &[0xBC]].concat()
}

/// An EC key pair.
#[derive(Debug)]
pub struct EcPair {
    pub crv: &'static str,
    pub x: Vec<u8>,
    pub y: Vec<u8>,
    d: Vec<u8>,
}

impl EcPair {
    /// A P-256 key whose x begins with a zero octet, and whose x and y have `-` and `_` in base64url. The private key is
    /// the SHA-256 of `bearergate test key 920`.
    pub fn p256() -> Self {
        Self {
            crv: "P-256",
            x: decode("AKsIEhFSMO_GiI-aPRZpcMUd1rUG7j60Lb8cfP9aWPw"),
            y: decode("imSjtx6vIF9hRkqtM3ZvDvqKaH8GwiMgqemK5_zD4c4"),
            d: sha256(b"bearergate test key 920"),
        }
    }

    /// The P-521 key of RFC 7520 §3.2, whose x begins with a zero octet.
    pub fn p521() -> Self {
        Self {
            crv: "P-521",
            x: decode(
                "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
            ),
            y: decode(
                "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
            ),
            d: decode(
                "AAhRON2r9cqXX1hg-RoI6R1tX5p2rUAYdmpHZoC1XNM56KtscrX6zbKipQrCW9CGZH3T4ubpnoTKLDYJ_fF3_rJt",
            ),
        }
    }

    pub fn jwk(&self, kid: &str) -> Value {
        json!({"kty": "EC", "kid": kid, "crv": self.crv, "x": encode(&self.x), "y": encode(&self.y)})
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let algorithm: &'static EcdsaSigningAlgorithm = match self.crv {
            "P-256" => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            _ => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        };
        let point = [&[0x04], self.x.as_slice(), &self.y].concat();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &self.d, &point).unwrap();
        pair.sign(&aws_lc_rs::rand::SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

/// An Ed25519 key pair.
#[derive(Debug)]
pub struct EdPair {
    pub x: Vec<u8>,
    seed: Vec<u8>,
}

impl EdPair {
    /// A key that has `-` and `_` in base64url. The seed is the SHA-256 of `bearergate test key 2`.
    pub fn new() -> Self {
        Self {
            x: decode("9XcUXdaeK613-4ECJDD6_l1qhd0Dn7S7GUX5p3sAd0I"),
            seed: sha256(b"bearergate test key 2"),
        }
    }

    pub fn jwk(&self, kid: &str) -> Value {
        json!({"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": encode(&self.x)})
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let pair = Ed25519KeyPair::from_seed_and_public_key(&self.seed, &self.x).unwrap();
        pair.sign(message).as_ref().to_vec()
    }

    /// The secret scalar, little-endian (RFC 8032 §5.1.5).
    pub fn scalar(&self) -> Vec<u8> {
        let hash = digest::digest(&digest::SHA512, &self.seed);
        let mut scalar = hash.as_ref()[..32].to_vec();
        scalar[0] &= 0xF8;
        scalar[31] = (scalar[31] & 0x7F) | 0x40;
        scalar
    }
}

/// A value in DER.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ ..0x80 => vec![short as u8],
        medium @ 0x80..0x100 => vec![0x81, medium as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag], length.as_slice(), content].concat()
}

/// A non-negative INTEGER in DER.
pub fn der_integer(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|octet| *octet != 0).unwrap_or(number.len());
    let digits = &number[start..];
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    der(0x02, &[sign, digits].concat())
}

/// RSAPublicKey (RFC 8017 §A.1.1).
pub fn pkcs1_der(jwk: &Value) -> Vec<u8> {
    der(0x30, &[der_integer(&member(jwk, "n")), der_integer(&member(jwk, "e"))].concat())
}

/// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) of a JWK.
pub fn spki_der(jwk: &Value) -> Vec<u8> {
    const EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
    let ec = |curve: &[u8]| [der(0x06, EC), der(0x06, curve)].concat();
    let algorithm = match jwk["crv"].as_str() {
        Some("P-256") => ec(&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]),
        Some("P-384") => ec(&[0x2B, 0x81, 0x04, 0x00, 0x22]),
        Some("P-521") => ec(&[0x2B, 0x81, 0x04, 0x00, 0x23]),
        Some(_) => der(0x06, &[0x2B, 0x65, 0x70]),
        None => [der(0x06, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]), der(0x05, &[])].concat(),
    };
    let key = match jwk["kty"].as_str() {
        Some("EC") => point(jwk),
        Some("OKP") => member(jwk, "x"),
        _ => pkcs1_der(jwk),
    };
    der(0x30, &[der(0x30, &algorithm), der(0x03, &[&[0], key.as_slice()].concat())].concat())
}

/// The uncompressed point of an EC key.
pub fn point(jwk: &Value) -> Vec<u8> {
    [&[0x04], member(jwk, "x").as_slice(), &member(jwk, "y")].concat()
}

/// A member in base64url.
pub fn member(jwk: &Value, name: &str) -> Vec<u8> {
    decode(jwk[name].as_str().unwrap())
}

/// PEM (RFC 7468).
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

pub fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
