//! Which keys of a set are used, and which are passed over without harm to the others (threats KEY-01 to KEY-15).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use bearergate::{
    Algorithm,
    AuthErrorKind::{AlgorithmNotAllowed, InvalidSignature, UnknownKey},
    ConfigError, Issuer, ResourceServer,
    testing::TokenBuilder,
};
use common::{
    Api, ISSUER, RESOURCE, encode, issuer, jwk,
    keys::{
        EcPair, EdPair, RsaPair, der, der_integer, hex, member, pem, pkcs1_der, pkcs1_encoding, point,
        sha256_info, spki_der,
    },
    log::Log,
    numbers::{at_length, sum},
    set, signed, supported, with, without,
};
use serde_json::{Value, json};

/// Every algorithm with a public key.
fn all_algorithms() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.iter().copied().filter(|algorithm| algorithm.is_supported())
}

fn trust(keys: impl IntoIterator<Item = Value>) -> Api {
    Api::trusting([Issuer::jwks(ISSUER, set(keys)).algorithms(all_algorithms())])
}

/// A good token but for its signature.
fn token(alg: &str, kid: &str) -> TokenBuilder {
    issuer([]).token_by(Algorithm::Ed25519).header("alg", alg).header("kid", kid)
}

/// A JWK under test: some key pair's own, and tokens that this pair signed.
struct Subject {
    jwk: Value,
    tokens: Vec<String>,
}

impl Subject {
    fn p256() -> Self {
        let pair = EcPair::p256();
        Self { jwk: pair.jwk("k"), tokens: vec![signed(&token("ES256", "k"), |text| pair.sign(text))] }
    }

    fn p521() -> Self {
        let pair = EcPair::p521();
        Self { jwk: pair.jwk("k"), tokens: vec![signed(&token("ES512", "k"), |text| pair.sign(text))] }
    }

    fn ed25519() -> Self {
        let pair = EdPair::new();
        let token = |alg| signed(&token(alg, "k"), |text| pair.sign(text));
        Self { jwk: pair.jwk("k"), tokens: vec![token("EdDSA"), token("Ed25519")] }
    }

    fn rsa() -> Self {
        let pair = RsaPair::rfc7520();
        let rs256 = signed(&token("RS256", "k"), |text| pair.rs256(text));
        let ps256 = signed(&token("PS256", "k"), |text| pair.ps256(text, 32));
        Self { jwk: pair.jwk("k"), tokens: vec![rs256, ps256] }
    }

    /// One of each kind that the backend of this run has.
    fn each() -> Vec<Self> {
        let mut each = vec![Self::p256(), Self::p521(), Self::ed25519(), Self::rsa()];
        each.retain(Self::is_supported);
        each
    }

    /// Whether the backend of this run has the algorithm: without it, the key is skipped as it is.
    fn is_supported(&self) -> bool {
        self.jwk["crv"] != "P-521" || supported(Algorithm::Es512)
    }

    /// This JWK is used, whatever stands beside it.
    #[track_caller]
    fn used(&self, jwk: &Value) {
        if !self.is_supported() {
            return self.skipped(jwk);
        }
        let (neighbour, good) = neighbour();
        let alone = trust([jwk.clone()]);
        let beside = trust([neighbour, jwk.clone()]);
        for token in &self.tokens {
            alone.accepts(token, format!("used: {jwk}"));
            beside.accepts(token, format!("used: {jwk}"));
        }
        beside.accepts(&good, format!("the key before {jwk}"));
    }

    /// This JWK is skipped: no key has its name then. Its neighbours stay, before and behind it.
    #[track_caller]
    fn skipped(&self, jwk: &Value) {
        let (neighbour, good) = neighbour();
        let alone = trust([jwk.clone()]);
        let before = trust([jwk.clone(), neighbour.clone()]);
        let behind = trust([neighbour, jwk.clone()]);
        for token in &self.tokens {
            for api in [&alone, &before, &behind] {
                let kind = if self.is_supported() { UnknownKey } else { AlgorithmNotAllowed };
                api.refuses(token, kind, format!("skipped: {jwk}"));
            }
        }
        before.accepts(&good, format!("the key behind {jwk}"));
        behind.accepts(&good, format!("the key before {jwk}"));
    }

    /// The JWK with one member changed.
    fn with(&self, name: &str, value: impl Into<Value>) -> Value {
        with(self.jwk.clone(), name, value)
    }
}

/// A key of another name, and a token for it.
fn neighbour() -> (Value, String) {
    let pair = EdPair::new();
    (pair.jwk("neighbour"), signed(&token("Ed25519", "neighbour"), |text| pair.sign(text)))
}

