#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;

/// RFC 7517 appendix A.1, the public EC key.
fn ec() -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": "ec",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
}

/// RFC 8037 appendix A.2.
fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

/// RFC 7517 appendix A.1, the public RSA key.
fn rsa() -> Value {
    json!({"kty": "RSA", "kid": "rsa", "e": "AQAB", "n": concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst",
        "n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn",
        "1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")})
}

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

fn import_one(jwk: &Value) -> Result<usize, SkipReason> {
    import(&jwk.to_string(), 0, &AlgorithmSet::default()).map(|keys| keys.len())
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), &AlgorithmSet::default()).unwrap()
}

#[test]
fn a_key_without_alg_serves_every_allowed_algorithm_that_fits() {
    assert_eq!(import_one(&ec()), Ok(1)); // ES256
    assert_eq!(import_one(&ed25519()), Ok(2)); // EdDSA, Ed25519
    assert_eq!(import_one(&rsa()), Ok(2)); // RS256, PS256
    assert_eq!(import_one(&with(rsa(), "alg", "PS256")), Ok(1));
}

#[test]
fn key_01_rsa_size_and_exponent() {
    let octets = |length: usize, first: u8, last: u8| {
        let mut octets = vec![0x5A; length];
        octets[0] = first;
        octets[length - 1] = last;
        URL_SAFE_NO_PAD.encode(octets)
    };
    for (n, good) in [
        (octets(256, 0x80, 1), true),
        (octets(256, 0x7F, 1), false), // 2047 bits
        (octets(256, 0x80, 2), false), // even
        (octets(128, 0x80, 1), false),
        (octets(1024, 0xFF, 1), true),
        (octets(1025, 0x01, 1), false), // 8193 bits
        (octets(257, 0x00, 1), false),  // a leading zero in front of 2047 bits
    ] {
        assert_eq!(import_one(&with(rsa(), "n", n.clone())).is_ok(), good, "{n}");
    }
    for (e, good) in [
        ("AQAB", true),
        ("Aw", true),
        ("AQ", false),
        ("Ag", false),
        ("", false),
        ("AA", false),
        ("AAEAAQ", true),
    ] {
        assert_eq!(import_one(&with(rsa(), "e", e)).is_ok(), good, "{e}");
    }
}

#[test]
fn key_02_and_03_points_must_be_on_their_curve_and_full_size() {
    let zero = URL_SAFE_NO_PAD.encode([0; 32]);
    assert_eq!(import_one(&with(ec(), "y", ec()["x"].clone())), Err(SkipReason::Weak));
    assert_eq!(import_one(&with(with(ec(), "x", zero.clone()), "y", zero)), Err(SkipReason::Weak));
    assert_eq!(import_one(&with(ec(), "x", URL_SAFE_NO_PAD.encode([1; 31]))), Err(SkipReason::Weak));
    assert_eq!(import_one(&with(ec(), "x", URL_SAFE_NO_PAD.encode([0; 33]))), Err(SkipReason::Weak));
    for coordinate in ["x", "y"] {
        // The same number, with a zero in front.
        let octets = URL_SAFE_NO_PAD.decode(ec()[coordinate].as_str().unwrap()).unwrap();
        let longer = URL_SAFE_NO_PAD.encode([&[0], octets.as_slice()].concat());
        assert_eq!(import_one(&with(ec(), coordinate, longer)), Err(SkipReason::Weak), "{coordinate}");
    }
    assert_eq!(import_one(&with(ed25519(), "x", URL_SAFE_NO_PAD.encode([9; 31]))), Err(SkipReason::Weak));
    assert!(import_one(&with(ec(), "crv", "P-384")).is_err());
}

#[test]
fn key_04_weak_ed25519_keys() {
    let with_sign = |mut y: [u8; 32]| {
        y[31] |= 0x80;
        y
    };
    let mut above_prime = FIELD_PRIME_LE;
    above_prime[0] = 0xF0; // p + 3, the non-canonical form of 3
    let mut two_to_255_minus_1 = [0xFF; 32];
    two_to_255_minus_1[31] = 0x7F;
    let mut one = [0; 32];
    one[0] = 1;
    for weak in
        [[0; 32], with_sign([0; 32]), one, with_sign(one), FIELD_PRIME_LE, above_prime, two_to_255_minus_1]
    {
        let jwk = with(ed25519(), "x", URL_SAFE_NO_PAD.encode(weak));
        assert_eq!(import_one(&jwk), Err(SkipReason::Weak), "{weak:02x?}");
    }
    assert!(import_one(&ed25519()).is_ok());
}

