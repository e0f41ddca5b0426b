//! What does an introspection endpoint say (RFC 7662 §2.2, RFC 9701 §5)?

use http::{StatusCode, header::CONTENT_TYPE};

use crate::{
    fetch::{FetchError, FetchErrorKind, FetchResponse},
    introspection::{endpoint::MAX_ANSWER_BYTES, introspector::Introspected},
    token::json::{Kind, Nested, scan_object},
};

/// The media type of a signed answer (RFC 9701 §4).
pub(super) const SIGNED: &str = "application/token-introspection+jwt";

/// A plain answer.
pub(super) fn plain(response: FetchResponse) -> Introspected {
    content(response).map_or_else(|said| said, read)
}

/// The JWT of a signed answer, unverified. A plain one is refused: nobody on the way may choose.
pub(super) fn signed(response: FetchResponse) -> Result<Vec<u8>, Introspected> {
    let is_signed = response.headers.get(CONTENT_TYPE).is_some_and(|field| {
        let essence = field.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(SIGNED.as_bytes())
    });
    let content = content(response)?;
    if is_signed {
        Ok(content)
    } else {
        Err(malformed("it is not signed, and a signed answer was asked for"))
    }
}

pub(super) fn failed(error: FetchError) -> Introspected {
    match error.kind() {
        FetchErrorKind::TooLarge => Introspected::Malformed(error),
        _ => Introspected::Unavailable(error),
    }
}

/// What an answer by its status is, if it is none with content.
fn content(response: FetchResponse) -> Result<Vec<u8>, Introspected> {
    let status = FetchErrorKind::Status(response.status).into();
    Err(match response.status {
        // A client of somebody else's may have read too far.
        StatusCode::OK if response.body.len() > MAX_ANSWER_BYTES => {
            Introspected::Malformed(FetchErrorKind::TooLarge.into())
        }
        StatusCode::OK => return Ok(response.body),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Introspected::CredentialsRefused(status),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => {
            Introspected::TokenRefused(status)
        }
        StatusCode::TOO_MANY_REQUESTS => Introspected::Unavailable(status),
        other if other.is_server_error() => Introspected::Unavailable(status),
        _ => Introspected::Unexpected(status),
    })
}

fn read(body: Vec<u8>) -> Introspected {
    match String::from_utf8(body) {
        Ok(text) => verdict(text),
        Err(_) => malformed("it is not UTF-8"),
    }
}

/// Only a well-formed `active: false` says that a token is not good.
pub(crate) fn verdict(text: String) -> Introspected {
    let mut active = None;
    let scanned = scan_object(&text, Nested::Unique, |name, value| {
        if name.is("active") {
            active = Some(value.kind());
        }
    });
    match active {
        _ if scanned.is_err() => malformed("it is not one strict JSON object"),
        Some(Kind::False) => Introspected::Inactive,
        Some(Kind::True) => Introspected::Active(text),
        Some(_) => malformed("`active` is neither true nor false"),
        None => malformed("it has no `active`"),
    }
}

fn malformed(why: &'static str) -> Introspected {
    Introspected::Malformed(FetchError::new(FetchErrorKind::InvalidDocument, why))
}
