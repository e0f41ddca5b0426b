//! One trusted issuer, as the application describes it.

use std::{fmt, path::PathBuf, time::Duration};

use url::Url;

use crate::{
    error::AuthErrorKind,
    introspection::{auth::ClientAuth, endpoint::IntrospectionEndpoint},
    keys::algorithm::Algorithm,
    policy::{OmittableClaim, Profile},
};

/// An issuer that the resource server trusts, and how its tokens are judged. [The guide](crate::guide::issuers) has the whole of it.
///
/// ```no_run
/// use bearergate::{Algorithm, Issuer, Profile};
///
/// let login = Issuer::discover("https://login.example.com")
///     .audiences(["https://api.example.com", "api"])
///     .algorithms([Algorithm::Es256])
///     .profile(Profile::Rfc9068);
/// ```
///
/// What is wrong with an entry is said by [`build`](crate::ResourceServerBuilder::build).
#[derive(Clone, Eq, PartialEq)]
#[must_use = "an issuer does nothing until it is trusted"]
pub struct Issuer {
    pub(crate) id: String,
    pub(crate) keys: KeySource,
    pub(crate) audiences: Option<Vec<String>>,
    pub(crate) any_audience: bool,
    pub(crate) algorithms: Option<Vec<Algorithm>>,
    pub(crate) profile: Profile,
    pub(crate) leeway: Duration,
    pub(crate) http_on_loopback: bool,
    pub(crate) unknown_key_during_outage: Answer,
    pub(crate) asked: Option<(IntrospectionEndpoint, AskAbout)>,
    pub(crate) may_omit: Vec<OmittableClaim>,
    pub(crate) cache_time: Duration,
    pub(crate) cache_entries: u64,
}

/// Where the keys come from.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum KeySource {
    Discover,
    JwksUri(String),
    Jwks(String),
    JwksFile(PathBuf),
    Pem(String),
    /// There are none: the issuer is asked about each token.
    Nowhere,
}

/// About which tokens an issuer with keys is asked. The shape of a token decides, once: a JWT, or a text that only its issuer
/// can read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AskAbout {
    /// About all: about opaque tokens, and about JWTs that the keys have verified.
    AllTokens,
    /// About opaque tokens. JWTs are judged by the keys alone; one that fails is never asked about.
    OpaqueTokens,
    /// About JWTs that the keys have verified, as a check of revocation. Opaque tokens are refused.
    VerifiedJwts,
}

impl AskAbout {
    pub(crate) fn opaque(self) -> bool {
        matches!(self, Self::AllTokens | Self::OpaqueTokens)
    }

    pub(crate) fn jwts(self) -> bool {
        matches!(self, Self::AllTokens | Self::VerifiedJwts)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("id", &without_credentials(&self.id))
            .field("keys", &self.keys)
            .field("asked", &self.asked)
            .field("audiences", &self.audiences)
            .field("algorithms", &self.algorithms)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// Prints no document and no URL: they may hold what does not belong into a log.
impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discover => "Discover",
            Self::JwksUri(_) => "JwksUri",
            Self::Jwks(_) => "Jwks",
            Self::JwksFile(_) => "JwksFile",
            Self::Pem(_) => "Pem",
            Self::Nowhere => "Nowhere",
        })
    }
}

/// How a token is answered whose key is unknown while the issuer cannot be asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// 401 `invalid_token`: the client throws the token away.
    InvalidToken,
    /// 503 with `Retry-After`: the client keeps the token and comes back.
    #[default]
    Unavailable,
}

impl Issuer {
    fn new(id: impl Into<String>, keys: KeySource) -> Self {
        Self {
            id: id.into(),
            keys,
            audiences: None,
            any_audience: false,
            algorithms: None,
            profile: Profile::default(),
            leeway: DEFAULT_LEEWAY,
            http_on_loopback: false,
            unknown_key_during_outage: Answer::default(),
            asked: None,
            may_omit: Vec::new(),
            cache_time: DEFAULT_CACHE_TIME,
            cache_entries: DEFAULT_CACHE_ENTRIES,
        }
    }

    /// Trusts the issuer with this URL, and finds its keys through its metadata: RFC 8414, then OpenID Connect
    /// Discovery. The metadata must name the very same issuer, byte for byte.
    pub fn discover(issuer: impl Into<String>) -> Self {
        Self::new(issuer, KeySource::Discover)
    }

    /// Trusts tokens whose `iss` is `issuer`, with the keys of the JWK Set at `jwks_uri`.
    pub fn jwks_uri(issuer: impl Into<String>, jwks_uri: impl Into<String>) -> Self {
        Self::new(issuer, KeySource::JwksUri(jwks_uri.into()))
    }

