//! Who can be asked about a token, and what can be said of one?

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use secrecy::{ExposeSecret, SecretBox};

use crate::{
    clock::UnixTime,
    fetch::{Fetch, FetchError, FetchFuture, FetchRequest},
    policy::OmittableClaim,
};

/// Somebody who can be asked about a token: an introspection endpoint (RFC 7662), or a provider's own way to say whose
/// token it is.
///
/// Whatever the implementation, the crate puts the same around it: one question per token at a time, a cache, bounds on the
/// number of questions, a deadline of 3 s, a breaker, and the same rules for the claims that come back.
///
/// An implementation must answer [`Active`](Introspected::Active) only for tokens that it proved to be issued for this
/// resource server, or leave `iss` and `aud` in the claims, which are judged then. Nothing that goes wrong on the way may
/// become a verdict: only [`Inactive`](Introspected::Inactive) and [`NotForUs`](Introspected::NotForUs) are.
///
/// ```
/// use bearergate::{Introspected, IntrospectionFuture, Introspector, Issuer, IntrospectionEndpoint, Question};
///
/// /// A session table of our own.
/// #[derive(Debug)]
/// struct Sessions;
///
/// impl Introspector for Sessions {
///     fn introspect(&self, question: Question) -> IntrospectionFuture<'_> {
///         Box::pin(async move {
///             match question.token() {
///                 b"a-known-session" => Introspected::active(
///                     r#"{"iss": "https://sessions.example", "aud": "https://api.example.com", "sub": "ada"}"#,
///                 ),
///                 _ => Introspected::Inactive,
///             }
///         })
///     }
/// }
///
/// let sessions = Issuer::introspect_by("https://sessions.example", IntrospectionEndpoint::of(Sessions));
/// # let _ = sessions;
/// ```
pub trait Introspector: fmt::Debug + Send + Sync + 'static {
    /// Asks about one token. The caller drops the future when its time is over.
    fn introspect(&self, question: Question) -> IntrospectionFuture<'_>;

    /// The claims that its answers may lack because it checks by itself what they would say. **Default:** none.
    fn proves(&self) -> &[OmittableClaim] {
        &[]
    }
}

/// The answer to come.
pub type IntrospectionFuture<'i> = Pin<Box<dyn Future<Output = Introspected> + Send + 'i>>;

/// A question about one token. `Debug` prints nothing of it.
#[derive(Clone)]
pub struct Question {
    token: Arc<SecretBox<[u8]>>,
    issuer: Arc<str>,
    now: UnixTime,
    fetch: Arc<dyn Fetch>,
}

impl Question {
    pub(crate) fn new(
        token: Arc<SecretBox<[u8]>>,
        issuer: Arc<str>,
        now: UnixTime,
        fetch: Arc<dyn Fetch>,
    ) -> Self {
        Self { token, issuer, now, fetch }
    }

    /// The token, whatever octets it has.
    pub fn token(&self) -> &[u8] {
        self.token.expose_secret()
    }

    /// The trusted issuer that is asked.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The time of day.
    pub fn now(&self) -> UnixTime {
        self.now
    }

    /// Sends a request by the HTTP client of the resource server.
    pub fn fetch(&self, request: FetchRequest) -> FetchFuture {
        self.fetch.fetch(request)
    }

    pub(crate) fn client(&self) -> &Arc<dyn Fetch> {
        &self.fetch
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What was said of a token, sorted by whom it tells something about.
#[non_exhaustive]
pub enum Introspected {
    /// The token is good as far as the issuer knows. These are its claims, a JSON object, which are judged as a JWT's are.
    Active(String),
    /// Our own credentials are not taken (RFC 7662 §2.3). The request gets 503, and calls stop for a while once a question of
    /// ours has shown that this holds for every token.
    CredentialsRefused(FetchError),
    /// The token is not good: 401.
    Inactive,
    /// What came is no answer to the question: 503.
    Malformed(FetchError),
    /// The token is good, and was issued for somebody else: 401.
    NotForUs,
    /// This very token was not taken, which is no verdict, and says nothing about the endpoint: 503 for it alone.
    TokenRefused(FetchError),
    /// No answer came, or one that says that none is to be had now: 503.
    Unavailable(FetchError),
    /// An answer that no such endpoint gives, such as 404: a wrong URL, most likely. 503.
    Unexpected(FetchError),
}

impl Introspected {
    /// The token is good, and has these claims.
    pub fn active(claims: impl Into<String>) -> Self {
        Self::Active(claims.into())
    }
}

/// Prints no claim.
impl fmt::Debug for Introspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active(_) => f.write_str("Active"),
            Self::Inactive => f.write_str("Inactive"),
            Self::NotForUs => f.write_str("NotForUs"),
            Self::CredentialsRefused(error) => f.debug_tuple("CredentialsRefused").field(error).finish(),
            Self::Malformed(error) => f.debug_tuple("Malformed").field(error).finish(),
            Self::TokenRefused(error) => f.debug_tuple("TokenRefused").field(error).finish(),
            Self::Unavailable(error) => f.debug_tuple("Unavailable").field(error).finish(),
            Self::Unexpected(error) => f.debug_tuple("Unexpected").field(error).finish(),
        }
    }
}