const FIELD_PRIME_LE: [u8; 32] = {
    let mut prime = [0xFF; 32];
    prime[0] = 0xED;
    prime[31] = 0x7F;
    prime
};

#[test]
fn one_odd_key_spoils_nothing() {
    let reasons = |jwk: Value| {
        let set = set(&[jwk, ec()]);
        assert_eq!(set.len(), 1);
        set.skipped()[0].reason
    };
    // `k` means something in an `oct` key alone (RFC 7517 §4: what is not understood is ignored). Found by fuzzing.
    for harmless in [
        with(ec(), "k", "c2VjcmV0"),
        with(ec(), "x5c", "text"),
        with(ec(), "x5t", 5),
        with(ec(), "x5u", Value::Null),
    ] {
        assert_eq!(import_one(&harmless), Ok(1), "{harmless}");
    }
    assert_eq!(reasons(json!(null)), SkipReason::Malformed);
    assert_eq!(reasons(json!({})), SkipReason::Malformed);
    assert_eq!(reasons(json!({"kty": "RSA", "e": "AQAB"})), SkipReason::Malformed);
    assert_eq!(reasons(json!({"kty": "EC", "x": "AA", "y": "AA"})), SkipReason::Malformed);
    assert_eq!(reasons(json!({"kty": "EC", "crv": "P-521", "x": "AA"})), SkipReason::Malformed);
    assert_eq!(reasons(json!({"kty": "OKP", "x": "AA"})), SkipReason::Malformed);
    assert_eq!(reasons(json!({"kty": "OKP", "crv": "Ed25519"})), SkipReason::Malformed);
    assert_eq!(reasons(json!({"kty": "OKP", "crv": "Ed448", "x": "AA"})), SkipReason::Unsupported);
    assert_eq!(reasons(json!({"kty": "AKP", "alg": "ML-DSA-44"})), SkipReason::Malformed);
    assert_eq!(reasons(json!({"kty": "AKP", "pub": "AA"})), SkipReason::Unsupported);
    assert_eq!(reasons(json!({"kty": "oct", "k": "c2VjcmV0"})), SkipReason::Symmetric);
    assert_eq!(reasons(with(ec(), "d", "AAAA")), SkipReason::Private);
    assert_eq!(reasons(with(ec(), "kid", 5)), SkipReason::Malformed);
    assert_eq!(reasons(with(ec(), "use", "enc")), SkipReason::NotForSignatures);
    assert_eq!(reasons(with(ec(), "use", Value::Null)), SkipReason::NotForSignatures);
    assert_eq!(reasons(with(ec(), "key_ops", json!(["sign"]))), SkipReason::NotForSignatures);
    assert_eq!(reasons(with(ec(), "key_ops", json!([]))), SkipReason::NotForSignatures);
    assert_eq!(reasons(with(ec(), "alg", "ES384")), SkipReason::Malformed);
    assert_eq!(reasons(with(rsa(), "alg", "RS512")), SkipReason::AlgorithmNotAllowed);
    assert_eq!(reasons(with(ec(), "alg", "RS256")), SkipReason::Malformed);
    assert_eq!(reasons(with(rsa(), "alg", "RSA-OAEP")), SkipReason::Unsupported);
    for (name, value) in
        [("kty", json!({"EC": null})), ("crv", json!({"P-256": null})), ("x", json!(5)), ("kty", Value::Null)]
    {
        assert_eq!(reasons(with(ec(), name, value)), SkipReason::Malformed, "{name}");
    }
    assert_eq!(reasons(with(ec(), "crv", "secp256k1")), SkipReason::Unsupported);
    assert_eq!(reasons(with(ec(), "kty", "unknown")), SkipReason::Unsupported);
    assert_eq!(reasons(with(ed25519(), "crv", "X25519")), SkipReason::Unsupported);
}

#[test]
fn key_12_a_duplicate_member_costs_one_key() {
    let twice = ec().to_string().replacen('{', "{\"kid\":\"other\",", 1);
    let document = format!("{{\"keys\":[{twice},{}]}}", ed25519());
    let set = KeySet::parse(document.as_bytes(), &AlgorithmSet::default()).unwrap();
    assert_eq!(set.skipped(), [Skipped { index: 0, reason: SkipReason::Malformed }]);
    assert_eq!(set.len(), 2);
}

