//! Tokens that are remembered as verified: never another answer than a check from scratch gives.
//!
//! `BEARERGATE_SCHEDULES=1000000 cargo test --release --test token_cache` runs so many random schedules; without it, a hundred
//! thousand where the compiler optimises, and fewer where it does not.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bearergate::{
    AccessToken, Algorithm, AuthErrorKind as Kind, Claims, Issuer, Presented, ResourceServer,
    testing::{Endpoint, Fault, TestClock, TestIssuer},
};
use http::StatusCode;
use serde::Deserialize;

const RESOURCE: &str = "https://api.example.com";
const URL: &str = "https://as.example";

const SCHEDULES: u64 = if cfg!(debug_assertions) { 300 } else { 100_000 };

struct Scene {
    issuer: TestIssuer,
    clock: TestClock,
    api: ResourceServer,
}

impl Scene {
    fn new() -> Self {
        let clock = TestClock::new();
        let builder = TestIssuer::builder().algorithms([Algorithm::EdDsa]).clock(clock.clone());
        let issuer = builder.default_audience(RESOURCE).offline(URL);
        let api = ResourceServer::builder(RESOURCE)
            .trust(Issuer::discover(URL))
            .clock(clock.clone())
            .http_client(issuer.fetch())
            .with_token_cache(1000)
            .build()
            .unwrap();
        Self { issuer, clock, api }
    }

    async fn warm() -> Self {
        let scene = Self::new();
        scene.api.ready().await.unwrap();
        scene
    }

    async fn check(&self, token: &str) -> Result<(), Kind> {
        let outcome = self.api.validate::<Claims>(&Presented::bearer(token)).await;
        outcome.map(drop).map_err(|error| error.kind())
    }

    /// The verdict that comes without waiting.
    fn now(&self, token: &str) -> Poll<Result<(), Kind>> {
        pin!(self.check(token)).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// What a check from scratch says, which never looks at what is remembered.
    fn afresh(&self, token: &str) -> Result<(), Kind> {
        let explained = self.api.explain(&Presented::bearer(token));
        explained.failure().map_or(Ok(()), Err)
    }

    /// The two must agree, as far as a verdict is there.
    #[track_caller]
    fn agrees(&self, token: &str, what: &str) {
        let afresh = self.afresh(token);
        match self.now(token) {
            Poll::Ready(verdict) => {
                assert_eq!(verdict.is_ok(), afresh.is_ok(), "{what}: {verdict:?} {afresh:?}");
                // Of a key that is missing, only the waiting request learns whether it is an outage.
                let outage = [Kind::UnknownKey, Kind::UnknownKeyDuringOutage, Kind::KeysUnavailable];
                let same = verdict == afresh
                    || [verdict, afresh].into_iter().all(|one| one.is_err_and(|kind| outage.contains(&kind)));
                assert!(same, "{what}: {verdict:?} {afresh:?}");
            }
            Poll::Pending => assert!(afresh.is_err(), "{what}: waits, and from scratch it is good"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ops_05_a_token_is_good_only_while_its_key_is_in_force() {
    let scene = Scene::warm().await;
    let token = scene.issuer.token().expires_in(Duration::from_secs(100_000)).mint();
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())));
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())));
    // An unchanged key survives a refresh, also beside a new one.
    scene.api.refresh_now().await.unwrap();
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())));
    scene.issuer.rotate_gently();
    scene.api.refresh_now().await.unwrap();
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())));
    // One that is gone, or replaced under its name, does not.
    scene.issuer.rotate();
    scene.api.refresh_now().await.unwrap();
    assert_ne!(scene.now(&token), Poll::Ready(Ok(())));
    let token = scene.issuer.token().expires_in(Duration::from_secs(100_000)).mint();
    assert_eq!(scene.check(&token).await, Ok(()));
    scene.issuer.rotate_in_place();
    scene.api.refresh_now().await.unwrap();
    assert_eq!(scene.check(&token).await, Err(Kind::InvalidSignature));
}

#[tokio::test(start_paused = true)]
async fn ops_05_past_the_stale_bound_a_hit_is_503() {
    let scene = Scene::warm().await;
    let token = scene.issuer.token().expires_in(Duration::from_secs(100_000)).mint();
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())));
    scene.issuer.faults().set(Endpoint::Jwks, Fault::Status(StatusCode::BAD_GATEWAY));
    tokio::time::sleep(Duration::from_secs(3000)).await;
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())), "stale keys serve");
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert_eq!(scene.check(&token).await, Err(Kind::KeysUnavailable));
    scene.issuer.faults().clear(Endpoint::Jwks);
    scene.api.refresh_now().await.unwrap();
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn ops_05_times_entry_and_memory_are_looked_at_on_every_hit() {
    let scene = Scene::warm().await;
    let token = scene.issuer.token().mint();
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())));
    scene.clock.advance(Duration::from_secs(300 + 59));
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())), "within the leeway");
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.now(&token), Poll::Ready(Err(Kind::Expired)));

    // Another entry has other rules, under the same name.
    let token = scene.issuer.token().expires_in(Duration::from_secs(10_000)).mint();
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())));
    let other = Issuer::jwks(URL, scene.issuer.jwks()).audiences(["https://other.example"]);
    scene.api.issuers().replace_all([other]).unwrap();
    assert_eq!(scene.now(&token), Poll::Ready(Err(Kind::WrongAudience)));
    scene.api.issuers().replace_all([Issuer::jwks(URL, scene.issuer.jwks())]).unwrap();
    assert_eq!(scene.now(&token), Poll::Ready(Ok(())));
    scene.api.issuers().replace_all([Issuer::jwks("https://b.example", scene.issuer.jwks())]).unwrap();
    assert_eq!(scene.now(&token), Poll::Ready(Err(Kind::UnknownIssuer)));
}