    /// Trusts tokens whose `iss` is `issuer`, with the keys of this JWK Set (JSON text). They are final: nothing is fetched.
    pub fn jwks(issuer: impl Into<String>, jwks: impl Into<String>) -> Self {
        Self::new(issuer, KeySource::Jwks(jwks.into()))
    }

    /// Trusts tokens whose `iss` is `issuer`, with the keys of the JWK Set in this file, read when the server is built.
    pub fn jwks_file(issuer: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self::new(issuer, KeySource::JwksFile(path.into()))
    }

    /// Trusts tokens whose `iss` is `issuer`, with this public key (PEM, `PUBLIC KEY` or `RSA PUBLIC KEY`), whatever
    /// their `kid`.
    pub fn pem(issuer: impl Into<String>, public_key: impl Into<String>) -> Self {
        Self::new(issuer, KeySource::Pem(public_key.into()))
    }

    /// Trusts what the introspection endpoint says of a token (RFC 7662): for tokens that only their issuer can read. What it
    /// says is judged as a JWT's claims are; only `exp` may be absent, unless the [profile](Self::profile) asks for it.
    ///
    /// Answers are kept for a short while ([`introspection_cache_time`](Self::introspection_cache_time)); however many requests
    /// bring a token at once, it is asked about once.
    ///
    /// Beside issuers with keys, the shape of a token decides, once: a JWT belongs to the entry that its `iss` names,
    /// everything else to this one. A JWT that fails is never asked about. Of several introspected issuers, a
    /// [selector](crate::ResourceServerBuilder::select_introspected) chooses one for each opaque token.
    ///
    /// ```
    /// # fn main() -> Result<(), bearergate::ConfigError> {
    /// use bearergate::{ClientAuth, Issuer, ResourceServer};
    ///
    /// let (id, secret) = ("orders-api", "a secret from the environment");
    /// let api = ResourceServer::builder("https://api.example.com")
    ///     .trust(Issuer::discover("https://login.example.com"))
    ///     .trust(Issuer::introspect(
    ///         "https://legacy.example.com",
    ///         "https://legacy.example.com/oauth/introspect",
    ///         ClientAuth::basic(id, secret),
    ///     ))
    ///     .build()?;
    /// # let _ = api;
    /// # Ok(()) }
    /// ```
    pub fn introspect(issuer: impl Into<String>, endpoint: impl Into<String>, auth: ClientAuth) -> Self {
        Self::introspect_by(issuer, IntrospectionEndpoint::at(endpoint, auth))
    }

    /// Trusts what is said of a token by an endpoint that the issuer's metadata names
    /// ([`IntrospectionEndpoint::discover`]), by a provider without RFC 7662 ([`Userinfo`](crate::Userinfo)), or by anybody
    /// else ([`Introspector`](crate::Introspector)).
    ///
    /// ```
    /// use bearergate::{ClientAuth, IntrospectionEndpoint, Issuer};
    ///
    /// let endpoint = IntrospectionEndpoint::discover(ClientAuth::basic("orders-api", "…"));
    /// let legacy = Issuer::introspect_by("https://legacy.example.com", endpoint);
    /// # let _ = legacy;
    /// ```
    pub fn introspect_by(issuer: impl Into<String>, endpoint: impl Into<IntrospectionEndpoint>) -> Self {
        let mut entry = Self::new(issuer, KeySource::Nowhere);
        entry.asked = Some((endpoint.into(), AskAbout::AllTokens));
        entry
    }

    /// Asks an issuer that has keys about some of its tokens too. **Default:** its keys alone decide.
    ///
    /// ```
    /// use bearergate::{AskAbout, ClientAuth, IntrospectionEndpoint, Issuer};
    ///
    /// let endpoint = IntrospectionEndpoint::discover(ClientAuth::basic("orders-api", "…"));
    /// // Every JWT is verified, and refused once it is revoked.
    /// let careful = Issuer::discover("https://login.example.com").introspection(endpoint, AskAbout::VerifiedJwts);
    /// # let _ = careful;
    /// ```
    pub fn introspection(mut self, endpoint: impl Into<IntrospectionEndpoint>, about: AskAbout) -> Self {
        self.asked = Some((endpoint.into(), about));
        self
    }

    /// Takes an introspection answer for right for so long, at most until the token expires: what is revoked is noticed as
    /// much later (RFC 7662 §4). At most 1 h; zero asks about a token anew each time. **Default:** 60 s.
    pub fn introspection_cache_time(mut self, time: Duration) -> Self {
        self.cache_time = time;
        self
    }

