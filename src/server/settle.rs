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
            self, Inactive, IntrospectionUnavailable, InvalidClaim, InvalidSignature, KeysUnavailable,
            MalformedToken, TokenTooLong, TooManyWaiting, UnknownIssuer, UnknownKey,
        },
        Decision,
    },
    introspection::{Introspection, Subject},
    jwt::{Judgement, cache::VerifiedTokens, judge},
    keys::{
        refresh::Sequence,
        remote::{Attempt, Remote, Wanted},
    },
    server::{
        Inner,
        entries::{Entries, Entry, View, outage_kind},
        means::Means,
    },
    token::{
        claims::Core,
        digest::TokenDigest,
        presented::{Presented, Shape},
    },
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
    /// Issuers know.
    Ask(Asking),
    Done(Verdict),
    Wait(Attempt, Waiting),
}

/// A question to issuers about a token.
struct Asking {
    /// One, or those that are asked one after the other.
    entries: Vec<Arc<Entry>>,
    about: About,
}

/// What kind of token issuers are asked about.
enum About {
    Opaque,
    /// A JWT whose issuer has no keys.
    Jwt,
    /// A JWT that keys have verified: what a handler gets when its issuer does not object.
    Verified(Arc<Core>),
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
        match self.step(presented, false) {
            Step::Done(verdict) => Validation::Done(verdict),
            step @ (Step::Ask(_) | Step::Wait(..)) => {
                let token = SecretBox::new(presented.token().into());
                Validation::Pending(Box::pin(settle(self.this.clone(), token, step)))
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
    /// Judges the token with the keys and answers that are there, and once more where newer keys came while it did.
    fn step(&self, presented: &Presented<'_>, rechecked: bool) -> Step {
        let token = presented.token();
        for _ in 0..JUDGED_AT_MOST {
            let entries = self.entries.load();
            if !entries.introspected().is_empty() && Shape::of(token) == Shape::Opaque {
                let refused = self.refused_unasked(token).map(refuse);
                let chosen = || entries.of_opaque(presented, &self.shared.selection);
                return refused.unwrap_or_else(|| by_word(token, chosen(), About::Opaque));
            }
            let view = View::new(&entries, &self.shared);
            let is_short = token.len() <= self.shared.max_token_bytes;
            if let Some(cache) = self.verified.as_ref().filter(|_| is_short) {
                let digest = TokenDigest::of(token);
                if let Some((entry, core)) = self.remembered(cache, &digest, &entries, view.monotonic()) {
                    return confirmed(token, entry, core);
                }
                let mut witness = None;
                let judgement = judge(token, &view, self.shared.clock.wall(), &mut witness);
                if let Some(step) = stepped(token, rechecked, &view, judgement, |entry, core| match witness {
                    Some(witness) => cache.keep(digest, entry, witness, core, view.seen()),
                    None => Arc::new(core),
                }) {
                    return step;
                }
                continue;
            }
            let judgement = judge(token, &view, self.shared.clock.wall(), &mut ());
            if let Some(step) = stepped(token, rechecked, &view, judgement, |_, core| Arc::new(core)) {
                return step;
            }
        }
        refuse(KeysUnavailable)
    }

    /// The token as it was verified before, if a judgement from scratch would accept it too at this moment.
    fn remembered<'e>(
        &self,
        cache: &VerifiedTokens<Entry>,
        token: &TokenDigest,
        entries: &'e Entries,
        now: Duration,
    ) -> Option<(&'e Arc<Entry>, Arc<Core>)> {
        let verified = cache.get(token)?;
        let entry = entries.find(verified.issuer()).filter(|entry| verified.is_of(entry))?;
        match &entry.means {
            // They never change.
            Means::Fixed(_) => (),
            Means::Remote(remote) => {
                let (current, sequence) = remote.current(now);
                if !verified.finds_its_key(current?.as_ref(), sequence) {
                    return None;
                }
            }
            Means::None => return None,
        }
        verified.check_times(&entry.rules.policy, self.shared.clock.wall()).ok()?;
        Some((entry, Arc::clone(verified.core())))
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

/// What follows from a judgement; `None` where newer keys came meanwhile. `share` makes a core that requests hold.
fn stepped(
    token: &[u8],
    rechecked: bool,
    view: &View<'_>,
    judgement: Judgement<&Arc<Entry>>,
    share: impl FnOnce(&Arc<Entry>, Core) -> Arc<Core>,
) -> Option<Step> {
    match judgement {
        Judgement::Accepted(entry, core) => Some(confirmed(token, entry, share(entry, core))),
        Judgement::Rejected(error) => Some(Step::Done(Err(error))),
        Judgement::MissingKey(entry) => missing_key(entry, true, rechecked, view.seen()),
        Judgement::NotByKeys(entry) => Some(by_word(token, std::slice::from_ref(entry), About::Jwt)),
        Judgement::NoKeys(entry) => missing_key(entry, false, rechecked, view.seen()),
        Judgement::BadSignature(entry) => bad_signature(entry, rechecked, view.seen()),
    }
}

/// The verdict of the issuers, as far as it is known already.
fn by_word(token: &[u8], entries: &[Arc<Entry>], about: About) -> Step {
    let mut refusals = Refusals::default();
    for entry in entries {
        let Some(introspection) = about.whom(entry) else { continue };
        match introspection.known(token, about.subject()) {
            Some(Ok(core)) => return Step::Done(about.agreed(core)),
            Some(Err(error)) => refusals.add(error),
            None => return Step::Ask(Asking { entries: entries.to_vec(), about }),
        }
    }
    Step::Done(Err(refusals.into_error()))
}

/// A JWT that keys have verified, and that its issuer may have revoked.
fn confirmed(token: &[u8], entry: &Arc<Entry>, core: Arc<Core>) -> Step {
    if entry.asked_about_jwts().is_none() {
        return Step::Done(Ok(core));
    }
    by_word(token, std::slice::from_ref(entry), About::Verified(core))
}

impl About {
    fn subject(&self) -> Subject {
        match self {
            Self::Opaque | Self::Jwt => Subject::Opaque,
            Self::Verified(_) => Subject::VerifiedJwt,
        }
    }

    /// Who is asked about such a token; `None` for an entry that is asked about no such token any more.
    fn whom<'e>(&self, entry: &'e Entry) -> Option<&'e Introspection> {
        match self {
            Self::Opaque => entry.asked_about_opaque(),
            Self::Jwt | Self::Verified(_) => entry.asked_about_jwts(),
        }
    }

    /// What a handler gets of a token that its issuer calls good.
    fn agreed(&self, said: Arc<Core>) -> Verdict {
        match self {
            Self::Opaque | Self::Jwt => Ok(said),
            // One of the two is about another token.
            Self::Verified(core) if said.subject().is_some() && said.subject() != core.subject() => {
                Err(InvalidClaim.into())
            }
            Self::Verified(core) => Ok(Arc::clone(core)),
        }
    }
}

impl Asking {
    /// Asks until one says that the token is good. Nobody gets the token who is no longer trusted when his turn comes.
    async fn verdict(&self, server: &Weak<Inner>, token: &[u8]) -> Verdict {
        let mut refusals = Refusals::default();
        for entry in &self.entries {
            if server.upgrade().is_some_and(|server| !server.entries.load().holds(entry)) {
                break;
            }
            let Some(introspection) = self.about.whom(entry) else { continue };
            match introspection.ask(token, self.about.subject()).await {
                Ok(core) => return self.about.agreed(core),
                Err(error) => refusals.add(error),
            }
        }
        Err(refusals.into_error())
    }

