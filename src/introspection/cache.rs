//! Which answers are kept, and for how long?

use std::{fmt, time::Duration};

use crate::{
    clock::UnixTime,
    error::{AuthError, AuthErrorKind},
    introspection::testimony::Held,
    token::{
        cache::{Remembered, TokenCache},
        digest::TokenDigest,
    },
};

/// How long a refusal is remembered. A token that is good only later, or that the endpoint could not take for a moment, waits
/// no longer.
const REFUSED_FOR: Duration = Duration::from_secs(10);

/// Invented tokens cost nothing to make, so what is remembered of them is little, and apart from the good ones.
const REFUSED_ENTRIES: u64 = 2_000;

/// What was said of the tokens of one issuer entry, by the digest of each. Good tokens and refused ones are kept apart: no
/// flood of invented tokens drives out a good one.
pub(crate) struct Cache {
    good: TokenCache<Kept<Held>>,
    refused: TokenCache<Kept<AuthError>>,
    longest: Duration,
}

/// Entries are judged by their own time, and by both clocks: the monotonic one may stand still while a machine sleeps.
#[derive(Clone)]
struct Kept<T> {
    what: T,
    until: Asked,
}

impl<T> Kept<T> {
    fn new(what: T, asked: Asked, life: Duration) -> Self {
        let (wall, monotonic) = (asked.wall.saturating_add(life), asked.monotonic.saturating_add(life));
        Self { what, until: Asked { wall, monotonic } }
    }

    fn serves(&self, now: Asked) -> bool {
        now.monotonic < self.until.monotonic && now.wall < self.until.wall
    }
}

impl Remembered for Kept<Held> {
    fn octets(&self) -> usize {
        self.what.length()
    }
}

impl Remembered for Kept<AuthError> {
    fn octets(&self) -> usize {
        0
    }
}

/// What is known of a token.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    Good(Held),
    Refused(AuthError),
}

/// A moment by both clocks, such as that at which an answer was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) wall: UnixTime,
    pub(crate) monotonic: Duration,
}

impl Cache {
    /// `longest` of zero keeps no good token.
    pub(crate) fn new(longest: Duration, entries: u64) -> Self {
        Self { good: TokenCache::new(entries), refused: TokenCache::new(REFUSED_ENTRIES), longest }
    }

    /// What is known at `now`. Never waits.
    pub(crate) fn get(&self, token: &TokenDigest, now: Asked) -> Option<Word> {
        if let Some(kept) = self.good.get(token) {
            if kept.serves(now) {
                return Some(Word::Good(kept.what));
            }
            self.good.forget(token);
        }
        let kept = self.refused.get(token)?;
        if kept.serves(now) {
            return Some(Word::Refused(kept.what));
        }
        self.refused.forget(token);
        None
    }

    /// Keeps an answer no longer than the token lives, counted from the moment when it was asked for.
    pub(crate) fn keep(&self, token: TokenDigest, held: Held, asked: Asked) {
        let life = match held.expires_at() {
            Some(end) => self.longest.min(end.saturating_duration_since(asked.wall)),
            None => self.longest,
        };
        if !life.is_zero() {
            self.refused.forget(&token);
            self.good.insert(token, Kept::new(held, asked, life));
        }
    }

    /// Remembers a refusal that the next moment does not change.
    pub(crate) fn refuse(&self, token: TokenDigest, error: AuthError, asked: Asked) {
        if is_lasting(error.kind()) {
            self.good.forget(&token);
            self.refused.insert(token, Kept::new(error, asked, REFUSED_FOR));
        }
    }

    pub(crate) fn forget(&self, token: &TokenDigest) {
        self.good.forget(token);
        self.refused.forget(token);
    }

    pub(crate) fn forget_subject(&self, subject: &str) {
        self.good.retain(|kept| !kept.what.is_about(subject));
    }

    pub(crate) fn clear(&self) {
        self.good.clear();
        self.refused.clear();
    }

    /// How many good tokens are kept, about.
    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.good.len()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Whether a refusal would be the same a moment later. What turns on the time, on us, or on the endpoint would not.
fn is_lasting(kind: AuthErrorKind) -> bool {
    matches!(
        kind,
        AuthErrorKind::BindingNotProven
            | AuthErrorKind::Inactive
            | AuthErrorKind::IntrospectionTokenRefused
            | AuthErrorKind::InvalidClaim
            | AuthErrorKind::UnknownIssuer
            | AuthErrorKind::WrongAudience
            | AuthErrorKind::WrongType
    )
}
