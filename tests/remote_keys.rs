//! Key rotation, outages, floods and cold starts never fail a good token. Time is paused: nothing here waits.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/fetch.rs"]
mod fetch;

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bearergate::{
    Answer, AuthError, AuthErrorKind as Kind, Claims, Clock, FetchErrorKind, Issuer, Presented,
    ResourceServer, SystemClock, UnixTime,
    testing::{TestClock, TestIssuer},
};
use fetch::{Mode, ScriptedFetch};
use http::{HeaderMap, HeaderValue, StatusCode};

const RESOURCE: &str = "https://api.example.com";

/// An issuer, the client that reaches it, and a server that trusts it.
struct Scene {
    issuer: TestIssuer,
    fetch: ScriptedFetch,
    api: ResourceServer,
}

impl Scene {
    fn new() -> Self {
        Self::with(Mode::Good, |issuer| issuer)
    }

    fn with(mode: Mode, change: impl FnOnce(Issuer) -> Issuer) -> Self {
        let clock = TestClock::new();
        let issuer = TestIssuer::builder()
            .clock(clock.clone())
            .default_audience(RESOURCE)
            .offline("https://as.example");
        let fetch = ScriptedFetch::new(&issuer);
        fetch.set(mode);
        let api = ResourceServer::builder(RESOURCE)
            .trust(change(Issuer::discover(issuer.url())))
            .clock(clock)
            .http_client(fetch.clone())
            .build()
            .unwrap();
        Self { issuer, fetch, api }
    }

    fn token(&self) -> String {
        self.issuer.token().mint()
    }

    fn unknown_kid(&self) -> String {
        self.issuer.token().header("kid", format!("unknown-{}", fastrand::u64(..))).mint()
    }

    async fn check(&self, token: &str) -> Result<(), Kind> {
        validate(&self.api, token).await.map_err(|error| error.kind())
    }

    /// The verdict that comes without waiting.
    fn check_now(&self, token: &str) -> Poll<Result<(), Kind>> {
        let presented = Presented::bearer(token);
        let verdict = pin!(self.api.validate::<Claims>(&presented));
        verdict
            .poll(&mut Context::from_waker(Waker::noop()))
            .map(|verdict| verdict.map(drop).map_err(|error| error.kind()))
    }
}

async fn validate(api: &ResourceServer, token: &str) -> Result<(), AuthError> {
    api.validate::<Claims>(&Presented::bearer(token)).await.map(drop)
}

