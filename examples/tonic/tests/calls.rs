//! What a real client sees, over a real socket, for each kind of call: 16, 7, 14, and good answers.

use std::error::Error;

use bearergate::{
    ResourceServer,
    testing::{Endpoint, Fault, TestIssuer},
};
use http::{StatusCode, Uri};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tokio_stream::{StreamExt as _, iter};
use tonic::{Code, Request, Status, body::Body, client::GrpcService};
use tonic_example::{
    Order, RESOURCE, orders::orders_client::OrdersClient, serve, serve_beside_open_services,
};
use tonic_web::GrpcWebClientLayer;
use tower::ServiceBuilder;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A service on a socket, and who issues its tokens.
struct Scene {
    issuer: TestIssuer,
    url: Uri,
}

async fn scene(down: bool) -> Outcome<Scene> {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await?;
    if down {
        issuer.faults().set(Endpoint::Jwks, Fault::Status(StatusCode::BAD_GATEWAY));
    }
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?).parse()?;
    tokio::spawn(async move { serve(&api, listener).await });
    Ok(Scene { issuer, url })
}

fn request<T>(message: T, token: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let field = format!("Bearer {token}").parse().expect("a field");
        request.metadata_mut().insert("authorization", field);
    }
    request
}

fn order(text: &str) -> Order {
    Order { text: text.into() }
}

/// What the four kinds of call get: unary, server-streaming, client-streaming, both.
async fn calls<S>(client: &mut OrdersClient<S>, token: Option<&str>) -> [Result<Vec<String>, Status>; 4]
where
    S: GrpcService<Body>,
    S::Error: Into<tonic::codegen::StdError>,
    S::ResponseBody: tonic::codegen::Body<Data = tonic::codegen::Bytes> + Send + 'static,
    <S::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
{
    let orders = || iter([order("one"), order("two")]);
    let get = client.get(request(order(""), token)).await.map(|answer| vec![answer.into_inner().text]);
    let list = async {
        let mut stream = client.list(request(order(""), token)).await?.into_inner();
        let mut texts = Vec::new();
        while let Some(order) = stream.next().await {
            texts.push(order?.text);
        }
        Ok(texts)
    }
    .await;
    let place = client.place(request(orders(), token)).await.map(|answer| vec![answer.into_inner().text]);
    let change = async {
        let mut stream = client.change(request(orders(), token)).await?.into_inner();
        let mut texts = Vec::new();
        while let Some(order) = stream.next().await {
            texts.push(order?.text);
        }
        Ok(texts)
    }
    .await;
    [get, list, place, change]
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// The code, and the challenge.
fn refused(outcome: &Result<Vec<String>, Status>) -> (Code, Option<&str>) {
    let status = outcome.as_ref().expect_err("it is refused");
    let challenge = status.metadata().get("www-authenticate");
    (status.code(), challenge.and_then(|field| field.to_str().ok()))
}

/// Every answer to each of four kinds of call, whatever the transport.
async fn is_right<S>(client: &mut OrdersClient<S>, issuer: &TestIssuer)
where
    S: GrpcService<Body>,
    S::Error: Into<tonic::codegen::StdError>,
    S::ResponseBody: tonic::codegen::Body<Data = tonic::codegen::Bytes> + Send + 'static,
    <S::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
{
    let token = |scope: &str| issuer.token().subject("anna").scope(scope).mint();
    // Both rights: each call gets what it came for.
    let all = calls(client, Some(&token("read:orders write:orders"))).await.map(Result::unwrap);
    assert_eq!(all[0], texts(&["anna"]));
    assert_eq!(all[1], texts(&["anna, 1", "anna, 2", "anna, 3"]));
    assert_eq!(all[2], texts(&["2 placed"]));
    assert_eq!(all[3], texts(&["one, changed", "two, changed"]));
    // No token: 16, and the challenge names the scope of the method.
    for (outcome, scope) in calls(client, None).await.iter().zip(["read", "read", "write", "write"]) {
        let challenge = format!("Bearer realm=\"{RESOURCE}\", scope=\"{scope}:orders\"");
        assert_eq!(refused(outcome), (Code::Unauthenticated, Some(challenge.as_str())));
    }
    // Bad ones: 16.
    for bad in [issuer.token().forged().mint(), issuer.token().expired().mint(), "rubbish".to_owned()] {
        for outcome in &calls(client, Some(&bad)).await {
            let (code, challenge) = refused(outcome);
            assert_eq!(code, Code::Unauthenticated);
            assert!(challenge.is_some_and(|text| text.contains("error=\"invalid_token\"")), "{challenge:?}");
            let message = outcome.as_ref().unwrap_err().message();
            assert!(!message.is_empty() && !message.contains(&bad), "{message}");
        }
    }
    // One right: the methods that ask for the other one are 7, and no others.
    let read = calls(client, Some(&token("read:orders"))).await;
    assert!(read[0].is_ok() && read[1].is_ok());
    let write = calls(client, Some(&token("write:orders"))).await;
    assert!(write[2].is_ok() && write[3].is_ok());
    for (outcome, scope) in
        [(&read[2], "write"), (&read[3], "write"), (&write[0], "read"), (&write[1], "read")]
    {
        let (code, challenge) = refused(outcome);
        assert_eq!(code, Code::PermissionDenied);
        let challenge = challenge.expect("a challenge");
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.contains(&format!("scope=\"{scope}:orders\"")), "{challenge}");
    }
}

/// Without keys a token is neither good nor bad: 14, and no challenge.
async fn is_unavailable<S>(client: &mut OrdersClient<S>, issuer: &TestIssuer)
where
    S: GrpcService<Body>,
    S::Error: Into<tonic::codegen::StdError>,
    S::ResponseBody: tonic::codegen::Body<Data = tonic::codegen::Bytes> + Send + 'static,
    <S::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
{
    let token = issuer.token().scope("read:orders write:orders").mint();
    for outcome in &calls(client, Some(&token)).await {
        assert_eq!(refused(outcome), (Code::Unavailable, None));
        assert!(outcome.as_ref().unwrap_err().metadata().contains_key("retry-after"));
    }
}

#[tokio::test]
async fn grpc() -> Outcome {
    let scene = scene(false).await?;
    let mut client = OrdersClient::connect(scene.url.to_string()).await?;
    is_right(&mut client, &scene.issuer).await;
    Ok(())
}

#[tokio::test]
async fn grpc_of_one_service() -> Outcome {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await?;
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { serve_beside_open_services(&api, listener).await });
    let mut client = OrdersClient::connect(url).await?;
    is_right(&mut client, &issuer).await;
    Ok(())
}

#[tokio::test]
async fn grpc_while_the_authorization_server_is_down() -> Outcome {
    let scene = scene(true).await?;
    let mut client = OrdersClient::connect(scene.url.to_string()).await?;
    is_unavailable(&mut client, &scene.issuer).await;
    Ok(())
}

#[tokio::test]
async fn grpc_web() -> Outcome {
    for down in [false, true] {
        let scene = scene(down).await?;
        let transport = Client::builder(TokioExecutor::new()).build_http();
        let service = ServiceBuilder::new().layer(GrpcWebClientLayer::new()).service(transport);
        let mut client = OrdersClient::with_origin(service, scene.url.clone());
        if down {
            is_unavailable(&mut client, &scene.issuer).await;
        } else {
            is_right(&mut client, &scene.issuer).await;
        }
    }
    Ok(())
}
