//! Requests that are refused, each for one reason, without the network.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bearergate::{
    Fetch, FetchFuture, FetchRequest, FetchResponse, Issuer, ResourceServer, UnixTime, testing::TestClock,
};
use http::{
    HeaderMap, HeaderValue, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use tokio::runtime;
use tower::{Layer as _, Service as _};

use super::{ISSUER, MyClaims, RESOURCE, answer, bare};

pub struct Refused {
    pub name: &'static str,
    api: ResourceServer,
    field: Option<HeaderValue>,
    status: StatusCode,
    documents: Documents,
}

/// A key set behind a URL, which counts who reads it.
#[derive(Clone, Debug)]
struct Documents {
    jwks: Arc<str>,
    fetches: Arc<AtomicU64>,
}

impl Fetch for Documents {
    fn fetch(&self, _: FetchRequest) -> FetchFuture {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Box::pin(ready(Ok(FetchResponse::new(StatusCode::OK, headers, self.jwks.as_bytes().to_vec()))))
    }
}

/// Good tokens and what makes them bad. The time stands still at `now`, so that no budget of fetches is filled again.
pub fn refusals(jwks: &str, token: &str, now: UnixTime) -> Vec<Refused> {
    let documents = Documents { jwks: jwks.into(), fetches: Arc::default() };
    let clock = TestClock::at(now);
    let remote = |resource: &str, issuer: &str, documents: &Documents| {
        ResourceServer::builder(resource)
            .trust(Issuer::jwks_uri(issuer, "https://login.example.com/jwks"))
            .http_client(documents.clone())
            .clock(clock.clone())
            .build()
            .unwrap()
    };
    let later = TestClock::at(now);
    later.advance(Duration::from_secs(48 * 3600));
    let expired = ResourceServer::builder(RESOURCE).trust(Issuer::jwks(ISSUER, jwks)).clock(later);
    let expired = expired.build().unwrap();
    // The keys have other names: the token's one is unknown, and the one fetch that it may cause is made here.
    let renamed =
        Documents { jwks: jwks.replace("\"kid\":\"", "\"kid\":\"other-").into(), fetches: Arc::default() };
    let rotated = remote(RESOURCE, ISSUER, &renamed);
    let usual = remote(RESOURCE, ISSUER, &documents);
    let (before_signature, signature) = token.rsplit_once('.').unwrap();
    let long = format!("{token}{}", "A".repeat(20_000));
    let malformed = format!("{before_signature}!.{signature}");
    let refused = |name, api: &ResourceServer, documents: &Documents, token: Option<&str>| Refused {
        name,
        api: api.clone(),
        field: token.map(|token| HeaderValue::try_from(format!("Bearer {token}")).unwrap()),
        status: StatusCode::UNAUTHORIZED,
        documents: documents.clone(),
    };
    let elsewhere = remote("https://other.example.com", ISSUER, &documents);
    let stranger = remote(RESOURCE, "https://login.example.net", &documents);
    let list = vec![
        refused("no token", &usual, &documents, None),
        refused("too long", &usual, &documents, Some(&long)),
        refused("malformed", &usual, &documents, Some(&malformed)),
        refused("unknown issuer", &stranger, &documents, Some(token)),
        refused("unknown kid", &rotated, &renamed, Some(token)),
        refused("expired", &expired, &documents, Some(token)),
        refused("wrong audience", &elsewhere, &documents, Some(token)),
    ];
    // It stays, for what tends the keys runs on it.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtime = Box::leak(Box::new(runtime));
    for refused in &list {
        // Keys are there from now on, and the budget for unknown ones is used up.
        runtime.block_on(refused.api.ready()).unwrap();
        let mut service = refused.api.layer_for::<MyClaims>().layer(bare());
        let response = runtime.block_on(service.call(refused.request())).unwrap();
        assert_eq!(response.status(), refused.status, "{}", refused.name);
    }
    list
}

impl Refused {
    pub fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        if let Some(field) = &self.field {
            request.headers_mut().insert(AUTHORIZATION, field.clone());
        }
        request
    }

    /// Refuses once each time that it is called.
    pub fn way(&self) -> impl FnMut(usize) {
        let mut service = self.api.layer_for::<MyClaims>().layer(bare());
        move |_| {
            let response = answer(&mut service, self.request());
            assert_eq!(response.status(), self.status, "{}", self.name);
        }
    }

    /// How often the network was asked so far.
    pub fn fetches(&self) -> u64 {
        self.documents.fetches.load(Ordering::Relaxed)
    }
}
