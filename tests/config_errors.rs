//! What cannot work is said when the server is built, to who can change it, and without a secret in the message.
#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, reason = "helpers of tests")]

mod common;

use std::{error::Error as _, time::Duration};

use bearergate::{
    Algorithm, ConfigError, InvalidScope, Issuer, KeySnapshots, ResourceServer, ResourceServerBuilder, Scopes,
};
use common::{
    ISSUER, NoNetwork, RESOURCE, encode, issuer,
    keys::{EcPair, EdPair, RsaPair, der, hex, pem, pkcs1_der, spki_der},
    set, supported,
};
use serde_json::json;

fn builder() -> ResourceServerBuilder {
    ResourceServer::builder(RESOURCE).http_client(NoNetwork::default())
}

/// A good entry with fixed keys.
fn good() -> Issuer {
    Issuer::jwks(ISSUER, set([EdPair::new().jwk("ed")]))
}

fn build(issuer: Issuer) -> Result<ResourceServer, ConfigError> {
    builder().trust(issuer).build()
}

#[track_caller]
fn refused(issuer: Issuer) -> ConfigError {
    match build(issuer) {
        Ok(server) => panic!("must not build: {server:?}"),
        Err(error) => error,
    }
}

/// Everything that an error shows: its message, its `Debug`, and those of its causes.
fn everything(error: &ConfigError) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}

#[test]
fn a_good_configuration_builds() {
    assert!(build(good()).is_ok());
    assert!(builder().trust(good()).trust(Issuer::discover("https://other.example")).build().is_ok());
    assert!(ResourceServer::builder(RESOURCE).trust(good()).build().is_ok(), "with the built-in client");
}

#[test]
fn empty_resource() {
    let build = |resource: &str| ResourceServer::builder(resource).trust(good().audiences(["x"])).build();
    let error = build("").unwrap_err();
    assert!(matches!(error, ConfigError::EmptyResource), "{error}");
    assert!(error.to_string().contains("ResourceServer::builder"), "{error}");
    assert!(build("api").is_ok(), "any text is an identifier");
}

#[test]
fn limit_for_tokens_out_of_range() {
    let build = |bytes: usize| builder().trust(good()).max_token_bytes(bytes).build();
    for bytes in [0, 64 * 1024 + 1, usize::MAX] {
        let error = build(bytes).unwrap_err();
        assert!(matches!(error, ConfigError::TokenLimit { bytes: told } if told == bytes), "{error}");
        assert!(error.to_string().contains(".max_token_bytes(..)"), "{error}");
    }
    for bytes in [1, 16 * 1024, 64 * 1024] {
        assert!(build(bytes).is_ok(), "{bytes}");
    }
}

#[test]
fn no_issuer() {
    let error = builder().build().unwrap_err();
    assert!(matches!(error, ConfigError::NoIssuer), "{error}");
    assert!(error.to_string().contains(".trust("), "{error}");
}

#[test]
fn empty_issuer() {
    let jwks = set([EdPair::new().jwk("ed")]);
    for issuer in [
        Issuer::jwks("", jwks),
        Issuer::discover(""),
        Issuer::jwks_uri("", "https://issuer.example/jwks"),
        Issuer::pem("", pem("PUBLIC KEY", &spki_der(&EdPair::new().jwk("")))),
    ] {
        let error = refused(issuer);
        assert!(matches!(error, ConfigError::EmptyIssuer), "{error}");
    }
}

#[test]
fn empty_audience() {
    for audiences in [vec![""], vec!["a", ""], vec!["", "a"]] {
        let error = refused(good().audiences(audiences));
        assert!(matches!(error, ConfigError::EmptyAudience), "{error}");
    }
    assert!(build(good().audiences(["a", "b"])).is_ok());
}

#[test]
fn empty_list_of_audiences() {
    let none: [&str; 0] = [];
    let error = refused(good().audiences(none));
    assert!(matches!(&error, ConfigError::NoAudience { issuer } if issuer == ISSUER), "{error}");
    assert!(build(good().audiences(["a"])).is_ok());
}

