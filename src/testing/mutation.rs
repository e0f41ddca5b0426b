//! Is any token accepted that differs from a good one in a bit, or that lacks its end? And what does it cost to refuse it?
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::{
    future::Future as _,
    pin::pin,
    task::{Context, Poll, Waker},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::TestIssuer;
use crate::{
    error::ConfigError,
    keys::{algorithm::Algorithm, backend::CHECKS},
    server::{ResourceServer, issuer::Issuer},
    token::{claims::Claims, presented::Presented},
};

const RESOURCE: &str = "https://api.example.com";

/// The payload octets of which every bit is changed; of those behind them, one bit each.
const EVERY_BIT_OF: usize = 64;

struct Judge {
    api: ResourceServer,
    mutants: u64,
    checks: u64,
}

impl Judge {
    fn accepts(&self, token: &[u8]) -> bool {
        let presented = Presented::bearer_bytes(token);
        let verdict = pin!(self.api.validate::<Claims>(&presented));
        let Poll::Ready(verdict) = verdict.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("fixed keys never wait")
        };
        verdict.is_ok()
    }

    /// Refused, and after at most one signature check.
    #[track_caller]
    fn refuses(&mut self, token: &[u8], what: impl FnOnce() -> String) {
        let before = CHECKS.get();
        assert!(!self.accepts(token), "{}", what());
        let checks = CHECKS.get() - before;
        assert!(checks <= 1, "{} checks: {}", checks, what());
        self.mutants += 1;
        self.checks += checks;
    }
}

fn mutate(algorithm: Algorithm) {
    if !algorithm.is_supported() {
        // Then there is no token to change: an issuer cannot even list it.
        let listed = Issuer::pem("https://as.example", "").algorithms([algorithm]);
        let refused = ResourceServer::builder(RESOURCE).trust(listed).build().unwrap_err();
        assert!(matches!(refused, ConfigError::UnsupportedAlgorithm { .. }), "{refused}");
        assert!(!cfg!(feature = "aws-lc-rs") && !algorithm.is_default(), "{algorithm}");
        return;
    }
    let issuer = TestIssuer::builder()
        .algorithms([algorithm])
        .default_audience(RESOURCE)
        .offline("https://as.example");
    let trusted = Issuer::jwks(issuer.url(), issuer.jwks()).algorithms([algorithm]);
    let api = ResourceServer::builder(RESOURCE).trust(trusted).build().unwrap();
    let mut judge = Judge { api, mutants: 0, checks: 0 };
    let token = issuer.token().scope("read write").claim("name", "J\u{f6}rg").mint();
    assert!(judge.accepts(token.as_bytes()));

    // Bits of what the segments hold.
    let segments: Vec<Vec<u8>> =
        token.split('.').map(|segment| URL_SAFE_NO_PAD.decode(segment).unwrap()).collect();
    for (place, segment) in segments.iter().enumerate() {
        for octet in 0..segment.len() {
            let every_bit = place != 1 || octet < EVERY_BIT_OF;
            let bits = if every_bit { 0..8 } else { octet % 8..octet % 8 + 1 };
            for bit in bits {
                let mut changed = segments.clone();
                changed[place][octet] ^= 1 << bit;
                let text = changed
                    .iter()
                    .map(|segment| URL_SAFE_NO_PAD.encode(segment))
                    .collect::<Vec<_>>()
                    .join(".");
                judge.refuses(text.as_bytes(), || format!("segment {place}, octet {octet}, bit {bit}"));
            }
        }
    }
    // Bits of the text itself, spare bits of the last characters among them.
    for octet in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[octet] ^= 1 << (octet % 8);
        judge.refuses(&changed, || format!("text, octet {octet}"));
    }
    for segment in token.split('.') {
        let end = segment.as_ptr().addr() - token.as_ptr().addr() + segment.len() - 1;
        for other in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=" {
            let mut changed = token.clone().into_bytes();
            if changed[end] != *other {
                changed[end] = *other;
                judge.refuses(&changed, || format!("last character of a segment: {}", char::from(*other)));
            }
        }
    }
    for length in 0..token.len() {
        judge.refuses(&token.as_bytes()[..length], || format!("cut to {length}"));
        judge.refuses(&token.as_bytes()[token.len() - length..], || format!("the last {length}"));
    }
    assert!(judge.checks > 0 && judge.checks < judge.mutants);
    assert!(judge.accepts(token.as_bytes()));
}

