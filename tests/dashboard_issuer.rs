//! The example `dashboard` with an issuer that does what it likes: what is not good is not taken, and what is passing ends no session.
#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test fails by panicking; the times of files; and the browser of a user"
)]

#[path = "common/browser.rs"]
mod browser;
#[path = "../examples/dashboard/identity.rs"]
mod identity;
#[path = "common/tool.rs"]
mod tool;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, header::AUTHORIZATION},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::UnixTime;
use browser::Browser;
use http::{
    StatusCode,
    header::{CONTENT_TYPE, COOKIE, ORIGIN},
};
use identity::{Identity, identity};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tool::Running;
use url::{Url, form_urlencoded};

const ISSUER: &str = "https://login.example.com";
const NOW: i64 = 1_800_000_000;

fn id_token(claims: &Value) -> String {
    format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// OpenID Connect Core §3.1.3.7.
#[test]
fn an_id_token_with_one_fault_says_nobody() {
    let good = json!({"iss": ISSUER, "sub": "ann", "aud": "app", "exp": NOW + 1, "nonce": "n"});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let verdict = |claims: &Value| identity(&id_token(claims), ISSUER, "app", "n", UnixTime::from_secs(NOW));
    for neighbour in [
        good.clone(),
        with("aud", json!(["app"])),
        with("azp", json!("app")),
        with("exp", json!(NOW as f64 + 0.5)),
        with("iat", json!(NOW + 60)),
    ] {
        let expected = Identity { subject: "ann".to_owned(), name: "ann".to_owned() };
        assert_eq!(verdict(&neighbour), Ok(expected), "{neighbour}");
    }
    assert_eq!(verdict(&with("name", json!("Ann Arbor"))).unwrap().name, "Ann Arbor");
    for (bad, why) in [
        (with("iss", json!("https://login.example.com/")), "another issuer"),
        (with("aud", json!("other")), "another client"),
        (with("aud", json!(["app", "other"])), "another client"),
        (with("aud", json!([])), "another client"),
        (with("aud", json!(1)), "another client"),
        (with("azp", json!("other")), "another client"),
        (with("exp", json!(NOW)), "expired"),
        (with("exp", json!(NOW as f64 - 0.5)), "expired"),
        (with("nonce", json!("m")), "another request"),
        (with("nonce", Value::Null), "another request"),
        (with("sub", Value::Null), "cannot be read"),
        (with("exp", json!("tomorrow")), "cannot be read"),
    ] {
        assert!(verdict(&bad).is_err_and(|said| said.contains(why)), "{bad}");
    }
    for bad in ["", "x", "e30", "e30.e30.", "e30.!.", "e30.e30"] {
        assert!(identity(bad, ISSUER, "app", "n", UnixTime::from_secs(NOW)).is_err(), "{bad}");
    }
}

/// What the issuer does.
#[derive(Default)]
struct Whim {
    /// Members of the metadata.
    metadata: Value,
    /// Claims of the ID token.
    claims: Value,
    /// Members of what the token endpoint gives.
    granted: Value,
    /// What it answers a refresh instead.
    refusal: Option<(StatusCode, Value)>,
}

#[derive(Default)]
struct Issuer {
    url: String,
    whim: Mutex<Whim>,
    /// Path and form, and `basic` where there are such credentials.
    requests: Mutex<Vec<String>>,
    /// Where a refresh waits, it says so, and goes on when it is told.
    waits: Mutex<Option<(Arc<Notify>, Arc<Notify>)>>,
}

type Shared = State<Arc<Issuer>>;

fn merged(mut value: Value, with: &Value) -> Value {
    for (name, member) in with.as_object().into_iter().flatten() {
        if member.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = member.clone();
        }
    }
    value
}

async fn metadata(State(issuer): Shared) -> Json<Value> {
    let url = &issuer.url;
    let metadata = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "revocation_endpoint": format!("{url}/revoke"),
        "jwks_uri": format!("{url}/jwks"),
    });
    Json(merged(metadata, &issuer.whim.lock().unwrap().metadata))
}

