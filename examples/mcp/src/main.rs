//! `cargo run`: serves until Ctrl-C, and says where. With `OAUTH2_ISSUER` it trusts that authorization server, else one of its own.
//! `MCP_ADDRESS` says where on loopback it listens.

use std::env::{self, VarError};

use bearergate::{Issuer, scopes, testing::TestIssuer};
use mcp_example::{resource, resource_server, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let address = env::var("MCP_ADDRESS").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address).await?;
    let resource = resource(&listener)?;
    // The embedded one lives as long as this does.
    let (trusted, embedded) = match env::var("OAUTH2_ISSUER") {
        Ok(issuer) => (Issuer::discover(issuer).allow_http_on_loopback(), None),
        Err(unusable @ VarError::NotUnicode(_)) => return Err(unusable.into()),
        Err(VarError::NotPresent) => {
            println!(
                "No OAUTH2_ISSUER: an embedded issuer lets in whoever can reach it, which is this machine. To try things out only."
            );
            let issuer =
                TestIssuer::builder().scopes(scopes!["notes:read", "notes:write"]).consents_as("ann");
            let issuer = issuer.default_audience(&resource).start().await?;
            (issuer.trusted(), Some(issuer))
        }
    };
    let api = resource_server(&resource, trusted)?;
    println!("{resource}");
    println!("Give this URL to an MCP client: it finds out where its user has to consent. By hand:");
    println!("curl -i -X POST {resource}");
    if let Some(issuer) = &embedded {
        let token = issuer.token().subject("ann").scope("notes:read").mint();
        let call =
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{}}}"#;
        println!(
            "curl -i {resource} -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \
             -H 'Accept: application/json, text/event-stream' -d '{call}'"
        );
    }
    tokio::select! {
        outcome = serve(api, listener) => Ok(outcome?),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
