//! What does a cached opaque token cost through the layer, beside what no such cache can do without: SHA-256 of the token, and a
//! hit of the cache library?

use std::{hint::black_box, sync::Arc, time::Duration};

use bearergate::{ClientAuth, Issuer, ResourceServer};
use http::{HeaderValue, Request, StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tower::{Layer as _, Service as _};

use crate::{
    ISSUER, RESOURCE,
    common::{
        bare, call,
        figures::{Bounds, Rows},
        measure::take_turns,
    },
    endpoint::Endpoint,
};

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

pub fn table(quick: bool, bounds: &mut Bounds) {
    println!("a cached opaque token, in ns (the quickest tenth of rounds that take turns)");
    println!(
        "{:<22} {:>10} {:>10} {:>10} {:>10}  (layer - service) / (SHA-256 + hit)",
        "tokens", "SHA-256", "hit", "service", "layer"
    );
    let mut rows = Rows::new("opaque", "tokens,octets,sha256_ns,hit_ns,net_ns");
    for (length, count) in [(43, 1), (43, 1000), (256, 1000), (1024, 1000)] {
        let [hash, hit, without, with] = measure(length, count, if quick { 21 } else { 201 });
        let (net, control) = (with - without, hash + hit);
        let tokens = format!("{count} of {length} octets");
        println!(
            "{tokens:<22} {hash:>10.0} {hit:>10.0} {without:>10.0} {with:>10.0} {:>6.2} {}",
            net / control,
            bounds.at_most(net / control, BOUND)
        );
        rows.add(format_args!("{count},{length},{hash:.0},{hit:.0},{net:.0}"));
    }
    rows.keep();
}

fn measure(length: usize, count: usize, rounds: usize) -> [f64; 4] {
    let issuer =
        Issuer::introspect(ISSUER, format!("{ISSUER}/introspect"), ClientAuth::basic("api", "secret"));
    let issuer = issuer.introspection_cache_time(Duration::from_secs(3600));
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
    take_turns(
        rounds,
        1000,
        [
            &mut |turn| {
                let digest: [u8; 32] = Sha256::digest(black_box(&tokens[turn % count])).into();
                black_box(digest);
            },
            &mut |turn| {
                black_box(cache.get(black_box(&digests[turn % count])));
            },
            &mut |turn| call(&mut service, request(turn)),
            &mut |turn| call(&mut layered, request(turn)),
        ],
    )
}
