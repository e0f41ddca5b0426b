//! Layer, extractors and requirements together: right and wrong wiring, and back-pressure.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/fetch.rs"]
mod fetch;
#[allow(unreachable_pub, reason = "shared by several test binaries")]
#[path = "common/log.rs"]
mod log;

use std::{
    convert::Infallible,
    future::poll_fn,
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use bearergate::{
    AccessToken, Claims, Issuer, Presented, ResourceServer, Scoped, Validated, scopes,
    testing::{TestClock, TestIssuer},
};
use fetch::{Mode, ScriptedFetch};
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::BodyExt as _;
use log::Log;
use serde::Deserialize;
use tower::{Layer as _, Service as _, ServiceExt as _, limit::ConcurrencyLimitLayer, service_fn};

const RESOURCE: &str = "https://api.example.com";

#[derive(Deserialize)]
struct MyClaims {
    sub: String,
}

#[derive(Deserialize)]
struct OtherClaims {}

scopes!(Read = "read");
scopes!(Admin = "admin", "read");

fn scene() -> (TestIssuer, ResourceServer) {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let api =
        ResourceServer::builder(RESOURCE).trust(Issuer::jwks(issuer.url(), issuer.jwks())).build().unwrap();
    (issuer, api)
}

async fn call(app: &Router, path: &str, token: Option<String>) -> (StatusCode, String, String) {
    let mut request = Request::builder().uri(path);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let challenge = parts.headers.get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, challenge.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
}

fn handlers() -> Router {
    Router::new()
        .route("/plain", get(async |token: AccessToken<MyClaims>| token.claims().sub.clone()))
        .route(
            "/option",
            get(async |token: Option<AccessToken<MyClaims>>| {
                token.map_or("nobody".to_owned(), |token| token.claims().sub.clone())
            }),
        )
        .route("/scoped", get(async |token: Scoped<Read, MyClaims>| token.claims().sub.clone()))
}

#[tokio::test]
async fn a_good_token_reaches_every_extractor() {
    let (issuer, api) = scene();
    let app = handlers().layer(api.layer_for::<MyClaims>());
    for path in ["/plain", "/option", "/scoped"] {
        let (status, _, body) = call(&app, path, Some(issuer.token().scope("read").mint())).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "test-user"), "{path}");
    }
}

#[tokio::test]
async fn a_missing_layer_is_500_and_never_anonymous() {
    let (issuer, _) = scene();
    for path in ["/plain", "/option", "/scoped"] {
        for token in [None, Some(issuer.token().mint())] {
            let (status, challenge, _) = call(&handlers(), path, token).await;
            assert_eq!((status, challenge.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, ""), "{path}");
        }
    }
}

/// The lines at `warn` and above that so many requests write.
fn lines(requests: usize, app: &Router, path: &str, token: Option<&str>) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ((), log) = Log::during(|| {
        runtime.block_on(async {
            for _ in 0..requests {
                let (status, ..) = call(app, path, token.map(str::to_owned)).await;
                assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
            }
        });
    });
    log.lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).map(str::to_owned).collect()
}

#[test]
fn ops_09_wiring_faults_flood_no_log() {
    let (issuer, api) = scene();
    let token = issuer.token().scope("read").mint();
    let required =
        Router::new().route("/required", get(async || "reached").layer(api.require(scopes!["read"])));
    for (app, path, token, hint) in [
        (handlers(), "/plain", None, "ResourceServer::layer()"),
        (required, "/required", Some(&*token), "ResourceServer::layer()"),
        (handlers().layer(api.layer()), "/scoped", Some(&*token), "MyClaims"),
    ] {
        let lines = lines(100, &app, path, token);
        // The log of those without a layer belongs to the process: another test may have spoken already.
        assert!(lines.len() <= 1 && lines.iter().all(|line| line.contains(hint)), "{path}: {lines:?}");
        assert!(lines.len() == 1 || path == "/plain", "{path}");
    }
}

