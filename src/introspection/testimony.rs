//! What did an issuer say of a token, and does it hold at this moment?

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::warn;

use crate::{
    clock::UnixTime,
    error::{
        AuthError,
        AuthErrorKind::{ClockUnavailable, InvalidClaim, WrongType},
    },
    policy::{ClaimPolicy, MayOmit, Profile, check_binding},
    token::{
        claims::{Core, RegisteredClaims},
        json::{JsonError, Nested, RawStr, scan_object},
    },
    validate::Verdict,
};

/// The claims of a token that its issuer calls active. They are judged anew each time that the token comes.
pub(crate) struct Testimony {
    claims: RegisteredClaims,
    is_access_token: bool,
    /// Made when the claims have held for the first time.
    core: OnceLock<Arc<Core>>,
}

/// How a testimony is judged.
pub(crate) struct Rules {
    policy: ClaimPolicy,
    /// The same for a JWT that keys have verified: what the answer leaves out, the JWT says.
    confirming: ClaimPolicy,
    /// Whether the log says already which claim the answers lack.
    told_of_lean_answers: AtomicBool,
}

/// What a testimony is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    /// A token of which nothing else is known.
    Opaque,
    /// A JWT that keys have verified.
    VerifiedJwt,
}

impl Testimony {
    pub(crate) fn read(claims: String) -> Result<Self, JsonError> {
        let mut is_access_token = true;
        scan_object(&claims, Nested::Unique, |name, value| {
            let is_kind = name.is("token_type") || name.is("token_use") || name.is("typ");
            if is_kind {
                let text = value.raw_str(&claims).map(RawStr::unescape);
                is_access_token &= text.is_some_and(|kind| names_access_token(&kind));
            }
        })?;
        Ok(Self { claims: RegisteredClaims::scan(claims)?, is_access_token, core: OnceLock::new() })
    }

    /// `exp`, if it is there and a moment.
    pub(crate) fn expires_at(&self) -> Option<UnixTime> {
        self.claims.date(self.claims.exp).ok().flatten()
    }

    /// Whether it is about this subject of the issuer.
    pub(crate) fn is_about(&self, subject: &str) -> bool {
        self.claims.str(self.claims.sub).is_some_and(|sub| sub.is(subject))
    }

    pub(crate) fn length(&self) -> usize {
        self.claims.text().len()
    }

    /// The whole policy, by the rules that hold for JWTs too.
    pub(crate) fn judge(&self, rules: &Rules, subject: Subject, now: UnixTime) -> Verdict {
        if !now.is_readable() {
            return Err(ClockUnavailable.into());
        }
        let policy = rules.policy(subject);
        rules.check_lean(policy, &self.claims)?;
        policy.check(&self.claims, now)?;
        if !self.is_access_token {
            return Err(WrongType.into());
        }
        check_binding(&self.claims)?;
        let core = || Arc::new(Core::of_issuer(self.claims.clone(), policy.issuer.as_str()).shared());
        Ok(Arc::clone(self.core.get_or_init(core)))
    }
}

/// Prints no claim.
impl fmt::Debug for Testimony {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Testimony").finish_non_exhaustive()
    }
}

impl Rules {
    pub(crate) fn new(policy: ClaimPolicy) -> Self {
        let mut confirming = policy.clone();
        confirming.may_omit = MayOmit::ALL;
        confirming.profile = Profile::Lenient;
        Self { policy, confirming, told_of_lean_answers: AtomicBool::new(false) }
    }

    fn policy(&self, subject: Subject) -> &ClaimPolicy {
        match subject {
            Subject::Opaque => &self.policy,
            Subject::VerifiedJwt => &self.confirming,
        }
    }

    /// An operator cannot guess from a 401 that the issuer's answers are the cause.
    fn check_lean(&self, policy: &ClaimPolicy, claims: &RegisteredClaims) -> Result<(), AuthError> {
        let may_omit = policy.may_omit;
        let lacks_audience = claims.aud.is_none() && !may_omit.audience && policy.audiences.is_some();
        let missing = if claims.iss.is_none() && !may_omit.issuer {
            Lean { claim: "iss", setting: "Issuer" }
        } else if lacks_audience {
            Lean { claim: "aud", setting: "Audience" }
        } else {
            return Ok(());
        };
        if !self.told_of_lean_answers.swap(true, Ordering::Relaxed) {
            warn!(issuer = %policy.issuer, cause = %missing, "tokens are refused");
        }
        Err(InvalidClaim.because(missing).of_issuer(policy.issuer.as_str()))
    }
}

/// The answer lacks what a JWT would have to carry.
#[derive(Debug, thiserror::Error)]
#[error(
    "the introspection answer has no `{claim}`: have the issuer add it, or allow it to be left out by `.introspection_may_omit([OmittableClaim::{setting}])`"
)]
struct Lean {
    claim: &'static str,
    setting: &'static str,
}

/// `Bearer` (RFC 6750 §6.1.1), or, as some servers have it, the kind of the token: `access_token`, also as the URN of RFC
/// 8693 §3, or the `typ` of a JWT access token. A refresh token and an ID token are active too, and admit to nothing here.
fn names_access_token(kind: &str) -> bool {
    const NAMES: [&str; 4] = ["bearer", "at+jwt", "application/at+jwt", "jwt"];
    kind == "access_token"
        || kind == ACCESS_TOKEN_URN
        || NAMES.iter().any(|name| kind.eq_ignore_ascii_case(name))
}

const ACCESS_TOKEN_URN: &str = "urn:ietf:params:oauth:token-type:access_token";
