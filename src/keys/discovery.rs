//! Where are an issuer's endpoints?

use std::time::Duration;

use http::{Uri, uri::InvalidUri};
use url::{Host, Url};

use crate::{
    fetch::{Fetch, FetchError, FetchErrorKind, FetchRequest, MAX_METADATA_BYTES, whole},
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

/// An issuer's metadata: what is looked for, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata<'m> {
    /// The issuer as a URL.
    pub(crate) url: &'m Url,
    /// The same as it is written, byte for byte.
    pub(crate) issuer: &'m str,
    pub(crate) urls: UrlPolicy,
}

impl Metadata<'_> {
    /// The places of the metadata, in the order in which they are tried: RFC 8414 §3.1, OpenID Connect inserted, OpenID
    /// Connect Discovery 1.0 §4.
    fn places(&self) -> Vec<Url> {
        let path = self.url.path().trim_end_matches('/');
        let mut places: Vec<Url> = Vec::with_capacity(3);
        for place in [
            format!("/.well-known/oauth-authorization-server{path}"),
            format!("/.well-known/openid-configuration{path}"),
            format!("{path}/.well-known/openid-configuration"),
        ] {
            let mut url = self.url.clone();
            url.set_path(&place);
            url.set_query(None);
            if !places.contains(&url) {
                places.push(url);
            }
        }
        places
    }

    /// Looks for the URL that the metadata gives for `member`, such as `jwks_uri`.
    pub(crate) async fn endpoint(
        &self,
        fetch: &dyn Fetch,
        member: &'static str,
        no_cache: bool,
    ) -> Result<Url, FetchError> {
        let mut failure: Option<FetchError> = None;
        for place in self.places() {
            let response = match uri(&place) {
                Ok(uri) => {
                    let request = FetchRequest::get(uri, "application/json", MAX_METADATA_BYTES);
                    whole(fetch, FetchRequest { no_cache, ..request }).await
                }
                Err(error) => Err(error),
            };
            let found = match response {
                Ok(response) => self.read(&response.body, member),
                Err(error) if error.kind() == FetchErrorKind::Timeout => return Err(error),
                // A missing page tells less than what another place said about its document.
                Err(error) => {
                    failure.get_or_insert(error);
                    continue;
                }
            };
            match found {
                Ok(url) => return Ok(url),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| FetchErrorKind::InvalidDocument.into()))
    }

    /// Reads a document: its issuer must be ours, byte for byte (RFC 8414 §3.3), and the member a URL that may be asked.
    fn read(&self, document: &[u8], member: &'static str) -> Result<Url, FetchError> {
        let text = std::str::from_utf8(document).map_err(|_| FetchErrorKind::InvalidDocument)?;
        let (mut issuer, mut found) = (None, None);
        scan_object(text, Nested::Any, |name, value| {
            if name.is("issuer") {
                issuer = value.raw_str(text);
            } else if name.is(member) {
                found = value.raw_str(text);
            }
        })
        .map_err(|_| FetchErrorKind::InvalidDocument)?;
        let issuer = issuer.ok_or(FetchErrorKind::InvalidDocument)?;
        if !issuer.is(self.issuer) {
            return Err(FetchErrorKind::IssuerDiffers.into());
        }
        let found = found.ok_or_else(|| FetchError::new(FetchErrorKind::InvalidDocument, Lacks(member)))?;
        let url = Url::parse(&found.unescape()).map_err(|_| FetchErrorKind::UnusableUrl)?;
        self.urls.check(&url).map_err(|reason| FetchError::new(FetchErrorKind::UnusableUrl, reason))?;
        Ok(url)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the metadata has no `{0}`")]
struct Lacks(&'static str);

/// The same URL in the type that requests have.
pub(crate) fn uri(url: &Url) -> Result<Uri, FetchError> {
    url.as_str().parse().map_err(|error: InvalidUri| FetchError::new(FetchErrorKind::UnusableUrl, error))
}

/// An issuer that moves its endpoints says so within half a day.
pub(crate) const REDISCOVER: Duration = Duration::from_secs(12 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn places(issuer: &str) -> Vec<String> {
        let url = Url::parse(issuer).unwrap();
        let metadata = Metadata { url: &url, issuer, urls: UrlPolicy::default() };
        metadata.places().into_iter().map(String::from).collect()
    }

    fn jwks_uri(document: &[u8], issuer: &str, urls: UrlPolicy) -> Result<Url, FetchError> {
        let url = Url::parse("https://as.example").unwrap();
        Metadata { url: &url, issuer, urls }.read(document, "jwks_uri")
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
