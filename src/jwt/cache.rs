//! Which tokens were verified, and by which key?

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    clock::UnixTime,
    error::AuthErrorKind,
    jwt::Witness,
    keys::{
        refresh::Sequence,
        set::{KeySet, Selection},
    },
    policy::{ClaimPolicy, Times},
    token::{claims::Core, digest::TokenDigest},
};

/// What a verified token may have to weigh as one entry: real ones have 300 to 2,000 octets of claims.
const OCTETS_PER_ENTRY: usize = 4096;

/// Verified tokens of all issuer entries `E`, by their digests. It only ever says what a judgement from scratch would say too:
/// whatever is doubtful is judged from scratch.
pub(crate) struct VerifiedTokens<E>(moka::sync::Cache<TokenDigest, Arc<Verified<E>>>);

/// A token that passed every check, and what its acceptance turns on apart from its own text.
pub(crate) struct Verified<E> {
    /// The issuer's entry at that time; its rules do not change.
    entry: Weak<E>,
    times: Times,
    witness: Witness,
    core: Arc<Core>,
    /// The fetch that the last set came of in which the token finds its key.
    seen: AtomicU64,
}

impl<E: Send + Sync + 'static> VerifiedTokens<E> {
    pub(crate) fn new(entries: u64) -> Self {
        let weigher = |_: &TokenDigest, verified: &Arc<Verified<E>>| {
            let octets = verified.core.payload().len().checked_div(OCTETS_PER_ENTRY).unwrap_or_default();
            u32::try_from(octets).unwrap_or(u32::MAX).saturating_add(1)
        };
        Self(moka::sync::Cache::builder().max_capacity(entries).weigher(weigher).build())
    }

    pub(crate) fn get(&self, token: &TokenDigest) -> Option<Arc<Verified<E>>> {
        self.0.get(token)
    }

    /// Keeps a token that was just accepted. The core that comes back serves more than one request.
    pub(crate) fn keep(
        &self,
        token: TokenDigest,
        entry: &Arc<E>,
        witness: Witness,
        core: Core,
        seen: Sequence,
    ) -> Arc<Core> {
        let core = Arc::new(core.shared());
        let verified = Verified {
            entry: Arc::downgrade(entry),
            times: Times::of_core(&core),
            witness,
            core: Arc::clone(&core),
            seen: AtomicU64::new(seen),
        };
        self.0.insert(token, Arc::new(verified));
        core
    }

    pub(crate) fn forget(&self, token: &TokenDigest) {
        self.0.invalidate(token);
    }

    pub(crate) fn forget_subject(&self, issuer: &str, subject: &str) {
        let is_theirs = |core: &Core| core.issuer() == issuer && core.subject() == Some(subject);
        let theirs: Vec<_> = self
            .0
            .iter()
            .filter(|(_, verified)| is_theirs(&verified.core))
            .map(|(token, _)| *token)
            .collect();
        for token in theirs {
            self.0.invalidate(&token);
        }
    }

    pub(crate) fn clear(&self) {
        self.0.invalidate_all();
    }
}

impl<E> Verified<E> {
    /// Who issued it.
    pub(crate) fn issuer(&self) -> &str {
        self.core.issuer()
    }

    /// Whether this very entry judged it. The place of one that is gone is not given to another as long as we remember it.
    pub(crate) fn is_of(&self, entry: &Arc<E>) -> bool {
        std::ptr::eq(self.entry.as_ptr(), Arc::as_ptr(entry))
    }

    /// Whether the token would find its key among these, which came of the fetch `sequence`.
    pub(crate) fn finds_its_key(&self, keys: &KeySet, sequence: Sequence) -> bool {
        if self.seen.load(Ordering::Relaxed) == sequence {
            return true;
        }
        let Selection::Keys(candidates) = keys.select(self.witness.algorithm, self.witness.kid.as_deref())
        else {
            return false;
        };
        let found = candidates.into_iter().flatten().any(|key| *key.print() == self.witness.key);
        if found {
            self.seen.store(sequence, Ordering::Relaxed);
        }
        found
    }

    pub(crate) fn check_times(&self, policy: &ClaimPolicy, now: UnixTime) -> Result<(), AuthErrorKind> {
        if now.is_readable() {
            policy.check_times(self.times, now)
        } else {
            Err(AuthErrorKind::ClockUnavailable)
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl<E> fmt::Debug for VerifiedTokens<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens").field("len", &self.0.entry_count()).finish_non_exhaustive()
    }
}
