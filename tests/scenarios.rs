//! Good tokens under floods, outages and rotations at once, against the same time without the flood. Time is paused: nothing
//! here waits. `benches/scenarios` does the same over sockets.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/scene.rs"]
mod scene;

use std::{task::Poll, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::{
    AuthErrorKind as Kind, Claims, Issuer, Presented, ResourceServer,
    testing::{Endpoint, Fault, TestClock},
};
use http::{StatusCode, header::RETRY_AFTER};
use scene::{RESOURCE, Scene, offline, pass, refresh};
use tokio::time::{Instant, sleep_until};

const COOLDOWN: u64 = 30;

/// What one second of a flood is: so many tokens with keys that nobody has.
const FLOOD: u64 = 20;

const DOWN: Fault = Fault::Status(StatusCode::SERVICE_UNAVAILABLE);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Tokens with invented keys. They take no random number: those of the back-off are the same with them and without.
struct Invented {
    rest: String,
    number: u64,
}

impl Invented {
    fn like(token: &str) -> Self {
        Self { rest: token.split_once('.').unwrap().1.to_owned(), number: 0 }
    }

    fn token(&mut self) -> String {
        self.number += 1;
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"invented-{}"}}"#, self.number);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), self.rest)
    }

    /// One second's worth, of which each is refused for one of these reasons.
    async fn flood(&mut self, scene: &Scene, kinds: &[Kind]) {
        for _ in 0..FLOOD {
            let refused = scene.check(&self.token()).await.unwrap_err();
            assert!(kinds.contains(&refused), "{refused:?}");
        }
    }
}

/// Requests for keys in an hour, with a flood or without. The good token is good at every second of it.
async fn requests_in_an_hour(seed: u64, down: bool, flooded: bool) -> u64 {
    let scene = Scene::warm().await;
    let good = scene.token();
    let mut invented = Invented::like(&good);
    fastrand::seed(seed);
    if down {
        // From the moment on at which the outage is known, the schedule is the back-off.
        scene.issuer.faults().set(Endpoint::Jwks, DOWN);
        refresh(&scene.api).await.unwrap_err();
    }
    let (start, before) = (Instant::now(), scene.issuer.requests_to(Endpoint::Jwks));
    for second in 0..3600 {
        if flooded {
            let kind = if down { Kind::UnknownKeyDuringOutage } else { Kind::UnknownKey };
            invented.flood(&scene, &[kind]).await;
        }
        assert_eq!(scene.check_now(&good), Poll::Ready(Ok(())), "{second}");
        sleep_until(start + s(second + 1)).await;
    }
    scene.issuer.requests_to(Endpoint::Jwks) - before
}

