//! What a request gets over HTTP: statuses, challenges, extensions, and what reaches the service behind the layer.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bearergate::{
    AccessToken, BearerAuthLayer, Claims, Issuer, ResourceServer, Scopes, scopes, testing::TestIssuer,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use tower::{Layer as _, ServiceExt as _, service_fn};

const RESOURCE: &str = "https://api.example.com";

struct Scene {
    issuer: TestIssuer,
    api: ResourceServer,
}

impl Scene {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(
        change: impl FnOnce(bearergate::ResourceServerBuilder) -> bearergate::ResourceServerBuilder,
    ) -> Self {
        let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
        let builder = ResourceServer::builder(RESOURCE).trust(Issuer::jwks(issuer.url(), issuer.jwks()));
        let api = change(builder).build().unwrap();
        Self { issuer, api }
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.issuer.token().mint())
    }
}

/// What the service behind the layer saw.
#[derive(Debug, Default)]
struct Seen {
    calls: AtomicUsize,
}

/// Sends a request with these `Authorization` fields; the service says whether it saw a token.
async fn send(layer: BearerAuthLayer, fields: &[&str]) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::new(());
    for field in fields {
        request.headers_mut().append(AUTHORIZATION, HeaderValue::from_bytes(field.as_bytes()).unwrap());
    }
    send_request(layer, request).await
}

async fn send_request(layer: BearerAuthLayer, request: Request<()>) -> (StatusCode, HeaderMap, String) {
    let seen = Arc::new(Seen::default());
    let inner = service_fn({
        let seen = Arc::clone(&seen);
        move |request: Request<()>| {
            seen.calls.fetch_add(1, Ordering::Relaxed);
            let token = request.extensions().get::<AccessToken<Claims>>();
            let body = token.map_or("anonymous", |token| token.subject().unwrap_or_default()).to_owned();
            async { Ok::<_, Infallible>(Response::new(body)) }
        }
    });
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    // Every refusal: the inner service is not called.
    assert_eq!(seen.calls.load(Ordering::Relaxed) == 1, parts.status.is_success());
    (parts.status, parts.headers, body)
}

fn challenge(headers: &HeaderMap) -> &str {
    assert!(headers.get_all("www-authenticate").iter().count() <= 1);
    headers.get("www-authenticate").map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn htp_01_no_credentials() {
    let scene = Scene::new();
    for fields in [&[][..], &["Basic eDp5"], &["DPoP abc"], &["Negotiate"]] {
        let (status, headers, body) = send(scene.api.layer(), fields).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(challenge(&headers), format!("Bearer realm=\"{RESOURCE}\""));
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(body, "");
    }
    let (status, headers, body) = send(scene.api.layer(), &[&scene.bearer()]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "test-user"));
    assert!(headers.is_empty());
}

