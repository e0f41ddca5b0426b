//! Who is let in because a test says so?

use std::{
    collections::HashMap,
    fmt,
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value};
use tracing::warn;

use crate::{
    clock::{Clock, SystemClock, UnixTime},
    fetch::{Fetch, FetchErrorKind, FetchFuture, FetchRequest},
    introspection::{
        endpoint::IntrospectionEndpoint,
        introspector::{Introspected, IntrospectionFuture, Introspector, Question},
    },
    server::{ResourceServer, issuer::Issuer},
    testing::mock_token::MockTokenBuilder,
};

/// Made-up tokens for the tests of an application: no authorization server, no keys, no signatures, no sockets.
///
/// **Never for production**: whoever holds it lets anybody in. It is made by code alone: nothing that a service reads at its start
/// leads to it, no feature but `testing` has it, and it says so in the log.
///
/// It stands where an issuer stands, as a table of tokens and their claims. Everything behind that is what it always is: audience,
/// times, scopes, step-up, claims type, challenges, gRPC. So a function that takes a [`ResourceServer`] is tested as it is. The table is
/// asked each time that a token comes, so that a token which is [taken back](Self::revoke) is refused at once. As all validation
/// by asking, it needs a tokio runtime with timers, which `#[tokio::test]` has.
///
/// ```
/// use axum::{Router, body::Body, http::{HeaderValue, Request, StatusCode}, routing::get};
/// use bearergate::{AccessToken, ErrorCode, ResourceServer, scopes, testing::{MockAuth, assert_refused}};
/// use tower::ServiceExt as _;
///
/// // The application.
/// fn app(api: &ResourceServer) -> Router {
///     let name = async |token: AccessToken| token.subject().unwrap_or("nobody").to_owned();
///     Router::new().route("/orders", get(name).layer(api.require(scopes!["read:orders"]))).layer(api.layer())
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Its test.
/// let auth = MockAuth::new("https://api.example.com");
/// let app = app(&auth.server());
/// let call = async |bearer: HeaderValue| {
///     let request = Request::get("/orders").header("authorization", bearer).body(Body::empty()).unwrap();
///     app.clone().oneshot(request).await
/// };
///
/// let accepted = call(auth.token().subject("ann").scope("read:orders").bearer()).await?;
/// assert_eq!(accepted.status(), StatusCode::OK);
///
/// let refused = call(auth.token().subject("ann").bearer()).await?;
/// let challenge = assert_refused(&refused, StatusCode::FORBIDDEN, Some(ErrorCode::InsufficientScope));
/// assert_eq!(challenge.scopes(), ["read:orders"]);
///
/// let refused = call(auth.token().expired().bearer()).await?;
/// assert_refused(&refused, StatusCode::UNAUTHORIZED, Some(ErrorCode::InvalidToken));
/// # Ok(()) }
/// ```
///
/// What only real tokens show, such as forged signatures, new keys and an issuer that is down, is for
/// [`TestIssuer`](super::TestIssuer).
#[derive(Clone)]
#[must_use = "it lets nobody in until a server trusts it"]
pub struct MockAuth {
    resource: String,
    clock: Arc<dyn Clock>,
    tokens: Arc<Tokens>,
}

impl MockAuth {
    /// The `iss` of made-up tokens. No such host can be (RFC 6761 §6.4).
    pub const ISSUER: &'static str = "https://mock.invalid";

    /// For the resource server with this identifier, which is the `aud` of its tokens.
    pub fn new(resource: impl Into<String>) -> Self {
        Self { resource: resource.into(), clock: Arc::new(SystemClock), tokens: Arc::default() }
    }

    /// Takes the time from this clock, for tokens and for [`server`](Self::server). **Default:** [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A resource server that trusts these tokens and nothing else.
    ///
    /// # Panics
    ///
    /// When the resource identifier is empty.
    pub fn server(&self) -> ResourceServer {
        ResourceServer::builder(&self.resource)
            .trust(self.issuer())
            .clock(SameClock(Arc::clone(&self.clock)))
            .http_client(NoNetwork)
            .build()
            .expect("the resource identifier is empty")
    }

