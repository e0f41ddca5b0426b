//! Only a signature that an issuer's key made over the received text is one (threats SIG-01 to SIG-06).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::sync::LazyLock;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use bearergate::{
    Algorithm,
    AuthErrorKind::InvalidSignature,
    Issuer,
    testing::{TestIssuer, TokenBuilder},
};
use common::{
    Api, ISSUER, encode, es256, issuer,
    keys::{EdPair, RsaPair, der, der_integer, digest_info, hex, pkcs1_encoding, sha256, sha256_info},
    numbers::{Modulus, at_length, difference, sum},
    segments, set, signed, supported, trusted, with_signature,
};
use serde_json::Value;

/// For each algorithm: its own signature holds, and with any one octet changed by one bit it does not.
macro_rules! each_algorithm {
    ($($name:ident: $algorithm:ident;)*) => {$(
        mod $name {
            use super::*;

            // One for both tests: an RSA key costs a second or two.
            static SIGNER: LazyLock<Option<(TestIssuer, Api)>> = LazyLock::new(|| {
                supported(Algorithm::$algorithm).then(|| {
                    let issuer = issuer([Algorithm::$algorithm]);
                    let api = Api::trusting([trusted(&issuer).algorithms([Algorithm::$algorithm])]);
                    (issuer, api)
                })
            });

            #[test]
            fn sig_06_its_signature_is_accepted() {
                let Some((issuer, api)) = &*SIGNER else { return };
                api.accepts(&issuer.token().mint(), "untouched");
            }

            #[test]
            fn sig_06_one_flipped_bit_is_refused() {
                let Some((issuer, api)) = &*SIGNER else { return };
                let token = issuer.token().mint();
                api.accepts(&token, "untouched");
                let length = common::decode(segments(&token)[2]).len();
                for octet in 0..length {
                    let flipped = with_signature(&token, |mut signature| {
                        signature[octet] ^= 1 << (octet % 8);
                        signature
                    });
                    api.refuses(&flipped, InvalidSignature, format!("bit {} of octet {octet}", octet % 8));
                }
            }
        }
    )*};
}

each_algorithm! {
    rs256: Rs256;
    rs384: Rs384;
    rs512: Rs512;
    ps256: Ps256;
    ps384: Ps384;
    ps512: Ps512;
    es256: Es256;
    es384: Es384;
    es512: Es512;
    eddsa: EdDsa;
    ed25519: Ed25519;
    ml_dsa_44: MlDsa44;
    ml_dsa_65: MlDsa65;
    ml_dsa_87: MlDsa87;
}

#[test]
fn every_asymmetric_algorithm_has_its_two_tests() {
    let tested = [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "EdDSA",
        "Ed25519",
        "ML-DSA-44",
        "ML-DSA-65",
        "ML-DSA-87",
    ];
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| !algorithm.name().starts_with("HS")) {
        assert!(tested.contains(&algorithm.name()), "{algorithm}");
    }
}

/// A curve as its signatures see it.
struct Curve {
    algorithm: Algorithm,
    order: Vec<u8>,
}

