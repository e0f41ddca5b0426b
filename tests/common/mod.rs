//! What the tests share: time that stands still, a network that is not there, and tokens of any make.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "helpers of tests, of which each binary uses some"
)]

pub mod keys;
pub mod log;
pub mod numbers;

use std::{
    fmt::Display,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::{
    AccessToken, Algorithm, AuthError, AuthErrorKind, Clock, ConfigError, Fetch, FetchErrorKind, FetchFuture,
    FetchRequest, Issuer, Presented, ResourceServer, UnixTime,
    testing::{TestIssuer, TokenBuilder},
};
use http::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};

pub const ISSUER: &str = "https://issuer.example";
pub const RESOURCE: &str = "https://api.example.com";

/// The moment at which every test happens, in seconds.
pub const NOW: i64 = 1_800_000_000;

/// Time that moves only when told to. `TestClock` runs on with the machine, and some rules turn on a single second.
#[derive(Clone, Debug)]
pub struct StillClock(Arc<AtomicI64>);

impl StillClock {
    pub fn at(wall: UnixTime) -> Self {
        Self(Arc::new(AtomicI64::new(wall.as_millis())))
    }

    pub fn set(&self, wall: UnixTime) {
        self.0.store(wall.as_millis(), Ordering::Relaxed);
    }
}

impl Clock for StillClock {
    fn wall(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// Reaches nobody, and counts who tried.
#[derive(Clone, Debug, Default)]
pub struct NoNetwork(Arc<AtomicUsize>);

impl NoNetwork {
    pub fn requests(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Fetch for NoNetwork {
    fn fetch(&self, _: FetchRequest) -> FetchFuture {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Err(FetchErrorKind::Connect.into())))
    }
}

/// A resource server under test.
#[derive(Debug)]
pub struct Api {
    pub server: ResourceServer,
    pub clock: StillClock,
    pub network: NoNetwork,
}

impl Api {
    pub fn trusting(issuers: impl IntoIterator<Item = Issuer>) -> Self {
        let clock = StillClock::at(UnixTime::from_secs(NOW));
        let network = NoNetwork::default();
        let builder = ResourceServer::builder(RESOURCE).clock(clock.clone()).http_client(network.clone());
        let server = issuers.into_iter().fold(builder, |builder, issuer| builder.trust(issuer)).build();
        Self { server: server.expect("the configuration is good"), clock, network }
    }

    /// The verdict, which needs no waiting: the keys are there.
    pub fn verdict(&self, token: &str) -> Result<AccessToken, AuthError> {
        at_once(self.server.validate(&Presented::bearer(token)))
    }

    #[track_caller]
    pub fn accepts(&self, token: &str, what: impl Display) {
        if let Err(error) = self.verdict(token) {
            panic!("must be accepted, but {:?}: {what}", error.kind());
        }
        assert_eq!(self.network.requests(), 0, "{what}");
    }

    /// Refused for this reason, with 401 and `invalid_token`, and without asking the network.
    #[track_caller]
    pub fn refuses(&self, token: &str, kind: AuthErrorKind, what: impl Display) {
        let error = match self.verdict(token) {
            Ok(_) => panic!("must be refused: {what}"),
            Err(error) => error,
        };
        assert_eq!(error.kind(), kind, "{what}");
        let refusal = self.server.refuse(error);
        assert_eq!(refusal.status(), 401, "{what}");
        let challenge = refusal.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
        let fixed =
            format!(r#"Bearer realm="{RESOURCE}", error="invalid_token", error_description="{kind}""#);
        assert_eq!(challenge, fixed, "{what}");
        assert_eq!(self.network.requests(), 0, "{what}");
    }
}

/// The output of a future that has nothing to wait for.
#[track_caller]
pub fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing should have to be waited for"),
    }
}

/// An issuer without a socket.
pub fn issuer(algorithms: impl IntoIterator<Item = Algorithm>) -> TestIssuer {
    issuer_at(ISSUER, algorithms)
}

pub fn issuer_at(url: &str, algorithms: impl IntoIterator<Item = Algorithm>) -> TestIssuer {
    TestIssuer::builder()
        .algorithms(algorithms)
        .clock(StillClock::at(UnixTime::from_secs(NOW)))
        .default_audience(RESOURCE)
        .offline(url)
}

/// The issuer's keys, given once and for all.
pub fn trusted(issuer: &TestIssuer) -> Issuer {
    Issuer::jwks(issuer.url(), issuer.jwks())
}

/// The usual case: an issuer with one key for ES256, and an API that trusts it.
pub fn es256() -> (TestIssuer, Api) {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer)]);
    (issuer, api)
}

/// An issuer's JWK for an algorithm.
pub fn jwk(issuer: &TestIssuer, algorithm: Algorithm) -> Value {
    let set: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let keys = set["keys"].as_array().unwrap();
    keys.iter().find(|key| key["alg"] == algorithm.name()).unwrap().clone()
}

/// Whether the backend of this run verifies an algorithm. Where it does not, the rest of the test has no object: what is
/// shown instead is that no issuer can list it.
#[track_caller]
pub fn supported(algorithm: Algorithm) -> bool {
    if !algorithm.is_supported() {
        let listed = Issuer::jwks(ISSUER, r#"{"keys":[]}"#).algorithms([Algorithm::Es256, algorithm]);
        let error = ResourceServer::builder(RESOURCE).trust(listed).build().unwrap_err();
        assert!(matches!(&error, ConfigError::UnsupportedAlgorithm { .. }), "{algorithm}: {error}");
        assert!(error.to_string().contains("`aws-lc-rs`"), "{error}");
        let lacking = ["ES512", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"].contains(&algorithm.name());
        assert!(lacking && !cfg!(feature = "aws-lc-rs"), "{algorithm}");
    }
    algorithm.is_supported()
}

/// A JWK Set as text.
pub fn set(keys: impl IntoIterator<Item = Value>) -> String {
    json!({ "keys": keys.into_iter().collect::<Vec<_>>() }).to_string()
}

/// An object with one member changed or added.
pub fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    object.as_object_mut().unwrap().insert(name.into(), value.into());
    object
}

/// An object without one member.
pub fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).expect("the member was there");
    object
}

pub fn encode(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

pub fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The three segments of a token.
pub fn segments(token: &str) -> [&str; 3] {
    let segments: Vec<_> = token.split('.').collect();
    segments.try_into().expect("a token has three segments")
}

/// A token of these segments, signed over their text as it stands.
pub fn over_segments(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signing_input = format!("{header}.{payload}");
    let signature = encode(sign(signing_input.as_bytes()));
    format!("{signing_input}.{signature}")
}

/// A token of these octets, which need not be text.
pub fn over_octets(
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    over_segments(&encode(header), &encode(payload), sign)
}

/// The builder's token, with a signature of another make.
pub fn signed(token: &TokenBuilder, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    over_octets(token.header_json(), token.payload_json(), sign)
}

/// The token with its signature replaced by what `change` makes of it.
pub fn with_signature(token: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let [header, payload, signature] = segments(token);
    format!("{header}.{payload}.{}", encode(change(decode(signature))))
}
