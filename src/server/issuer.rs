//! One trusted issuer, as the application describes it.

use std::{fmt, path::PathBuf, time::Duration};

use url::Url;

use crate::{error::AuthErrorKind, keys::algorithm::Algorithm, policy::Profile};

/// An issuer that the resource server trusts, and how its tokens are judged.
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
}

/// Where the keys come from.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum KeySource {
    Discover,
    JwksUri(String),
    Jwks(String),
    JwksFile(PathBuf),
    Pem(String),
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("id", &without_credentials(&self.id))
            .field("keys", &self.keys)
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

/// Well-kept clocks differ by less than a second; this is for the others.
const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);

/// A larger difference is a broken clock, and would keep expired tokens alive.
pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(300);
