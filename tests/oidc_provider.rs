//! Tokens of a real, certified authorization server (npm `oidc-provider`), through an axum server and a real socket.
//!
//! `scripts/test` installs the server and says where it is. Without it these tests print one line each and are left out.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![expect(clippy::disallowed_types, reason = "this client plays the caller of the API")]

#[path = "common/tool.rs"]
mod tool;

use std::{
    io::Write as _,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::{
    AccessToken, Algorithm, AuthErrorKind, Clock, Issuer, Presented, ResourceServer, SystemClock, UnixTime,
    testing::TestClock,
};
use http::{StatusCode, header::WWW_AUTHENTICATE};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command},
};

const RESOURCE: &str = "https://api.example.com";

const ALGORITHMS: [Algorithm; 7] = [
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
    Algorithm::Ed25519,
];

/// Those that the backend of this run has: rust-crypto is without ES512.
fn algorithms() -> impl Iterator<Item = Algorithm> {
    ALGORITHMS.into_iter().filter(|algorithm| algorithm.is_supported())
}

/// A running oidc-provider. It ends with the test, because its stdin closes.
struct Provider {
    issuer: String,
    client: reqwest::Client,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

/// What it says of itself, on one line.
#[derive(Deserialize)]
struct State {
    ready: bool,
    #[serde(default)]
    issuer: String,
}

impl Provider {
    async fn start(test: &str) -> Option<Self> {
        let Ok(script) = std::env::var("BEARERGATE_OIDC_PROVIDER") else {
            let line =
                format!("{test}: left out, BEARERGATE_OIDC_PROVIDER is not set; scripts/test sets it\n");
            let _shown = std::io::stderr().write_all(line.as_bytes());
            return None;
        };
        let mut process = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let state = Self::state(&mut lines).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let orders = process.stdin.take().unwrap();
        Some(Self { issuer: state.issuer, client, orders, lines, _process: process })
    }

    async fn state(lines: &mut Lines<BufReader<ChildStdout>>) -> State {
        let line = lines.next_line().await.unwrap().expect("oidc-provider says how it is");
        serde_json::from_str(&line).unwrap()
    }

    /// Closes its socket and all connections, or opens it again on the same port.
    async fn listen(&mut self, open: bool) {
        let order: &[u8] = if open { b"start\n" } else { b"stop\n" };
        self.orders.write_all(order).await.unwrap();
        assert_eq!(Self::state(&mut self.lines).await.ready, open);
    }

    /// Client credentials; the resource indicator chooses algorithm and audience.
    async fn token(&self, resource: &str) -> String {
        #[derive(Deserialize)]
        struct TokenResponse {
            access_token: String,
        }
        let form: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("grant_type", "client_credentials"), ("scope", "read"), ("resource", resource)])
            .finish();
        let response = self
            .client
            .post(format!("{}/token", self.issuer))
            .basic_auth("svc", Some("svc-secret"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{resource}");
        let response: TokenResponse = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        response.access_token
    }

    async fn good_token(&self, algorithm: Algorithm) -> String {
        self.token(&format!("urn:rs:{algorithm}?aud=https%3A%2F%2Fapi.example.com")).await
    }

    async fn rotate(&self, keep_old: bool) {
        self.control("rotate", format!("{{\"keep_old\":{keep_old}}}")).await;
    }

    /// Withdraws every key by which it does not sign.
    async fn prune(&self) {
        self.control("prune", String::new()).await;
    }

    async fn control(&self, what: &str, body: String) {
        let request = self.client.post(format!("{}/control/{what}", self.issuer));
        let request = request.header("content-type", "application/json").body(body);
        assert!(request.send().await.unwrap().status().is_success());
    }

    async fn jwks(&self) -> String {
        let response = self.client.get(format!("{}/jwks", self.issuer)).send().await.unwrap();
        response.text().await.unwrap()
    }

    async fn jwks_requests(&self) -> u64 {
        let response = self.client.get(format!("{}/control/counters", self.issuer)).send().await.unwrap();
        let counters: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        counters["jwks"].as_u64().unwrap()
    }
}

/// An axum API on a real socket.
struct Api {
    url: String,
    client: reqwest::Client,
}

impl Api {
    async fn start(provider: &Provider, clock: &(impl Clock + Clone)) -> Self {
        let server = ResourceServer::builder(RESOURCE)
            .trust(Issuer::discover(&provider.issuer).allow_http_on_loopback().algorithms(algorithms()))
            .clock(clock.clone())
            .build()
            .unwrap();
        let app = Router::new()
            .route("/", get(async |token: AccessToken| token.client_id().unwrap_or_default().to_owned()))
            .layer(server.layer());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, client: provider.client.clone() }
    }