/// The orders of P-256, P-384 and P-521 (SP 800-186 §3.2.1).
fn curves() -> [Curve; 3] {
    let curve = |algorithm, order: &str| Curve { algorithm, order: hex(order) };
    [
        curve(Algorithm::Es256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        curve(
            Algorithm::Es384,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
        curve(
            Algorithm::Es512,
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa\
             51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        ),
    ]
}

impl Curve {
    /// Runs a test with an issuer for this curve and one of its tokens, cut into r and s.
    fn test(&self, test: impl FnOnce(&Api, &dyn Fn(&[u8], &[u8]) -> String, &[u8], &[u8])) {
        if !supported(self.algorithm) {
            return;
        }
        let issuer = issuer([self.algorithm]);
        let api = Api::trusting([trusted(&issuer).algorithms([self.algorithm])]);
        let token = issuer.token().mint();
        api.accepts(&token, self.algorithm);
        let signature = common::decode(segments(&token)[2]);
        let (r, s) = signature.split_at(signature.len() / 2);
        assert_eq!(r.len(), self.order.len());
        let with = |r: &[u8], s: &[u8]| with_signature(&token, |_| [r, s].concat());
        test(&api, &with, r, s);
    }
}

#[test]
fn sig_01_r_or_s_out_of_range() {
    for curve in curves() {
        let length = curve.order.len();
        let zero = vec![0; length];
        let one = at_length(&[1], length);
        let order = curve.order.clone();
        let order_less_one = difference(&order, &one);
        let order_and_one = at_length(&sum(&order, &one), length);
        let maximum = vec![0xFF; length];
        curve.test(|api, with, r, s| {
            let odd = [zero, one, order, order_less_one, order_and_one, maximum];
            for a in &odd {
                api.refuses(&with(a, s), InvalidSignature, format!("{} r={a:x?}", curve.algorithm));
                api.refuses(&with(r, a), InvalidSignature, format!("{} s={a:x?}", curve.algorithm));
                for b in &odd {
                    api.refuses(&with(a, b), InvalidSignature, format!("{} {a:x?} {b:x?}", curve.algorithm));
                }
            }
            api.accepts(&with(r, s), curve.algorithm);
        });
    }
}

#[test]
fn sig_02_ecdsa_signatures_of_another_form() {
    for curve in curves() {
        curve.test(|api, with, r, s| {
            let name = curve.algorithm;
            let refuses = |r: &[u8], s: &[u8], what: &str| {
                api.refuses(&with(r, s), InvalidSignature, format!("{name} {what}"));
            };
            let encoded = der(0x30, &[der_integer(r), der_integer(s)].concat());
            refuses(&encoded, &[], "DER");
            refuses(&[], &[], "empty");
            refuses(r, &[], "r alone");
            refuses(&r[1..], s, "one octet short in front");
            refuses(r, &s[..s.len() - 1], "one octet short behind");
            refuses(r, &[s, &[0]].concat(), "a zero behind");
            refuses(&[&[0], r].concat(), s, "a zero in front");
            refuses(&[&[0], r].concat(), &[&[0], s].concat(), "a zero in front of each half");
            refuses(s, r, "halves swapped");
            for length in [32, 48, 64, 66, 96] {
                if length > curve.order.len() {
                    let what = format!("halves of {length} octets");
                    refuses(&at_length(r, length), &at_length(s, length), &what);
                }
            }
            refuses(&[r, s].concat(), &[r, s].concat(), "twice");
            api.accepts(&with(r, s), name);
        });
    }
}

#[test]
fn sig_02_r_or_s_plus_the_order() {
    for curve in curves() {
        curve.test(|api, with, r, s| {
            let (more_r, more_s) = (sum(r, &curve.order), sum(s, &curve.order));
            let name = curve.algorithm;
            // On P-521 the sums keep the length, so it takes the comparison with the order to see them.
            let fits = curve.algorithm == Algorithm::Es512;
            assert_eq!((more_r.len() == r.len(), more_s.len() == s.len()), (fits, fits));
            api.refuses(&with(&more_r, s), InvalidSignature, format!("{name} r+n"));
            api.refuses(&with(r, &more_s), InvalidSignature, format!("{name} s+n"));
            api.refuses(&with(&more_r, &more_s), InvalidSignature, format!("{name} r+n, s+n"));
            api.accepts(&with(r, s), name);
        });
    }
}

#[test]
fn sig_03_high_s_is_accepted() {
    for curve in curves() {
        curve.test(|api, with, r, s| {
            // Of s and n − s, one is high.
            api.accepts(&with(r, &difference(&curve.order, s)), curve.algorithm);
            api.accepts(&with(r, s), curve.algorithm);
        });
    }
}

/// A key pair, an API that trusts its public half, and a token for it.
fn rsa() -> (RsaPair, Api, TokenBuilder) {
    let pair = RsaPair::rfc7520();
    let api = Api::trusting([Issuer::jwks(ISSUER, set([pair.jwk("rsa")]))]);
    let token = issuer([Algorithm::Es256]).token().header("alg", "RS256").header("kid", "rsa");
    (pair, api, token)
}

#[test]
fn sig_04_rsa_signatures_of_another_length_or_size() {
    let (pair, api, builder) = rsa();
    // The sum of signature and modulus keeps the length for some texts: this is one.
    let fits = |token: &String| sum(&common::decode(segments(token)[2]), &pair.n).len() == 256;
    let mut tokens = (0..).map(|number| {
        signed(&builder.clone().claim("jti", format!("{number}")), |message| pair.rs256(message))
    });
    let token = tokens.find(fits).unwrap();
    api.accepts(&token, "untouched");

    let refuses = |what: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        api.refuses(&with_signature(&token, change), InvalidSignature, what);
    };
    refuses("leading zero", &|s| [&[0], s.as_slice()].concat());
    refuses("first octet missing", &|s| s[1..].to_vec());
    refuses("last octet missing", &|s| s[..255].to_vec());
    refuses("zero appended", &|s| [s.as_slice(), &[0]].concat());
    refuses("octet appended", &|s| [s.as_slice(), &[1]].concat());
    refuses("half", &|s| s[..128].to_vec());
    refuses("twice", &|s| [s.as_slice(), &s].concat());
    refuses("empty", &|_| Vec::new());
    refuses("s + n", &|s| sum(&s, &pair.n));
    refuses("s + 2n", &|s| sum(&sum(&s, &pair.n), &pair.n));
    refuses("n - s", &|s| difference(&pair.n, &s));
    refuses("0", &|_| vec![0; 256]);
    refuses("1", &|_| at_length(&[1], 256));
    refuses("n - 1", &|_| difference(&pair.n, &[1]));
    refuses("n", &|_| pair.n.clone());
    refuses("maximum", &|_| vec![0xFF; 256]);
}

#[test]
fn sig_04_a_leading_zero_octet_may_not_be_left_out() {
    let (pair, api, builder) = rsa();
    // One text in 256 has such a signature. The search begins at the first, so that it is short.
    let mut tokens = (52..).map(|number| {
        signed(&builder.clone().claim("jti", format!("{number}")), |message| pair.rs256(message))
    });
    let token = tokens.find(|token| common::decode(segments(token)[2])[0] == 0).unwrap();
    api.accepts(&token, "as long as the modulus");
    let shorter = with_signature(&token, |signature| signature[1..].to_vec());
    api.refuses(&shorter, InvalidSignature, "the same number, one octet shorter");
}

#[test]
fn sig_04_other_encodings_under_a_real_rsa_signature() {
    const SHA256_OID: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    const SHA1_OID: &[u8] = &[0x2B, 0x0E, 0x03, 0x02, 0x1A];
    let (pair, api, builder) = rsa();
    let length = pair.n.len();
    let sign = |encode: &dyn Fn(&[u8]) -> Vec<u8>| signed(&builder, |message| pair.apply(&encode(message)));

    let good = sign(&|message| pkcs1_encoding(&sha256_info(message), length));
    api.accepts(&good, "the right encoding");

    let refuses = |what: &str, encode: &dyn Fn(&[u8]) -> Vec<u8>| {
        api.refuses(&sign(encode), InvalidSignature, what);
    };
    refuses("bare hash", &|message| pkcs1_encoding(&sha256(message), length));
    refuses("hash without padding", &|message| at_length(&sha256(message), length));
    refuses("missing NULL", &|message| {
        pkcs1_encoding(&digest_info(SHA256_OID, false, &sha256(message)), length)
    });
    refuses("SHA-1", &|message| {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, message);
        pkcs1_encoding(&digest_info(SHA1_OID, true, hash.as_ref()), length)
    });
    refuses("SHA-256 under the name of SHA-1", &|message| {
        pkcs1_encoding(&digest_info(SHA1_OID, true, &sha256(message)), length)
    });
    // CVE-2006-4339: the padding ends early, and what is behind the hash is not looked at.
    refuses("octets behind the hash", &|message| {
        let start = pkcs1_encoding(&sha256_info(message), 8 + 3 + 51);
        [start.as_slice(), &vec![0xAB; length - start.len()]].concat()
    });
    refuses("octets inside of the DigestInfo", &|message| {
        let mut content = sha256_info(message);
        content.extend([0; 4]);
        content[1] += 4;
        pkcs1_encoding(&content, length)
    });
    refuses("encryption padding", &|message| {
        let mut encoded = pkcs1_encoding(&sha256_info(message), length);
        encoded[1] = 2;
        encoded
    });
    refuses("zeros as padding", &|message| {
        let mut encoded = pkcs1_encoding(&sha256_info(message), length);
        encoded[2..length - 52].fill(0);
        encoded
    });
}

