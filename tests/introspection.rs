//! Tokens that only their issuer can read: asked about by RFC 7662, and judged by its answer.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bearergate::{
    AccessToken, AuthErrorKind as Kind, Check, CheckOutcome, Claims, ClientAuth, ConfigError, Fetch,
    FetchErrorKind, FetchFuture, FetchRequest, Issuer, KeyState, OmittableClaim, Presented, ResourceServer,
    scopes,
    testing::{Endpoint, Fault, TestClock, TestIssuer},
};
use http::{StatusCode, header::RETRY_AFTER};
use serde_json::json;

mod common;

const RESOURCE: &str = "https://api.example.com";
const URL: &str = "https://as.example";

/// Writes down what is asked, and can fail to connect first.
#[derive(Clone, Debug)]
struct Line {
    issuer: TestIssuer,
    requests: Arc<Mutex<Vec<FetchRequest>>>,
    errors: Arc<Mutex<Vec<FetchErrorKind>>>,
}

impl Fetch for Line {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        self.requests.lock().unwrap().push(request.clone());
        match self.errors.lock().unwrap().pop() {
            Some(kind) => Box::pin(std::future::ready(Err(kind.into()))),
            None => self.issuer.fetch().fetch(request),
        }
    }
}

struct Scene {
    issuer: TestIssuer,
    line: Line,
    api: ResourceServer,
}

impl Scene {
    fn new() -> Self {
        Self::with(|issuer| vec![issuer.introspected(ClientAuth::basic("api", "secret"))])
    }

    fn with(trusted: impl FnOnce(&TestIssuer) -> Vec<Issuer>) -> Self {
        let issuer = TestIssuer::builder()
            .clock(TestClock::new())
            .default_audience(RESOURCE)
            .client("api", "secret", scopes!["read"])
            .client("a b:c", "s+e&c=r%t", scopes!["read"])
            .offline(URL);
        let line = Line { issuer: issuer.clone(), requests: Arc::default(), errors: Arc::default() };
        let builder = ResourceServer::builder(RESOURCE).clock(TestClock::new()).http_client(line.clone());
        let api = trusted(&issuer).into_iter().fold(builder, |builder, issuer| builder.trust(issuer));
        Self { issuer, line, api: api.build().unwrap() }
    }

    async fn judge(&self, token: &str) -> Result<AccessToken, Kind> {
        self.api.validate::<Claims>(&Presented::bearer(token)).await.map_err(|error| error.kind())
    }

    async fn check(&self, token: &str) -> Result<(), Kind> {
        self.judge(token).await.map(drop)
    }

    fn calls(&self) -> usize {
        self.line.requests.lock().unwrap().iter().filter(|request| request.post.is_some()).count()
    }

    fn fault(&self, fault: Fault) {
        self.issuer.faults().script(Endpoint::Introspection, [fault]);
    }

