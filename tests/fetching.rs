//! Where keys are looked for, and how long they count: what metadata and header fields can ask for, and what they cannot.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/scene.rs"]
mod scene;

use std::task::Poll;

use bearergate::{
    AuthErrorKind as Kind, FetchErrorKind, Issuer, ResourceServer,
    testing::{Endpoint, Fault, TestClock, TestIssuer},
};
use http::StatusCode;
use scene::{Network, RESOURCE, Scene, offline, pass, refresh};

#[tokio::test(start_paused = true)]
async fn jwk_16_a_lifetime_is_taken_within_a_minute_and_an_hour() {
    for (cache_control, lifetime) in [
        ("max-age=0", 60),
        ("max-age=59", 60),
        ("max-age=60", 60),
        ("no-store", 60),
        ("private, no-cache", 60),
        ("max-age=600, no-cache", 60),
        ("max-age=600", 600),
        ("Public, MAX-AGE=\"600\" , must-revalidate", 600),
        ("max-age=3600", 3600),
        ("max-age=3601", 3600),
        ("max-age=31536000", 3600),
        ("max-age=4294967296", 3600),
        ("max-age=99999999999999999999999999", 3600),
        // No lifetime at all: the default.
        ("max-age=-1", 300),
        ("max-age=1.5", 300),
        ("max-age=", 300),
        ("max-age=0x10", 300),
        ("max-age", 300),
        ("s-maxage=10", 300),
        ("public", 300),
        ("", 300),
    ] {
        let issuer = offline("https://as.example");
        issuer.faults().set(Endpoint::Jwks, Fault::header("cache-control", cache_control));
        let scene = Scene::warm_by(issuer).await;
        let asked = || scene.issuer.requests_to(Endpoint::Jwks);
        // Refreshed at 80 % of the lifetime, give or take 10 %.
        pass(lifetime * 70 / 100).await;
        assert_eq!(asked(), 1, "{cache_control}");
        pass(lifetime * 20 / 100).await;
        assert_eq!(asked(), 2, "{cache_control}");
    }
}

#[tokio::test(start_paused = true)]
async fn dsc_02_keys_are_fetched_from_fetchable_places_alone() {
    let unusable = Err(FetchErrorKind::UnusableUrl);
    for (place, outcome) in [
        ("https://keys.example/jwks", Ok(())),
        // Which hosts may be asked is a matter for a `Fetch` of one's own.
        ("https://10.0.0.1/jwks", Ok(())),
        ("http://keys.example/jwks", unusable),
        ("http://10.0.0.1/jwks", unusable),
        ("http://127.0.0.1/jwks", unusable),
        ("https://user:secret@keys.example/jwks", unusable),
        ("https://keys.example/jwks#keys", unusable),
        ("ftp://keys.example/jwks", unusable),
        ("file:///etc/passwd", unusable),
        ("/jwks", unusable),
        ("", unusable),
    ] {
        let issuer = offline("https://as.example");
        let origin = place.strip_suffix("/jwks").unwrap_or("https://nowhere.example");
        let keys = offline(origin);
        issuer.faults().set(Endpoint::Metadata, Fault::JwksUri(place.into()));
        let api = ResourceServer::builder(RESOURCE)
            .trust(Issuer::discover(issuer.url()))
            .clock(TestClock::new())
            .http_client(Network::of(&[&issuer, &keys]))
            .build()
            .unwrap();
        assert_eq!(refresh(&api).await, outcome, "{place}");
        assert_eq!(keys.requests_to(Endpoint::Jwks) > 0, outcome.is_ok(), "{place}");
        assert_eq!(issuer.requests_to(Endpoint::Jwks), 0, "{place}");
    }
}

/// An issuer whose keys move to another host, where they are others.
struct Moving {
    scene: Scene,
    new_place: TestIssuer,
}

impl Moving {
    async fn new() -> Self {
        let (issuer, new_place) = (offline("https://as.example"), offline("https://keys.example"));
        // So that no two keys have one kid.
        new_place.rotate();
        let network = Network::of(&[&issuer, &new_place]);
        Self { scene: Scene::by(issuer, network).await, new_place }
    }

    fn announce(&self) {
        let place = format!("{}/jwks", self.new_place.url());
        self.scene.issuer.faults().set(Endpoint::Metadata, Fault::JwksUri(place));
    }

    fn new_token(&self) -> String {
        self.new_place.token().issuer(self.scene.issuer.url()).mint()
    }
}

#[tokio::test(start_paused = true)]
async fn dsc_03_keys_that_move_are_found_within_half_a_day() {
    let moving = Moving::new().await;
    let old = moving.scene.token();
    moving.announce();
    // The old place still answers: nothing forces a look.
    moving.scene.pass_serving(11 * 3600 + 1800, &old, "not looked for yet").await;
    assert_eq!(moving.new_place.requests_to(Endpoint::Jwks), 0);
    pass(1800 + 300).await;
    assert_eq!(moving.scene.check_now(&moving.new_token()), Poll::Ready(Ok(())));
    assert_eq!(moving.scene.check(&old).await, Err(Kind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn dsc_03_keys_whose_place_is_gone_are_looked_for_at_once() {
    for gone in [StatusCode::NOT_FOUND, StatusCode::GONE] {
        let moving = Moving::new().await;
        moving.announce();
        moving.scene.issuer.faults().set(Endpoint::Jwks, Fault::Status(gone));
        assert_eq!(refresh(&moving.scene.api).await, Ok(()));
        assert_eq!(moving.scene.check_now(&moving.new_token()), Poll::Ready(Ok(())));
    }
}

#[tokio::test(start_paused = true)]
async fn dsc_03_the_old_keys_stay_until_the_new_set_is_good() {
    for fault in [
        Fault::EmptySet,
        Fault::Html,
        Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::Status(StatusCode::NOT_FOUND),
        Fault::ResetMidHead,
        Fault::Hang,
    ] {
        let what = format!("{fault:?}");
        let moving = Moving::new().await;
        let old = moving.scene.token();
        moving.announce();
        moving.new_place.faults().set(Endpoint::Jwks, fault);
        moving.scene.issuer.faults().set(Endpoint::Jwks, Fault::Status(StatusCode::GONE));
        moving.scene.pass_serving(3000, &old, &what).await;
        assert!(moving.new_place.requests_to(Endpoint::Jwks) > 0, "{what}");
        moving.new_place.faults().clear(Endpoint::Jwks);
        pass(120).await;
        assert_eq!(moving.scene.check_now(&moving.new_token()), Poll::Ready(Ok(())), "{what}");
        assert_eq!(moving.scene.check(&old).await, Err(Kind::UnknownKey), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn dsc_01_metadata_that_turns_to_another_issuer_is_not_followed() {
    let scene = Scene::warm().await;
    let token = scene.token();
    pass(11 * 3600 + 1800).await;
    scene.issuer.faults().set(Endpoint::Metadata, Fault::WrongIssuer("https://as.example/".into()));
    // The keys serve until the stale limit; then the operator has to look.
    scene.pass_serving(5400, &token, "stale").await;
    assert_eq!(refresh(&scene.api).await, Err(FetchErrorKind::IssuerDiffers));
    pass(3600).await;
    assert_eq!(scene.check(&token).await, Err(Kind::KeysUnavailable));
    scene.issuer.faults().clear(Endpoint::Metadata);
    pass(120).await;
    assert_eq!(scene.check_now(&token), Poll::Ready(Ok(())));
}