#[test]
fn sig_05_ed25519_signatures_that_are_not_canonical() {
    let issuer = issuer([Algorithm::EdDsa]);
    let api = Api::trusting([trusted(&issuer)]);
    let token = issuer.token().mint();
    api.accepts(&token, "untouched");
    let refuses = |what: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        api.refuses(&with_signature(&token, change), InvalidSignature, what);
    };
    refuses("63 octets", &|s| s[..63].to_vec());
    refuses("63 octets, the first missing", &|s| s[1..].to_vec());
    refuses("65 octets", &|s| [s.as_slice(), &[0]].concat());
    refuses("65 octets, a zero in front", &|s| [&[0], s.as_slice()].concat());
    refuses("empty", &|_| Vec::new());
    refuses("R alone", &|s| s[..32].to_vec());
    refuses("twice", &|s| [s.as_slice(), &s].concat());
    refuses("halves swapped", &|s| [&s[32..], &s[..32]].concat());
    refuses("zeros", &|_| vec![0; 64]);
    for times in 1..=15 {
        // RFC 8032 §5.1.7: S is below the order L.
        refuses(&format!("S + {times} L"), &|s| {
            let big = reversed(&s[32..]);
            let larger = (0..times).fold(big, |larger, _| sum(&larger, &ed25519_order()));
            [&s[..32], &reversed(&larger)].concat()
        });
    }
    for bit in [0x20, 0x40, 0x80, 0xE0] {
        refuses(&format!("high bits {bit:x} of S set"), &|mut s| {
            s[63] |= bit;
            s
        });
    }
}

