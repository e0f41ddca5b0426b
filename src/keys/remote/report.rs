//! What is told about an issuer's keys: in `health()`, in the log, and to those who listen?

use std::{error::Error as _, fmt, sync::Arc};

use tracing::{debug, info, warn};

use crate::{
    fetch::FetchError,
    keys::{
        change::{Feed, KeyChange},
        jwk::SkipReason,
        set::{KeySet, Skipped},
    },
};

/// What is told about an issuer's keys.
#[derive(Default)]
pub(crate) struct Notes {
    last_error: Option<Arc<FetchError>>,
    skipped: Vec<Skipped>,
    /// Of the JWKs in use, in order.
    identities: Vec<u64>,
    /// By how many seconds the issuer's clock was ahead when it answered last.
    skew: Option<i64>,
}

/// What an adopted set is, apart from its keys.
pub(super) struct Inventory {
    skipped: Vec<Skipped>,
    identities: Vec<u64>,
    skew: Option<i64>,
}

impl Inventory {
    pub(super) fn of(set: &KeySet, skew: Option<i64>) -> Self {
        Self { skipped: set.skipped().to_vec(), identities: set.identities(), skew }
    }
}

impl Notes {
    /// What an earlier process left.
    pub(super) fn restored(inventory: Inventory) -> Self {
        Self { last_error: None, skipped: inventory.skipped, identities: inventory.identities, skew: None }
    }

    /// Why the last attempt failed, if it did.
    pub(super) fn last_error(&self) -> Option<Arc<FetchError>> {
        self.last_error.clone()
    }

    pub(super) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// JWKs in use.
    pub(super) fn usable(&self) -> usize {
        self.identities.len()
    }

    pub(super) fn skew(&self) -> Option<i64> {
        self.skew
    }

    pub(super) fn adopted(&mut self, inventory: Inventory) -> Event {
        let Inventory { skipped, identities, skew } = inventory;
        let is_large = |skew: Option<i64>| skew.is_some_and(|skew| skew.unsigned_abs() > LARGE_SKEW);
        let without = |these: &[u64], those: &[u64]| {
            these.iter().filter(|identity| those.binary_search(identity).is_err()).count()
        };
        let event = Event::Adopted {
            usable: identities.len(),
            before: self.identities.len(),
            appeared: without(&identities, &self.identities),
            vanished: without(&self.identities, &identities),
            recovered: self.last_error.take().is_some(),
            skipped: (self.skipped != skipped).then(|| skipped.clone()),
            skew: skew.filter(|_| is_large(skew) && !is_large(self.skew)),
        };
        (self.skipped, self.identities, self.skew) = (skipped, identities, skew);
        event
    }

    pub(super) fn failed(&mut self, error: FetchError) -> Event {
        let error = Arc::new(error);
        let first = self.last_error.replace(Arc::clone(&error)).is_none();
        Event::Failed { error, first }
    }
}

/// What is worth a log line.
pub(super) enum Event {
    Adopted {
        usable: usize,
        before: usize,
        appeared: usize,
        vanished: usize,
        recovered: bool,
        /// Where it changed.
        skipped: Option<Vec<Skipped>>,
        /// Where it has become large.
        skew: Option<i64>,
    },
    Failed {
        error: Arc<FetchError>,
        first: bool,
    },
}

impl Event {
    /// Last of all: a subscriber may do anything, and must find nothing half done.
    pub(super) fn tell(&self, issuer: &Arc<str>, feed: &Feed) {
        match self {
            Self::Adopted { usable, before, appeared, vanished, recovered, skipped, skew } => {
                if let Some(seconds) = skew {
                    warn!(
                        issuer = &**issuer,
                        seconds,
                        "the issuer's clock is ahead of ours by so much, or behind it: set one of them right"
                    );
                }
                if *recovered {
                    tell_of_recovery(issuer, feed);
                }
                if let Some(skipped) = skipped {
                    report(issuer, skipped);
                }
                let (issuer, usable, appeared, vanished) =
                    (Arc::clone(issuer), *usable, *appeared, *vanished);
                if *before == 0 {
                    info!(issuer = &*issuer, usable, "the first keys are there");
                    feed.tell(KeyChange::Adopted { issuer, usable });
                } else if appeared > 0 || vanished > 0 {
                    if vanished == *before {
                        warn!(issuer = &*issuer, usable, vanished, "all keys changed at one stroke");
                    } else {
                        info!(issuer = &*issuer, usable, appeared, vanished, "keys changed");
                    }
                    feed.tell(KeyChange::Changed { issuer, appeared, vanished, usable });
                } else {
                    debug!(issuer = &*issuer, usable, "keys adopted");
                }
            }
            Self::Failed { error, first } => {
                if *first {
                    warn!(issuer = &**issuer, error = %Chain(error), "keys cannot be refreshed");
                    feed.tell(KeyChange::Failing { issuer: Arc::clone(issuer), error: error.kind() });
                } else {
                    debug!(issuer = &**issuer, error = %Chain(error), "keys cannot be refreshed");
                }
            }
        }
    }
}

/// Half of the leeway that tokens get by default: what is left for it is soon used up.
const LARGE_SKEW: u64 = 30;

fn tell_of_recovery(issuer: &Arc<str>, feed: &Feed) {
    warn!(issuer = &**issuer, "keys are refreshed again");
    feed.tell(KeyChange::Recovered { issuer: Arc::clone(issuer) });
}

/// Keys that are not used are their owner's business, unless they give a secret away.
fn report(issuer: &str, skipped: &[Skipped]) {
    for jwk in skipped {
        let (index, reason) = (jwk.index, jwk.reason);
        match reason {
            SkipReason::Private | SkipReason::Symmetric => {
                warn!(issuer, index, %reason, "the issuer publishes a secret: tell its operator");
            }
            _ => debug!(issuer, index, %reason, "a key is not used"),
        }
    }
}

/// Prints an error with its causes.
struct Chain<'e>(&'e FetchError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
