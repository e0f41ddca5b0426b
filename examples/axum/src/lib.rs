//! A service on axum: the scope stands in the handler's signature, or on the route.

use std::{convert::Infallible, io, pin::pin, time::Duration};

use axum::{
    Router,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    response::{
        Response,
        sse::{Event, Sse},
    },
    routing::{any, get, post},
};
use bearergate::{AccessToken, ResourceServer, Scoped, scopes};
use futures_util::{Stream, StreamExt as _, stream::unfold};
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
        .route("/events", get(events))
        .route("/ws", any(socket))
        .layer(api.layer())
        .with_state(api.clone())
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

/// An event every 30 s, for as long as the token is good: then the stream ends, and the client comes back with a new one.
async fn events(
    State(api): State<ResourceServer>,
    token: Scoped<ReadOrders>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let expired = Box::pin(api.expired(&*token));
    let events = unfold(1, |number| async move {
        tokio::time::sleep(Duration::from_secs(30)).await;
        Some((Ok(Event::default().data(format!("order {number}"))), number + 1))
    });
    Sse::new(events.take_until(expired))
}

/// The same by WebSocket. The token is judged before the upgrade: a refusal is an answer in HTTP.
async fn socket(
    State(api): State<ResourceServer>,
    token: Scoped<ReadOrders>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let expired = api.expired(&*token);
    upgrade.on_upgrade(|socket| send_orders(socket, expired))
}

/// Until the token expires, which the close frame says, or the client is gone.
async fn send_orders(mut socket: WebSocket, expired: impl Future<Output = ()>) {
    let mut expired = pin!(expired);
    let mut ticks = tokio::time::interval(Duration::from_secs(30));
    ticks.tick().await; // the first one is at once
    for number in 1.. {
        let sent = tokio::select! {
            () = &mut expired => {
                let reason = "the token has expired".into();
                let frame = CloseFrame { code: close_code::POLICY, reason };
                let _gone = socket.send(Message::Close(Some(frame))).await;
                return;
            }
            () = left(&mut socket) => return,
            _ = ticks.tick() => socket.send(Message::text(format!("order {number}"))).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Ends when the client has left. What it says meanwhile is not for us.
async fn left(socket: &mut WebSocket) {
    while let Some(Ok(_)) = socket.recv().await {}
}
