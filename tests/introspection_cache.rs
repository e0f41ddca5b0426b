//! Answers about opaque tokens that are kept: for how long, for whom, and what happens when many come at once.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bearergate::{
    AccessToken, AskAbout, AuthErrorKind as Kind, Claims, ClientAuth, Clock, Fetch, FetchFuture,
    FetchRequest, IntrospectionEndpoint, Issuer, Presented, ResourceServer, scopes,
    testing::{Endpoint, Fault, TestClock, TestIssuer},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

const RESOURCE: &str = "https://api.example.com";
const URL: &str = "https://as.example";

/// Counts questions, and notes the most that ran at once.
#[derive(Clone, Debug)]
struct Line {
    issuer: TestIssuer,
    count: Arc<Mutex<Count>>,
}

#[derive(Debug, Default)]
struct Count {
    calls: usize,
    running: usize,
    most: usize,
}

struct Running(Arc<Mutex<Count>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().unwrap().running -= 1;
    }
}

impl Fetch for Line {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        if request.post.is_none() {
            return self.issuer.fetch().fetch(request);
        }
        {
            let mut count = self.count.lock().unwrap();
            count.calls += 1;
            count.running += 1;
            count.most = count.most.max(count.running);
        }
        let running = Running(Arc::clone(&self.count));
        let answer = self.issuer.fetch().fetch(request);
        Box::pin(async move {
            let _running = running;
            answer.await
        })
    }
}

#[derive(Clone)]
struct Scene {
    issuer: TestIssuer,
    line: Line,
    clock: TestClock,
    api: ResourceServer,
}

impl Scene {
    fn new() -> Self {
        Self::with(|issuer| issuer)
    }

    fn with(change: impl FnOnce(Issuer) -> Issuer) -> Self {
        let clock = TestClock::new();
        let issuer = TestIssuer::builder()
            .clock(clock.clone())
            .default_audience(RESOURCE)
            .client("api", "secret", scopes!["read"])
            .offline(URL);
        let line = Line { issuer: issuer.clone(), count: Arc::default() };
        let api = ResourceServer::builder(RESOURCE)
            .clock(clock.clone())
            .http_client(line.clone())
            .trust(change(issuer.introspected(ClientAuth::basic("api", "secret"))))
            .build()
            .unwrap();
        Self { issuer, line, clock, api }
    }

    async fn judge(&self, token: &str) -> Result<AccessToken, Kind> {
        self.api.validate(&Presented::bearer(token)).await.map_err(|error| error.kind())
    }

    async fn check(&self, token: &str) -> Result<(), Kind> {
        self.judge(token).await.map(drop)
    }

    /// A request of a task of its own.
    fn asking(&self, token: &str) -> tokio::task::JoinHandle<Result<(), Kind>> {
        let (scene, token) = (self.clone(), token.to_owned());
        tokio::spawn(async move { scene.check(&token).await })
    }

