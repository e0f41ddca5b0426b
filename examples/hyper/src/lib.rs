//! A service on plain hyper: the layer is tower's, and so is what it wraps.

use std::{convert::Infallible, io, time::Duration};

use bearergate::{AccessToken, PathRequirements, ResourceServer, scopes};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

/// The identifier of this resource server.
pub const RESOURCE: &str = "https://orders.example.com";

/// Serves each connection in a task of its own.
///
/// # Errors
///
/// Where the table of rights is wrong.
pub async fn serve(api: ResourceServer, listener: TcpListener) -> io::Result<()> {
    // No router says what a path asks for, so a table does.
    let rights = PathRequirements::new([("/orders/*", scopes!["read:orders"])]).map_err(io::Error::other)?;
    let service = ServiceBuilder::new().layer(api.layer().require_by_path(rights)).service_fn(handle);
    loop {
        // One client that is gone, or too many at once, end no server.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            // An error is that of one connection: its client has gone.
            let mut http = http1::Builder::new();
            // Without a timer nobody hangs up on a client that never ends its request.
            let _gone = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let token: AccessToken = match AccessToken::from_extensions(request.extensions()) {
        Ok(token) => token,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let subject = token.subject().unwrap_or("nobody");
    let text = match request.uri().path() {
        "/me" => subject.to_owned(),
        "/orders" => format!("the orders of {subject}"),
        _ => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    Ok(Response::new(Full::from(text)))
}
