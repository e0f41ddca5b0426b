//! The embedded issuer: its keys, its clients, and what it counts.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    clock::Clock,
    keys::{algorithm::Algorithm, set::KeySet, signing::SigningKey},
    server::issuer::Issuer,
    testing::{
        authorization::Authorization,
        builder::TestIssuerBuilder,
        clients::{self, Clients},
        fault::Endpoint,
        faults::{Faults, Schedule},
        fetch::IssuerFetch,
        jws::Jws,
        mint::{ACCESS_TOKEN, TokenBuilder},
        opaque::OpaqueTokens,
        serve::Serving,
    },
};

/// A small authorization server for tests and demonstrations, on loopback only. Cheap to clone; the socket closes with
/// the last clone.
///
/// It serves metadata (RFC 8414, OpenID Connect Discovery), a JWK Set, a token endpoint for client credentials, and an
/// introspection endpoint (RFC 7662) for its [clients](TestIssuerBuilder::client). Clients that act for a user get authorization
/// codes (RFC 6749 §4.1) with PKCE by S256 (RFC 7636), for one resource or several (RFC 8707); those that it does not know may
/// [register](Endpoint::Registration) as public clients. With a token comes a refresh token (RFC 6749 §6), which is replaced with each use
/// and can be [ended](Endpoint::Revocation) (RFC 7009), and for the scope `openid` an ID token (OpenID Connect Core §2); devices without a browser get a [code for their user](Endpoint::DeviceAuthorization)
/// (RFC 8628). Nobody signs in: [one user](TestIssuerBuilder::consents_as) consents at once, or a page asks whoever opens it
/// [which user](TestIssuerBuilder::users) they are.
#[derive(Clone)]
pub struct TestIssuer {
    pub(super) state: Arc<State>,
    pub(super) serving: Option<Arc<Serving>>,
}

pub(super) struct State {
    pub(super) url: String,
    pub(super) default_audience: Option<String>,
    pub(super) clients: Clients,
    pub(super) authorization: Authorization,
    pub(super) clock: Arc<dyn Clock>,
    /// Of access tokens, and of ID tokens.
    pub(super) lifetime: Duration,
    algorithms: Vec<Algorithm>,
    keys: Mutex<Keys>,
    pub(super) opaque: OpaqueTokens,
    pub(super) schedule: Schedule,
    requests: Mutex<HashMap<String, u64>>,
    not_modified: AtomicU64,
}

#[derive(Default)]
struct Keys {
    /// Part of every kid.
    generation: u64,
    signing: HashMap<Algorithm, Arc<SigningKey>>,
    /// Still published, no longer used.
    retired: Vec<Arc<SigningKey>>,
}

impl TestIssuer {
    /// Starts an issuer with a key for ES256, on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Begins an issuer with other settings.
    pub fn builder() -> TestIssuerBuilder {
        TestIssuerBuilder::new()
    }

    /// The issuer identifier, which is its URL.
    pub fn url(&self) -> &str {
        &self.state.url
    }

    /// This issuer as one that a resource server trusts, by discovery.
    pub fn trusted(&self) -> Issuer {
        Issuer::discover(self.url()).allow_http_on_loopback()
    }

    /// A good token, to be changed at will, signed with the first algorithm.
    pub fn token(&self) -> TokenBuilder {
        self.token_by(self.state.algorithm())
    }

    /// A good token signed with this algorithm. One that the issuer did not have gets a key now, which resource servers
    /// have to fetch first.
    ///
    /// # Panics
    ///
    /// For an algorithm that is not [supported](Algorithm::is_supported) by this build: HMAC has no public keys, and the
    /// others need a signature backend.
    pub fn token_by(&self, algorithm: Algorithm) -> TokenBuilder {
        let token = self.state.token_by(algorithm);
        match &self.state.default_audience {
            Some(audience) => token.audience(audience),
            None => token,
        }
    }

    /// The published JWK Set as JSON text.
    pub fn jwks(&self) -> String {
        self.state.jwks().to_string()
    }

    /// Replaces every key; the old ones are no longer published.
    pub fn rotate(&self) {
        self.state.rotate(false);
    }

    /// Replaces every key; the old ones stay published, as careful servers do it.
    pub fn rotate_gently(&self) {
        self.state.rotate(true);
    }

    /// Replaces every key and keeps their kids, as servers do that name their keys by purpose: a token of before and
    /// one of after name the same key, and only one of them is good.
    pub fn rotate_in_place(&self) {
        self.state.rotate_in_place();
    }

