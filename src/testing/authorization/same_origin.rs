//! Does a form come from our own page?

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{HOST, ORIGIN},
};

use crate::testing::issuer::State;

/// Whether a browser says that another site sent it. Who says nothing is no browser, and nobody's user.
///
/// Under `no-referrer` the page's own form has the origin `null` (Fetch, "The `Origin` header"), as has that of a page in a
/// sandbox: then `Sec-Fetch-Site` decides. `same-site` is not enough, for that is every port of this machine.
pub(super) fn is_of_another_site(issuer: &State, headers: &HeaderMap) -> bool {
    let says_its_site = headers.contains_key(SEC_FETCH_SITE);
    let is_good =
        |origin: &HeaderValue| (says_its_site && origin == "null") || is_ours(issuer, headers, origin);
    headers.get_all(SEC_FETCH_SITE).iter().any(|site| site != "same-origin")
        || !headers.get_all(ORIGIN).iter().all(is_good)
}

/// Whether a browser says that what it asks for is shown to nobody, such as the image of another page.
pub(super) fn is_no_page(headers: &HeaderMap) -> bool {
    headers.get_all(SEC_FETCH_DEST).iter().any(|place| place != "document")
}

/// By its own name, or by the one of loopback that the browser used.
fn is_ours(issuer: &State, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    *origin == issuer.url || host.is_some_and(|host| *origin == format!("http://{host}"))
}

/// Of W3C Fetch Metadata. Scripts cannot set them.
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
