//! gRPC: what a refusal is for its clients, whatever they would make of a status of HTTP.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;

use bearergate::{
    AuthErrorKind, ErrorCode, ResourceServer, scopes,
    testing::{MockAuth, assert_refused_in_grpc},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::AUTHORIZATION};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// 401 is 16, 403 is 7, 400 is 3; each a 200 whose only content is its fields.
#[tokio::test]
async fn the_status_of_http_has_one_of_grpc() {
    let auth = MockAuth::new("https://api.example.com");
    let api = auth.server();
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(b"reached".to_vec())));
    let service = api.layer().grpc().with_body().layer(api.require(scopes!["read"]).with_body().layer(inner));
    let call = async |bearer: Option<HeaderValue>| {
        let request = Request::post("/shop.Orders/Get").header("content-type", "application/grpc");
        let request =
            bearer.into_iter().fold(request, |request, bearer| request.header(AUTHORIZATION, bearer));
        service.clone().oneshot(request.body(()).unwrap()).await.unwrap()
    };
    for (bearer, status, code) in [
        (None, 16, None),
        (Some(auth.token().expired().bearer()), 16, Some(ErrorCode::InvalidToken)),
        (Some(auth.token().bearer()), 7, Some(ErrorCode::InsufficientScope)),
        (Some(HeaderValue::from_static("Bearer")), 3, Some(ErrorCode::InvalidRequest)),
    ] {
        let response = call(bearer).await;
        assert_refused_in_grpc(&response, status, code);
        assert!(response.body().is_empty(), "{status}");
    }
    let accepted = call(Some(auth.token().scope("read").bearer())).await;
    assert_eq!((accepted.headers().get("grpc-status"), &accepted.body()[..]), (None, &b"reached"[..]));
}

/// 503 is 14, 500 is 13: a client comes again, or tells its maker.
#[test]
fn every_kind_has_the_status_of_its_status() {
    let api: ResourceServer = MockAuth::new("https://api.example.com").server();
    let headers = HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc-web+proto"),
    )]);
    for kind in AuthErrorKind::ALL {
        let refusal = api.refuse((*kind).into());
        let expected = match refusal.status().as_u16() {
            400 => "3",
            401 => "16",
            403 => "7",
            500 => "13",
            503 => "14",
            other => unreachable!("{other}"),
        };
        let response: Response<Vec<u8>> =
            refusal.in_reply_to(&Method::POST, &headers).into_response_with_body();
        assert_eq!(response.status(), StatusCode::OK, "{kind:?}");
        assert_eq!(response.headers()["grpc-status"], expected, "{kind:?}");
        assert!(response.headers().contains_key("grpc-message") && response.body().is_empty(), "{kind:?}");
    }
}
