//! What did an issuer say of a token, and does it hold at this moment?

use std::{
    fmt,
    sync::{
        Arc,
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
    policy::{ClaimPolicy, MayOmit, Profile, Times, check_binding},
    token::{
        claims::{Core, RegisteredClaims},
        json::{Kind, Nested, RawStr, scan_object},
    },
    validate::Verdict,
};

/// The claims of a token that its issuer calls active, before anybody judged them.
pub(crate) struct Testimony {
    claims: RegisteredClaims,
    is_access_token: bool,
}

/// Claims that hold, apart from the moment, which is judged anew each time that the token comes. Everything else that the policy
/// asks for turns on the claims and the policy alone, and neither changes.
#[derive(Clone)]
pub(crate) struct Held {
    times: Times,
    subject: Subject,
    core: Arc<Core>,
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
    /// Claims that say themselves that the token is not active are no testimony. The error says what is wrong.
    pub(crate) fn read(claims: String) -> Result<Self, &'static str> {
        let (mut is_access_token, mut contradicts) = (true, false);
        scan_object(&claims, Nested::Unique, |name, value| {
            contradicts |= name.is("active") && value.kind() != Kind::True;
            let is_kind = name.is("token_type") || name.is("token_use") || name.is("typ");
            if is_kind {
                let text = value.raw_str(&claims).map(RawStr::unescape);
                is_access_token &= text.is_some_and(|kind| names_access_token(&kind));
            }
        })
        .map_err(|_| NOT_JSON)?;
        if contradicts {
            return Err("it is called active, and its own `active` is not true");
        }
        Ok(Self { claims: RegisteredClaims::scan(claims).map_err(|_| NOT_JSON)?, is_access_token })
    }

    /// The whole policy, by the rules that hold for JWTs too.
    pub(crate) fn judge(self, rules: &Rules, subject: Subject, now: UnixTime) -> Result<Held, AuthError> {
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
        let times = Times::of(&self.claims)?;
        let core = Core::of_issuer(self.claims, policy.issuer.as_str()).shared();
        Ok(Held { times, subject, core: Arc::new(core) })
    }
}

impl Held {
    /// The verdict at this moment; `None` where it was another kind of token that was judged.
    pub(crate) fn verdict(self, rules: &Rules, subject: Subject, now: UnixTime) -> Option<Verdict> {
        if subject != self.subject {
            return None;
        }
        Some(if now.is_readable() {
            let in_time = rules.policy(subject).check_times(self.times, now);
            in_time.map(|()| self.core).map_err(AuthError::from)
        } else {
            Err(ClockUnavailable.into())
        })
    }

    pub(crate) fn expires_at(&self) -> Option<UnixTime> {
        self.times.expires_at
    }

    /// Whether it may be about this subject of the issuer. What confirms a JWT need not repeat whose it is.
    pub(crate) fn is_about(&self, subject: &str) -> bool {
        match self.core.subject() {
            Some(known) => known == subject,
            None => self.subject == Subject::VerifiedJwt,
        }
    }

    pub(crate) fn length(&self) -> usize {
        self.core.payload().len()
    }
}

/// Prints no claim.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
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

const NOT_JSON: &str = "the claims are not one strict JSON object";

