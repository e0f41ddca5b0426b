//! Is this text a JWS in compact serialization, and what does it claim before anyone verified it?

use base64::{Engine as _, decoded_len_estimate, engine::general_purpose::URL_SAFE_NO_PAD};
use memchr::{memchr, memrchr};

use crate::{
    error::AuthErrorKind::{self, AlgorithmNotAllowed, CriticalExtension, MalformedToken, WrongType},
    jwt::headers::{Found, KnownHeaders},
    keys::algorithm::Algorithm,
    token::{
        claims::RegisteredClaims,
        json::{Nested, RawStr, Value, scan_object},
    },
};

/// An RSA signature of 4096 bits, and what decoding may overestimate it by. Those of longer keys, and of ML-DSA, are rare.
const INLINE_SIGNATURE_BYTES: usize = 512 + 16;

/// A token that is well formed. Nothing in it is verified: it may refuse or route, never admit.
pub(crate) struct UnverifiedJwt<'t> {
    header: Found,
    claims: RegisteredClaims,
    signing_input: &'t [u8],
    signature: Signature,
}

/// The header parameters that we read (RFC 7515 §4.1).
pub(super) struct Header {
    text: String,
    algorithm: Algorithm,
    kid: Option<Value>,
    typ: Option<Value>,
}

/// A decoded signature; all but the longest need no allocation.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack, and only while one token is judged")]
enum Signature {
    Inline { octets: [u8; INLINE_SIGNATURE_BYTES], length: usize },
    Long(Vec<u8>),
}

/// How a `typ` reads (RFC 7515 §4.1.9): letter case and `application/` do not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Type {
    Absent,
    /// `at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// `token-introspection+jwt` (RFC 9701 §5).
    IntrospectionAnswer,
    /// `JWT`.
    Jwt,
    Other,
}

/// The three segments, still encoded.
pub(crate) struct Segments<'t> {
    header: &'t [u8],
    payload: &'t [u8],
    signature: &'t [u8],
    signing_input: &'t [u8],
}

impl<'t> Segments<'t> {
    /// Exactly two dots (RFC 7515 §3.1). A third one stands in the payload and fails there.
    pub(crate) fn split(token: &'t [u8]) -> Result<Self, AuthErrorKind> {
        let last_dot = memrchr(b'.', token).ok_or(MalformedToken)?;
        let (signing_input, signature) = token.split_at_checked(last_dot).ok_or(MalformedToken)?;
        let first_dot = memchr(b'.', signing_input).ok_or(MalformedToken)?;
        let (header, payload) = signing_input.split_at_checked(first_dot).ok_or(MalformedToken)?;
        let (Some((_, payload)), Some((_, signature))) = (payload.split_first(), signature.split_first())
        else {
            return Err(MalformedToken);
        };
        if header.is_empty() || payload.is_empty() || memchr(b'.', payload).is_some() {
            return Err(MalformedToken);
        }
        Ok(Self { header, payload, signature, signing_input })
    }

    pub(crate) fn decode_header(&self) -> Result<DecodedHeader, AuthErrorKind> {
        self.read_header().map(Found::New).map(DecodedHeader)
    }

    /// The same, without the work where such a header was good before.
    pub(super) fn recognize_header(&self, known: &KnownHeaders) -> Result<DecodedHeader, AuthErrorKind> {
        match known.recognize(self.header) {
            Some(recognized) => Ok(DecodedHeader(Found::Known(recognized))),
            None => self.decode_header(),
        }
    }

    /// Remembers the header, which is that of a good token.
    pub(super) fn learn_header(&self, known: &KnownHeaders) {
        known.learn(self.header, || self.read_header().ok());
    }

    fn read_header(&self) -> Result<Header, AuthErrorKind> {
        Header::parse(decode_text(self.header)?)
    }

    pub(crate) fn decode_payload(&self, header: DecodedHeader) -> Result<UnverifiedJwt<'t>, AuthErrorKind> {
        let claims = RegisteredClaims::scan(decode_text(self.payload)?).map_err(|_| MalformedToken)?;
        let signature = Signature::decode(self.signature)?;
        Ok(UnverifiedJwt { header: header.0, claims, signing_input: self.signing_input, signature })
    }
}

