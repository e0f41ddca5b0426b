//! What can go wrong with an answer of the issuer?

use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};

/// What an issuer serves, each with faults and a counter of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Endpoint {
    /// The authorization endpoint, which sends users back to their client, or asks them first.
    Authorization,
    /// Where the [page](super::TestIssuerBuilder::users) that asks users sends what they decided.
    Consent,
    /// The page at which a user enters the code of a device (RFC 8628 §3.3).
    Device,
    /// The device authorization endpoint (RFC 8628 §3.1).
    DeviceAuthorization,
    /// The introspection endpoint (RFC 7662).
    Introspection,
    /// The JWK Set.
    Jwks,
    /// The metadata, at both of its places.
    Metadata,
    /// The registration endpoint (RFC 7591).
    Registration,
    /// The revocation endpoint (RFC 7009).
    Revocation,
    /// The token endpoint.
    Token,
}

impl Endpoint {
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (
                &Method::GET,
                "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration",
            ) => Some(Self::Metadata),
            (&Method::GET | &Method::POST, "/authorize") => Some(Self::Authorization),
            (&Method::GET | &Method::POST, "/device") => Some(Self::Device),
            (&Method::POST, "/device_authorization") => Some(Self::DeviceAuthorization),
            (&Method::GET, "/jwks") => Some(Self::Jwks),
            (&Method::POST, "/consent") => Some(Self::Consent),
            (&Method::POST, "/introspect") => Some(Self::Introspection),
            (&Method::POST, "/register") => Some(Self::Registration),
            (&Method::POST, "/revoke") => Some(Self::Revocation),
            (&Method::POST, "/token") => Some(Self::Token),
            _ => None,
        }
    }
}

/// A way in which an answer goes wrong. [`Faults`](super::Faults) says where and when.
///
/// A fault of a document's member changes nothing where the document has no such member.
///
/// Over the socket all of them happen to the very octets. [`IssuerFetch`](super::IssuerFetch) has none, so it gives the
/// outcome that [`HttpFetch`](crate::HttpFetch) has of the same answer; those that a client without a socket cannot tell
/// from another say so.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The document is this one, whatever it is.
    Document(Vec<u8>),
    /// The answer comes an octet at a time, with this pause behind each. In memory it comes whole, after as many pauses.
    DripFeed(Duration),
    /// The key set is empty.
    EmptySet,
    /// The answer never ends: spaces follow upon spaces, without a `Content-Length`. In memory it is too large at once.
    Endless,
    /// Every n-th answer is good, the others have the fault: an issuer of which some instances are broken.
    Flapping {
        /// 3: the third answer is good, the sixth, and so on. 0: none is.
        good_every: u32,
        /// What the others have.
        otherwise: Box<Fault>,
    },
    /// The answer is 64 KiB of gzip that hold 64 MiB of spaces, under a `Content-Encoding` that nobody asked for.
    GzipBomb,
    /// The request is read and never answered.
    Hang,
    /// These header fields stand in the answer, instead of those of the same name.
    Headers(HeaderMap),
    /// The answer is a page in HTML with 200, as portals and proxies give it.
    Html,
    /// The metadata names this place for the keys.
    JwksUri(String),
    /// The issuer replaces its keys and keeps their kids, before it answers:
    /// [`TestIssuer::rotate_in_place`](super::TestIssuer::rotate_in_place).
    KeysReplacedInPlace,
    /// The answer is as it should be: for [scripts](super::Faults::script).
    None,
    /// Keys of all kinds that cannot be used stand before and behind the good ones.
    OddKeys,
    /// The answer is made now, and arrives only after the answer to a later request to this endpoint has.
    OutOfOrder,
    /// The document is stretched to at least so many octets by spaces, which JSON allows.
    Oversized(usize),
    /// The answer is 302 with this `Location`.
    Redirect(Uri),
    /// The connection is reset after half of the content.
    ResetMidBody,
    /// The connection is reset after half of the header fields. In memory this is like a connection that never came about.
    ResetMidHead,
    /// The `Date` field is so many seconds ahead of the issuer's clock, or behind it where negative.
    SkewedDate(i64),
    /// The answer comes so much later.
    Slow(Duration),
    /// The answer is this status, from 200 on, without content.
    Status(StatusCode),
    /// `Content-Length` promises the whole document, half of it comes, and the connection is closed in good order. In
    /// memory this is like [`ResetMidBody`](Self::ResetMidBody).
    Truncated,
    /// The answer lacks this header field.
    WithoutHeader(HeaderName),
    /// The metadata names this issuer.
    WrongIssuer(String),
}

impl Fault {
    /// Every n-th answer is good, the others have this fault.
    pub fn flapping(good_every: u32, otherwise: Self) -> Self {
        Self::Flapping { good_every, otherwise: Box::new(otherwise) }
    }

    /// The answer has this header field, instead of those of the same name.
    ///
    /// # Panics
    ///
    /// When the name or the value cannot stand in a header field.
    pub fn header(name: &str, value: &str) -> Self {
        let name = name.parse::<HeaderName>().expect("the name can stand in a header field");
        let value = value.parse().expect("the value can stand in a header field");
        Self::Headers(HeaderMap::from_iter([(name, value)]))
    }
}