#[test]
fn jwk_15_plain_http_without_opt_in() {
    for url in ["http://127.0.0.1:8080", "http://127.8.9.10", "http://[::1]:8080", "http://localhost:8080"] {
        for issuer in [Issuer::discover(url), Issuer::jwks_uri(ISSUER, url)] {
            let error = refused(issuer.clone());
            assert!(matches!(error, ConfigError::UnusableUrl { .. }), "{url}: {error}");
            assert!(error.to_string().contains(".allow_http_on_loopback()"), "{url}: {error}");
            assert!(build(issuer.allow_http_on_loopback()).is_ok(), "{url} with the opt-in");
        }
    }
}

#[test]
fn jwk_15_plain_http_to_another_machine() {
    for url in [
        "http://issuer.example",
        "http://issuer.example:443",
        "HTTP://issuer.example",
        "http://10.0.0.1",
        "http://192.168.0.1",
        "http://169.254.169.254",
        "http://0.0.0.0",
        "http://[::]",
        "http://[fe80::1]",
        "http://126.255.255.255",
        "http://128.0.0.1",
        "http://localhost.issuer.example",
        "http://127.0.0.1.issuer.example",
        "http://localhosts",
        "http://issuer.example/localhost",
    ] {
        for issuer in [Issuer::discover(url), Issuer::jwks_uri(ISSUER, url)] {
            for issuer in [issuer.clone(), issuer.allow_http_on_loopback()] {
                let error = refused(issuer);
                assert!(matches!(error, ConfigError::UnusableUrl { .. }), "{url}: {error}");
                assert!(error.to_string().contains("https"), "{url}: {error}");
            }
        }
        assert!(
            build(Issuer::discover(url.to_lowercase().replace("http:", "https:"))).is_ok(),
            "{url} by https"
        );
    }
}

#[test]
fn other_schemes() {
    for url in [
        "ftp://issuer.example",
        "file:///etc/passwd",
        "data:application/json,{}",
        "urn:issuer",
        "ws://issuer.example",
    ] {
        for issuer in [Issuer::discover(url), Issuer::jwks_uri(ISSUER, url).allow_http_on_loopback()] {
            let error = refused(issuer);
            assert!(matches!(error, ConfigError::UnusableUrl { .. }), "{url}: {error}");
        }
    }
    let fixed = Issuer::jwks("urn:issuer", set([EdPair::new().jwk("ed")]));
    assert!(build(fixed).is_ok(), "where nothing is fetched, any text is an identifier");
}

#[test]
fn hmac_algorithms_with_public_keys() {
    for (algorithm, name) in
        [(Algorithm::Hs256, "HS256"), (Algorithm::Hs384, "HS384"), (Algorithm::Hs512, "HS512")]
    {
        for list in [vec![algorithm], vec![Algorithm::EdDsa, algorithm], vec![algorithm, Algorithm::EdDsa]] {
            let error = refused(good().algorithms(list));
            let ConfigError::SymmetricAlgorithm { issuer, algorithm } = &error else { panic!("{error}") };
            assert_eq!((issuer.as_str(), *algorithm), (ISSUER, name));
        }
    }
    let others = || Algorithm::ALL.iter().copied().filter(|algorithm| algorithm.is_supported());
    let error = refused(good().algorithms(others().chain([Algorithm::Hs256])));
    assert!(matches!(error, ConfigError::SymmetricAlgorithm { .. }), "{error}");
    assert!(build(good().algorithms(others())).is_ok());
}

