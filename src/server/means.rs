//! By what are an issuer's tokens judged: keys that are given, keys that are fetched, or the issuer's own word?

use std::sync::Arc;

use tracing::warn;
use url::Url;

use crate::{
    error::ConfigError,
    introspection::{
        Introspection, Settings,
        endpoint::{IntrospectionEndpoint, Place, ReadSigned, Rfc7662, Whom},
        introspector::Introspector,
    },
    jwt::JwtRules,
    keys::{
        algorithm::AlgorithmSet,
        discovery::{UrlPolicy, uri},
        fixed,
        remote::{Location, Remote, Source},
        set::KeySet,
        snapshot::Keeper,
    },
    policy::{MayOmit, OmittableClaim, Profile},
    server::{
        entries::Shared,
        issuer::{AskAbout, Issuer, KeySource, MAX_CACHE_TIME, without_credentials, without_query},
        signed::{Keys, SignedAnswers},
    },
};

#[derive(Debug)]
pub(crate) enum Means {
    Fixed(Arc<KeySet>),
    /// The issuer's word alone.
    None,
    Remote(Arc<Remote>),
}

/// The issuer's own word, and about which tokens it counts.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) introspection: Introspection,
    pub(crate) about: AskAbout,
}

impl Means {
    pub(super) fn build(
        issuer: &Issuer,
        algorithms: &AlgorithmSet,
        shared: &Shared,
    ) -> Result<Self, ConfigError> {
        let urls = UrlPolicy { http_on_loopback: issuer.http_on_loopback };
        let location = match &issuer.keys {
            KeySource::Discover => Location::Discover(identifier(issuer, urls, shared)?),
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
            KeySource::Nowhere => return Ok(Self::None),
        };
        Ok(Self::Remote(Arc::new(Remote::new(Source {
            issuer: issuer.id.as_str().into(),
            location,
            urls,
            algorithms: algorithms.clone(),
            fetch: shared.fetch()?,
            clock: Arc::clone(&shared.clock),
            feed: shared.feed.clone(),
            keeper: shared.snapshots.clone().map(|snapshots| Arc::new(Keeper::new(snapshots, &issuer.id))),
        }))))
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
}

impl Asked {
    pub(super) fn build(
        issuer: &Issuer,
        rules: &JwtRules,
        means: &Means,
        shared: &Shared,
    ) -> Result<Option<Self>, ConfigError> {
        let unusable =
            |reason| ConfigError::Introspection { issuer: without_credentials(&issuer.id), reason };
        let Some((endpoint, about)) = &issuer.asked else {
            return if issuer.may_omit.is_empty() {
                Ok(None)
            } else {
                Err(unusable(
                    "`.introspection_may_omit(..)` is for issuers that are introspected: leave it out, a JWT carries its claims",
                ))
            };
        };
        if matches!(means, Means::None) && issuer.algorithms.is_some() {
            return Err(unusable("its tokens are judged without keys: leave out `.algorithms(..)`"));
        }
        if matches!(means, Means::None) && *about == AskAbout::VerifiedJwts {
            return Err(unusable(
                "it has no keys to verify JWTs by: begin with `Issuer::discover(..)` instead of `Issuer::introspect(..)`, or ask about all tokens",
            ));
        }
        if issuer.cache_time > MAX_CACHE_TIME {
            return Err(unusable(
                "it would keep answers for more than an hour: lower `.introspection_cache_time(..)`",
            ));
        }
        let introspector = introspector(issuer, endpoint, rules, means, shared)?;
        let mut policy = rules.policy.clone();
        let lacks = |claim| issuer.may_omit.contains(&claim) || introspector.proves().contains(&claim);
        policy.may_omit = MayOmit {
            audience: lacks(OmittableClaim::Audience),
            expiry: issuer.profile == Profile::Lenient,
            issuer: lacks(OmittableClaim::Issuer),
        };
        let introspection = Introspection::new(Settings {
            introspector,
            policy,
            fetch: shared.asking()?,
            clock: Arc::clone(&shared.clock),
            cache_time: issuer.cache_time,
            cache_entries: issuer.cache_entries,
        });
        Ok(Some(Self { introspection, about: *about }))
    }
}

/// Who asks, once what was configured has been checked.
fn introspector(
    issuer: &Issuer,
    endpoint: &IntrospectionEndpoint,
    rules: &JwtRules,
    means: &Means,
    shared: &Shared,
) -> Result<Arc<dyn Introspector>, ConfigError> {
    let unusable = |reason| ConfigError::Introspection { issuer: without_credentials(&issuer.id), reason };
    let urls = UrlPolicy { http_on_loopback: issuer.http_on_loopback };
    let as_uri =
        |url: &Url| uri(url).map_err(|_| unusable("the URL of the introspection endpoint is not usable"));
    let (place, auth) = match &endpoint.whom {
        Whom::At(url, auth) => (Place::At(as_uri(&usable(url, urls, shared)?)?), auth),
        Whom::Discovered(auth) => {
            let url = identifier(issuer, urls, shared)?;
            (Place::in_metadata(url, urls, Arc::clone(&shared.clock)), auth)
        }
        Whom::Introspector(_) | Whom::Userinfo(_) if endpoint.signed || !endpoint.hint => {
            return Err(unusable(
                "`.signed_answers()` and `.without_token_type_hint()` are for endpoints by RFC 7662: leave them out",
            ));
        }
        Whom::Introspector(introspector) => return Ok(Arc::clone(introspector)),
        Whom::Userinfo(userinfo) => {
            userinfo.check().map_err(unusable)?;
            let url = as_uri(&usable(&userinfo.endpoint, urls, shared)?)?;
            return Ok(Arc::new(userinfo.as_ref().clone().asking(url)));
        }
    };
    auth.check().map_err(unusable)?;
    let signed: Option<Box<dyn ReadSigned>> = if endpoint.signed {
        let keys = match means {
            Means::Fixed(set) => Keys::Fixed(Arc::clone(set)),
            Means::Remote(remote) => Keys::Remote(Arc::clone(remote)),
            Means::None => {
                return Err(unusable(
                    "signed answers are checked by the issuer's keys: begin with `Issuer::discover(..)` and add `.introspection(..)`",
                ));
            }
        };
        let audiences = rules.policy.audiences.iter().flatten().map(|audience| audience.as_str());
        Some(Box::new(SignedAnswers {
            keys,
            issuer: rules.policy.issuer.clone(),
            algorithms: rules.algorithms.clone(),
            audiences: auth.client_id().into_iter().chain(audiences).map(str::to_owned).collect(),
            leeway: issuer.leeway,
            clock: Arc::clone(&shared.clock),
        }))
    } else {
        None
    };
    Ok(Arc::new(Rfc7662 { place, auth: auth.clone(), hint: endpoint.hint, signed }))
}

/// The issuer's identifier as a URL that metadata is found by.
fn identifier(issuer: &Issuer, urls: UrlPolicy, shared: &Shared) -> Result<Url, ConfigError> {
    let url = usable(&issuer.id, urls, shared)?;
    // RFC 8414 §2
    if url.query().is_some() {
        let reason = "an issuer identifier has no query: remove it";
        return Err(ConfigError::UnusableUrl { url: without_query(&issuer.id), reason });
    }
    Ok(url)
}

/// A URL that may be asked.
fn usable(text: &str, urls: UrlPolicy, shared: &Shared) -> Result<Url, ConfigError> {
    let url = Url::parse(text)
        .map_err(|error| ConfigError::InvalidUrl { url: without_query(text), source: Box::new(error) })?;
    let unusable = |reason| ConfigError::UnusableUrl { url: without_query(text), reason };
    urls.check(&url).map_err(unusable)?;
    if url.scheme() == "https" && !shared.https {
        return Err(unusable(
            "the built-in HTTP client has no TLS: enable the cargo feature `rustls` or `native-tls` of bearergate",
        ));
    }
    Ok(url)
}
