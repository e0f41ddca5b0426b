//! An operator sees how each issuer's keys are, and hears when they change. Time is paused: nothing here waits.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;
#[path = "common/fetch.rs"]
mod fetch;

use std::time::Duration;

use bearergate::{
    Claims, FetchErrorKind, Issuer, KeyChange, KeyChanges, KeyState, Presented, ResourceServer, UnixTime,
    testing::{Endpoint, Fault, TestClock, TestIssuer},
};
use common::{RESOURCE, log::Log};
use fetch::{Mode, ScriptedFetch};
use serde_json::{Value, json};

const ISSUER: &str = "https://as.example";

struct Scene {
    issuer: TestIssuer,
    fetch: ScriptedFetch,
    api: ResourceServer,
    changes: KeyChanges,
    clock: TestClock,
}

impl Scene {
    fn new() -> Self {
        let clock = TestClock::new();
        let issuer = TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline(ISSUER);
        let fetch = ScriptedFetch::new(&issuer);
        let api = ResourceServer::builder(RESOURCE)
            .trust(Issuer::discover(issuer.url()))
            .clock(clock.clone())
            .http_client(fetch.clone())
            .build()
            .unwrap();
        let changes = api.key_changes();
        Self { issuer, fetch, api, changes, clock }
    }

    async fn accepts(&self, token: &str) {
        self.api.validate::<Claims>(&Presented::bearer(token)).await.unwrap();
    }

    fn state(&self) -> KeyState {
        self.api.health().issuers()[0].state()
    }

    /// What was told so far.
    async fn heard(&mut self) -> Vec<KeyChange> {
        let mut heard = Vec::new();
        while let Ok(Some(change)) = tokio::time::timeout(Duration::ZERO, self.changes.next()).await {
            heard.push(change);
        }
        heard
    }
}