#[test]
fn each_subject_is_good_before_it_is_changed() {
    for subject in Subject::each() {
        subject.used(&subject.jwk);
    }
}

/// An odd number with exactly so many bits: as good as a modulus, for who does not know the factors.
fn odd_number(bits: usize) -> Vec<u8> {
    let mut number = vec![0xA7; bits.div_ceil(8)];
    let top = (bits - 1) % 8;
    number[0] = (number[0] & ((1_u16 << top) - 1) as u8) | (1 << top);
    number
}

#[test]
fn key_01_rsa_size() {
    let jwk = |bits| json!({"kty": "RSA", "kid": "k", "n": encode(odd_number(bits)), "e": "AQAB"});
    for (alg, length) in [("RS256", 256), ("PS256", 256), ("RS512", 1024)] {
        let token = signed(&token(alg, "k"), |_| vec![1; length]);
        for bits in [8, 512, 1024, 1536, 2040, 2046, 2047, 8193, 8200, 16384] {
            let subject = Subject { jwk: jwk(bits), tokens: vec![token.clone()] };
            subject.skipped(&subject.jwk);
        }
        // Used: the signature is looked at, and is none.
        for bits in [2048, 2049, 3072, 4096, 8191, 8192] {
            trust([jwk(bits)]).refuses(&token, InvalidSignature, format!("{alg}, {bits} bits"));
        }
    }
}

#[test]
fn key_01_rsa_exponent_of_one_signs_everything() {
    let pair = RsaPair::rfc7520();
    // With e = 1, s^e is s: the encoding itself would be the signature.
    let token = signed(&token("RS256", "k"), |text| pkcs1_encoding(&sha256_info(text), pair.n.len()));
    for e in [vec![1], vec![0, 1], vec![0, 0, 0, 1]] {
        let subject = Subject { jwk: with(pair.jwk("k"), "e", encode(e)), tokens: vec![token.clone()] };
        subject.skipped(&subject.jwk);
    }
}

#[test]
fn key_01_rsa_exponent_or_modulus_even() {
    let subject = Subject::rsa();
    for e in [vec![], vec![0], vec![2], vec![4], vec![1, 0, 0], vec![1, 0, 2]] {
        subject.skipped(&subject.with("e", encode(e)));
    }
    let mut even = RsaPair::rfc7520().n;
    *even.last_mut().unwrap() &= 0xFE;
    subject.skipped(&subject.with("n", encode(even)));
    subject.skipped(&subject.with("n", ""));
    subject.skipped(&subject.with("n", encode([0; 256])));
    // 34 bits: no backend verifies with it. Nor with one as long as the modulus.
    for e in [vec![2, 0, 0, 0, 1], vec![0xFF; 5], vec![1, 0, 0, 0, 0, 1], odd_number(2048)] {
        subject.skipped(&subject.with("e", encode(e)));
    }
    // Odd, above one, and up to 33 bits: used.
    for e in [vec![3], vec![17], vec![1, 0, 1], vec![0xFF; 4], vec![1, 0xFF, 0xFF, 0xFF, 0xFF]] {
        let other = with(RsaPair::rfc7520().jwk("k"), "e", encode(&e));
        let token = signed(&token("RS256", "k"), |_| vec![1; 256]);
        trust([other]).refuses(&token, InvalidSignature, format!("e = {e:?}"));
    }
    subject.used(&subject.jwk);
}

#[test]
fn key_02_points_that_are_not_on_the_curve() {
    for subject in [Subject::p256(), Subject::p521()] {
        let (x, y) = (member(&subject.jwk, "x"), member(&subject.jwk, "y"));
        let length = x.len();
        let point = |x: &[u8], y: &[u8]| {
            let (x, y) = (at_length(x, length), at_length(y, length));
            with(subject.with("x", encode(x)), "y", encode(y))
        };
        let zero = vec![0; length];
        subject.used(&point(&x, &y));
        subject.skipped(&point(&zero, &zero));
        subject.skipped(&point(&x, &zero));
        subject.skipped(&point(&zero, &y));
        subject.skipped(&point(&x, &sum(&y, &[1])));
        subject.skipped(&point(&sum(&x, &[1]), &y));
        subject.skipped(&point(&y, &x));
        subject.skipped(&point(&x, &x));
        subject.skipped(&point(&vec![0xFF; length], &vec![0xFF; length]));
    }
    // x + p is the same number modulo p, and the same size on P-521.
    let p521 = Subject::p521();
    let prime = [&[0x01], [0xFF; 65].as_slice()].concat();
    for name in ["x", "y"] {
        let larger = sum(&member(&p521.jwk, name), &prime);
        assert_eq!(larger.len(), 66);
        p521.skipped(&p521.with(name, encode(larger)));
    }
}