const ACCESS_TOKEN_URN: &str = "urn:ietf:params:oauth:token-type:access_token";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::policy::{Audience, IssuerId};

    const NOW: i64 = 1_800_000_000;

    fn rules(profile: Profile, leeway: u64, may_omit: MayOmit) -> Rules {
        Rules::new(ClaimPolicy {
            issuer: IssuerId::parse("https://as.example").unwrap(),
            audiences: Some([Audience::parse("api").unwrap()].into()),
            leeway: Duration::from_secs(leeway),
            profile,
            may_omit,
        })
    }

    /// A member, or its absence.
    fn member(name: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
        let values = prop::sample::select(values);
        prop_oneof![1 => Just(String::new()), 4 => values.prop_map(move |value| format!(r#","{name}":{value}"#))]
    }

    fn date(name: &'static str) -> impl Strategy<Value = String> {
        let near = (NOW - 200..NOW + 200).prop_map(move |at| format!(r#","{name}":{at}"#));
        let half = (NOW - 100..NOW + 100).prop_map(move |at| format!(r#","{name}":{at}.5"#));
        prop_oneof![6 => near, 1 => half, 3 => Just(String::new()), 1 => Just(format!(r#","{name}":"soon""#))]
    }

    fn claims() -> impl Strategy<Value = String> {
        let members = (
            member(
                "iss",
                &[r#""https://as.example""#, r#""https://as.example""#, r#""https://as.example/""#, "7"],
            ),
            member("aud", &[r#""api""#, r#"["x","api"]"#, r#""x""#, "[]", r#"["api",7]"#]),
            member("sub", &[r#""ada""#, "7"]),
            member("token_type", &[r#""Bearer""#, r#""bearer""#, r#""refresh_token""#]),
            member("cnf", &["{}"]),
            (date("exp"), date("nbf"), date("iat")),
        );
        members.prop_map(|(iss, aud, sub, kind, cnf, (exp, nbf, iat))| {
            // A bound token is always refused: most are not.
            let cnf = if exp.len() % 3 == 0 { cnf } else { String::new() };
            format!(r#"{{"active":true{iss}{aud}{sub}{kind}{cnf}{exp}{nbf}{iat}}}"#)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever is kept, and whenever it is used: the verdict is that of a judgement from scratch at that moment.
        #[test]
        fn int_09_what_is_kept_is_judged_as_if_it_came_anew(
            claims in claims(),
            strict in any::<bool>(),
            leeway in 0_u64..120,
            omits in any::<[bool; 3]>(),
            opaque in any::<bool>(),
            kept_at in NOW - 50..NOW + 50,
            moments in prop::collection::vec(NOW - 400..NOW + 400, 1..8),
        ) {
            let profile = if strict { Profile::Rfc9068 } else { Profile::Lenient };
            let [audience, expiry, issuer] = omits;
            let rules = rules(profile, leeway, MayOmit { audience, expiry, issuer });
            let subject = if opaque { Subject::Opaque } else { Subject::VerifiedJwt };
            let judge = |at: i64| {
                let testimony = Testimony::read(claims.clone()).unwrap();
                testimony.judge(&rules, subject, UnixTime::from_secs(at)).map_err(|error| error.kind())
            };
            if let Ok(kept) = judge(kept_at) {
                for at in moments {
                    let hit = kept.clone().verdict(&rules, subject, UnixTime::from_secs(at)).unwrap();
                    prop_assert_eq!(hit.map(drop).map_err(|error| error.kind()), judge(at).map(drop), "{} at {}", claims, at);
                }
                let other = if opaque { Subject::VerifiedJwt } else { Subject::Opaque };
                prop_assert!(kept.clone().verdict(&rules, other, UnixTime::from_secs(NOW)).is_none());
                let unreadable = kept.verdict(&rules, subject, UnixTime::UNREADABLE).unwrap();
                prop_assert_eq!(unreadable.map(drop).map_err(|error| error.kind()), Err(ClockUnavailable));
            }
        }
    }

    #[test]
    fn int_03_only_access_tokens_are_taken() {
        let rules = rules(Profile::Lenient, 60, MayOmit::ALL);
        for (kind, good) in [
            (r#""token_type":"Bearer""#, true),
            (r#""token_type":"bearer""#, true),
            (r#""token_type":"access_token""#, true),
            (r#""token_type":"urn:ietf:params:oauth:token-type:access_token""#, true),
            (r#""token_use":"access_token""#, true),
            (r#""typ":"Bearer""#, true),
            (r#""typ":"at+jwt""#, true),
            (r#""typ":"JWT""#, true),
            (r#""typ":"Refresh""#, false),
            (r#""typ":"Offline""#, false),
            (r#""typ":"ID""#, false),
            (r#""token_type":"refresh_token""#, false),
            (r#""token_type":"N_A""#, false),
            (r#""token_type":"Bearer","token_use":"refresh_token""#, false),
            (r#""token_type":null"#, false),
            (r#""token_type":["Bearer"]"#, false),
        ] {
            let testimony = Testimony::read(format!(r#"{{"sub":"ada",{kind}}}"#)).unwrap();
            let verdict = testimony.judge(&rules, Subject::Opaque, UnixTime::from_secs(NOW));
            assert_eq!(
                verdict.map(drop).map_err(|error| error.kind()),
                if good { Ok(()) } else { Err(WrongType) },
                "{kind}"
            );
        }
    }
}
