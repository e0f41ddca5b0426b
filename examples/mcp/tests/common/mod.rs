//! What the tests share: the server on its socket, and an embedded issuer.

#![allow(dead_code, reason = "each test uses some")]

use std::error::Error;

use bearergate::{
    Issuer, scopes,
    testing::{TestIssuer, TestIssuerBuilder},
};
use mcp_example::{resource, resource_server, serve};
use tokio::net::TcpListener;

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Starts the server, which trusts this issuer, and tells its URL.
pub async fn server(issuer: Issuer) -> Outcome<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let resource = resource(&listener)?;
    let api = resource_server(&resource, issuer)?;
    tokio::spawn(serve(api, listener));
    Ok(resource)
}

/// An issuer whose user is `ann`, and a server that trusts it.
pub async fn embedded(
    settings: impl FnOnce(TestIssuerBuilder) -> TestIssuerBuilder,
) -> Outcome<(TestIssuer, String)> {
    let issuer = TestIssuer::builder().scopes(scopes!["notes:read", "notes:write"]).consents_as("ann");
    let issuer = settings(issuer).start().await?;
    let url = server(issuer.trusted()).await?;
    Ok((issuer, url))
}