    /// The verdict that is there without waiting.
    fn known(&self, token: &str) -> Poll<Result<(), Kind>> {
        pin!(self.check(token)).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn calls(&self) -> usize {
        self.line.count.lock().unwrap().calls
    }

    /// The time of day, in whole seconds.
    fn now(&self) -> i64 {
        self.clock.wall().as_secs()
    }

    fn fault(&self, fault: Fault) {
        self.issuer.faults().script(Endpoint::Introspection, [fault]);
    }
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[tokio::test(start_paused = true)]
async fn int_10_an_answer_serves_for_a_minute_and_at_most_until_exp() {
    let scene = Scene::new();
    // `exp` is a whole second.
    for (lifetime, serves, less) in [(3600, 60, 1), (60, 60, 1000), (20, 20, 1000)] {
        let before = scene.calls();
        let token = scene.issuer.opaque_token().expires_in(Duration::from_secs(lifetime)).mint();
        assert_eq!(scene.check(&token).await, Ok(()));
        pass(serves * 1000 - less).await;
        assert_eq!(scene.known(&token), Poll::Ready(Ok(())), "{lifetime}");
        pass(less).await;
        assert_eq!(scene.calls(), before + 1, "{lifetime}");
        assert!(scene.known(&token).is_pending(), "{lifetime}");
        pass(1).await;
        assert_eq!(scene.calls(), before + 2, "{lifetime}");
    }
    // Without `exp`: the configured time.
    let token = scene.issuer.opaque_token().without("exp").mint();
    assert_eq!(scene.check(&token).await, Ok(()));
    pass(59_999).await;
    assert_eq!(scene.known(&token), Poll::Ready(Ok(())));
    pass(1).await;
    assert!(scene.known(&token).is_pending());
}

#[tokio::test(start_paused = true)]
async fn int_10_what_has_expired_within_the_leeway_is_not_kept() {
    let scene = Scene::new();
    let now = scene.now();
    for exp in [now - 30, now] {
        let answer = json!({"active": true, "iss": URL, "aud": RESOURCE, "exp": exp}).to_string();
        scene.issuer.faults().set(Endpoint::Introspection, Fault::Document(answer.into_bytes()));
        let before = scene.calls();
        for _ in 0..3 {
            assert_eq!(scene.check("token").await, Ok(()), "the leeway is 60 s");
        }
        assert_eq!(scene.calls(), before + 3);
    }
}

#[tokio::test(start_paused = true)]
async fn int_10_revocation_is_seen_after_the_cache_time_or_at_once_when_told() {
    let scene = Scene::new();
    let token = scene.issuer.opaque_token().mint();
    assert_eq!(scene.check(&token).await, Ok(()));
    assert!(scene.issuer.revoke(&token));
    pass(59_000).await;
    assert_eq!(scene.check(&token).await, Ok(()));
    pass(1_000).await;
    assert_eq!(scene.check(&token).await, Err(Kind::Inactive));

    let (one, other) = (scene.issuer.opaque_token().mint(), scene.issuer.opaque_token().mint());
    for token in [&one, &other] {
        assert_eq!(scene.check(token).await, Ok(()));
        assert!(scene.issuer.revoke(token));
    }
    scene.api.cached_tokens().forget(&one);
    assert_eq!(scene.check(&one).await, Err(Kind::Inactive));
    assert_eq!(scene.check(&other).await, Ok(()), "the other one is not forgotten");
    scene.api.cached_tokens().clear();
    assert_eq!(scene.check(&other).await, Err(Kind::Inactive));
}

#[tokio::test(start_paused = true)]
async fn int_10_a_subject_is_forgotten_at_this_issuer_alone() {
    let scene = Scene::new();
    let of = |subject: &str| scene.issuer.opaque_token().subject(subject).mint();
    let (ada, ada_too, bob) = (of("ada"), of("ada"), of("bob"));
    for token in [&ada, &ada_too, &bob] {
        assert_eq!(scene.check(token).await, Ok(()));
        assert!(scene.issuer.revoke(token));
    }
    scene.api.cached_tokens().forget_subject("https://other.example", "ada");
    scene.api.cached_tokens().forget_subject(URL, "ad");
    assert_eq!(scene.check(&ada).await, Ok(()));
    scene.api.cached_tokens().forget_subject(URL, "ada");
    assert_eq!(scene.check(&ada).await, Err(Kind::Inactive));
    assert_eq!(scene.check(&ada_too).await, Err(Kind::Inactive));
    assert_eq!(scene.check(&bob).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn int_10_an_answer_from_before_a_revocation_is_not_kept() {
    type Forget = fn(&ResourceServer, &str);
    let forgets: [Forget; 3] = [
        |api, token| api.cached_tokens().forget(token),
        |api, _| api.cached_tokens().forget_subject(URL, "test-user"),
        |api, _| api.cached_tokens().clear(),
    ];
    for forget in forgets {
        let scene = Scene::new();
        let token = scene.issuer.opaque_token().mint();
        // The answer is made now, and comes a second later.
        scene.fault(Fault::Slow(Duration::from_secs(1)));
        let asking = scene.asking(&token);
        pass(500).await;
        assert!(scene.issuer.revoke(&token));
        forget(&scene.api, &token);
        // Whoever comes now must not be told the old answer, not even by joining the question on its way.
        assert_eq!(scene.check(&token).await, Err(Kind::Inactive));
        assert_eq!(asking.await.unwrap(), Ok(()), "it came before");
        assert_eq!(scene.check(&token).await, Err(Kind::Inactive));
        assert_eq!(scene.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn int_01_a_refusal_is_remembered_for_ten_seconds() {
    let scene = Scene::new();
    assert_eq!(scene.check("later").await, Err(Kind::Inactive));
    scene.issuer.opaque_token().mint_as("later");
    pass(9_999).await;
    assert_eq!(scene.known("later"), Poll::Ready(Err(Kind::Inactive)));
    pass(1).await;
    assert_eq!(scene.check("later").await, Ok(()));
    assert_eq!(scene.calls(), 2);
    // What is good for others is refused without a question too.
    let other = scene.issuer.opaque_token().audience("https://other.example").mint();
    assert_eq!(scene.check(&other).await, Err(Kind::WrongAudience));
    assert_eq!(scene.known(&other), Poll::Ready(Err(Kind::WrongAudience)));
    // What only the time refuses is not remembered.
    let now = scene.now();
    let early = scene.issuer.opaque_token().claim("nbf", now + 65).mint();
    assert_eq!(scene.check(&early).await, Err(Kind::NotYetValid));
    pass(5_000).await;
    assert_eq!(scene.check(&early).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn int_05_no_fault_is_remembered() {
    for fault in [
        Fault::Html,
        Fault::Truncated,
        Fault::Status(StatusCode::NOT_FOUND),
        Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::Status(StatusCode::TOO_MANY_REQUESTS),
    ] {
        let scene = Scene::new();
        let token = scene.issuer.opaque_token().mint();
        scene.fault(fault);
        assert!(scene.check(&token).await.is_err());
        assert_eq!(scene.check(&token).await, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn int_08_ten_thousand_requests_with_one_token_are_one_question() {
    let scene = Scene::new();
    let token = scene.issuer.opaque_token().mint();
    scene.fault(Fault::Slow(Duration::from_millis(500)));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10_000 {
        let (scene, token) = (scene.clone(), token.clone());
        tasks.spawn(async move { scene.check(&token).await });
    }
    assert!(tasks.join_all().await.into_iter().all(|outcome| outcome == Ok(())));
    assert_eq!(scene.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn int_08_whoever_leaves_takes_nothing_along() {
    let scene = Scene::new();
    let token = scene.issuer.opaque_token().mint();
    scene.fault(Fault::Slow(Duration::from_secs(1)));
    {
        let mut leader = pin!(scene.check(&token));
        assert!(leader.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let follower = scene.check(&token);
    assert_eq!(follower.await, Ok(()));
    assert_eq!(scene.calls(), 1);

    // All of them leave: the answer is there for the next one.
    let token = scene.issuer.opaque_token().mint();
    scene.fault(Fault::Slow(Duration::from_secs(1)));
    for _ in 0..3 {
        let mut caller = pin!(scene.check(&token));
        assert!(caller.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    pass(1_500).await;
    assert_eq!(scene.known(&token), Poll::Ready(Ok(())));
    assert_eq!(scene.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn int_09_a_token_is_known_by_the_whole_of_it_and_to_its_entry_alone() {
    let scene = Scene::new();
    let long = "x".repeat(1000);
    let token = scene.issuer.opaque_token().mint_as(&long);
    assert_eq!(scene.check(&token).await, Ok(()));
    for near in
        [format!("{long}x"), long[1..].to_owned(), format!("{}y", &long[1..]), format!("y{}", &long[1..])]
    {
        assert_eq!(scene.check(&near).await, Err(Kind::Inactive));
    }
    // Another entry, even one of the same identifier, knows nothing of it.
    assert!(scene.issuer.revoke(&token));
    assert_eq!(scene.check(&token).await, Ok(()));
    let other = scene.issuer.introspected(ClientAuth::post("api", "secret"));
    scene.api.issuers().replace_all([other]).unwrap();
    assert_eq!(scene.check(&token).await, Err(Kind::Inactive));
}

#[tokio::test(start_paused = true)]
async fn int_09_claims_are_judged_again_on_every_hit() {
    let scene = Scene::with(|issuer| issuer.introspection_cache_time(Duration::from_secs(3600)));
    let now = scene.now();
    // The clock of the day steps, that of ages does not.
    let clock = TestClock::new();
    let api = ResourceServer::builder(RESOURCE)
        .clock(Stepping { monotonic: TestClock::new(), wall: clock.clone() })
        .http_client(scene.line.clone())
        .trust(scene.issuer.introspected(ClientAuth::basic("api", "secret")))
        .build()
        .unwrap();
    let token = scene.issuer.opaque_token().claim("exp", now + 7200).mint();
    let check = async || {
        api.validate::<Claims>(&Presented::bearer(&token)).await.map(drop).map_err(|error| error.kind())
    };
    assert_eq!(check().await, Ok(()));
    // Back: what was issued now was issued in the future.
    clock.set(bearergate::UnixTime::from_secs(now - 200));
    assert_eq!(check().await, Err(Kind::IssuedInFuture));
    clock.set(bearergate::UnixTime::from_secs(now));
    assert_eq!(check().await, Ok(()));
    assert_eq!(scene.calls(), 1, "by what is kept");
    // Ahead, as after a machine has slept: what is kept is over by either clock.
    assert!(scene.issuer.revoke(&token));
    clock.set(bearergate::UnixTime::from_secs(now + 3601));
    assert_eq!(check().await, Err(Kind::Inactive));
    assert_eq!(scene.calls(), 2);
}

/// The time of day of one clock, ages by another.
#[derive(Clone, Debug)]
struct Stepping {
    monotonic: TestClock,
    wall: TestClock,
}

impl Clock for Stepping {
    fn wall(&self) -> bearergate::UnixTime {
        self.wall.wall()
    }

    fn monotonic(&self) -> Duration {
        self.monotonic.monotonic()
    }
}

#[derive(Debug, Deserialize)]
struct Tenant {
    tenant: String,
}

#[derive(Debug, Deserialize)]
struct Other {
    #[serde(rename = "tenant")]
    _tenant: u64,
}

#[tokio::test(start_paused = true)]
async fn int_09_each_claims_type_sees_its_own() {
    let scene = Scene::new();
    let token = scene.issuer.opaque_token().claim("tenant", "acme").mint();
    let presented = Presented::bearer(&token);
    for _ in 0..3 {
        let typed = scene.api.validate::<Tenant>(&presented).await.unwrap();
        assert_eq!(typed.claims().tenant, "acme");
        let error = scene.api.validate::<Other>(&presented).await.unwrap_err();
        assert_eq!(error.kind(), Kind::ClaimsMismatch);
        let default = scene.api.validate::<Claims>(&presented).await.unwrap();
        assert_eq!(default.claims().get::<String>("tenant").unwrap().as_deref(), Some("acme"));
    }
    assert_eq!(scene.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn int_07_random_tokens_drive_out_no_good_one() {
    let scene = Scene::new();
    let good: Vec<_> =
        (0..1000).map(|_| scene.issuer.opaque_token().expires_in(Duration::from_secs(3600)).mint()).collect();
    for token in &good {
        assert_eq!(scene.check(token).await, Ok(()));
    }
    for batch in 0..100 {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..100 {
            let scene = scene.clone();
            tasks.spawn(async move { scene.check(&format!("random-{batch}-{number}")).await });
        }
        for outcome in tasks.join_all().await {
            assert_eq!(outcome, Err(Kind::Inactive));
        }
    }
    for token in &good {
        assert_eq!(scene.known(token), Poll::Ready(Ok(())));
    }
    assert_eq!(scene.calls(), 1000 + 10_000);
    assert!(scene.line.count.lock().unwrap().most <= 64);
}

#[tokio::test(start_paused = true)]
async fn int_05_what_is_kept_serves_through_an_outage_and_recovery_takes_one_step() {
    let scene = Scene::new();
    let (kept, new) = (scene.issuer.opaque_token().mint(), scene.issuer.opaque_token().mint());
    assert_eq!(scene.check(&kept).await, Ok(()));
    scene.issuer.faults().set(Endpoint::Introspection, Fault::Hang);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let scene = scene.clone();
        tasks.spawn(async move {
            let began = tokio::time::Instant::now();
            (scene.check(&format!("t{number}")).await, began.elapsed())
        });
    }
    for (outcome, took) in tasks.join_all().await {
        assert_eq!(outcome, Err(Kind::IntrospectionUnavailable));
        assert!(took <= Duration::from_secs(4), "{took:?}");
    }
    // The control question hangs too.
    pass(3_100).await;
    let began = tokio::time::Instant::now();
    assert_eq!(scene.check("at once").await, Err(Kind::IntrospectionUnavailable));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(scene.known(&kept), Poll::Ready(Ok(())));
    scene.issuer.faults().clear(Endpoint::Introspection);
    pass(5_000).await;
    assert_eq!(scene.check(&new).await, Ok(()));
    assert_eq!(scene.check("another").await, Err(Kind::Inactive));
}

/// An endpoint that takes its time, within its deadline, and a token that it refuses.
#[tokio::test(start_paused = true)]
async fn int_06_a_token_answered_403_by_a_slow_endpoint_stops_nobody() {
    for code in [401, 403] {
        let scene = Scene::new();
        for number in 0..50 {
            let status = Fault::Status(StatusCode::from_u16(code).unwrap());
            scene
                .issuer
                .faults()
                .script(Endpoint::Introspection, [status, Fault::Slow(Duration::from_millis(2500))]);
            assert!(scene.check(&format!("poison-{number}")).await.is_err());
            pass(3_000).await;
            let good = scene.issuer.opaque_token().mint();
            assert_eq!(scene.check(&good).await, Ok(()), "{code} {number}");
        }
        // And where the control question itself meets a fault.
        for number in 0..50 {
            let bad = |code| Fault::Status(StatusCode::from_u16(code).unwrap());
            scene.issuer.faults().script(Endpoint::Introspection, [bad(code), bad(503)]);
            assert!(scene.check(&format!("more-{number}")).await.is_err());
            pass(3_000).await;
            let good = scene.issuer.opaque_token().mint();
            assert_eq!(scene.check(&good).await, Ok(()), "{code} {number}");
        }
    }
}

/// Whoever may send tokens can make an endpoint refuse, or fail about, each of them. That must be no one else's affair.
#[tokio::test(start_paused = true)]
async fn int_05_and_06_tokens_that_spoil_their_answers_stop_nobody() {
    let status = |code: u16| Fault::Status(StatusCode::from_u16(code).unwrap());
    for fault in [status(400), status(401), status(403), status(413), status(500), status(503), Fault::Html] {
        let scene = Scene::new();
        for number in 0..1000 {
            // The fault is that of the next answer: the one about this token.
            scene.fault(fault.clone());
            assert!(scene.check(&format!("poison-{number}")).await.is_err());
            if number % 10 == 0 {
                let good = scene.issuer.opaque_token().mint();
                assert_eq!(scene.check(&good).await, Ok(()), "{fault:?} {number}");
            }
        }
        assert!(scene.api.health().can_serve(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_keeps_nothing_stopped() {
    let scene = Scene::new();
    scene.issuer.faults().set(Endpoint::Introspection, Fault::Status(StatusCode::SERVICE_UNAVAILABLE));
    for number in 0..20 {
        assert!(scene.check(&format!("t{number}")).await.is_err());
    }
    scene.issuer.faults().set(Endpoint::Introspection, Fault::Slow(Duration::from_millis(100)));
    pass(5_000).await;
    // Clients that hang up at once.
    for number in 0..100 {
        let token = format!("hangs-up-{number}");
        let mut caller = pin!(scene.check(&token));
        let _gone = caller.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    pass(200).await;
    let good = scene.issuer.opaque_token().mint();
    assert_eq!(scene.check(&good).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_replaced_while_it_is_asked_is_asked_anew() {
    let scene = Scene::new();
    let token = scene.issuer.opaque_token().mint();
    scene.fault(Fault::Slow(Duration::from_secs(1)));
    let asking = scene.asking(&token);
    pass(500).await;
    let other = scene.issuer.introspected(ClientAuth::post("api", "secret"));
    scene.api.issuers().replace_all([other]).unwrap();
    assert_eq!(asking.await.unwrap(), Ok(()), "by the new entry");
    assert_eq!(scene.calls(), 2);

    // One that is removed admits nobody.
    let token = scene.issuer.opaque_token().mint();
    scene.fault(Fault::Slow(Duration::from_secs(1)));
    let asking = scene.asking(&token);
    pass(500).await;
    scene.api.issuers().replace_all([Issuer::jwks("https://b.example", r#"{"keys":[]}"#)]).unwrap();
    assert_eq!(asking.await.unwrap(), Err(Kind::UnknownIssuer));
}

#[test]
fn ops_10_a_question_ends_with_its_runtime_and_is_asked_anew_on_the_next() {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let first = runtime();
    let (scene, token) = first.block_on(async {
        let scene = Scene::new();
        let token = scene.issuer.opaque_token().mint();
        scene.fault(Fault::Hang);
        let mut caller = pin!(scene.check(&token));
        assert!(caller.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        pass(10).await;
        assert_eq!(scene.calls(), 1);
        (scene.clone(), token.clone())
    });
    drop(first);
    assert_eq!(runtime().block_on(scene.check(&token)), Ok(()));
    // Without any runtime nobody can be asked, and what is kept serves.
    assert_eq!(scene.known(&token), Poll::Ready(Ok(())));
    assert_eq!(scene.known("new"), Poll::Ready(Err(Kind::IntrospectionUnavailable)));
}

#[tokio::test(start_paused = true)]
async fn ops_10_questions_end_with_the_last_clone_of_the_server() {
    let Scene { issuer, line, api, .. } = Scene::new();
    issuer.faults().set(Endpoint::Introspection, Fault::Slow(Duration::from_secs(2)));
    {
        let presented = Presented::bearer("token");
        let mut caller = pin!(api.validate::<Claims>(&presented));
        assert!(caller.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        pass(100).await;
    }
    assert_eq!(line.count.lock().unwrap().running, 1);
    drop(api);
    pass(100).await;
    assert_eq!(line.count.lock().unwrap().running, 0);
}

#[tokio::test(start_paused = true)]
async fn a_cache_time_of_zero_asks_each_time_and_shares_what_is_asked_at_once() {
    let scene = Scene::with(|issuer| issuer.introspection_cache_time(Duration::ZERO));
    let token = scene.issuer.opaque_token().mint();
    for calls in 1..=3 {
        assert_eq!(scene.check(&token).await, Ok(()));
        assert_eq!(scene.calls(), calls);
    }
    assert!(scene.issuer.revoke(&token));
    assert_eq!(scene.check(&token).await, Err(Kind::Inactive));
}

#[tokio::test(start_paused = true)]
async fn jwts_that_keys_have_verified_are_asked_about_where_that_is_wanted() {
    let issuer = TestIssuer::builder()
        .clock(TestClock::new())
        .default_audience(RESOURCE)
        .client("api", "secret", scopes!["read"])
        .offline(URL);
    let line = Line { issuer: issuer.clone(), count: Arc::default() };
    let api = |about| {
        let endpoint = IntrospectionEndpoint::discover(ClientAuth::basic("api", "secret"));
        ResourceServer::builder(RESOURCE)
            .clock(TestClock::new())
            .http_client(line.clone())
            .trust(Issuer::discover(URL).introspection(endpoint, about))
            .build()
            .unwrap()
    };
    let jwt = |subject: &str| issuer.token().subject(subject).claim("email", "a@b.example").mint();
    let active = |jwt: &str| issuer.opaque_token().subject("ada").mint_as(jwt);
    let check = async |api: &ResourceServer, token: &str| {
        api.validate::<Claims>(&Presented::bearer(token)).await.map_err(|error| error.kind())
    };
    for (about, jwts, opaque) in [
        (AskAbout::OpaqueTokens, false, true),
        (AskAbout::VerifiedJwts, true, false),
        (AskAbout::AllTokens, true, true),
    ] {
        let api = api(about);
        api.ready().await.unwrap();
        let before = line.count.lock().unwrap().calls;
        let calls = || line.count.lock().unwrap().calls - before;
        let (good, revoked, unlike) = (jwt("ada"), jwt("ada"), jwt("bob"));
        active(&good);
        active(&unlike);
        issuer.revoke(&revoked);
        let token = check(&api, &good).await.unwrap();
        assert_eq!(
            token.claims().get::<String>("email").unwrap().as_deref(),
            Some("a@b.example"),
            "of the JWT"
        );
        assert!(check(&api, &good).await.is_ok());
        assert_eq!(calls(), usize::from(jwts), "{about:?}");
        let expected = if jwts { Err(Kind::Inactive) } else { Ok(()) };
        assert_eq!(check(&api, &revoked).await.map(drop), expected, "{about:?}");
        let expected = if jwts { Err(Kind::InvalidClaim) } else { Ok(()) };
        assert_eq!(check(&api, &unlike).await.map(drop), expected, "its issuer speaks of another subject");
        // A JWT that fails is never asked about.
        let before = calls();
        let forged = issuer.token().forged().mint();
        active(&forged);
        assert_eq!(check(&api, &forged).await.map(drop), Err(Kind::InvalidSignature));
        assert_eq!(calls(), before);
        let token = issuer.opaque_token().mint();
        let expected = if opaque { Ok(()) } else { Err(Kind::MalformedToken) };
        assert_eq!(check(&api, &token).await.map(drop), expected, "{about:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn int_10_a_subject_is_forgotten_where_the_answer_does_not_name_it() {
    let issuer = TestIssuer::builder()
        .clock(TestClock::new())
        .default_audience(RESOURCE)
        .client("api", "secret", scopes!["read"])
        .offline(URL);
    let endpoint = IntrospectionEndpoint::discover(ClientAuth::basic("api", "secret"));
    let api = ResourceServer::builder(RESOURCE)
        .clock(TestClock::new())
        .http_client(issuer.fetch())
        .trust(Issuer::discover(URL).introspection(endpoint, AskAbout::VerifiedJwts))
        .build()
        .unwrap();
    let jwt = issuer.token().subject("ada").mint();
    issuer.opaque_token().without("sub").mint_as(&jwt);
    let check = async || {
        let outcome = api.validate::<Claims>(&Presented::bearer(&jwt)).await;
        outcome.map(drop).map_err(|error| error.kind())
    };
    assert_eq!(check().await, Ok(()));
    assert!(issuer.revoke(&jwt));
    assert_eq!(check().await, Ok(()), "kept");
    api.cached_tokens().forget_subject(URL, "ada");
    assert_eq!(check().await, Err(Kind::Inactive));
}
