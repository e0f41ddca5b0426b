//! What holds for every token, not only for those that somebody thought of.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{sync::LazyLock, time::Duration};

use bearergate::{Algorithm, Issuer, Presented, ResourceServer, UnixTime, testing::TestIssuer};
use common::{
    NOW, RESOURCE, StillClock, at_once, decode, encode, issuer, numbers::difference, with_signature,
};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

/// A server with this leeway, and the clock that it goes by.
fn server(issuer: &TestIssuer, jwks: String, leeway: u64) -> (ResourceServer, StillClock) {
    let clock = StillClock::at(UnixTime::from_secs(NOW));
    let trusted = Issuer::jwks(issuer.url(), jwks).leeway(Duration::from_secs(leeway));
    let server = ResourceServer::builder(RESOURCE).trust(trusted).clock(clock.clone()).build().unwrap();
    (server, clock)
}

fn accepts(server: &ResourceServer, token: &str) -> bool {
    at_once(server.validate::<bearergate::Claims>(&Presented::bearer(token))).is_ok()
}

static ISSUER: LazyLock<TestIssuer> = LazyLock::new(|| issuer([Algorithm::Ed25519]));

/// The keys of several algorithms.
static MANY: LazyLock<TestIssuer> =
    LazyLock::new(|| issuer([Algorithm::Es256, Algorithm::Ed25519, Algorithm::Es384]));

/// Near now, in seconds; also fractions.
fn date() -> impl Strategy<Value = Option<f64>> {
    proptest::option::of(
        (-2000_i64..2000, 0_u8..4)
            .prop_map(|(offset, quarter)| (NOW + offset) as f64 + f64::from(quarter) / 4.0),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// accept(token, now) is an interval in now: once a token has stopped being good, it never is again.
    #[test]
    fn a_token_is_good_for_one_interval_of_time(
        (exp, nbf, iat) in (date(), date(), date()),
        leeway in 0_u64..300,
        mut moments in proptest::collection::vec(-3_000_000_i64..3_000_000, 40),
    ) {
        let (server, clock) = server(&ISSUER, ISSUER.jwks(), leeway);
        let mut token = ISSUER.token().audience(RESOURCE).without("iat");
        for (name, date) in [("exp", exp), ("nbf", nbf), ("iat", iat)] {
            if let Some(date) = date {
                token = token.claim(name, date);
            }
        }
        if exp.is_none() {
            token = token.without("exp");
        }
        let token = token.mint();
        moments.sort_unstable();
        let good: Vec<bool> = moments
            .iter()
            .map(|millis| {
                clock.set(UnixTime::from_millis(NOW * 1000 + millis));
                accepts(&server, &token)
            })
            .collect();
        let changes = good.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let ends_outside = !good[0] && !good[good.len() - 1];
        prop_assert!(changes <= 1 || (changes == 2 && ends_outside), "{:?}", good);
        prop_assert!(exp.is_some() || !good.contains(&true));
    }

    /// Whatever set of keys a server holds: without the key that signed, the token is refused.
    #[test]
    fn without_the_signing_key_no_token_is_good(
        copies in proptest::collection::vec((0_usize..3, 0_u8..4), 0..8),
        signer in 0_usize..3,
    ) {
        let jwks: Value = serde_json::from_str(&MANY.jwks()).unwrap();
        let keys = jwks["keys"].as_array().unwrap();
        let signing = &keys[signer];
        let algorithm = Algorithm::from_name(signing["alg"].as_str().unwrap()).unwrap();
        let token = MANY.token_by(algorithm).audience(RESOURCE).mint();
        // The other keys, under their own names, without name, or under the name of the one that signed.
        let others: Vec<Value> = copies
            .iter()
            .filter(|(place, _)| *place != signer)
            .map(|(place, disguise)| {
                let mut key = keys[*place].clone();
                match disguise {
                    0 => drop(key.as_object_mut().unwrap().remove("kid")),
                    1 => key["kid"] = signing["kid"].clone(),
                    2 => {
                        key["kid"] = signing["kid"].clone();
                        drop(key.as_object_mut().unwrap().remove("alg"));
                    }
                    _ => (),
                }
                key
            })
            .collect();
        let with = |keys: &[Value]| {
            let clock = StillClock::at(UnixTime::from_secs(NOW));
            let trusted = Issuer::jwks(MANY.url(), json!({ "keys": keys }).to_string())
                .algorithms([Algorithm::Es256, Algorithm::Ed25519, Algorithm::Es384]);
            ResourceServer::builder(RESOURCE).trust(trusted).clock(clock).build().unwrap()
        };
        prop_assert!(!accepts(&with(&others), &token));
        let mut all = others.clone();
        all.push(signing.clone());
        prop_assert!(accepts(&with(&all), &token), "{}", json!(all));
    }

    /// A key is used for nothing but what it says of itself.
    #[test]
    fn a_key_that_says_otherwise_is_not_used(
        (name, value) in prop_oneof![
            Just(("use", json!("enc"))), Just(("use", json!(null))), Just(("use", json!(["sig"]))),
            Just(("key_ops", json!(["sign"]))), Just(("key_ops", json!([]))), Just(("key_ops", json!("verify"))),
            Just(("alg", json!("ES256"))), Just(("alg", json!("EdDSA"))), Just(("alg", json!("RSA-OAEP"))), Just(("alg", json!(5))),
            Just(("kty", json!("EC"))), Just(("kty", json!("oct"))), Just(("crv", json!("X25519"))), Just(("crv", json!("P-256"))),
            Just(("kid", json!("other"))), Just(("kid", json!(7))), Just(("d", json!("AAAA"))),
        ],
    ) {
        let mut jwks: Value = serde_json::from_str(&ISSUER.jwks()).unwrap();
        let token = ISSUER.token().audience(RESOURCE).mint();
        prop_assert!(accepts(&server(&ISSUER, jwks.to_string(), 60).0, &token));
        jwks["keys"][0][name] = value;
        prop_assert!(!accepts(&server(&ISSUER, jwks.to_string(), 60).0, &token), "{}", jwks);
    }

    /// Whatever stands in a request or in the segments of a token: an answer, and no panic.
    #[test]
    fn ops_04_no_input_panics(
        field in proptest::collection::vec(any::<u8>(), 0..200),
        segments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..6),
        header in any::<String>(),
        payload in any::<String>(),
    ) {
        let (server, _) = &TEXTS[0];
        let encoded: Vec<_> = segments.iter().map(encode).collect();
        let texts = [
            String::from_utf8_lossy(&field).into_owned(),
            encoded.join("."),
            ISSUER.token().header_text(&header).payload_text(&payload).mint(),
            ISSUER.token().payload_text(&payload).mint(),
        ];
        for text in &texts {
            prop_assert!(!accepts(server, text), "{}", text);
            prop_assert!(!server.explain(&Presented::bearer(text)).is_accepted());
        }
        let mut request = http::Request::new(());
        for value in [field.clone(), [b"Bearer ", field.as_slice()].concat()] {
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                request.headers_mut().append(http::header::AUTHORIZATION, value);
            }
        }
        let (parts, ()) = request.into_parts();
        if let Ok(presented) = Presented::from_parts(&parts) {
            prop_assert!(at_once(server.validate::<bearergate::Claims>(&presented)).is_err());
        }
    }

    /// One token, one text: whatever is done to a good one, it is refused, unless nothing was done. The one exception is the
    /// other half of an ECDSA signature, (r, n − s), which RFC 7518 §3.4 allows.
    #[test]
    fn no_two_texts_of_one_token_are_good(
        (which, edits) in (0_usize..2, proptest::collection::vec(edit(), 1..4)),
        twin in any::<bool>(),
    ) {
        let (server, token) = &TEXTS[which];
        let mut text = token.clone().into_bytes();
        let is_ecdsa = which == 1;
        if twin && is_ecdsa {
            text = high_s(token).into_bytes();
        }
        let untouched = text.clone();
        for edit in edits {
            edit.apply(&mut text);
        }
        let good = accepts(server, std::str::from_utf8(&text).unwrap());
        let same = text == untouched || text == token.as_bytes() || (is_ecdsa && text == high_s(token).as_bytes());
        prop_assert_eq!(good, same, "{}", String::from_utf8_lossy(&text));
    }
}

