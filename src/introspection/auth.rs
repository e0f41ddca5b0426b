//! How does this resource server show the introspection endpoint who asks?

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

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

    /// The `Authorization` field; the error says what to change.
    pub(crate) fn authorization(&self) -> Result<Option<HeaderValue>, &'static str> {
        let field = match &self.0 {
            Method::None => return Ok(None),
            Method::Post { id, secret } => {
                return if id.is_empty() || secret.expose_secret().is_empty() {
                    Err(EMPTY)
                } else {
                    Ok(None)
                };
            }
            Method::Basic { id, secret } if id.is_empty() || secret.expose_secret().is_empty() => {
                return Err(EMPTY);
            }
            Method::Basic { id, secret } => {
                let pair = format!("{}:{}", encoded(id), encoded(secret.expose_secret()));
                format!("Basic {}", STANDARD.encode(pair))
            }
            Method::Bearer(token) => {
                let token = token.expose_secret();
                let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
                if !is_token {
                    return Err(
                        "the bearer token of `ClientAuth::bearer(..)` is empty, or holds what no header field can carry: give the bare token",
                    );
                }
                format!("Bearer {token}")
            }
        };
        let mut field = HeaderValue::try_from(field).map_err(|_| EMPTY)?;
        field.set_sensitive(true);
        Ok(Some(field))
    }

    /// What stands in the form besides the token.
    pub(crate) fn parameters(&self) -> Option<[(&'static str, &str); 2]> {
        match &self.0 {
            Method::Post { id, secret } => {
                Some([("client_id", id.as_str()), ("client_secret", secret.expose_secret())])
            }
            Method::Basic { .. } | Method::Bearer(_) | Method::None => None,
        }
    }
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