impl Issuer {
    fn note(&self, path: &str, headers: &HeaderMap, body: &str) {
        let basic = if headers.contains_key(AUTHORIZATION) { " basic" } else { "" };
        self.requests.lock().unwrap().push(format!("{path} {body}{basic}"));
    }

    fn count(&self, text: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|request| request.contains(text)).count()
    }
}

/// Each code is the nonce; refresh tokens are numbered.
async fn token(State(issuer): Shared, headers: HeaderMap, body: String) -> Response {
    issuer.note("token", &headers, &body);
    let form: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let value = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let is_refresh = value("grant_type") == Some("refresh_token");
    if is_refresh {
        let waits = issuer.waits.lock().unwrap().take();
        if let Some((comes, goes_on)) = waits {
            comes.notify_one();
            goes_on.notified().await;
        }
    }
    let whim = issuer.whim.lock().unwrap();
    if let Some((status, content)) = whim.refusal.as_ref().filter(|_| is_refresh) {
        return (*status, Json(content.clone())).into_response();
    }
    let claims = json!({
        "iss": issuer.url,
        "sub": "ann",
        "aud": "app",
        "exp": i64::from(u32::MAX),
        "nonce": value("code"),
    });
    let number = issuer.requests.lock().unwrap().iter().filter(|one| one.starts_with("token ")).count();
    let granted = json!({
        // The API takes it for no token at all, and says so.
        "access_token": "x",
        "token_type": "Bearer",
        // So each call is a reason for another one.
        "expires_in": 0,
        "refresh_token": format!("refresh-{number}"),
        "id_token": id_token(&merged(claims, &whim.claims)),
    });
    Json(merged(granted, &whim.granted)).into_response()
}

async fn revocation(State(issuer): Shared, headers: HeaderMap, body: String) {
    issuer.note("revoke", &headers, &body);
}

/// An issuer, and a dashboard that it has for a client: with a secret, and none.
struct Scene {
    issuer: Arc<Issuer>,
    running: Running,
    browser: Browser,
}

impl Scene {
    async fn new(whim: Whim) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Arc::new(Issuer { url, whim: Mutex::new(whim), ..Issuer::default() });
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(async || Json(json!({"keys": []}))))
            .route("/token", post(token))
            .route("/revoke", post(revocation))
            .with_state(Arc::clone(&issuer));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut running = start(&issuer.url);
        let line = running.line().unwrap_or_default();
        let browser = Browser::new(&line.parse().unwrap_or_else(|_| panic!("{line}")));
        Self { issuer, running, browser }
    }

    fn whim(&self, change: impl FnOnce(&mut Whim)) {
        change(&mut self.issuer.whim.lock().unwrap());
    }

    /// The page after a login.
    async fn log_in(&mut self) -> browser::Page {
        let login = self.browser.get("/login").await;
        let asked: Url = login.location().parse().unwrap();
        let value = |name: &str| asked.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &value("nonce"))
            .append_pair("state", &value("state"))
            .finish();
        let answer = self.browser.get(&format!("/callback?{query}")).await;
        if answer.status == StatusCode::SEE_OTHER { self.browser.get("/").await } else { answer }
    }
}

