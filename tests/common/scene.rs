//! An issuer without a socket, and a server that trusts it. For tests with paused time.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "shared by several test binaries"
)]

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bearergate::{
    AuthErrorKind, Claims, Fetch, FetchErrorKind, FetchFuture, FetchRequest, Issuer, Presented,
    ResourceServer,
    testing::{TestClock, TestIssuer},
};

pub const RESOURCE: &str = "https://api.example.com";

#[derive(Debug)]
pub struct Scene {
    pub issuer: TestIssuer,
    pub api: ResourceServer,
}

impl Scene {
    /// A server that has its keys.
    pub async fn warm() -> Self {
        Self::warm_by(offline("https://as.example")).await
    }

    pub async fn warm_by(issuer: TestIssuer) -> Self {
        let fetch = issuer.fetch();
        Self::by(issuer, fetch).await
    }

    /// A server that has its keys by this client.
    pub async fn by(issuer: TestIssuer, fetch: impl Fetch) -> Self {
        let api = ResourceServer::builder(RESOURCE)
            .trust(Issuer::discover(issuer.url()))
            .clock(TestClock::new())
            .http_client(fetch)
            .build()
            .unwrap();
        api.ready().await.unwrap();
        Self { issuer, api }
    }

    /// A good token that lives through the whole test.
    pub fn token(&self) -> String {
        self.issuer.token().expires_in(Duration::from_secs(1_000_000)).mint()
    }

    pub async fn check(&self, token: &str) -> Result<(), AuthErrorKind> {
        let presented = Presented::bearer(token);
        self.api.validate::<Claims>(&presented).await.map(drop).map_err(|error| error.kind())
    }

    /// The verdict that comes without waiting.
    pub fn check_now(&self, token: &str) -> Poll<Result<(), AuthErrorKind>> {
        let checked = pin!(self.check(token));
        checked.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Lets time pass, and sees to it at every minute that the token is accepted at once.
    pub async fn pass_serving(&self, seconds: u64, token: &str, what: &str) {
        for _ in 0..seconds.div_ceil(60) {
            pass(60).await;
            assert_eq!(self.check_now(token), Poll::Ready(Ok(())), "{what}");
        }
    }
}

pub fn offline(url: &str) -> TestIssuer {
    TestIssuer::builder().clock(TestClock::new()).default_audience(RESOURCE).offline(url)
}

pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// What a refresh says now, of the one issuer.
pub async fn refresh(api: &ResourceServer) -> Result<(), FetchErrorKind> {
    api.refresh_now().await.map_err(|failed| failed.failed()[0].error.as_ref().unwrap().kind())
}

/// Reaches several issuers, each by the origin of its URL, and writes down what was asked.
#[derive(Clone, Debug)]
pub struct Network {
    issuers: Vec<TestIssuer>,
    requests: Arc<Mutex<Vec<FetchRequest>>>,
}

impl Network {
    pub fn of(issuers: &[&TestIssuer]) -> Self {
        Self { issuers: issuers.iter().map(|issuer| (*issuer).clone()).collect(), requests: Arc::default() }
    }

    /// The requests for key sets since this was last asked.
    pub fn jwks_requests(&self) -> Vec<FetchRequest> {
        let mut requests = std::mem::take(&mut *self.requests.lock().unwrap());
        requests.retain(|request| request.url.path() == "/jwks");
        requests
    }
}

impl Fetch for Network {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        self.requests.lock().unwrap().push(request.clone());
        let url = request.url.to_string();
        match self.issuers.iter().find(|issuer| url.starts_with(&format!("{}/", issuer.url()))) {
            Some(issuer) => issuer.fetch().fetch(request),
            None => Box::pin(std::future::ready(Err(FetchErrorKind::Connect.into()))),
        }
    }
}
