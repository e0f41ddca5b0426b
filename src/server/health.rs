//! How are the issuers, for a probe or an operator?

use std::{sync::atomic::Ordering, time::Duration};

use serde::Serialize;

use crate::{
    introspection,
    keys::{
        remote::Status,
        set::{KeySet, Skipped},
    },
    server::{
        entries::{Entries, Entry},
        means::Means,
    },
};

/// The state of the issuers at one moment. It can be serialized, for an operator's page. [The guide](crate::guide::operation) says what
/// to make of it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Health {
    can_serve: bool,
    issuers: Vec<IssuerHealth>,
}

impl Health {
    pub(crate) fn of(entries: &Entries, now: Duration) -> Self {
        let mut issuers: Vec<_> = entries.iter().map(|entry| IssuerHealth::of(entry, now)).collect();
        issuers.sort_unstable_by(|one, other| one.issuer.cmp(&other.issuer));
        Self { can_serve: issuers.iter().all(IssuerHealth::can_serve), issuers }
    }

    /// Whether the keys of every issuer are there.
    ///
    /// Think twice before a readiness probe depends on it: it turns an issuer's outage at start-up into your own, also
    /// for the tokens of the other issuers.
    pub fn can_serve(&self) -> bool {
        self.can_serve
    }

    /// Each trusted issuer, by identifier.
    pub fn issuers(&self) -> &[IssuerHealth] {
        &self.issuers
    }
}

/// The state of one issuer at one moment. Durations are whole seconds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct IssuerHealth {
    issuer: String,
    state: KeyState,
    usable_keys: usize,
    skipped_keys: Vec<SkippedKey>,
    keys_age_seconds: Option<u64>,
    failures: u32,
    last_error: Option<String>,
    next_attempt_seconds: Option<u64>,
    clock_skew_seconds: Option<i64>,
    claims_mismatches: u64,
    introspection: Option<IntrospectionHealth>,
}

/// How an issuer answers questions about tokens, at one moment. Durations are whole seconds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct IntrospectionHealth {
    /// Whether it is asked at the moment. Tokens whose answer is kept pass in any case.
    pub can_ask: bool,
    /// Questions so far, those about invented tokens of our own included.
    pub calls: u64,
    /// Questions in a row that came to nothing.
    pub failures: u32,
    /// Why the last question came to nothing, if it did.
    pub last_error: Option<String>,
    /// When it is asked again, if it is not asked at the moment.
    pub next_attempt_seconds: Option<u64>,
    /// About how many answers about good tokens are kept.
    pub kept_answers: u64,
}

impl IntrospectionHealth {
    fn of(status: &introspection::Status) -> Self {
        let (stopped, next) = status.stopped.map(|(kind, next)| (kind.to_string(), next.as_secs())).unzip();
        Self {
            can_ask: stopped.is_none(),
            calls: status.calls,
            failures: status.failures,
            last_error: status.last_error.map(|kind| kind.to_string()).or(stopped),
            next_attempt_seconds: next,
            kept_answers: status.kept,
        }
    }
}

/// How an issuer's keys are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyState {
    /// They were given once, and are never fetched.
    Fixed,
    /// They are within the lifetime that the issuer gave them.
    Fresh,
    /// There are none: the issuer is asked about each token.
    Introspected,
    /// They are past it, and serve on while refreshes fail.
    Stale,
    /// There are none that may serve, or the introspection endpoint is not asked for a while: tokens of the issuer get 503.
    Unavailable,
}

/// A JWK that is published and not used.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Why: `algorithm_not_allowed`, `malformed`, `not_for_signatures`, `weak`, `private`, `symmetric` or `unsupported`.
    pub reason: &'static str,
}

