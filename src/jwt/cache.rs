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
    token::{
        cache::{Remembered, TokenCache},
        claims::Core,
        digest::TokenDigest,
    },
};

/// Verified tokens of all issuer entries `E`, by their digests. It only ever says what a judgement from scratch would say too:
/// whatever is doubtful is judged from scratch.
pub(crate) struct VerifiedTokens<E>(TokenCache<Arc<Verified<E>>>);

impl<E> Remembered for Arc<Verified<E>> {
    fn octets(&self) -> usize {
        self.core.payload().len()
    }
}

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
        Self(TokenCache::new(entries))
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
        self.0.forget(token);
    }

    pub(crate) fn forget_subject(&self, issuer: &str, subject: &str) {
        let is_theirs = |core: &Core| core.issuer() == issuer && core.subject() == Some(subject);
        self.0.retain(|verified| !is_theirs(&verified.core));
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
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
        f.debug_tuple("VerifiedTokens").field(&self.0).finish()
    }
}
