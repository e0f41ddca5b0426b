//! What is sent to an introspection endpoint (RFC 7662 §2.1)?

use std::fmt;

use http::{HeaderValue, Uri};
use url::{Url, form_urlencoded};

use crate::{
    fetch::{FetchRequest, PostContent},
    introspection::auth::ClientAuth,
};

/// An answer is one token's claims: real ones are below 16 KiB.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// One endpoint, and how it is asked.
pub(crate) struct Endpoint {
    url: Uri,
    auth: ClientAuth,
    authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// The error says what to change.
    pub(crate) fn new(url: &Url, auth: ClientAuth) -> Result<Self, &'static str> {
        let url = url.as_str().parse().map_err(|_| "the URL of the introspection endpoint is not usable")?;
        let authorization = auth.authorization()?;
        Ok(Self { url, auth, authorization })
    }

    /// The token stands in the form alone, never in the URL; whatever octets it has, they arrive.
    pub(crate) fn request(&self, token: &[u8]) -> FetchRequest {
        let mut content = String::from("token=");
        content.extend(form_urlencoded::byte_serialize(token));
        content.push_str("&token_type_hint=access_token");
        for (name, value) in self.auth.parameters().into_iter().flatten() {
            content.push('&');
            content.push_str(name);
            content.push('=');
            content.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        }
        FetchRequest::get(self.url.clone(), "application/json", MAX_ANSWER_BYTES)
            .authorized(self.authorization.clone())
            .posting(PostContent::form(content))
    }

    /// An answer that a client of somebody else's read too far.
    pub(crate) fn is_too_large(body: &[u8]) -> bool {
        body.len() > MAX_ANSWER_BYTES
    }
}

/// A query of the URL may hold what does not belong into a log.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("auth", &self.auth).finish_non_exhaustive()
    }
}
