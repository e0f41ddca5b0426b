//! A stream of events ends when the token that it was asked for with expires.

use std::{error::Error, time::Duration};

use axum::{body::Body, http::Request};
use axum_example::{RESOURCE, app};
use bearergate::{
    Issuer, ResourceServer,
    testing::{TestClock, TestIssuer},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

#[tokio::test(start_paused = true)]
async fn events_come_until_the_token_expires() -> Result<(), Box<dyn Error>> {
    let clock = TestClock::new();
    let issuer = TestIssuer::builder().default_audience(RESOURCE).clock(clock.clone());
    let issuer = issuer.offline("https://login.example.com");
    let trusted = Issuer::jwks(issuer.url(), issuer.jwks()).leeway(Duration::ZERO);
    let api = ResourceServer::builder(RESOURCE).trust(trusted).clock(clock).build()?;
    let token = issuer.token().scope("read:orders").expires_in(Duration::from_secs(100)).mint();
    let request = Request::get("/events").header("authorization", format!("Bearer {token}"));
    let response = app(&api).oneshot(request.body(Body::empty())?).await?;
    // It ends by itself; time is paused, so nobody waits.
    let content = response.into_body().collect().await?.to_bytes();
    assert_eq!(String::from_utf8_lossy(&content), "data: order 1\n\ndata: order 2\n\ndata: order 3\n\n");
    Ok(())
}
