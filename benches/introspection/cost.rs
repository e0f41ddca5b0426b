//! What does a cached opaque token cost through the layer, beside what no such cache can do without: SHA-256 of the token, and a
//! hit of the cache library?

use std::{
    convert::Infallible,
    future::Future as _,
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use bearergate::{ClientAuth, Issuer, ResourceServer};
use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tower::{Layer as _, Service, service_fn};

use crate::{ISSUER, RESOURCE, endpoint::Endpoint};

/// At most so many times the control.
const BOUND: f64 = 2.5;

/// What a typical service reads.
#[derive(Deserialize)]
struct MyClaims {
    #[serde(rename = "sub")]
    _sub: String,
    #[serde(rename = "tenant")]
    _tenant: String,
    #[serde(rename = "roles")]
    _roles: Vec<String>,
}

/// Tells how many bounds are broken.
pub fn table(quick: bool, strict: bool) -> usize {
    println!("a cached opaque token, in ns (medians of rounds that take turns)");
    println!(
        "{:<22} {:>10} {:>10} {:>10} {:>10}  (layer - service) / (SHA-256 + hit), bound {BOUND}",
        "tokens", "SHA-256", "hit", "service", "layer"
    );
    let mut broken = 0;
    for (length, count) in [(43, 1), (43, 1000), (256, 1000), (1024, 1000)] {
        let ratio = measure(length, count, if quick { 21 } else { 201 });
        let held = ratio <= BOUND;
        println!(" {ratio:>6.2} {}", if held { "held" } else { "above" });
        broken += usize::from(strict && !held);
    }
    broken
}

fn measure(length: usize, count: usize, rounds: usize) -> f64 {
    let issuer =
        Issuer::introspect(ISSUER, format!("{ISSUER}/introspect"), ClientAuth::basic("api", "secret"));
    let issuer = issuer.introspection_cache_time(std::time::Duration::from_secs(3600));
    let builder = ResourceServer::builder(RESOURCE).trust(issuer);
    let api = builder.http_client(Endpoint::default()).build().unwrap();
    let tokens: Vec<String> =
        (0..count).map(|number| format!("good-{number:0width$}", width = length - 5)).collect();
    let fields: Vec<_> =
        tokens.iter().map(|token| HeaderValue::try_from(format!("Bearer {token}")).unwrap()).collect();
    let request = |turn: usize| {
        let mut request = Request::new(());
        request.headers_mut().insert(AUTHORIZATION, fields[turn % count].clone());
        request
    };
    let bare = || {
        service_fn(|request: Request<()>| {
            black_box(&request);
            async { Ok::<_, Infallible>(Response::new(())) }
        })
    };
    let (mut service, mut layered) = (bare(), api.layer_for::<MyClaims>().layer(bare()));
    // Asked once, and kept from then on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for turn in 0..count {
        let response = runtime.block_on(layered.call(request(turn))).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    let cache: moka::sync::Cache<[u8; 32], Arc<str>> = moka::sync::Cache::new(10_000);
    let digests: Vec<[u8; 32]> = tokens.iter().map(|token| Sha256::digest(token).into()).collect();
    digests.iter().for_each(|digest| cache.insert(*digest, "claims".into()));

    const CALLS: usize = 1000;
    let mut samples = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        let mut time = |place: usize, work: &mut dyn FnMut(usize)| {
            let start = Instant::now();
            (0..CALLS).for_each(work);
            samples[place].push(start.elapsed().as_secs_f64() * 1e9 / CALLS as f64);
        };
        time(0, &mut |turn| {
            let digest: [u8; 32] = Sha256::digest(black_box(&tokens[turn % count])).into();
            black_box(digest);
        });
        time(1, &mut |turn| {
            black_box(cache.get(black_box(&digests[turn % count])));
        });
        time(2, &mut |turn| call(&mut service, request(turn)));
        time(3, &mut |turn| call(&mut layered, request(turn)));
    }
    let [hash, hit, without, with] = samples.map(|mut sample| {
        sample.sort_by(f64::total_cmp);
        sample[rounds / 2]
    });
    let tokens = format!("{count} of {length} octets");
    print!("{tokens:<22} {hash:>10.0} {hit:>10.0} {without:>10.0} {with:>10.0} ");
    (with - without) / (hash + hit)
}

/// Calls a service whose answer is there at once.
fn call<S>(service: &mut S, request: Request<()>)
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let mut future = pin!(service.call(request));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("a cached token never waits")
    };
    assert_eq!(response.status(), StatusCode::OK);
}