#[test]
fn key_02_ed25519_keys_that_are_no_point() {
    // For about half of all y there is no x with -x² + y² = 1 + dx²y² (RFC 8032 §5.1.3); 2 is the first such y.
    let subject = Subject::ed25519();
    let mut x = [0; 32];
    x[0] = 2;
    subject.skipped(&subject.with("x", encode(x)));
    x[31] = 0x80;
    subject.skipped(&subject.with("x", encode(x)));
    let pem = pem("PUBLIC KEY", &spki_der(&subject.with("x", encode(x))));
    assert!(matches!(build_with_pem(&pem), Err(ConfigError::FixedKeys { .. })));
    subject.used(&subject.jwk);
}

#[test]
fn key_02_coordinates_and_types_that_contradict_each_other() {
    let issuer = issuer([Algorithm::Es256, Algorithm::Es384]);
    let p384 = without(jwk(&issuer, Algorithm::Es384), "alg");
    let subject = Subject::p256();
    for crv in ["P-384", "P-521", "secp256k1", "Ed25519", "X25519", "p-256", "P256", "", "P-256 "] {
        subject.skipped(&subject.with("crv", crv));
    }
    for name in ["x", "y"] {
        subject.skipped(&subject.with(name, p384[name].clone()));
    }
    subject.skipped(&with(with(p384, "crv", "P-256"), "kid", "k"));
    for kty in ["RSA", "OKP", "oct", "ec", "Ec", "EC ", "", "AKP"] {
        subject.skipped(&subject.with("kty", kty));
    }
    for name in ["kty", "crv", "x", "y"] {
        subject.skipped(&without(subject.jwk.clone(), name));
        for value in [json!(null), json!(5), json!([subject.jwk[name]]), json!({})] {
            subject.skipped(&subject.with(name, value));
        }
    }

    let rsa = Subject::rsa();
    for kty in ["EC", "OKP", "oct", "rsa", "Rsa", ""] {
        rsa.skipped(&rsa.with("kty", kty));
    }
    for name in ["kty", "n", "e"] {
        rsa.skipped(&without(rsa.jwk.clone(), name));
        for value in [json!(null), json!(65537), json!([rsa.jwk[name]])] {
            rsa.skipped(&rsa.with(name, value));
        }
    }

    let ed = Subject::ed25519();
    for kty in ["EC", "RSA", "oct", "okp"] {
        ed.skipped(&ed.with("kty", kty));
    }
    for crv in ["X25519", "Ed448", "P-256", "ed25519", ""] {
        ed.skipped(&ed.with("crv", crv));
    }

    // Members of another key type beside its own count for nothing.
    subject.used(&with(subject.with("n", rsa.jwk["n"].clone()), "e", "AQAB"));
    rsa.used(&with(rsa.with("x", subject.jwk["x"].clone()), "crv", "P-256"));
    ed.used(&ed.with("y", subject.jwk["y"].clone()));
}

#[test]
fn key_03_coordinates_that_are_not_full_size() {
    for subject in [Subject::p256(), Subject::p521()] {
        let (x, y) = (member(&subject.jwk, "x"), member(&subject.jwk, "y"));
        // The same number without its leading zero octet, as careless libraries write it.
        assert_eq!(x[0], 0);
        subject.skipped(&subject.with("x", encode(&x[1..])));
        for (name, coordinate) in [("x", x), ("y", y)] {
            subject.skipped(&subject.with(name, encode([&[0], coordinate.as_slice()].concat())));
            subject.skipped(&subject.with(name, encode([coordinate.as_slice(), &[0]].concat())));
            subject.skipped(&subject.with(name, encode(&coordinate[..coordinate.len() - 1])));
            subject.skipped(&subject.with(name, ""));
        }
        subject.used(&subject.jwk);
    }
    let ed = Subject::ed25519();
    let x = member(&ed.jwk, "x");
    for odd in [&x[..31], &x[1..], &[x.as_slice(), &[0]].concat(), &[&[0], x.as_slice()].concat(), &[]] {
        ed.skipped(&ed.with("x", encode(odd)));
    }
    ed.used(&ed.jwk);
}