fn start(issuer: &str) -> Running {
    Running::start_with(
        "dashboard",
        &[],
        &[
            ("OAUTH2_ISSUER", issuer),
            ("OAUTH2_CLIENT_ID", "app"),
            ("OAUTH2_CLIENT_SECRET", "secret"),
            ("OAUTH2_RESOURCE", "https://api.example.com"),
            ("OAUTH2_REDIRECT_URI", "http://127.0.0.1:0/callback"),
        ],
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_signed_in_is_checked() {
    let mut scene = Scene::new(Whim::default()).await;
    for (claims, granted, why) in [
        (json!({"iss": "https://evil.example"}), json!({}), "another issuer"),
        (json!({"aud": "other"}), json!({}), "another client"),
        (json!({"exp": 1}), json!({}), "expired"),
        (json!({"nonce": "x"}), json!({}), "another request"),
        (json!({}), json!({"id_token": null}), "there is none"),
        (json!({}), json!({"token_type": "DPoP"}), "no bearer token"),
    ] {
        scene.whim(|whim| (whim.claims, whim.granted) = (claims.clone(), granted.clone()));
        let page = scene.log_in().await;
        assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{claims} {granted}");
        assert!(page.text.contains(why), "{why}: {}", page.text);
        assert!(!scene.browser.is_logged_in().await, "{why}");
    }
    // What came with a bad ID token is not left lying about.
    assert_eq!(scene.issuer.count("revoke token=refresh-"), 5);
    scene.whim(|whim| (whim.claims, whim.granted) = (json!({"name": "<b>Ann"}), json!({})));
    let page = scene.log_in().await;
    assert!(page.text.contains("Hello, <bdi>&lt;b&gt;Ann</bdi>"), "{}", page.text);
    assert_eq!(scene.issuer.count("resource=https%3A%2F%2Fapi.example.com"), scene.issuer.count("token "));
}

/// RFC 6749 §5.2: only `invalid_grant` says something about the refresh token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_ends_no_session() {
    let mut scene = Scene::new(Whim::default()).await;
    scene.log_in().await;
    for (status, error) in [
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        (StatusCode::UNAUTHORIZED, "invalid_client"),
        (StatusCode::TOO_MANY_REQUESTS, "slow_down"),
        (StatusCode::BAD_REQUEST, "invalid_scope"),
    ] {
        scene.whim(|whim| whim.refusal = Some((status, json!({"error": error}))));
        let page = scene.browser.press("/call", "call=me").await;
        assert!(page.text.contains(error) && page.text.contains("try again"), "{}", page.text);
        assert!(!page.text.contains("Log in again"), "{}", page.text);
    }
    scene.whim(|whim| whim.refusal = Some((StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"}))));
    let page = scene.browser.press("/call", "call=me").await;
    assert!(page.text.contains("invalid_grant") && page.text.contains("Log in again"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_refresh_token_nobody_is_asked() {
    let whim = Whim { granted: json!({"refresh_token": null}), ..Whim::default() };
    let mut scene = Scene::new(whim).await;
    let page = scene.log_in().await;
    assert!(page.text.contains("There is no refresh token"), "{}", page.text);
    assert_eq!(scene.issuer.count("grant_type=refresh_token"), 0);
}

/// What is wrong with a new token is wrong with the next one too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_anew_is_not_replaced_again_and_again() {
    let whim = Whim { granted: json!({"expires_in": 60}), ..Whim::default() };
    let mut scene = Scene::new(whim).await;
    for _ in 0..2 {
        let page = if scene.browser.cookies.is_empty() {
            scene.log_in().await
        } else {
            scene.browser.press("/call", "call=orders").await
        };
        assert!(page.text.contains("another one will not help"), "{}", page.text);
        assert_eq!(scene.issuer.count("grant_type=refresh_token"), 1);
    }
}

/// One that is not replaced is good for more than once (RFC 6749 §6).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_stays_where_no_other_comes() {
    let mut scene = Scene::new(Whim::default()).await;
    scene.log_in().await;
    let latest = scene.issuer.count("token ");
    scene.whim(|whim| whim.granted = json!({"refresh_token": null}));
    for presses in 1..=2 {
        scene.browser.press("/call", "call=me").await;
        assert_eq!(scene.issuer.count(&format!("refresh_token=refresh-{latest}")), presses);
    }
}

/// The browser goes away while the issuer replaces the refresh token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_is_done_to_its_end() {
    let mut scene = Scene::new(Whim::default()).await;
    scene.log_in().await;
    let (comes, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    *scene.issuer.waits.lock().unwrap() = Some((Arc::clone(&comes), Arc::clone(&goes_on)));
    let cookies: Vec<_> =
        scene.browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let url = scene.browser.dashboard.clone();
    let request = scene
        .browser
        .client
        .post(url.join("/call").unwrap())
        .header(ORIGIN, url.origin().ascii_serialization())
        .header(COOKIE, cookies.join("; "))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("call=me");
    tokio::select! {
        _ = request.send() => panic!("nobody has answered yet"),
        () = comes.notified() => (),
    }
    // Its connection is closed; the dashboard gets to know.
    goes_on.notify_one();
    scene.browser.press("/call", "call=me").await;
    let requests = scene.issuer.requests.lock().unwrap().clone();
    let used: Vec<_> = requests.iter().filter(|one| one.contains("grant_type=refresh_token")).collect();
    let once: HashSet<_> = used.iter().copied().collect();
    assert_eq!(used.len(), 3, "one at the login, and one for each press: {used:#?}");
    assert_eq!(once.len(), 3, "no refresh token was used twice: {used:#?}");
}

/// RFC 8414 §2: a client shows its secret as the server says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_goes_where_the_metadata_says() {
    for (token, revocation) in [(true, true), (true, false), (false, true), (false, false)] {
        let post_alone = |basic: bool| if basic { Value::Null } else { json!(["client_secret_post"]) };
        let metadata = json!({
            "token_endpoint_auth_methods_supported": post_alone(token),
            "revocation_endpoint_auth_methods_supported": post_alone(revocation),
        });
        let mut scene = Scene::new(Whim { metadata, ..Whim::default() }).await;
        scene.log_in().await;
        scene.browser.press("/revoke", "").await;
        for (path, basic) in [("token", token), ("revoke", revocation)] {
            let requests = scene.issuer.requests.lock().unwrap();
            let mut to_it = requests.iter().filter(|request| request.starts_with(path)).peekable();
            assert!(to_it.peek().is_some());
            for request in to_it {
                assert_eq!(request.ends_with(" basic"), basic, "{request}");
                assert_eq!(request.contains("client_secret=secret"), !basic, "{request}");
            }
        }
    }
}

/// RFC 6749 §3.1, §3.2: a code, a secret and an unsigned word about a user go nowhere in the clear. RFC 8414 §3.3, RFC 9207 §2.4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_cannot_be_trusted_is_not_begun_with() {
    for (metadata, why) in [
        (json!({"token_endpoint": "http://192.0.2.1/token"}), "neither https"),
        (json!({"authorization_endpoint": "javascript:alert(1)"}), "neither https"),
        (json!({"revocation_endpoint": "http://example.com/"}), "neither https"),
        (json!({"issuer": "https://evil.example"}), "calls itself"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let whim = Mutex::new(Whim { metadata: metadata.clone(), ..Whim::default() });
        let issuer = Arc::new(Issuer { url: url.clone(), whim, ..Issuer::default() });
        let place = "/.well-known/openid-configuration";
        let app = Router::new().route(place, get(self::metadata)).with_state(issuer);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let ended = tokio::task::spawn_blocking(move || start(&url).end()).await.unwrap();
        assert_eq!(ended.status, Some(1), "{metadata}");
        assert!(ended.err.contains(why), "{metadata}: {}", ended.err);
    }
    let ended = tokio::task::spawn_blocking(|| start("http://issuer.invalid").end()).await.unwrap();
    assert!(ended.status == Some(1) && ended.err.contains("neither https"), "{}", ended.err);
    // One that promises to name itself does.
    let whim =
        Whim { metadata: json!({"authorization_response_iss_parameter_supported": true}), ..Whim::default() };
    let mut scene = Scene::new(whim).await;
    let page = scene.log_in().await;
    assert!(page.text.contains("does not come from the issuer"), "{}", page.text);
    assert_eq!(scene.running.interrupt().status, Some(0));
}
