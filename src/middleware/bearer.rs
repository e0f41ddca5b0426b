//! Which token did the request send?

use http::{HeaderMap, header::AUTHORIZATION, request::Parts};

use crate::{
    error::{
        AuthError,
        AuthErrorKind::{self, DuplicateCredentials, EmptyToken, MissingToken},
    },
    token::presented::Presented,
};

impl<'a> Presented<'a> {
    /// Takes the bearer token from `Authorization` (RFC 6750 §2.1), and method, URI and header fields with it.
    ///
    /// # Errors
    ///
    /// [`MissingToken`] without credentials or with another scheme, [`DuplicateCredentials`] with two `Authorization`
    /// fields, [`EmptyToken`] with `Bearer` and nothing behind it.
    pub fn from_parts(parts: &'a Parts) -> Result<Self, AuthError> {
        let token = bearer_token(&parts.headers)?;
        let presented = Presented::bearer_bytes(token).with_request(&parts.method, &parts.uri);
        Ok(presented.with_headers(&parts.headers))
    }
}

/// The token behind the scheme. Whatever its characters, it is *the token*: whether it is a good one is judged later.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Result<&[u8], AuthErrorKind> {
    let mut fields = headers.get_all(AUTHORIZATION).into_iter();
    let field = fields.next().ok_or(MissingToken)?;
    // RFC 6750 §3.1: more than one is malformed; neither the first nor the last wins.
    if fields.next().is_some() {
        return Err(DuplicateCredentials);
    }
    let field = field.as_bytes();
    let (scheme, rest) = field.split_at_checked(SCHEME.len()).ok_or(MissingToken)?;
    // RFC 9110 §11.1: the scheme's letter case does not count.
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(MissingToken);
    }
    // RFC 9110 §5.6.2: the scheme is a token; as long as its characters go on, it is another one that begins like ours.
    if rest.first().is_some_and(|byte| is_tchar(*byte)) {
        return Err(MissingToken);
    }
    // RFC 9110 §11.4: one or more spaces. Anything else belongs to the token, and spoils it.
    let token = rest.iter().position(|byte| *byte != b' ').and_then(|start| rest.get(start..));
    token.ok_or(EmptyToken)
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

const SCHEME: &[u8] = b"Bearer";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn token(fields: &[&[u8]]) -> Result<Vec<u8>, AuthErrorKind> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(field).unwrap());
        }
        bearer_token(&headers).map(<[u8]>::to_vec)
    }

    #[test]
    fn htp_01_no_credentials_and_other_schemes_are_no_token() {
        assert_eq!(token(&[]), Err(MissingToken));
        for field in ["", "Basic eDp5", "Beare", "BearerToken x", "Bearer-x y", "DPoP x"] {
            assert_eq!(token(&[field.as_bytes()]), Err(MissingToken), "{field}");
        }
    }

    #[test]
    fn htp_02_whatever_follows_the_scheme_is_the_token() {
        for empty in ["Bearer", "Bearer ", "Bearer    "] {
            assert_eq!(token(&[empty.as_bytes()]), Err(EmptyToken), "{empty:?}");
        }
        assert_eq!(token(&[b"Bearer  abc"]).unwrap(), b"abc");
        for odd in [&b"\tx"[..], b"=x", b",x", b"\"x\""] {
            assert_eq!(token(&[&[b"Bearer", odd].concat()]).unwrap(), odd);
        }
        for odd in [&b"a b"[..], b"a, b", b"\"a\"", b"\xC3\xA9", b"\xFF", b"a\tb"] {
            assert_eq!(token(&[&[b"Bearer ", odd].concat()]).unwrap(), odd);
        }
    }

    #[test]
    fn htp_03_the_scheme_has_any_letter_case() {
        for field in ["bearer abc", "BEARER abc", "bEaReR abc"] {
            assert_eq!(token(&[field.as_bytes()]).unwrap(), b"abc", "{field}");
        }
    }

    #[test]
    fn htp_04_two_fields_are_refused() {
        assert_eq!(token(&[b"Bearer abc", b"Bearer abc"]), Err(DuplicateCredentials));
        assert_eq!(token(&[b"Bearer abc", b"Basic eDp5"]), Err(DuplicateCredentials));
        assert_eq!(token(&[b"Basic eDp5", b"Bearer abc"]), Err(DuplicateCredentials));
    }
}
