//! What did the request present?

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
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

/// What a token looks like. It decides once who judges it, and nothing else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// Three segments, the first of which is an object in base64url.
    Jwt,
    /// Text that only its issuer can read.
    Opaque,
}

impl Shape {
    /// A damaged JWT is still one: whatever is nearly a JWT is refused as such, and never judged in another way.
    pub(crate) fn of(token: &[u8]) -> Self {
        let mut segments = token.split(|byte| *byte == b'.');
        let (Some(header), Some(_), Some(_), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Self::Opaque;
        };
        let padding = header.iter().rev().take_while(|byte| **byte == b'=').count();
        let header = header.get(..header.len().saturating_sub(padding)).unwrap_or_default();
        match FORGIVING.decode(header) {
            Ok(text) if text.trim_ascii().starts_with(b"{") => Self::Jwt,
            Ok(_) | Err(_) => Self::Opaque,
        }
    }
}

/// Only to see what was meant. What is trusted is decoded strictly.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("method", &self.request.map(|(method, _)| method))
            .field("certificate", &self.certificate.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int_12_whatever_is_nearly_a_jwt_has_its_shape() {
        // {"alg":"RS256"} and {} with a space before it; a bare word; an array.
        for (token, shape) in [
            ("eyJhbGciOiJSUzI1NiJ9.e30.AA", Shape::Jwt),
            ("eyJhbGciOiJSUzI1NiJ9..", Shape::Jwt),
            ("eyJhbGciOiJSUzI1NiJ9.!.!", Shape::Jwt),
            ("IHt9.e30.AA", Shape::Jwt),
            ("IHt9==.e30.AA", Shape::Jwt),
            ("e30=.e30.AA", Shape::Jwt),
            ("e30", Shape::Opaque),
            ("e30.e30", Shape::Opaque),
            ("e30.e30.e30.e30", Shape::Opaque),
            ("YWJj.e30.AA", Shape::Opaque),
            ("W10.e30.AA", Shape::Opaque),
            ("a.b.c", Shape::Opaque),
            ("..", Shape::Opaque),
            ("", Shape::Opaque),
        ] {
            assert_eq!(Shape::of(token.as_bytes()), shape, "{token}");
        }
    }
}