#[tokio::test]
async fn another_claims_type_is_500() {
    let (issuer, api) = scene();
    for app in [handlers().layer(api.layer()), handlers().layer(api.layer_for::<OtherClaims>())] {
        for path in ["/plain", "/option", "/scoped"] {
            let (status, challenge, _) = call(&app, path, Some(issuer.token().scope("read").mint())).await;
            assert_eq!((status, challenge.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, ""), "{path}");
        }
    }
    // Also where an outer layer had left the type that is asked for.
    let app = handlers().layer(api.layer_for::<OtherClaims>()).layer(api.layer_for::<MyClaims>());
    let (status, ..) = call(&app, "/plain", Some(issuer.token().mint())).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn an_anonymous_request_is_none_for_option_and_401_for_the_others() {
    let (_, api) = scene();
    let app = handlers().layer(api.layer_for::<MyClaims>().optional());
    let (status, _, body) = call(&app, "/option", None).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "nobody"));
    let (status, challenge, _) = call(&app, "/plain", None).await;
    assert_eq!((status, challenge), (StatusCode::UNAUTHORIZED, format!("Bearer realm=\"{RESOURCE}\"")));
    let (status, challenge, _) = call(&app, "/scoped", None).await;
    assert_eq!(
        (status, challenge),
        (StatusCode::UNAUTHORIZED, format!("Bearer realm=\"{RESOURCE}\", scope=\"read\""))
    );
    // And for a route that requires something.
    let app = Router::new()
        .route("/required", get(async || "reached").layer(api.require(scopes!["admin"])))
        .layer(api.layer().optional());
    let (status, challenge, _) = call(&app, "/required", None).await;
    assert_eq!(
        (status, challenge),
        (StatusCode::UNAUTHORIZED, format!("Bearer realm=\"{RESOURCE}\", scope=\"admin\""))
    );
}

