//! Does who asks hold the document already?

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};

/// Gives a document a strong entity tag (RFC 9110 §8.8.3).
pub(super) fn mark(response: &mut Response<Vec<u8>>) {
    let mut hasher = DefaultHasher::new();
    response.body().hash(&mut hasher);
    let tag = HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish()));
    response.headers_mut().insert(ETAG, tag.expect("hexadecimal digits are ASCII"));
}

/// Makes 304 of a document that who asks holds already (RFC 9110 §13.1.2).
pub(super) fn leave_out_what_is_known(response: &mut Response<Vec<u8>>, asked: &HeaderMap) {
    let Some(tag) = response.headers().get(ETAG).filter(|_| response.status() == StatusCode::OK) else {
        return;
    };
    let tag = opaque(tag.as_bytes());
    let held = asked.get_all(IF_NONE_MATCH).into_iter();
    let mut held = held.flat_map(|field| field.as_bytes().split(|octet| *octet == b',')).map(opaque);
    if held.any(|held| held == tag || held == b"*") {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.body_mut().clear();
        response.headers_mut().remove(CONTENT_TYPE);
    }
}

/// Weak comparison looks at this alone.
fn opaque(tag: &[u8]) -> &[u8] {
    let tag = tag.trim_ascii();
    tag.strip_prefix(b"W/").unwrap_or(tag)
}
