//! The embedded issuer's socket.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use crate::testing::{
    endpoints::{self, Exchange},
    issuer::State,
};

/// A running server. Dropping it closes the socket and every connection.
pub(super) struct Serving(JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn serve(listener: TcpListener, issuer: Arc<State>) -> Serving {
    Serving(tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let issuer = Arc::clone(&issuer);
                    connections.spawn(async move {
                        let service = service_fn(move |request| answer(Arc::clone(&issuer), request));
                        // A connection that breaks is the client's affair.
                        let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }))
}

async fn answer(issuer: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body =
        Limited::new(body, MAX_BODY_BYTES).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let exchange =
        Exchange { method: &parts.method, path: parts.uri.path(), headers: &parts.headers, body: &body };
    Ok(endpoints::answer(&issuer, &exchange).map(|body| Full::new(Bytes::from(body))))
}

/// A token request is a few hundred octets.
const MAX_BODY_BYTES: usize = 64 * 1024;