#[test]
fn algorithms_that_the_backend_has_not() {
    let asymmetric =
        || Algorithm::ALL.iter().copied().filter(|algorithm| !algorithm.name().starts_with("HS"));
    for algorithm in asymmetric().filter(|algorithm| algorithm.is_default()) {
        assert!(algorithm.is_supported(), "{algorithm} is on the default list");
    }
    for algorithm in asymmetric() {
        assert_eq!(build(good().algorithms([Algorithm::EdDsa, algorithm])).is_ok(), supported(algorithm));
    }
    let unsupported = asymmetric().filter(|algorithm| !algorithm.is_supported());
    for (algorithm, name) in unsupported.map(|algorithm| (algorithm, algorithm.name())) {
        let error = refused(good().algorithms([Algorithm::EdDsa, algorithm]));
        let ConfigError::UnsupportedAlgorithm { issuer, algorithm } = &error else { panic!("{error}") };
        assert_eq!((issuer.as_str(), *algorithm), (ISSUER, name));
    }
}

#[test]
fn empty_list_of_algorithms() {
    let error = refused(good().algorithms([]));
    assert!(matches!(&error, ConfigError::NoAlgorithm { issuer } if issuer == ISSUER), "{error}");
    assert!(build(good().algorithms([Algorithm::EdDsa])).is_ok());
}

#[test]
fn two_entries_for_one_issuer() {
    for second in [good(), good().audiences(["x"]), Issuer::discover(ISSUER)] {
        let error = builder().trust(good()).trust(second).build().unwrap_err();
        assert!(matches!(&error, ConfigError::DuplicateIssuer { issuer } if issuer == ISSUER), "{error}");
    }
}

#[test]
fn trailing_slash_twins_are_two_issuers() {
    let twin = Issuer::jwks("https://issuer.example/", set([EdPair::new().jwk("ed")]));
    let server = builder().trust(good()).trust(twin).build().unwrap();
    let mut list = server.issuers().list();
    list.sort();
    assert_eq!(list, [ISSUER, "https://issuer.example/"]);
    let by_discovery = ["https://issuer.example", "https://issuer.example/"].map(Issuer::discover);
    let [first, second] = by_discovery;
    assert!(builder().trust(first).trust(second).build().is_ok());
}

#[test]
fn leeway_above_the_limit() {
    for leeway in
        [Duration::from_millis(300_001), Duration::from_secs(301), Duration::from_secs(3600), Duration::MAX]
    {
        let error = refused(good().leeway(leeway));
        let ConfigError::LeewayTooLong { issuer, seconds } = &error else { panic!("{error}") };
        assert_eq!((issuer.as_str(), *seconds), (ISSUER, leeway.as_secs()));
    }
    for leeway in [Duration::ZERO, Duration::from_secs(60), Duration::from_secs(300)] {
        assert!(build(good().leeway(leeway)).is_ok(), "{leeway:?}");
    }
}

#[test]
fn invalid_urls() {
    for url in [
        "issuer.example",
        "/path",
        "//issuer.example",
        "https://",
        "https://[1",
        "https://a b",
        "https://x:99999",
        " ",
    ] {
        for issuer in [Issuer::discover(url), Issuer::jwks_uri(ISSUER, url)] {
            let error = refused(issuer);
            assert!(matches!(error, ConfigError::InvalidUrl { .. }), "{url}: {error}");
            assert!(error.source().is_some(), "{url}: the parser's reason is the cause");
            assert!(error.to_string().contains("https://host/path"), "{url}: {error}");
        }
    }
}

#[test]
fn fragments_and_queries() {
    let with_fragment = refused(Issuer::discover("https://issuer.example#x"));
    assert!(matches!(with_fragment, ConfigError::UnusableUrl { .. }), "{with_fragment}");
    let with_fragment = refused(Issuer::jwks_uri(ISSUER, "https://issuer.example/jwks#x"));
    assert!(matches!(with_fragment, ConfigError::UnusableUrl { .. }), "{with_fragment}");
    // RFC 8414 §2: an issuer identifier has no query. The place of a key set may have one.
    let with_query = refused(Issuer::discover("https://issuer.example?tenant=1"));
    assert!(matches!(with_query, ConfigError::UnusableUrl { .. }), "{with_query}");
    assert!(build(Issuer::jwks_uri(ISSUER, "https://issuer.example/jwks?tenant=1")).is_ok());
    assert!(build(Issuer::discover("https://issuer.example/tenant/1")).is_ok());
}

