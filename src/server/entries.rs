//! The list of trusted issuers in force: each one unit of keys and rules, found by its identifier alone.

use std::{
    cell::Cell,
    collections::HashMap,
    error::Error as StdError,
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::Duration,
};

use url::Url;

use crate::{
    clock::Clock,
    error::{
        AuthError,
        AuthErrorKind::{self, UnknownIssuer},
        ConfigError, Decision,
    },
    fetch::{Fetch, client::HttpFetch},
    introspection::{CALL_TIMEOUT, CONNECT_TIMEOUT, Introspection},
    jwt::{Issuers, JwtRules, headers::KnownHeaders},
    keys::{
        algorithm::{AlgorithmSet, Family},
        backend,
        change::Feed,
        refresh::Sequence,
        remote::Current,
        set::KeySet,
        snapshot::KeySnapshots,
    },
    policy::{Audience, ClaimPolicy, IssuerId, MayOmit},
    server::{
        issuer::{Answer, Issuer, KeySource, MAX_LEEWAY, without_credentials, without_query},
        means::{Asked, Means},
        selector::Selection,
    },
    token::presented::Presented,
};

/// What all entries of one server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) audience: Audience,
    /// Made when the first issuer needs it: fixed keys need none.
    pub(crate) fetch: OnceLock<Arc<dyn Fetch>>,
    /// The same for introspection, which has limits and connections of its own.
    pub(crate) asking: OnceLock<Arc<dyn Fetch>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether the HTTP client can speak TLS; an own client is trusted to.
    pub(crate) https: bool,
    pub(crate) max_token_bytes: usize,
    /// How the issuer is found that an opaque token belongs to.
    pub(crate) selection: Selection,
    pub(crate) feed: Feed,
    pub(crate) headers: KnownHeaders,
    /// Where fetched keys are kept across restarts, if that is wanted.
    pub(crate) snapshots: Option<KeySnapshots>,
}

impl Shared {
    pub(super) fn fetch(&self) -> Result<Arc<dyn Fetch>, ConfigError> {
        client(&self.fetch, HttpFetch::build)
    }

    pub(super) fn asking(&self) -> Result<Arc<dyn Fetch>, ConfigError> {
        client(&self.asking, || HttpFetch::within(CONNECT_TIMEOUT, CALL_TIMEOUT))
    }
}

/// The client that is there, or a new one.
fn client(
    place: &OnceLock<Arc<dyn Fetch>>,
    build: impl FnOnce() -> Result<HttpFetch, Box<dyn StdError + Send + Sync>>,
) -> Result<Arc<dyn Fetch>, ConfigError> {
    if let Some(fetch) = place.get() {
        return Ok(Arc::clone(fetch));
    }
    let built = Arc::new(build().map_err(ConfigError::HttpClient)?);
    Ok(Arc::clone(place.get_or_init(|| built)))
}

/// One issuer, ready to judge tokens.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) issuer: Issuer,
    pub(crate) rules: JwtRules,
    pub(crate) means: Means,
    /// Whether and about what the issuer is asked.
    pub(crate) asked: Option<Asked>,
    /// Good tokens whose claims did not fit the type that the application asked for.
    pub(crate) claims_mismatches: AtomicU64,
}

