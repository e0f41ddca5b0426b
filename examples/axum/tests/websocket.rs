//! A WebSocket is closed, over a real socket, when the token expires that it was opened with.

use std::{error::Error, time::Duration};

use axum_example::{RESOURCE, serve};
use bearergate::{
    ResourceServer,
    testing::{MockAuth, TestClock},
};
use futures_util::StreamExt as _;
use tokio::net::TcpListener;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, StatusCode},
        protocol::frame::coding::CloseCode,
    },
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Where the service listens, and who makes its tokens.
async fn scene() -> Outcome<(String, MockAuth)> {
    let clock = TestClock::new();
    let auth = MockAuth::new(RESOURCE).clock(clock.clone());
    let trusted = auth.issuer().leeway(Duration::ZERO);
    let api = ResourceServer::builder(RESOURCE).trust(trusted).clock(clock).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/ws", listener.local_addr()?);
    tokio::spawn(serve(api, listener));
    Ok((url, auth))
}

/// Everything that comes, until the socket is closed.
async fn everything(url: &str, bearer: HeaderValue) -> Outcome<Vec<Message>> {
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("authorization", bearer);
    let (socket, _) = connect_async(request).await?;
    let messages: Vec<_> = socket.collect().await;
    Ok(messages.into_iter().collect::<Result<_, _>>()?)
}

/// Time is paused and goes on where nothing else is to be done: nobody waits.
#[tokio::test(start_paused = true)]
async fn orders_come_until_the_token_expires() -> Outcome {
    let (url, auth) = scene().await?;
    let token = auth.token().scope("read:orders").expires_in(Duration::from_secs(100));
    let messages = everything(&url, token.bearer()).await?;
    let (last, orders) = messages.split_last().ok_or("nothing came")?;
    let orders: Vec<_> = orders.iter().map(|order| order.to_text()).collect::<Result<_, _>>()?;
    assert_eq!(orders, ["order 1", "order 2", "order 3"]);
    let Message::Close(Some(frame)) = last else { return Err(format!("not closed, but {last:?}").into()) };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Policy, "the token has expired"));
    Ok(())
}

#[tokio::test]
async fn a_bad_token_opens_no_socket() -> Outcome {
    let (url, auth) = scene().await?;
    for (token, expected) in [
        (auth.token().scope("read:orders").expired(), StatusCode::UNAUTHORIZED),
        (auth.token(), StatusCode::FORBIDDEN),
    ] {
        let refused = everything(&url, token.bearer()).await.err().ok_or("it opens")?;
        let Some(tungstenite::Error::Http(response)) = refused.downcast_ref() else { return Err(refused) };
        assert_eq!(response.status(), expected);
    }
    Ok(())
}
