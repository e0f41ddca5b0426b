//! Faults of an issuer, over a real socket and in memory: what the client says of each, and that no good token pays for it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "common/scene.rs"]
mod scene;

use std::{task::Poll, time::Duration};

use bearergate::{
    AuthErrorKind as Kind, FetchErrorKind, Issuer, ResourceServer, UnixTime,
    testing::{Endpoint, Fault, TestClock, TestIssuer},
};
use http::{StatusCode, header::CONTENT_TYPE};
use scene::{RESOURCE, Scene, pass, refresh};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const LIMIT: usize = 512 * 1024;

type Outcome = Result<(), FetchErrorKind>;

const GOOD: Outcome = Ok(());
const NO_DOCUMENT: Outcome = Err(FetchErrorKind::InvalidDocument);

/// A server that has its keys by the built-in client, over a socket.
async fn over_a_socket() -> Scene {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await.unwrap();
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build().unwrap();
    api.ready().await.unwrap();
    Scene { issuer, api }
}

/// What a refresh says while each fault stands over a socket; the keys that are held serve on, and the next good answer
/// heals.
async fn refreshes(faults: impl IntoIterator<Item = (Fault, Outcome)>) {
    refreshes_of(&over_a_socket().await, faults).await;
}

async fn refreshes_of(scene: &Scene, faults: impl IntoIterator<Item = (Fault, Outcome)>) {
    let token = scene.token();
    for (fault, outcome) in faults {
        scene.issuer.faults().set(Endpoint::Jwks, fault.clone());
        assert_eq!(refresh(&scene.api).await, outcome, "{fault:?}");
        assert_eq!(scene.check_now(&token), Poll::Ready(Ok(())), "{fault:?}");
        scene.issuer.faults().clear(Endpoint::Jwks);
        assert_eq!(refresh(&scene.api).await, GOOD, "{fault:?}");
    }
}

fn status(status: u16) -> (Fault, Outcome) {
    let status = StatusCode::from_u16(status).unwrap();
    (Fault::Status(status), Err(FetchErrorKind::Status(status)))
}

/// A set of so many keys, one of them the issuer's.
fn set_of(keys: usize, issuer: &TestIssuer) -> Fault {
    let mut set: serde_json::Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let list = set["keys"].as_array_mut().unwrap();
    list.resize(keys, serde_json::json!({"kty": "XYZ"}));
    Fault::Document(set.to_string().into_bytes())
}

// Over a socket

#[tokio::test]
async fn jwk_12_reading_stops_at_the_limit() {
    refreshes([
        (Fault::Oversized(LIMIT), GOOD),
        (Fault::Oversized(LIMIT + 1), Err(FetchErrorKind::TooLarge)),
        (Fault::Oversized(50 * LIMIT), Err(FetchErrorKind::TooLarge)),
        (Fault::Endless, Err(FetchErrorKind::TooLarge)),
    ])
    .await;
}

#[tokio::test]
async fn jwk_12_at_most_256_keys_are_read() {
    let scene = over_a_socket().await;
    let token = scene.token();
    for (keys, outcome) in [(256, GOOD), (257, NO_DOCUMENT)] {
        scene.issuer.faults().set(Endpoint::Jwks, set_of(keys, &scene.issuer));
        assert_eq!(refresh(&scene.api).await, outcome);
        assert_eq!(scene.check_now(&token), Poll::Ready(Ok(())));
    }
}

#[tokio::test]
async fn jwk_12_an_answer_that_lacks_its_end_is_no_answer() {
    refreshes([
        (Fault::Truncated, Err(FetchErrorKind::Body)),
        (Fault::ResetMidBody, Err(FetchErrorKind::Body)),
        (Fault::ResetMidHead, Err(FetchErrorKind::Connect)),
        (Fault::DripFeed(Duration::ZERO), GOOD),
        (Fault::Slow(Duration::from_millis(1)), GOOD),
    ])
    .await;
}