impl Entry {
    pub(crate) fn build(issuer: Issuer, shared: &Shared) -> Result<Self, ConfigError> {
        let id = IssuerId::parse(&issuer.id).ok_or(ConfigError::EmptyIssuer)?;
        let name = || without_credentials(&issuer.id);
        // It stands in logs, in `health()` and in the metadata.
        if Url::parse(&issuer.id).is_ok_and(|url| !url.username().is_empty() || url.password().is_some()) {
            let reason = "it carries credentials: remove them";
            return Err(ConfigError::UnusableUrl { url: without_query(&issuer.id), reason });
        }
        let by_keys = issuer.keys != KeySource::Nowhere;
        if by_keys && !backend::AVAILABLE {
            return Err(ConfigError::NoBackend { issuer: name() });
        }
        let algorithms = match &issuer.algorithms {
            Some(list) => AlgorithmSet::new(list.iter().copied()),
            None => AlgorithmSet::default(),
        };
        if algorithms.is_empty() {
            return Err(ConfigError::NoAlgorithm { issuer: name() });
        }
        for algorithm in algorithms.iter() {
            let algorithm_name = algorithm.name();
            if algorithm.family() == Family::Hmac {
                return Err(ConfigError::SymmetricAlgorithm { issuer: name(), algorithm: algorithm_name });
            }
            if !algorithm.is_supported() {
                return Err(ConfigError::UnsupportedAlgorithm { issuer: name(), algorithm: algorithm_name });
            }
        }
        if issuer.leeway > MAX_LEEWAY {
            return Err(ConfigError::LeewayTooLong { issuer: name(), seconds: issuer.leeway.as_secs() });
        }
        let audiences = match &issuer.audiences {
            None => [shared.audience.clone()].into(),
            Some(list) if list.is_empty() => return Err(ConfigError::NoAudience { issuer: name() }),
            Some(list) => {
                let parsed: Option<Box<[_]>> =
                    list.iter().map(|audience| Audience::parse(audience)).collect();
                parsed.ok_or(ConfigError::EmptyAudience)?
            }
        };
        let policy = ClaimPolicy {
            issuer: id.clone(),
            audiences: (!issuer.any_audience).then_some(audiences),
            leeway: issuer.leeway,
            profile: issuer.profile,
            may_omit: MayOmit::default(),
        };
        let means = Means::build(&issuer, &algorithms, shared)?;
        let rules = JwtRules { policy, algorithms };
        let asked = Asked::build(&issuer, &rules, &means, shared)?;
        Ok(Self { issuer, rules, means, asked, claims_mismatches: AtomicU64::new(0) })
    }

    /// Who is asked about its opaque tokens.
    pub(crate) fn asked_about_opaque(&self) -> Option<&Introspection> {
        self.asked.as_ref().filter(|asked| asked.about.opaque()).map(|asked| &asked.introspection)
    }

    /// Who is asked about a JWT that has passed all that keys can say.
    pub(crate) fn asked_about_jwts(&self) -> Option<&Introspection> {
        self.asked.as_ref().filter(|asked| asked.about.jwts()).map(|asked| &asked.introspection)
    }

    pub(crate) fn id(&self) -> &IssuerId {
        &self.rules.policy.issuer
    }
}

/// The entries by issuer identifier.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    by_issuer: HashMap<IssuerId, Arc<Entry>>,
    /// All, in the order in which they were trusted.
    all: Vec<Arc<Entry>>,
    /// Those that opaque tokens may belong to, in the order in which they were trusted.
    introspected: Vec<Arc<Entry>>,
}

impl Entries {
    /// Builds the entries; one whose description is unchanged is taken over from `old`, with its keys and its driver.
    pub(crate) fn build(
        issuers: impl IntoIterator<Item = Issuer>,
        old: &Self,
        shared: &Shared,
    ) -> Result<Self, ConfigError> {
        let (mut by_issuer, mut all, mut introspected) = (HashMap::new(), Vec::new(), Vec::new());
        for issuer in issuers {
            let entry = match old.find(&issuer.id) {
                Some(entry) if entry.issuer == issuer => Arc::clone(entry),
                _ => Arc::new(Entry::build(issuer, shared)?),
            };
            all.push(Arc::clone(&entry));
            if entry.asked_about_opaque().is_some() {
                introspected.push(Arc::clone(&entry));
            }
            if by_issuer.insert(entry.id().clone(), Arc::clone(&entry)).is_some() {
                return Err(ConfigError::DuplicateIssuer {
                    issuer: without_credentials(entry.id().as_str()),
                });
            }
        }
        if by_issuer.is_empty() {
            return Err(ConfigError::NoIssuer);
        }
        if let (Selection::Only, [_, second, ..]) = (&shared.selection, &*introspected) {
            return Err(ConfigError::Introspection {
                issuer: without_credentials(second.id().as_str()),
                reason: "another issuer is introspected too, and nothing says which one an opaque token belongs to: call `.select_introspected(..)` on the builder",
            });
        }
        Ok(Self { by_issuer, all, introspected })
    }

