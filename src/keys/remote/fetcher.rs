//! One attempt at an issuer's keys: where they are, how they are fetched, and whether it is worth another try.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{
    HeaderMap, StatusCode,
    header::{AGE, CACHE_CONTROL, DATE},
};
use url::Url;

use crate::{
    clock::{Clock, UnixTime},
    fetch::{ATTEMPT_TIMEOUT, Fetch, FetchError, FetchErrorKind, FetchRequest, MAX_JWKS_BYTES, whole},
    keys::{
        algorithm::AlgorithmSet,
        change::Feed,
        discovery::{Metadata, REDISCOVER, UrlPolicy, uri},
        refresh::Limits,
        remote::held::{Held, Shelf},
        set::KeySet,
        snapshot::{Expected, Keeper, Published, Restored, Snapshot},
    },
};

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    /// In the document that the issuer's metadata names.
    Discover(Url),
    /// Here.
    Jwks(Url),
}

/// What a driver needs to know.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) issuer: Arc<str>,
    pub(crate) location: Location,
    pub(crate) urls: UrlPolicy,
    pub(crate) algorithms: AlgorithmSet,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) feed: Feed,
    /// Keeps the keys across restarts, if that is wanted.
    pub(crate) keeper: Option<Arc<Keeper>>,
}

impl Source {
    /// The keys that an earlier process left.
    pub(super) fn restore(&self, limits: Limits) -> Option<Restored> {
        let fits = |jwks_uri: &str| match &self.location {
            Location::Jwks(url) => url.as_str() == jwks_uri,
            Location::Discover(_) => Url::parse(jwks_uri).is_ok_and(|url| self.urls.check(&url).is_ok()),
        };
        self.keeper.as_ref()?.restore(|| Expected {
            issuer: &self.issuer,
            fits: &fits,
            algorithms: &self.algorithms,
            limits,
            now: self.clock.wall(),
        })
    }
}

/// Fetches from one source, and remembers where its keys were.
pub(super) struct Fetcher {
    pub(super) source: Source,
    discovered: Mutex<Option<Discovered>>,
    shelf: Shelf,
}

struct Discovered {
    jwks_uri: Url,
    at: Duration,
}

/// Whether an answer that is somewhat old will do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ask {
    /// It will: a cache on the way may answer, and "not modified" is enough.
    Usual,
    /// The issuer itself has to answer, in full: a key may just have been withdrawn.
    Emergency,
}

/// A set that can be adopted.
pub(super) struct Fetched {
    pub(super) set: Arc<KeySet>,
    /// As the server names it.
    pub(super) lifetime: Option<Duration>,
    /// By how many seconds the server's clock is ahead of ours, if it says what it shows.
    pub(super) skew: Option<i64>,
    /// What is kept across restarts, if anything is.
    pub(super) published: Option<Arc<Published>>,
}

impl Fetched {
    /// What is kept, should the set be adopted now.
    pub(super) fn snapshot(&self, source: &Source, limits: Limits) -> Option<Snapshot> {
        let published = Arc::clone(self.published.as_ref()?);
        Some(Snapshot { fetched: source.clock.wall(), lifetime: limits.lifetime(self.lifetime), published })
    }
}

impl Fetcher {
    pub(super) fn new(source: Source) -> Self {
        Self { source, discovered: Mutex::default(), shelf: Shelf::default() }
    }

    fn discovered(&self) -> MutexGuard<'_, Option<Discovered>> {
        self.discovered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One attempt, with one quick retry, within one deadline.
    pub(super) async fn attempt(&self, ask: Ask) -> Result<Fetched, FetchError> {
        let both = async {
            match self.fetch_keys(ask).await {
                Err(error) if is_passing(&error) => {
                    tokio::time::sleep(QUICK_RETRY).await;
                    self.fetch_keys(ask).await
                }
                result => result,
            }
        };
        tokio::time::timeout(ATTEMPT_TIMEOUT, both)
            .await
            .unwrap_or_else(|_| Err(FetchErrorKind::Timeout.into()))
    }

