//! `cargo run`: serves until Ctrl-C, with an embedded issuer, and says how to see the description.

use bearergate::testing::TestIssuer;
use openapi_example::{RESOURCE, app, resource_server};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await?;
    let api = resource_server(issuer.trusted())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("curl http://{address}/openapi.json");
    println!(
        "curl -i http://{address}/orders -H 'Authorization: Bearer {}'",
        issuer.token().scope("read:orders").mint()
    );
    tokio::select! {
        outcome = async { axum::serve(listener, app(&api)?).await.map_err(Into::into) } => outcome,
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
