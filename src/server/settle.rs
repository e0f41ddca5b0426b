//! One token from presentation to verdict: at once where the keys are there, after one bounded wait where they are not.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretBox};
use tokio::{runtime::Handle, time::Instant};

use crate::{
    error::{
        AuthError,
        AuthErrorKind::{
            self, InvalidSignature, KeysUnavailable, MalformedToken, TokenTooLong, TooManyWaiting,
            UnknownIssuer, UnknownKey,
        },
    },
    jwt::{Judgement, judge},
    keys::{
        refresh::Sequence,
        remote::{Attempt, Remote, Wanted},
    },
    server::{
        Inner,
        entries::{Entry, View, outage_kind},
        means::Means,
    },
    token::presented::{Presented, Shape},
    validate::{ValidateToken, Validation, Verdict},
};

/// How long a request waits for a key that may be newer than those held.
const WAIT: Duration = Duration::from_secs(2);

/// How long it waits when no keys ever came: nothing else can be served meanwhile.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// Keys are adopted seconds apart at the least; this many times within one judgement is no accident but a fault.
const JUDGED_AT_MOST: usize = 4;

/// What a judgement calls for.
enum Step {
    /// The issuer of this entry knows.
    Ask(Arc<Entry>),
    Done(Verdict),
    Wait(Attempt, Waiting),
}

/// What a request waits for, and what it gets if that does not come.
struct Waiting {
    /// Set when the signature failed under a held key: judged once more, and refused in any case but acceptance.
    recheck: bool,
    longest: Duration,
    in_vain: AuthError,
}

impl ValidateToken for Inner {
    fn validate(&self, presented: &Presented<'_>) -> Validation {
        match self.step(presented.token(), false) {
            Step::Done(verdict) => Validation::Done(verdict),
            Step::Wait(attempt, waiting) => {
                let token = SecretBox::new(presented.token().into());
                Validation::Pending(Box::pin(settle(self.this.clone(), token, attempt, waiting)))
            }
            Step::Ask(entry) => {
                let token = SecretBox::new(presented.token().into());
                Validation::Pending(Box::pin(ask(self.this.clone(), token, entry)))
            }
        }
    }

