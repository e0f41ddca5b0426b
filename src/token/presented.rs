//! What did the request present?

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, Method, Uri};

/// The credentials of one request, borrowed, before anyone judged them.
///
/// Made from a request ([`from_parts`](Self::from_parts)) or from a bare token ([`bearer`](Self::bearer)); what a later
/// check needs of the request is added by the `with_*` methods. `Debug` prints nothing of the token.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Presented<'a> {
    token: &'a [u8],
    request: Option<(&'a Method, &'a Uri)>,
    headers: Option<&'a HeaderMap>,
    certificate: Option<&'a [u8]>,
}

impl<'a> Presented<'a> {
    /// A bearer token without its scheme, as another protocol or framework delivers it.
    pub fn bearer(token: &'a str) -> Self {
        Self::bearer_bytes(token.as_bytes())
    }

    pub(crate) fn bearer_bytes(token: &'a [u8]) -> Self {
        Self { token, request: None, headers: None, certificate: None }
    }

    /// Adds the method and URI of the request that the token came with.
    #[must_use]
    pub fn with_request(mut self, method: &'a Method, uri: &'a Uri) -> Self {
        self.request = Some((method, uri));
        self
    }

    /// Adds the header fields of that request.
    #[must_use]
    pub fn with_headers(mut self, headers: &'a HeaderMap) -> Self {
        self.headers = Some(headers);
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

    /// Whether the token begins with these octets, as the tokens of some issuers do: `gho_`, `ya29.`.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.token.starts_with(prefix.as_bytes())
    }

    /// The method of the request, if it is known.
    pub fn method(&self) -> Option<&'a Method> {
        self.request.map(|(method, _)| method)
    }

    /// The URI of the request, if it is known.
    pub fn uri(&self) -> Option<&'a Uri> {
        self.request.map(|(_, uri)| uri)
    }

    /// A header field of the request. `None` also where it comes twice, or is no text: two values that disagree choose
    /// nothing.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut fields = self.headers?.get_all(name).into_iter();
        let field = fields.next()?;
        if fields.next().is_some() { None } else { field.to_str().ok() }
    }

    /// The host that the request names, without port, as it was sent: of its URI, or else of its `Host` field. The client
    /// chooses it.
    pub fn host(&self) -> Option<&'a str> {
        if let Some(host) = self.uri().and_then(Uri::host) {
            return Some(host);
        }
        let authority = self.header("host")?;
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        if port.bytes().all(|byte| byte.is_ascii_digit()) { Some(host) } else { Some(authority) }
    }
}

/// What a token looks like. It decides once who judges it, and nothing else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// Three segments, the first of which is an object in base64url; or what was once that.
    Jwt,
    /// Text that only its issuer can read, an encrypted JWT (RFC 7516) included.
    Opaque,
}

impl Shape {
    /// A damaged JWT is still one: whatever is nearly a JWT is refused as such, and never judged in another way.
    pub(crate) fn of(token: &[u8]) -> Self {
        // Nearly all opaque tokens end here.
        if !token.contains(&b'.') {
            return Self::Opaque;
        }
        let mut segments = token.split(|byte| *byte == b'.');
        let (Some(first), Some(second)) = (segments.next(), segments.next()) else { return Self::Opaque };
        let is_jwt = match segments.count() {
            1 => is_object(first) || begins_like_a_jwt(first) || begins_like_a_jwt(second),
            3 if is_encrypted(first) => false,
            _ => begins_like_a_jwt(first) || begins_like_a_jwt(second),
        };
        if is_jwt { Self::Jwt } else { Self::Opaque }
    }
}

/// Whether a segment is the header of an encrypted JWT (RFC 7516 §4.1.2). A JWT with dots behind it has none such.
fn is_encrypted(segment: &[u8]) -> bool {
    let names_it = |text: Vec<u8>| text.windows(5).any(|part| part == b"\"enc\"");
    is_object(segment) && FORGIVING.decode(segment).is_ok_and(names_it)
}

/// Whether a segment is an object in base64url, as the first one of a JWT is.
fn is_object(segment: &[u8]) -> bool {
    let padding = segment.iter().rev().take_while(|byte| **byte == b'=').count();
    let segment = segment.get(..segment.len().saturating_sub(padding)).unwrap_or_default();
    let Ok(text) = FORGIVING.decode(segment) else { return false };
    let inside = text.trim_ascii().strip_prefix(b"{");
    inside.is_some_and(|inside| matches!(inside.trim_ascii_start().first(), Some(b'"' | b'}')))
}

/// Whether a segment begins as the segments of nearly all JWTs do, with an object and a name: `{"alg`, `{"iss`. Whatever comes
/// behind may be damaged. Of opaque tokens with a dot, less than one in a million looks like this.
fn begins_like_a_jwt(segment: &[u8]) -> bool {
    let Some(start) = segment.get(..8) else { return false };
    let Ok(start) = FORGIVING.decode(start) else { return false };
    let Some(inside) = start.strip_prefix(b"{") else { return false };
    match inside.trim_ascii_start() {
        [b'"', name @ ..] => name.iter().all(|byte| byte.is_ascii_graphic()),
        _ => false,
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
        // {"alg":"RS256"} and {} with a space before it; a bare word; an array; {"iss":…} behind a damaged header.
        for (token, shape) in [
            ("eyJhbGciOiJSUzI1NiJ9.e30.AA", Shape::Jwt),
            ("eyJhbGciOiJSUzI1NiJ9..", Shape::Jwt),
            ("eyJhbGciOiJSUzI1NiJ9.!.!", Shape::Jwt),
            ("IHt9.e30.AA", Shape::Jwt),
            ("IHt9==.e30.AA", Shape::Jwt),
            ("e30=.e30.AA", Shape::Jwt),
            ("eyJhbGci!iJSUzI1NiJ9.e30.AA", Shape::Jwt),
            ("eyJhbGciOiJSUzI1NiJ9.e30", Shape::Jwt),
            ("eyJhbGciOiJSUzI1NiJ9.e30.AA.AA", Shape::Jwt),
            ("eyJhbGciOiJSUzI1NiJ9.e30.AA..", Shape::Jwt),
            ("eyAiYWxnIjoiUlMyNTYifQ.e30", Shape::Jwt),
            ("ewogImFsZyI6IlJTMjU2In0.e30", Shape::Jwt),
            ("!yJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpIn0.AA", Shape::Jwt),
            ("AA.eyJpc3MiOiJpIn0", Shape::Jwt),
            ("eyJhbGciOiJSUzI1NiJ9", Shape::Opaque),
            ("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AA.AA.AA", Shape::Opaque),
            ("e30", Shape::Opaque),
            ("e30.e30", Shape::Opaque),
            ("e30.e30.e30.e30", Shape::Opaque),
            ("YWJj.e30.AA", Shape::Opaque),
            ("W10.e30.AA", Shape::Opaque),
            ("e3h4.e30.AA", Shape::Opaque),
            ("a.b.c", Shape::Opaque),
            ("ya29.A0ARrdaM-x", Shape::Opaque),
            ("..", Shape::Opaque),
            ("", Shape::Opaque),
        ] {
            assert_eq!(Shape::of(token.as_bytes()), shape, "{token}");
        }
    }
}
