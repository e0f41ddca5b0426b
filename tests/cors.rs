//! CORS: a page of another origin reads a challenge where a layer outside of ours exposes it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;

use bearergate::testing::{MockAuth, assert_refused};
use http::{HeaderValue, Request, Response, StatusCode};
use tower::{Layer as _, ServiceExt as _, service_fn, util::MapResponseLayer};

const EXPOSE: &str = "access-control-expose-headers";

/// What is exposed is the application's choice: ours says nothing of origins, and what stands outside has the last word.
#[tokio::test]
async fn a_layer_outside_exposes_the_challenge() {
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let gate = MockAuth::new("https://api.example.com").server().layer().layer(inner);
    let request = || Request::get("/").header("origin", "https://app.example").body(()).unwrap();

    let bare = gate.clone().oneshot(request()).await.unwrap();
    assert_refused(&bare, StatusCode::UNAUTHORIZED, None);
    assert!(!bare.headers().keys().any(|name| name.as_str().starts_with("access-control-")));

    let outside = MapResponseLayer::new(|mut response: Response<String>| {
        response.headers_mut().insert(EXPOSE, HeaderValue::from_static("www-authenticate"));
        response
    });
    let exposed = outside.layer(gate).oneshot(request()).await.unwrap();
    assert_refused(&exposed, StatusCode::UNAUTHORIZED, None);
    assert_eq!(exposed.headers()[EXPOSE], "www-authenticate");
}