    fn mismatched(&self, error: &AuthError) {
        let entries = self.entries.load();
        if let Some(entry) = error.issuer().and_then(|issuer| entries.find(issuer)) {
            entry.claims_mismatches.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Inner {
    /// Judges the token with the keys that are there, and once more where newer ones came while it did.
    fn step(&self, token: &[u8], rechecked: bool) -> Step {
        for _ in 0..JUDGED_AT_MOST {
            let entries = self.entries.load();
            if let Some(entry) = entries.introspecting()
                && Shape::of(token) == Shape::Opaque
            {
                let refused = self.refused_unasked(token);
                return refused.map_or_else(|| Step::Ask(Arc::clone(entry)), refuse);
            }
            let view = View::new(&entries, &self.shared);
            let step = match judge(token, &view, self.shared.clock.wall(), &mut ()) {
                Judgement::Accepted(core) => Some(Step::Done(Ok(core))),
                Judgement::Rejected(error) => Some(Step::Done(Err(error))),
                Judgement::MissingKey(entry) => missing_key(entry, true, rechecked, view.seen()),
                Judgement::NotByKeys(entry) => Some(Step::Ask(Arc::clone(entry))),
                Judgement::NoKeys(entry) => missing_key(entry, false, rechecked, view.seen()),
                Judgement::BadSignature(entry) => bad_signature(entry, rechecked, view.seen()),
            };
            if let Some(step) = step {
                return step;
            }
        }
        refuse(KeysUnavailable)
    }

    /// Why an opaque token is refused without asking its issuer.
    pub(super) fn refused_unasked(&self, token: &[u8]) -> Option<AuthErrorKind> {
        if token.is_empty() {
            Some(MalformedToken)
        } else {
            (token.len() > self.shared.max_token_bytes).then_some(TokenTooLong)
        }
    }
}

/// `None`: newer keys came meanwhile.
fn missing_key(entry: &Entry, has_keys: bool, rechecked: bool, seen: Sequence) -> Option<Step> {
    let Means::Remote(remote) = &entry.means else { return Some(refuse(UnknownKey)) };
    // A signature had failed before; keys that are gone since then cannot make it good.
    if rechecked {
        return Some(refuse(InvalidSignature));
    }
    let outage = || {
        let kind = outage_kind(entry.issuer.unknown_key_during_outage, has_keys);
        AuthError::from(kind).of_issuer(entry.issuer.id.as_str())
    };
    Some(match remote.key_missing(seen) {
        Wanted::Wait(attempt) => {
            let in_vain = outage().retry_in(Duration::ZERO);
            Step::Wait(attempt, Waiting { recheck: false, longest: longest_wait(remote), in_vain })
        }
        Wanted::Final if has_keys => refuse(UnknownKey),
        Wanted::Final => refuse(KeysUnavailable),
        Wanted::JudgeAgain => return None,
        Wanted::Outage { retry_after } => Step::Done(Err(outage().retry_in(retry_after))),
        Wanted::TooMany => refuse(TooManyWaiting),
    })
}

/// `None`: newer keys came meanwhile.
fn bad_signature(entry: &Entry, rechecked: bool, seen: Sequence) -> Option<Step> {
    let Means::Remote(remote) = &entry.means else { return Some(refuse(InvalidSignature)) };
    if rechecked {
        return Some(refuse(InvalidSignature));
    }
    Some(match remote.signature_failed(seen) {
        Wanted::Wait(attempt) => {
            Step::Wait(attempt, Waiting { recheck: true, longest: WAIT, in_vain: InvalidSignature.into() })
        }
        Wanted::JudgeAgain => return None,
        Wanted::Final | Wanted::Outage { .. } | Wanted::TooMany => refuse(InvalidSignature),
    })
}

fn refuse(kind: AuthErrorKind) -> Step {
    Step::Done(Err(kind.into()))
}

fn longest_wait(remote: &Remote) -> Duration {
    if remote.ever_adopted() { WAIT } else { FIRST_WAIT }
}

/// Waits, judges again, and ends at the latest when the first wait's time is over. It keeps no server alive.
async fn settle(
    server: Weak<Inner>,
    token: SecretBox<[u8]>,
    mut attempt: Attempt,
    mut waiting: Waiting,
) -> Verdict {
    // Without a runtime there is no timer to wait with, and without the wait nothing to be had.
    if Handle::try_current().is_err() {
        return Err(waiting.in_vain);
    }
    let deadline = Instant::now().checked_add(waiting.longest).unwrap_or_else(Instant::now);
    loop {
        if tokio::time::timeout_at(deadline, attempt).await.is_err() {
            return Err(waiting.in_vain);
        }
        let Some(server) = server.upgrade() else { return Err(waiting.in_vain) };
        match server.step(token.expose_secret(), waiting.recheck) {
            Step::Done(verdict) => return verdict,
            Step::Wait(next, why) => (attempt, waiting) = (next, why),
            // The issuer was trusted by its keys when the token came. What failed by them is not asked about.
            Step::Ask(_) => return Err(waiting.in_vain),
        }
    }
}

/// Asks the issuer, and holds by its answer only if it is still trusted then. It keeps no server alive.
async fn ask(server: Weak<Inner>, token: SecretBox<[u8]>, entry: Arc<Entry>) -> Verdict {
    let Means::Introspection(introspection) = &entry.means else { return Err(UnknownIssuer.into()) };
    let core = introspection.judge(token.expose_secret()).await?;
    let still = |server: &Inner| {
        let entries = server.entries.load();
        entries.find(entry.id().as_str()).is_some_and(|known| Arc::ptr_eq(known, &entry))
    };
    match server.upgrade() {
        Some(server) if !still(&server) => Err(UnknownIssuer.into()),
        Some(_) | None => Ok(core),
    }
}

/// The handle that a waiting request keeps.
pub(super) type This = Weak<Inner>;

/// Makes an `Inner` that knows its own handle.
pub(super) fn with_this(make: impl FnOnce(This) -> Inner) -> Arc<Inner> {
    Arc::new_cyclic(|this| make(Weak::clone(this)))
}
