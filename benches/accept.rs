//! The accept path: a request through the layer beside the bare signature check of the same token, in the same run.
//!
//! ```sh
//! cargo bench --bench accept
//! ```
//!
//! Criterion prints each time; the table at the end holds the ratios, from rounds that take turns, so that a noisy
//! machine disturbs all columns alike.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench fails by panicking"
)]
#![expect(clippy::print_stdout, reason = "a bench talks to its reader")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::{
    convert::Infallible,
    future::Future as _,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::{Algorithm, Issuer, ResourceServer, testing::TestIssuer};
use criterion::Criterion;
use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer as _, Service, service_fn};

const RESOURCE: &str = "https://api.example.com";

/// Distinct tokens, used in turn.
const TOKENS: usize = 1024;

/// What a typical service reads.
#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is what is measured")]
struct MyClaims {
    sub: String,
    client_id: String,
    tenant: String,
    roles: Vec<String>,
}

/// One algorithm's tokens and the three ways to handle them.
struct Subject {
    algorithm: Algorithm,
    fields: Vec<HeaderValue>,
    /// Signing input and signature.
    signed: Vec<(Vec<u8>, Vec<u8>)>,
    key: ParsedPublicKey,
    api: ResourceServer,
}

impl Subject {
    fn new(algorithm: Algorithm) -> Self {
        let issuer = TestIssuer::builder()
            .algorithms([algorithm])
            .default_audience(RESOURCE)
            .offline("https://login.example.com/realms/main");
        let api = ResourceServer::builder(RESOURCE)
            .trust(Issuer::jwks(issuer.url(), issuer.jwks()))
            .build()
            .unwrap();
        let tokens: Vec<String> = (0..TOKENS)
            .map(|n| {
                issuer
                    .token()
                    .subject(format!("00u8d9f2-7c1e-4b1a-{n:08}"))
                    .scope("openid read:orders write:orders")
                    .claim("tenant", "acme-industries")
                    .claim("roles", ["buyer", "approver"])
                    .mint()
            })
            .collect();
        let fields =
            tokens.iter().map(|token| HeaderValue::try_from(format!("Bearer {token}")).unwrap()).collect();
        let signed = tokens
            .iter()
            .map(|token| {
                let (input, signature) = token.rsplit_once('.').unwrap();
                (input.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature).unwrap())
            })
            .collect();
        println!("{algorithm}: tokens of {} octets", tokens[0].len());
        Self { algorithm, fields, signed, key: public_key(&issuer.jwks(), algorithm), api }
    }

    fn request(&self, turn: usize) -> Request<()> {
        let mut request = Request::new(());
        request.headers_mut().insert(AUTHORIZATION, self.fields[turn % TOKENS].clone());
        request
    }

    fn raw(&self, turn: usize) {
        let (input, signature) = &self.signed[turn % TOKENS];
        self.key.verify_sig(black_box(input), black_box(signature)).unwrap();
    }
}

/// The same key, parsed once, as the crypto library offers it.
fn public_key(jwks: &str, algorithm: Algorithm) -> ParsedPublicKey {
    let jwks: Value = serde_json::from_str(jwks).unwrap();
    let jwk = &jwks["keys"][0];
    let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    match algorithm {
        Algorithm::Rs256 => RsaPublicKeyComponents { n: member("n"), e: member("e") }
            .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
            .unwrap(),
        Algorithm::Es256 => {
            let point = [vec![4], member("x"), member("y")].concat();
            ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).unwrap()
        }
        _ => ParsedPublicKey::new(&signature::ED25519, member("x")).unwrap(),
    }
}

fn bare() -> impl Service<Request<()>, Response = Response<()>, Error = Infallible> + Clone {
    service_fn(|request: Request<()>| {
        black_box(&request);
        async { Ok::<_, Infallible>(Response::new(())) }
    })
}

/// Calls a service whose answer is there at once.
fn call<S: Service<Request<()>, Response = Response<()>, Error = Infallible>>(
    service: &mut S,
    request: Request<()>,
) {
    let mut future = pin!(service.call(request));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("an accepted request never waits")
    };
    assert_eq!(response.status(), StatusCode::OK);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let subjects = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa].map(Subject::new);
    for subject in &subjects {
        let mut group = criterion.benchmark_group(subject.algorithm.name());
        let mut turn = 0;
        group.bench_function("verify_sig", |bencher| {
            bencher.iter(|| {
                turn += 1;
                subject.raw(turn);
            });
        });
        let mut service = bare();
        group.bench_function("bare service", |bencher| {
            bencher.iter(|| {
                turn += 1;
                call(&mut service, subject.request(turn));
            });
        });
        let mut service = subject.api.layer_for::<MyClaims>().layer(bare());
        group.bench_function("layer", |bencher| {
            bencher.iter(|| {
                turn += 1;
                call(&mut service, subject.request(turn));
            });
        });
        group.finish();
    }
    criterion.final_summary();

    println!(
        "\nratio to `ParsedPublicKey::verify_sig` of the same token (medians of rounds that take turns)"
    );
    println!("{:<10} {:>12} {:>18}", "algorithm", "layer", "layer − service");
    for subject in &subjects {
        let (raw, without, with) = subject.take_turns();
        println!("{:<10} {:>12.3} {:>18.3}", subject.algorithm.name(), with / raw, (with - without) / raw);
    }
}

impl Subject {
    /// Median times of a raw check, of the bare service, and of the layer, in nanoseconds.
    fn take_turns(&self) -> (f64, f64, f64) {
        const ROUNDS: usize = 101;
        const CALLS: usize = 200;
        let (mut bare_service, mut layered) = (bare(), self.api.layer_for::<MyClaims>().layer(bare()));
        let mut samples = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            let mut time = |place: usize, work: &mut dyn FnMut(usize)| {
                let start = Instant::now();
                (0..CALLS).for_each(work);
                samples[place].push(start.elapsed().as_secs_f64() * 1e9 / CALLS as f64);
            };
            time(0, &mut |turn| self.raw(turn));
            time(1, &mut |turn| call(&mut bare_service, self.request(turn)));
            time(2, &mut |turn| call(&mut layered, self.request(turn)));
        }
        let [raw, without, with] = samples.map(|mut sample| {
            sample.sort_by(f64::total_cmp);
            sample[ROUNDS / 2]
        });
        (raw, without, with)
    }
}
