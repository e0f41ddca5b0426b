use std::error::Error;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
    routing::get,
};
use bearergate::testing::TestIssuer;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

#[tokio::test]
async fn a_tool_asks_for_its_scope_even_if_nobody_did_before() -> Result<(), Box<dyn Error>> {
    let resource = "http://127.0.0.1/mcp";
    let issuer = TestIssuer::builder().default_audience(resource).offline("https://as.example");
    let api = resource_server(resource, Issuer::jwks(issuer.url(), issuer.jwks()))?;
    // Without the middleware that reads the message.
    let app = Router::new().route_service("/mcp", mcp(&api)).layer(api.layer());
    let call = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "add_note", "arguments": {"text": "a note"}},
    });
    let answer = async |scope: &str| {
        let request = Request::post(resource)
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {}", issuer.token().scope(scope).mint()))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        let answer = app.clone().oneshot(request.body(Body::from(call.to_string()))?).await?;
        assert_eq!(answer.status(), StatusCode::OK);
        let content = to_bytes(answer.into_body(), 1 << 16).await?;
        Ok::<Value, Box<dyn Error>>(serde_json::from_slice(&content)?)
    };
    let refused = answer("notes:read").await?;
    assert_eq!(refused["error"]["message"], "a required scope is missing", "{refused}");
    let kept = answer("notes:read notes:write").await?;
    assert_eq!(kept["result"]["content"][0]["text"], "kept", "{kept}");
    Ok(())
}

#[tokio::test]
async fn what_is_behind_the_layer_sees_no_credentials() -> Result<(), Box<dyn Error>> {
    let resource = "http://127.0.0.1/mcp";
    let issuer = TestIssuer::builder().default_audience(resource).offline("https://as.example");
    let api = resource_server(resource, Issuer::jwks(issuer.url(), issuer.jwks()))?;
    let tool = get(async |headers: HeaderMap| format!("{}", headers.contains_key("authorization")));
    let app = Router::new().route("/mcp", tool).layer(api.layer());
    let request = Request::get(resource).header("authorization", format!("Bearer {}", issuer.token().mint()));
    let answer = app.oneshot(request.body(Body::empty())?).await?;
    assert_eq!((answer.status(), &*to_bytes(answer.into_body(), 16).await?), (StatusCode::OK, &b"false"[..]));
    Ok(())
}
