//! What may a browser do with the page?

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS,
    },
};
use url::{Host, Url};

/// Where the form of a page may lead.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leads<'u> {
    /// Here, and from here back to this redirect URI.
    Back(&'u str),
    /// Here alone.
    Here,
    /// There is no form.
    Nowhere,
}

/// Show it, in its one style, in no frame, and keep nothing of it.
pub(super) fn guard(headers: &mut HeaderMap, nonce: &str, leads: Leads<'_>) {
    let leads_to = match leads {
        Leads::Back(redirect_uri) => format!("'self' {}", source(redirect_uri)),
        Leads::Here => "'self'".to_owned(),
        Leads::Nowhere => "'none'".to_owned(),
    };
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action {leads_to}"
    );
    headers.extend(HeaderValue::try_from(policy).ok().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    headers.extend(
        FIELDS.iter().map(|(name, value)| (HeaderName::clone(name), HeaderValue::from_static(value))),
    );
}

/// Browsers such as Chromium hold the redirect behind a form to `form-action` too, and those behind that one. On loopback an
/// application often goes on to another port of its own, so all ports of loopback are good.
///
/// A policy cannot name any address but 127.0.0.1 (CSP3, host-part match), nor every name that a URL can have: there the scheme
/// has to do.
fn source(redirect_uri: &str) -> String {
    let Ok(url) = Url::parse(redirect_uri) else { return String::new() };
    let is_plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"-.".contains(&octet);
    match (url.scheme(), url.host()) {
        ("http", Some(Host::Domain("localhost"))) => LOOPBACK.to_owned(),
        ("http", Some(Host::Ipv4(address))) if address.octets() == [127, 0, 0, 1] => LOOPBACK.to_owned(),
        ("https", Some(Host::Domain(name))) if name.bytes().all(is_plain) => {
            url.origin().ascii_serialization()
        }
        (scheme, _) => format!("{scheme}:"),
    }
}

const LOOPBACK: &str = "http://127.0.0.1:* http://localhost:*";

const FIELDS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_form_may_lead() {
        for (redirect_uri, expected) in [
            ("https://app.example/callback?a=b", "https://app.example"),
            ("https://app.example:8443/callback", "https://app.example:8443"),
            ("http://127.0.0.1:4711/callback", LOOPBACK),
            ("http://localhost/callback", LOOPBACK),
            ("http://127.0.0.2/callback", "http:"),
            ("http://[::1]:4711/callback", "http:"),
            ("https://192.0.2.1/callback", "https:"),
            ("com.example.app:/callback", "com.example.app:"),
            // What would begin another directive, another policy, or mean every name.
            ("https://app;script-src/callback", "https:"),
            ("https://app,b/callback", "https:"),
            ("https://*/callback", "https:"),
            ("https://'unsafe-inline'/callback", "https:"),
        ] {
            assert_eq!(source(redirect_uri), expected, "{redirect_uri}");
        }
    }
}
