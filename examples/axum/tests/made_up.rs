//! The router with made-up tokens: no authorization server, no socket, and what a client is told, word for word.

use std::{error::Error, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode},
    response::Response,
};
use axum_example::{RESOURCE, app};
use bearergate::{
    ErrorCode,
    testing::{MockAuth, TestClock, assert_refused},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

async fn call(auth: &MockAuth, request: Request<Body>) -> Outcome<Response> {
    // The service is the same as ever: it takes a `ResourceServer`, and this is one.
    Ok(app(&auth.server()).oneshot(request).await?)
}

fn get(path: &str, bearer: HeaderValue) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().expect("a path");
    request.headers_mut().insert("authorization", bearer);
    request
}

#[tokio::test]
async fn the_subject_is_whom_the_test_says() -> Outcome {
    let auth = MockAuth::new(RESOURCE);
    let token = auth.token().subject("anna").scope("read:orders");
    for (path, text) in [("/me", "anna"), ("/orders", "the orders of anna")] {
        let response = call(&auth, get(path, token.bearer())).await?;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.into_body().collect().await?.to_bytes(), text);
    }
    Ok(())
}

#[tokio::test]
async fn a_client_is_told_which_scope_is_missing() -> Outcome {
    let auth = MockAuth::new(RESOURCE);
    let poor = auth.token().scope("profile");
    let response = call(&auth, get("/orders", poor.bearer())).await?;
    let challenge = assert_refused(&response, StatusCode::FORBIDDEN, Some(ErrorCode::InsufficientScope));
    assert_eq!(challenge.scopes(), ["read:orders"]);

    let mut place = get("/orders", auth.token().scope("read:orders").bearer());
    *place.method_mut() = axum::http::Method::POST;
    let challenge =
        assert_refused(&call(&auth, place).await?, StatusCode::FORBIDDEN, Some(ErrorCode::InsufficientScope));
    assert_eq!(challenge.scopes(), ["write:orders"]);
    Ok(())
}

#[tokio::test]
async fn without_a_token_and_with_one_that_is_not_good() -> Outcome {
    let clock = TestClock::new();
    let auth = MockAuth::new(RESOURCE).clock(clock.clone());
    let response = call(&auth, Request::get("/me").body(Body::empty())?).await?;
    let challenge = assert_refused(&response, StatusCode::UNAUTHORIZED, None);
    assert_eq!(challenge.realm(), Some(RESOURCE));

    let token = auth.token().expires_in(Duration::from_secs(300));
    let (today, stolen) = (token.bearer(), token.audience("https://other.example.com").bearer());
    assert_eq!(call(&auth, get("/me", today.clone())).await?.status(), StatusCode::OK);
    clock.advance(Duration::from_secs(3600));
    for bearer in [today, stolen] {
        let response = call(&auth, get("/me", bearer)).await?;
        assert_refused(&response, StatusCode::UNAUTHORIZED, Some(ErrorCode::InvalidToken));
    }
    Ok(())
}
