//! How does a socket reach the embedded issuer?

use std::{convert::Infallible, future::pending, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response, StatusCode, header::HOST};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};

use crate::testing::{
    delivery::{Breakage, Delivery},
    endpoints::Exchange,
    issuer::State,
    raw,
};

/// A running server. Dropping it closes the socket and every connection.
pub(super) struct Serving {
    task: JoinHandle<()>,
    orders: mpsc::Sender<Order>,
}

/// To listen, or not to; and who waits for it to be done.
type Order = (bool, oneshot::Sender<io::Result<()>>);

impl Serving {
    /// Opens or closes the socket.
    pub(super) async fn listen(&self, open: bool) -> io::Result<()> {
        let (done, outcome) = oneshot::channel();
        let _gone = self.orders.send((open, done)).await;
        outcome.await.unwrap_or_else(|_| Err(io::ErrorKind::NotConnected.into()))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn serve(listener: TcpListener, address: SocketAddr, issuer: Arc<State>) -> Serving {
    let (orders, inbox) = mpsc::channel(1);
    Serving { task: tokio::spawn(run(listener, address, issuer, inbox)), orders }
}

async fn run(
    listener: TcpListener,
    address: SocketAddr,
    issuer: Arc<State>,
    mut orders: mpsc::Receiver<Order>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = accept(listener.as_ref()) => match accepted {
                Ok(stream) => {
                    connections.spawn(connection(Arc::clone(&issuer), stream));
                }
                // Of no descriptors left, say: the next one may be luckier.
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
            },
            Some((open, done)) = orders.recv() => {
                let outcome = if !open {
                    listener = None;
                    connections.shutdown().await;
                    Ok(())
                } else if listener.is_some() {
                    Ok(())
                } else {
                    TcpListener::bind(address).await.map(|opened| listener = Some(opened))
                };
                let _nobody_waits = done.send(outcome);
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => pending().await,
    }
}

/// What is left of a connection once an answer breaks it.
type Broken = (Response<Vec<u8>>, Breakage);

async fn connection(issuer: Arc<State>, stream: TcpStream) {
    let (breaks, mut broken) = mpsc::channel(1);
    let service = service_fn(move |request| answer(Arc::clone(&issuer), breaks.clone(), request));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let (response, breakage) = tokio::select! {
        // A connection that breaks is the client's affair.
        _ended = &mut connection => return,
        Some(broken) = broken.recv() => broken,
    };
    let stream = connection.into_parts().io.into_inner();
    let _hung_up = raw::write(stream, &response, breakage).await;
}

async fn answer(
    issuer: Arc<State>,
    breaks: mpsc::Sender<Broken>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    if !parts.headers.get(HOST).is_none_or(is_loopback) {
        return Ok(refused(StatusCode::MISDIRECTED_REQUEST));
    }
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await.map(Collected::to_bytes) else {
        return Ok(refused(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let delivery = {
        let exchange = Exchange {
            method: &parts.method,
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
            body: &body,
        };
        Delivery::new(&issuer, &exchange)
    };
    delivery.leaves(&issuer).await;
    if let Some(breakage) = delivery.breakage {
        let _gone = breaks.send((delivery.response, breakage)).await;
        // The connection is taken from here.
        return pending().await;
    }
    Ok(delivery.response.map(|body| Full::new(Bytes::from(body))))
}

/// A page on a name that was made to point here (DNS rebinding) asks for its own name: it gets nothing.
fn is_loopback(host: &HeaderValue) -> bool {
    let host = host.to_str().unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|octet| octet.is_ascii_digit()));
    ["127.0.0.1", "localhost", "[::1]"].contains(&name.map_or(host, |(name, _)| name))
}

fn refused(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// After one that failed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// A token request is a few hundred octets.
const MAX_BODY_BYTES: usize = 64 * 1024;