/// The y coordinates of the points of small order that RFC 8032 can write, little-endian.
fn small_order() -> Vec<Vec<u8>> {
    let canonical = [
        // order 4, 1, 2
        hex("0000000000000000000000000000000000000000000000000000000000000000"),
        hex("0100000000000000000000000000000000000000000000000000000000000000"),
        hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        // order 8
        hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ];
    // p and p + 1, which stand for 0 and 1.
    let others = [
        hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ];
    let with_sign = |mut point: Vec<u8>| {
        point[31] |= 0x80;
        point
    };
    canonical.into_iter().chain(others).flat_map(|point| [point.clone(), with_sign(point)]).collect()
}

#[test]
fn key_04_ed25519_keys_of_small_order() {
    // Under such a key, this signature holds for one text in at most eight, whoever writes the text.
    let universal = |r: &[u8]| [r, &[0; 32]].concat();
    let mut neutral = vec![0; 32];
    neutral[0] = 1;
    for x in small_order() {
        let tokens = (0..8).flat_map(|number| {
            let token = token("EdDSA", "k").claim("jti", number.to_string());
            [signed(&token, |_| universal(&neutral)), signed(&token, |_| universal(&x))]
        });
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": encode(&x)});
        let subject = Subject { jwk, tokens: tokens.collect() };
        subject.skipped(&subject.jwk);
        let pem = pem("PUBLIC KEY", &spki_der(&subject.jwk));
        assert!(matches!(build_with_pem(&pem), Err(ConfigError::FixedKeys { .. })), "{x:x?}");
    }
    let ed = Subject::ed25519();
    ed.used(&ed.jwk);
}

#[test]
fn key_04_ed25519_keys_that_are_not_canonical() {
    // y = p to 2^255 − 1, with either sign of x.
    let subject = Subject::ed25519();
    for low in 0xED..=0xFF {
        for high in [0x7F, 0xFF] {
            let mut x = vec![0xFF; 32];
            (x[0], x[31]) = (low, high);
            subject.skipped(&subject.with("x", encode(x)));
        }
    }
    subject.used(&subject.jwk);
}

#[test]
fn key_05_what_nobody_knows_is_skipped() {
    let x448 = encode([9; 56]);
    let (ed, p256) = (EdPair::new(), EcPair::p256());
    let subject = Subject {
        tokens: Subject::each().into_iter().flat_map(|each| each.tokens).collect(),
        ..Subject::p256()
    };
    for jwk in [
        json!({"kid": "k", "kty": "OKP", "crv": "X25519", "x": encode(&ed.x)}),
        json!({"kid": "k", "kty": "OKP", "crv": "X448", "x": x448}),
        json!({"kid": "k", "kty": "OKP", "crv": "Ed448", "x": encode([9; 57])}),
        json!({"kid": "k", "kty": "OKP", "crv": "Ed25519ph", "x": encode(&ed.x)}),
        json!({"kid": "k", "kty": "EC", "crv": "secp256k1", "x": encode(&p256.x), "y": encode(&p256.y)}),
        json!({"kid": "k", "kty": "EC", "crv": "P-256K", "x": encode(&p256.x), "y": encode(&p256.y)}),
        json!({"kid": "k", "kty": "EC", "crv": "brainpoolP256r1", "x": encode(&p256.x), "y": encode(&p256.y)}),
        json!({"kid": "k", "kty": "EC", "crv": "SM2", "x": encode(&p256.x), "y": encode(&p256.y)}),
        json!({"kid": "k", "kty": "AKP", "alg": "ML-DSA-44", "pub": encode([9; 1312])}),
        json!({"kid": "k", "kty": "PQK", "pset": "5", "xs": "x"}),
        json!({"kid": "k", "kty": "oct-ed"}),
        json!({"kid": "k"}),
        json!({}),
        json!(null),
        json!(5),
        json!("k"),
        json!([]),
        json!([p256.jwk("k")]),
        json!({"keys": [p256.jwk("k")]}),
    ] {
        subject.skipped(&jwk);
    }
    for subject in Subject::each() {
        for alg in ["ES256K", "Ed448", "ML-DSA-44", "RS1", "none", "", "foo", "es256", "rs256"] {
            subject.skipped(&subject.with("alg", alg));
        }
        for alg in [json!(null), json!(5), json!(["ES256"]), json!(true)] {
            subject.skipped(&subject.with("alg", alg));
        }
        subject.used(&subject.with("x-unknown", json!({"nested": [1, 2]})));
    }
}

