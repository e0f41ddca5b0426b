//! Protected resource metadata (RFC 9728): where it stands, what it says, and that challenges name it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::{Router, body::Body, routing::get};
use bearergate::{ConfigError, Issuer, ResourceServer, scopes};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

fn server(resource: &str) -> ResourceServer {
    ResourceServer::builder(resource)
        .trust(Issuer::jwks("https://b.example", "{\"keys\":[]}"))
        .trust(Issuer::jwks("https://a.example/tenant", "{\"keys\":[]}"))
        .challenge_scopes(scopes!["read", "write"])
        .build()
        .unwrap()
}

#[test]
fn the_path_is_inserted_between_host_and_path() {
    for (resource, path) in [
        ("https://api.example.com", "/.well-known/oauth-protected-resource"),
        ("https://api.example.com/", "/.well-known/oauth-protected-resource"),
        ("https://api.example.com/mcp/v1", "/.well-known/oauth-protected-resource/mcp/v1"),
        ("http://127.0.0.1:8080/mcp", "/.well-known/oauth-protected-resource/mcp"),
    ] {
        assert_eq!(server(resource).metadata_path().unwrap(), path, "{resource}");
    }
}

#[test]
fn only_a_resource_with_an_https_url_has_metadata() {
    for resource in [
        "my-api",
        "urn:rs:api",
        "http://api.example.com",
        "https://api.example.com/#x",
        "https://u:p@api.example.com",
    ] {
        let api = server(resource);
        assert!(matches!(api.metadata_path(), Err(ConfigError::NoMetadata)), "{resource}");
        assert!(matches!(api.metadata_service(), Err(ConfigError::NoMetadata)), "{resource}");
    }
}

#[tokio::test]
async fn the_document_is_served_outside_the_layer_and_named_by_challenges() {
    let api = server("https://api.example.com/v1");
    let app = |api: &ResourceServer| {
        Router::new()
            .route("/v1", get(async || "reached"))
            .layer(api.layer())
            .route_service(&api.metadata_path().unwrap(), api.metadata_service().unwrap())
    };
    let send = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = app(&api).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts, body.collect().await.unwrap().to_bytes())
    };
    let path = "/.well-known/oauth-protected-resource/v1";
    let (parts, body) = send("GET", path).await;
    assert_eq!(parts.status, StatusCode::OK);
    assert_eq!(parts.headers["content-type"], "application/json");
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        document,
        json!({
            "resource": "https://api.example.com/v1",
            "authorization_servers": ["https://a.example/tenant", "https://b.example"],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["read", "write"],
        })
    );
    assert_eq!(send("POST", path).await.0.status, StatusCode::METHOD_NOT_ALLOWED);
    // A page of any origin may read it, and may ask first whether it may.
    assert_eq!(parts.headers["access-control-allow-origin"], "*");
    let (parts, body) = send("OPTIONS", path).await;
    assert_eq!((parts.status, body.len()), (StatusCode::NO_CONTENT, 0));
    for (name, value) in [("origin", "*"), ("methods", "GET, HEAD"), ("headers", "*")] {
        assert_eq!(parts.headers[&format!("access-control-allow-{name}")], value);
    }
    let (parts, body) = send("HEAD", path).await;
    assert_eq!((parts.status, body.len()), (StatusCode::OK, 0));
    let (parts, _) = send("GET", "/v1").await;
    assert_eq!(parts.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        parts.headers["www-authenticate"],
        "Bearer realm=\"https://api.example.com/v1\", \
         resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource/v1\", scope=\"read write\""
    );
}
