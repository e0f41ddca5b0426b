//! RFC 9728, protected resource metadata: one test for each thing that it asks of a resource server, with its own names.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::ready;

use axum::{Router, body::Body, routing::get};
use bearergate::{
    AuthErrorKind, ConfigError, ErrorCode, Issuer, Refusal, ResourceServer, scopes,
    testing::{Challenge, MockAuth, assert_refused},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const NO_KEYS: &str = r#"{"keys":[]}"#;

/// What §3.2 shows as an example.
fn server(resource: &str) -> ResourceServer {
    ResourceServer::builder(resource)
        .trust(Issuer::jwks("https://as2.example.net", NO_KEYS))
        .trust(Issuer::jwks("https://as1.example.com", NO_KEYS))
        .challenge_scopes(scopes!["profile", "email", "phone"])
        .build()
        .unwrap()
}

async fn ask(api: &ResourceServer, method: Method) -> (http::response::Parts, String) {
    let request = Request::builder().method(method).uri(api.metadata_path().unwrap()).body(()).unwrap();
    let response: Response<String> = api.metadata_service().unwrap().oneshot(request).await.unwrap();
    response.into_parts()
}

async fn document(api: &ResourceServer) -> Value {
    serde_json::from_str(&ask(api, Method::GET).await.1).unwrap()
}

#[test]
fn section_1_2_a_resource_identifier_is_an_https_url_without_fragment() {
    for resource in ["https://resource.example.com", "http://127.0.0.1:8080", "http://localhost/x"] {
        assert!(server(resource).metadata_path().is_ok(), "{resource}");
    }
    for resource in [
        "my-api",
        "urn:rs:api",
        "http://resource.example.com",
        "https://resource.example.com/#x",
        "https://u:p@resource.example.com",
    ] {
        let api = server(resource);
        assert!(matches!(api.metadata_path(), Err(ConfigError::NoMetadata)), "{resource}");
        assert!(matches!(api.metadata_service(), Err(ConfigError::NoMetadata)), "{resource}");
    }
}

#[tokio::test]
async fn section_2_the_document_says_what_is_configured() {
    assert_eq!(
        document(&server("https://resource.example.com")).await,
        json!({
            "resource": "https://resource.example.com",
            "authorization_servers": ["https://as1.example.com", "https://as2.example.net"],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["profile", "email", "phone"],
        })
    );
}

/// And what changes while the server runs is seen.
#[tokio::test]
async fn section_2_authorization_servers_are_the_issuers_that_are_trusted_now() {
    let api = server("https://resource.example.com");
    api.issuers().add(Issuer::jwks("https://as3.example.com", NO_KEYS)).unwrap();
    api.issuers().remove("https://as1.example.com").unwrap();
    let servers = document(&api).await["authorization_servers"].clone();
    assert_eq!(servers, json!(["https://as2.example.net", "https://as3.example.com"]));
}

/// They are identifiers by RFC 8414 §2: https URLs, by which a client finds the rest. `iss` may be any text.
#[tokio::test]
async fn section_2_an_issuer_that_no_client_could_find_is_not_named() {
    let api = server("https://resource.example.com");
    for odd in ["batch-jobs", "urn:example:as", "http://as.example.com", "https://as.example.com/?x=1"] {
        api.issuers().add(Issuer::jwks(odd, NO_KEYS)).unwrap();
    }
    let servers = document(&api).await["authorization_servers"].clone();
    assert_eq!(servers, json!(["https://as1.example.com", "https://as2.example.net"]));
}

#[tokio::test]
async fn section_3_1_the_well_known_string_stands_between_host_and_path() {
    for (resource, path, query) in [
        ("https://resource.example.com", "/.well-known/oauth-protected-resource", ""),
        ("https://resource.example.com/", "/.well-known/oauth-protected-resource", ""),
        ("https://resource.example.com/resource1", "/.well-known/oauth-protected-resource/resource1", ""),
        ("https://resource.example.com/a/b/", "/.well-known/oauth-protected-resource/a/b/", ""),
        ("https://resource.example.com/?t=1", "/.well-known/oauth-protected-resource", "?t=1"),
        ("https://resource.example.com/r?t=1", "/.well-known/oauth-protected-resource/r", "?t=1"),
        ("https://resource.example.com/a%2Fb", "/.well-known/oauth-protected-resource/a%2Fb", ""),
    ] {
        let api = server(resource);
        assert_eq!(api.metadata_path().unwrap(), path, "{resource}");
        let _served = api.metadata_service().unwrap();
        let challenge =
            Challenge::from_headers(&api.refuse(AuthErrorKind::Expired.into()).headers()).unwrap();
        let url = format!("https://resource.example.com{path}{query}");
        assert_eq!(challenge.resource_metadata(), Some(url.as_str()), "{resource}");
    }
}

#[tokio::test]
async fn section_3_2_the_answer_is_200_and_json_to_whoever_asks() {
    let api = server("https://resource.example.com/resource1");
    let router = |api: &ResourceServer| {
        Router::new()
            .route("/resource1", get(async || "reached"))
            .layer(api.layer())
            .route_service(&api.metadata_path().unwrap(), api.metadata_service().unwrap())
    };
    let send = async |path: &str, token: Option<&str>| {
        let request = token.into_iter().fold(Request::get(path), |request, token| {
            request.header(AUTHORIZATION, HeaderValue::from_str(token).unwrap())
        });
        let response = router(&api).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts, body.collect().await.unwrap().to_bytes())
    };
    let path = "/.well-known/oauth-protected-resource/resource1";
    // Without a token, and with a bad one, which nobody looks at.
    for (path, token) in
        [(path.to_owned(), None), (path.to_owned(), Some("Bearer x")), (format!("{path}?a=b"), None)]
    {
        let (parts, body) = send(&path, token).await;
        assert_eq!(parts.status, StatusCode::OK);
        assert_eq!(parts.headers["content-type"], "application/json");
        assert!(serde_json::from_slice::<Value>(&body).unwrap().is_object());
    }
    assert_eq!(send("/resource1", None).await.0.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn section_3_2_what_has_no_values_is_left_out() {
    let api =
        ResourceServer::builder("https://resource.example.com").trust(Issuer::jwks("batch-jobs", NO_KEYS));
    assert_eq!(
        document(&api.build().unwrap()).await,
        json!({"resource": "https://resource.example.com", "bearer_methods_supported": ["header"]})
    );
}

/// §3.1: it is asked for by GET. HEAD and OPTIONS go with it, anything else is 405 (RFC 9110 §15.5.6).
#[tokio::test]
async fn section_3_1_other_methods_are_not_allowed() {
    let api = server("https://resource.example.com");
    let (parts, body) = ask(&api, Method::HEAD).await;
    assert_eq!((parts.status, body.as_str()), (StatusCode::OK, ""));
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::from_bytes(b"QUERY").unwrap()] {
        let (parts, body) = ask(&api, method).await;
        assert_eq!((parts.status, body.as_str()), (StatusCode::METHOD_NOT_ALLOWED, ""));
        assert_eq!(parts.headers["allow"], "GET, HEAD, OPTIONS");
    }
}

/// For clients in a browser (Fetch standard): a page of any origin may read it, and may ask first whether it may.
#[tokio::test]
async fn section_3_2_pages_of_any_origin_may_read_it() {
    let api = server("https://resource.example.com");
    assert_eq!(ask(&api, Method::GET).await.0.headers["access-control-allow-origin"], "*");
    let (parts, body) = ask(&api, Method::OPTIONS).await;
    assert_eq!((parts.status, body.as_str()), (StatusCode::NO_CONTENT, ""));
    for (name, value) in [("origin", "*"), ("methods", "GET, HEAD"), ("headers", "*")] {
        assert_eq!(parts.headers[&format!("access-control-allow-{name}")], value);
    }
}

/// Byte for byte: clients must not use a document whose `resource` differs.
#[tokio::test]
async fn section_3_3_resource_is_identical_to_the_identifier() {
    for resource in [
        "https://resource.example.com",
        "https://resource.example.com/",
        "https://Resource.EXAMPLE.com:443/Resource1/../x",
        "https://resource.example.com/r?t=%7e",
        "https://resource.example.com/\u{fc}",
    ] {
        assert_eq!(document(&server(resource)).await["resource"], resource);
    }
}

#[tokio::test]
async fn section_5_1_every_challenge_names_the_document() {
    let resource = "https://resource.example.com/resource1";
    let url = "https://resource.example.com/.well-known/oauth-protected-resource/resource1";
    let auth = MockAuth::new(resource);
    let api = auth.server();
    let app = |api: &ResourceServer| {
        let own = api.clone();
        let deny = move || ready(Err::<(), Refusal>(own.refuse(AuthErrorKind::PolicyDenied.into())));
        Router::new()
            .route("/admin", get(async || "reached").layer(api.require(scopes!["admin"])))
            .route("/denied", get(deny))
            .layer(api.layer())
    };
    let call = async |api: &ResourceServer, path: &str, bearer: Option<HeaderValue>| {
        let request = bearer
            .into_iter()
            .fold(Request::get(path), |request, bearer| request.header(AUTHORIZATION, bearer));
        app(api).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let empty = HeaderValue::from_static("Bearer");
    let bad = HeaderValue::from_static("Bearer x");
    let cases = [
        ("/admin", None, StatusCode::UNAUTHORIZED, None),
        ("/admin", Some(bad), StatusCode::UNAUTHORIZED, Some(ErrorCode::InvalidToken)),
        ("/admin", Some(auth.token().bearer()), StatusCode::FORBIDDEN, Some(ErrorCode::InsufficientScope)),
        ("/denied", Some(auth.token().bearer()), StatusCode::FORBIDDEN, None),
        ("/admin", Some(empty), StatusCode::BAD_REQUEST, Some(ErrorCode::InvalidRequest)),
    ];
    // A document that nobody serves is not named.
    for (path, bearer, status, code) in cases.clone() {
        let response = call(&api, path, bearer).await;
        assert_eq!(assert_refused(&response, status, code).resource_metadata(), None, "{path} {status}");
    }
    let _served = api.metadata_service().unwrap();
    for (path, bearer, status, code) in cases {
        let response = call(&api, path, bearer).await;
        assert_eq!(assert_refused(&response, status, code).resource_metadata(), Some(url), "{path} {status}");
    }
}
