//! Many issuers at once neither stampede nor keep each other waiting.
//!
//! A binary of its own: the places for fetches are counted per process, and these tests fill them all.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/fetch.rs"]
mod fetch;

use std::time::Duration;

use bearergate::{
    AuthError, AuthErrorKind as Kind, Claims, Issuer, Presented, ResourceServer,
    testing::{Endpoint, Fault, TestClock, TestIssuer},
};
use fetch::{Mode, ScriptedFetch};
use tokio::sync::Mutex;

const RESOURCE: &str = "https://api.example.com";

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::const_new(());

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
async fn many_issuers_do_not_stampede_and_the_one_that_is_asked_for_comes_first() {
    let _alone = ALONE.lock().await;
    let clock = TestClock::new();
    let issuers: Vec<_> = (0..500)
        .map(|n| {
            TestIssuer::builder()
                .clock(clock.clone())
                .default_audience(RESOURCE)
                .offline(format!("https://as{n}.example"))
        })
        .collect();
    let fetch = ScriptedFetch::of(&issuers);
    fetch.set(Mode::Slow(s(1)));
    let mut builder = ResourceServer::builder(RESOURCE).clock(clock).http_client(fetch.clone());
    for issuer in &issuers {
        builder = builder.trust(Issuer::jwks_uri(issuer.url(), format!("{}/jwks", issuer.url())));
    }
    let api = builder.build().unwrap();
    // Let the first ones through the gate.
    pass(Duration::from_millis(1)).await;
    let last = fetch.requests();
    let waiting = issuers.iter().find(|issuer| !last.contains(&format!("{}/jwks", issuer.url()))).unwrap();
    validate(&api, &waiting.token().mint()).await.unwrap();
    assert!(fetch.requests().len() <= 3 * 16, "{} came before it", fetch.requests().len());
    api.ready_all(s(120)).await.unwrap();
    // Sixteen by schedule, and the one that was asked for.
    assert_eq!(fetch.most_at_once(), 17);
    assert_eq!(fetch.jwks_requests(), 500);
}

#[tokio::test(start_paused = true)]
async fn dead_issuers_keep_no_healthy_one_waiting() {
    let _alone = ALONE.lock().await;
    let clock = TestClock::new();
    let offline =
        |url: String| TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline(url);
    let dead: Vec<_> = (0..40).map(|n| offline(format!("https://dead{n}.example"))).collect();
    let alive = offline("https://alive.example".into());
    let fetch = ScriptedFetch::of(dead.iter().chain([&alive]));
    fetch.set(Mode::HangAllBut("alive.example".into()));
    let mut builder = ResourceServer::builder(RESOURCE).clock(clock.clone()).http_client(fetch.clone());
    for issuer in dead.iter().chain([&alive]) {
        builder = builder.trust(Issuer::jwks_uri(issuer.url(), format!("{}/jwks", issuer.url())));
    }
    let api = builder.build().unwrap();
    // Everybody asks for the dead ones, all the time.
    let flood = tokio::spawn({
        let api = api.clone();
        let tokens: Vec<_> = dead.iter().map(|issuer| issuer.token().expires_in(s(9999)).mint()).collect();
        async move {
            loop {
                let mut asking = tokio::task::JoinSet::new();
                for token in tokens.clone() {
                    let api = api.clone();
                    asking.spawn(async move { validate(&api, &token).await });
                }
                asking.join_all().await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    tokio::task::yield_now().await;
    validate(&api, &alive.token().mint()).await.unwrap();
    for _ in 0..20 {
        pass(s(31)).await;
        alive.rotate();
        validate(&api, &alive.token().mint()).await.unwrap();
    }
    flood.abort();
}

#[tokio::test(start_paused = true)]
async fn one_issuer_of_a_hundred_that_hangs_costs_the_others_nothing() {
    let _alone = ALONE.lock().await;
    let clock = TestClock::new();
    let issuers: Vec<_> = (0..100)
        .map(|n| {
            TestIssuer::builder()
                .clock(clock.clone())
                .default_audience(RESOURCE)
                .offline(format!("https://as{n}.example"))
        })
        .collect();
    let (hanging, others) = issuers.split_first().unwrap();
    hanging.faults().set(Endpoint::Jwks, Fault::Hang);
    let fetch = ScriptedFetch::of(&issuers);
    let mut builder = ResourceServer::builder(RESOURCE).clock(clock).http_client(fetch.clone());
    for issuer in &issuers {
        builder = builder.trust(Issuer::discover(issuer.url()));
    }
    let api = builder.build().unwrap();
    let flood = tokio::spawn({
        let (api, token) = (api.clone(), hanging.token().expires_in(s(99_999)).mint());
        async move {
            loop {
                let refused = validate(&api, &token).await.unwrap_err();
                assert_eq!(refused.kind(), Kind::KeysUnavailable);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    for round in 0..20 {
        let start = tokio::time::Instant::now();
        let mut asking = tokio::task::JoinSet::new();
        for issuer in others {
            let (api, token) = (api.clone(), issuer.token().mint());
            asking.spawn(async move { validate(&api, &token).await });
        }
        for verdict in asking.join_all().await {
            verdict.unwrap();
        }
        // No timer of theirs had to end: the keys are there at once.
        assert!(start.elapsed() < Duration::from_millis(10), "{round}: {:?}", start.elapsed());
        assert!(others.iter().all(|issuer| issuer.requests_to(Endpoint::Jwks) == round + 1));
        pass(s(31)).await;
        others.iter().for_each(TestIssuer::rotate);
    }
    assert!(!flood.is_finished());
    flood.abort();
}
