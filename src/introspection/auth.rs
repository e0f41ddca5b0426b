//! How does this resource server show the introspection endpoint who asks?

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

use crate::{
    clock::UnixTime,
    fetch::{FetchError, FetchErrorKind},
    introspection::{
        assertion::{ASSERTION_TYPE, Assertion, LastKey},
        secret::{Secret, SecretError},
    },
    keys::algorithm::Algorithm,
};

/// The credentials of this resource server at an introspection endpoint (RFC 7662 §2.1). `Debug` prints none of them.
///
/// ```
/// use bearergate::{ClientAuth, Issuer, Secret};
///
/// let legacy = Issuer::introspect(
///     "https://legacy.example.com",
///     "https://legacy.example.com/introspect",
///     ClientAuth::basic("orders-api", Secret::file("/run/secrets/introspection")),
/// );
/// # let _ = legacy;
/// ```
#[derive(Clone)]
#[must_use = "credentials do nothing until an endpoint has them"]
pub struct ClientAuth {
    method: Method,
    key_id: Option<String>,
    algorithm: Option<Algorithm>,
    audience: Option<String>,
    last_key: LastKey,
}

#[derive(Clone, Eq, PartialEq)]
enum Method {
    Basic { id: String, secret: Secret },
    Bearer(Secret),
    MutualTls { id: String },
    None,
    Post { id: String, secret: Secret },
    PrivateKeyJwt { id: String, pem: Secret },
    SecretJwt { id: String, secret: Secret },
}

/// What goes with one question.
pub(crate) struct Credentials {
    pub(crate) authorization: Option<HeaderValue>,
    /// What stands in the form besides the token.
    pub(crate) parameters: Vec<(&'static str, SecretString)>,
}

impl ClientAuth {
    fn new(method: Method) -> Self {
        Self { method, key_id: None, algorithm: None, audience: None, last_key: LastKey::default() }
    }

    /// Client identifier and secret in the `Authorization` field, `client_secret_basic`. Both are form-encoded first, as
    /// RFC 6749 §2.3.1 asks.
    pub fn basic(client_id: impl Into<String>, client_secret: impl Into<Secret>) -> Self {
        Self::new(Method::Basic { id: client_id.into(), secret: client_secret.into() })
    }

    /// Client identifier and secret in the form, `client_secret_post` (RFC 6749 §2.3.1).
    pub fn post(client_id: impl Into<String>, client_secret: impl Into<Secret>) -> Self {
        Self::new(Method::Post { id: client_id.into(), secret: client_secret.into() })
    }

    /// An assertion signed by HS256 with the client secret, of 32 octets or more, `client_secret_jwt` (OpenID Connect Core 1.0
    /// §9, RFC 7523 §2.2).
    pub fn client_secret_jwt(client_id: impl Into<String>, client_secret: impl Into<Secret>) -> Self {
        Self::new(Method::SecretJwt { id: client_id.into(), secret: client_secret.into() })
    }

    /// An assertion signed by a private key in PEM (`PRIVATE KEY`, PKCS #8), `private_key_jwt` (OpenID Connect Core 1.0 §9,
    /// RFC 7523 §2.2): RSA by RS256, EC by ES256, ES384 or ES512, Ed25519 by EdDSA, unless
    /// [`assertion_algorithm`](Self::assertion_algorithm) says otherwise. The feature `rust-crypto` signs neither by RSA nor by
    /// ES512.
    pub fn private_key_jwt(client_id: impl Into<String>, private_key: impl Into<Secret>) -> Self {
        Self::new(Method::PrivateKeyJwt { id: client_id.into(), pem: private_key.into() })
    }

    /// A bearer token of this resource server's own (RFC 7662 §2.1). It is sent as it is; who renews it gives it by
    /// [`Secret::file`] or [`Secret::from_fn`].
    pub fn bearer(token: impl Into<Secret>) -> Self {
        Self::new(Method::Bearer(token.into()))
    }

    /// A client certificate, which is the affair of your own [HTTP client](crate::ResourceServerBuilder::http_client). The
    /// client identifier stands in the form (RFC 8705 §2).
    pub fn mutual_tls(client_id: impl Into<String>) -> Self {
        Self::new(Method::MutualTls { id: client_id.into() })
    }

    /// No credentials: for an endpoint that knows its callers by other means, as by the network.
    pub fn none() -> Self {
        Self::new(Method::None)
    }

    /// Names the key of an assertion in its `kid` (RFC 7515 §4.1.4). **Default:** none is named.
    pub fn key_id(mut self, kid: impl Into<String>) -> Self {
        self.key_id = Some(kid.into());
        self
    }

    /// Signs the assertion of [`private_key_jwt`](Self::private_key_jwt) by this algorithm. **Default:** the usual one for the
    /// key.
    pub fn assertion_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        // A clone may have read the key for another one.
        self.last_key = LastKey::default();
        self
    }