    /// Status, challenge and body.
    async fn call(&self, token: &str) -> (StatusCode, String, String) {
        let response = self.client.get(&self.url).bearer_auth(token).send().await.unwrap();
        let challenge =
            response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
        (response.status(), challenge.unwrap_or_default(), response.text().await.unwrap())
    }

    async fn accepts(&self, token: &str) {
        assert_eq!(self.call(token).await, (StatusCode::OK, String::new(), "svc".into()));
    }

    async fn refuses(&self, token: &str, description: &str) {
        let challenge = format!(
            "Bearer realm=\"{RESOURCE}\", error=\"invalid_token\", error_description=\"{description}\""
        );
        assert_eq!(self.call(token).await, (StatusCode::UNAUTHORIZED, challenge, String::new()));
    }
}

/// The token with one character of its signature changed, near its middle.
fn tampered(token: &str) -> String {
    let (signing_input, signature) = token.rsplit_once('.').unwrap();
    let middle = signature.len() / 2;
    let other = if signature.as_bytes()[middle] == b'A' { "B" } else { "A" };
    format!("{signing_input}.{}{other}{}", &signature[..middle], &signature[middle + 1..])
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_tokens_of_seven_algorithms() {
    let Some(provider) = Provider::start("oidc_provider_tokens_of_seven_algorithms").await else { return };
    let clock = TestClock::new();
    let api = Api::start(&provider, &clock).await;
    let mut good = Vec::new();
    for algorithm in algorithms() {
        let token = provider.good_token(algorithm).await;
        api.accepts(&token).await;
        api.refuses(&tampered(&token), "the signature does not hold").await;
        let other = provider.token(&format!("urn:rs:{algorithm}")).await;
        api.refuses(&other, "the token is meant for another audience").await;
        good.push(token);
    }
    // What the backend of this run has not, no issuer can list, and the token is refused by its name.
    for algorithm in ALGORITHMS.into_iter().filter(|algorithm| !algorithm.is_supported()) {
        api.refuses(&provider.good_token(algorithm).await, "the signature algorithm is not allowed").await;
    }
    // The tokens live for 300 s; 60 s of leeway come on top. Real seconds pass here too: half a minute is left for them.
    clock.advance(Duration::from_secs(330));
    for token in &good {
        api.accepts(token).await;
    }
    clock.advance(Duration::from_secs(70));
    for token in &good {
        api.refuses(token, "the token is expired").await;
    }
    assert_eq!(provider.jwks_requests().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_rotates_while_requests_run() {
    let Some(provider) = Provider::start("oidc_provider_rotates_while_requests_run").await else { return };
    let api = Arc::new(Api::start(&provider, &TestClock::new()).await);
    let mut old = Vec::new();
    for algorithm in algorithms() {
        old.push(provider.good_token(algorithm).await);
    }
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut callers = tokio::task::JoinSet::new();
    for token in old.clone() {
        let (api, stop, sent) = (Arc::clone(&api), Arc::clone(&stop), Arc::clone(&sent));
        callers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                api.accepts(&token).await;
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let running = async |beyond: usize| {
        while sent.load(Ordering::Relaxed) < beyond {
            tokio::task::yield_now().await;
        }
    };
    running(200).await;
    provider.rotate(true).await;
    // New tokens of every algorithm, all at once, while the old ones go on.
    let mut fresh = Vec::new();
    for algorithm in algorithms() {
        fresh.push(provider.good_token(algorithm).await);
    }
    let mut first_calls = tokio::task::JoinSet::new();
    for token in fresh {
        let api = Arc::clone(&api);
        first_calls.spawn(async move { api.accepts(&token).await });
    }
    first_calls.join_all().await;
    running(sent.load(Ordering::Relaxed) + 200).await;
    stop.store(true, Ordering::Relaxed);
    callers.join_all().await;
    assert_eq!(provider.jwks_requests().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_replaces_its_keys_at_one_stroke() {
    let Some(provider) = Provider::start("oidc_provider_replaces_its_keys_at_one_stroke").await else {
        return;
    };
    let api = Api::start(&provider, &TestClock::new()).await;
    let old = provider.good_token(Algorithm::Es256).await;
    api.accepts(&old).await;
    provider.rotate(false).await;
    // Held keys serve until somebody shows a new one.
    api.accepts(&old).await;
    for algorithm in algorithms() {
        api.accepts(&provider.good_token(algorithm).await).await;
    }
    api.refuses(&old, "no key of the issuer fits the token").await;
    assert_eq!(provider.jwks_requests().await, 2);
}

/// Both clocks of the system, moved ahead: ages too, which `TestClock` leaves alone where time is real.
#[derive(Clone, Debug, Default)]
struct OffsetClock(Arc<AtomicU64>);

impl OffsetClock {
    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn offset(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

impl Clock for OffsetClock {
    fn wall(&self) -> UnixTime {
        SystemClock::default().wall().saturating_add(self.offset())
    }

    fn monotonic(&self) -> Duration {
        SystemClock::default().monotonic().saturating_add(self.offset())
    }
}

/// Callers that never stop, each with one of the tokens that are good at the moment.
struct Load {
    tokens: Arc<Mutex<Vec<String>>>,
    sent: Arc<AtomicUsize>,
    refused: Arc<Mutex<Vec<(StatusCode, String)>>>,
    _callers: tokio::task::JoinSet<()>,
}

impl Load {
    const CALLERS: usize = 8;

    fn start(api: &Arc<Api>, tokens: Vec<String>) -> Self {
        let tokens = Arc::new(Mutex::new(tokens));
        let (sent, refused) = (Arc::new(AtomicUsize::new(0)), Arc::<Mutex<Vec<_>>>::default());
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..Self::CALLERS {
            let (api, tokens) = (Arc::clone(api), Arc::clone(&tokens));
            let (sent, refused) = (Arc::clone(&sent), Arc::clone(&refused));
            callers.spawn(async move {
                for turn in caller.. {
                    let token = {
                        let tokens = tokens.lock().unwrap();
                        tokens[turn % tokens.len()].clone()
                    };
                    let (status, challenge, _) = api.call(&token).await;
                    if status != StatusCode::OK {
                        refused.lock().unwrap().push((status, challenge));
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { tokens, sent, refused, _callers: callers }
    }

    /// From now on, these are good.
    async fn sends(&self, tokens: Vec<String>) {
        *self.tokens.lock().unwrap() = tokens;
        // Whatever was on its way before has its answer then.
        self.runs(2 * Self::CALLERS).await;
    }

    /// Ends after so many more requests. Each caller has made its part of them.
    async fn runs(&self, more: usize) {
        let until = self.sent.load(Ordering::Relaxed) + more;
        while self.sent.load(Ordering::Relaxed) < until {
            tokio::task::yield_now().await;
        }
    }

    /// How many requests there were so far, none of which was refused.
    fn none_refused(&self, when: &str) -> usize {
        let refused = self.refused.lock().unwrap();
        assert_eq!((refused.len(), refused.first()), (0, None), "{when}");
        self.sent.load(Ordering::Relaxed)
    }
}

/// Good tokens of every algorithm, for as long as a test moves the clock.
async fn lasting_tokens(provider: &Provider) -> Vec<String> {
    let mut tokens = Vec::new();
    for algorithm in algorithms() {
        let indicator = format!("urn:rs:{algorithm}?aud=https%3A%2F%2Fapi.example.com&ttl=1000000");
        tokens.push(provider.token(&indicator).await);
    }
    tokens
}

/// With a `kid` that nobody has.
fn with_invented_key(token: &str) -> String {
    let rest = token.split_once('.').unwrap().1;
    let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{:032x}"}}"#, fastrand::u128(..));
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_rotates_prunes_and_goes_down_under_load() {
    let name = "oidc_provider_rotates_prunes_and_goes_down_under_load";
    let Some(mut provider) = Provider::start(name).await else { return };
    let clock = OffsetClock::default();
    let api = Arc::new(Api::start(&provider, &clock).await);
    let old = lasting_tokens(&provider).await;
    let load = Load::start(&api, old.clone());
    load.runs(200).await;

    // New keys beside the old ones: the first new token shows them.
    provider.rotate(true).await;
    let new = lasting_tokens(&provider).await;
    load.sends([&old[..], &new[..]].concat()).await;
    load.runs(200).await;
    assert_eq!(provider.jwks_requests().await, 2);
    load.none_refused("rotation");

    // The old keys are withdrawn, and gone when the lifetime of the set is over.
    load.sends(new.clone()).await;
    provider.prune().await;
    clock.advance(310);
    while provider.jwks_requests().await < 3 {
        load.runs(10).await;
    }
    while api.call(&old[0]).await.0 == StatusCode::OK {
        load.runs(10).await;
    }
    api.refuses(&old[0], "no key of the issuer fits the token").await;
    load.runs(200).await;
    load.none_refused("prune");

    // Nobody answers for an hour. What cannot be judged is 503.
    let before = provider.jwks_requests().await;
    provider.listen(false).await;
    for _ in 0..60 {
        clock.advance(60);
        load.runs(Load::CALLERS).await;
        let (status, challenge, _) = api.call(&with_invented_key(&new[0])).await;
        assert_eq!((status, challenge), (StatusCode::SERVICE_UNAVAILABLE, String::new()));
    }

    load.none_refused("outage");

    // It is back on the same port, and soon signs by new keys.
    provider.listen(true).await;
    clock.advance(60);
    while provider.jwks_requests().await == before {
        load.runs(10).await;
    }
    clock.advance(60);
    provider.rotate(true).await;
    let newest = lasting_tokens(&provider).await;
    load.sends([&new[..], &newest[..]].concat()).await;
    load.runs(200).await;
    let (fetches, requests) = (provider.jwks_requests().await, load.none_refused("return"));
    let line = format!(
        "interop: {requests} requests under rotation, prune and outage, none refused, {fetches} fetches\n"
    );
    let _shown = std::io::stderr().write_all(line.as_bytes());
    assert!(fetches <= 6, "{fetches}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_tokens_are_explained() {
    let Some(provider) = Provider::start("oidc_provider_tokens_are_explained").await else { return };
    let (mut tokens, mut expected) = (Vec::new(), Vec::new());
    for algorithm in algorithms() {
        let good = provider.good_token(algorithm).await;
        tokens.push(tampered(&good));
        expected.push(("rejected", json!(401), json!("invalid_signature"), "signature"));
        tokens.push(good);
        expected.push(("accepted", json!(200), json!(null), ""));
        tokens.push(provider.token(&format!("urn:rs:{algorithm}")).await);
        expected.push(("rejected", json!(401), json!("wrong_audience"), "unverified_times_and_audience"));
    }
    let jwks = provider.jwks().await;

    // The tool, which is given nothing but the key set.
    let trust = format!("{}={}", provider.issuer, tool::file(&jwks));
    let listed = algorithms().map(Algorithm::name).collect::<Vec<_>>().join(",");
    let usual = ["--audience", RESOURCE, "--trust", &trust, "--algorithms", &listed, "--json"];
    let ended = tool::explain(&usual, &tokens.join("\n"));
    assert_eq!(ended.status, Some(0), "{}", ended.err);
    let failed = |object: &Value| {
        let checks = object["checks"].as_array().unwrap().iter();
        let failed = checks.filter(|check| check["outcome"] == "failed").map(|check| check["check"].clone());
        failed.collect::<Vec<_>>()
    };
    let objects = ended.objects();
    assert_eq!(objects.len(), expected.len());
    for (object, (verdict, status, reason, check)) in objects.iter().zip(&expected) {
        assert_eq!((&object["verdict"], &object["status"]), (&json!(verdict), status), "{object}");
        assert_eq!(&object["reason"], reason);
        assert_eq!(failed(object), if check.is_empty() { vec![] } else { vec![json!(check)] });
    }
    // The same tokens, ten minutes on.
    let later = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 600;
    let ended = tool::explain(&[&usual[..], &["--now", &later.to_string()]].concat(), &tokens[1]);
    assert_eq!(ended.objects()[0]["reason"], "expired");

    // A server that finds the keys itself, and its own verdict beside it.
    let server = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(&provider.issuer).allow_http_on_loopback().algorithms(algorithms()))
        .build()
        .unwrap();
    server.ready().await.unwrap();
    for (token, (_, _, reason, _)) in tokens.iter().zip(&expected) {
        let presented = Presented::bearer(token);
        let explained = server.explain(&presented).failure();
        assert_eq!(json!(explained.map(AuthErrorKind::label)), *reason);
        let validated = server.validate::<bearergate::Claims>(&presented).await;
        assert_eq!(explained, validated.err().map(|error| error.kind()));
    }
}