impl IssuerHealth {
    fn of(entry: &Entry, now: Duration) -> Self {
        let health = Self {
            issuer: entry.id().to_string(),
            state: KeyState::Fixed,
            usable_keys: 0,
            skipped_keys: Vec::new(),
            keys_age_seconds: None,
            failures: 0,
            last_error: None,
            next_attempt_seconds: None,
            clock_skew_seconds: None,
            claims_mismatches: entry.claims_mismatches.load(Ordering::Relaxed),
            introspection: None,
        };
        let health = match &entry.means {
            Means::Fixed(set) => health.with_fixed(set),
            Means::None => Self { state: KeyState::Introspected, ..health },
            Means::Remote(remote) => health.with_fetched(remote.status(now), now),
        };
        match &entry.asked {
            Some(asked) => health.with_introspection(&asked.introspection.status()),
            None => health,
        }
    }

    fn with_fixed(self, set: &KeySet) -> Self {
        Self { usable_keys: set.identities().len(), skipped_keys: skipped(set.skipped()), ..self }
    }

    fn with_introspection(self, status: &introspection::Status) -> Self {
        let introspection = IntrospectionHealth::of(status);
        let is_stopped = self.state == KeyState::Introspected && !introspection.can_ask;
        let state = if is_stopped { KeyState::Unavailable } else { self.state };
        Self { state, introspection: Some(introspection), ..self }
    }

    fn with_fetched(self, status: Status, now: Duration) -> Self {
        let state = if status.fresh {
            KeyState::Fresh
        } else if status.serving {
            KeyState::Stale
        } else {
            KeyState::Unavailable
        };
        let in_flight = status.fetching.then_some(Duration::ZERO);
        let next = in_flight.unwrap_or(status.next_attempt.saturating_sub(now));
        Self {
            state,
            usable_keys: status.usable,
            skipped_keys: skipped(&status.skipped),
            keys_age_seconds: status.adopted_at.map(|at| now.saturating_sub(at).as_secs()),
            failures: status.failures,
            last_error: status.last_error.map(|error| error.to_string()),
            next_attempt_seconds: Some(next.as_secs()),
            clock_skew_seconds: status.skew,
            ..self
        }
    }

    /// The issuer's identifier.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether there are keys to judge its tokens with, and it can be asked where it has to be.
    pub fn can_serve(&self) -> bool {
        self.state != KeyState::Unavailable && self.introspection.as_ref().is_none_or(|asked| asked.can_ask)
    }

    /// How it answers questions about tokens, if it is asked.
    pub fn introspection(&self) -> Option<&IntrospectionHealth> {
        self.introspection.as_ref()
    }

    /// How its keys are.
    pub fn state(&self) -> KeyState {
        self.state
    }

    /// JWKs in use.
    pub fn usable_keys(&self) -> usize {
        self.usable_keys
    }

    /// JWKs that are published and not used, with the reason of each.
    pub fn skipped_keys(&self) -> &[SkippedKey] {
        &self.skipped_keys
    }

    /// How long ago the keys were fetched; `None` for fixed ones, and where none ever came.
    pub fn keys_age(&self) -> Option<Duration> {
        self.keys_age_seconds.map(Duration::from_secs)
    }

    /// Fetches that failed since the last one that succeeded.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Why the last fetch failed, if it did.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// When the issuer is asked next; zero while it is being asked, `None` for fixed keys.
    pub fn next_attempt(&self) -> Option<Duration> {
        self.next_attempt_seconds.map(Duration::from_secs)
    }

    /// By how many seconds the issuer's clock was ahead of this machine's when it last answered, as its `Date` says; below
    /// zero, behind. More than 30 are worth a `warn` line: tokens of an issuer that is ahead are not valid yet.
    pub fn clock_skew_seconds(&self) -> Option<i64> {
        self.clock_skew_seconds
    }

    /// Good tokens that were refused because their claims did not fit the type of the layer or handler, since the entry
    /// was made: most likely that type is wrong, or the issuer has changed its claims.
    pub fn claims_mismatches(&self) -> u64 {
        self.claims_mismatches
    }
}

fn skipped(skipped: &[Skipped]) -> Vec<SkippedKey> {
    skipped.iter().map(|jwk| SkippedKey { index: jwk.index, reason: jwk.reason.label() }).collect()
}