    /// An answer of 503 with `Retry-After`, never 401.
    async fn undecided(&self, token: &str, kind: Kind, what: &str) {
        let error = self.api.validate::<Claims>(&Presented::bearer(token)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{what}");
        let refusal = self.api.refuse(error);
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE, "{what}");
        assert!(refusal.headers().contains_key(RETRY_AFTER), "{what}");
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn int_01_an_inactive_token_is_401() {
    let scene = Scene::new();
    let token = scene.issuer.opaque_token().scope("read").mint();
    let good = scene.judge(&token).await.unwrap();
    assert_eq!((good.issuer(), good.subject(), good.has_scope("read")), (URL, Some("test-user"), true));

    assert!(scene.issuer.revoke(&token));
    scene.api.cached_tokens().forget(&token);
    let error = scene.api.validate::<Claims>(&Presented::bearer(&token)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Inactive);
    assert_eq!(scene.api.refuse(error).status(), StatusCode::UNAUTHORIZED);
    assert_eq!(scene.check("never-issued").await, Err(Kind::Inactive));
}

#[tokio::test(start_paused = true)]
async fn int_02_only_a_well_formed_false_is_a_verdict() {
    for answer in [
        "{}",
        r#"{"active":"false"}"#,
        r#"{"active":"true"}"#,
        r#"{"active":1}"#,
        r#"{"active":null}"#,
        r#"{"active":[true]}"#,
        r#"{"active":false,"active":false}"#,
        r#"{"active":false,"\u0061ctive":true}"#,
        r#"{"Active":false}"#,
        r#"[{"active":false}]"#,
        "false",
        "null",
        "",
        "{\"active\":false}x",
    ] {
        let scene = Scene::new();
        scene.fault(Fault::Document(answer.into()));
        scene.undecided("token", Kind::IntrospectionMalformed, answer).await;
        assert_eq!(scene.check("token").await, Err(Kind::Inactive), "the next answer is good: {answer}");
    }
    let scene = Scene::new();
    scene.fault(Fault::Document(b" {\"active\" : false , \"why\":\"gone\"}\n".to_vec()));
    assert_eq!(scene.check("token").await, Err(Kind::Inactive));
}

#[tokio::test(start_paused = true)]
async fn int_03_the_claims_of_an_active_token_are_judged_like_those_of_a_jwt() {
    let scene = Scene::new();
    let now = bearergate::Clock::wall(&TestClock::new()).as_secs();
    for (name, value, kind) in [
        ("exp", json!("soon"), Kind::InvalidClaim),
        ("exp", json!(null), Kind::InvalidClaim),
        ("nbf", json!(now + 1000), Kind::NotYetValid),
        ("iat", json!(now + 1000), Kind::IssuedInFuture),
        ("iss", json!("https://other.example"), Kind::UnknownIssuer),
        ("iss", json!(7), Kind::InvalidClaim),
        ("aud", json!("https://other.example"), Kind::WrongAudience),
        ("aud", json!([]), Kind::WrongAudience),
        ("aud", json!({}), Kind::InvalidClaim),
        ("sub", json!(7), Kind::InvalidClaim),
        ("scope", json!(7), Kind::InvalidClaim),
        ("events", json!({}), Kind::WrongType),
        ("token_type", json!("refresh_token"), Kind::WrongType),
        ("token_use", json!("refresh_token"), Kind::WrongType),
    ] {
        let token = scene.issuer.opaque_token().claim(name, &value).mint();
        assert_eq!(scene.check(&token).await, Err(kind), "{name}: {value}");
    }
    // The issuer itself would call this one inactive.
    let answer = json!({"active": true, "iss": URL, "aud": RESOURCE, "exp": now - 1000});
    scene.fault(Fault::Document(answer.to_string().into_bytes()));
    assert_eq!(scene.check("token").await, Err(Kind::Expired));
    let neighbour =
        scene.issuer.opaque_token().claim("aud", ["x", RESOURCE]).claim("nbf", now).without("token_type");
    assert_eq!(scene.check(&neighbour.mint()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn int_03_lean_answers_are_refused_unless_they_are_allowed() {
    let scene = Scene::new();
    for (claim, setting) in [("iss", "OmittableClaim::Issuer"), ("aud", "OmittableClaim::Audience")] {
        let token = scene.issuer.opaque_token().without(claim).mint();
        let error = scene.api.validate::<Claims>(&Presented::bearer(&token)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidClaim);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(setting) && cause.contains(".introspection_may_omit("), "{cause}");
    }
    let lean = Scene::with(|issuer| {
        let entry = issuer.introspected(ClientAuth::post("api", "secret"));
        vec![entry.introspection_may_omit([OmittableClaim::Audience, OmittableClaim::Issuer])]
    });
    let token = lean.issuer.opaque_token().without("iss").without("aud").mint();
    assert_eq!(lean.judge(&token).await.unwrap().issuer(), URL);
    let wrong = lean.issuer.opaque_token().without("iss").audience("https://other.example").mint();
    assert_eq!(lean.check(&wrong).await, Err(Kind::WrongAudience));
}

#[tokio::test(start_paused = true)]
async fn int_04_a_token_without_exp_is_accepted() {
    let scene = Scene::new();
    let token = scene.issuer.opaque_token().without("exp").mint();
    assert_eq!(scene.judge(&token).await.unwrap().expires_at(), None);
    let strict = Scene::with(|issuer| {
        let entry = issuer.introspected(ClientAuth::basic("api", "secret"));
        vec![entry.profile(bearergate::Profile::Rfc9068)]
    });
    let token = strict.issuer.opaque_token().claim("jti", "1").without("exp").mint();
    assert_eq!(strict.check(&token).await, Err(Kind::InvalidClaim));
    assert_eq!(strict.check(&strict.issuer.opaque_token().claim("jti", "1").mint()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn int_05_what_is_no_answer_is_503() {
    let status = |code| Fault::Status(StatusCode::from_u16(code).unwrap());
    for (fault, kind) in [
        (status(204), Kind::IntrospectionUnavailable),
        (status(404), Kind::IntrospectionUnavailable),
        (status(429), Kind::IntrospectionUnavailable),
        (status(500), Kind::IntrospectionUnavailable),
        (status(503), Kind::IntrospectionUnavailable),
        (Fault::Redirect("https://evil.example/".parse().unwrap()), Kind::IntrospectionUnavailable),
        (Fault::Truncated, Kind::IntrospectionUnavailable),
        (Fault::ResetMidHead, Kind::IntrospectionUnavailable),
        (Fault::ResetMidBody, Kind::IntrospectionUnavailable),
        (Fault::Hang, Kind::IntrospectionUnavailable),
        (Fault::Slow(seconds(4)), Kind::IntrospectionUnavailable),
        (Fault::Html, Kind::IntrospectionMalformed),
        (Fault::Oversized(1024 * 1024 + 1), Kind::IntrospectionMalformed),
        (Fault::Endless, Kind::IntrospectionMalformed),
        (status(400), Kind::IntrospectionTokenRefused),
        (status(413), Kind::IntrospectionTokenRefused),
        (status(414), Kind::IntrospectionTokenRefused),
    ] {
        let scene = Scene::new();
        let token = scene.issuer.opaque_token().mint();
        let what = format!("{fault:?}");
        scene.fault(fault);
        scene.undecided(&token, kind, &what).await;
        assert_eq!(scene.calls(), 1, "no second call: {what}");
        if kind == Kind::IntrospectionTokenRefused {
            scene.undecided(&token, kind, "remembered for ten seconds").await;
            assert_eq!(scene.calls(), 1, "{what}");
            tokio::time::sleep(seconds(10)).await;
        }
        assert_eq!(scene.check(&token).await, Ok(()), "{what}");
    }
    for neighbour in [Fault::Slow(Duration::from_millis(2900)), Fault::Oversized(1024 * 1024)] {
        let scene = Scene::new();
        let token = scene.issuer.opaque_token().mint();
        scene.fault(neighbour);
        assert_eq!(scene.check(&token).await, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn int_05_one_retry_and_only_if_no_connection_came_about() {
    for (errors, outcome, calls) in [
        (vec![FetchErrorKind::Connect], Ok(()), 2),
        (vec![FetchErrorKind::Connect; 2], Err(Kind::IntrospectionUnavailable), 2),
        (vec![FetchErrorKind::Body], Err(Kind::IntrospectionUnavailable), 1),
        (vec![FetchErrorKind::Timeout], Err(Kind::IntrospectionUnavailable), 1),
    ] {
        let scene = Scene::new();
        let token = scene.issuer.opaque_token().mint();
        *scene.line.errors.lock().unwrap() = errors.clone();
        assert_eq!(scene.check(&token).await, outcome, "{errors:?}");
        assert_eq!(scene.calls(), calls, "{errors:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn int_05_an_endpoint_that_fails_is_left_alone_for_a_while() {
    let scene = Scene::new();
    let token = scene.issuer.opaque_token().mint();
    let down = |code| Fault::Status(StatusCode::from_u16(code).unwrap());
    scene.issuer.faults().set(Endpoint::Introspection, down(400));
    for number in 0..50 {
        scene.undecided(&format!("odd-{number}"), Kind::IntrospectionTokenRefused, "never counts").await;
    }
    scene.issuer.faults().set(Endpoint::Introspection, down(503));
    for _ in 0..20 {
        scene.undecided(&token, Kind::IntrospectionUnavailable, "down").await;
    }
    assert_eq!(scene.calls(), 50 + 10 + 1, "ten, and one about a token of our own");
    assert!(!scene.api.health().can_serve());
    tokio::time::sleep(seconds(5)).await;
    scene.undecided(&token, Kind::IntrospectionUnavailable, "the probe").await;
    scene.undecided(&token, Kind::IntrospectionUnavailable, "stopped").await;
    assert_eq!(scene.calls(), 61 + 2);

    scene.issuer.faults().clear(Endpoint::Introspection);
    tokio::time::sleep(seconds(5)).await;
    assert_eq!(scene.check(&token).await, Ok(()));
    assert_eq!(scene.api.health().issuers()[0].state(), KeyState::Introspected);
}

#[test]
fn int_06_refused_credentials_are_503_and_one_loud_line_per_step() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let ((), text) = common::log::Log::during(|| {
        runtime.block_on(async {
            let scene =
                Scene::with(|issuer| vec![issuer.introspected(ClientAuth::basic("api", "s3cr3t-wrong"))]);
            // Each step is a call about the token, and a control question.
            for (pause, calls) in [(5, 2), (10, 4), (20, 6)] {
                for _ in 0..10 {
                    scene.undecided("t0ken-text", Kind::IntrospectionCredentialsRefused, "our fault").await;
                }
                assert_eq!(scene.calls(), calls);
                tokio::time::sleep(seconds(pause)).await;
            }
            let printed = format!("{:?}", scene.line.requests);
            assert!(!printed.contains("t0ken-text") && !printed.contains("Basic"), "{printed}");
        });
    });
    assert_eq!(text.matches("refuses the credentials of this resource server").count(), 3, "{text}");
    assert!(!text.contains("s3cr3t-wrong") && !text.contains("t0ken-text"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn int_07_calls_are_bounded_and_so_is_the_queue() {
    let scene = Arc::new(Scene::new());
    scene.issuer.faults().set(Endpoint::Introspection, Fault::Slow(Duration::from_millis(2500)));
    let start = tokio::time::Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let scene = Arc::clone(&scene);
        tasks.spawn(async move { scene.check(&format!("random-{number}")).await });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(scene.calls(), 64);
    assert_eq!(scene.check("one more").await, Err(Kind::IntrospectionBusy));
    assert!(start.elapsed() < Duration::from_millis(200), "at once");
    let outcomes = tasks.join_all().await;
    let count = |kind| outcomes.iter().filter(|outcome| **outcome == Err(kind)).count();
    assert_eq!((count(Kind::Inactive), count(Kind::IntrospectionBusy)), (64, 936));
    scene.issuer.faults().clear(Endpoint::Introspection);
    assert_eq!(scene.check("after").await, Err(Kind::Inactive));
}

#[tokio::test(start_paused = true)]
async fn int_11_a_bound_token_is_refused() {
    let scene = Scene::new();
    for cnf in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!(null), json!(7)] {
        let token = scene.issuer.opaque_token().claim("cnf", &cnf).mint();
        assert_eq!(scene.check(&token).await, Err(Kind::BindingNotProven), "{cnf}");
    }
    assert_eq!(scene.check(&scene.issuer.opaque_token().mint()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn int_12_a_jwt_that_fails_is_never_asked_about() {
    let login = TestIssuer::builder()
        .clock(TestClock::new())
        .default_audience(RESOURCE)
        .offline("https://login.example");
    let keys = Issuer::jwks(login.url(), login.jwks());
    let scene = Scene::with(|issuer| vec![keys, issuer.introspected(ClientAuth::basic("api", "secret"))]);
    assert_eq!(scene.check(&login.token().mint()).await, Ok(()));
    let forged = login.token().forged().mint();
    assert_eq!(scene.check(&forged).await, Err(Kind::InvalidSignature));
    assert_eq!(scene.check(&login.token().expired().mint()).await, Err(Kind::Expired));
    assert_eq!(
        scene.check(&login.token().issuer("https://other.example").mint()).await,
        Err(Kind::UnknownIssuer)
    );
    assert_eq!(scene.check(&format!("{}!", login.token().mint())).await, Err(Kind::MalformedToken));
    assert_eq!(scene.check("").await, Err(Kind::MalformedToken));
    assert_eq!(scene.check(&"x".repeat(16 * 1024 + 1)).await, Err(Kind::TokenTooLong));
    assert_eq!(scene.line.requests.lock().unwrap().len(), 0, "no network for these");

    assert_eq!(scene.check(&scene.issuer.opaque_token().mint()).await, Ok(()));
    // A JWT of the issuer that is introspected is its own affair.
    let jwt = scene.issuer.token().mint();
    assert_eq!(scene.check(&jwt).await, Ok(()));
    let jwt = scene.issuer.token().mint();
    scene.issuer.revoke(&jwt);
    assert_eq!(scene.check(&jwt).await, Err(Kind::Inactive));
    assert_eq!(scene.calls(), 3);
    // But what it says against itself counts, and nobody is asked.
    for (jwt, kind) in [
        (scene.issuer.token().expired(), Kind::Expired),
        (scene.issuer.token().audience("https://other.example"), Kind::WrongAudience),
        (scene.issuer.token().claim("cnf", json!({"jkt": "x"})), Kind::BindingNotProven),
        (scene.issuer.token().header("typ", "dpop+jwt"), Kind::WrongType),
        (scene.issuer.token().header("typ", "token-introspection+jwt"), Kind::WrongType),
    ] {
        let jwt = jwt.mint();
        scene.issuer.opaque_token().mint_as(&jwt);
        assert_eq!(scene.check(&jwt).await, Err(kind));
    }
    // A damaged JWT is still one.
    for damaged in ["!".to_owned() + &jwt, jwt.replacen('.', "", 1), jwt.clone() + ".AA"] {
        assert_eq!(scene.check(&damaged).await, Err(Kind::MalformedToken), "{damaged}");
    }
    assert_eq!(scene.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn int_13_tokens_and_credentials_arrive_octet_for_octet() {
    for auth in [ClientAuth::basic("a b:c", "s+e&c=r%t"), ClientAuth::post("a b:c", "s+e&c=r%t")] {
        let scene = Scene::with(|issuer| vec![issuer.introspected(auth)]);
        for text in ["a+b&c=d%20e f", "+", "&token=x", "%2B", "ümlaut~._-/=="] {
            let token = scene.issuer.opaque_token().mint_as(text);
            assert_eq!(scene.check(&token).await, Ok(()), "{text}");
        }
        for request in &*scene.line.requests.lock().unwrap() {
            assert_eq!(request.url.to_string(), format!("{URL}/introspect"));
            assert_eq!(request.accept, "application/json");
        }
    }
    let scene = Scene::with(|issuer| vec![issuer.introspected(ClientAuth::basic("a b:c", "s+e&c=r%t"))]);
    let _inactive = scene.check("a+b&c=d% e").await;
    let requests = scene.line.requests.lock().unwrap().clone();
    let form = requests[0].post.as_ref().unwrap();
    let authorization = requests[0].authorization.as_ref().unwrap();
    assert_eq!(form.content(), "token=a%2Bb%26c%3Dd%25+e&token_type_hint=access_token");
    assert_eq!(form.content_type(), "application/x-www-form-urlencoded");
    // a+b%3Ac:s%2Be%26c%3Dr%25t
    assert_eq!(authorization, "Basic YStiJTNBYzpzJTJCZSUyNmMlM0RyJTI1dA==");
    assert!(authorization.is_sensitive());
}

#[test]
fn int_05_the_log_says_what_is_wrong_with_an_answer() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let ((), text) = common::log::Log::during(|| {
        runtime.block_on(async {
            let scene = Scene::new();
            scene.fault(Fault::Document(b"{\"active\":\"canary-of-the-answer\"}".to_vec()));
            scene.undecided("t0ken-text", Kind::IntrospectionMalformed, "ill-typed").await;
        });
    });
    assert!(text.contains("`active` is neither true nor false"), "{text}");
    assert!(!text.contains("canary") && !text.contains("t0ken-text"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn explain_says_what_it_can_without_asking() {
    let scene = Scene::new();
    let explained = scene.api.explain(&Presented::bearer("opaque"));
    assert_eq!(
        explained.steps(),
        [
            (Check::Structure, CheckOutcome::Passed),
            (Check::Introspection, CheckOutcome::NotAsked),
            (Check::Claims, CheckOutcome::Skipped),
            (Check::Binding, CheckOutcome::Skipped),
        ]
    );
    assert!(!explained.is_accepted() && explained.failure().is_none());
    let jwt = scene.api.explain(&Presented::bearer(&scene.issuer.token().mint()));
    assert_eq!(jwt.steps()[6], (Check::Introspection, CheckOutcome::NotAsked));
    let long = scene.api.explain(&Presented::bearer(&"x".repeat(20_000)));
    assert_eq!(long.failure(), Some(Kind::TokenTooLong));
    assert_eq!(scene.calls(), 0);
}

#[test]
fn what_cannot_work_is_said_when_the_server_is_built() {
    let build = |issuers: Vec<Issuer>| {
        let builder = ResourceServer::builder(RESOURCE);
        issuers.into_iter().fold(builder, |builder, issuer| builder.trust(issuer)).build()
    };
    let introspected = |id: &str, auth| Issuer::introspect(id, "https://as.example/introspect", auth);
    let basic = || ClientAuth::basic("api", "secret");
    for (issuers, what) in [
        (
            vec![introspected("https://a.example", basic()), introspected("https://b.example", basic())],
            "`.select_introspected(..)`",
        ),
        (vec![introspected(URL, ClientAuth::basic("", "secret"))], "is empty"),
        (
            vec![introspected(URL, basic()).introspection(
                bearergate::IntrospectionEndpoint::discover(basic()),
                bearergate::AskAbout::VerifiedJwts,
            )],
            "no keys to verify JWTs by",
        ),
        (vec![introspected(URL, basic()).introspection_cache_time(seconds(3601))], "more than an hour"),
        (
            vec![Issuer::discover("https://c.example").introspection_may_omit([OmittableClaim::Issuer])],
            "`.introspection_may_omit(..)`",
        ),
        (vec![introspected(URL, ClientAuth::post("api", ""))], "is empty"),
        (vec![introspected(URL, ClientAuth::bearer("two words"))], "bearer"),
        (vec![introspected(URL, basic()).algorithms([bearergate::Algorithm::Es256])], "`.algorithms(..)`"),
    ] {
        let error = build(issuers).unwrap_err();
        assert!(matches!(error, ConfigError::Introspection { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
    let plain = Issuer::introspect(URL, "http://as.example/introspect", basic());
    assert!(matches!(build(vec![plain]).unwrap_err(), ConfigError::UnusableUrl { .. }));
    assert!(
        build(vec![introspected(URL, ClientAuth::none())]).is_ok(),
        "and no keys, so no backend is needed"
    );
    let printed = format!("{:?} {:?}", introspected(URL, basic()), basic());
    assert!(!printed.contains("secret"), "{printed}");
}

#[tokio::test]
async fn int_05_the_built_in_client_asks_over_a_socket() {
    let issuer = TestIssuer::builder()
        .default_audience(RESOURCE)
        .client("api", "s+e&c=r%t", scopes!["read"])
        .start()
        .await
        .unwrap();
    for auth in [ClientAuth::basic("api", "s+e&c=r%t"), ClientAuth::post("api", "s+e&c=r%t")] {
        let api = ResourceServer::builder(RESOURCE).trust(issuer.introspected(auth)).build().unwrap();
        let check = async |token: &str| {
            api.validate::<Claims>(&Presented::bearer(token)).await.map(drop).map_err(|error| error.kind())
        };
        let token = issuer.opaque_token().mint_as("a+b&c=d e");
        assert_eq!(check(&token).await, Ok(()));
        assert!(issuer.revoke(&token));
        api.cached_tokens().forget(&token);
        assert_eq!(check(&token).await, Err(Kind::Inactive));
        for fault in [Fault::ResetMidHead, Fault::Truncated, Fault::Redirect(URL.parse().unwrap())] {
            let before = issuer.requests_to(Endpoint::Introspection);
            issuer.faults().script(Endpoint::Introspection, [fault]);
            api.cached_tokens().clear();
            assert_eq!(check(&token).await, Err(Kind::IntrospectionUnavailable));
            assert_eq!(issuer.requests_to(Endpoint::Introspection), before + 1);
        }
    }
}
