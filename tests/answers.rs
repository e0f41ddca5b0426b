//! What each kind of refusal looks like on the wire, in HTTP and in gRPC: files that are reviewed. A change there is a change of
//! the interface.
//!
//! `BEARERGATE_WRITE_ANSWERS=1 cargo test --test answers` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, fmt::Write as _, fs, path::Path};

use bearergate::{
    AuthErrorKind, Issuer, Refusal, Requirement, ResourceServer, scopes,
    testing::{TestClock, TestIssuer},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

const RESOURCE: &str = "https://api.example.com/orders";

fn server() -> (ResourceServer, TestIssuer) {
    let clock = TestClock::new();
    let issuer =
        TestIssuer::builder().default_audience(RESOURCE).clock(clock.clone()).offline("https://as.example");
    let builder = ResourceServer::builder(RESOURCE).trust(Issuer::jwks(issuer.url(), issuer.jwks()));
    let api = builder.challenge_scopes(scopes!["read"]).clock(clock).build().unwrap();
    // From now on each challenge names the document.
    let _served = api.metadata_service().unwrap();
    (api, issuer)
}

/// Status, fields in order, content.
fn written(response: &Response<Vec<u8>>) -> String {
    let mut text = format!("{}\n", response.status());
    for (name, value) in response.headers() {
        // Jitter, so that clients do not come back all at once.
        let value = if name == "retry-after" { "1 to 3" } else { value.to_str().unwrap() };
        writeln!(text, "{name}: {value}").unwrap();
    }
    if !response.body().is_empty() {
        writeln!(text, "\n{}", String::from_utf8_lossy(response.body())).unwrap();
    }
    text
}

fn agrees(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers").join(name);
    if env::var_os("BEARERGATE_WRITE_ANSWERS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let reviewed = fs::read_to_string(&path).unwrap();
    assert!(reviewed == text, "{name} says otherwise; this is:\n{text}");
}

fn table(headers: &HeaderMap) -> String {
    let (api, _issuer) = server();
    let mut text = String::new();
    for kind in AuthErrorKind::ALL {
        let refusal = api.refuse((*kind).into()).in_reply_to(&Method::POST, headers);
        writeln!(text, "## {}\n\n{}", kind.label(), written(&refusal.into_response_with_body())).unwrap();
    }
    text
}

#[test]
fn each_kind_in_http() {
    agrees("http.txt", &table(&HeaderMap::new()));
}

#[test]
fn each_kind_in_grpc() {
    let grpc = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"))]);
    agrees("grpc.txt", &table(&grpc));
}

/// What turns on the route: scopes, step-up, and what a layer says of a path.
#[tokio::test]
async fn what_a_route_asks_for() {
    let (api, issuer) = server();
    let token = issuer.token().scope("read").claim("acr", "bronze").mint();
    let requirements: [(&str, Requirement); 4] = [
        ("every one of two scopes", scopes!["read", "write"].into()),
        ("either of two", Requirement::any_of([scopes!["write"], scopes!["admin"]])),
        ("acr", Requirement::default().acr(["gold", "silver"])),
        (
            "max_age, and a scope",
            Requirement::scopes(scopes!["read"]).max_age(std::time::Duration::from_secs(60)),
        ),
    ];
    let mut text = String::new();
    for (name, requirement) in requirements {
        for media_type in ["application/json", "application/grpc", "application/grpc-web-text"] {
            for token in [Some(&token), None] {
                let service = service_fn(|_: Request<()>| async { Ok::<_, Refusal>(Response::new(vec![])) });
                let service = api.layer().grpc().layer(api.require(requirement.clone()).layer(service));
                let by_layer =
                    bearergate::PathRequirements::new([("/orders/*", requirement.clone())]).unwrap();
                let in_layer = service_fn(|_: Request<()>| async { Ok::<_, Refusal>(Response::new(vec![])) });
                let in_layer = api.layer().grpc().require_by_path(by_layer).layer(in_layer);
                let request = || {
                    let request = Request::post("/orders/7").header(CONTENT_TYPE, media_type);
                    let request = match token {
                        Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
                        None => request,
                    };
                    request.body(()).unwrap()
                };
                let caller = if token.is_some() { "token" } else { "no token" };
                let answer = written(&service.oneshot(request()).await.unwrap());
                writeln!(text, "## {name}, {media_type}, {caller}\n\n{answer}").unwrap();
                if token.is_some() {
                    // A path's requirement is told like a route's.
                    assert_eq!(written(&in_layer.oneshot(request()).await.unwrap()), answer);
                } else {
                    let by_path = written(&in_layer.oneshot(request()).await.unwrap());
                    writeln!(text, "## {name}, {media_type}, {caller}, by path\n\n{by_path}").unwrap();
                }
            }
        }
    }
    agrees("routes.txt", &text);
}

/// The caller writes the `Content-Type`: where nobody has said that gRPC is served, a refusal is one in HTTP.
#[tokio::test]
async fn without_the_choice_a_refusal_is_no_200() {
    let (api, _issuer) = server();
    for media_type in ["application/grpc", "application/grpc-web", "application/grpc-web-text"] {
        let inner = service_fn(|_: Request<()>| async { Ok::<_, Refusal>(Response::new(String::new())) });
        let request = || Request::post("/orders").header(CONTENT_TYPE, media_type).body(()).unwrap();
        let refused = api.layer().layer(inner).oneshot(request()).await.unwrap();
        assert_eq!(refused.status(), 401);
        let behind = api.layer().optional().layer(api.require(scopes!["read"]).layer(inner));
        let refused = behind.oneshot(request()).await.unwrap();
        assert_eq!((refused.status().as_u16(), refused.headers().get("grpc-status")), (401, None));
        // With it, only POST is a call.
        let get = Request::get("/orders").header(CONTENT_TYPE, media_type).body(()).unwrap();
        assert_eq!(api.layer().grpc().layer(inner).oneshot(get).await.unwrap().status(), 401);
    }
}
