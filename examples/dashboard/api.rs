//! The protected API: a resource server behind bearergate. It knows whom it trusts and what it is called, and keeps nothing of anybody.

use std::{error::Error, sync::Arc};

use axum::{Json, Router, routing::get};
use bearergate::{AccessToken, Clock, Issuer, ResourceServer, Scoped, scopes};
use serde_json::{Map, Value, json};

/// Whatever the issuer says.
type Claims = Map<String, Value>;

scopes!(ReadOrders = "read:orders");
scopes!(WriteOrders = "write:orders");

/// Any good token.
async fn me(token: AccessToken<Claims>) -> Json<Value> {
    Json(
        json!({"subject": token.subject(), "scopes": token.scopes().collect::<Vec<_>>(), "claims": token.claims()}),
    )
}

async fn orders(token: Scoped<ReadOrders, Claims>) -> Json<Value> {
    Json(json!({"orders_of": token.subject(), "orders": ["two apples", "a pear"]}))
}

async fn place_order(token: Scoped<WriteOrders, Claims>) -> Json<Value> {
    Json(json!({"ordered_for": token.subject()}))
}

/// Serves it on a port of its own, and says where.
pub(crate) async fn serve(
    resource: &str,
    issuer: Issuer,
    clock: Arc<dyn Clock>,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let api = ResourceServer::builder(resource).trust(issuer).clock(clock).build()?;
    // What fails is logged, and tried again: the service may begin all the same.
    let _told = api.ready().await;
    let app = Router::new()
        .route("/me", get(me))
        .route("/orders", get(orders).post(place_order))
        .layer(api.layer_for::<Claims>());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}