#[tokio::test]
async fn scopes_in_a_signature_are_checked() {
    let (issuer, api) = scene();
    let app = Router::new()
        .route("/read", get(async |_: Scoped<Read>| "read"))
        .route("/admin", get(async |token: Scoped<Admin>| token.into_token().subject().unwrap().to_owned()))
        .layer(api.layer());
    let token = |scope: &str| Some(issuer.token().scope(scope).mint());
    assert_eq!(call(&app, "/read", token("read")).await.0, StatusCode::OK);
    assert_eq!(call(&app, "/admin", token("read admin")).await.0, StatusCode::OK);
    let (status, challenge, _) = call(&app, "/admin", token("admin")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(challenge.contains("scope=\"admin read\", error=\"insufficient_scope\""), "{challenge}");
}

#[tokio::test]
async fn require_without_the_layer_or_behind_that_of_another_server_is_500() {
    let (issuer, api) = scene();
    let (_, other) = scene();
    let route = || Router::new().route("/", get(async || "reached").layer(api.require(scopes!["read"])));
    let token = || Some(issuer.token().scope("read").mint());
    assert_eq!(call(&route().layer(api.layer()), "/", token()).await.0, StatusCode::OK);
    assert_eq!(call(&route(), "/", token()).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    let twin =
        ResourceServer::builder(RESOURCE).trust(Issuer::jwks(issuer.url(), issuer.jwks())).build().unwrap();
    assert_eq!(call(&route().layer(twin.layer()), "/", token()).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    drop(other);
}

#[tokio::test]
async fn validated_needs_no_layer() {
    let (issuer, api) = scene();
    let app: Router = Router::new()
        .route("/plain", get(async |Validated(token): Validated<MyClaims>| token.claims().sub.clone()))
        .route("/option", get(async |token: Option<Validated>| token.is_some().to_string()))
        .with_state(api);
    let good = issuer.token().mint();
    assert_eq!(call(&app, "/plain", Some(good.clone())).await.2, "test-user");
    assert_eq!(call(&app, "/option", Some(good)).await.2, "true");
    assert_eq!(call(&app, "/option", None).await.2, "false");
    let (status, challenge, _) = call(&app, "/plain", None).await;
    assert_eq!((status, challenge), (StatusCode::UNAUTHORIZED, format!("Bearer realm=\"{RESOURCE}\"")));
    for path in ["/plain", "/option"] {
        let (status, challenge, _) = call(&app, path, Some(issuer.token().forged().mint())).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(challenge.contains("invalid_token"));
    }
}

#[tokio::test]
async fn claims_are_typed_once_more_for_one_route() {
    #[derive(Deserialize)]
    struct Tenant {
        tenant: String,
    }
    let (issuer, api) = scene();
    let handler = async |token: AccessToken| -> Result<String, bearergate::Refusal> {
        let refuse = |error| {
            ResourceServer::builder("x")
                .trust(Issuer::jwks("i", "{\"keys\":[]}"))
                .build()
                .unwrap()
                .refuse(error)
        };
        Ok(token.claims_as::<Tenant>().map_err(refuse)?.tenant)
    };
    let app = Router::new().route("/", get(handler)).layer(api.layer());
    assert_eq!(call(&app, "/", Some(issuer.token().claim("tenant", "acme").mint())).await.2, "acme");
    assert_eq!(call(&app, "/", Some(issuer.token().mint())).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn refusals_carry_a_body_where_the_layer_says_so() {
    let (issuer, api) = scene();
    let routes = |api: &ResourceServer| {
        Router::new()
            .route("/plain", get(async |_: AccessToken| "reached"))
            .route("/scoped", get(async |_: Scoped<Read>| "reached"))
            .route("/other", get(async |_: AccessToken<MyClaims>| "reached"))
            .route("/required", get(async || "reached").layer(api.require(scopes!["read"]).with_body()))
    };
    let send = async |app: Router, path: &str, token: Option<String>| {
        let mut request = Request::builder().uri(path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let media_type = parts.headers.get("content-type").map(|value| value.to_str().unwrap().to_owned());
        (
            parts.status,
            media_type,
            String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        )
    };
    let problem = |status: u16, title: &str, detail: &str, error: Option<&str>| {
        let mut problem =
            serde_json::json!({"type": "about:blank", "title": title, "status": status, "detail": detail});
        if let Some(error) = error {
            problem["error"] = error.into();
        }
        problem.to_string()
    };
    let token = || Some(issuer.token().mint());
    let scope = problem(403, "Forbidden", "a required scope is missing", Some("insufficient_scope"));
    let wiring = "the layer verified another claims type than the handler asks for";
    for (path, token, status, body) in [
        ("/plain", None, 401, problem(401, "Unauthorized", "no bearer token was sent", None)),
        (
            "/plain",
            Some("x".into()),
            401,
            problem(401, "Unauthorized", "the token is malformed", Some("invalid_token")),
        ),
        ("/scoped", token(), 403, scope.clone()),
        ("/required", token(), 403, scope.clone()),
        ("/other", token(), 500, problem(500, "Internal Server Error", wiring, None)),
    ] {
        let answer = send(routes(&api).layer(api.layer().with_body()), path, token.clone()).await;
        assert_eq!(answer.0.as_u16(), status, "{path}");
        assert_eq!(answer.1.as_deref(), Some("application/problem+json"), "{path}");
        assert_eq!(answer.2, body, "{path}");
        // Without `with_body` there is none, from the layer or behind it.
        if path != "/required" {
            let answer = send(routes(&api).layer(api.layer()), path, token).await;
            assert_eq!(
                (answer.0.as_u16(), answer.1.as_deref(), answer.2.as_str()),
                (status, None, ""),
                "{path}"
            );
        }
    }
    // Of the application's own making, for `Validated` too, which has no layer.
    let own = ResourceServer::builder(RESOURCE)
        .trust(Issuer::jwks(issuer.url(), issuer.jwks()))
        .render_refusals(|refusal| {
            let text = format!("{}: {refusal}", refusal.status().as_u16());
            bearergate::Rendered::new(http::HeaderValue::from_static("text/plain"), text)
        })
        .build()
        .unwrap();
    let expected =
        (StatusCode::UNAUTHORIZED, Some("text/plain".into()), "401: no bearer token was sent".into());
    assert_eq!(send(routes(&own).layer(own.layer().with_body()), "/plain", None).await, expected);
    let validated = Router::new().route("/", get(async |_: Validated| "reached")).with_state(own);
    assert_eq!(send(validated, "/", None).await, expected);
}

#[tokio::test(start_paused = true)]
async fn htp_08_back_pressure_below_the_layer_is_kept() {
    let clock = TestClock::new();
    let issuer =
        TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline("https://as.example");
    let fetch = ScriptedFetch::new(&issuer);
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(issuer.url()))
        .clock(clock)
        .http_client(fetch.clone())
        .build()
        .unwrap();
    api.ready().await.unwrap();
    // One place below the layer, and a service that answers only when it is told to.
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let inner = service_fn({
        let gate = std::sync::Arc::clone(&gate);
        move |_: Request<()>| {
            let gate = std::sync::Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok::<_, Infallible>(Response::new(String::new()))
            }
        }
    });
    let mut service = api.layer().layer(ConcurrencyLimitLayer::new(1).layer(inner));
    let request = |token: bearergate::testing::TokenBuilder| {
        let bearer = format!("Bearer {}", token.mint());
        Request::builder().header(AUTHORIZATION, bearer).body(()).unwrap()
    };
    let poll = |future: std::pin::Pin<&mut _>| Future::poll(future, &mut Context::from_waker(Waker::noop()));

    // A request waits for a key. It takes no place from the good token that comes after it.
    fetch.set(Mode::Slow(Duration::from_secs(1)));
    issuer.rotate_gently();
    poll_fn(|context| service.poll_ready(context)).await.unwrap();
    let mut waiting = Box::pin(service.call(request(issuer.token())));
    assert!(poll(waiting.as_mut()).is_pending());
    poll_fn(|context| service.poll_ready(context)).await.unwrap();
    let mut second = Box::pin(service.call(request(issuer.token())));
    assert!(poll(second.as_mut()).is_pending());

    // The key is there: both are admitted, and one at a time is let through.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(poll(waiting.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    assert!(
        service.poll_ready(&mut Context::from_waker(Waker::noop())).is_pending(),
        "the one place is taken"
    );
    gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
    assert!(poll(second.as_mut()).is_pending());
    gate.add_permits(1);
    assert_eq!(second.await.unwrap().status(), StatusCode::OK);

    // A refused request gives its place back, and so does a cancelled one.
    for _ in 0..3 {
        poll_fn(|context| service.poll_ready(context)).await.unwrap();
        assert_eq!(service.call(Request::new(())).await.unwrap().status(), StatusCode::UNAUTHORIZED);
        poll_fn(|context| service.poll_ready(context)).await.unwrap();
        let mut cancelled = Box::pin(service.call(request(issuer.token())));
        assert!(poll(cancelled.as_mut()).is_pending());
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_take_no_place_from_good_tokens() {
    let clock = TestClock::new();
    let issuer =
        TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline("https://as.example");
    let fetch = ScriptedFetch::new(&issuer);
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(issuer.url()))
        .clock(clock)
        .http_client(fetch.clone())
        .build()
        .unwrap();
    api.ready().await.unwrap();
    fetch.set(Mode::Hang);
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let mut service = api.layer().layer(ConcurrencyLimitLayer::new(2).layer(inner));
    let request = |token: bearergate::testing::TokenBuilder| {
        let bearer = format!("Bearer {}", token.mint());
        Request::builder().header(AUTHORIZATION, bearer).body(()).unwrap()
    };
    let mut waiting = Vec::new();
    for kid in 0..10 {
        poll_fn(|context| service.poll_ready(context)).await.unwrap();
        let mut future =
            Box::pin(service.call(request(issuer.token().header("kid", format!("unknown-{kid}")))));
        let polled = Future::poll(future.as_mut(), &mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        waiting.push(future);
    }
    let Poll::Ready(Ok(())) = service.poll_ready(&mut Context::from_waker(Waker::noop())) else {
        panic!("those who wait for a key hold every place");
    };
    assert_eq!(service.call(request(issuer.token())).await.unwrap().status(), StatusCode::OK);
}

#[test]
fn everything_public_is_send_sync_clone_and_debug() {
    fn thing<T: Send + Sync + Clone + std::fmt::Debug>() {}
    struct Opaque;
    thing::<ResourceServer>();
    thing::<Issuer>();
    thing::<bearergate::AuthError>();
    thing::<bearergate::BearerAuthLayer<Opaque>>();
    thing::<bearergate::BearerAuth<(), Opaque>>();
    thing::<bearergate::RequireLayer>();
    thing::<bearergate::Require<()>>();
    thing::<bearergate::Refusal>();
    thing::<bearergate::Requirement>();
    thing::<bearergate::Scopes>();
    thing::<AccessToken<Opaque>>();
    thing::<Scoped<Read, Opaque>>();
    thing::<Validated<Opaque>>();
    thing::<Claims>();
    thing::<bearergate::Actor>();
    thing::<bearergate::PathRequirements>();
    thing::<bearergate::Requirement>();
    thing::<bearergate::ScopeHierarchy>();
    thing::<Presented<'_>>();
    thing::<bearergate::Explanation>();
    thing::<bearergate::NotReady>();
    thing::<bearergate::KeySnapshots>();
    thing::<TestIssuer>();
    thing::<bearergate::testing::MockAuth>();
    thing::<bearergate::testing::MockTokenBuilder>();
    thing::<bearergate::testing::Challenge>();
    thing::<bearergate::testing::InvalidChallenge>();
    thing::<TestClock>();
}

/// Which paths a layer guards is axum's affair: these are its rules as they touch us.
#[tokio::test]
async fn strangers_learn_nothing_of_paths_behind_the_layer() {
    let (issuer, api) = scene();
    let token = || Some(issuer.token().mint());
    let subject = get(async |token: AccessToken| token.subject().unwrap().to_owned());
    let routes = || {
        Router::new()
            .route("/own", subject.clone())
            .nest("/nested", Router::new().route("/own", subject.clone()))
            .merge(Router::new().route("/merged", subject.clone()))
    };
    let status =
        async |app: &Router, path: &str, token: Option<String>| call(app, path, token).await.0.as_u16();

    // `layer`: whatever was there before it, the fallback too. A stranger gets 401, and not 404.
    let all = routes().layer(api.layer()).route("/public", get(async || "everybody"));
    for path in ["/own", "/nested/own", "/merged"] {
        assert_eq!((status(&all, path, None).await, status(&all, path, token()).await), (401, 200), "{path}");
    }
    for path in ["/nowhere", "/nested/nowhere", "/nested", "/own/"] {
        assert_eq!((status(&all, path, None).await, status(&all, path, token()).await), (401, 404), "{path}");
    }
    assert_eq!(status(&all, "/public", None).await, 200, "routes that come after the layer are open");

    // `route_layer`: routes alone. Strangers are told what exists.
    let known = routes().route_layer(api.layer());
    for path in ["/own", "/nested/own", "/merged"] {
        assert_eq!(
            (status(&known, path, None).await, status(&known, path, token()).await),
            (401, 200),
            "{path}"
        );
    }
    assert_eq!(status(&known, "/nowhere", None).await, 404);

    // A part that is protected, merged into one that is not, keeps the other open.
    let part =
        Router::new().route("/open", get(async || "everybody")).merge(routes().route_layer(api.layer()));
    assert_eq!((status(&part, "/open", None).await, status(&part, "/own", None).await), (200, 401));
    let nested =
        Router::new().route("/open", get(async || "everybody")).nest("/api", routes().layer(api.layer()));
    assert_eq!((status(&nested, "/open", None).await, status(&nested, "/api/own", None).await), (200, 401));
}

#[tokio::test(start_paused = true)]
async fn a_stream_can_end_when_its_token_expires() {
    let clock = TestClock::new();
    let issuer =
        TestIssuer::builder().default_audience(RESOURCE).clock(clock.clone()).offline("https://as.example");
    let trusted = Issuer::jwks(issuer.url(), issuer.jwks()).leeway(Duration::from_secs(30));
    let api = ResourceServer::builder(RESOURCE).trust(trusted).clock(clock.clone()).build().unwrap();
    let accepted = async |lifetime: u64| -> AccessToken {
        let token = issuer.token().expires_in(Duration::from_secs(lifetime)).mint();
        api.validate(&Presented::bearer(&token)).await.unwrap()
    };
    let began = tokio::time::Instant::now();
    api.expired(&accepted(100).await).await;
    let took = began.elapsed().as_secs_f64();
    assert!((129.0..131.1).contains(&took), "{took}");

    // The wall clock is set forward: noticed within a minute, and not before.
    let mut expired = Box::pin(api.expired(&accepted(100_000).await));
    assert!(tokio::time::timeout(Duration::from_secs(3600), &mut expired).await.is_err());
    clock.advance(Duration::from_secs(100_000));
    assert!(tokio::time::timeout(Duration::from_secs(61), expired).await.is_ok());
}