#[tokio::test]
async fn htp_07_the_body_of_a_refused_request_is_not_read_and_preflights_pass_by_choice() {
    /// A body that must not be looked at.
    struct Unread(Arc<AtomicUsize>);
    impl Drop for Unread {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let scene = Scene::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    let inner = service_fn(|_: Request<Unread>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let response =
        scene.api.layer().layer(inner).oneshot(Request::new(Unread(Arc::clone(&dropped)))).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);

    let preflight = |headers: &[(&'static str, &'static str)]| {
        let mut request = Request::builder().method("OPTIONS");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    };
    let whole = [("origin", "https://app.example"), ("access-control-request-method", "GET")];
    let (status, _, body) = send_request(scene.api.layer().pass_preflight(), preflight(&whole)).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "anonymous"));
    for request in [
        preflight(&whole[..1]),
        preflight(&whole[1..]),
        Request::builder().header("origin", "x").body(()).unwrap(),
    ] {
        assert_eq!(
            send_request(scene.api.layer().pass_preflight(), request).await.0,
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(send_request(scene.api.layer(), preflight(&whole)).await.0, StatusCode::UNAUTHORIZED);
    let with_credentials = [whole[0], whole[1], ("authorization", "Bearer x")];
    let (status, ..) = send_request(scene.api.layer().pass_preflight(), preflight(&with_credentials)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn htp_06_nothing_of_the_token_reaches_the_challenge() {
    let scene = Scene::new();
    let token = scene.issuer.token();
    for token in [
        token.clone().header("kid", "marker\r\nX-Evil: 1"),
        token.clone().scope("marker"),
        token.clone().audience("marker"),
        token.clone().issuer("marker"),
        token.header("alg", "marker"),
    ] {
        let (_, headers, body) = send(scene.api.layer(), &[&format!("Bearer {}", token.mint())]).await;
        assert!(!format!("{headers:?}{body}").contains("marker"));
    }
}

#[tokio::test]
async fn htp_09_extensions_are_only_ours() {
    let (scene, other) = (Scene::new(), Scene::new());
    // An outer layer of another server accepts the token; ours does not.
    let inner =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new("reached".to_owned())) });
    let service = other.api.layer().layer(scene.api.layer().layer(inner));
    let request = |bearer: String| Request::builder().header(AUTHORIZATION, bearer).body(()).unwrap();
    let response = service.clone().oneshot(request(other.bearer())).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);

    // Behind an optional layer, what was there before is gone too.
    let inner = service_fn(|request: Request<()>| async move {
        let there = request.extensions().get::<AccessToken<Claims>>().is_some();
        Ok::<_, Infallible>(Response::new(there.to_string()))
    });
    let strip = tower::util::MapRequestLayer::new(|mut request: Request<()>| {
        request.headers_mut().remove(AUTHORIZATION);
        request
    });
    let service = scene.api.layer().layer(strip.layer(scene.api.layer().optional().layer(inner)));
    let response = service.oneshot(request(scene.bearer())).await.unwrap();
    assert_eq!(response.into_body(), "false");
}