#[tokio::test(start_paused = true)]
async fn jwk_06_an_hour_of_invented_keys_adds_one_fetch_per_cooldown_to_the_schedule() {
    for seed in 0..3 {
        let without = requests_in_an_hour(seed, false, false).await;
        let with = requests_in_an_hour(seed, false, true).await;
        assert!((3600 / 270..=3600 / 210).contains(&without), "{without}");
        assert!(with - without <= 3600 / COOLDOWN + 1, "{with} with the flood, {without} without");
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_02_an_hour_of_invented_keys_adds_nothing_to_the_back_off() {
    for seed in 0..3 {
        let without = requests_in_an_hour(seed, true, false).await;
        assert!(without > 60, "{without}");
        assert_eq!(requests_in_an_hour(seed, true, true).await, without);
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_01_the_first_good_token_passes_within_one_step_of_the_back_off() {
    for seed in 0..5 {
        for outage in [1, 4, 20, 70, 1000] {
            fastrand::seed(seed);
            let issuer = offline("https://as.example");
            issuer.faults().refuse_connections().await;
            let api = ResourceServer::builder(RESOURCE)
                .trust(Issuer::discover(issuer.url()))
                .clock(TestClock::new())
                .http_client(issuer.fetch())
                .build()
                .unwrap();
            let scene = Scene { issuer, api };
            let good = scene.token();
            for _ in 0..outage {
                let error = scene.api.validate::<Claims>(&Presented::bearer(&good)).await.unwrap_err();
                let refusal = scene.api.refuse(error);
                assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
                assert!(refusal.headers().contains_key(RETRY_AFTER));
                pass(1).await;
            }
            let failures = scene.api.health().issuers().first().unwrap().failures();
            let step = s((1 << (failures - 1).min(6)).min(60));
            scene.issuer.faults().accept_connections().await.unwrap();
            let back = Instant::now();
            while scene.check(&good).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert!(back.elapsed() <= step + s(1), "{:?} after {outage} s, {step:?}", back.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_02_an_outage_of_an_hour_in_a_flood_refuses_no_good_token_and_then_says_503() {
    let scene = Scene::warm().await;
    let good = scene.token();
    let mut invented = Invented::like(&good);
    scene.issuer.faults().refuse_connections().await;
    let start = Instant::now();
    // Fresh for 5 minutes, stale for an hour more.
    for second in 0..3895 {
        invented.flood(&scene, &[Kind::UnknownKeyDuringOutage]).await;
        assert_eq!(scene.check_now(&good), Poll::Ready(Ok(())), "{second}");
        sleep_until(start + s(second + 1)).await;
    }
    pass(10).await;
    for _ in 0..300 {
        assert_eq!(scene.check(&good).await, Err(Kind::KeysUnavailable));
        invented.flood(&scene, &[Kind::KeysUnavailable]).await;
        pass(1).await;
    }
    scene.issuer.faults().accept_connections().await.unwrap();
    pass(60).await;
    assert_eq!(scene.check(&good).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn jwk_07_a_rotation_with_overlap_in_a_flood_refuses_no_good_token() {
    for phase in 0..COOLDOWN {
        let scene = Scene::warm().await;
        let old = scene.token();
        let mut invented = Invented::like(&old);
        let start = Instant::now();
        let mut new = None;
        for second in 0..180 {
            invented.flood(&scene, &[Kind::UnknownKey]).await;
            if second == phase {
                scene.issuer.rotate_gently();
            }
            // It signs once it has been published for longer than a cooldown.
            if second == phase + COOLDOWN + 1 {
                new = Some(scene.token());
            }
            for token in new.iter().chain([&old]) {
                assert_eq!(scene.check_now(token), Poll::Ready(Ok(())), "phase {phase}, second {second}");
            }
            sleep_until(start + s(second + 1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_07_a_rotation_without_overlap_in_a_flood_refuses_good_tokens_for_at_most_one_cooldown() {
    let mut longest = 0;
    for phase in 0..COOLDOWN {
        let scene = Scene::warm().await;
        let old = scene.token();
        let mut invented = Invented::like(&old);
        let start = Instant::now();
        let (mut new, mut dark) = (None, 0);
        for second in 0..120 {
            invented.flood(&scene, &[Kind::UnknownKey]).await;
            if second == phase {
                scene.issuer.rotate();
                new = Some(scene.token());
            }
            match new.as_ref().map(|token| scene.check_now(token)) {
                Some(Poll::Ready(Ok(()))) => (),
                Some(refused) => {
                    assert_eq!(refused, Poll::Ready(Err(Kind::UnknownKey)));
                    dark = second + 1 - phase;
                }
                None => assert_eq!(scene.check_now(&old), Poll::Ready(Ok(()))),
            }
            sleep_until(start + s(second + 1)).await;
        }
        assert!(dark <= COOLDOWN, "phase {phase}: refused for {dark} s");
        longest = dark.max(longest);
    }
    assert!(longest > 0, "the case that the guarantee leaves out is not met here");
}

#[tokio::test(start_paused = true)]
async fn jwk_08_good_tokens_never_wait_for_a_refresh_that_is_slow_or_hangs_in_a_flood() {
    for fault in [Fault::Slow(s(2)), Fault::Hang] {
        let scene = Scene::warm().await;
        let good = scene.token();
        let mut invented = Invented::like(&good);
        scene.issuer.faults().set(Endpoint::Jwks, fault.clone());
        // Fresh, refreshed ahead, stale.
        for second in 0..600 {
            let tokens: Vec<_> = (0..FLOOD).map(|_| invented.token()).collect();
            let presented: Vec<_> = tokens.iter().map(|token| Presented::bearer(token)).collect();
            let mut flood: Vec<_> =
                presented.iter().map(|token| Box::pin(scene.api.validate::<Claims>(token))).collect();
            for waiting in &mut flood {
                let polled = tokio::time::timeout(Duration::ZERO, waiting).await;
                assert!(polled.is_err() || polled.unwrap().is_err());
                assert_eq!(scene.check_now(&good), Poll::Ready(Ok(())), "{fault:?}, {second}");
            }
            pass(1).await;
            assert_eq!(scene.check_now(&good), Poll::Ready(Ok(())), "{fault:?}, {second}");
        }
    }
}
