//! What an accepted request allocates above the bare router.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    convert::Infallible,
    future::Future as _,
    pin::pin,
    task::{Context, Waker},
};

use bearergate::{Issuer, ResourceServer, testing::TestIssuer};
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use tower::{Layer as _, Service, service_fn};

const RESOURCE: &str = "https://api.example.com";

/// Claims that allocate nothing themselves.
#[derive(Deserialize)]
struct NoClaims {}

fn count<S>(service: &mut S, request: impl Fn() -> Request<()>) -> u64
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let mut once = |request: Request<()>| {
        let mut future = pin!(service.call(request));
        let answer = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(
            matches!(answer, std::task::Poll::Ready(Ok(response)) if response.status() == StatusCode::OK)
        );
    };
    once(request()); // thread-locals, lazily made tables
    let request = request();
    let mut request = Some(request);
    allocation_counter::measure(|| once(request.take().unwrap())).count_total
}

#[test]
fn an_accepted_request_allocates_little() {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let api =
        ResourceServer::builder(RESOURCE).trust(Issuer::jwks(issuer.url(), issuer.jwks())).build().unwrap();
    let bearer = format!("Bearer {}", issuer.token().scope("read write").mint());
    let request = || Request::builder().header(AUTHORIZATION, &bearer).body(()).unwrap();

    let bare = || service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
    let without = count(&mut bare(), request);
    let with = count(&mut api.layer_for::<NoClaims>().layer(bare()), request);
    let default = count(&mut api.layer().layer(bare()), request);

    // Header text, payload, core, claims, two values in the extensions, their map and its table. What the signature
    // check allocates in C is not counted.
    println!(
        "allocations above the bare service: {} typed, {} default claims",
        with - without,
        default - without
    );
    assert!(with - without <= MAX, "{}", with - without);
    assert!(default - without <= MAX, "{}", default - without);
}

/// An opaque token whose answer is kept.
#[test]
fn a_cached_opaque_token_allocates_less() {
    let issuer = TestIssuer::builder()
        .default_audience(RESOURCE)
        .client("api", "secret", bearergate::scopes!["read"])
        .offline("https://as.example");
    let entry = issuer.introspected(bearergate::ClientAuth::basic("api", "secret"));
    let api = ResourceServer::builder(RESOURCE).trust(entry).http_client(issuer.fetch()).build().unwrap();
    let token = issuer.opaque_token().scope("read write").mint();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(api.validate::<NoClaims>(&bearergate::Presented::bearer(&token))).unwrap();
    let request = || Request::builder().header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap();

    let bare = || service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
    let without = count(&mut bare(), request);
    let with = count(&mut api.layer_for::<NoClaims>().layer(bare()), request);
    let default = count(&mut api.layer().layer(bare()), request);

    // Two values in the extensions, their map and its table; the default claims, which hold their core, are one more.
    println!(
        "cached opaque token, allocations above the bare service: {} typed, {} default claims",
        with - without,
        default - without
    );
    assert!(with - without <= MAX_CACHED, "{}", with - without);
    assert!(default - without <= MAX_CACHED + 1, "{}", default - without);
}

const MAX: u64 = 8;

const MAX_CACHED: u64 = 4;
