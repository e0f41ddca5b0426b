//! What does a POST request carry that nobody may print?

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Content to be sent by POST. It holds a token, and often a secret too: `Debug` prints none of it.
#[derive(Clone)]
pub struct PostContent {
    content_type: &'static str,
    content: SecretString,
}

impl PostContent {
    /// A form. `content` is encoded already, as `application/x-www-form-urlencoded`.
    pub fn form(content: impl Into<SecretString>) -> Self {
        Self { content_type: "application/x-www-form-urlencoded", content: content.into() }
    }

    /// A JSON text.
    pub fn json(content: impl Into<SecretString>) -> Self {
        Self { content_type: "application/json", content: content.into() }
    }

    /// The content to send, octet for octet: it is encoded already.
    pub fn content(&self) -> &str {
        self.content.expose_secret()
    }

    /// The `Content-Type` field to send.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }
}

impl fmt::Debug for PostContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostContent").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}
