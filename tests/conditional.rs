//! A key set that did not change is not sent again, and one that did is never missed.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/scene.rs"]
mod scene;

use std::{task::Poll, time::Duration};

use bearergate::{
    AuthErrorKind as Kind, Fetch, FetchErrorKind, FetchFuture, FetchRequest, FetchResponse, Issuer,
    ResourceServer,
    testing::{Endpoint, Fault, IssuerFetch, TestIssuer},
};
use http::{HeaderMap, HeaderValue, StatusCode};
use scene::{Network, RESOURCE, Scene, offline, pass, refresh};

/// An issuer, and a server whose requests are written down.
async fn watched() -> (Scene, Network) {
    let issuer = offline("https://as.example");
    watched_with(issuer).await
}

async fn watched_with(issuer: TestIssuer) -> (Scene, Network) {
    let network = Network::of(&[&issuer]);
    (Scene::by(issuer, network.clone()).await, network)
}

fn asked(scene: &Scene) -> u64 {
    scene.issuer.requests_to(Endpoint::Jwks)
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_set_is_sent_once_and_lives_on() {
    let scene = Scene::warm().await;
    let token = scene.token();
    scene.pass_serving(7200, &token, "unchanged").await;
    assert!(asked(&scene) > 20);
    assert_eq!(scene.issuer.not_modified(), asked(&scene) - 1);
}

#[tokio::test]
async fn an_unchanged_set_is_sent_once_over_a_socket() {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await.unwrap();
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build().unwrap();
    api.ready().await.unwrap();
    let scene = Scene { issuer, api };
    // A token with an unknown kid asks for a newer set.
    let unknown = scene.issuer.token().header("kid", "unknown").mint();
    assert_eq!(scene.check(&unknown).await, Err(Kind::UnknownKey));
    assert_eq!((asked(&scene), scene.issuer.not_modified()), (2, 1));
    assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn jwk_04_a_rotation_is_seen_despite_the_entity_tag() {
    let scene = Scene::warm().await;
    let old = scene.token();
    pass(1000).await;
    scene.issuer.rotate();
    let new = scene.token();
    pass(300).await;
    assert_eq!(scene.check_now(&new), Poll::Ready(Ok(())));
    assert_eq!(scene.check(&old).await, Err(Kind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn jwk_07_the_first_token_of_a_new_key_is_seen_despite_the_entity_tag() {
    let scene = Scene::warm().await;
    for _ in 0..3 {
        scene.issuer.rotate();
        assert_eq!(scene.check(&scene.token()).await, Ok(()));
        pass(31).await;
    }
    for _ in 0..3 {
        scene.issuer.rotate_in_place();
        assert_eq!(scene.check(&scene.token()).await, Ok(()));
        pass(31).await;
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_19_a_forgery_stays_401_when_the_set_is_unchanged() {
    let scene = Scene::warm().await;
    pass(31).await;
    let forged = scene.issuer.token().forged().mint();
    assert_eq!(scene.check(&forged).await, Err(Kind::InvalidSignature));
    assert_eq!((asked(&scene), scene.issuer.not_modified()), (2, 1));
    assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn the_lifetime_starts_anew_with_each_304() {
    let issuer = offline("https://as.example");
    issuer.faults().set(Endpoint::Jwks, Fault::header("cache-control", "max-age=120"));
    let scene = Scene::warm_by(issuer).await;
    let token = scene.token();
    // 80 % of 120 s, give or take 10 %.
    let count = async |seconds| {
        let before = asked(&scene);
        scene.pass_serving(seconds, &token, "").await;
        asked(&scene) - before
    };
    assert!((11..=15).contains(&count(1200).await));
    // A 304 that names no lifetime leaves the one of the set.
    scene.issuer.faults().clear(Endpoint::Jwks);
    assert!((11..=15).contains(&count(1200).await));
    // One that names another is believed.
    scene.issuer.faults().set(Endpoint::Jwks, Fault::header("cache-control", "max-age=1200"));
    count(180).await;
    assert!((3..=5).contains(&count(3600).await));
    // And what it named is remembered, as if it stood with the set.
    scene.issuer.faults().clear(Endpoint::Jwks);
    assert!((3..=5).contains(&count(3600).await));
    assert_eq!(scene.issuer.not_modified(), asked(&scene) - 1);
}

#[tokio::test(start_paused = true)]
async fn a_304_that_nobody_asked_for_is_a_failed_fetch() {
    let issuer = offline("https://as.example");
    issuer.faults().set(Endpoint::Jwks, Fault::Status(StatusCode::NOT_MODIFIED));
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(issuer.url()))
        .http_client(issuer.fetch())
        .build()
        .unwrap();
    assert_eq!(refresh(&api).await, Err(FetchErrorKind::Status(StatusCode::NOT_MODIFIED)));
    let scene = Scene { issuer, api };
    assert_eq!(scene.check(&scene.token()).await, Err(Kind::KeysUnavailable));
    // Metadata is always asked for in full.
    scene.issuer.faults().clear(Endpoint::Jwks);
    scene.issuer.faults().set(Endpoint::Metadata, Fault::Status(StatusCode::NOT_MODIFIED));
    let fresh = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(scene.issuer.url()))
        .http_client(scene.issuer.fetch())
        .build()
        .unwrap();
    assert_eq!(refresh(&fresh).await, Err(FetchErrorKind::Status(StatusCode::NOT_MODIFIED)));
    scene.issuer.faults().clear(Endpoint::Metadata);
    // Where a set is held, and the whole of it was asked for, it is a failure too.
    assert_eq!(refresh(&scene.api).await, Ok(()));
    scene.issuer.faults().set(Endpoint::Jwks, Fault::Status(StatusCode::NOT_MODIFIED));
    assert_eq!(refresh(&scene.api).await, Err(FetchErrorKind::Status(StatusCode::NOT_MODIFIED)));
    assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
}

/// Answers every conditional request with 304, about a document that it was not asked for.
#[derive(Clone, Debug)]
struct Confused(IssuerFetch);

impl Fetch for Confused {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        if request.if_none_match.is_none() {
            return self.0.fetch(request);
        }
        let mut headers = HeaderMap::new();
        headers.insert("etag", HeaderValue::from_static("\"another\""));
        let answer = FetchResponse::new(StatusCode::NOT_MODIFIED, headers, Vec::new());
        Box::pin(std::future::ready(Ok(answer)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_304_about_another_document_is_no_answer_and_the_set_is_asked_for_in_full() {
    let issuer = offline("https://as.example");
    let fetch = Confused(issuer.fetch());
    let scene = Scene::by(issuer, fetch).await;
    let old = scene.token();
    scene.issuer.rotate();
    assert_eq!(scene.check(&scene.token()).await, Ok(()));
    assert_eq!(scene.check_now(&old), Poll::Ready(Err(Kind::UnknownKey)));
    scene.issuer.rotate();
    let new = scene.token();
    pass(300).await;
    assert_eq!(scene.check_now(&new), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn dsc_03_the_tag_of_one_place_is_not_shown_to_another() {
    let (first, second) = (offline("https://as.example"), offline("https://keys.example"));
    let network = Network::of(&[&first, &second]);
    let scene = Scene::by(first, network.clone()).await;
    pass(300).await;
    let requests = network.jwks_requests();
    assert_eq!(requests[0].if_none_match, None);
    assert!(requests.iter().skip(1).all(|request| request.if_none_match.is_some()) && requests.len() > 1);

    let moved = format!("{}/jwks", second.url());
    scene.issuer.faults().set(Endpoint::Metadata, Fault::JwksUri(moved));
    scene.issuer.faults().set(Endpoint::Jwks, Fault::Status(StatusCode::GONE));
    pass(600).await;
    let mut requests = network.jwks_requests();
    requests.retain(|request| request.url.host() == Some("keys.example"));
    assert_eq!(requests[0].if_none_match, None);
    assert!(requests.iter().skip(1).all(|request| request.if_none_match.is_some()) && requests.len() > 1);
    assert_eq!(second.not_modified(), requests.len() as u64 - 1);
    let token = second.token().issuer(scene.issuer.url()).mint();
    assert_eq!(scene.check_now(&token), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn jwk_05_refresh_now_has_the_issuer_itself_answer_in_full() {
    let (scene, network) = watched().await;
    let _first = network.jwks_requests();
    for _ in 0..3 {
        assert_eq!(refresh(&scene.api).await, Ok(()));
        let requests = network.jwks_requests();
        assert_eq!(requests.len(), 1);
        assert_eq!((&requests[0].if_none_match, requests[0].no_cache), (&None, true));
        pass(300).await;
        let requests = network.jwks_requests();
        assert!(!requests.is_empty());
        assert!(requests.iter().all(|request| request.if_none_match.is_some() && !request.no_cache));
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_05_refresh_now_does_not_join_a_fetch_that_is_content_with_304() {
    let (scene, network) = watched().await;
    scene.issuer.faults().set(Endpoint::Jwks, Fault::Slow(Duration::from_secs(2)));
    pass(1).await;
    let _first = network.jwks_requests();
    // A token with an unknown kid starts a fetch; two operators ask while it runs.
    let unknown = scene.issuer.token().header("kid", "unknown").mint();
    let operators = async {
        pass(1).await;
        tokio::join!(refresh(&scene.api), refresh(&scene.api))
    };
    let (_refused, refreshed) = tokio::join!(scene.check(&unknown), operators);
    assert_eq!(refreshed, (Ok(()), Ok(())));
    let requests: Vec<_> = network
        .jwks_requests()
        .iter()
        .map(|request| (request.if_none_match.is_some(), request.no_cache))
        .collect();
    assert_eq!(requests, [(true, false), (false, true)]);
}

#[tokio::test(start_paused = true)]
async fn jwk_05_refresh_now_waits_its_turn_behind_a_token_that_was_faster() {
    let (scene, network) = watched().await;
    scene.issuer.faults().set(Endpoint::Jwks, Fault::Slow(Duration::from_millis(500)));
    let _first = network.jwks_requests();
    let unknown = scene.issuer.token().header("kid", "unknown").mint();
    // When the first refresh ends, the token starts a fetch before the second operator gets the word.
    let second = async {
        pass(0).await;
        refresh(&scene.api).await
    };
    let token = async {
        tokio::task::yield_now().await;
        scene.check(&unknown).await
    };
    let (one, refused, two) = tokio::join!(biased; refresh(&scene.api), token, second);
    assert_eq!((one, refused, two), (Ok(()), Err(Kind::UnknownKey), Ok(())));
    let requests: Vec<_> = network
        .jwks_requests()
        .iter()
        .map(|request| (request.if_none_match.is_some(), request.no_cache))
        .collect();
    assert_eq!(requests, [(false, true), (true, false), (false, true)]);
}

#[tokio::test(start_paused = true)]
async fn weak_tags_will_do_and_what_is_no_tag_is_not_sent_back() {
    let long = format!("\"{}\"", "a".repeat(255));
    for (tag, kept) in
        [("\"strong\"", true), ("W/\"weak\"", true), ("*", false), ("bare", false), (long.as_str(), false)]
    {
        let issuer = offline("https://as.example");
        issuer.faults().set(Endpoint::Jwks, Fault::header("etag", tag));
        let (scene, network) = watched_with(issuer).await;
        let token = scene.token();
        scene.pass_serving(900, &token, tag).await;
        let requests = network.jwks_requests();
        let conditional = requests.iter().filter(|request| request.if_none_match.is_some()).count();
        assert_eq!(conditional, if kept { requests.len() - 1 } else { 0 }, "{tag}");
        assert_eq!(scene.issuer.not_modified(), conditional as u64, "{tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_without_a_tag_is_read_in_full() {
    let issuer = offline("https://as.example");
    issuer.faults().set(Endpoint::Jwks, Fault::WithoutHeader(http::header::ETAG));
    let (scene, network) = watched_with(issuer).await;
    scene.pass_serving(900, &scene.token(), "no tag").await;
    assert!(network.jwks_requests().iter().all(|request| request.if_none_match.is_none()));
    assert_eq!(scene.issuer.not_modified(), 0);
}

#[tokio::test(start_paused = true)]
async fn jwk_04_a_tag_that_does_not_change_with_the_keys_hides_them_for_half_a_day_at_most() {
    let issuer = offline("https://as.example");
    issuer.faults().set(Endpoint::Jwks, Fault::header("etag", "\"constant\""));
    let scene = Scene::warm_by(issuer).await;
    let old = scene.token();
    scene.issuer.rotate();
    let new = scene.token();
    scene.pass_serving(11 * 3600, &old, "hidden").await;
    pass(3600 + 300).await;
    assert_eq!(scene.check_now(&new), Poll::Ready(Ok(())));
    assert_eq!(scene.check(&old).await, Err(Kind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn jwk_03_a_bad_answer_in_between_loses_neither_keys_nor_tag() {
    let (scene, network) = watched().await;
    let token = scene.token();
    scene.issuer.faults().script(Endpoint::Jwks, [Fault::EmptySet, Fault::Html]);
    scene.pass_serving(900, &token, "bad answers in between").await;
    let requests = network.jwks_requests();
    assert!(requests.iter().skip(1).all(|request| request.if_none_match.is_some()));
    assert!(scene.issuer.not_modified() >= 1);
}