/// Over a socket the deadline runs in real time: this lasts as long as an attempt may. The rows themselves are tested with
/// paused time.
#[tokio::test]
async fn hanging_and_dripping_answers_over_a_socket_have_one_deadline() {
    let mut tasks = tokio::task::JoinSet::new();
    for endpoint in [Endpoint::Jwks, Endpoint::Metadata] {
        for fault in
            [Fault::Hang, Fault::DripFeed(Duration::from_millis(50)), Fault::Slow(Duration::from_secs(60))]
        {
            tasks.spawn(async move {
                let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await.unwrap();
                issuer.faults().set(endpoint, fault.clone());
                let started = tokio::time::Instant::now();
                let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build().unwrap();
                let failed = api.ready().await.unwrap_err();
                let error = failed.failed()[0].error.as_ref().unwrap();
                assert_eq!(error.kind(), FetchErrorKind::Timeout, "{endpoint:?} {fault:?}");
                assert!(started.elapsed() >= Duration::from_millis(4900), "{endpoint:?} {fault:?}");
                issuer.faults().clear(endpoint);
                api.refresh_now().await.unwrap();
            });
        }
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn jwk_13_a_gzip_bomb_is_not_decoded() {
    refreshes([(Fault::GzipBomb, NO_DOCUMENT), (Fault::header("content-encoding", "identity"), GOOD)]).await;
}

#[tokio::test]
async fn jwk_13_no_encoding_is_offered() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let trusted = Issuer::jwks_uri(&url, format!("{url}/jwks")).allow_http_on_loopback();
    let _api = ResourceServer::builder(RESOURCE).trust(trusted).build().unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.shutdown().await.unwrap();
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("get /jwks http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\naccept: application/jwk-set+json"), "{head}");
    assert!(!head.contains("accept-encoding"), "{head}");
}

#[tokio::test]
async fn jwk_14_a_redirect_is_not_followed() {
    let elsewhere = TestIssuer::start().await.unwrap();
    let place = format!("{}/jwks", elsewhere.url()).parse().unwrap();
    refreshes([(Fault::Redirect(place), Err(FetchErrorKind::Status(StatusCode::FOUND)))]).await;
    refreshes([301, 303, 307, 308].map(status)).await;
    assert_eq!(elsewhere.requests_to(Endpoint::Jwks), 0);

    // Nor is one of the metadata.
    let issuer = TestIssuer::start().await.unwrap();
    let place = format!("{}/.well-known/openid-configuration", elsewhere.url()).parse().unwrap();
    issuer.faults().set(Endpoint::Metadata, Fault::Redirect(place));
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build().unwrap();
    assert_eq!(refresh(&api).await, Err(FetchErrorKind::Status(StatusCode::FOUND)));
    assert_eq!(elsewhere.requests_to(Endpoint::Metadata), 0);
    issuer.faults().clear(Endpoint::Metadata);
    assert_eq!(refresh(&api).await, GOOD);
}

