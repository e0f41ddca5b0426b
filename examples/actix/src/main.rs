//! `cargo run`: serves until Ctrl-C, with an embedded issuer, and says how to call it.

use std::net::TcpListener;

use actix_example::{RESOURCE, server};
use bearergate::{ResourceServer, testing::TestIssuer};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await?;
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let token = issuer.token().scope("read:orders").mint();
    println!("curl -i http://{}/orders -H 'Authorization: Bearer {token}'", listener.local_addr()?);
    let server = server(api, listener)?;
    tokio::select! {
        outcome = server => Ok(outcome?),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