#[test]
fn sig_05_ed25519_r_is_not_canonical() {
    let pair = EdPair::new();
    let api = Api::trusting([Issuer::jwks(ISSUER, set([pair.jwk("ed")]))]);
    let builder = issuer([Algorithm::Es256]).token().header("alg", "EdDSA").header("kid", "ed");
    api.accepts(&signed(&builder, |message| pair.sign(message)), "an ordinary signature");

    // With R the neutral point, S = k·a fulfils the equation S·B = R + k·A: what is left to see is how R is written.
    let sign = |r: &[u8], message: &[u8]| {
        let order = Modulus::new(&ed25519_order());
        let hash =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &[r, pair.x.as_slice(), message].concat());
        let s = order.product(&reversed(hash.as_ref()), &reversed(&pair.scalar()));
        [r, &reversed(&s)].concat()
    };
    let one = |first: u8, last: u8| {
        let mut r = [0xFF; 32];
        (r[0], r[31]) = (first, last);
        r
    };
    let mut canonical = [0; 32];
    canonical[0] = 1;
    let equation = UnparsedPublicKey::new(&ED25519, &pair.x).verify(b"text", &sign(&canonical, b"text"));
    assert!(equation.is_ok(), "the arithmetic of this test is right");

    let mut negative_zero = canonical;
    negative_zero[31] = 0x80;
    for (what, r) in [
        ("y = p + 1", one(0xEE, 0x7F)),
        ("y = p + 1, x = -0", one(0xEE, 0xFF)),
        ("y = 1, x = -0", negative_zero),
    ] {
        api.refuses(&signed(&builder, |message| sign(&r, message)), InvalidSignature, what);
    }
}