    /// What goes wrong with this issuer's answers, and when.
    pub fn faults(&self) -> Faults {
        Faults(self.clone())
    }

    /// How often this endpoint was requested.
    pub fn requests_to(&self, endpoint: Endpoint) -> u64 {
        self.state.schedule.requests(endpoint)
    }

    /// How many answers were 304: who asked held the document already.
    pub fn not_modified(&self) -> u64 {
        self.state.not_modified.load(Ordering::Relaxed)
    }

    /// How often this path was requested.
    pub fn requests(&self, path: &str) -> u64 {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied().unwrap_or(0)
    }

    /// A client that reaches this issuer without a socket: for tests with paused time.
    pub fn fetch(&self) -> IssuerFetch {
        IssuerFetch(self.clone())
    }
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer").field("url", &self.state.url).finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn new(url: String, settings: TestIssuerBuilder) -> Self {
        let state = Self {
            url,
            default_audience: settings.default_audience,
            clients: Clients::new(settings.clients),
            authorization: Authorization::new(settings.consent, settings.explained, settings.scopes),
            clock: settings.clock,
            lifetime: settings.lifetime,
            algorithms: settings.algorithms,
            keys: Mutex::default(),
            opaque: OpaqueTokens::default(),
            schedule: Schedule::default(),
            requests: Mutex::default(),
            not_modified: AtomicU64::default(),
        };
        for algorithm in &state.algorithms {
            state.key(*algorithm);
        }
        state
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        let mut keys = self.keys();
        let kid = kid(algorithm, keys.generation);
        Arc::clone(
            keys.signing.entry(algorithm).or_insert_with(|| Arc::new(SigningKey::generate(algorithm, kid))),
        )
    }

    fn rotate(&self, keep: bool) {
        let generation = self.keys().generation.saturating_add(1);
        let fresh = self.fresh_keys(generation);
        let mut keys = self.keys();
        let old = std::mem::replace(&mut keys.signing, fresh);
        keys.retired = if keep { old.into_values().collect() } else { Vec::new() };
        keys.generation = generation;
    }

    pub(super) fn rotate_in_place(&self) {
        let generation = self.keys().generation;
        let fresh = self.fresh_keys(generation);
        let mut keys = self.keys();
        keys.signing = fresh;
        keys.retired.clear();
    }

    /// New keys first, then the change, so that no moment shows an empty set.
    fn fresh_keys(&self, generation: u64) -> HashMap<Algorithm, Arc<SigningKey>> {
        let algorithms: Vec<_> = self.keys().signing.keys().copied().collect();
        let fresh = |algorithm| Arc::new(SigningKey::generate(algorithm, kid(algorithm, generation)));
        algorithms.into_iter().map(|algorithm| (algorithm, fresh(algorithm))).collect()
    }

    pub(super) fn jwks(&self) -> Value {
        let keys = self.keys();
        let jwks: Vec<_> = keys.signing.values().chain(&keys.retired).map(|key| key.jwk()).collect();
        json!({ "keys": jwks })
    }

    /// The claims of an access token that is a JWT of ours, as long as it is good.
    pub(super) fn claims_of(&self, token: &str) -> Option<Map<String, Value>> {
        let jws = Jws::parse(token)?;
        let keys = KeySet::parse(self.jwks().to_string().as_bytes(), &clients::algorithms()).ok()?;
        let is_good = jws.is_by(&keys)
            && jws.header("typ") == Some(ACCESS_TOKEN)
            && jws.claim("iss") == Some(&self.url)
            && jws.is_in_time(self.clock.wall());
        is_good.then_some(jws.claims)
    }

    pub(super) fn token(&self) -> TokenBuilder {
        self.token_by(self.algorithm())
    }

    fn token_by(&self, algorithm: Algorithm) -> TokenBuilder {
        TokenBuilder::new(self.key(algorithm), &self.url, self.clock.wall(), self.lifetime)
    }

    /// Of what the token endpoint gives out.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithms.first().copied().unwrap_or(Algorithm::Es256)
    }

    pub(super) fn count(&self, path: &str) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = requests.entry(path.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn count_status(&self, status: StatusCode) {
        if status == StatusCode::NOT_MODIFIED {
            self.not_modified.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn kid(algorithm: Algorithm, generation: u64) -> String {
    format!("{}-{generation}", algorithm.name().to_ascii_lowercase())
}
