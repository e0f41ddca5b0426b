//! By what are an issuer's tokens judged: keys that are given, keys that are fetched, or the issuer's own word?

use std::sync::Arc;

use tracing::warn;
use url::Url;

use crate::{
    error::ConfigError,
    introspection::{Introspection, auth::ClientAuth},
    keys::{
        algorithm::AlgorithmSet,
        discovery::UrlPolicy,
        fixed,
        remote::{Location, Remote, Source},
        set::KeySet,
        snapshot::Keeper,
    },
    policy::ClaimPolicy,
    server::{
        entries::Shared,
        issuer::{Issuer, KeySource, without_credentials},
    },
};

#[derive(Debug)]
pub(crate) enum Means {
    Fixed(Arc<KeySet>),
    Introspection(Box<Introspection>),
    Remote(Remote),
}

impl Means {
    pub(super) fn build(
        issuer: &Issuer,
        algorithms: &AlgorithmSet,
        policy: &ClaimPolicy,
        shared: &Shared,
    ) -> Result<Self, ConfigError> {
        if !issuer.may_omit.is_empty() && !matches!(issuer.keys, KeySource::Introspect { .. }) {
            return Err(ConfigError::Introspection {
                issuer: without_credentials(&issuer.id),
                reason: "`.introspection_may_omit(..)` is for `Issuer::introspect(..)`: leave it out, a JWT carries its claims",
            });
        }
        let urls = UrlPolicy { http_on_loopback: issuer.http_on_loopback };
        let location = match &issuer.keys {
            KeySource::Discover => {
                let url = usable(&issuer.id, urls, shared)?;
                // RFC 8414 §2
                if url.query().is_some() {
                    let reason = "an issuer identifier has no query: remove it";
                    return Err(ConfigError::UnusableUrl { url: without_credentials(&issuer.id), reason });
                }
                Location::Discover(url)
            }
            KeySource::JwksUri(uri) => Location::Jwks(usable(uri, urls, shared)?),
            KeySource::Jwks(text) => return Self::fixed(issuer, fixed::jwks(text.as_bytes(), algorithms)),
            KeySource::JwksFile(path) => {
                let document = std::fs::read(path).map_err(|source| ConfigError::KeyFile {
                    issuer: without_credentials(&issuer.id),
                    path: path.display().to_string(),
                    source,
                })?;
                return Self::fixed(issuer, fixed::jwks(&document, algorithms));
            }
            KeySource::Pem(text) => return Self::fixed(issuer, fixed::pem(text, algorithms)),
            KeySource::Introspect { endpoint, auth } => {
                let url = usable(endpoint, urls, shared)?;
                return Self::introspection(issuer, &url, auth, policy, shared);
            }
        };
        Ok(Self::Remote(Remote::new(Source {
            issuer: issuer.id.as_str().into(),
            location,
            urls,
            algorithms: algorithms.clone(),
            fetch: shared.fetch()?,
            clock: Arc::clone(&shared.clock),
            feed: shared.feed.clone(),
            keeper: shared.snapshots.clone().map(|snapshots| Arc::new(Keeper::new(snapshots, &issuer.id))),
        })))
    }

    fn fixed(issuer: &Issuer, keys: Result<KeySet, String>) -> Result<Self, ConfigError> {
        let set = keys
            .map_err(|reason| ConfigError::FixedKeys { issuer: without_credentials(&issuer.id), reason })?;
        for jwk in set.skipped() {
            warn!(issuer = %issuer.id, index = jwk.index, reason = %jwk.reason, "a fixed key is not used");
        }
        if set.is_empty() {
            warn!(issuer = %issuer.id, "no fixed key can be used: every token of this issuer will be refused");
        }
        Ok(Self::Fixed(Arc::new(set)))
    }

    fn introspection(
        issuer: &Issuer,
        url: &Url,
        auth: &ClientAuth,
        policy: &ClaimPolicy,
        shared: &Shared,
    ) -> Result<Self, ConfigError> {
        let unusable =
            |reason| ConfigError::Introspection { issuer: without_credentials(&issuer.id), reason };
        if issuer.algorithms.is_some() {
            return Err(unusable("its tokens are judged without keys: leave out `.algorithms(..)`"));
        }
        let (fetch, clock) = (shared.asking()?, Arc::clone(&shared.clock));
        let introspection =
            Introspection::new(url, auth.clone(), policy.clone(), fetch, clock).map_err(unusable)?;
        Ok(Self::Introspection(Box::new(introspection)))
    }
}

/// A URL that may be asked.
fn usable(text: &str, urls: UrlPolicy, shared: &Shared) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|error| ConfigError::InvalidUrl {
        url: without_credentials(text),
        source: Box::new(error),
    })?;
    let unusable = |reason| ConfigError::UnusableUrl { url: without_credentials(text), reason };
    urls.check(&url).map_err(unusable)?;
    if url.scheme() == "https" && !shared.https {
        return Err(unusable(
            "the built-in HTTP client has no TLS: enable the cargo feature `rustls` or `native-tls` of bearergate",
        ));
    }
    Ok(url)
}
