//! What does each scenario begin with? An issuer on a socket, an API on another, and one clock for both.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::{
    AccessToken, Clock, Fetch, FetchFuture, FetchRequest, HttpFetch, Issuer, ResourceServer, SystemClock,
    UnixTime, testing::TestIssuer,
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::client::Client;

pub const RESOURCE: &str = "https://api.example.com";

/// Between two fetches that tokens cause.
pub const COOLDOWN: u64 = 30;

/// The system's clocks, moved ahead. Timers stay where they are; every request sees the new time.
#[derive(Clone, Debug, Default)]
pub struct OffsetClock(Arc<AtomicU64>);

impl OffsetClock {
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Relaxed);
    }

    fn offset(&self) -> Duration {
        Duration::from_secs(self.0.load(Relaxed))
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

/// The client of the crate's own make, that counts fetches of key sets. The quick retry is part of its fetch.
#[derive(Clone, Debug)]
struct Counting {
    client: HttpFetch,
    fetches: Arc<AtomicU64>,
    /// Places whose next request is a retry.
    failed_once: Arc<Mutex<HashSet<String>>>,
}

impl Counting {
    fn new() -> Self {
        #[expect(clippy::disallowed_types, reason = "this plays the built-in client, which nobody can wrap")]
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .unwrap();
        Self { client: HttpFetch::new(client), fetches: Arc::default(), failed_once: Arc::default() }
    }
}

impl Fetch for Counting {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        if request.url.path() != "/jwks" {
            return self.client.fetch(request);
        }
        let place = request.url.to_string();
        let is_retry = self.failed_once.lock().unwrap().remove(&place);
        self.fetches.fetch_add(u64::from(!is_retry), Relaxed);
        let (answer, failed_once) = (self.client.fetch(request), Arc::clone(&self.failed_once));
        Box::pin(async move {
            let answer = answer.await;
            if !is_retry && answer.is_err() {
                failed_once.lock().unwrap().insert(place);
            }
            answer
        })
    }
}

/// An API on a socket.
#[derive(Debug)]
pub struct Api {
    pub server: ResourceServer,
    pub client: Client,
    counting: Counting,
    serving: JoinHandle<()>,
}

impl Api {
    pub async fn start(clock: &OffsetClock, issuers: impl IntoIterator<Item = Issuer>) -> Self {
        let counting = Counting::new();
        let builder = ResourceServer::builder(RESOURCE).clock(clock.clone()).http_client(counting.clone());
        let server = issuers.into_iter().fold(builder, |builder, issuer| builder.trust(issuer));
        let server = server.build().unwrap();
        let app = Router::new().route("/", get(async |_: AccessToken| ())).layer(server.layer());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { server, client, counting, serving }
    }

    /// Fetches of key sets so far.
    pub fn fetches(&self) -> u64 {
        self.counting.fetches.load(Relaxed)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One issuer, and an API that trusts it.
#[derive(Debug)]
pub struct Scene {
    pub clock: OffsetClock,
    pub issuer: TestIssuer,
    pub api: Api,
}

impl Scene {
    pub async fn cold() -> Self {
        let clock = OffsetClock::default();
        let issuer = issuer(&clock).await;
        let api = Api::start(&clock, [issuer.trusted()]).await;
        Self { clock, issuer, api }
    }

    pub async fn warm() -> Self {
        let scene = Self::cold().await;
        scene.api.server.ready().await.unwrap();
        scene
    }
}

pub async fn issuer(clock: &OffsetClock) -> TestIssuer {
    TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).start().await.unwrap()
}

/// A token that is good through every scenario, as far as its key is.
pub fn token(issuer: &TestIssuer) -> String {
    issuer.token().expires_in(Duration::from_secs(1_000_000)).mint()
}

/// Makes tokens with invented keys out of a good one, without signing each.
#[derive(Clone, Debug)]
pub struct Invented(Arc<str>);

impl Invented {
    pub fn like(token: &str) -> Self {
        Self(token[token.find('.').unwrap()..].into())
    }

    pub fn token(&self) -> String {
        let header =
            format!("{{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"{:032x}\"}}", fastrand::u128(..));
        format!("{}{}", URL_SAFE_NO_PAD.encode(header), self.0)
    }
}