    /// The same as one issuer that a resource server trusts: for a builder of one's own, with challenge scopes, a realm, or a real
    /// issuer beside it. The builder needs the [`clock`](Self::clock) too, where there is one.
    ///
    /// ```
    /// use bearergate::{ResourceServer, scopes, testing::MockAuth};
    ///
    /// # fn main() -> Result<(), bearergate::ConfigError> {
    /// let resource = "https://api.example.com";
    /// let auth = MockAuth::new(resource);
    /// let api = ResourceServer::builder(resource).trust(auth.issuer()).challenge_scopes(scopes!["read"]).build()?;
    /// # let _ = api;
    /// # Ok(()) }
    /// ```
    pub fn issuer(&self) -> Issuer {
        warn!("made-up tokens are trusted: `MockAuth` is for tests, and never for production");
        let table = IntrospectionEndpoint::of(Table(Arc::clone(&self.tokens)));
        // What is taken back is refused at once.
        Issuer::introspect_by(Self::ISSUER, table).introspection_cache_time(Duration::ZERO)
    }

    /// A good token, to be changed at will.
    pub fn token(&self) -> MockTokenBuilder {
        MockTokenBuilder::new(Arc::clone(&self.tokens), &self.resource, self.clock.wall())
    }

    /// Takes a token back: it is inactive from now on. Tells whether there was one.
    pub fn revoke(&self, token: &str) -> bool {
        self.tokens.lock().remove(token).is_some()
    }
}

/// Prints no token.
impl fmt::Debug for MockAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockAuth").field("resource", &self.resource).finish_non_exhaustive()
    }
}

/// The tokens that were made up, with their claims.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<String, Map<String, Value>>>);

impl Tokens {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Map<String, Value>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Panics when there are too many.
    pub(super) fn add(&self, token: String, claims: Map<String, Value>) {
        let mut tokens = self.lock();
        assert!(tokens.len() < MAX_TOKENS, "a test makes up {MAX_TOKENS} tokens at most");
        tokens.insert(token, claims);
    }

    fn claims(&self, token: &[u8]) -> Option<String> {
        let claims = self.lock().get(std::str::from_utf8(token).ok()?).cloned()?;
        Some(Value::Object(claims).to_string())
    }
}

/// A test that makes up more has a loop in it.
pub(super) const MAX_TOKENS: usize = 10_000;

struct Table(Arc<Tokens>);

impl Introspector for Table {
    fn introspect(&self, question: Question) -> IntrospectionFuture<'_> {
        let claims = self.0.claims(question.token());
        Box::pin(ready(claims.map_or(Introspected::Inactive, Introspected::active)))
    }
}

/// Prints no token.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockAuth")
    }
}

#[derive(Debug)]
struct SameClock(Arc<dyn Clock>);

