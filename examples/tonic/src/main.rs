//! `cargo run`: serves until Ctrl-C, with an embedded issuer, and says how to call it.

use bearergate::{ResourceServer, testing::TestIssuer};
use tokio::net::TcpListener;
use tonic_example::{RESOURCE, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await?;
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("gRPC on {}", listener.local_addr()?);
    for scope in ["read:orders", "write:orders"] {
        println!("a token with {scope}: {}", issuer.token().scope(scope).mint());
    }
    tokio::select! {
        outcome = serve(&api, listener) => outcome,
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
