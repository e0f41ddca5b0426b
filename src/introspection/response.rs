//! What does an introspection endpoint say (RFC 7662 §2.2)?

use http::StatusCode;

use crate::{
    fetch::{FetchError, FetchErrorKind, FetchResponse},
    introspection::request::Endpoint,
    token::{
        claims::RegisteredClaims,
        json::{Kind, Nested, scan_object},
    },
};

/// An answer, sorted by whom it tells something about.
pub(crate) enum Answer {
    /// The token is good as far as the issuer knows; these are its claims, not judged yet.
    Active { claims: Box<RegisteredClaims>, is_access_token: bool },
    /// The token is not good. Only a well-formed `active: false` says so.
    Inactive,
    /// The endpoint does not take this very token: that says nothing about the endpoint, and is no verdict.
    TokenRefused(FetchError),
    /// Our own credentials are not taken (RFC 7662 §2.3).
    CredentialsRefused(FetchError),
    /// The content is no answer to the question.
    Malformed(FetchError),
    /// No answer came, or one that says that none is to be had now.
    Unavailable(FetchError),
    /// A status that no endpoint at this URL should have: a wrong URL, most likely.
    Unexpected(FetchError),
}

impl Answer {
    pub(crate) fn read(response: FetchResponse) -> Self {
        let status = FetchErrorKind::Status(response.status).into();
        match response.status {
            StatusCode::OK => Self::verdict(response.body),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::CredentialsRefused(status),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => {
                Self::TokenRefused(status)
            }
            StatusCode::TOO_MANY_REQUESTS => Self::Unavailable(status),
            other if other.is_server_error() => Self::Unavailable(status),
            _ => Self::Unexpected(status),
        }
    }

    pub(crate) fn failed(error: FetchError) -> Self {
        match error.kind() {
            FetchErrorKind::TooLarge => Self::Malformed(error),
            _ => Self::Unavailable(error),
        }
    }

    fn verdict(body: Vec<u8>) -> Self {
        if Endpoint::is_too_large(&body) {
            return Self::Malformed(FetchErrorKind::TooLarge.into());
        }
        let malformed =
            |why: &'static str| Self::Malformed(FetchError::new(FetchErrorKind::InvalidDocument, why));
        let Ok(text) = String::from_utf8(body) else { return malformed("it is not UTF-8") };
        let (mut active, mut is_access_token) = (None, true);
        let scanned = scan_object(&text, Nested::Unique, |name, value| {
            if name.is("active") {
                active = Some(value.kind());
            } else if name.is("token_type") || name.is("token_use") {
                is_access_token &=
                    value.raw_str(&text).is_some_and(|kind| names_access_token(&kind.unescape()));
            }
        });
        if scanned.is_err() {
            return malformed("it is not one strict JSON object");
        }
        match active {
            Some(Kind::False) => Self::Inactive,
            Some(Kind::True) => match RegisteredClaims::scan(text) {
                Ok(claims) => Self::Active { claims: Box::new(claims), is_access_token },
                Err(_) => malformed("it is not one strict JSON object"),
            },
            Some(_) => malformed("`active` is neither true nor false"),
            None => malformed("it has no `active`"),
        }
    }
}

/// `Bearer` (RFC 6750 §6.1.1), or, as some servers have it, the kind of the token: `access_token`, also as the URN of RFC
/// 8693 §3. A refresh token is active too, and admits to nothing here.
fn names_access_token(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("bearer") || kind == "access_token" || kind == ACCESS_TOKEN_URN
}

const ACCESS_TOKEN_URN: &str = "urn:ietf:params:oauth:token-type:access_token";