impl Clock for SameClock {
    fn wall(&self) -> UnixTime {
        self.0.wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

/// Nothing is asked over a network, and no client is made that could.
#[derive(Debug)]
struct NoNetwork;

impl Fetch for NoNetwork {
    fn fetch(&self, _: FetchRequest) -> FetchFuture {
        Box::pin(ready(Err(FetchErrorKind::Connect.into())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        error::AuthErrorKind, testing::clock::TestClock, token::claims::Claims, token::presented::Presented,
    };

    const RESOURCE: &str = "https://api.example.com";

    async fn verdict(api: &ResourceServer, token: &str) -> Result<String, AuthErrorKind> {
        let token = api.validate::<Claims>(&Presented::bearer(token)).await.map_err(|error| error.kind())?;
        Ok(token.subject().unwrap_or_default().to_owned())
    }

    #[tokio::test]
    async fn a_made_up_token_is_good_until_it_is_told_otherwise() {
        let auth = MockAuth::new(RESOURCE);
        let api = auth.server();
        let token = || auth.token().subject("ann");
        for (token, expected) in [
            (token(), Ok("ann".to_owned())),
            (token().expired(), Err(AuthErrorKind::Expired)),
            (token().without("exp"), Ok("ann".to_owned())),
            (token().audience("https://other.example"), Err(AuthErrorKind::WrongAudience)),
            (token().issuer("https://other.example"), Err(AuthErrorKind::UnknownIssuer)),
            (token().claim("nbf", 99_999_999_999_i64), Err(AuthErrorKind::NotYetValid)),
            (token().claim("cnf", json!({"jkt": "x"})), Err(AuthErrorKind::BindingNotProven)),
            (token().claim("sub", 7), Err(AuthErrorKind::InvalidClaim)),
            (token().claim("token_type", "refresh_token"), Err(AuthErrorKind::WrongType)),
        ] {
            let minted = token.mint();
            assert_eq!(verdict(&api, &minted).await, expected, "{token:?}");
            assert_eq!(verdict(&api, &minted).await, expected, "{token:?}, again");
        }
        assert_eq!(verdict(&api, "made-up-elsewhere").await, Err(AuthErrorKind::Inactive));
        assert_eq!(
            verdict(&MockAuth::new(RESOURCE).server(), &token().mint()).await,
            Err(AuthErrorKind::Inactive)
        );
    }

    #[tokio::test]
    async fn what_is_taken_back_is_refused_at_once() {
        let auth = MockAuth::new(RESOURCE);
        let api = auth.server();
        let token = auth.token().mint();
        assert!(verdict(&api, &token).await.is_ok());
        assert!(auth.clone().revoke(&token));
        assert_eq!(verdict(&api, &token).await, Err(AuthErrorKind::Inactive));
        assert!(!auth.revoke(&token));
    }

    #[tokio::test]
    async fn time_is_that_of_the_clock() {
        let clock = TestClock::at(UnixTime::from_secs(1_000_000_000));
        let auth = MockAuth::new(RESOURCE).clock(clock.clone());
        let api = auth.server();
        let token = auth.token().expires_in(Duration::from_secs(30)).mint();
        assert!(verdict(&api, &token).await.is_ok());
        clock.advance(Duration::from_secs(100));
        assert_eq!(verdict(&api, &token).await, Err(AuthErrorKind::Expired));
        assert!(verdict(&api, &auth.token().mint()).await.is_ok(), "made by the clock as it is now");
    }

    #[tokio::test]
    async fn it_stands_in_a_builder_of_ones_own_and_is_ready() {
        let auth = MockAuth::new("orders");
        let api = ResourceServer::builder("orders").trust(auth.issuer()).build().unwrap();
        api.ready().await.unwrap();
        assert!(verdict(&api, &auth.token().mint()).await.is_ok());
    }

    #[tokio::test]
    async fn a_made_up_token_has_what_rfc_9068_asks_for() {
        let auth = MockAuth::new(RESOURCE);
        let strict = auth.issuer().profile(crate::Profile::Rfc9068);
        let api = ResourceServer::builder(RESOURCE).trust(strict).build().unwrap();
        assert!(verdict(&api, &auth.token().mint()).await.is_ok());
        for claim in ["exp", "jti", "client_id", "iat", "sub"] {
            let lean = auth.token().without(claim).mint();
            assert_eq!(verdict(&api, &lean).await, Err(AuthErrorKind::InvalidClaim), "{claim}");
        }
    }

    #[test]
    fn nothing_is_printed() {
        let auth = MockAuth::new(RESOURCE);
        let token = auth.token().subject("secret-subject");
        let minted = token.mint();
        let printed = format!("{auth:?} {token:?} {:?} {:?}", auth.issuer(), token.bearer());
        assert!(!printed.contains(&minted) && !printed.contains("secret-subject"), "{printed}");
        assert!(!printed.contains("Bearer "), "{printed}");
    }

    #[test]
    #[should_panic(expected = "10000 tokens at most")]
    fn the_table_is_bounded() {
        let auth = MockAuth::new(RESOURCE);
        for _ in 0..=MAX_TOKENS {
            auth.token().mint();
        }
    }
}