    /// Those that opaque tokens may belong to, in the order in which they were trusted.
    pub(crate) fn introspected(&self) -> &[Arc<Entry>] {
        &self.introspected
    }

    /// The entries that are asked about an opaque token: one, none where none is chosen, or all by choice.
    pub(crate) fn of_opaque(&self, presented: &Presented<'_>, selection: &Selection) -> &[Arc<Entry>] {
        let selector = match selection {
            Selection::InOrder | Selection::Only => return &self.introspected,
            Selection::Selected(selector) => selector,
        };
        let place = selector.choose(presented, |issuer| {
            self.introspected.iter().position(|entry| entry.id().as_str() == issuer)
        });
        place.and_then(|place| self.introspected.get(place)).map_or(&[], std::slice::from_ref)
    }

    pub(crate) fn find(&self, issuer: &str) -> Option<&Arc<Entry>> {
        self.by_issuer.get(issuer)
    }

    /// Whether its issuer is trusted by this very entry.
    pub(crate) fn holds(&self, entry: &Arc<Entry>) -> bool {
        self.find(entry.id().as_str()).is_some_and(|known| Arc::ptr_eq(known, entry))
    }

    /// How an issuer without an entry differs from one that has one. Nothing of the token's text is kept.
    fn nearly(&self, issuer: &str) -> Option<NearMiss> {
        if issuer.len() > LONGEST_COMPARED {
            return None;
        }
        let url = Url::parse(issuer).ok();
        self.by_issuer.keys().take(MOST_COMPARED).find_map(|id| NearMiss::of(issuer, url.as_ref(), id))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.all.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_issuer.len()
    }
}

/// With more issuers than this, nobody finds a misspelt one by its hint.
const MOST_COMPARED: usize = 64;

/// No issuer's URL is longer.
const LONGEST_COMPARED: usize = 512;

/// An issuer identifier that is nearly that of an entry: a misspelt configuration, most likely.
#[derive(Debug, thiserror::Error)]
#[error("`iss` differs from the trusted issuer `{trusted}` by {difference}")]
struct NearMiss {
    trusted: IssuerId,
    difference: &'static str,
}

impl NearMiss {
    fn of(issuer: &str, url: Option<&Url>, trusted: &IssuerId) -> Option<Self> {
        let ours = trusted.as_str();
        let difference = if issuer.trim_end_matches('/') == ours.trim_end_matches('/') {
            "a trailing slash"
        } else if issuer.eq_ignore_ascii_case(ours) {
            "letter case"
        } else {
            let (mut one, mut other) = (url?.clone(), Url::parse(ours).ok()?);
            let same_scheme = one.scheme() == other.scheme();
            let _same_port_now = (one.set_port(None), other.set_port(None));
            if same_scheme && one == other {
                "the port"
            } else if one.set_scheme(other.scheme()).is_ok() && one == other {
                "the scheme"
            } else {
                return None;
            }
        };
        Some(Self { trusted: trusted.clone(), difference })
    }
}

/// The entries at one moment, as the pipeline sees them.
pub(crate) struct View<'e> {
    entries: &'e Entries,
    monotonic: Duration,
    max_token_bytes: usize,
    headers: &'e KnownHeaders,
    /// Looks only: no driver is started by it.
    onlooker: bool,
    /// The fetch that the keys came of which were looked at last.
    seen: Cell<Sequence>,
}

