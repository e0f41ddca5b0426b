//! Bytes to answer. The oracle: accepted only if the embedded issuer made exactly this token.
//!
//! An input is a recipe: which token to begin with, then edits of it. Only so do inputs come near a valid signature.
#![no_main]

use std::{
    future::Future,
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use bearergate::{Algorithm, Claims, Issuer, Presented, ResourceServer, testing::TestIssuer};

struct Scene {
    api: ResourceServer,
    /// Tokens that must pass, and, behind them, tokens that must not.
    tokens: Vec<String>,
    good: usize,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let issuer = TestIssuer::builder()
        .algorithms([Algorithm::Es256, Algorithm::EdDsa])
        .default_audience("https://api.example.com")
        .offline("https://as.example");
    let api = ResourceServer::builder("https://api.example.com")
        .trust(Issuer::jwks(issuer.url(), issuer.jwks()))
        .build()
        .expect("the scene is good");
    let long = std::time::Duration::from_secs(10 * 24 * 3600);
    let token = |algorithm| issuer.token_by(algorithm).expires_in(long);
    let mut tokens = Vec::new();
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        tokens.push(token(algorithm).mint());
        tokens.push(token(algorithm).scope("read write").claim("roles", ["a", "b"]).mint());
        tokens.push(token(algorithm).without_header("kid").header("typ", "JWT").mint());
    }
    let good = tokens.len();
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        tokens.push(token(algorithm).expired().mint());
        tokens.push(token(algorithm).forged().mint());
        tokens.push(token(algorithm).audience("https://other.example.com").mint());
        tokens.push(token(algorithm).claim("cnf", "x").mint());
    }
    Scene { api, tokens, good }
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((first, mut edits)) = input.split_first() else { return };
    let scene = &*SCENE;
    let mut token = if *first == 0xFF {
        std::mem::take(&mut edits).to_vec()
    } else {
        scene.tokens[usize::from(*first) % scene.tokens.len()].clone().into_bytes()
    };
    while let [operation, high, low, value, rest @ ..] = edits {
        edits = rest;
        let place = usize::from(u16::from_be_bytes([*high, *low])) % (token.len() + 1);
        match operation % 5 {
            0 if place < token.len() => token[place] = *value,
            1 => token.insert(place, *value),
            2 if place < token.len() => drop(token.remove(place)),
            3 => token.truncate(place),
            4 => {
                // The tail of another token.
                let other = scene.tokens[usize::from(*value) % scene.tokens.len()].as_bytes();
                token.truncate(place);
                token.extend_from_slice(&other[place.min(other.len())..]);
            }
            _ => (),
        }
    }
    let Ok(text) = std::str::from_utf8(&token) else { return };
    let presented = Presented::bearer(text);
    let validation = pin!(scene.api.validate::<Claims>(&presented));
    let Poll::Ready(verdict) = validation.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("fixed keys never wait")
    };
    let made = scene.tokens[..scene.good].iter().any(|good| good == text);
    assert_eq!(verdict.is_ok(), made, "{verdict:?}");
    assert_eq!(scene.api.explain(&presented).is_accepted(), made);
});
