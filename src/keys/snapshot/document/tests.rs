#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;

/// RFC 7515 §A.3.1, under a name with an escape, with members that nobody needs.
const SET: &str = r#" {"keys" : [ {"kty":"oct","k":"c2VjcmV0"},
    {"kty":"EC","crv":"P-256","k\u0069d":"\u00e9 \"1\"","note":"private","x5c":["damaged"],"use" : "sig",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"} ],
    "secret":"of the issuer"} "#;

const ISSUER: &str = "https://as.example/\u{e9}\"\\";
const PLACE: &str = "https://as.example/jwks";
const NOW: i64 = 1_800_000_000;

fn snapshot(document: &str) -> Snapshot {
    let set = KeySet::parse(document.as_bytes(), &AlgorithmSet::default()).unwrap();
    let published = Arc::new(Published::of(&Url::parse(PLACE).unwrap(), document.as_bytes(), &set));
    Snapshot { fetched: UnixTime::from_secs(NOW), lifetime: Duration::from_secs(300), published }
}

fn judged(document: &[u8], now: i64) -> Result<u64, Reason> {
    let expected = Expected {
        issuer: ISSUER,
        fits: &|uri| uri == PLACE,
        algorithms: &AlgorithmSet::default(),
        limits: Limits::default(),
        now: UnixTime::from_secs(now),
    };
    judge(document, &expected).map(|restored| {
        assert_eq!(restored.set.len(), 1);
        restored.left.as_secs()
    })
}

fn changed(member: &str, value: Value) -> Vec<u8> {
    let document = snapshot(SET).encode(ISSUER).unwrap();
    let mut document: Value = serde_json::from_slice(&document).unwrap();
    document[member] = value;
    document.to_string().into_bytes()
}

#[test]
fn what_is_written_is_read_again() {
    let document = snapshot(SET).encode(ISSUER).unwrap();
    assert_eq!(judged(&document, NOW), Ok(3900));
    assert_eq!(judged(&document, NOW + 3899), Ok(1));
    assert_eq!(judged(&document, NOW + 3900), Err(Reason::TooOld));
    // A clock that was set back a little.
    assert_eq!(judged(&document, NOW - 300), Ok(3900));
    assert_eq!(judged(&document, NOW - 301), Err(Reason::FromTheFuture));
}

#[test]
fn only_what_makes_a_public_key_is_written() {
    let document: Value = serde_json::from_slice(&snapshot(SET).encode(ISSUER).unwrap()).unwrap();
    assert_eq!(
        document["jwks"],
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "kid": "\u{e9} \"1\"", "use": "sig",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }] })
    );
}

#[test]
fn every_member_of_every_kind_of_key_is_kept() {
    // A member that is missing from the list would make the key unusable after a restart.
    use crate::keys::algorithm::Algorithm::{Ed25519, Es256, MlDsa44, Ps256, Rs256};
    let allowed = AlgorithmSet::new([Ed25519, Es256, MlDsa44, Ps256, Rs256]);
    let n = "x".repeat(341) + "w";
    let keys = json!({ "keys": [
        { "kty": "RSA", "n": n, "e": "AQAB", "key_ops": ["verify"] },
        { "kty": "AKP", "alg": "ML-DSA-44", "pub": "A".repeat(1750) },
        { "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "alg": "Ed25519" },
        { "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
          "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
    ] })
    .to_string();
    let set = KeySet::parse(keys.as_bytes(), &allowed).unwrap();
    // A key that the backend has not is not kept either.
    let unsupported = usize::from(!MlDsa44.is_supported());
    assert_eq!(set.skipped().len(), unsupported);
    let published = Published::of(&Url::parse(PLACE).unwrap(), keys.as_bytes(), &set);
    let again = KeySet::parse(published.jwks.as_bytes(), &allowed).unwrap();
    assert_eq!((again.len(), again.skipped().len()), (set.len(), 0));
}

#[test]
fn no_lifetime_is_longer_than_one_that_is_granted() {
    for (lifetime, left) in [(0, 3600), (60, 3660), (3600, 7200), (3601, 7200), (u64::MAX, 7200)] {
        assert_eq!(judged(&changed("lifetime", lifetime.into()), NOW), Ok(left), "{lifetime}");
    }
    for fetched in [i64::MIN, -1, 0] {
        assert_eq!(judged(&changed("fetched", fetched.into()), NOW), Err(Reason::TooOld), "{fetched}");
    }
    assert_eq!(judged(&changed("fetched", i64::MAX.into()), NOW), Err(Reason::FromTheFuture));
    // A clock that cannot be read shows no age.
    assert_eq!(judged(&changed("fetched", 0.into()), i64::MIN), Err(Reason::FromTheFuture));
}

#[test]
fn whatever_is_no_document_of_this_format_is_damaged() {
    for (member, value) in [
        ("format", json!("another")),
        ("format", json!(1)),
        ("version", json!(2)),
        ("version", json!("1")),
        ("issuer", json!(null)),
        ("jwks_uri", json!([])),
        ("fetched", json!("1800000000")),
        ("fetched", json!(1.5)),
        ("lifetime", json!(-1)),
        ("jwks", json!([])),
        ("jwks", json!({})),
        ("more", json!(1)),
    ] {
        assert_eq!(judged(&changed(member, value), NOW), Err(Reason::Damaged), "{member}");
    }
    let good = String::from_utf8(snapshot(SET).encode(ISSUER).unwrap()).unwrap();
    for text in ["", "{}", "[]", "null", "<html>"] {
        assert_eq!(judged(text.as_bytes(), NOW), Err(Reason::Damaged), "{text}");
    }
    for length in 0..good.len() {
        assert_eq!(judged(&good.as_bytes()[..length], NOW), Err(Reason::Damaged), "{length}");
    }
    for text in [
        format!("{good}x"),
        format!("\u{feff}{good}"),
        good.replacen('{', "{\"version\":1,", 1),
        good.replacen("\"kty\"", "\"kty\":\"EC\",\"kty\"", 1),
        good.replacen('{', &format!("{{{}", " ".repeat(MAX_DOCUMENT_BYTES)), 1),
    ] {
        assert_eq!(judged(text.as_bytes(), NOW), Err(Reason::Damaged));
    }
    let mut octets = good.into_bytes();
    octets.extend_from_slice(b"\xff");
    assert_eq!(judged(&octets, NOW), Err(Reason::Damaged));
}

#[test]
fn a_document_of_something_else_is_not_taken() {
    assert_eq!(judged(&changed("issuer", json!("https://as.example")), NOW), Err(Reason::ForeignIssuer));
    assert_eq!(judged(&changed("jwks_uri", json!("https://as.example/jwks/")), NOW), Err(Reason::OtherPlace));
    for keys in [json!([]), json!([{ "kty": "oct", "k": "c2VjcmV0" }])] {
        assert_eq!(judged(&changed("jwks", json!({ "keys": keys })), NOW), Err(Reason::NoUsableKey));
    }
    // The import of a fetched set: no secret, and no other algorithm than those of the entry.
    let mut key: Value = serde_json::from_slice(&snapshot(SET).encode(ISSUER).unwrap()).unwrap();
    key["jwks"]["keys"][0]["d"] = json!("AAAA");
    assert_eq!(judged(key.to_string().as_bytes(), NOW), Err(Reason::NoUsableKey));
}

#[test]
fn what_would_be_too_long_to_be_read_is_not_written() {
    let longest = "x".repeat(MAX_DOCUMENT_BYTES);
    assert!(snapshot(SET).encode(&longest[..1024]).is_some());
    assert_eq!(snapshot(SET).encode(&longest), None);
}
