//! A service on axum: the scope stands in the handler's signature, or on the route.

use std::io;

use axum::{
    Router,
    routing::{get, post},
};
use bearergate::{AccessToken, ResourceServer, Scoped, scopes};
use tokio::net::TcpListener;

scopes!(ReadOrders = "read:orders");

/// The identifier of this resource server.
pub const RESOURCE: &str = "https://orders.example.com";

/// The router, as a test may call it too.
pub fn app(api: &ResourceServer) -> Router {
    Router::new()
        .route("/me", get(me))
        .route("/orders", get(orders))
        .route("/orders", post(place).layer(api.require(scopes!["write:orders"])))
        .layer(api.layer())
}

/// Serves until the listener fails.
///
/// # Errors
///
/// Those of the listener.
pub async fn serve(api: ResourceServer, listener: TcpListener) -> io::Result<()> {
    axum::serve(listener, app(&api)).await
}

async fn me(token: AccessToken) -> String {
    token.subject().unwrap_or("nobody").to_owned()
}

async fn orders(token: Scoped<ReadOrders>) -> String {
    format!("the orders of {}", token.subject().unwrap_or("nobody"))
}

async fn place() -> &'static str {
    "placed"
}