#[test]
fn key_06_use() {
    for subject in Subject::each() {
        subject.used(&subject.jwk);
        subject.used(&subject.with("use", "sig"));
        for r#use in [
            json!("enc"),
            json!("SIG"),
            json!("Sig"),
            json!("sig "),
            json!("sign"),
            json!("sig enc"),
            json!(""),
            json!(null),
            json!(true),
            json!(1),
            json!(["sig"]),
            json!({"sig": true}),
        ] {
            subject.skipped(&subject.with("use", r#use));
        }
    }
}

#[test]
fn key_07_key_ops() {
    for subject in Subject::each() {
        subject.used(&subject.with("key_ops", json!(["verify"])));
        subject.used(&subject.with("key_ops", json!(["sign", "verify"])));
        subject.used(&subject.with("key_ops", json!(["verify", "x-own-operation"])));
        subject.used(&with(subject.with("key_ops", json!(["verify"])), "use", "sig"));
        for operations in [
            json!([]),
            json!(["sign"]),
            json!(["encrypt", "wrapKey"]),
            json!(["VERIFY"]),
            json!(["verify "]),
            json!([""]),
            json!([null]),
            json!([["verify"]]),
            json!("verify"),
            json!(null),
            json!(true),
            json!(5),
            json!({"verify": true}),
        ] {
            subject.skipped(&subject.with("key_ops", operations));
        }
        subject.skipped(&with(subject.with("key_ops", json!(["verify"])), "use", "enc"));
        subject.skipped(&with(subject.with("key_ops", json!(["sign"])), "use", "sig"));
    }
}

#[test]
fn key_08_alg_of_the_key() {
    let rsa = Subject::rsa();
    let [rs256, ps256] = rsa.tokens.as_slice() else { panic!("two tokens") };
    for (alg, fits, other) in [("RS256", rs256, ps256), ("PS256", ps256, rs256)] {
        let api = trust([rsa.with("alg", alg)]);
        api.accepts(fits, alg);
        api.refuses(other, UnknownKey, format!("a key for {alg}"));
    }
    for alg in ["RS384", "RS512", "PS384", "PS512", "ES256", "EdDSA", "HS256"] {
        rsa.skipped(&rsa.with("alg", alg));
    }
    let p256 = Subject::p256();
    p256.used(&p256.with("alg", "ES256"));
    for alg in ["ES384", "ES512", "RS256", "EdDSA", "HS256"] {
        p256.skipped(&p256.with("alg", alg));
    }
    let p521 = Subject::p521();
    p521.used(&p521.with("alg", "ES512"));
    // A misspelling that is seen in the wild.
    p521.skipped(&p521.with("alg", "ES521"));
}

#[test]
fn key_08_alg_of_the_key_is_for_encryption() {
    for subject in Subject::each() {
        for alg in
            ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "dir", "A128KW", "A256GCM"]
        {
            subject.skipped(&subject.with("alg", alg));
            subject.skipped(&with(subject.with("alg", alg), "use", "sig"));
        }
    }
}

#[test]
fn key_09_shared_secrets_are_never_used() {
    use aws_lc_rs::hmac;
    let secret = b"a secret that the whole world can read in the key set";
    let oct = json!({"kty": "oct", "kid": "k", "k": encode(secret)});
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mac = |message: &[u8]| hmac::sign(&key, message).as_ref().to_vec();
    let hs256 = signed(&token("HS256", "k"), mac);
    let es256 = signed(&token("ES256", "k"), |message| {
        // Of the length that the algorithm wants.
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, secret), message).as_ref().to_vec()
    });
    let subject = Subject { tokens: vec![es256], ..Subject::p256() };
    for jwk in [
        oct.clone(),
        with(oct.clone(), "alg", "HS256"),
        with(oct.clone(), "alg", "ES256"),
        with(oct.clone(), "use", "sig"),
        with(oct.clone(), "key_ops", json!(["sign", "verify"])),
        with(oct.clone(), "crv", "P-256"),
    ] {
        subject.skipped(&jwk);
        let (neighbour, good) = neighbour();
        let api = trust([jwk.clone(), neighbour]);
        api.refuses(&hs256, AlgorithmNotAllowed, &jwk);
        api.accepts(&good, &jwk);
    }
    let (_, log) = Log::during(|| trust([oct.clone()]));
    assert!(log.contains("WARN") && log.contains("shared secret"), "{log}");
    assert!(!log.contains(&encode(secret)), "{log}");
}