/// Lets time pass in small steps, so that every timer has its turn.
async fn pass(duration: Duration) {
    for _ in 0..duration.as_secs() {
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn as_json(api: &ResourceServer) -> Value {
    serde_json::to_value(api.health()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn health_follows_the_keys_through_an_outage() {
    let scene = Scene::new();
    let health = scene.api.health();
    assert!(!health.can_serve());
    assert_eq!((health.issuers()[0].issuer(), scene.state()), (ISSUER, KeyState::Unavailable));
    assert_eq!(health.issuers()[0].keys_age(), None);

    scene.api.ready().await.unwrap();
    pass(s(100)).await;
    let health = scene.api.health();
    let issuer = &health.issuers()[0];
    assert!(health.can_serve() && issuer.can_serve());
    assert_eq!((issuer.state(), issuer.usable_keys()), (KeyState::Fresh, 1));
    assert_eq!((issuer.keys_age(), issuer.failures(), issuer.last_error()), (Some(s(100)), 0, None));
    // 80 % of five minutes, give or take 10 %.
    assert!((s(116)..=s(164)).contains(&issuer.next_attempt().unwrap()), "{:?}", issuer.next_attempt());

    scene.fetch.set(Mode::Error(FetchErrorKind::Connect));
    pass(s(250)).await;
    let health = scene.api.health();
    let issuer = &health.issuers()[0];
    assert!(issuer.can_serve());
    assert_eq!((issuer.state(), issuer.keys_age()), (KeyState::Stale, Some(s(350))));
    assert!(issuer.failures() > 0);
    assert_eq!(issuer.last_error(), Some("no connection"));
    assert!(issuer.next_attempt().unwrap() <= s(60));

    pass(s(3600)).await;
    assert_eq!(scene.state(), KeyState::Unavailable);
    assert!(!scene.api.health().can_serve());

    scene.fetch.set(Mode::Good);
    pass(s(61)).await;
    let health = scene.api.health();
    assert_eq!((scene.state(), health.issuers()[0].failures()), (KeyState::Fresh, 0));
    assert_eq!(health.issuers()[0].last_error(), None);
}

#[tokio::test(start_paused = true)]
async fn health_is_one_json_object() {
    let mut scene = Scene::new();
    let mut jwks: Value = serde_json::from_str(&scene.issuer.jwks()).unwrap();
    let keys = jwks["keys"].as_array_mut().unwrap();
    keys.push(json!({"kty": "oct", "k": "c2VjcmV0"}));
    keys.push(json!({"kty": "RSA", "kid": "no-modulus"}));
    scene.fetch.set(Mode::Jwks(jwks.to_string()));
    scene.api.issuers().add(Issuer::jwks("https://fixed.example", scene.issuer.jwks())).unwrap();
    scene.api.ready().await.unwrap();
    assert_eq!(
        as_json(&scene.api)["issuers"],
        json!([
            {
                "issuer": ISSUER,
                "state": "fresh",
                "usable_keys": 1,
                "skipped_keys": [{"index": 1, "reason": "symmetric"}, {"index": 2, "reason": "malformed"}],
                "keys_age_seconds": 0,
                "failures": 0, "introspection": null,
                "last_error": null,
                "next_attempt_seconds": as_json(&scene.api)["issuers"][0]["next_attempt_seconds"],
                "clock_skew_seconds": null,
                "claims_mismatches": 0,
            },
            {
                "issuer": "https://fixed.example",
                "state": "fixed",
                "usable_keys": 1,
                "skipped_keys": [],
                "keys_age_seconds": null,
                "failures": 0, "introspection": null,
                "last_error": null,
                "next_attempt_seconds": null,
                "clock_skew_seconds": null,
                "claims_mismatches": 0,
            },
        ])
    );
    assert_eq!(as_json(&scene.api)["can_serve"], true);
    assert_eq!(scene.heard().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_reason_to_skip_a_key_has_a_label() {
    let scene = Scene::new();
    let mut jwks: Value = serde_json::from_str(&scene.issuer.jwks()).unwrap();
    let good = jwks["keys"][0].clone();
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let es384 = TestIssuer::builder().algorithms([bearergate::Algorithm::Es384]).offline(ISSUER);
    let es384: Value = serde_json::from_str(&es384.jwks()).unwrap();
    let odd = [
        (es384["keys"][0].clone(), "algorithm_not_allowed"),
        (with("kid", json!(5)), "malformed"),
        (with("use", json!("enc")), "not_for_signatures"),
        (with("x", good["y"].clone()), "weak"),
        (with("d", json!("AAAA")), "private"),
        (with("kty", json!("oct")), "symmetric"),
        (with("alg", json!("ES256K")), "unsupported"),
    ];
    let keys = jwks["keys"].as_array_mut().unwrap();
    keys.extend(odd.iter().map(|(jwk, _)| jwk.clone()));
    scene.fetch.set(Mode::Jwks(jwks.to_string()));
    scene.api.ready().await.unwrap();
    let health = scene.api.health();
    let reasons: Vec<_> = health.issuers()[0].skipped_keys().iter().map(|jwk| jwk.reason).collect();
    assert_eq!(reasons, odd.map(|(_, reason)| reason));
    assert_eq!(health.issuers()[0].usable_keys(), 1);
}

#[tokio::test(start_paused = true)]
async fn changes_of_keys_are_told() {
    let mut scene = Scene::new();
    scene.api.ready().await.unwrap();
    let heard = scene.heard().await;
    assert!(matches!(&heard[..], [KeyChange::Adopted { issuer, usable: 1, .. }] if &**issuer == ISSUER));

    // The same keys again are no change.
    scene.api.refresh_now().await.unwrap();
    assert_eq!(scene.heard().await, []);

    scene.issuer.rotate_gently();
    scene.accepts(&scene.issuer.token().mint()).await;
    let heard = scene.heard().await;
    assert!(
        matches!(heard[..], [KeyChange::Changed { appeared: 1, vanished: 0, usable: 2, .. }]),
        "{heard:?}"
    );

    scene.issuer.rotate();
    scene.api.refresh_now().await.unwrap();
    let heard = scene.heard().await;
    assert!(
        matches!(heard[..], [KeyChange::Changed { appeared: 1, vanished: 2, usable: 1, .. }]),
        "{heard:?}"
    );

    scene.fetch.set(Mode::Error(FetchErrorKind::Connect));
    let _failed = scene.api.refresh_now().await.unwrap_err();
    let _failed = scene.api.refresh_now().await.unwrap_err();
    let heard = scene.heard().await;
    assert!(
        matches!(heard[..], [KeyChange::Failing { error: FetchErrorKind::Connect, .. }]),
        "once, not for each failure: {heard:?}"
    );
    scene.fetch.set(Mode::Good);
    scene.api.refresh_now().await.unwrap();
    assert!(matches!(scene.heard().await[..], [KeyChange::Recovered { .. }]));
}

#[tokio::test(start_paused = true)]
async fn a_key_replaced_under_its_name_is_a_change() {
    let mut scene = Scene::new();
    scene.api.ready().await.unwrap();
    let _first = scene.heard().await;
    let kid = |jwks: &str| serde_json::from_str::<Value>(jwks).unwrap()["keys"][0]["kid"].clone();
    let name = kid(&scene.issuer.jwks());
    scene.issuer.rotate();
    let mut jwks: Value = serde_json::from_str(&scene.issuer.jwks()).unwrap();
    jwks["keys"][0]["kid"] = name;
    scene.fetch.set(Mode::Jwks(jwks.to_string()));
    scene.api.refresh_now().await.unwrap();
    assert!(matches!(scene.heard().await[..], [KeyChange::Changed { appeared: 1, vanished: 1, .. }]));
}

#[tokio::test(start_paused = true)]
async fn who_listens_too_slowly_is_told_so_and_ends_with_the_server() {
    let mut scene = Scene::new();
    scene.api.ready().await.unwrap();
    for _ in 0..300 {
        scene.issuer.rotate();
        scene.api.refresh_now().await.unwrap();
    }
    assert_eq!(
        scene.changes.next().await.map(|change| matches!(change, KeyChange::Missed { changes: 45, .. })),
        Some(true)
    );
    assert_eq!(scene.heard().await.len(), 256);
    drop(scene.api);
    assert_eq!(scene.changes.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_differs_from_the_issuers_is_seen() {
    let scene = Scene::new();
    let skew = || scene.api.health().issuers()[0].clock_skew_seconds();
    let with = |fields: &[(http::HeaderName, &'static str)]| {
        let fields = fields.iter().map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value)));
        scene.fetch.set(Mode::WithHeaders(fields.collect()));
    };
    use http::header::{AGE, DATE};
    // The issuer's clock shows this; ours shows 1,000 s less.
    const SHOWN: i64 = 1_800_000_000;
    scene.clock.set(UnixTime::from_secs(SHOWN - 1000));
    for (fields, expected) in [
        (&[(DATE, "Fri, 15 Jan 2027 08:00:00 GMT")] as &[_], Some(1000)),
        (&[(DATE, "Fri, 15 Jan 2027 07:00:00 GMT")], Some(1000 - 3600)),
        // From a cache: so old is the answer.
        (&[(DATE, "Fri, 15 Jan 2027 07:40:00 GMT"), (AGE, "200")], Some(0)),
        (&[(DATE, "Fri, 15 Jan 2027 07:40:00 GMT"), (AGE, "x")], None),
        (&[(DATE, "yesterday")], None),
        (&[], None),
    ] {
        with(fields);
        scene.api.refresh_now().await.unwrap();
        assert_eq!(skew(), expected, "{fields:?}");
    }
}

#[test]
fn a_large_skew_is_logged_once() {
    let ((), log) = Log::during(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let scene = Scene::new();
            scene.issuer.faults().set(Endpoint::Jwks, Fault::SkewedDate(-100));
            for _ in 0..3 {
                scene.api.refresh_now().await.unwrap();
            }
        });
    });
    let lines: Vec<_> = log.lines().filter(|line| line.contains("clock is ahead")).collect();
    assert!(lines.len() == 1 && lines[0].contains("seconds=-100") && lines[0].contains("WARN"), "{log}");
}

#[test]
fn the_log_says_when_keys_appear_vanish_and_change_all_at_once() {
    let run = |act: fn(&TestIssuer)| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let ((), log) = Log::during(|| {
            runtime.unwrap().block_on(async {
                let scene = Scene::new();
                scene.api.ready().await.unwrap();
                scene.issuer.rotate_gently();
                scene.api.refresh_now().await.unwrap();
                act(&scene.issuer);
                scene.api.refresh_now().await.unwrap();
            });
        });
        log
    };
    let lines = |log: &str, text: &str| -> Vec<String> {
        log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    };
    let log = run(|_| ());
    assert_eq!(lines(&log, "the first keys are there").len(), 1, "{log}");
    let changed = lines(&log, "keys changed");
    assert!(changed.len() == 1 && changed[0].contains("INFO") && changed[0].contains("appeared=1"), "{log}");
    assert!(lines(&log, "at one stroke").is_empty(), "{log}");

    let log = run(TestIssuer::rotate);
    let all = lines(&log, "all keys changed at one stroke");
    assert!(all.len() == 1 && all[0].contains("WARN") && all[0].contains("vanished=2"), "{log}");
}