/// L of RFC 8032 §5.1, big-endian.
fn ed25519_order() -> Vec<u8> {
    hex("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed")
}

fn reversed(octets: &[u8]) -> Vec<u8> {
    octets.iter().rev().copied().collect()
}

#[test]
fn sig_06_the_signature_of_another_token() {
    let (issuer, api) = es256();
    let one = issuer.token().header("x", "one").subject("one").mint();
    let two = issuer.token().header("x", "two").subject("two").mint();
    api.accepts(&one, "one");
    api.accepts(&two, "two");
    let ([h1, p1, s1], [h2, p2, s2]) = (segments(&one), segments(&two));
    for (what, header, payload, signature) in [
        ("another signature", h1, p1, s2),
        ("another payload", h1, p2, s1),
        ("another payload and signature", h1, p2, s2),
        ("another header", h2, p1, s1),
        ("another header and signature", h2, p1, s2),
        ("another header and payload", h2, p2, s1),
    ] {
        api.refuses(&format!("{header}.{payload}.{signature}"), InvalidSignature, what);
    }
    api.refuses(&format!("{p1}.{h1}.{s1}"), bearergate::AuthErrorKind::AlgorithmNotAllowed, "swapped");
}

#[test]
fn sig_06_a_signature_over_other_octets() {
    let (issuer, api) = es256();
    let token = issuer.token();
    let (header, payload) = (token.header_json(), token.payload_json());
    let (encoded_header, encoded_payload) = (encode(&header), encode(&payload));
    let over = |text: &str| signed(&token, |_| token.sign(text.as_bytes()));

    api.accepts(&over(&format!("{encoded_header}.{encoded_payload}")), "the received text");
    for (what, text) in [
        ("decoded", format!("{header}.{payload}")),
        ("decoded, without dot", format!("{header}{payload}")),
        ("header decoded", format!("{header}.{encoded_payload}")),
        ("payload decoded", format!("{encoded_header}.{payload}")),
        ("payload only", encoded_payload.clone()),
        ("payload only, decoded", payload.clone()),
        ("header only", encoded_header.clone()),
        ("with a dot behind", format!("{encoded_header}.{encoded_payload}.")),
        ("without dot", format!("{encoded_header}{encoded_payload}")),
        ("swapped", format!("{encoded_payload}.{encoded_header}")),
        ("empty", String::new()),
    ] {
        api.refuses(&over(&text), InvalidSignature, what);
    }
}

#[test]
fn sig_06_the_same_json_written_otherwise() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    let text = token.mint();
    let [header, payload, signature] = segments(&text);
    let spaced = |json: String| encode(json.replacen('{', "{ ", 1));
    let header_spaced = spaced(token.header_json());
    let payload_spaced = spaced(token.payload_json());
    api.refuses(&format!("{header_spaced}.{payload}.{signature}"), InvalidSignature, "header");
    api.refuses(&format!("{header}.{payload_spaced}.{signature}"), InvalidSignature, "payload");

    let pretty: Value = serde_json::from_str(&token.payload_json()).unwrap();
    let pretty = token.clone().payload_text(serde_json::to_string_pretty(&pretty).unwrap());
    api.accepts(&pretty.mint(), "written otherwise before it was signed");
}

#[test]
fn sig_06_a_signature_longer_than_any_key_makes() {
    let (issuer, api) = es256();
    let token = issuer.token().mint();
    api.accepts(&token, "untouched");
    api.refuses(&with_signature(&token, |_| vec![1; 1024]), InvalidSignature, "1024 octets");
    api.refuses(&with_signature(&token, |_| vec![1; 1025]), InvalidSignature, "1025 octets");
    api.refuses(&with_signature(&token, |_| vec![1; 9000]), InvalidSignature, "9000 octets");
}