#[derive(Debug, Deserialize)]
struct Tenant {
    tenant: String,
}

#[derive(Debug, Deserialize)]
struct Number {
    #[serde(rename = "tenant")]
    _tenant: u64,
}

#[tokio::test(start_paused = true)]
async fn ops_05_each_claims_type_sees_its_own_and_no_token_is_known_by_a_part() {
    let scene = Scene::warm().await;
    let token = scene.issuer.token().claim("tenant", "acme").mint();
    let presented = Presented::bearer(&token);
    for _ in 0..3 {
        let typed: AccessToken<Tenant> = scene.api.validate(&presented).await.unwrap();
        assert_eq!(typed.claims().tenant, "acme");
        assert_eq!(scene.api.validate::<Number>(&presented).await.unwrap_err().kind(), Kind::ClaimsMismatch);
        let default: AccessToken = scene.api.validate(&presented).await.unwrap();
        assert_eq!(default.subject(), Some("test-user"));
    }
    let (input, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{input}.{other}{}", &signature[1..]);
    assert_eq!(scene.check(&forged).await, Err(Kind::InvalidSignature));
    // The signature of a token that is remembered, under the text of others.
    let richer = scene.issuer.token().claim("tenant", "other").mint();
    let (richer, _) = richer.rsplit_once('.').unwrap();
    let odd = scene.issuer.token().claim("tenant", "acme").header("x", 1).mint();
    let odd_header = odd.split_once('.').unwrap().0;
    let payload = input.split_once('.').unwrap().1;
    for signed in
        [richer.to_owned(), format!("{odd_header}.{payload}"), format!("{input}A"), input[1..].to_owned()]
    {
        let outcome = scene.check(&format!("{signed}.{signature}")).await;
        assert!(
            matches!(outcome, Err(Kind::InvalidSignature | Kind::MalformedToken)),
            "{signed}: {outcome:?}"
        );
    }
    assert_eq!(scene.check(&token).await, Ok(()), "and it is still good itself");
    assert_eq!(scene.check(input).await, Err(Kind::MalformedToken));
    // Told to forget, it checks anew, and comes to the same.
    scene.api.cached_tokens().forget(&token);
    scene.api.cached_tokens().forget_subject(URL, "test-user");
    scene.api.cached_tokens().clear();
    assert_eq!(scene.check(&token).await, Ok(()));
}

/// Random clocks, rotations, outages and policies: at every step, each token of the schedule gets what a check from scratch
/// says.
#[test]
fn ops_05_in_every_schedule_a_remembered_token_gets_the_answer_of_a_check_afresh() {
    let schedules = std::env::var("BEARERGATE_SCHEDULES").map_or(SCHEDULES, |count| count.parse().unwrap());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    for seed in 0..schedules {
        let mut random = fastrand::Rng::with_seed(seed);
        runtime.block_on(async {
            let scene = Scene::warm().await;
            let mut tokens: Vec<String> = Vec::new();
            for step in 0..random.usize(4..12) {
                let what = format!("seed {seed}, step {step}");
                match random.u8(0..14) {
                    0..=3 => {
                        let token = scene.issuer.token().expires_in(Duration::from_secs(random.u64(1..8000)));
                        let token = match random.u8(0..8) {
                            0 => token.claim(
                                "nbf",
                                bearergate::Clock::wall(&scene.clock).as_secs() + random.i64(0..200),
                            ),
                            1 => token.without_header("kid"),
                            2 => token.audience("https://other.example"),
                            _ => token,
                        };
                        tokens.push(token.mint());
                    }
                    4 => tokio::time::sleep(Duration::from_secs(random.u64(1..90))).await,
                    5 => tokio::time::sleep(Duration::from_secs(random.u64(1..4000))).await,
                    6 => scene.clock.advance(Duration::from_secs(random.u64(1..400))),
                    7 => scene.issuer.rotate_gently(),
                    8 => scene.issuer.rotate(),
                    9 => scene.issuer.rotate_in_place(),
                    10 => drop(scene.api.refresh_now().await),
                    11 => scene.issuer.faults().set(Endpoint::Jwks, Fault::Status(StatusCode::BAD_GATEWAY)),
                    12 => scene.issuer.faults().clear(Endpoint::Jwks),
                    _ => {
                        let entry = Issuer::discover(URL).leeway(Duration::from_secs(random.u64(0..300)));
                        let other = random.bool();
                        let entry = if other { entry.audiences(["https://other.example"]) } else { entry };
                        scene.api.issuers().replace_all([entry]).unwrap();
                        drop(scene.api.ready().await);
                    }
                }
                for token in &tokens {
                    scene.agrees(token, &what);
                }
            }
            scene.api.shutdown().await;
        });
    }
}
