//! What a client sees, over a real socket: accepted, refused, scope missing, authorization server down.

#[expect(clippy::disallowed_types, reason = "a client of the service")]
#[path = "../../common/calls.rs"]
mod calls;

use axum_example::{RESOURCE, serve};
use bearergate::testing::TestIssuer;
use calls::{Outcome, issuer_and_server};

/// Where the service is, and who issues its tokens.
async fn scene(down: bool) -> Outcome<(String, TestIssuer)> {
    let (issuer, api) = issuer_and_server(RESOURCE, down).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(api, listener));
    Ok((url, issuer))
}

#[tokio::test]
async fn a_good_token_is_accepted() -> Outcome {
    let (url, issuer) = scene(false).await?;
    calls::a_good_token_is_accepted(&url, &issuer).await
}

#[tokio::test]
async fn no_token_and_bad_ones_are_refused() -> Outcome {
    let (url, issuer) = scene(false).await?;
    calls::no_token_and_bad_ones_are_refused(&url, &issuer, RESOURCE).await
}

#[tokio::test]
async fn a_missing_scope_is_403_and_named() -> Outcome {
    let (url, issuer) = scene(false).await?;
    calls::a_missing_scope_is_403_and_named(&url, &issuer).await
}

#[tokio::test]
async fn while_the_authorization_server_is_down_no_token_is_bad() -> Outcome {
    let (url, issuer) = scene(true).await?;
    calls::while_the_authorization_server_is_down_no_token_is_bad(&url, &issuer).await
}