/// Something that somebody may do to the text of a token.
#[derive(Clone, Debug)]
enum Edit {
    Insert(Index, u8),
    Replace(Index, u8),
    Remove(Index),
    /// Another of the letters that decode to the same bits in front, at the end of a segment.
    SpareBits(usize, u8),
    SwapSegments(usize, usize),
    Repeat(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let octet = || prop_oneof![prop::sample::select(b"=.+/ -_~%Aa0\n\t\0\"".to_vec()), 0_u8..128];
    prop_oneof![
        (any::<Index>(), octet()).prop_map(|(place, octet)| Edit::Insert(place, octet)),
        (any::<Index>(), octet()).prop_map(|(place, octet)| Edit::Replace(place, octet)),
        any::<Index>().prop_map(Edit::Remove),
        (0_usize..3, any::<u8>()).prop_map(|(segment, bits)| Edit::SpareBits(segment, bits)),
        (0_usize..3, 0_usize..3).prop_map(|(one, other)| Edit::SwapSegments(one, other)),
        (0_usize..3).prop_map(Edit::Repeat),
    ]
}

impl Edit {
    fn apply(&self, text: &mut Vec<u8>) {
        let mut segments: Vec<Vec<u8>> = text.split(|octet| *octet == b'.').map(<[u8]>::to_vec).collect();
        match self {
            Self::Insert(place, octet) => return text.insert(place.index(text.len() + 1), *octet),
            Self::Replace(place, octet) if !text.is_empty() => {
                let place = place.index(text.len());
                text[place] = *octet;
                return;
            }
            Self::Remove(place) if !text.is_empty() => {
                text.remove(place.index(text.len()));
                return;
            }
            Self::SpareBits(segment, bits) => {
                if let Some(last) = segments.get_mut(*segment).and_then(|segment| segment.last_mut())
                    && let Some(value) = LETTERS.iter().position(|letter| letter == last)
                {
                    *last = LETTERS[(value & 0x30) | usize::from(bits & 0x0F)];
                }
            }
            Self::SwapSegments(one, other) if segments.len() > 2 => segments.swap(*one, *other),
            Self::Repeat(segment) if *segment < segments.len() => {
                let copy = segments[*segment].clone();
                segments.insert(*segment, copy);
            }
            Self::Replace(..) | Self::Remove(_) | Self::SwapSegments(..) | Self::Repeat(_) => return,
        }
        *text = segments.join(&b'.');
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A server for each of two algorithms, and a token that it takes.
static TEXTS: LazyLock<[(ResourceServer, String); 2]> = LazyLock::new(|| {
    [Algorithm::Ed25519, Algorithm::Es256].map(|algorithm| {
        let issuer = issuer([algorithm]);
        let token = issuer.token().audience(RESOURCE).mint();
        (server(&issuer, issuer.jwks(), 60).0, token)
    })
});

/// The token with the other half of its ECDSA signature on P-256.
fn high_s(token: &str) -> String {
    with_signature(token, |signature| {
        let (r, s) = signature.split_at(32);
        [r, &difference(&decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE"), s)].concat()
    })
}
