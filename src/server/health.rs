//! How are the issuers, for a probe or an operator?

use std::{sync::atomic::Ordering, time::Duration};

use crate::server::entries::{Entries, Entry, Keys};

/// The state of the issuers at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    issuers: Vec<IssuerHealth>,
}

impl Health {
    pub(crate) fn of(entries: &Entries, now: Duration) -> Self {
        let mut issuers: Vec<_> = entries.iter().map(|entry| IssuerHealth::of(entry, now)).collect();
        issuers.sort_unstable_by(|one, other| one.issuer.cmp(&other.issuer));
        Self { issuers }
    }

    /// Whether the keys of every issuer are there.
    ///
    /// Think twice before a readiness probe depends on it: it turns an issuer's outage at start-up into your own, also
    /// for the tokens of the other issuers.
    pub fn can_serve(&self) -> bool {
        self.issuers.iter().all(IssuerHealth::can_serve)
    }

    /// Each trusted issuer, by identifier.
    pub fn issuers(&self) -> &[IssuerHealth] {
        &self.issuers
    }
}

/// The state of one issuer at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuerHealth {
    issuer: String,
    can_serve: bool,
    claims_mismatches: u64,
}

impl IssuerHealth {
    fn of(entry: &Entry, now: Duration) -> Self {
        Self {
            issuer: entry.id().to_string(),
            can_serve: match &entry.keys {
                Keys::Fixed(_) => true,
                Keys::Remote(remote) => remote.can_serve(now),
            },
            claims_mismatches: entry.claims_mismatches.load(Ordering::Relaxed),
        }
    }

    /// The issuer's identifier.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether there are keys to judge its tokens with.
    pub fn can_serve(&self) -> bool {
        self.can_serve
    }

    /// Good tokens that were refused because their claims did not fit the type of the layer or handler, since the entry
    /// was made: most likely that type is wrong, or the issuer has changed its claims.
    pub fn claims_mismatches(&self) -> u64 {
        self.claims_mismatches
    }
}