#[tokio::test]
async fn htp_10_optional_lets_only_the_anonymous_pass() {
    let scene = Scene::new();
    let layer = || scene.api.layer().optional();
    let (status, _, body) = send(layer(), &[]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "anonymous"));
    // Credentials that are not ours are credentials.
    for field in ["Basic eDp5", "DPoP abc", "Bearer\tabc", "Bearer=abc", ""] {
        assert_eq!(send(layer(), &[field]).await.0, StatusCode::UNAUTHORIZED, "{field:?}");
    }
    let (_, _, body) = send(layer(), &[&scene.bearer()]).await;
    assert_eq!(body, "test-user");
    for (token, status) in [
        (scene.issuer.token().expired(), StatusCode::UNAUTHORIZED),
        (scene.issuer.token().forged(), StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(send(layer(), &[&format!("Bearer {}", token.mint())]).await.0, status);
    }
    assert_eq!(send(layer(), &["Bearer "]).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_field_is_sensitive_or_gone() {
    let inspect = service_fn(|request: Request<()>| async move {
        let field = request.headers().get(AUTHORIZATION);
        Ok::<_, Infallible>(Response::new(
            field.map_or("gone".into(), |field| format!("{}", field.is_sensitive())),
        ))
    });
    for (strip, expected) in [(false, "true"), (true, "gone")] {
        let scene = Scene::with(|builder| if strip { builder.strip_credentials() } else { builder });
        let request = Request::builder().header(AUTHORIZATION, scene.bearer()).body(()).unwrap();
        let response = scene.api.layer().layer(inspect).oneshot(request).await.unwrap();
        assert_eq!(response.into_body(), expected);
    }
}

#[tokio::test]
async fn the_token_is_kept_only_on_demand() {
    use secrecy::ExposeSecret as _;
    for keep in [false, true] {
        let scene =
            Scene::with(|builder| if keep { builder.keep_token().strip_credentials() } else { builder });
        let token = scene.issuer.token().mint();
        let inner = service_fn(|request: Request<()>| async move {
            let token = request.extensions().get::<AccessToken>().unwrap();
            Ok::<_, Infallible>(Response::new(
                token.raw().map(|raw| raw.expose_secret().to_owned()).unwrap_or_default(),
            ))
        });
        let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap();
        let response = scene.api.layer().layer(inner).oneshot(request).await.unwrap();
        assert_eq!(*response.body() == token, keep);
    }
}

#[tokio::test]
async fn scp_01_and_04_a_missing_scope_is_403_and_names_all_of_them() {
    let scene = Scene::with(|builder| builder.challenge_scopes(scopes!["hint"]));
    let require = |wanted: &str| scene.api.require(Scopes::parse(wanted).unwrap());
    let send = async |token: String, wanted: &str| {
        let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
        let service = scene.api.layer().layer(require(wanted).layer(inner));
        let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        (response.status(), challenge(response.headers()).to_owned())
    };
    let token = |scope: &str| scene.issuer.token().scope(scope);
    assert_eq!(send(token("read write").mint(), "write read").await.0, StatusCode::OK);
    for scope in ["", "rea", "read:x", "Read", "read,write", "read\twrite", "read\u{a0}write", "write"] {
        let (status, challenge) = send(token(scope).mint(), "read write").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{scope:?}");
        assert_eq!(
            challenge,
            format!(
                "Bearer realm=\"{RESOURCE}\", scope=\"read write\", error=\"insufficient_scope\", \
                 error_description=\"a required scope is missing\""
            )
        );
    }
    // A token that is bad is bad first, whatever it lacks.
    for bad in [token("").expired(), token("").forged()] {
        let (status, challenge) = send(bad.mint(), "read").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(challenge.contains("scope=\"hint\", error=\"invalid_token\""), "{challenge}");
    }
}

#[tokio::test]
async fn scp_05_claims_differ_per_route_and_are_looked_at_on_each_request() {
    use bearergate::{PathRequirements, Presented, Requirement};
    for cached in [0, 100] {
        let scene = Scene::with(|builder| builder.with_token_cache(cached));
        let roles = |wanted: &[&str]| {
            Requirement::scopes(scopes!["read"]).claim("/realm_access/roles", wanted.iter().copied())
        };
        let routes = [roles(&["admin", "operator"]), roles(&["user"]), roles(&[]), Requirement::default()];
        let answer = async |token: &str, route: usize| {
            let inner =
                service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
            let by_route = scene.api.layer().layer(scene.api.require(routes[route].clone()).layer(inner));
            let table =
                routes.iter().enumerate().map(|(route, wanted)| (format!("/{route}"), wanted.clone()));
            let by_path =
                scene.api.layer().require_by_path(PathRequirements::new(table).unwrap()).layer(inner);
            let request = || {
                let request = Request::builder().uri(format!("https://api.example.com/{route}"));
                request.header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap()
            };
            let by_route = by_route.oneshot(request()).await.unwrap();
            let by_path = by_path.oneshot(request()).await.unwrap();
            assert_eq!(by_route.status(), by_path.status());
            assert_eq!(by_route.headers(), by_path.headers());
            // The same, asked of a token.
            let token = scene.api.validate::<Claims>(&Presented::bearer(token)).await.unwrap();
            let checked = scene.api.check(&token, routes[route].clone());
            let status = checked.as_ref().err().map_or(StatusCode::OK, bearergate::Refusal::status);
            assert_eq!(status, by_route.status());
            by_route
        };
        let token = |roles: &[&str], scope: &str| {
            let token = scene.issuer.token().scope(scope);
            token.claim("realm_access", serde_json::json!({ "roles": roles })).mint()
        };
        let user = token(&["user", "guest"], "read");
        for _ in 0..2 {
            for (route, status) in [(0, 403), (1, 200), (2, 403), (3, 200)] {
                let response = answer(&user, route).await;
                assert_eq!(response.status(), status, "{route}");
                // No scope would help.
                let challenge =
                    response.headers().get("www-authenticate").map(|field| field.to_str().unwrap());
                let wanted = format!("Bearer realm=\"{RESOURCE}\"");
                assert_eq!(challenge, (status == 403).then_some(wanted.as_str()));
            }
        }
        assert_eq!(answer(&token(&["operator"], "read"), 0).await.status(), StatusCode::OK);
        let response = answer(&token(&["operator"], "write"), 0).await;
        assert!(challenge(response.headers()).contains("insufficient_scope"), "a scope is missing first");
    }
}

#[tokio::test]
async fn where_a_path_asks_for_a_right_nobody_is_anonymous() {
    use bearergate::{PathRequirements, Requirement};
    let scene = Scene::new();
    let rights = [("/orders/{id}/refund", scopes!["refund"]), ("/admin/*", scopes!["admin"])];
    let rights = PathRequirements::new(rights).unwrap();
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let layer = || scene.api.layer().optional().pass_preflight().require_by_path(rights.clone());
    let closed = || layer().require_by_path(rights.clone().otherwise(Requirement::any_of([])));
    let token = scene.issuer.token().scope("read").mint();
    for (method, path, anonymous, with_token) in [
        ("GET", "/", 200, 200),
        ("OPTIONS", "/", 200, 200),
        ("GET", "/admin", 401, 403),
        ("GET", "/admin/", 401, 403),
        ("OPTIONS", "/admin/users", 401, 403),
        ("POST", "/orders/7/refund", 401, 403),
        // A router takes an empty segment for a name.
        ("POST", "/orders//refund", 401, 403),
        ("OPTIONS", "/orders/7/refund", 401, 403),
    ] {
        let request = |token: Option<&str>| {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("origin", "https://page.example");
            let request = request.header("access-control-request-method", "POST");
            let field = token.map(|token| (AUTHORIZATION, format!("Bearer {token}")));
            field
                .into_iter()
                .fold(request, |request, (name, value)| request.header(name, value))
                .body(())
                .unwrap()
        };
        for (token, status) in [(None, anonymous), (Some(token.as_str()), with_token)] {
            let response = layer().layer(inner).oneshot(request(token)).await.unwrap();
            assert_eq!(response.status(), status, "{method} {path} {token:?}");
            let response = closed().layer(inner).oneshot(request(token)).await.unwrap();
            assert_eq!(
                response.status(),
                if token.is_some() { 403 } else { 401 },
                "{method} {path} {token:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_requirement_that_cannot_be_fulfilled_refuses() {
    use bearergate::{Requirement, UnixTime, testing::TestClock};
    let clock = TestClock::at(UnixTime::from_secs(1_800_000_000));
    let issuer =
        TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline("https://as.example");
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::jwks(issuer.url(), issuer.jwks()))
        .clock(clock.clone())
        .build()
        .unwrap();
    let send = async |requirement: Requirement, token: bearergate::testing::TokenBuilder| {
        let broken = clock.clone();
        let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
        // Between layer and requirement, the clock can break.
        let between = tower::util::MapRequestLayer::new(move |request: Request<()>| {
            if request.uri().path() == "/broken" {
                broken.set(UnixTime::from_secs(-1));
            }
            request
        });
        let service = api.layer().layer(between.layer(api.require(requirement).layer(inner)));
        let path = if token.payload_json().contains("break-the-clock") { "/broken" } else { "/" };
        let request = Request::builder()
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {}", token.mint()))
            .body(())
            .unwrap();
        service.oneshot(request).await.unwrap().status()
    };
    let recent = std::time::Duration::from_secs(60);
    let token = || issuer.token().scope("read").claim("acr", "gold");
    let aged = |auth_time: i64| token().claim("auth_time", auth_time);
    assert_eq!(send(Requirement::any_of([]), token()).await, StatusCode::FORBIDDEN);
    assert_eq!(send(Requirement::any_of([scopes!["read"]]), token()).await, StatusCode::OK);
    assert_eq!(
        send(Requirement::default().acr(<[&str; 0]>::default()), token()).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(send(Requirement::default().acr(["gold"]), token()).await, StatusCode::OK);
    assert_eq!(send(Requirement::default().max_age(recent), aged(1_800_000_000)).await, StatusCode::OK);
    assert_eq!(
        send(Requirement::default().max_age(recent), aged(253_402_300_799)).await,
        StatusCode::UNAUTHORIZED
    );
    let breaking = aged(1_799_999_990).claim("note", "break-the-clock");
    assert_eq!(send(Requirement::default().max_age(recent), breaking).await, StatusCode::SERVICE_UNAVAILABLE);
}