    /// Keeps the answers about so many good tokens; the memory for each is bounded. **Default:** 10,000.
    pub fn introspection_cache_entries(mut self, entries: u64) -> Self {
        self.cache_entries = entries;
        self
    }

    /// Accepts introspection answers without these claims; where one is there, it must be right all the same.
    /// **Default:** an answer without `iss` or `aud` is refused, because nothing in it says that the token is meant for
    /// this resource server.
    ///
    /// ```
    /// use bearergate::{ClientAuth, Issuer, OmittableClaim};
    ///
    /// let (id, endpoint) = ("https://legacy.example.com", "https://legacy.example.com/introspect");
    /// let lean = Issuer::introspect(id, endpoint, ClientAuth::basic("orders-api", "…"))
    ///     .introspection_may_omit([OmittableClaim::Audience, OmittableClaim::Issuer]);
    /// # let _ = lean;
    /// ```
    pub fn introspection_may_omit(mut self, claims: impl IntoIterator<Item = OmittableClaim>) -> Self {
        self.may_omit = claims.into_iter().collect();
        self
    }

    /// Expects one of these in `aud`, instead of the resource identifier (RFC 7519 §4.1.3). **Default:** the resource
    /// identifier of the server.
    pub fn audiences<A: Into<String>>(mut self, audiences: impl IntoIterator<Item = A>) -> Self {
        self.audiences = Some(audiences.into_iter().map(Into::into).collect());
        self
    }

    /// Allows these signature algorithms and no other (RFC 8725 §3.1). **Default:** RS256, PS256, ES256, EdDSA, Ed25519.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Says which claims and which `typ` a token must carry. **Default:** [`Profile::Lenient`].
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Tolerates this clock difference when checking `exp`, `nbf` and `iat` (RFC 7519 §4.1.4). At most 300 s.
    /// **Default:** 60 s.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Allows plain `http:` to this machine, for tests and side cars. **Default:** `https:` only.
    pub fn allow_http_on_loopback(mut self) -> Self {
        self.http_on_loopback = true;
        self
    }

    /// Says how a token is answered whose key is unknown while the issuer cannot be asked: it may be a good token, signed
    /// by a key that is newer than the outage. **Default:** [`Answer::Unavailable`].
    pub fn unknown_key_during_outage(mut self, answer: Answer) -> Self {
        self.unknown_key_during_outage = answer;
        self
    }

    /// Opens the settings that give up a protection.
    pub fn dangerous(self) -> Dangerous {
        Dangerous(self)
    }
}

/// Settings that give up a protection. Made by [`Issuer::dangerous`].
#[derive(Clone, Debug)]
#[must_use = "a setting does nothing until the issuer is trusted"]
pub struct Dangerous(Issuer);

impl Dangerous {
    /// Takes tokens that are meant for any service of this issuer, or for none. Whoever receives such a token can then
    /// use it here (RFC 8725 §3.9). **Default:** `aud` must name this resource server.
    pub fn accept_any_audience(mut self) -> Issuer {
        self.0.any_audience = true;
        self.0
    }
}

impl Answer {
    pub(crate) fn kind(self) -> AuthErrorKind {
        match self {
            Self::InvalidToken => AuthErrorKind::UnknownKey,
            Self::Unavailable => AuthErrorKind::UnknownKeyDuringOutage,
        }
    }
}

/// A URL as it may be shown. What is no URL with a host may hold anything in front of an `@`.
pub(crate) fn without_credentials(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if url.has_host() => {
            if url.username().is_empty() && url.password().is_none() {
                return text.to_owned();
            }
            let _removed = (url.set_username(""), url.set_password(None));
            url.into()
        }
        _ => text.rsplit('@').next().unwrap_or_default().to_owned(),
    }
}

/// The place of a document as it may be shown: a query may be a secret.
pub(crate) fn without_query(text: &str) -> String {
    let is_url = Url::parse(text).is_ok_and(|url| url.has_host());
    // An `@` in the query of what is no URL: what stands behind it is still the query.
    if !is_url && text.rsplit_once('@').is_some_and(|(before, _)| before.contains(['?', '#'])) {
        return "…".to_owned();
    }
    without_credentials(text).split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Well-kept clocks differ by less than a second; this is for the others.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);

/// A larger difference is a broken clock, and would keep expired tokens alive.
pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// What is revoked is refused a minute later at the latest.
const DEFAULT_CACHE_TIME: Duration = Duration::from_secs(60);

/// Longer is no revocation any more.
pub(crate) const MAX_CACHE_TIME: Duration = Duration::from_secs(60 * 60);

/// Sessions that are active within a minute, for a busy service.
const DEFAULT_CACHE_ENTRIES: u64 = 10_000;