#[test]
fn key_10_private_members() {
    for subject in [Subject::p256(), Subject::p521(), Subject::ed25519()] {
        subject.skipped(&subject.with("d", encode([7; 32])));
        subject.skipped(&subject.with("d", ""));
        subject.skipped(&subject.with("d", json!(null)));
        subject.used(&subject.jwk);
    }
    let rsa = Subject::rsa();
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
        rsa.skipped(&rsa.with(name, encode([7; 128])));
    }
    rsa.skipped(&rsa.with("oth", json!([{"r": "Bw", "d": "Bw", "t": "Bw"}])));
    rsa.used(&rsa.jwk);

    let private = rsa.with("d", encode([7; 256]));
    let (_, log) = Log::during(|| trust([private]));
    assert!(log.contains("WARN") && log.contains("private key"), "{log}");
    assert!(!log.contains(&encode([7; 256])) && !log.contains(rsa.jwk["n"].as_str().unwrap()), "{log}");
    let (_, log) = Log::during(|| trust([rsa.jwk.clone()]));
    assert!(!log.contains("WARN"), "nothing to warn of: {log}");
}

#[test]
fn key_11_numbers_in_another_encoding() {
    for (subject, names) in [
        (Subject::p256(), &["x", "y"][..]),
        (Subject::p521(), &["x", "y"]),
        (Subject::ed25519(), &["x"]),
        (Subject::rsa(), &["n", "e"]),
    ] {
        for &name in names {
            let text = subject.jwk[name].as_str().unwrap();
            let mut others = vec![
                format!("{text}="),
                format!("{text}=="),
                format!(" {text}"),
                format!("{text} "),
                format!("{text}\n"),
                format!("{} {}", &text[..2], &text[2..]),
                format!("{}\n{}", &text[..2], &text[2..]),
                format!("{text}."),
                format!("{text}%3D"),
                format!("{text}A"),
            ];
            let standard = text.replace('-', "+").replace('_', "/");
            if standard != text {
                others.push(text.replace('-', "+"));
                others.push(text.replace('_', "/"));
                others.push(standard);
            }
            others.retain(|other| other != text);
            for other in others {
                subject.skipped(&subject.with(name, other));
            }
        }
        subject.used(&subject.jwk);
    }
}

#[test]
fn key_11_unused_bits_that_are_not_zero() {
    // 32 octets leave two bits of the last character, 256 octets leave four.
    for (subject, name) in [(Subject::p256(), "x"), (Subject::ed25519(), "x"), (Subject::rsa(), "n")] {
        let text = subject.jwk[name].as_str().unwrap();
        let (start, last) = text.split_at(text.len() - 1);
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let place = alphabet.find(last).unwrap();
        let other = &alphabet[place + 1..place + 2];
        subject.skipped(&subject.with(name, format!("{start}{other}")));
        subject.used(&subject.jwk);
    }
}

#[test]
fn key_12_kid_is_no_string() {
    for subject in Subject::each() {
        for kid in [json!(null), json!(5), json!(true), json!(["k"]), json!({"kid": "k"})] {
            subject.skipped(&subject.with("kid", kid.clone()));
            // Nor is it a key without a name.
            let nameless = token("ES256", "k").without_header("kid");
            let nameless = signed(&nameless, |text| EcPair::p256().sign(text));
            trust([subject.with("kid", kid)]).refuses(&nameless, UnknownKey, "no kid in the token either");
        }
    }
}

