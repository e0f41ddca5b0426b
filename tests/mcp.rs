//! Model Context Protocol, Authorization (2026-07-28): what it asks of a server beyond the RFCs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;

use bearergate::{
    ErrorCode, ResourceServer, scopes,
    testing::{Challenge, MockAuth, assert_refused},
};
use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

const RESOURCE: &str = "https://mcp.example.com/mcp";
const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

/// A server that calls for `files:read`, and whose one tool needs `files:write` beside it.
fn scene() -> (MockAuth, ResourceServer) {
    let auth = MockAuth::new(RESOURCE);
    let api = ResourceServer::builder(RESOURCE).trust(auth.issuer()).challenge_scopes(scopes!["files:read"]);
    let api = api.strip_credentials().build().unwrap();
    let _served = api.metadata_service().unwrap();
    (auth, api)
}

/// The service says which credentials it saw.
async fn call(api: &ResourceServer, uri: &str, bearer: Option<HeaderValue>) -> Response<String> {
    let tool = service_fn(async |request: Request<()>| {
        let seen = request.headers().get(AUTHORIZATION).is_some();
        Ok::<_, Infallible>(Response::new(format!("credentials: {seen}")))
    });
    let service = api.layer().layer(api.require(scopes!["files:read", "files:write"]).layer(tool));
    let request = Request::post(uri);
    let request = bearer.into_iter().fold(request, |request, bearer| request.header(AUTHORIZATION, bearer));
    service.oneshot(request.body(()).unwrap()).await.unwrap()
}

async fn document(api: &ResourceServer) -> Value {
    let response =
        api.metadata_service().unwrap().oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    serde_json::from_str(response.body()).unwrap()
}

#[tokio::test]
async fn the_token_comes_in_the_header_alone() {
    let (auth, api) = scene();
    let token = auth.token().scope("files:read files:write");
    let accepted = call(&api, "/mcp", Some(token.bearer())).await;
    assert_eq!(accepted.status(), StatusCode::OK);
    let refused = call(&api, &format!("/mcp?access_token={}", token.mint()), None).await;
    assert_refused(&refused, StatusCode::UNAUTHORIZED, None);
}

#[tokio::test]
async fn a_token_must_be_issued_for_this_server() {
    let (auth, api) = scene();
    for audience in ["https://mcp.example.com", "https://mcp.example.com/mcp/", "https://other.example"] {
        let refused = call(&api, "/mcp", Some(auth.token().audience(audience).bearer())).await;
        assert_refused(&refused, StatusCode::UNAUTHORIZED, Some(ErrorCode::InvalidToken));
    }
    let refused = call(&api, "/mcp", Some(auth.token().without("aud").bearer())).await;
    assert_refused(&refused, StatusCode::UNAUTHORIZED, Some(ErrorCode::InvalidToken));
}

/// A token is not handed on to what stands upstream.
#[tokio::test]
async fn the_token_reaches_nobody_behind_the_layer() {
    let (auth, api) = scene();
    let bearer = auth.token().scope("files:read files:write").bearer();
    assert_eq!(call(&api, "/mcp", Some(bearer)).await.body(), "credentials: false");
}

/// In a 401 those that a client should begin with, in a 403 all that the operation needs, held already or not; in one challenge.
#[tokio::test]
async fn challenges_name_scopes_and_the_document() {
    let (auth, api) = scene();
    for (bearer, status, code, scopes) in [
        (None, StatusCode::UNAUTHORIZED, None, vec!["files:read"]),
        (
            Some(auth.token().expired().bearer()),
            StatusCode::UNAUTHORIZED,
            Some(ErrorCode::InvalidToken),
            vec!["files:read"],
        ),
        (
            Some(auth.token().scope("files:read").bearer()),
            StatusCode::FORBIDDEN,
            Some(ErrorCode::InsufficientScope),
            vec!["files:read", "files:write"],
        ),
    ] {
        let challenge = assert_refused(&call(&api, "/mcp", bearer).await, status, code);
        assert_eq!((challenge.scopes(), challenge.resource_metadata()), (scopes, Some(METADATA)), "{status}");
    }
}

#[tokio::test]
async fn the_document_names_an_authorization_server() {
    let (_, api) = scene();
    assert_eq!(document(&api).await["authorization_servers"], json!([MockAuth::ISSUER]));
}

/// A refresh token is no requirement of a resource.
#[tokio::test]
async fn offline_access_is_neither_in_a_challenge_nor_in_the_document() {
    for (hint, named) in [
        (scopes!["files:read", "offline_access", "files:write"], Some("files:read files:write")),
        (scopes!["files:read", "offline_access:x"], Some("files:read offline_access:x")),
        (scopes!["offline_access"], None),
    ] {
        let api = ResourceServer::builder(RESOURCE).trust(MockAuth::new(RESOURCE).issuer());
        let api = api.challenge_scopes(hint).build().unwrap();
        let refused = call(&api, "/mcp", Some(HeaderValue::from_static("Bearer x"))).await;
        let challenge = assert_refused(&refused, StatusCode::UNAUTHORIZED, Some(ErrorCode::InvalidToken));
        assert_eq!(challenge.parameter("scope"), named);
        let refusal = api.refuse(bearergate::AuthErrorKind::MissingToken.into());
        assert_eq!(Challenge::from_headers(&refusal.headers()).unwrap().parameter("scope"), named);
        let supported = named.map(|list| list.split(' ').collect::<Vec<_>>());
        assert_eq!(document(&api).await.get("scopes_supported"), supported.map(|list| json!(list)).as_ref());
    }
}