async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn jwk_08_a_thousand_requests_at_a_cold_start_cause_one_fetch() {
    let scene = Scene::with(Mode::Slow(s(1)), |issuer| issuer);
    let token = scene.token();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let (api, token) = (scene.api.clone(), token.clone());
        tasks.spawn(async move { validate(&api, &token).await });
    }
    for result in tasks.join_all().await {
        result.unwrap();
    }
    assert_eq!(scene.fetch.jwks_requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn jwk_01_a_cold_start_without_the_issuer_is_503_and_heals() {
    for mode in [
        Mode::Error(FetchErrorKind::Connect),
        Mode::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Mode::Status(StatusCode::FOUND),
        Mode::Hang,
        Mode::Jwks("<html>".into()),
        Mode::Jwks("{\"keys\":[]}".into()),
        Mode::Panic,
    ] {
        let scene = Scene::with(mode.clone(), |issuer| issuer);
        let error = validate(&scene.api, &scene.token()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::KeysUnavailable, "{mode:?}");
        assert_eq!(scene.api.refuse(error).status(), StatusCode::SERVICE_UNAVAILABLE);
        scene.fetch.set(Mode::Good);
        pass(s(10)).await;
        scene.check(&scene.token()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_issuer_costs_a_request_five_seconds_at_a_cold_start_and_two_when_warm() {
    let scene = Scene::with(Mode::Hang, |issuer| issuer);
    let started = tokio::time::Instant::now();
    assert_eq!(scene.check(&scene.token()).await, Err(Kind::KeysUnavailable));
    assert_eq!(started.elapsed().as_secs(), 5);

    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    scene.fetch.set(Mode::Hang);
    let started = tokio::time::Instant::now();
    assert_eq!(scene.check(&scene.unknown_kid()).await, Err(Kind::UnknownKeyDuringOutage));
    assert_eq!(started.elapsed().as_secs(), 2);
    // A known key never waits.
    assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn jwk_07_a_rotation_is_seen_by_the_first_token_that_shows_it() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    // Right after boot, and at any later moment.
    for pause in [0, 31, 200, 299, 301, 5000] {
        pass(s(pause)).await;
        scene.issuer.rotate();
        scene.check(&scene.token()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_07_a_rotation_in_the_middle_of_a_scheduled_refresh_is_seen_too() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    let old = scene.issuer.jwks();
    scene.issuer.rotate();
    // The refresh ahead reads the old set, and answers late.
    scene.fetch.set(Mode::Jwks(old));
    pass(s(265)).await;
    assert!(scene.fetch.jwks_requests() >= 2);
    scene.fetch.set(Mode::Good);
    scene.check(&scene.token()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn jwk_06_a_flood_of_unknown_kids_causes_one_fetch_per_cooldown_and_harms_nobody() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    let good = scene.token();
    let before = scene.fetch.jwks_requests();
    for _ in 0..29 {
        for _ in 0..100 {
            let refused = scene.check(&scene.unknown_kid()).await;
            assert_eq!(refused, Err(Kind::UnknownKey));
            assert_eq!(scene.check_now(&good), Poll::Ready(Ok(())));
        }
        pass(s(1)).await;
    }
    assert_eq!(scene.fetch.jwks_requests() - before, 1);
    pass(s(2)).await;
    assert_eq!(scene.check(&scene.unknown_kid()).await, Err(Kind::UnknownKey));
    assert_eq!(scene.fetch.jwks_requests() - before, 2);
}

#[tokio::test(start_paused = true)]
async fn jwk_06_at_most_1024_requests_wait() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    scene.fetch.set(Mode::Hang);
    let tokens: Vec<_> = (0..1025).map(|_| scene.unknown_kid()).collect();
    let presented: Vec<_> = tokens.iter().map(|token| Presented::bearer(token)).collect();
    let mut waiting: Vec<_> =
        presented.iter().map(|presented| Box::pin(scene.api.validate::<Claims>(presented))).collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut polled: Vec<_> = waiting.iter_mut().map(|future| future.as_mut().poll(&mut context)).collect();
    let last = polled.pop().unwrap();
    assert!(polled.iter().all(Poll::is_pending));
    let Poll::Ready(Err(error)) = last else { panic!("the last one does not wait") };
    assert_eq!(error.kind(), Kind::TooManyWaiting);
    // A place that is given up is free again.
    drop(waiting.drain(..1));
    assert_eq!(scene.check_now(&scene.unknown_kid()), Poll::Pending);
    // Known keys are not concerned.
    assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn jwk_19_bad_tokens_never_fetch() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    let before = scene.fetch.requests().len();
    pass(s(60)).await;
    let token = || scene.issuer.token().header("kid", "unknown");
    for (token, kind) in [
        (token().expired(), Kind::Expired),
        (token().audience("https://other.example"), Kind::WrongAudience),
        (token().issuer("https://stranger.example"), Kind::UnknownIssuer),
        (token().header("alg", "RS512"), Kind::AlgorithmNotAllowed),
        (token().header("typ", "dpop+jwt"), Kind::WrongType),
        (token().without("exp"), Kind::InvalidClaim),
        (token().header("crit", ["x"]), Kind::CriticalExtension),
    ] {
        assert_eq!(scene.check_now(&token.mint()), Poll::Ready(Err(kind)));
    }
    assert_eq!(scene.fetch.requests().len(), before);
}

#[tokio::test(start_paused = true)]
async fn jwk_02_known_keys_serve_until_the_stale_limit() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    scene.fetch.set(Mode::Error(FetchErrorKind::Connect));
    // Fresh for 5 minutes, stale for an hour more.
    for _ in 0..64 {
        assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
        pass(s(60)).await;
    }
    pass(s(90)).await;
    assert_eq!(scene.check(&scene.token()).await, Err(Kind::KeysUnavailable));
    scene.fetch.set(Mode::Good);
    pass(s(60)).await;
    scene.check(&scene.token()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn jwk_02_an_unknown_kid_during_an_outage_is_503_or_401_by_choice() {
    for (answer, kind) in
        [(Answer::Unavailable, Kind::UnknownKeyDuringOutage), (Answer::InvalidToken, Kind::UnknownKey)]
    {
        let scene = Scene::with(Mode::Good, |issuer| issuer.unknown_key_during_outage(answer));
        scene.check(&scene.token()).await.unwrap();
        let explained = |token: String| scene.api.explain(&Presented::bearer(&token)).failure();
        assert_eq!(explained(scene.unknown_kid()), Some(Kind::UnknownKey));
        scene.fetch.set(Mode::Error(FetchErrorKind::Connect));
        assert_eq!(scene.check(&scene.unknown_kid()).await, Err(kind));
        // From now on the back-off alone decides: a flood starts nothing.
        let before = scene.fetch.requests().len();
        for _ in 0..1000 {
            assert_eq!(scene.check_now(&scene.unknown_kid()), Poll::Ready(Err(kind)));
        }
        assert_eq!(explained(scene.unknown_kid()), Some(kind));
        assert_eq!(explained(scene.token()), None);
        assert_eq!(scene.fetch.requests().len(), before);
        assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_restarts_with_new_keys_costs_no_good_token_a_401() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    scene.fetch.set(Mode::Error(FetchErrorKind::Connect));
    scene.issuer.rotate();
    assert_eq!(scene.check(&scene.token()).await, Err(Kind::UnknownKeyDuringOutage));
    scene.fetch.set(Mode::Good);
    pass(s(3)).await;
    assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn jwk_03_a_bad_answer_never_clears_the_keys() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    for document in [
        "<html>",
        "{}",
        "{\"keys\":[]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
        "{\"keys\":[],\"keys\":[]}",
    ] {
        scene.fetch.set(Mode::Jwks(document.into()));
        pass(s(400)).await;
        assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())), "{document}");
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_04_a_removed_key_is_gone_at_the_end_of_the_lifetime() {
    for (cache_control, lifetime) in [
        (None, 300),
        (Some("public, max-age=120"), 120),
        (Some("no-store"), 60),
        (Some("max-age=86400"), 3600),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(value) = cache_control {
            headers.insert("cache-control", HeaderValue::from_static(value));
        }
        let scene = Scene::with(Mode::WithHeaders(headers), |issuer| issuer);
        let old = scene.issuer.token().expires_in(s(10_000)).mint();
        scene.check(&old).await.unwrap();
        scene.issuer.rotate();
        pass(s(lifetime * 7 / 10)).await;
        assert_eq!(scene.check_now(&old), Poll::Ready(Ok(())), "{cache_control:?}");
        pass(s(lifetime * 3 / 10)).await;
        assert_eq!(scene.check(&old).await, Err(Kind::UnknownKey), "{cache_control:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_19_a_key_that_is_replaced_under_its_name_is_found() {
    let scene = Scene::new();
    let kid = |token: bearergate::testing::TokenBuilder| token.header("kid", "same").mint();
    let renamed = |jwks: String| jwks.replace("es256-0", "same").replace("es256-1", "same");
    scene.fetch.set(Mode::Jwks(renamed(scene.issuer.jwks())));
    scene.check(&kid(scene.issuer.token())).await.unwrap();
    scene.issuer.rotate();
    scene.fetch.set(Mode::Jwks(renamed(scene.issuer.jwks())));
    let new = kid(scene.issuer.token());
    // Within one cooldown of the adoption the keys are new enough: the signature is simply bad.
    assert_eq!(scene.check_now(&new), Poll::Ready(Err(Kind::InvalidSignature)));
    pass(s(31)).await;
    scene.check(&new).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn jwk_19_forgeries_stay_401_whatever_the_refresh_brings() {
    for mode in [Mode::Good, Mode::Hang, Mode::Error(FetchErrorKind::Connect), Mode::Panic] {
        let scene = Scene::new();
        scene.check(&scene.token()).await.unwrap();
        pass(s(31)).await;
        scene.fetch.set(mode.clone());
        let before = scene.fetch.jwks_requests();
        for _ in 0..20 {
            let forged = scene.issuer.token().forged().mint();
            assert_eq!(scene.check(&forged).await, Err(Kind::InvalidSignature), "{mode:?}");
            assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())), "{mode:?}");
        }
        // One fetch with one quick retry, and what the back-off does.
        assert!(scene.fetch.jwks_requests() - before <= 20, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_09_a_dropped_request_stops_no_fetch() {
    let scene = Scene::with(Mode::Slow(s(1)), |issuer| issuer);
    let token = scene.token();
    {
        let presented = Presented::bearer(&token);
        let mut first = Box::pin(scene.api.validate::<Claims>(&presented));
        assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    pass(s(3)).await; // metadata, then keys, a second each
    assert_eq!(scene.check_now(&token), Poll::Ready(Ok(())));
    assert_eq!(scene.fetch.jwks_requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn jwk_10_a_panic_in_the_fetcher_poisons_nothing() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    scene.fetch.set(Mode::Panic);
    assert_eq!(scene.check(&scene.unknown_kid()).await, Err(Kind::UnknownKeyDuringOutage));
    assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
    scene.fetch.set(Mode::Good);
    scene.issuer.rotate();
    pass(s(3)).await;
    scene.check(&scene.token()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dsc_01_metadata_of_another_issuer_is_not_trusted() {
    let clock = TestClock::new();
    let issuer =
        TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline("https://as.example");
    let fetch = ScriptedFetch::new(&issuer);
    // The document there names `https://as.example`, without the slash.
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover("https://as.example/"))
        .clock(clock)
        .http_client(fetch.clone())
        .build()
        .unwrap();
    let failed = api.ready().await.unwrap_err();
    let error = failed.failed()[0].error.as_ref().unwrap();
    assert_eq!(error.kind(), FetchErrorKind::IssuerDiffers);
    assert_eq!(fetch.jwks_requests(), 0);
    let token = issuer.token().issuer("https://as.example/").mint();
    assert_eq!(validate(&api, &token).await.unwrap_err().kind(), Kind::KeysUnavailable);
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_set_is_discovered_anew() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    let discoveries = || scene.fetch.requests().iter().filter(|url| url.contains("well-known")).count();
    assert_eq!(discoveries(), 1);
    pass(s(400)).await;
    assert_eq!(discoveries(), 1);
    scene.fetch.set(Mode::Status(StatusCode::GONE));
    pass(s(400)).await;
    assert!(discoveries() > 1);
    // And twice a day in any case.
    scene.fetch.set(Mode::Good);
    pass(s(120)).await;
    let before = discoveries();
    pass(s(12 * 3600 + 400)).await;
    assert_eq!(discoveries(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn jwk_05_refresh_now_withdraws_a_key_at_once() {
    let scene = Scene::new();
    let old = scene.token();
    scene.check(&old).await.unwrap();
    scene.issuer.rotate();
    scene.api.refresh_now().await.unwrap();
    assert_eq!(scene.check(&old).await, Err(Kind::UnknownKey));
    // A failure keeps what is there, and says so.
    let good = scene.token();
    scene.fetch.set(Mode::Error(FetchErrorKind::Connect));
    let failed = scene.api.refresh_now().await.unwrap_err();
    assert_eq!(failed.failed()[0].error.as_ref().unwrap().kind(), FetchErrorKind::Connect);
    assert_eq!(scene.check_now(&good), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn hdr_04_another_algorithm_under_a_held_kid_never_fetches() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    let before = scene.fetch.requests().len();
    let token = scene.issuer.token().header("alg", "EdDSA").mint();
    assert_eq!(scene.check_now(&token), Poll::Ready(Err(Kind::UnknownKey)));
    scene.fetch.set(Mode::Error(FetchErrorKind::Connect));
    assert_eq!(scene.check_now(&token), Poll::Ready(Err(Kind::UnknownKey)));
    assert_eq!(scene.fetch.requests().len(), before);
}

#[tokio::test(start_paused = true)]
async fn ready_reports_and_ready_all_insists() {
    let scene = Scene::with(Mode::Error(FetchErrorKind::Connect), |issuer| issuer);
    let failed = scene.api.ready().await.unwrap_err();
    assert_eq!(failed.failed()[0].issuer, "https://as.example");
    assert_eq!(failed.failed()[0].error.as_ref().unwrap().kind(), FetchErrorKind::Connect);
    assert!(!scene.api.health().can_serve());
    assert!(scene.api.ready_all(s(30)).await.is_err());
    scene.fetch.set(Mode::Good);
    scene.api.ready_all(s(120)).await.unwrap();
    assert!(scene.api.health().can_serve());
    scene.api.ready().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ops_10_drivers_end_with_the_last_clone_and_with_shutdown() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    let Scene { fetch, api, issuer } = scene;
    let layer = api.layer();
    drop(api.clone());
    drop(api);
    pass(s(1)).await;
    assert!(fetch.holders() > 0, "the layer keeps the server");
    drop(layer);
    pass(s(1)).await;
    assert_eq!(fetch.holders(), 0);

    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(issuer.url()))
        .http_client(fetch.clone())
        .build()
        .unwrap();
    validate(&api, &issuer.token().mint()).await.unwrap();
    api.shutdown().await;
    let before = fetch.requests().len();
    pass(s(10_000)).await;
    assert_eq!(fetch.requests().len(), before);
    // Twice does no harm.
    api.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn ops_10_after_shutdown_nothing_hangs() {
    for mode in [Mode::Good, Mode::Hang, Mode::Panic] {
        let scene = Scene::with(mode.clone(), |issuer| issuer);
        let waiting = tokio::spawn({
            let (api, token) = (scene.api.clone(), scene.token());
            async move { validate(&api, &token).await }
        });
        tokio::task::yield_now().await;
        scene.api.shutdown().await;
        let started = tokio::time::Instant::now();
        let _answered = waiting.await.unwrap();
        let _failed = scene.api.refresh_now().await.unwrap_err();
        let _either = scene.api.ready().await;
        assert!(scene.api.ready_all(s(3)).await.is_err() || scene.api.health().can_serve());
        assert!(started.elapsed() <= s(5), "{mode:?}");
    }
}

#[test]
fn ops_10_a_server_is_built_outside_a_runtime_and_used_from_two_in_turn() {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let fetch = ScriptedFetch::new(&issuer);
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(issuer.url()))
        .http_client(fetch.clone())
        .build()
        .unwrap();
    assert_eq!(fetch.requests().len(), 0);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let token = issuer.token().mint();
    runtime().block_on(validate(&api, &token)).unwrap();
    // That runtime is gone, and its driver with it.
    issuer.rotate();
    runtime().block_on(validate(&api, &issuer.token().mint())).unwrap();
}

#[test]
fn ops_10_a_driver_whose_runtime_stands_still_is_replaced() {
    #[derive(Clone, Debug, Default)]
    struct ManualClock(Arc<AtomicU64>);
    impl Clock for ManualClock {
        fn wall(&self) -> UnixTime {
            SystemClock::default().wall()
        }
        fn monotonic(&self) -> Duration {
            s(self.0.load(Ordering::Relaxed))
        }
    }
    let clock = ManualClock::default();
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let fetch = ScriptedFetch::new(&issuer);
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(issuer.url()))
        .http_client(fetch.clone())
        .clock(clock.clone())
        .build()
        .unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (idle, busy) = (runtime(), runtime());
    idle.block_on(validate(&api, &issuer.token().mint())).unwrap();
    assert_eq!(fetch.jwks_requests(), 1);
    // The first runtime lives, but nobody runs it: the refresh ahead never happens there.
    clock.0.store(310, Ordering::Relaxed);
    busy.block_on(async {
        validate(&api, &issuer.token().mint()).await.unwrap();
        api.ready_all(s(5)).await.unwrap();
        while fetch.jwks_requests() < 2 {
            tokio::task::yield_now().await;
        }
    });
    drop(idle);
    issuer.rotate();
    busy.block_on(validate(&api, &issuer.token().mint())).unwrap();
}

#[test]
fn ops_10_a_flight_ends_when_its_runtime_is_dropped() {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let fetch = ScriptedFetch::new(&issuer);
    fetch.set(Mode::Hang);
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let first = runtime();
    let api = first.block_on(async {
        ResourceServer::builder(RESOURCE)
            .trust(Issuer::discover(issuer.url()))
            .http_client(fetch.clone())
            .build()
            .unwrap()
    });
    let second = runtime();
    let waiter = second.spawn({
        let (api, token) = (api.clone(), issuer.token().mint());
        async move { validate(&api, &token).await }
    });
    while fetch.requests().is_empty() {
        std::thread::yield_now();
    }
    fetch.set(Mode::Good);
    first.shutdown_background();
    // Either the waiter was told that the flight is over, or it came after and the flight of its own runtime served it.
    if let Err(error) = second.block_on(waiter).unwrap() {
        assert_eq!(error.kind(), Kind::KeysUnavailable);
    }
    // The back-off after the aborted flight is at most one second; the driver now lives in the second runtime.
    second.block_on(api.ready_all(s(30))).unwrap();
    second.block_on(validate(&api, &issuer.token().mint())).unwrap();
}

#[test]
fn ops_10_without_a_runtime_a_missing_key_is_503() {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let fetch = ScriptedFetch::new(&issuer);
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(issuer.url()))
        .http_client(fetch)
        .build()
        .unwrap();
    let layer = api.layer();
    let mut service = tower::Layer::layer(
        &layer,
        tower::service_fn(|_: http::Request<()>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        }),
    );
    let request = http::Request::builder()
        .header("authorization", format!("Bearer {}", issuer.token().mint()))
        .body(())
        .unwrap();
    let future = pin!(tower::Service::call(&mut service, request));
    let Poll::Ready(Ok(response)) = future.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing can be waited for")
    };
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn ops_10_a_wait_that_is_polled_outside_of_every_runtime_panics_not() {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let fetch = ScriptedFetch::new(&issuer);
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(issuer.url()))
        .http_client(fetch.clone())
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(api.ready()).unwrap();
    let token = issuer.token().header("kid", "unknown").mint();
    let presented = Presented::bearer(&token);
    let future = pin!(api.validate::<Claims>(&presented));
    let Poll::Ready(Err(error)) = future.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing can be waited for")
    };
    assert_eq!(error.kind(), Kind::UnknownKeyDuringOutage);
}

#[tokio::test(start_paused = true)]
async fn metadata_that_fails_later_costs_no_keys() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    for mode in [Mode::MetadataStatus(StatusCode::INTERNAL_SERVER_ERROR), Mode::MetadataHangs] {
        scene.fetch.set(mode.clone());
        // The metadata is read again after 12 hours; the keys never stop coming.
        for _ in 0..30 {
            pass(s(1800)).await;
            assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())), "{mode:?}");
        }
        scene.fetch.set(Mode::Good);
        pass(s(600)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_05_refresh_now_looks_where_the_keys_are_now() {
    // The keys have moved, and the old place still shows the withdrawn one.
    let scene = Scene::new();
    let withdrawn = scene.token();
    scene.check(&withdrawn).await.unwrap();
    let before = scene.fetch.requests().len();
    scene.api.refresh_now().await.unwrap();
    let asked = scene.fetch.requests().split_off(before);
    assert!(asked[0].contains("/.well-known/") && asked.last().unwrap().ends_with("/jwks"), "{asked:?}");
    // Metadata that cannot be read is no reason to keep a withdrawn key.
    scene.issuer.rotate();
    for mode in [Mode::MetadataStatus(StatusCode::SERVICE_UNAVAILABLE), Mode::MetadataHangs] {
        scene.fetch.set(mode);
        scene.api.refresh_now().await.unwrap();
        assert_eq!(scene.check(&withdrawn).await, Err(Kind::UnknownKey));
        scene.check(&scene.token()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn ops_10_after_shutdown_explain_and_ready_say_so() {
    let scene = Scene::new();
    scene.check(&scene.token()).await.unwrap();
    scene.api.shutdown().await;
    let unknown = scene.unknown_kid();
    let explained = scene.api.explain(&Presented::bearer(&unknown)).failure();
    assert_eq!(scene.check(&unknown).await.err(), explained);
    assert_eq!(explained, Some(Kind::UnknownKeyDuringOutage));
    scene.check(&scene.token()).await.unwrap();
    scene.api.ready().await.unwrap();

    // Whom nobody ever asked is not ready.
    let never = Scene::with(Mode::Hang, |issuer| issuer);
    never.api.shutdown().await;
    assert!(never.api.ready().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn jwk_17_a_wall_clock_that_steps_moves_no_key() {
    let clock = TestClock::new();
    let issuer =
        TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline("https://as.example");
    let fetch = ScriptedFetch::new(&issuer);
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(issuer.url()))
        .clock(clock.clone())
        .http_client(fetch.clone())
        .build()
        .unwrap();
    let kind = async |token: &str| validate(&api, token).await.map_err(|error| error.kind());
    api.ready().await.unwrap();
    let start = clock.wall();
    let old = issuer.token().mint();
    kind(&old).await.unwrap();
    let fetches = fetch.requests().len();

    let day = s(24 * 3600);
    let back = UnixTime::from_secs(start.as_secs() - 24 * 3600);
    for (wall, verdict) in [
        (back, Err(Kind::IssuedInFuture)),
        (start.saturating_add(day), Err(Kind::Expired)),
        (start.saturating_add(day * 365), Err(Kind::Expired)),
        (start, Ok(())),
    ] {
        clock.set(wall);
        // Tokens go by the wall; whatever it shows, a token of now is good, and nothing is fetched for it.
        assert_eq!(kind(&old).await, verdict, "{wall:?}");
        kind(&issuer.token().mint()).await.unwrap();
        assert_eq!(fetch.requests().len(), fetches, "{wall:?}");
        assert!(api.health().can_serve());
    }

    // Ages go by the other clock: a wall that stands or steps back makes no key immortal.
    fetch.set(Mode::Error(FetchErrorKind::Connect));
    for _ in 0..70 {
        pass(s(60)).await;
        clock.set(back);
    }
    assert_eq!(kind(&issuer.token().mint()).await, Err(Kind::KeysUnavailable));
}