/// A header that holds nothing that we refuse.
pub(crate) struct DecodedHeader(Found);

impl DecodedHeader {
    /// Whether it had to be parsed.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.0, Found::New(_))
    }
}

impl<'t> UnverifiedJwt<'t> {
    pub(crate) fn unverified_issuer(&self) -> Option<RawStr<'_>> {
        self.claims.str(self.claims.iss)
    }

    pub(crate) fn unverified_claims(&self) -> &RegisteredClaims {
        &self.claims
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// The key's name, as data to compare with.
    pub(crate) fn unverified_kid(&self) -> Option<RawStr<'_>> {
        self.header.kid?.raw_str(&self.header.text)
    }

    pub(crate) fn unverified_type(&self) -> Type {
        let Some(value) = self.header.typ else { return Type::Absent };
        let Some(typ) = value.raw_str(&self.header.text).map(RawStr::unescape) else { return Type::Other };
        let prefix = "application/";
        let short = match typ.split_at_checked(prefix.len()) {
            Some((start, rest)) if start.eq_ignore_ascii_case(prefix) => rest,
            _ => &typ,
        };
        if short.eq_ignore_ascii_case("at+jwt") {
            Type::AccessToken
        } else if short.eq_ignore_ascii_case("jwt") {
            Type::Jwt
        } else if short.eq_ignore_ascii_case("token-introspection+jwt") {
            Type::IntrospectionAnswer
        } else {
            Type::Other
        }
    }

    /// What was signed: the received text of the first two segments (RFC 7515 §5.2).
    pub(crate) fn signing_input(&self) -> &'t [u8] {
        self.signing_input
    }

    pub(crate) fn signature(&self) -> &[u8] {
        match &self.signature {
            Signature::Inline { octets, length } => octets.get(..*length).unwrap_or_default(),
            Signature::Long(octets) => octets,
        }
    }

    /// Hands the claims on; only [`signature`](super::signature) may take them from here.
    pub(super) fn into_claims(self) -> RegisteredClaims {
        self.claims
    }
}

impl Header {
    fn parse(text: String) -> Result<Self, AuthErrorKind> {
        let (mut alg, mut kid, mut typ) = (None, None, None);
        let (mut extension, mut encrypted) = (false, false);
        scan_object(&text, Nested::Unique, |name, value| match &*name.unescape() {
            "alg" => alg = Some(value),
            "kid" => kid = Some(value),
            "typ" => typ = Some(value),
            // RFC 7515 §4.1.11, RFC 7797 §3: we understand no extension, so the mere presence refuses.
            "crit" | "b64" => extension = true,
            // RFC 7516 §4.1.2: a JWE header.
            "enc" => encrypted = true,
            // RFC 7515 §4: others, `jwk`, `jku`, `x5u` and `x5c` with them, are never a source of keys.
            _ => (),
        })
        .map_err(|_| MalformedToken)?;
        if extension {
            return Err(CriticalExtension);
        }
        if encrypted {
            return Err(WrongType);
        }
        let algorithm = alg
            .and_then(|value| value.raw_str(&text))
            .and_then(|name| Algorithm::from_name(&name.unescape()));
        let algorithm = algorithm.ok_or(AlgorithmNotAllowed)?;
        if kid.is_some_and(|value| value.raw_str(&text).is_none()) {
            return Err(MalformedToken);
        }
        Ok(Self { text, algorithm, kid, typ })
    }
}

impl Signature {
    fn decode(segment: &[u8]) -> Result<Self, AuthErrorKind> {
        if decoded_len_estimate(segment.len()) > INLINE_SIGNATURE_BYTES {
            return URL_SAFE_NO_PAD.decode(segment).map(Self::Long).map_err(|_| MalformedToken);
        }
        let mut octets = [0; INLINE_SIGNATURE_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(segment, &mut octets).map_err(|_| MalformedToken)?;
        Ok(Self::Inline { octets, length })
    }
}

/// Canonical base64url without padding (RFC 7515 §2) of UTF-8 text (RFC 7519 §7.2).
fn decode_text(segment: &[u8]) -> Result<String, AuthErrorKind> {
    let octets = URL_SAFE_NO_PAD.decode(segment).map_err(|_| MalformedToken)?;
    String::from_utf8(octets).map_err(|_| MalformedToken)
}