/// URLs with the password `hunter2` in them, well-formed or not.
const WITH_PASSWORD: [&str; 11] = [
    "https://user:hunter2@issuer.example",
    "https://user:hunter2@issuer.example/path?query",
    "https://:hunter2@issuer.example",
    "https://hunter2@issuer.example",
    "http://user:hunter2@127.0.0.1:8080",
    "ftp://user:hunter2@issuer.example",
    "https://user:hunter2@",
    "https://user:hunter2@issuer.example:99999",
    "https://user:hunter2@[1",
    "//user:hunter2@issuer.example",
    "https://user:hunter2@issuer.example#fragment",
];

#[test]
fn jwk_15_a_url_with_credentials_is_refused_and_not_shown() {
    for url in WITH_PASSWORD {
        for issuer in [Issuer::discover(url), Issuer::jwks_uri(ISSUER, url)] {
            for issuer in [issuer.clone(), issuer.allow_http_on_loopback()] {
                let error = refused(issuer);
                let expected =
                    matches!(error, ConfigError::UnusableUrl { .. } | ConfigError::InvalidUrl { .. });
                assert!(expected, "{url}: {error}");
                assert!(!everything(&error).contains("hunter2"), "{url}: {}", everything(&error));
            }
        }
    }
    let error = refused(Issuer::discover("https://user:hunter2@issuer.example/path"));
    assert!(error.to_string().contains("issuer.example/path"), "what is meant can still be seen: {error}");
    assert!(error.to_string().contains("credentials"), "{error}");
}

#[test]
fn jwk_15_what_a_query_holds_is_not_shown() {
    for url in [
        "http://issuer.example/jwks?key=hunter2",
        "https://issuer.example/jwks?key=hunter2#fragment",
        "https://issuer.example/jwks#hunter2",
        "https://issuer.example:99999/jwks?key=hunter2",
        "issuer.example/jwks?at=a@key=hunter2",
        "https://user@[1/jwks?at=a@key=hunter2",
        "https://user:hunter2@issuer.example/jwks?key=hunter2",
    ] {
        for issuer in [Issuer::discover(url), Issuer::jwks_uri(ISSUER, url)] {
            let error = refused(issuer);
            assert!(!everything(&error).contains("hunter2"), "{url}: {}", everything(&error));
        }
    }
    let error = refused(Issuer::jwks_uri(ISSUER, "http://issuer.example/jwks?key=hunter2"));
    assert!(error.to_string().contains("`http://issuer.example/jwks`"), "what is meant can be seen: {error}");
}

#[test]
fn an_issuer_identifier_with_credentials_is_refused_whatever_its_keys() {
    let secret = "https://user:hunter2@issuer.example";
    for issuer in [
        Issuer::jwks(secret, "{\"keys\":[]}"),
        Issuer::jwks_uri(secret, "https://issuer.example/jwks"),
        Issuer::pem(secret, "no key"),
        Issuer::jwks("https://user@issuer.example", "{\"keys\":[]}"),
    ] {
        let error = refused(issuer);
        assert!(matches!(error, ConfigError::UnusableUrl { .. }), "{error}");
        assert!(!everything(&error).contains("hunter2"), "{error}");
    }
    assert!(build(Issuer::jwks("urn:issuer:user@example", "{\"keys\":[]}")).is_ok());
}

#[test]
fn a_url_with_credentials_and_without_its_scheme_is_not_shown() {
    // For a parser of URLs, `user` and `mailto` are schemes here.
    for url in [
        "user:hunter2@issuer.example",
        "user:hunter2@issuer.example:8080/path",
        "mailto:user:hunter2@issuer.example",
    ] {
        for issuer in [Issuer::discover(url), Issuer::jwks_uri(ISSUER, url)] {
            let error = refused(issuer);
            assert!(!everything(&error).contains("hunter2"), "{url}: {}", everything(&error));
        }
    }
}