macro_rules! each {
    ($($test:ident: $algorithm:ident;)*) => {$(
        #[test]
        fn $test() {
            mutate(Algorithm::$algorithm);
        }
    )*};
}

each! {
    no_mutant_of_es256_passes: Es256;
    no_mutant_of_es384_passes: Es384;
    no_mutant_of_es512_passes: Es512;
    no_mutant_of_ed25519_passes: Ed25519;
    no_mutant_of_eddsa_passes: EdDsa;
    no_mutant_of_ml_dsa_44_passes: MlDsa44;
    no_mutant_of_ml_dsa_65_passes: MlDsa65;
    no_mutant_of_ml_dsa_87_passes: MlDsa87;
    no_mutant_of_ps256_passes: Ps256;
    no_mutant_of_ps384_passes: Ps384;
    no_mutant_of_ps512_passes: Ps512;
    no_mutant_of_rs256_passes: Rs256;
    no_mutant_of_rs384_passes: Rs384;
    no_mutant_of_rs512_passes: Rs512;
}

#[test]
fn key_14_four_keys_of_one_name_cost_four_checks() {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let mut keys = Vec::new();
    for _ in 0..6 {
        issuer.rotate();
        let jwks: serde_json::Value = serde_json::from_str(&issuer.jwks()).unwrap();
        let mut key = jwks["keys"][0].clone();
        key["kid"] = "shared".into();
        keys.push(key);
    }
    let jwks = serde_json::json!({ "keys": keys }).to_string();
    let api = ResourceServer::builder(RESOURCE).trust(Issuer::jwks(issuer.url(), jwks)).build().unwrap();
    let judge = Judge { api, mutants: 0, checks: 0 };
    let before = CHECKS.get();
    assert!(!judge.accepts(issuer.token().header("kid", "shared").forged().mint().as_bytes()));
    assert_eq!(CHECKS.get() - before, 4);
}

#[test]
fn ops_06_a_bad_token_costs_at_most_one_signature_check_and_most_cost_none() {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let api =
        ResourceServer::builder(RESOURCE).trust(Issuer::jwks(issuer.url(), issuer.jwks())).build().unwrap();
    let judge = Judge { api, mutants: 0, checks: 0 };
    let good = issuer.token();
    for (what, token, checks) in [
        ("good", good.clone().mint(), 1),
        ("forged", good.clone().forged().mint(), 1),
        ("too long", good.clone().claim("x", "y".repeat(16 * 1024)).mint(), 0),
        ("four segments", format!("{}.e30", good.clone().mint()), 0),
        ("alg none", good.clone().header("alg", "none").mint(), 0),
        ("alg of another key", good.clone().header("alg", "RS256").mint(), 0),
        ("crit", good.clone().header("crit", ["x"]).mint(), 0),
        ("payload no object", good.clone().payload_text("[]").mint(), 0),
        ("unknown issuer", good.clone().issuer("https://other.example").mint(), 0),
        ("expired", good.clone().expired().mint(), 0),
        ("another audience", good.clone().audience("other").mint(), 0),
        ("unknown kid", good.clone().header("kid", "other").mint(), 0),
        ("an ID token", good.clone().claim("at_hash", "x").mint(), 1),
    ] {
        let before = CHECKS.get();
        assert_eq!(judge.accepts(token.as_bytes()), what == "good", "{what}");
        let cost = CHECKS.get() - before;
        assert!(cost <= checks, "{what}: {cost}");
        assert!(cost == checks || what == "an ID token", "{what}: {cost}");
    }
}
