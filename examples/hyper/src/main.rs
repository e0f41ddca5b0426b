//! `cargo run`: serves until Ctrl-C, with an embedded issuer, and says how to call it.

use bearergate::{ResourceServer, testing::TestIssuer};
use hyper_example::{RESOURCE, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await?;
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let token = issuer.token().scope("read:orders").mint();
    println!("curl -i http://{}/orders -H 'Authorization: Bearer {token}'", listener.local_addr()?);
    tokio::select! {
        outcome = serve(api, listener) => Ok(outcome?),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