#[test]
fn a_url_with_credentials_is_not_shown_when_something_else_is_wrong_too() {
    let none: [&str; 0] = [];
    for url in WITH_PASSWORD {
        for issuer in [
            Issuer::discover(url).algorithms([]),
            Issuer::discover(url).algorithms([Algorithm::Hs256]),
            Issuer::discover(url).leeway(Duration::from_secs(301)),
            Issuer::discover(url).audiences(none),
            Issuer::discover(url).audiences([""]),
        ] {
            let error = refused(issuer);
            assert!(!everything(&error).contains("hunter2"), "{url}: {}", everything(&error));
        }
    }
}

#[test]
fn fixed_keys_that_are_no_set() {
    let key = EdPair::new().jwk("ed").to_string();
    for text in [
        "",
        " ",
        "null",
        "5",
        "\"keys\"",
        "[]",
        "{}",
        "<!DOCTYPE html><html></html>",
        "keys",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":"x"}"#,
        r#"{"keys":5}"#,
        r#"{"Keys":[]}"#,
        r#"{"key":[]}"#,
        r#"{"x":{"keys":[]}}"#,
        r#"{"keys":[]"#,
        r#"{"keys":[]}x"#,
        r#"{"keys":[]}{}"#,
        r#"{"keys":[],}"#,
        r#"{"keys":[,]}"#,
        r#"{'keys':[]}"#,
        "\u{feff}{\"keys\":[]}",
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[],"\u006beys":[]}"#,
        &key,
        &format!("[{key}]"),
        &format!(r#"{{"keys":{key}}}"#),
        &format!(r#"{{"keys":[{}]}}"#, "[".repeat(100_000)),
    ] {
        let error = refused(Issuer::jwks(ISSUER, text));
        assert!(
            matches!(&error, ConfigError::FixedKeys { issuer, .. } if issuer == ISSUER),
            "{text}: {error}"
        );
        assert!(error.to_string().contains("JWK Set"), "{error}");
    }
    for text in [format!(r#"{{"keys":[{key}]}}"#), format!(" {{ \"x\" : 1, \"keys\" : [ {key} ] }}\n")] {
        assert!(build(Issuer::jwks(ISSUER, text)).is_ok());
    }
    // Its owner is warned; its tokens are refused.
    assert!(build(Issuer::jwks(ISSUER, r#"{"keys":[]}"#)).is_ok());
}

#[test]
fn fixed_keys_that_are_too_many() {
    let keys = |count: usize| set((0..count).map(|number| EdPair::new().jwk(&number.to_string())));
    assert!(build(Issuer::jwks(ISSUER, keys(256))).is_ok());
    let error = refused(Issuer::jwks(ISSUER, keys(257)));
    assert!(matches!(error, ConfigError::FixedKeys { .. }), "{error}");
}

#[test]
fn fixed_keys_in_a_file() {
    let directory = std::env::temp_dir().join(format!("bearergate-config-errors-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let missing = directory.join("missing.json");
    let error = refused(Issuer::jwks_file(ISSUER, &missing));
    let ConfigError::KeyFile { issuer, path, source } = &error else { panic!("{error}") };
    assert_eq!((issuer.as_str(), path.as_str()), (ISSUER, missing.to_str().unwrap()));
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    let error = refused(Issuer::jwks_file(ISSUER, &directory));
    assert!(matches!(error, ConfigError::KeyFile { .. }), "a folder: {error}");

    let file = directory.join("jwks.json");
    std::fs::write(&file, [b"{\"keys\":[],\"x\":\"".as_slice(), &[0xFF], b"\"}"].concat()).unwrap();
    let error = refused(Issuer::jwks_file(ISSUER, &file));
    assert!(matches!(error, ConfigError::FixedKeys { .. }), "not UTF-8: {error}");
    std::fs::write(&file, set([EdPair::new().jwk("ed")])).unwrap();
    assert!(build(Issuer::jwks_file(ISSUER, &file)).is_ok());
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Octets that stand for a private key: no message may show them.
fn private_octets() -> Vec<u8> {
    b"these octets are the private key ".repeat(8)
}

#[test]
fn private_keys_in_pem() {
    for label in
        ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"]
    {
        let text = pem(label, &private_octets());
        let error = refused(Issuer::pem(ISSUER, text.as_str()));
        assert!(matches!(&error, ConfigError::FixedKeys { issuer, .. } if issuer == ISSUER), "{error}");
        assert!(error.to_string().contains("private key"), "{label}: {error}");
        for line in text.lines().filter(|line| !line.starts_with("-----")) {
            assert!(!everything(&error).contains(line), "{label}: {error}");
        }
    }
}

#[test]
fn a_private_key_beside_the_public_one_in_pem() {
    let public = pem("PUBLIC KEY", &spki_der(&EdPair::new().jwk("")));
    let private = pem("PRIVATE KEY", &private_octets());
    assert!(build(Issuer::pem(ISSUER, public.as_str())).is_ok());
    for text in [format!("{public}{private}"), format!("{private}{public}")] {
        let error = refused(Issuer::pem(ISSUER, text));
        assert!(matches!(error, ConfigError::FixedKeys { .. }), "{error}");
    }
}

#[test]
fn certificates_in_pem() {
    for label in ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE REQUEST"] {
        let error = refused(Issuer::pem(ISSUER, pem(label, &spki_der(&EdPair::new().jwk("")))));
        assert!(matches!(error, ConfigError::FixedKeys { .. }), "{error}");
        assert!(error.to_string().contains("certificate"), "{label}: {error}");
    }
}

#[test]
fn pem_that_is_no_public_key() {
    let public = pem("PUBLIC KEY", &spki_der(&EdPair::new().jwk("")));
    let unknown = der(0x30, &[der(0x30, &der(0x06, &hex("2b656e"))), der(0x03, &[0; 33])].concat());
    let rsa = RsaPair::rfc7520().jwk("");
    for (what, text) in [
        ("nothing", String::new()),
        ("text", "hello".to_owned()),
        ("a JWK", EdPair::new().jwk("").to_string()),
        ("DER in base64", encode(spki_der(&rsa))),
        ("an SSH key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI user@host".to_owned()),
        ("end missing", public.replace("-----END PUBLIC KEY-----", "")),
        ("beginning missing", public.replace("-----BEGIN PUBLIC KEY-----", "")),
        ("damaged", public.replace("MCow", "M!ow")),
        ("labels differ", public.replace("END PUBLIC", "END RSA PUBLIC")),
        ("cut short", pem("PUBLIC KEY", &spki_der(&rsa)[..100])),
        ("empty", pem("PUBLIC KEY", &[])),
        ("PKCS#1 under the other label", pem("PUBLIC KEY", &pkcs1_der(&rsa))),
        ("SPKI under the other label", pem("RSA PUBLIC KEY", &spki_der(&rsa))),
        ("X25519", pem("PUBLIC KEY", &unknown)),
        ("another label", pem("EC PARAMETERS", &hex("06082a8648ce3d030107"))),
        ("two keys", format!("{public}{public}")),
    ] {
        let error = refused(Issuer::pem(ISSUER, text));
        assert!(matches!(error, ConfigError::FixedKeys { .. }), "{what}: {error}");
    }
    assert!(build(Issuer::pem(ISSUER, public)).is_ok());
}

#[test]
fn pem_that_fits_no_allowed_algorithm() {
    let text = pem("PUBLIC KEY", &spki_der(&EcPair::p256().jwk("")));
    let error = refused(Issuer::pem(ISSUER, text.as_str()).algorithms([Algorithm::Es384, Algorithm::Rs256]));
    assert!(matches!(error, ConfigError::FixedKeys { .. }), "{error}");
    assert!(error.to_string().contains(".algorithms("), "{error}");
    assert!(build(Issuer::pem(ISSUER, text).algorithms([Algorithm::Es256])).is_ok());
    let p521 = pem("PUBLIC KEY", &spki_der(&EcPair::p521().jwk("")));
    let es512 = build(Issuer::pem(ISSUER, p521.as_str()).algorithms([Algorithm::Es512]));
    assert_eq!(es512.is_ok(), supported(Algorithm::Es512));
    refused(Issuer::pem(ISSUER, p521));
}

#[test]
fn invalid_realm() {
    for realm in ["", "a\"b", "a\\b", "a\r\nb", "a\nX-Evil: 1", "a\tb", "a\0b", "a\u{7f}", "é", "„api“"]
    {
        let error = builder().trust(good()).realm(realm).build().unwrap_err();
        assert!(matches!(error, ConfigError::InvalidRealm), "{realm:?}: {error}");
    }
    for realm in ["api", "the orders API", "https://api.example.com", "a'b", "a, b=c; d"] {
        assert!(builder().trust(good()).realm(realm).build().is_ok(), "{realm}");
    }
    // A resource identifier may be what a realm may not.
    let odd = ResourceServer::builder("urn:\"é\\").http_client(NoNetwork::default()).trust(good()).build();
    assert!(odd.is_ok());
}

#[test]
fn invalid_scopes_become_configuration_errors() {
    let scopes = |list: &str| -> Result<Scopes, ConfigError> { Ok(Scopes::parse(list)?) };
    for list in ["", " ", "a  b", " a", "a ", "a\tb", "a\"", "a\\", "é", "a\n"] {
        let error = scopes(list).unwrap_err();
        assert!(matches!(error, ConfigError::InvalidScope(InvalidScope { .. })), "{list:?}: {error}");
    }
    assert!(builder().trust(good()).challenge_scopes(scopes("read write").unwrap()).build().is_ok());
}

#[test]
fn the_first_bad_entry_is_named() {
    let issuer = issuer([Algorithm::Es256]);
    let bad = Issuer::jwks("https://bad.example", "{}");
    let error = builder().trust(common::trusted(&issuer)).trust(bad).build().unwrap_err();
    let ConfigError::FixedKeys { issuer, .. } = &error else { panic!("{error}") };
    assert_eq!(issuer, "https://bad.example");
    assert!(error.to_string().contains("https://bad.example"), "{error}");
}

#[test]
fn messages_are_one_lower_case_sentence() {
    let none: [&str; 0] = [];
    let errors = [
        ResourceServer::builder("").trust(good()).build().unwrap_err(),
        builder().build().unwrap_err(),
        builder().trust(good()).trust(good()).build().unwrap_err(),
        builder().trust(good()).realm("").build().unwrap_err(),
        builder().trust(good()).max_token_bytes(0).build().unwrap_err(),
        builder().trust(good()).keep_keys(KeySnapshots::folder("")).build().unwrap_err(),
        refused(Issuer::jwks("", "{}")),
        refused(Issuer::jwks(ISSUER, "{}")),
        refused(Issuer::jwks_file(ISSUER, "/nowhere/at/all")),
        refused(Issuer::discover("nowhere")),
        refused(Issuer::discover("http://issuer.example")),
        refused(good().algorithms([])),
        refused(good().algorithms([Algorithm::Hs256])),
        refused(good().audiences(none)),
        refused(good().audiences([""])),
        refused(good().leeway(Duration::MAX)),
        refused(Issuer::pem(ISSUER, json!({}).to_string())),
    ];
    for error in &errors {
        let message = error.to_string();
        let first = message.chars().next().unwrap();
        assert!(!first.is_uppercase() || message.starts_with("HTTP"), "{message}");
        assert!(!message.ends_with('.') && !message.contains('\n'), "{message}");
    }
}