#[test]
fn key_12_duplicate_members() {
    for subject in Subject::each() {
        let text = subject.jwk.to_string();
        let trust = |jwk: &str| {
            let (neighbour, good) = neighbour();
            let jwks = format!(r#"{{"keys":[{jwk},{neighbour}]}}"#);
            let api = Api::trusting([Issuer::jwks(ISSUER, jwks).algorithms(all_algorithms())]);
            api.accepts(&good, jwk);
            api
        };
        for token in &subject.tokens {
            trust(&text).accepts(token, &text);
        }
        let mut doubled: Vec<String> = Vec::new();
        for (name, value) in subject.jwk.as_object().unwrap() {
            let escaped = format!(r"\u{:04x}{}", name.as_bytes()[0], &name[1..]);
            // The same again, another value, and the name written otherwise; first or last.
            for again in [
                format!(r#""{name}":{value}"#),
                format!(r#""{name}":"x""#),
                format!(r#""{escaped}":{value}"#),
            ] {
                doubled.push(text.replacen('{', &format!("{{{again},"), 1));
                doubled.push(format!("{},{again}}}", &text[..text.len() - 1]));
            }
        }
        for more in [
            r#""alg":"ES256","alg":"ES256""#,
            r#""use":"sig","use":"sig""#,
            r#""unread":1,"unread":1"#,
            r#""unread":{"a":1,"a":1}"#,
        ] {
            doubled.push(text.replacen('{', &format!("{{{more},"), 1));
        }
        for jwk in doubled {
            for token in &subject.tokens {
                trust(&jwk).refuses(token, UnknownKey, &jwk);
            }
        }
    }
}

#[test]
fn key_13_one_name_for_keys_of_different_kind() {
    let subjects = Subject::each();
    let keys: Vec<_> = subjects.iter().map(|subject| subject.jwk.clone()).collect();
    let reversed: Vec<_> = keys.iter().rev().cloned().collect();
    for keys in [keys, reversed] {
        let api = trust(keys);
        for token in subjects.iter().flat_map(|subject| &subject.tokens) {
            api.accepts(token, "the fitting one of four");
        }
    }
    let rsa = Subject::rsa();
    let api = trust([rsa.with("alg", "RS256"), rsa.with("alg", "PS256"), rsa.with("alg", "RS512")]);
    for token in &rsa.tokens {
        api.accepts(token, "one key per algorithm");
    }
}

#[test]
fn key_14_one_name_for_several_fitting_keys() {
    // As many issuers as keys, all with a key of one name.
    let issuers: Vec<_> = (0..6).map(|_| issuer([Algorithm::Es256])).collect();
    let keys: Vec<_> = issuers.iter().map(|issuer| jwk(issuer, Algorithm::Es256)).collect();
    let tokens: Vec<_> = issuers.iter().map(|issuer| issuer.token().mint()).collect();
    for count in 1..=6 {
        let api = trust(keys[..count].to_vec());
        for again in 0..3 {
            for (place, token) in tokens.iter().enumerate() {
                let what = format!("key {place} of {count}, time {again}");
                // At most four signatures are tried: a fifth key of that name is never asked.
                if place < count.min(4) {
                    api.accepts(token, what);
                } else {
                    api.refuses(token, InvalidSignature, what);
                }
            }
        }
    }
}

#[test]
fn key_14_keys_that_do_not_fit_do_not_count() {
    let issuer = issuer([Algorithm::Es256]);
    let real = jwk(&issuer, Algorithm::Es256);
    let named = |jwk: Value| with(jwk, "kid", real["kid"].clone());
    let others = (0..10).flat_map(|_| {
        [named(EdPair::new().jwk("")), named(RsaPair::rfc7520().jwk("")), named(EcPair::p521().jwk(""))]
    });
    trust(others.chain([real.clone()])).accepts(&issuer.token().mint(), "behind thirty of other kinds");
    let unusable = (0..10).map(|_| with(real.clone(), "use", "enc"));
    trust(unusable.chain([real.clone()])).accepts(&issuer.token().mint(), "behind ten that are not used");
}

#[test]
fn key_15_certificates_in_a_jwk_are_ignored() {
    // The certificate of another key, and none at all.
    let other = encode(spki_der(&EdPair::new().jwk("other")));
    for subject in Subject::each() {
        for (name, value) in [
            ("x5c", json!([other])),
            ("x5c", json!(["not base64 at all!"])),
            ("x5c", json!([""])),
            ("x5c", json!([])),
            ("x5t", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAA")),
            ("x5t", json!("")),
            ("x5t", json!("ü")),
            ("x5t#S256", json!("AAAA")),
            ("x5u", json!("https://attacker.example/certificate.pem")),
            ("x5u", json!("not a URL")),
        ] {
            subject.used(&subject.with(name, value));
        }
    }
}

#[test]
fn key_15_certificate_members_of_a_wrong_type_are_ignored() {
    for subject in Subject::each() {
        for name in ["x5c", "x5t", "x5t#S256", "x5u"] {
            for value in [json!("text"), json!(5), json!(null), json!(false), json!([5]), json!({})] {
                subject.used(&subject.with(name, value));
            }
        }
    }
}

/// An API that trusts one PEM public key.
fn build_with_pem(pem: &str) -> Result<ResourceServer, ConfigError> {
    let issuer = Issuer::pem(ISSUER, pem).algorithms(all_algorithms());
    ResourceServer::builder(RESOURCE).trust(issuer).build()
}

#[test]
fn pem_keys_serve_tokens_with_any_kid() {
    for subject in Subject::each() {
        let pem_text = pem("PUBLIC KEY", &spki_der(&subject.jwk));
        for text in [pem_text.clone(), format!("\n {pem_text}\n\n"), pem_text.replace('\n', "\r\n")] {
            let api = Api::trusting([Issuer::pem(ISSUER, text).algorithms(all_algorithms())]);
            for token in &subject.tokens {
                api.accepts(token, &subject.jwk);
            }
        }
    }
    let pair = RsaPair::rfc7520();
    let pkcs1 = pem("RSA PUBLIC KEY", &pkcs1_der(&pair.jwk("")));
    let api = Api::trusting([Issuer::pem(ISSUER, pkcs1)]);
    for token in [token("RS256", "any"), token("RS256", ""), token("RS256", "").without_header("kid")] {
        api.accepts(&signed(&token, |text| pair.rs256(text)), token.header_json());
        api.refuses(&signed(&token, |_| vec![1; 256]), InvalidSignature, token.header_json());
    }
    let other = token("ES256", "any");
    api.refuses(&signed(&other, |text| EcPair::p256().sign(text)), UnknownKey, "a key of another kind");
}

#[test]
fn key_01_to_03_hold_for_pem_too() {
    let good = EcPair::p256().jwk("k");
    assert!(build_with_pem(&pem("PUBLIC KEY", &spki_der(&good))).is_ok());
    let y = sum(&member(&good, "y"), &[1]);
    let off_curve = with(good.clone(), "y", encode(y));
    let short = with(good.clone(), "x", encode(&member(&good, "x")[1..]));
    let rsa = |bits, e: &[u8]| json!({"kty": "RSA", "n": encode(odd_number(bits)), "e": encode(e)});
    assert!(build_with_pem(&pem("PUBLIC KEY", &spki_der(&rsa(2048, &[1, 0, 1])))).is_ok());
    for (what, jwk) in [
        ("off the curve", off_curve),
        ("short", short),
        ("lying about its curve", with(good.clone(), "crv", "P-384")),
        ("1024 bits", rsa(1024, &[1, 0, 1])),
        ("2047 bits", rsa(2047, &[1, 0, 1])),
        ("8193 bits", rsa(8193, &[1, 0, 1])),
        ("e = 1", rsa(2048, &[1])),
        ("e = 4", rsa(2048, &[4])),
    ] {
        let result = build_with_pem(&pem("PUBLIC KEY", &spki_der(&jwk)));
        assert!(matches!(result, Err(ConfigError::FixedKeys { .. })), "{what}: {result:?}");
    }
    for bits in [1024, 2047, 8193] {
        let result = build_with_pem(&pem("RSA PUBLIC KEY", &pkcs1_der(&rsa(bits, &[1, 0, 1]))));
        assert!(matches!(result, Err(ConfigError::FixedKeys { .. })), "{bits}: {result:?}");
    }
    // SubjectPublicKeyInfo with octets behind the point, and one whose point is compressed.
    let algorithm =
        der(0x30, &[der(0x06, &hex("2a8648ce3d0201")), der(0x06, &hex("2a8648ce3d030107"))].concat());
    let info = |key: &[u8]| der(0x30, &[algorithm.clone(), der(0x03, &[&[0], key].concat())].concat());
    assert!(build_with_pem(&pem("PUBLIC KEY", &info(&point(&good)))).is_ok());
    let longer = [point(&good), vec![0]].concat();
    let compressed = [&[2], member(&good, "x").as_slice()].concat();
    for key in [longer.as_slice(), &compressed, &[], &[4], &[0]] {
        let result = build_with_pem(&pem("PUBLIC KEY", &info(key)));
        assert!(matches!(result, Err(ConfigError::FixedKeys { .. })), "{key:x?}: {result:?}");
    }
    let negative = der(0x30, &[der(0x02, &odd_number(2048)), der_integer(&[1, 0, 1])].concat());
    let result = build_with_pem(&pem("RSA PUBLIC KEY", &negative));
    assert!(matches!(result, Err(ConfigError::FixedKeys { .. })), "a negative modulus: {result:?}");
}

#[test]
fn pem_of_an_unknown_curve_or_under_another_label_is_refused() {
    let reason = |pem: &str| match build_with_pem(pem).unwrap_err() {
        ConfigError::FixedKeys { reason, .. } => reason,
        other => panic!("{other}"),
    };
    // id-ecPublicKey on secp256k1.
    let head = hex("3056301006072a8648ce3d020106052b8104000a034200");
    let key = [head.as_slice(), &[0x04], &[7; 64]].concat();
    assert!(reason(&pem("PUBLIC KEY", &key)).contains("not supported"));
    let good = pem("PUBLIC KEY", &spki_der(&Subject::p256().jwk));
    assert!(build_with_pem(&good).is_ok());
    assert!(reason(&format!("RSA PUBLIC KEY\n{good}")).contains("PEM"));
}