    async fn fetch_keys(&self, ask: Ask) -> Result<Fetched, FetchError> {
        let url = match &self.source.location {
            Location::Jwks(url) => url.clone(),
            Location::Discover(issuer) => self.discover(issuer, ask).await?,
        };
        let now = self.source.clock.monotonic();
        let held = self.shelf.of(&url, now).filter(|_| ask == Ask::Usual);
        let mut request = request(&url, "application/jwk-set+json, application/json", MAX_JWKS_BYTES, ask)?;
        request.if_none_match = held.as_ref().map(Held::tag);
        let response = whole(&*self.source.fetch, request).await;
        if let Err(error) = &response
            && matches!(error.kind(), FetchErrorKind::Status(StatusCode::NOT_FOUND | StatusCode::GONE))
        {
            *self.discovered() = None;
        }
        let response = response?;
        let skew = skew(&response.headers, self.source.clock.wall());
        if response.status == StatusCode::NOT_MODIFIED {
            let renewed = held.and_then(|held| self.shelf.renew(held, &response.headers));
            let renewed = renewed.map(|fetched| Fetched { skew, ..fetched });
            return renewed.ok_or_else(|| FetchErrorKind::Status(response.status).into());
        }
        let set = KeySet::parse(&response.body, &self.source.algorithms)
            .map_err(|error| FetchError::new(FetchErrorKind::InvalidDocument, error))?;
        if set.is_empty() {
            let reasons: Vec<_> = set.skipped().iter().map(|jwk| jwk.reason.to_string()).collect();
            return Err(FetchError::new(FetchErrorKind::NoUsableKey, reasons.join("; ")));
        }
        let keeper = self.source.keeper.as_ref();
        let published = keeper.map(|_| Arc::new(Published::of(&url, &response.body, &set)));
        let fetched = Fetched { set: Arc::new(set), lifetime: lifetime(&response.headers), skew, published };
        self.shelf.put(url, &response.headers, &fetched, now);
        Ok(fetched)
    }

    /// The URL of the keys, from memory or from the issuer's metadata.
    async fn discover(&self, issuer: &Url, ask: Ask) -> Result<Url, FetchError> {
        let now = self.source.clock.monotonic();
        let known = self.discovered().as_ref().map(|discovered| (discovered.jwks_uri.clone(), discovered.at));
        if let Some((jwks_uri, at)) = &known
            && now.saturating_sub(*at) < REDISCOVER
            && ask == Ask::Usual
        {
            return Ok(jwks_uri.clone());
        }
        let metadata = async {
            let metadata = Metadata { url: issuer, issuer: &self.source.issuer, urls: self.source.urls };
            let look = metadata.endpoint(&*self.source.fetch, "jwks_uri", ask == Ask::Emergency);
            // A place that is known must not be missed because its metadata hangs.
            let limit = if known.is_some() { LOOK_ELSEWHERE } else { ATTEMPT_TIMEOUT };
            tokio::time::timeout(limit, look).await.unwrap_or_else(|_| Err(FetchErrorKind::Timeout.into()))
        };
        let error = match metadata.await {
            Ok(jwks_uri) => {
                *self.discovered() = Some(Discovered { jwks_uri: jwks_uri.clone(), at: now });
                return Ok(jwks_uri);
            }
            Err(error) => error,
        };
        match known {
            // Metadata that cannot be read says nothing against the place that it named before; the next refresh looks again.
            Some((jwks_uri, _)) if error.kind() != FetchErrorKind::IssuerDiffers => Ok(jwks_uri),
            _ => Err(error),
        }
    }
}

fn request(url: &Url, accept: &'static str, max_bytes: usize, ask: Ask) -> Result<FetchRequest, FetchError> {
    Ok(FetchRequest { no_cache: ask == Ask::Emergency, ..FetchRequest::get(uri(url)?, accept, max_bytes) })
}

/// No whole answer came.
fn is_transport(error: &FetchError) -> bool {
    matches!(error.kind(), FetchErrorKind::Body | FetchErrorKind::Connect | FetchErrorKind::Timeout)
}

/// Faults that may be gone a moment later; a missing document has perhaps moved, and is looked for anew; a 304 that fits
/// nothing is answered by asking in full.
fn is_passing(error: &FetchError) -> bool {
    match error.kind() {
        FetchErrorKind::Status(status) => {
            status.is_server_error()
                || matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::NOT_MODIFIED)
        }
        _ => is_transport(error),
    }
}

/// The lifetime that the server names: `max-age`, or none at all with `no-store` and `no-cache` (RFC 9111 §5.2.2).
pub(super) fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let mut lifetime = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if let Some((name, age)) = directive.split_once('=')
                && name.trim().eq_ignore_ascii_case("max-age")
            {
                let digits = age.trim().trim_matches('"');
                let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                // RFC 9111 §1.2.2: an overflow counts as the largest value.
                lifetime =
                    is_number.then(|| Duration::from_secs(digits.parse().unwrap_or(u64::from(u32::MAX))));
            }
        }
    }
    lifetime
}

/// By how many seconds the clock of the server, or of the cache that vouches for its `Age` (RFC 9111 §5.1), is ahead.
fn skew(headers: &HeaderMap, now: UnixTime) -> Option<i64> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let date = UnixTime::from_http_date(text(DATE)?)?;
    let age = text(AGE).map_or(Some(0), |age| age.trim().parse::<u32>().ok())?;
    now.is_readable().then(|| date.as_secs().saturating_add(age.into()).saturating_sub(now.as_secs()))
}

/// Between an attempt and its quick retry.
const QUICK_RETRY: Duration = Duration::from_millis(100);

/// Of the time of one attempt, what metadata may take where a place is known already.
const LOOK_ELSEWHERE: Duration = Duration::from_secs(2);