impl<'e> View<'e> {
    pub(crate) fn new(entries: &'e Entries, shared: &'e Shared) -> Self {
        Self {
            entries,
            monotonic: shared.clock.monotonic(),
            max_token_bytes: shared.max_token_bytes,
            headers: &shared.headers,
            onlooker: false,
            seen: Cell::new(0),
        }
    }

    /// A view that starts nothing.
    pub(crate) fn onlooking(entries: &'e Entries, shared: &'e Shared) -> Self {
        Self { onlooker: true, ..Self::new(entries, shared) }
    }

    pub(crate) fn seen(&self) -> Sequence {
        self.seen.get()
    }

    /// The moment for which it shows the keys.
    pub(crate) fn monotonic(&self) -> Duration {
        self.monotonic
    }
}

/// The keys of an entry at one moment.
pub(crate) enum KeysNow {
    Fixed(Arc<KeySet>),
    Remote(Current),
}

impl AsRef<KeySet> for KeysNow {
    fn as_ref(&self) -> &KeySet {
        match self {
            Self::Fixed(set) => set,
            Self::Remote(current) => current.as_ref(),
        }
    }
}

impl<'e> Issuers for View<'e> {
    type Entry = &'e Arc<Entry>;
    type Keys = KeysNow;

    fn max_token_bytes(&self) -> usize {
        self.max_token_bytes
    }

    fn headers(&self) -> Option<&KnownHeaders> {
        (!self.onlooker).then_some(self.headers)
    }

    fn entry(&self, issuer: &str) -> Option<&'e Arc<Entry>> {
        self.entries.find(issuer)
    }

    fn unknown(&self, issuer: &str) -> AuthError {
        // Only for a log that somebody reads.
        let hint = if tracing::enabled!(tracing::Level::DEBUG) { self.entries.nearly(issuer) } else { None };
        hint.map_or_else(|| UnknownIssuer.into(), |hint| UnknownIssuer.because(hint))
    }

    fn rules<'a>(&self, entry: &'a &'e Arc<Entry>) -> &'a JwtRules {
        &entry.rules
    }

    fn by_keys(&self, entry: &&'e Arc<Entry>) -> bool {
        !matches!(entry.means, Means::None)
    }

    fn keys(&self, entry: &&'e Arc<Entry>) -> Option<KeysNow> {
        match &entry.means {
            Means::Fixed(set) => Some(KeysNow::Fixed(Arc::clone(set))),
            Means::Remote(remote) if self.onlooker => remote.peek(self.monotonic).map(KeysNow::Remote),
            Means::Remote(remote) => {
                let (current, sequence) = remote.current(self.monotonic);
                self.seen.set(sequence);
                current.map(KeysNow::Remote)
            }
            Means::None => None,
        }
    }
}

/// What a missing key means for an entry when nothing newer can be had.
pub(crate) fn outage_kind(answer: Answer, has_keys: bool) -> AuthErrorKind {
    let kind = if has_keys { answer.kind() } else { AuthErrorKind::KeysUnavailable };
    debug_assert!(kind.decision() != Decision::Misconfigured);
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_named_without_the_value() {
        let trusted = IssuerId::parse("https://login.example.com/main").unwrap();
        for (issuer, difference) in [
            ("https://login.example.com/main/", Some("a trailing slash")),
            ("https://Login.example.com/Main", Some("letter case")),
            ("http://login.example.com/main", Some("the scheme")),
            ("https://login.example.com:8443/main", Some("the port")),
            ("https://login.example.com/other", None),
            ("https://evil.example/main", None),
            ("marker", None),
        ] {
            let near = NearMiss::of(issuer, Url::parse(issuer).ok().as_ref(), &trusted);
            assert_eq!(near.as_ref().map(|near| near.difference), difference, "{issuer}");
            if let Some(near) = near {
                assert!(!near.to_string().contains(issuer) || issuer.len() < trusted.as_str().len());
            }
        }
    }
}
