//! What the targets in `fuzz/` drive: each function takes any input, and panics when an invariant does not hold.
//!
//! Compiled with `--cfg fuzzing` alone; no part of the public API.
#![allow(missing_docs, clippy::missing_panics_doc, clippy::panic, reason = "a finding is a panic")]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;

use crate::{
    clock::UnixTime,
    introspection::{
        Subject,
        introspector::Introspected,
        response::verdict,
        testimony::{Rules, Testimony},
    },
    jwt::compact::Segments,
    keys::{algorithm::Algorithm, algorithm::AlgorithmSet, jwk, set::KeySet},
    middleware::{bearer::bearer_token, challenge::Responder, rejection::answer},
    policy::{ClaimPolicy, IssuerId, MayOmit, Profile},
    token::claims::{Core, RegisteredClaims},
};

/// What an introspection endpoint says is a verdict only where serde_json reads the same one, and admits only claims of the issuer.
pub fn introspection(text: &[u8]) {
    let Ok(text) = String::from_utf8(text.to_vec()) else { return };
    let value = as_value(text.as_bytes());
    match verdict(text.clone()) {
        Introspected::Active(claims) => {
            assert_eq!(claims, text);
            assert!(value.is_none_or(|value| value["active"] == true));
        }
        Introspected::Inactive => {
            assert!(value.is_none_or(|value| value["active"] == false));
            return;
        }
        _ => return,
    }
    let policy = ClaimPolicy {
        issuer: IssuerId::parse("https://as.example").expect("it is not empty"),
        audiences: None,
        leeway: std::time::Duration::from_secs(60),
        profile: Profile::Lenient,
        may_omit: MayOmit::ALL,
    };
    let now = UnixTime::from_secs(1_800_000_000);
    let rules = Rules::new(policy);
    let testimony = Testimony::read(text.clone()).expect("an answer that was read is strict JSON");
    if let Ok(held) = testimony.judge(&rules, Subject::Opaque, now) {
        let core = held.verdict(&rules, Subject::Opaque, now).expect("the same kind of token");
        let core = core.expect("it held a moment ago");
        assert_eq!((core.issuer(), core.payload()), ("https://as.example", &*text));
    }
}

/// What is accepted is the only text of its octets.
pub fn compact(token: &[u8]) {
    let Ok(segments) = Segments::split(token) else { return };
    let Ok(header) = segments.decode_header() else { return };
    let Ok(jwt) = segments.decode_payload(header) else { return };
    let text = std::str::from_utf8(token).expect("base64url and dots are ASCII");
    assert_eq!(text.split('.').count(), 3);
    for segment in text.split('.') {
        let octets = URL_SAFE_NO_PAD.decode(segment).expect("a segment is base64url");
        assert_eq!(URL_SAFE_NO_PAD.encode(octets), segment);
    }
    assert!(token.starts_with(jwt.signing_input()));
}

/// What is accepted as a header, serde_json reads the same way.
pub fn header(text: &[u8]) {
    let token = format!("{}.e30.", URL_SAFE_NO_PAD.encode(text));
    let Ok(segments) = Segments::split(token.as_bytes()) else { return };
    let Ok(header) = segments.decode_header() else { return };
    let jwt = segments.decode_payload(header).unwrap_or_else(|kind| panic!("the payload is good: {kind}"));
    let Some(value) = as_value(text) else { return };
    assert_eq!(value["alg"], jwt.algorithm().name());
    assert_eq!(
        value.get("kid").and_then(Value::as_str),
        jwt.unverified_kid().map(|kid| kid.unescape()).as_deref()
    );
    assert!(value.get("crit").is_none() && value.get("b64").is_none() && value.get("enc").is_none());
}

