//! How does this resource server show the introspection endpoint who asks?

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

use crate::{clock::UnixTime, fetch::FetchError};

/// The credentials of this resource server at an introspection endpoint (RFC 7662 §2.1). `Debug` prints none of them.
///
/// ```
/// use bearergate::{ClientAuth, Issuer};
///
/// let secret = std::env::var("INTROSPECTION_SECRET").unwrap_or_default();
/// let legacy = Issuer::introspect(
///     "https://legacy.example.com",
///     "https://legacy.example.com/introspect",
///     ClientAuth::basic("orders-api", secret),
/// );
/// # let _ = legacy;
/// ```
#[derive(Clone)]
pub struct ClientAuth(Method);

#[derive(Clone)]
enum Method {
    Basic { id: String, secret: SecretString },
    Bearer(SecretString),
    None,
    Post { id: String, secret: SecretString },
}

impl ClientAuth {
    /// Client identifier and secret in the `Authorization` field, `client_secret_basic`. Both are form-encoded first, as
    /// RFC 6749 §2.3.1 asks.
    pub fn basic(client_id: impl Into<String>, client_secret: impl Into<SecretString>) -> Self {
        Self(Method::Basic { id: client_id.into(), secret: client_secret.into() })
    }

    /// Client identifier and secret in the form, `client_secret_post` (RFC 6749 §2.3.1).
    pub fn post(client_id: impl Into<String>, client_secret: impl Into<SecretString>) -> Self {
        Self(Method::Post { id: client_id.into(), secret: client_secret.into() })
    }

    /// A bearer token of this resource server's own (RFC 7662 §2.1). It is sent as it is, and never renewed.
    pub fn bearer(token: impl Into<SecretString>) -> Self {
        Self(Method::Bearer(token.into()))
    }

    /// No credentials: for an endpoint that knows its callers by other means, as by the network or by a client
    /// certificate of your own [HTTP client](crate::ResourceServerBuilder::http_client).
    pub fn none() -> Self {
        Self(Method::None)
    }

    /// The error says what to change.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }

    pub(crate) fn client_id(&self) -> Option<&str> {
        match &self.0 {
            Method::Basic { id, .. } | Method::Post { id, .. } => Some(id),
            _ => None,
        }
    }

    pub(crate) fn credentials(&self, _issuer: &str, _now: UnixTime) -> Result<Credentials, FetchError> {
        let mut parameters = Vec::new();
        let field = match &self.0 {
            Method::None => None,
            Method::Post { id, secret } => {
                parameters.push(("client_id", id.clone().into()));
                parameters.push(("client_secret", secret.clone()));
                None
            }
            Method::Basic { id, secret } => {
                let pair = format!("{}:{}", encoded(id), encoded(secret.expose_secret()));
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            Method::Bearer(token) => Some(format!("Bearer {}", token.expose_secret())),
        };
        let authorization = field.map(|field| HeaderValue::try_from(field).expect("x"));
        Ok(Credentials { authorization, parameters })
    }
}

pub(crate) struct Credentials {
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) parameters: Vec<(&'static str, SecretString)>,
}

const EMPTY: &str = "the client identifier or the client secret is empty: give both, or `ClientAuth::none()`";

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// So that an entry that did not change is known as such.
impl PartialEq for ClientAuth {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Method::Basic { id, secret }, Method::Basic { id: other_id, secret: other_secret })
            | (Method::Post { id, secret }, Method::Post { id: other_id, secret: other_secret }) => {
                id == other_id && secret.expose_secret() == other_secret.expose_secret()
            }
            (Method::Bearer(token), Method::Bearer(other)) => token.expose_secret() == other.expose_secret(),
            (Method::None, Method::None) => true,
            (Method::Basic { .. } | Method::Post { .. } | Method::Bearer(_) | Method::None, _) => false,
        }
    }
}

impl Eq for ClientAuth {}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Method::Basic { .. } => "ClientAuth::basic",
            Method::Bearer(_) => "ClientAuth::bearer",
            Method::None => "ClientAuth::none",
            Method::Post { .. } => "ClientAuth::post",
        })
    }
}
