//! Rights beyond a list of scopes: scopes that stand for others, who acts, rich authorization details, and a policy of one's own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[allow(unreachable_pub, reason = "shared by several test binaries")]
#[path = "common/log.rs"]
mod log;

use std::{
    convert::Infallible,
    future::{pending, poll_fn, ready},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use axum::{Router, body::Body, routing::get};
use bearergate::{
    AccessToken, AuthError, AuthErrorKind, AuthorizationDetail, Issuer, PathRequirements, Presented,
    RequiredScopes, Requirement, ResourceServer, ResourceServerBuilder, ScopeHierarchy, Scoped, Scopes,
    scopes, testing::TestIssuer,
};
use http::{
    Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    request::Parts,
};
use log::Log;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;
use tower::{Layer as _, Service as _, ServiceExt as _, limit::ConcurrencyLimitLayer, service_fn};

const RESOURCE: &str = "https://api.example.com";

scopes!(ReadOrders = "read:orders");
scopes!(WriteOrders = "write:orders");

fn scene_with(
    set: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder,
) -> (TestIssuer, ResourceServer) {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let builder = ResourceServer::builder(RESOURCE).trust(Issuer::jwks(issuer.url(), issuer.jwks()));
    (issuer, set(builder).build().unwrap())
}

fn scene() -> (TestIssuer, ResourceServer) {
    scene_with(|builder| builder)
}

async fn call(app: &Router, path: &str, token: Option<&str>) -> Response<Body> {
    let request = Request::builder().uri(path);
    let request = match token {
        Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    };
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn challenge<B>(response: &Response<B>) -> &str {
    response.headers().get(WWW_AUTHENTICATE).map_or("", |value| value.to_str().unwrap())
}

// Hierarchy

#[tokio::test]
async fn a_scope_that_stands_for_another_counts_wherever_scopes_are_looked_for() {
    let hierarchy = ScopeHierarchy::new([
        (scopes!["admin"], scopes!["write:orders"]),
        (scopes!["write:orders"], scopes!["read:orders"]),
    ]);
    let (issuer, api) = scene_with(|builder| builder.scope_hierarchy(hierarchy));
    let table = PathRequirements::new([("/table", ReadOrders::SCOPES)]).unwrap();
    let app = Router::new()
        .route("/scoped", get(async |_: Scoped<ReadOrders>| "reached"))
        .route("/route", get(async || "reached").layer(api.require(ReadOrders::SCOPES)))
        .route("/table", get(async || "reached"))
        .layer(api.layer().require_by_path(table));
    for (scope, status) in [
        ("read:orders", StatusCode::OK),
        ("write:orders", StatusCode::OK),
        ("admin", StatusCode::OK),
        ("other admin", StatusCode::OK),
        ("Admin", StatusCode::FORBIDDEN),
        ("read", StatusCode::FORBIDDEN),
        ("", StatusCode::FORBIDDEN),
    ] {
        let token = issuer.token().scope(scope).mint();
        for path in ["/scoped", "/route", "/table"] {
            let response = call(&app, path, Some(&token)).await;
            assert_eq!(response.status(), status, "{path} with {scope:?}");
            if status == StatusCode::FORBIDDEN {
                // What is asked for, not all that would do.
                assert!(challenge(&response).contains(r#"scope="read:orders""#), "{path}");
            }
        }
        let presented = Presented::bearer(&token);
        let explanation = api.explain_for(&presented, &ReadOrders::SCOPES.into());
        assert_eq!(explanation.is_accepted(), status == StatusCode::OK, "explained: {scope}");
        let token: AccessToken = api.validate(&presented).await.unwrap();
        assert_eq!(api.check(&token, ReadOrders::SCOPES).is_ok(), status == StatusCode::OK, "{scope}");
        assert_eq!(token.has_scope("read:orders"), scope == "read:orders", "what the token says");
    }
}

#[tokio::test]
async fn a_function_may_say_what_stands_for_what() {
    let hierarchy = ScopeHierarchy::by(|granted, wanted| {
        wanted.strip_prefix(granted).is_some_and(|rest| rest.starts_with('.'))
    });
    let (issuer, api) = scene_with(|builder| builder.scope_hierarchy(hierarchy));
    for (scope, is_enough) in
        [("orders", true), ("orders.read", true), ("order", false), ("orders.read.all", false)]
    {
        let token = issuer.token().scope(scope).mint();
        let token: AccessToken = api.validate(&Presented::bearer(&token)).await.unwrap();
        assert_eq!(api.check(&token, scopes!["orders.read"]).is_ok(), is_enough, "{scope}");
    }
}

fn some_scopes(most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(
        prop::sample::select(&["a", "b", "c", "d", "e"][..]).prop_map(str::to_owned),
        1..=most,
    )
}

fn list(words: &[String]) -> Scopes {
    Scopes::parse(&words.join(" ")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A refusal names scopes with which the same token would pass, whatever stands for what; and a token passes just if what it carries
    /// reaches, step by step, all of some list.
    #[test]
    fn challenge_and_check_agree(
        table in prop::collection::vec((some_scopes(2), some_scopes(2)), 0..4),
        wanted in prop::collection::vec(some_scopes(3), 1..3),
        granted in some_scopes(2),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pairs: Vec<_> = table.iter().map(|(one, other)| (list(one), list(other))).collect();
        let (issuer, api) = scene_with(|builder| builder.scope_hierarchy(ScopeHierarchy::new(pairs)));
        let requirement = Requirement::any_of(wanted.iter().map(|words| list(words)));
        let check = |scope: &str| {
            let token = issuer.token().scope(scope).mint();
            let token: AccessToken = runtime.block_on(api.validate(&Presented::bearer(&token))).unwrap();
            api.check(&token, requirement.clone())
        };

        // All that is reached, by another road than the crate takes.
        let mut reached = granted.clone();
        for _ in 0..5 {
            for (one, other) in &table {
                if one.iter().any(|scope| reached.contains(scope)) {
                    reached.extend(other.iter().cloned());
                }
            }
        }
        let is_enough = wanted.iter().any(|list| list.iter().all(|scope| reached.contains(scope)));
        match check(&granted.join(" ")) {
            Ok(()) => prop_assert!(is_enough),
            Err(refusal) => {
                prop_assert!(!is_enough);
                let headers = refusal.headers();
                let challenge = headers[WWW_AUTHENTICATE].to_str().unwrap();
                let named = challenge.split(" scope=\"").nth(1).unwrap().split('"').next().unwrap();
                prop_assert!(check(named).is_ok(), "{} is asked for, and not enough", named);
            }
        }
    }
}

// One declaration

#[tokio::test]
async fn metadata_lists_what_the_table_asks_for() {
    let rights = PathRequirements::new([
        ("/orders", Requirement::from(ReadOrders::SCOPES)),
        ("/orders/{id}", WriteOrders::SCOPES.into()),
        ("/all/*", Requirement::any_of([ReadOrders::SCOPES, scopes!["admin", "audit"]])),
        ("/roles", Requirement::default().claim("/roles", ["x"])),
    ])
    .unwrap()
    .otherwise(scopes!["rest"]);
    let named: Vec<_> = rights.scopes().map(|scopes| scopes.to_string()).collect();
    assert_eq!(named, ["admin audit", "read:orders", "rest", "write:orders"]);
    let mut patterns: Vec<_> = rights.iter().map(|(_, path, _)| path).collect();
    patterns.sort_unstable();
    assert_eq!(patterns, ["/all/*", "/orders", "/orders/{id}", "/roles"], "as they were written");

    let (_, api) = scene_with(|builder| {
        builder
            .challenge_scopes(scopes!["write:orders"])
            .scopes_supported(rights.scopes().chain([scopes!["offline_access"]]))
    });
    let mut service = api.metadata_service().unwrap();
    let response = service.call(Request::new(())).await.unwrap();
    let document: serde_json::Value = serde_json::from_str(response.body()).unwrap();
    assert_eq!(
        document["scopes_supported"],
        json!(["write:orders", "admin", "audit", "read:orders", "rest"]),
        "each once, those of the challenge first"
    );
}

/// tonic does not look at the method: what a table says of POST must hold for PUT.
#[tokio::test]
async fn a_method_that_a_path_does_not_name_is_closed() {
    let (issuer, api) = scene();
    let rights = PathRequirements::new([
        ("POST /shop.Orders/Delete", Requirement::from(scopes!["admin"])),
        ("GET /ws", scopes!["chat"].into()),
        ("/left", Requirement::default()),
    ]);
    let layer = api.layer().require_by_path(rights.unwrap()).optional().pass_preflight();
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Vec::<u8>::new())) });
    let service = layer.layer(inner);
    let call = async |method: &str, path: &str, scope: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(scope) = scope {
            let bearer = format!("Bearer {}", issuer.token().scope(scope).mint());
            request = request.header(AUTHORIZATION, bearer);
        }
        let preflight =
            request.header("origin", "https://a.example").header("access-control-request-method", "POST");
        let response = service.clone().oneshot(preflight.body(()).unwrap()).await.unwrap();
        (response.status().as_u16(), challenge(&response).to_owned())
    };
    for method in ["PUT", "GET", "OPTIONS", "TRACE", "post", "X"] {
        assert_eq!(call(method, "/shop.Orders/Delete", None).await.0, 401, "{method}");
        let refused = call(method, "/shop.Orders/Delete", Some("admin")).await;
        assert_eq!(refused, (403, r#"Bearer realm="https://api.example.com""#.to_owned()), "{method}");
    }
    assert_eq!(call("POST", "/shop.Orders/Delete", Some("other")).await.0, 403);
    assert_eq!(call("POST", "/shop.Orders/Delete", Some("admin")).await.0, 200);
    for (method, scope, status) in
        [("GET", "chat", 200), ("GET", "x", 403), ("HEAD", "x", 403), ("CONNECT", "x", 403)]
    {
        assert_eq!(call(method, "/ws", Some(scope)).await.0, status, "{method} with {scope}");
    }
    assert_eq!(call("GET", "/left", None).await.0, 200, "what asks for nothing is left to `optional`");
    assert_eq!(call("PUT", "/elsewhere", None).await.0, 200);
}

#[tokio::test]
async fn what_needs_no_token_is_open_to_those_who_send_none() {
    let (issuer, api) = scene();
    let rights = PathRequirements::new([("/orders/*", ReadOrders::SCOPES)])
        .unwrap()
        .and([
            ("GET /health", Requirement::no_token()),
            ("/plain", Requirement::default()),
            ("/strong", Requirement::no_token().acr(["gold"])),
            ("/role", Requirement::no_token().claim("/role", ["x"])),
        ])
        .unwrap()
        .otherwise(Requirement::any_of([]));
    let handler = get(async |token: Option<AccessToken>| if token.is_some() { "known" } else { "nobody" });
    let app = Router::new()
        .route("/health", handler.clone())
        .fallback(async || "reached")
        .route("/route", handler.layer(api.require(Requirement::no_token())))
        .layer(
            api.layer().require_by_path(rights.clone().and([("/route", Requirement::no_token())]).unwrap()),
        );
    let good = issuer.token().mint();
    let bad = issuer.token().expired().mint();
    for (path, token, status) in [
        ("/health", None, 200),
        ("/health", Some(&good), 200),
        ("/health", Some(&bad), 401),
        ("/route", None, 200),
        ("/route", Some(&good), 200),
        ("/plain", None, 401),
        ("/strong", None, 401),
        ("/role", None, 401),
        ("/orders/7", None, 401),
        ("/orders/7", Some(&good), 403),
        ("/nowhere", None, 401),
        ("/nowhere", Some(&good), 403),
    ] {
        let response = call(&app, path, token.map(String::as_str)).await;
        assert_eq!(response.status().as_u16(), status, "{path} with {token:?}");
    }
    assert!(rights.and([("/plain", scopes!["twice"])]).is_err(), "a pattern stands once in all");
}

/// Something behind the layer puts a token of another server where the verified one was.
#[tokio::test]
async fn a_token_that_this_layer_did_not_verify_is_500() {
    let (issuer, api) = scene();
    let partner = ResourceServer::builder("https://partner.example")
        .trust(Issuer::jwks(issuer.url(), issuer.jwks()))
        .build()
        .unwrap();
    let foreign = issuer.token().audience("https://partner.example").scope("read:orders").mint();
    let foreign: AccessToken = partner.validate(&Presented::bearer(&foreign)).await.unwrap();
    let app = Router::new()
        .route("/plain", get(async |_: AccessToken| "reached"))
        .route("/scoped", get(async |_: Scoped<ReadOrders>| "reached"))
        .route(
            "/policy",
            get(async || "reached").layer(api.authorize(|_: &AccessToken, _: &Parts| ready(Ok(())))),
        )
        .layer(axum::middleware::map_request(move |mut request: Request<Body>| {
            request.extensions_mut().insert(foreign.clone());
            ready(request)
        }))
        .layer(api.layer());
    for path in ["/plain", "/scoped", "/policy"] {
        let response = call(&app, path, Some(&issuer.token().mint())).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
    }
}

// `act` and `authorization_details`

async fn accepted(claims: serde_json::Value) -> AccessToken {
    let (issuer, api) = scene();
    let token = claims
        .as_object()
        .unwrap()
        .iter()
        .fold(issuer.token(), |token, (name, value)| token.claim(name, value.clone()));
    api.validate(&Presented::bearer(&token.mint())).await.unwrap()
}

#[tokio::test]
async fn rfc_8693_section_4_1_the_outermost_actor_alone_counts() {
    assert!(accepted(json!({})).await.actor().unwrap().is_none());
    // The example printed there.
    let act =
        json!({"sub": "https://service16.example.com", "act": {"sub": "https://service77.example.com"}});
    let actor = accepted(json!({"act": act})).await.actor().unwrap().unwrap();
    assert_eq!(actor.subject(), Some("https://service16.example.com"));
    assert_eq!((actor.issuer(), actor.client_id()), (None, None));
    assert_eq!(format!("{actor:?}"), "Actor { .. }", "no claim in a log");
    let act = json!({"iss": "https://other.example", "client_id": "batch", "level": 3});
    let actor = accepted(json!({"act": act})).await.actor().unwrap().unwrap();
    assert_eq!((actor.subject(), actor.issuer()), (None, Some("https://other.example")));
    assert_eq!(actor.client_id(), Some("batch"));
    assert_eq!(actor.get::<u8>("level").unwrap(), Some(3));
    let nobody = [json!("admin"), json!(null), json!([]), json!({}), json!({"sub": 5}), json!({"sub": null})];
    let half = [
        json!({"iss": "https://as.example"}),
        json!({"sub": "a", "iss": ["b"]}),
        json!({"sub": "a", "client_id": 1}),
    ];
    for act in nobody.into_iter().chain(half) {
        let refused = accepted(json!({"act": act})).await.actor().unwrap_err();
        assert_eq!(refused.kind(), AuthErrorKind::PolicyDenied, "{act}");
    }
}

/// The example of RFC 9396 §2, as far as it matters.
#[derive(Debug, Deserialize, PartialEq)]
struct PaymentInitiation {
    actions: Vec<String>,
    #[serde(rename = "creditorName")]
    creditor_name: String,
}

impl AuthorizationDetail for PaymentInitiation {
    const TYPE: &'static str = "payment_initiation";
}

#[tokio::test]
async fn rfc_9396_section_9_details_of_a_known_type_are_typed_and_others_give_no_right() {
    let payment = json!({
        "type": "payment_initiation",
        "locations": ["https://example.com/payments"],
        "instructedAmount": {"currency": "EUR", "amount": "123.50"},
        "actions": ["initiate", "status", "cancel"],
        "creditorName": "Merchant A",
    });
    let details = async |details: serde_json::Value| {
        let token = accepted(json!({"authorization_details": details})).await;
        token.authorization_details::<PaymentInitiation>()
    };
    assert_eq!(accepted(json!({})).await.authorization_details::<PaymentInitiation>().unwrap(), []);
    let others = json!([
        {"type": "account_information", "actions": ["initiate"], "creditorName": "Merchant A"},
        {"type": "Payment_Initiation", "actions": [], "creditorName": ""},
    ]);
    assert_eq!(details(others).await.unwrap(), [], "of another type, compared octet by octet");
    let two = details(json!([{"type": "x"}, payment, payment])).await.unwrap();
    assert_eq!(two.len(), 2);
    let escaped =
        details(json!([{"type": "payment_initiation", "actions": ["\u{e9}\n"], "creditorName": "\"x\""}]))
            .await;
    assert_eq!(escaped.unwrap()[0].creditor_name, "\"x\"");
    assert_eq!(two[0].creditor_name, "Merchant A");
    for malformed in [
        json!({"type": "payment_initiation"}),
        json!("payment_initiation"),
        json!(["payment_initiation"]),
        json!([payment, {"actions": []}]),
        json!([{"type": 5}]),
        json!([{"type": "payment_initiation", "actions": "secret", "creditorName": "secret"}]),
    ] {
        let refused = details(malformed.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), AuthErrorKind::PolicyDenied, "{malformed}");
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert!(!cause.contains("secret"), "{cause}");
    }
}

// What the operator sees

/// Whoever refuses tells the log, and tells it once.
#[test]
fn every_refusal_is_in_the_log_and_says_what_was_asked_for() {
    let (issuer, api) = scene();
    let role = Requirement::default().claim("/realm_access/roles", ["admin"]);
    let app = Router::new()
        .route("/scoped", get(async |_: Scoped<ReadOrders>| "reached"))
        .route("/token", get(async |_: AccessToken| "reached"))
        .route("/route", get(async || "reached").layer(api.require(ReadOrders::SCOPES)))
        .route("/role", get(async || "reached").layer(api.require(role.clone())))
        .layer(api.layer().optional());
    let token = issuer.token().claim("realm_access", json!({"roles": ["secret-role"]})).mint();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (path, token, reason) in [
        ("/scoped", Some(&*token), "insufficient_scope"),
        ("/route", Some(&*token), "insufficient_scope"),
        ("/role", Some(&*token), "policy_denied"),
        ("/token", None, "missing_token"),
        ("/scoped", None, "missing_token"),
        ("/route", None, "missing_token"),
    ] {
        let (_, log) = Log::during(|| runtime.block_on(call(&app, path, token)));
        let lines: Vec<_> =
            log.lines().filter(|line| line.contains("refused") && line.contains(reason)).collect();
        assert_eq!(lines.len(), 1, "{path}: {log}");
        assert_eq!(
            lines[0].contains("`/realm_access/roles` holds one of [\"admin\"]"),
            path == "/role",
            "{log}"
        );
        assert!(!log.contains("secret-role"), "{log}");
    }
    // Where it is no refusal, nothing is told.
    let token: AccessToken = runtime.block_on(api.validate(&Presented::bearer(&token))).unwrap();
    let (permitted, log) =
        Log::during(|| (api.permits(&token, role), api.permits(&token, Requirement::default())));
    assert_eq!((permitted, log.as_str()), ((false, true), ""));
}

#[test]
fn a_pointer_that_can_point_at_nothing_is_told() {
    for (pointer, is_told) in
        [("realm_access/roles", true), ("$.roles", true), ("/roles", false), ("", false)]
    {
        let (_, log) = Log::during(|| Requirement::default().claim(pointer, ["admin"]));
        assert_eq!(log.contains("a JSON pointer begins with `/`"), is_told, "{pointer}");
    }
}

// A policy of one's own

#[derive(Debug, thiserror::Error)]
#[error("the store of tenants is down")]
struct StoreDown;

async fn decide(path: &str) -> Result<(), AuthError> {
    tokio::task::yield_now().await;
    match path {
        "/mine" => Ok(()),
        "/down" => Err(AuthErrorKind::PolicyUnavailable.because(StoreDown)),
        _ => Err(AuthErrorKind::PolicyDenied.into()),
    }
}

fn guarded(api: &ResourceServer) -> Router {
    let policy = api.authorize(|token: &AccessToken, request: &Parts| {
        assert_eq!(token.subject(), Some("test-user"));
        let path = request.uri.path().to_owned();
        async move { decide(&path).await }
    });
    Router::new()
        .route("/mine", get(async |token: AccessToken| token.subject().unwrap().to_owned()))
        .fallback(async || "nothing here")
        .layer(policy)
}

#[test]
fn a_policy_says_yes_no_or_cannot_tell() {
    let (issuer, api) = scene();
    let app = guarded(&api).layer(api.layer());
    let token = issuer.token().mint();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let calls =
        [("/mine", Some(&*token)), ("/theirs", Some(&*token)), ("/down", Some(&*token)), ("/mine", None)];
    let (answers, log) = Log::during(|| calls.map(|(path, token)| runtime.block_on(call(&app, path, token))));
    let statuses: Vec<_> = answers.iter().map(|it| it.status().as_u16()).collect();
    assert_eq!(statuses, [200, 403, 503, 401]);
    // RFC 6750 §3.1: no scope would help, so no code; and none is asked for where nothing is known (design: 503 has no challenge).
    assert_eq!(challenge(&answers[1]), r#"Bearer realm="https://api.example.com""#);
    assert_eq!(challenge(&answers[2]), "");
    assert!(answers[2].headers().contains_key(RETRY_AFTER));
    let told =
        log.lines().any(|line| line.contains("policy_unavailable") && line.contains(&StoreDown.to_string()));
    assert!(told, "the operator learns why: {log}");
}

#[tokio::test]
async fn a_policy_without_the_layer_or_behind_another_claims_type_is_500() {
    #[derive(Deserialize)]
    struct MyClaims {}
    let (issuer, api) = scene();
    let trusted = Issuer::jwks(issuer.url(), issuer.jwks());
    let other = ResourceServer::builder(RESOURCE).trust(trusted).build().unwrap();
    let token = issuer.token().mint();
    for app in
        [guarded(&api), guarded(&api).layer(other.layer()), guarded(&api).layer(api.layer_for::<MyClaims>())]
    {
        assert_eq!(call(&app, "/mine", Some(&token)).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

#[tokio::test]
async fn a_policy_answers_as_its_layer_does() {
    let (issuer, api) = scene();
    let deny = api.authorize(|_: &AccessToken, _: &Parts| ready(Err(AuthErrorKind::PolicyDenied.into())));
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Vec::<u8>::new())) });
    let request = || {
        let bearer = format!("Bearer {}", issuer.token().mint());
        Request::post("/a.B/C").header(AUTHORIZATION, bearer).header(CONTENT_TYPE, "application/grpc")
    };
    let service = api.layer().grpc().layer(deny.clone().layer(inner));
    let response = service.oneshot(request().body(()).unwrap()).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["grpc-status"]),
        (StatusCode::OK, &"7".parse().unwrap())
    );
    let service = api.layer().with_body().layer(deny.with_body().layer(inner));
    let response = service.oneshot(request().body(()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(problem["status"], 403);
}

/// A store that hangs takes no place from requests that need no decision of it.
#[tokio::test]
async fn a_request_that_waits_for_a_policy_takes_no_place() {
    let (issuer, api) = scene();
    let decisions = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = Arc::clone(&decisions);
    let policy = api.authorize(move |_: &AccessToken, request: &Parts| {
        let (gate, waits) = (Arc::clone(&gate), request.uri.path() == "/waits");
        async move {
            if waits {
                gate.acquire().await.unwrap().forget();
            }
            Ok(())
        }
    });
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Vec::<u8>::new())) });
    let service = ConcurrencyLimitLayer::new(1).layer(inner);
    let service = api.layer().layer(policy.layer(service));
    let request = |path: &str| {
        let bearer = format!("Bearer {}", issuer.token().mint());
        Request::get(path).header(AUTHORIZATION, bearer).body(()).unwrap()
    };
    let mut waiting = pin!(service.clone().oneshot(request("/waits")));
    let is_pending = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await;
    assert!(is_pending);
    assert_eq!(service.clone().oneshot(request("/passes")).await.unwrap().status(), StatusCode::OK);
    decisions.add_permits(1);
    assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
}

#[test]
fn a_policy_is_part_of_any_service() {
    fn is_fit<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}
    let (_, api) = scene();
    let layer = api.authorize(|_: &AccessToken, _: &Parts| pending::<Result<(), AuthError>>());
    is_fit(&layer);
    is_fit(&layer.with_body().layer(tower::util::BoxCloneSyncService::new(service_fn(
        |_: Request<()>| async { Ok::<_, Infallible>(Response::new(Vec::<u8>::new())) },
    ))));
    is_fit(&ScopeHierarchy::by(|_, _| false));
}