    /// What to do if the issuers are not the same any more that were asked; `None` if they are.
    fn again(&self, server: &Inner, token: &[u8]) -> Option<Step> {
        let entries = server.entries.load();
        if self.entries.iter().all(|entry| entries.holds(entry)) {
            return None;
        }
        let known = |entry: &Arc<Entry>| entries.find(entry.id().as_str());
        Some(match &self.about {
            // What was chosen by the request stays chosen.
            About::Opaque => {
                let successors: Vec<_> = self.entries.iter().filter_map(known).map(Arc::clone).collect();
                by_word(token, &successors, About::Opaque)
            }
            About::Jwt | About::Verified(_) => server.step(&Presented::bearer_bytes(token), false),
        })
    }
}

/// What several issuers have said against a token.
#[derive(Default)]
struct Refusals(Option<AuthError>);

impl Refusals {
    /// Who could not say outweighs who said no, and a reason outweighs "not mine".
    fn add(&mut self, error: AuthError) {
        let weight = |error: &AuthError| match error.kind() {
            kind if kind.decision() == Decision::Undecidable => 2,
            Inactive => 0,
            _ => 1,
        };
        if self.0.as_ref().is_none_or(|known| weight(&error) > weight(known)) {
            self.0 = Some(error);
        }
    }

    /// Where nobody was asked, nobody is trusted with such a token.
    fn into_error(self) -> AuthError {
        self.0.unwrap_or_else(|| UnknownIssuer.into())
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

/// Waits for keys, at the latest until the first wait's time is over, and asks issuers. It keeps no server alive.
async fn settle(server: Weak<Inner>, token: SecretBox<[u8]>, mut step: Step) -> Verdict {
    let token: &[u8] = token.expose_secret();
    let mut deadline = None;
    for _ in 0..SETTLED_AT_MOST {
        step = match step {
            Step::Done(verdict) => return verdict,
            Step::Wait(attempt, waiting) => {
                // Without a runtime there is no timer to wait with, and without the wait nothing to be had.
                if Handle::try_current().is_err() {
                    return Err(waiting.in_vain);
                }
                let begun = || Instant::now().checked_add(waiting.longest).unwrap_or_else(Instant::now);
                let deadline = *deadline.get_or_insert_with(begun);
                if tokio::time::timeout_at(deadline, attempt).await.is_err() {
                    return Err(waiting.in_vain);
                }
                let Some(server) = server.upgrade() else { return Err(waiting.in_vain) };
                server.step(&Presented::bearer_bytes(token), waiting.recheck)
            }
            Step::Ask(asking) => {
                let verdict = asking.verdict(&server, token).await;
                // An answer counts only as long as its issuer is trusted as it was.
                match server.upgrade().and_then(|server| asking.again(&server, token)) {
                    Some(step) => step,
                    None => return verdict,
                }
            }
        };
    }
    match step {
        Step::Done(verdict) => verdict,
        Step::Wait(_, waiting) => Err(waiting.in_vain),
        Step::Ask(_) => Err(IntrospectionUnavailable.into()),
    }
}

/// Keys and issuers change seconds apart at the least: a token that needs more steps than this meets a fault.
const SETTLED_AT_MOST: usize = 16;

/// The handle that a waiting request keeps.
pub(super) type This = Weak<Inner>;

/// Makes an `Inner` that knows its own handle.
pub(super) fn with_this(make: impl FnOnce(This) -> Inner) -> Arc<Inner> {
    Arc::new_cyclic(|this| make(Weak::clone(this)))
}
