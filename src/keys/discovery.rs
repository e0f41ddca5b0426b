//! Where does an issuer publish its keys?

use serde::Deserialize;
use url::{Host, Url};

use crate::{
    fetch::{FetchError, FetchErrorKind},
    token::json::{Nested, scan_object},
};

/// Which URLs may be fetched.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct UrlPolicy {
    /// Plain HTTP to this machine, by choice.
    pub(crate) http_on_loopback: bool,
}

impl UrlPolicy {
    /// Checks scheme, credentials and fragment. The error says what to change.
    pub(crate) fn check(self, url: &Url) -> Result<(), &'static str> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it carries credentials: remove them");
        }
        if url.fragment().is_some() {
            return Err("it carries a fragment: remove it");
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if !is_loopback(url) => Err("plain http can be forged on the way: use https"),
            "http" if !self.http_on_loopback => Err(
                "plain http on loopback is for tests: call `.allow_http_on_loopback()` on this issuer, or use https",
            ),
            "http" => Ok(()),
            _ => Err("its scheme is not https"),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The places of an issuer's metadata, in the order in which they are tried: RFC 8414 §3.1, OpenID Connect inserted,
/// OpenID Connect Discovery 1.0 §4.
pub(crate) fn metadata_urls(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let mut urls: Vec<Url> = Vec::with_capacity(3);
    for place in [
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
        format!("{path}/.well-known/openid-configuration"),
    ] {
        let mut url = issuer.clone();
        url.set_path(&place);
        url.set_query(None);
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// Reads a metadata document: its issuer must be ours, byte for byte (RFC 8414 §3.3), and its `jwks_uri` fetchable.
pub(crate) fn jwks_uri(document: &[u8], issuer: &str, policy: UrlPolicy) -> Result<Url, FetchError> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
        jwks_uri: String,
    }
    let text = std::str::from_utf8(document).map_err(|_| FetchErrorKind::InvalidDocument)?;
    scan_object(text, Nested::Any, |_, _| ()).map_err(|_| FetchErrorKind::InvalidDocument)?;
    let metadata: Metadata = serde_json::from_str(text).map_err(|_| FetchErrorKind::InvalidDocument)?;
    if metadata.issuer != issuer {
        return Err(FetchErrorKind::IssuerDiffers.into());
    }
    let url = Url::parse(&metadata.jwks_uri).map_err(|_| FetchErrorKind::UnusableUrl)?;
    policy.check(&url).map_err(|reason| FetchError::new(FetchErrorKind::UnusableUrl, reason))?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(issuer: &str) -> Vec<String> {
        metadata_urls(&Url::parse(issuer).unwrap()).into_iter().map(String::from).collect()
    }

    #[test]
    fn metadata_is_looked_for_in_three_places() {
        assert_eq!(
            places("https://as.example/tenant/"),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant",
                "https://as.example/.well-known/openid-configuration/tenant",
                "https://as.example/tenant/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            places("https://as.example"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ]
        );
    }

    #[test]
    fn dsc_01_another_issuer_is_not_trusted() {
        let document = br#"{"issuer":"https://as.example/","jwks_uri":"https://as.example/jwks"}"#;
        let read = |issuer| jwks_uri(document, issuer, UrlPolicy::default());
        assert_eq!(read("https://as.example/").unwrap().as_str(), "https://as.example/jwks");
        assert_eq!(read("https://as.example").unwrap_err().kind(), FetchErrorKind::IssuerDiffers);
        assert_eq!(read("https://AS.example/").unwrap_err().kind(), FetchErrorKind::IssuerDiffers);
    }

    #[test]
    fn dsc_02_key_urls_must_be_fetchable() {
        for (uri, loopback, good) in [
            ("https://keys.example/jwks", false, true),
            ("http://keys.example/jwks", true, false),
            ("http://127.0.0.1:1/jwks", false, false),
            ("http://127.0.0.1:1/jwks", true, true),
            ("http://[::1]:1/jwks", true, true),
            ("http://localhost:1/jwks", true, true),
            ("http://localhost.evil.example/jwks", true, false),
            ("https://user:secret@keys.example/jwks", false, false),
            ("file:///etc/passwd", true, false),
            ("jwks", true, false),
        ] {
            let document = format!(r#"{{"issuer":"i","jwks_uri":"{uri}"}}"#);
            let read = jwks_uri(document.as_bytes(), "i", UrlPolicy { http_on_loopback: loopback });
            assert_eq!(read.is_ok(), good, "{uri}");
        }
    }
}
