//! What did the request present?

use std::fmt;

use http::{Method, Uri};

/// The credentials of one request, borrowed, before anyone judged them.
///
/// Made from a request ([`from_parts`](Self::from_parts)) or from a bare token ([`bearer`](Self::bearer)); what a later
/// check needs of the request is added by the `with_*` methods. `Debug` prints nothing of the token.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Presented<'a> {
    token: &'a [u8],
    request: Option<(&'a Method, &'a Uri)>,
    certificate: Option<&'a [u8]>,
}

impl<'a> Presented<'a> {
    /// A bearer token without its scheme, as another protocol or framework delivers it.
    pub fn bearer(token: &'a str) -> Self {
        Self::bearer_bytes(token.as_bytes())
    }

    pub(crate) fn bearer_bytes(token: &'a [u8]) -> Self {
        Self { token, request: None, certificate: None }
    }

    /// Adds the method and URI of the request that the token came with.
    #[must_use]
    pub fn with_request(mut self, method: &'a Method, uri: &'a Uri) -> Self {
        self.request = Some((method, uri));
        self
    }

    /// Adds the client's certificate (DER) of the TLS connection.
    #[must_use]
    pub fn with_certificate(mut self, der: &'a [u8]) -> Self {
        self.certificate = Some(der);
        self
    }

    pub(crate) fn token(&self) -> &'a [u8] {
        self.token
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("method", &self.request.map(|(method, _)| method))
            .field("certificate", &self.certificate.is_some())
            .finish_non_exhaustive()
    }
}