#[tokio::test]
async fn jwk_03_a_200_that_holds_no_keys_is_a_failed_fetch() {
    refreshes([
        (Fault::Html, NO_DOCUMENT),
        (Fault::Document(b"{}".to_vec()), NO_DOCUMENT),
        (Fault::Document(Vec::new()), NO_DOCUMENT),
        (Fault::EmptySet, Err(FetchErrorKind::NoUsableKey)),
        (Fault::Document(br#"{"keys":[{"kty":"XYZ"}]}"#.to_vec()), Err(FetchErrorKind::NoUsableKey)),
        (Fault::OddKeys, GOOD),
    ])
    .await;
}

#[tokio::test]
async fn jwk_18_a_document_that_is_not_one_strict_object_is_a_failed_fetch() {
    let scene = over_a_socket().await;
    let good = scene.issuer.jwks();
    let document = |text: String| Fault::Document(text.into_bytes());
    let invalid_utf8 = [b"{\"a\":\"\xff\",", &good.as_bytes()[1..]].concat();
    let nested = |depth: usize| format!("{{\"a\":{}{},{}", "[".repeat(depth), "]".repeat(depth), &good[1..]);
    let documents = [
        (document(good.clone()), GOOD),
        (document(format!("{good}\r\n")), GOOD),
        (document(format!("\u{feff}{good}")), NO_DOCUMENT),
        (document(format!("{good}x")), NO_DOCUMENT),
        (document(format!("{good}{good}")), NO_DOCUMENT),
        (document(good.replace("{\"keys\":", "{\"keys\":[],\"keys\":")), NO_DOCUMENT),
        (Fault::Document(invalid_utf8), NO_DOCUMENT),
        (document(nested(60)), GOOD),
        (document(nested(100)), NO_DOCUMENT),
        (document(nested(100_000)), NO_DOCUMENT),
    ];
    refreshes_of(&scene, documents).await;
}

#[tokio::test]
async fn jwk_02_every_status_but_200_keeps_the_keys() {
    refreshes([201, 204, 304, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504, 599].map(status)).await;
}

#[tokio::test]
async fn jwk_01_a_cold_start_with_a_closed_socket_heals_when_it_opens() {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).start().await.unwrap();
    issuer.faults().refuse_connections().await;
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build().unwrap();
    assert_eq!(refresh(&api).await, Err(FetchErrorKind::Connect));
    let scene = Scene { issuer, api };
    assert_eq!(scene.check(&scene.token()).await, Err(Kind::KeysUnavailable));
    scene.issuer.faults().accept_connections().await.unwrap();
    assert_eq!(refresh(&scene.api).await, GOOD);
    assert_eq!(scene.check(&scene.token()).await, Ok(()));
    // Warm, it costs nothing.
    scene.issuer.faults().refuse_connections().await;
    assert_eq!(refresh(&scene.api).await, Err(FetchErrorKind::Connect));
    assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
}

#[tokio::test]
async fn a_connection_that_is_reset_is_tried_once_more() {
    let scene = over_a_socket().await;
    // The connection that brought the first keys is in the pool, and is the one that breaks.
    for fault in [Fault::ResetMidHead, Fault::ResetMidBody, Fault::Truncated] {
        let asked = || scene.issuer.requests_to(Endpoint::Jwks);
        let before = asked();
        scene.issuer.faults().script(Endpoint::Jwks, [fault.clone()]);
        assert_eq!(refresh(&scene.api).await, GOOD, "{fault:?}");
        assert_eq!(asked() - before, 2, "{fault:?}");
        // Twice in a row is a failure.
        scene.issuer.faults().script(Endpoint::Jwks, [fault.clone(), fault.clone()]);
        assert!(refresh(&scene.api).await.is_err(), "{fault:?}");
        assert_eq!(refresh(&scene.api).await, GOOD, "{fault:?}");
    }
}

#[tokio::test]
async fn connections_that_the_issuer_has_closed_meanwhile_cost_no_fetch() {
    let scene = over_a_socket().await;
    for _ in 0..3 {
        scene.issuer.faults().refuse_connections().await;
        scene.issuer.faults().accept_connections().await.unwrap();
        let before = scene.issuer.requests_to(Endpoint::Jwks);
        assert_eq!(refresh(&scene.api).await, GOOD);
        assert_eq!(scene.issuer.requests_to(Endpoint::Jwks) - before, 1);
    }
}

#[tokio::test]
async fn content_types_of_real_servers_are_all_the_same() {
    let types = [
        "application/jwk-set+json",
        "application/jwk-set+json;charset=UTF-8",
        "application/json",
        "application/json; charset=utf-8",
        "application/octet-stream",
        "text/html",
        "text/plain",
        "nonsense",
    ];
    refreshes(types.map(|value| (Fault::header("content-type", value), GOOD))).await;
    refreshes([(Fault::WithoutHeader(CONTENT_TYPE), GOOD)]).await;
}

/// All that comes for a token request; an error where the connection is reset.
async fn token_response(issuer: &TestIssuer) -> std::io::Result<String> {
    token_response_as(issuer, "127.0.0.1").await
}

async fn token_response_as(issuer: &TestIssuer, host: &str) -> std::io::Result<String> {
    let mut stream = tokio::net::TcpStream::connect(issuer.url().trim_start_matches("http://")).await?;
    let form = "grant_type=client_credentials&client_id=shop&client_secret=secret";
    let length = form.len();
    let head = format!(
        "POST /token HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{form}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// A web page can have its own name point here (DNS rebinding), but not ask for another name.
#[tokio::test]
async fn only_who_asks_for_loopback_is_answered() {
    let issuer = TestIssuer::builder()
        .default_audience(RESOURCE)
        .client("shop", "secret", bearergate::Scopes::parse("read").unwrap())
        .start()
        .await
        .unwrap();
    for (host, status) in [
        ("127.0.0.1", "200 OK"),
        ("127.0.0.1:80", "200 OK"),
        ("localhost:4711", "200 OK"),
        ("[::1]:4711", "200 OK"),
        ("evil.example", "421 Misdirected Request"),
        ("evil.example:80", "421 Misdirected Request"),
        ("127.0.0.1.evil.example", "421 Misdirected Request"),
        ("localhost.evil.example:80", "421 Misdirected Request"),
        ("127.0.0.1:80@evil.example", "421 Misdirected Request"),
        ("", "421 Misdirected Request"),
    ] {
        let answer = token_response_as(&issuer, host).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{host}: {answer}");
    }
}

#[tokio::test]
async fn the_token_endpoint_has_faults_of_its_own() {
    let issuer = TestIssuer::builder()
        .default_audience(RESOURCE)
        .client("shop", "secret", bearergate::Scopes::parse("read").unwrap())
        .start()
        .await
        .unwrap();
    let unavailable = Fault::Status(StatusCode::SERVICE_UNAVAILABLE);
    issuer.faults().script(
        Endpoint::Token,
        [Fault::None, unavailable, Fault::Truncated, Fault::ResetMidBody, Fault::DripFeed(Duration::ZERO)],
    );
    let good = token_response(&issuer).await.unwrap();
    assert!(good.starts_with("HTTP/1.1 200 OK\r\n") && good.ends_with('}'), "{good}");
    assert!(token_response(&issuer).await.unwrap().starts_with("HTTP/1.1 503 "));
    let cut = token_response(&issuer).await.unwrap();
    assert!(cut.starts_with("HTTP/1.1 200 OK\r\n") && !cut.ends_with('}'), "{cut}");
    assert_eq!(token_response(&issuer).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    for _ in 0..2 {
        let good = token_response(&issuer).await.unwrap();
        assert!(good.starts_with("HTTP/1.1 200 OK\r\n") && good.ends_with('}'), "{good}");
    }
    assert_eq!(issuer.requests_to(Endpoint::Token), 6);
    assert_eq!(issuer.requests("/token"), 6);
    assert_eq!(issuer.requests_to(Endpoint::Jwks), 0);
}

#[tokio::test]
async fn fields_stand_in_the_answer_once() {
    let issuer =
        TestIssuer::builder().clock(TestClock::at(UnixTime::from_secs(784_111_777))).start().await.unwrap();
    for (fault, name, value) in [
        (Fault::SkewedDate(-60), "date", "Sun, 06 Nov 1994 08:48:37 GMT"),
        (Fault::header("content-type", "text/plain"), "content-type", "text/plain"),
        (Fault::header("cache-control", "max-age=5"), "cache-control", "max-age=5"),
    ] {
        issuer.faults().set(Endpoint::Token, fault);
        let answer = token_response(&issuer).await.unwrap();
        let fields: Vec<_> = answer.lines().filter(|line| line.starts_with(&format!("{name}: "))).collect();
        assert_eq!(fields, [format!("{name}: {value}")], "{answer}");
    }
}

// In memory, with paused time

/// Faults under which keys are read all the same, and those under which they are not.
fn all_faults() -> Vec<(Fault, bool)> {
    let s = Duration::from_secs;
    let mut faults = vec![
        (Fault::Document(b"\xef\xbb\xbf{}".to_vec()), false),
        (Fault::DripFeed(Duration::from_millis(1)), true),
        (Fault::DripFeed(s(1)), false),
        (Fault::EmptySet, false),
        (Fault::Endless, false),
        (Fault::flapping(3, Fault::ResetMidHead), true),
        (Fault::flapping(2, Fault::flapping(3, Fault::Hang)), true),
        (Fault::GzipBomb, false),
        (Fault::Hang, false),
        (Fault::header("content-type", "text/html"), true),
        (Fault::header("cache-control", "no-store, max-age=0"), true),
        (Fault::header("etag", "*"), true),
        (Fault::Html, false),
        (Fault::None, true),
        (Fault::OddKeys, true),
        (Fault::OutOfOrder, false),
        (Fault::Oversized(LIMIT), true),
        (Fault::Oversized(LIMIT + 1), false),
        (Fault::Redirect("https://as.example/jwks".parse().unwrap()), false),
        (Fault::ResetMidBody, false),
        (Fault::ResetMidHead, false),
        (Fault::SkewedDate(86_400), true),
        (Fault::SkewedDate(-86_400), true),
        (Fault::Slow(s(4)), true),
        (Fault::Slow(s(6)), false),
        (Fault::Truncated, false),
        (Fault::WithoutHeader(CONTENT_TYPE), true),
    ];
    faults.extend([400, 404, 410, 429, 500, 503].map(|code| (status(code).0, false)));
    faults
}

#[tokio::test(start_paused = true)]
async fn jwk_02_no_fault_of_the_key_set_costs_a_good_token() {
    for (fault, keys_come) in all_faults() {
        let what = format!("{fault:?}");
        let scene = Scene::warm().await;
        let token = scene.token();
        scene.issuer.faults().set(Endpoint::Jwks, fault);
        let before = scene.issuer.requests_to(Endpoint::Jwks);
        scene.pass_serving(3600, &token, &what).await;
        assert!(scene.issuer.requests_to(Endpoint::Jwks) > before, "{what}");
        // Beyond the stale limit only those keys serve that came meanwhile.
        pass(900).await;
        if keys_come {
            scene.pass_serving(600, &token, &what).await;
        } else {
            assert_eq!(scene.check(&token).await, Err(Kind::KeysUnavailable), "{what}");
        }
        scene.issuer.faults().clear(Endpoint::Jwks);
        scene.api.ready_all(Duration::from_secs(120)).await.unwrap();
        assert_eq!(scene.check_now(&token), Poll::Ready(Ok(())), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_fault_of_the_metadata_costs_a_good_token() {
    let moved = [
        Fault::JwksUri("https://as.example/elsewhere".into()),
        Fault::JwksUri("http://as.example/jwks".into()),
        Fault::JwksUri("https://user:secret@as.example/jwks".into()),
        Fault::WrongIssuer("https://as.example/".into()),
    ];
    for fault in all_faults().into_iter().map(|(fault, _)| fault).chain(moved) {
        let what = format!("{fault:?}");
        let scene = Scene::warm().await;
        let token = scene.token();
        pass(11 * 3600 + 1800).await;
        scene.issuer.faults().set(Endpoint::Metadata, fault);
        let before = scene.issuer.requests_to(Endpoint::Metadata);
        scene.pass_serving(5400, &token, &what).await;
        assert!(scene.issuer.requests_to(Endpoint::Metadata) > before, "{what}");
        scene.issuer.faults().clear(Endpoint::Metadata);
        pass(120).await;
        assert_eq!(refresh(&scene.api).await, GOOD, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_02_refused_connections_cost_no_good_token() {
    let scene = Scene::warm().await;
    let token = scene.token();
    scene.issuer.faults().refuse_connections().await;
    scene.pass_serving(3600, &token, "refused").await;
    scene.issuer.faults().accept_connections().await.unwrap();
    pass(120).await;
    scene.pass_serving(7200, &token, "open again").await;
}

#[tokio::test(start_paused = true)]
async fn jwk_01_a_cold_start_with_a_fault_is_503_and_heals() {
    for (fault, keys_come) in all_faults() {
        let what = format!("{fault:?}");
        let issuer = scene::offline("https://as.example");
        issuer.faults().set(Endpoint::Jwks, fault);
        let api = ResourceServer::builder(RESOURCE)
            .trust(Issuer::discover(issuer.url()))
            .clock(TestClock::new())
            .http_client(issuer.fetch())
            .build()
            .unwrap();
        let scene = Scene { issuer, api };
        let first = scene.check(&scene.token()).await;
        assert!(matches!(first, Ok(()) | Err(Kind::KeysUnavailable)), "{what}: {first:?}");
        if !keys_come {
            assert_eq!(first, Err(Kind::KeysUnavailable), "{what}");
        }
        scene.issuer.faults().clear(Endpoint::Jwks);
        scene.api.ready_all(Duration::from_secs(120)).await.unwrap();
        assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn jwk_19_keys_that_are_replaced_in_place_are_found_by_the_first_token() {
    let scene = Scene::warm().await;
    let old = scene.token();
    pass(31).await;
    scene.issuer.rotate_in_place();
    let new = scene.token();
    assert_eq!(scene.check(&new).await, Ok(()));
    assert_eq!(scene.check_now(&old), Poll::Ready(Err(Kind::InvalidSignature)));
    // By itself the issuer does it just before it answers.
    scene.issuer.faults().script(Endpoint::Jwks, [Fault::KeysReplacedInPlace]);
    assert_eq!(refresh(&scene.api).await, GOOD);
    assert_eq!(scene.check_now(&new), Poll::Ready(Err(Kind::InvalidSignature)));
    assert_eq!(scene.check_now(&scene.token()), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn jwk_11_an_answer_that_never_overtakes_the_next_changes_nothing() {
    let scene = Scene::warm().await;
    let old = scene.token();
    // The answer holds the old keys, and is given up before the next one is asked for.
    scene.issuer.faults().script(Endpoint::Jwks, [Fault::OutOfOrder]);
    assert_eq!(refresh(&scene.api).await, Err(FetchErrorKind::Timeout));
    scene.issuer.rotate();
    let new = scene.token();
    assert_eq!(refresh(&scene.api).await, GOOD);
    scene.pass_serving(1200, &new, "the new keys stay").await;
    assert_eq!(scene.check(&old).await, Err(Kind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn a_flapping_issuer_answers_every_third_time_as_its_script_lets_it() {
    let scene = Scene::warm().await;
    let faults = scene.issuer.faults();
    faults.set(Endpoint::Jwks, Fault::flapping(3, Fault::Status(StatusCode::BAD_REQUEST)));
    let bad = Err(FetchErrorKind::Status(StatusCode::BAD_REQUEST));
    for outcome in [bad, bad, GOOD, bad] {
        assert_eq!(refresh(&scene.api).await, outcome);
    }
    // A script goes first, and does not count.
    faults.script(Endpoint::Jwks, [Fault::None, Fault::Html]);
    for outcome in [GOOD, NO_DOCUMENT, bad, GOOD] {
        assert_eq!(refresh(&scene.api).await, outcome);
    }
    // A clone of the issuer has the same faults.
    scene.issuer.clone().faults().clear(Endpoint::Jwks);
    assert_eq!(refresh(&scene.api).await, GOOD);
}
