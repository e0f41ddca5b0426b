//! A gRPC service whose methods ask for scopes.

use std::pin::Pin;

use bearergate::{AccessToken, ConfigError, PathRequirements, Refusal, ResourceServer, scopes};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _, iter, wrappers::TcpListenerStream};
use tonic::{
    Code, Request, Response, Status, Streaming, metadata::MetadataMap, service::LayerExt as _,
    transport::Server,
};
use tonic_web::GrpcWebLayer;
use tower::ServiceBuilder;

/// What `tonic-build` makes of `build.rs`.
pub mod orders {
    #![allow(missing_docs, unused_qualifications, clippy::all)]
    tonic::include_proto!("shop.Orders");
}

use orders::orders_server::{Orders, OrdersServer};

/// The identifier of this resource server.
pub const RESOURCE: &str = "https://shop.example.com";

/// An order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Order {
    /// Whose it is, or what is in it.
    #[prost(string, tag = "1")]
    pub text: String,
}

/// What each method asks for: its path is `/package.Service/Method`.
fn rights() -> Result<PathRequirements, ConfigError> {
    PathRequirements::new([
        ("/shop.Orders/Get", scopes!["read:orders"]),
        ("/shop.Orders/List", scopes!["read:orders"]),
        // A method that is added later asks for the stronger right until somebody says otherwise.
        ("/shop.Orders/*", scopes!["write:orders"]),
    ])
}

/// Serves gRPC, and gRPC-Web to browsers, until the listener ends.
///
/// # Errors
///
/// Those of the transport.
pub async fn serve(
    api: &ResourceServer,
    listener: TcpListener,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Server::builder()
        .accept_http1(true)
        // Outside: what comes as gRPC-Web is gRPC for all that follows.
        .layer(GrpcWebLayer::new())
        .layer(api.layer().grpc().require_by_path(rights()?))
        .add_service(OrdersServer::new(Shop))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}

/// Serves gRPC, and protects the orders alone: services that are added beside them are open to everybody.
///
/// # Errors
///
/// Those of the transport.
pub async fn serve_beside_open_services(
    api: &ResourceServer,
    listener: TcpListener,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let orders = ServiceBuilder::new()
        .layer(api.layer().grpc().require_by_path(rights()?))
        .named_layer(OrdersServer::new(Shop));
    Server::builder().add_service(orders).serve_with_incoming(TcpListenerStream::new(listener)).await?;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
struct Shop;

/// What the layer has verified. An error only where the layer is missing.
fn caller<T>(request: &Request<T>) -> Result<AccessToken, Status> {
    AccessToken::from_extensions(request.extensions()).map_err(status)
}

/// A refusal of this crate as tonic's own.
fn status(refusal: Refusal) -> Status {
    let code = Code::from_i32(refusal.grpc_code());
    let metadata = MetadataMap::from_headers(refusal.headers());
    Status::with_metadata(code, refusal.error().to_string(), metadata)
}

fn order(text: impl Into<String>) -> Order {
    Order { text: text.into() }
}

type OrderStream = Pin<Box<dyn Stream<Item = Result<Order, Status>> + Send>>;

#[tonic::async_trait]
impl Orders for Shop {
    type ListStream = OrderStream;
    type ChangeStream = OrderStream;

    async fn get(&self, request: Request<Order>) -> Result<Response<Order>, Status> {
        let token = caller(&request)?;
        Ok(Response::new(order(token.subject().unwrap_or("nobody"))))
    }

    async fn list(&self, request: Request<Order>) -> Result<Response<OrderStream>, Status> {
        let token = caller(&request)?;
        let text = token.subject().unwrap_or("nobody").to_owned();
        let orders = (1..=3).map(move |number| Ok(order(format!("{text}, {number}"))));
        Ok(Response::new(Box::pin(iter(orders))))
    }

    async fn place(&self, request: Request<Streaming<Order>>) -> Result<Response<Order>, Status> {
        let mut orders = request.into_inner();
        let mut count = 0;
        while let Some(order) = orders.next().await {
            order?;
            count += 1;
        }
        Ok(Response::new(order(format!("{count} placed"))))
    }

    async fn change(&self, request: Request<Streaming<Order>>) -> Result<Response<OrderStream>, Status> {
        let changed = request.into_inner().map(|order| order.map(|it| order_changed(&it)));
        Ok(Response::new(Box::pin(changed)))
    }
}

fn order_changed(before: &Order) -> Order {
    order(format!("{}, changed", before.text))
}
