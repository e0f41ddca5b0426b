//! What does a POST request carry that nobody may print?

use std::fmt;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// A form to be sent by POST, and the credentials that go with it. `Debug` prints neither.
#[derive(Clone)]
pub struct FormPost {
    authorization: Option<HeaderValue>,
    content: SecretString,
}

impl FormPost {
    /// `content` is encoded already.
    pub(crate) fn new(authorization: Option<HeaderValue>, content: String) -> Self {
        let authorization = authorization.map(|mut field| {
            field.set_sensitive(true);
            field
        });
        Self { authorization, content: content.into() }
    }

    /// The `Authorization` field to send, if any. It is marked as sensitive.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// The content to send, octet for octet: it is encoded already, and pure ASCII. It holds a token.
    pub fn content(&self) -> &str {
        self.content.expose_secret()
    }

    /// The `Content-Type` field to send: `application/x-www-form-urlencoded`.
    pub fn content_type(&self) -> &'static str {
        "application/x-www-form-urlencoded"
    }
}

impl fmt::Debug for FormPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormPost")
            .field("authorization", &self.authorization.is_some())
            .finish_non_exhaustive()
    }
}