    /// Makes an assertion out to this audience (RFC 7523 §3). **Default:** the issuer's identifier.
    pub fn assertion_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Whether questions can be asked with it now. The error says what to change.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let signs = matches!(self.method, Method::PrivateKeyJwt { .. } | Method::SecretJwt { .. });
        if !signs && (self.key_id.is_some() || self.audience.is_some()) {
            return Err(
                "`.key_id(..)` and `.assertion_audience(..)` are for `ClientAuth::private_key_jwt(..)` and `ClientAuth::client_secret_jwt(..)`: leave them out",
            );
        }
        if self.algorithm.is_some() && !matches!(self.method, Method::PrivateKeyJwt { .. }) {
            return Err("`.assertion_algorithm(..)` is for `ClientAuth::private_key_jwt(..)`: leave it out");
        }
        if self.client_id().is_some_and(str::is_empty) {
            return Err(EMPTY);
        }
        match self.make("https://as.example", UnixTime::from_secs(0)) {
            Ok(_) => Ok(()),
            Err(Unusable::As(reason)) => Err(reason),
            Err(Unusable::Secret(SecretError::Empty)) => Err(EMPTY),
            Err(Unusable::Secret(SecretError::File(_))) => {
                Err("the file of `Secret::file(..)` cannot be read: check its path and its permissions")
            }
            Err(Unusable::Secret(SecretError::TooLarge)) => Err(
                "the file of `Secret::file(..)` holds more than 64 KiB: give the file with the secret alone",
            ),
            Err(Unusable::Secret(SecretError::Function(_))) => Err(
                "the function of `Secret::from_fn(..)` fails: it has to give the secret when the server is built",
            ),
        }
    }

    /// Whether all of it stands in the `Authorization` field, so that a question without a form can carry it.
    pub(crate) fn fits_in_a_field(&self) -> bool {
        matches!(self.method, Method::Basic { .. } | Method::Bearer(_) | Method::None)
    }

    /// The credentials for a question to this issuer.
    pub(crate) fn credentials(&self, issuer: &str, now: UnixTime) -> Result<Credentials, FetchError> {
        self.make(issuer, now).map_err(|unusable| match unusable {
            Unusable::As(reason) => FetchError::new(FetchErrorKind::Credentials, reason),
            Unusable::Secret(error) => FetchError::new(FetchErrorKind::Credentials, error),
        })
    }

    /// The identifier of this resource server as a client, if it has one.
    pub(crate) fn client_id(&self) -> Option<&str> {
        match &self.method {
            Method::Basic { id, .. }
            | Method::MutualTls { id }
            | Method::Post { id, .. }
            | Method::PrivateKeyJwt { id, .. }
            | Method::SecretJwt { id, .. } => Some(id),
            Method::Bearer(_) | Method::None => None,
        }
    }

    fn make(&self, issuer: &str, now: UnixTime) -> Result<Credentials, Unusable> {
        let assertion = |client_id| Assertion {
            client_id,
            audience: self.audience.as_deref().unwrap_or(issuer),
            key_id: self.key_id.as_deref(),
            now,
        };
        Ok(match &self.method {
            Method::Basic { id, secret } => {
                let secret = secret.read()?;
                let pair = format!("{}:{}", encoded(id), encoded(secret.expose_secret()));
                Credentials::field(&format!("Basic {}", STANDARD.encode(pair)))?
            }
            Method::Bearer(token) => {
                let token = token.read()?;
                if !token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(Unusable::As(NO_TOKEN));
                }
                Credentials::field(&format!("Bearer {}", token.expose_secret()))?
            }
            Method::MutualTls { id } => Credentials::form([("client_id", id.clone().into())]),
            Method::None => Credentials::form([]),
            Method::Post { id, secret } => {
                Credentials::form([("client_id", id.clone().into()), ("client_secret", secret.read()?)])
            }
            Method::PrivateKeyJwt { id, pem } => {
                let key = self.last_key.of(&pem.read()?, self.algorithm).map_err(Unusable::As)?;
                Credentials::assertion(assertion(id).by_key(&key))
            }
            Method::SecretJwt { id, secret } => {
                Credentials::assertion(assertion(id).by_secret(&secret.read()?).map_err(Unusable::As)?)
            }
        })
    }
}

impl Credentials {
    fn field(text: &str) -> Result<Self, Unusable> {
        let field = HeaderValue::try_from(text).map_err(|_| Unusable::As(NO_TOKEN))?;
        Ok(Self { authorization: Some(field), parameters: Vec::new() })
    }

    fn form<const N: usize>(parameters: [(&'static str, SecretString); N]) -> Self {
        Self { authorization: None, parameters: parameters.into() }
    }

    fn assertion(assertion: SecretString) -> Self {
        Self::form([("client_assertion_type", ASSERTION_TYPE.into()), ("client_assertion", assertion)])
    }
}

/// No credentials can be made.
enum Unusable {
    /// What to change.
    As(&'static str),
    Secret(SecretError),
}

impl From<SecretError> for Unusable {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

const EMPTY: &str = "the client identifier or the client secret is empty: give both, or `ClientAuth::none()`";

const NO_TOKEN: &str = "the bearer token of `ClientAuth::bearer(..)` is empty, or holds what no header field can carry: give the bare token";

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// So that an entry that did not change is known as such.
impl PartialEq for ClientAuth {
    fn eq(&self, other: &Self) -> bool {
        self.method == other.method
            && self.key_id == other.key_id
            && self.algorithm == other.algorithm
            && self.audience == other.audience
    }
}

impl Eq for ClientAuth {}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.method {
            Method::Basic { .. } => "ClientAuth::basic",
            Method::Bearer(_) => "ClientAuth::bearer",
            Method::MutualTls { .. } => "ClientAuth::mutual_tls",
            Method::None => "ClientAuth::none",
            Method::Post { .. } => "ClientAuth::post",
            Method::PrivateKeyJwt { .. } => "ClientAuth::private_key_jwt",
            Method::SecretJwt { .. } => "ClientAuth::client_secret_jwt",
        })
    }
}