/// What the scan accepts, serde_json accepts, with the same registered claims.
pub fn claims(text: &[u8]) {
    let Ok(text) = String::from_utf8(text.to_vec()) else { return };
    let Ok(claims) = RegisteredClaims::scan(text.clone()) else { return };
    let Some(value) = as_value(text.as_bytes()) else { return };
    let same = |name: &str, claim| {
        assert_eq!(
            value.get(name).and_then(Value::as_str),
            claims.str(claim).map(|raw| raw.unescape()).as_deref()
        );
    };
    same("iss", claims.iss);
    same("sub", claims.sub);
    same("jti", claims.jti);
    same("client_id", claims.client_id);
    assert_eq!(claims.cnf.is_some(), value.get("cnf").is_some());
    assert_eq!(claims.exp.is_some(), value.get("exp").is_some());
    if let (Some(seconds), Ok(Some(date))) =
        (value.get("exp").and_then(Value::as_u64), claims.date(claims.exp))
    {
        assert_eq!(u64::try_from(date.as_secs()).ok(), Some(seconds));
    }
    let core = Core::new(claims);
    assert_eq!(core.payload(), text);
    assert_eq!(core.subject(), value.get("sub").and_then(Value::as_str));
    assert_eq!(core.issuer(), value.get("iss").and_then(Value::as_str).unwrap_or_default());
    let audience: Vec<&str> = match value.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    assert!(core.audience().eq(audience));
    match value.get("scope") {
        Some(Value::String(scopes)) => {
            assert!(core.scopes().eq(scopes.split(' ').filter(|word| !word.is_empty())))
        }
        // No entry of an array is split.
        Some(Value::Array(entries)) => {
            assert!(core.scopes().all(|scope| entries.iter().any(|entry| entry == scope)))
        }
        _ => (),
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let claim = core.claim(name).unwrap_or_else(|| panic!("a member is found by its name"));
        assert_eq!(serde_json::from_str::<Value>(claim).ok().as_ref(), Some(value));
    }
}

/// Every key that comes of a JWK is for an algorithm that the JWK does not contradict.
pub fn jwk(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(keys) = jwk::import(text, 0, &every_algorithm()) else { return };
    assert!(!keys.is_empty());
    let Some(value) = as_value(text.as_bytes()) else { return };
    for key in keys {
        assert!(value.get("alg").is_none_or(|alg| alg == key.algorithm().name()));
        assert!(value.get("use").is_none_or(|usage| usage == "sig"));
        assert!(value.get("d").is_none() && value.get("kty").is_none_or(|kty| kty != "oct"));
    }
}

pub fn jwks(document: &[u8]) {
    let Ok(set) = KeySet::parse(document, &every_algorithm()) else { return };
    let Some(value) = as_value(document) else { return };
    let listed = value["keys"].as_array().map_or(0, Vec::len);
    assert!(set.skipped().len() <= listed);
    assert!(set.is_empty() || set.skipped().len() < listed);
}

/// A token is taken from one field alone, and is never empty.
pub fn authorization(field: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(field) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value.clone());
    if let Ok(token) = bearer_token(&headers) {
        assert!(!token.is_empty() && field.ends_with(token) && !token.starts_with(b" "));
        assert!(field.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer")));
    }
    headers.append(AUTHORIZATION, value);
    assert!(bearer_token(&headers).is_err());
}

/// Whatever the realm, a challenge parses, and `realm` is its first parameter.
pub fn challenge(realm: &str) {
    let responder = Responder { realm: realm.to_owned(), ..Responder::default() };
    for kind in crate::error::AuthErrorKind::ALL {
        let Some(value) = responder.challenge(*kind, answer(*kind).challenge, None) else { continue };
        let text = value.to_str().expect("a challenge is ASCII").to_owned();
        let mut rest = text.strip_prefix("Bearer ").expect("the scheme stands first");
        let mut names = Vec::new();
        loop {
            let (name, value) = rest.split_once("=\"").expect("a parameter has a quoted value");
            let (value, after) = value.split_once('"').expect("a quoted value ends");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(!value.contains('\\'));
            assert!(!names.contains(&name), "a parameter stands once");
            names.push(name);
            if after.is_empty() {
                break;
            }
            rest = after.strip_prefix(", ").expect("a comma stands between parameters");
        }
        assert_eq!(names.first(), Some(&"realm"));
    }
}

fn every_algorithm() -> AlgorithmSet {
    AlgorithmSet::new(Algorithm::ALL.iter().copied().filter(|algorithm| algorithm.is_supported()))
}

/// What serde_json makes of a text that was accepted; `None` only for numbers that it cannot hold.
fn as_value(text: &[u8]) -> Option<Value> {
    match serde_json::from_slice(text) {
        Ok(value) => Some(value),
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(error) => panic!("serde_json refuses what the scan accepted: {error}"),
    }
}