#[test]
fn jwk_18_a_document_that_is_no_set_is_refused() {
    let parse = |document: &[u8]| KeySet::parse(document, &AlgorithmSet::default()).map(|set| set.len());
    assert_eq!(parse(b"<html>"), Err(JwksError::NotJson));
    assert_eq!(parse(b"\xEF\xBB\xBF{\"keys\":[]}"), Err(JwksError::NotJson));
    assert_eq!(parse(b"{\"keys\":[],\"x\":\"\xFF\"}"), Err(JwksError::NotJson));
    assert_eq!(parse(b"{\"keys\":[],\"keys\":[]}"), Err(JwksError::NotJson));
    assert_eq!(parse(b"{\"keys\":[]} x"), Err(JwksError::NotJson));
    assert_eq!(parse(format!("{{\"keys\":{}", "[".repeat(100_000)).as_bytes()), Err(JwksError::NotJson));
    assert_eq!(parse(b"{}"), Err(JwksError::NotAKeySet));
    assert_eq!(parse(b"{\"keys\":{}}"), Err(JwksError::NotAKeySet));
    assert_eq!(parse(b"{\"keys\":[]}"), Ok(0));
}

#[test]
fn jwk_12_the_number_of_keys_is_capped() {
    let parse = |count: usize| {
        let document = json!({"keys": vec![ec(); count]}).to_string();
        KeySet::parse(document.as_bytes(), &AlgorithmSet::default()).map(|set| set.len())
    };
    assert_eq!(parse(MAX_KEYS), Ok(MAX_KEYS));
    assert_eq!(parse(MAX_KEYS + 1), Err(JwksError::TooManyKeys));
}

#[test]
fn hdr_10_without_kid_exactly_one_key_must_fit() {
    let one = set(&[ec(), ed25519()]);
    assert!(matches!(one.select(Algorithm::Es256, None), Selection::Keys([Some(_), None, None, None])));
    // The keys of one JWK for two algorithms do not count twice.
    assert!(matches!(one.select(Algorithm::EdDsa, None), Selection::Keys([Some(_), None, ..])));
    assert!(matches!(one.select(Algorithm::Rs256, None), Selection::Missing));
    let two = set(&[ec(), with(ec(), "kid", "other")]);
    assert!(matches!(two.select(Algorithm::Es256, None), Selection::Ambiguous));
    assert!(matches!(two.select(Algorithm::Es256, Some("other")), Selection::Keys([Some(_), None, ..])));
    assert!(matches!(two.select(Algorithm::Es256, Some("")), Selection::Missing));
}

#[test]
fn key_13_and_14_keys_that_share_a_kid() {
    let shared = set(&[with(ec(), "kid", "k"), with(ed25519(), "kid", "k"), with(rsa(), "kid", "k")]);
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256] {
        let Selection::Keys([Some(key), None, ..]) = shared.select(algorithm, Some("k")) else {
            panic!("{algorithm}")
        };
        assert_eq!(key.algorithm(), algorithm);
    }
    // A key of that name, but not for that algorithm: final.
    assert!(matches!(set(&[ec()]).select(Algorithm::EdDsa, Some("ec")), Selection::OtherAlgorithm));
    assert!(matches!(set(&[ec()]).select(Algorithm::EdDsa, None), Selection::Missing));
    let many = set(&vec![ec(); 9]);
    let Selection::Keys(keys) = many.select(Algorithm::Es256, Some("ec")) else { panic!() };
    assert_eq!(keys.iter().flatten().count(), MAX_CANDIDATES);
}

#[test]
fn key_15_what_nobody_reads_is_ignored_whatever_it_is() {
    for ignored in
        [r#""z":1e999"#, r#""x5c":[1e999]"#, r#""z":{"a":[-1e400]}"#, r#""x5t":5"#, r#""ext":null"#]
    {
        let jwk = ec().to_string().replacen('{', &format!("{{{ignored},"), 1);
        let keys = import(&jwk, 0, &AlgorithmSet::default());
        assert_eq!(keys.map(|keys| keys.len()), Ok(1), "{ignored}");
    }
}

#[test]
fn a_key_prints_its_algorithm_and_name_and_nothing_else() {
    let keys = import(&ec().to_string(), 0, &AlgorithmSet::default()).unwrap();
    assert_eq!(format!("{:?}", keys[0]), r#"VerificationKey { algorithm: Es256, kid: Is("ec"), .. }"#);
    assert_eq!(Algorithm::Es256.to_string(), "ES256");
}
