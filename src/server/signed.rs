//! Is this introspection answer signed by the issuer, and meant for us (RFC 9701 §5)?

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    fetch::{FetchError, FetchErrorKind},
    introspection::{CALL_TIMEOUT, endpoint::ReadSigned},
    jwt::{
        compact::{Segments, Type, UnverifiedJwt},
        signature,
    },
    keys::{
        algorithm::AlgorithmSet,
        remote::{Attempt, Remote, Wanted},
        set::{KeySet, Selection},
    },
    policy::IssuerId,
    token::{
        claims::RegisteredClaims,
        json::{Kind, Nested, RawStr, scan_object},
    },
};

/// Keys are adopted seconds apart at the least; more than this within one question is no accident.
const READ_AT_MOST: usize = 4;

/// Reads answers by the issuer's keys, those that its JWTs are judged by.
pub(super) struct SignedAnswers {
    pub(super) keys: Keys,
    pub(super) issuer: IssuerId,
    pub(super) algorithms: AlgorithmSet,
    /// Whom an answer may be meant for: our client identifier, and the audiences of the entry.
    pub(super) audiences: Vec<String>,
    pub(super) leeway: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

pub(super) enum Keys {
    Fixed(Arc<KeySet>),
    Remote(Arc<Remote>),
}

/// What came out, and what could change it.
enum Reading {
    Done(Result<String, FetchError>),
    /// Newer keys came meanwhile.
    Again,
    /// No key fits; newer ones might, which this waits for.
    Wait(Attempt),
}

impl ReadSigned for SignedAnswers {
    fn read(&self, answer: Vec<u8>) -> Pin<Box<dyn Future<Output = Result<String, FetchError>> + Send + '_>> {
        Box::pin(async move {
            // The deadline of the whole question bounds the wait.
            for _ in 0..READ_AT_MOST {
                match self.try_read(&answer) {
                    Reading::Done(result) => return result,
                    Reading::Again => (),
                    Reading::Wait(attempt) => {
                        let _ended = attempt.await;
                    }
                }
            }
            Err(unusable("no key of the issuer fits its signature"))
        })
    }
}

impl SignedAnswers {
    fn try_read(&self, answer: &[u8]) -> Reading {
        let jwt = match self.parse(answer.trim_ascii()) {
            Ok(jwt) => jwt,
            Err(error) => return Reading::Done(Err(error)),
        };
        let kid = jwt.unverified_kid().map(RawStr::unescape);
        let (fixed, current, sequence);
        let keys: Option<&KeySet> = match &self.keys {
            Keys::Fixed(set) => {
                (fixed, sequence) = (Arc::clone(set), 0);
                Some(&fixed)
            }
            Keys::Remote(remote) => {
                (current, sequence) = remote.current(self.clock.monotonic());
                current.as_ref().map(AsRef::as_ref)
            }
        };
        let selection = keys.map_or(Selection::Missing, |keys| keys.select(jwt.algorithm(), kid.as_deref()));
        let candidates = match (selection, &self.keys) {
            (Selection::Keys(candidates), _) => candidates,
            (Selection::Missing, Keys::Remote(remote)) => {
                return match remote.key_missing(sequence) {
                    Wanted::Wait(attempt) => Reading::Wait(attempt),
                    Wanted::JudgeAgain => Reading::Again,
                    _ => Reading::Done(Err(unusable("no key of the issuer fits its signature"))),
                };
            }
            _ => return Reading::Done(Err(unusable("no key of the issuer fits its signature"))),
        };
        drop(kid);
        let Some((payload, _)) = signature::verify(jwt, candidates) else {
            // The key may have been replaced under its name.
            return match &self.keys {
                Keys::Remote(remote) => match remote.signature_failed(sequence) {
                    Wanted::Wait(attempt) => Reading::Wait(attempt),
                    Wanted::JudgeAgain => Reading::Again,
                    _ => Reading::Done(Err(unusable("its signature does not hold"))),
                },
                Keys::Fixed(_) => Reading::Done(Err(unusable("its signature does not hold"))),
            };
        };
        Reading::Done(self.check(payload.claims()))
    }

    fn parse<'t>(&self, answer: &'t [u8]) -> Result<UnverifiedJwt<'t>, FetchError> {
        let malformed = |_| unusable("it is no well-formed JWT");
        let segments = Segments::split(answer).map_err(malformed)?;
        let header = segments.decode_header().map_err(malformed)?;
        let jwt = segments.decode_payload(header).map_err(malformed)?;
        if jwt.unverified_type() != Type::IntrospectionAnswer {
            return Err(unusable("its `typ` is not token-introspection+jwt"));
        }
        if !self.algorithms.contains(jwt.algorithm()) {
            return Err(unusable("its `alg` is not allowed for this issuer"));
        }
        Ok(jwt)
    }

    /// RFC 9701 §5: `iss`, `aud`, `iat`, and the answer itself as an object.
    fn check(&self, claims: &RegisteredClaims) -> Result<String, FetchError> {
        if !claims.str(claims.iss).is_some_and(|iss| iss.is(self.issuer.as_str())) {
            return Err(unusable("its `iss` is another issuer"));
        }
        let ours = |entry: RawStr<'_>| self.audiences.iter().any(|audience| entry.is(audience));
        let aud = claims.aud.ok_or_else(|| unusable("it has no `aud`"))?;
        let is_for_us = match aud.kind() {
            Kind::Array => {
                aud.elements(claims.text()).any(|entry| entry.raw_str(claims.text()).is_some_and(ours))
            }
            _ => aud.raw_str(claims.text()).is_some_and(ours),
        };
        if !is_for_us {
            return Err(unusable("its `aud` is somebody else"));
        }
        let issued =
            claims.date(claims.iat).ok().flatten().ok_or_else(|| unusable("it has no usable `iat`"))?;
        let now = self.clock.wall();
        if issued > now.saturating_add(self.leeway) {
            return Err(unusable("its `iat` lies in the future"));
        }
        if now > issued.saturating_add(self.leeway.saturating_add(CALL_TIMEOUT)) {
            return Err(unusable("its `iat` says that it answers an older question"));
        }
        let mut answer = None;
        let scanned = scan_object(claims.text(), Nested::Any, |name, value| {
            if name.is("token_introspection") {
                answer = Some(value);
            }
        });
        match answer.filter(|value| scanned.is_ok() && value.kind() == Kind::Object) {
            Some(answer) => Ok(answer.text(claims.text()).to_owned()),
            None => Err(unusable("it has no object `token_introspection`")),
        }
    }
}

impl fmt::Debug for SignedAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedAnswers").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

fn unusable(why: &'static str) -> FetchError {
    FetchError::new(FetchErrorKind::InvalidDocument, why)
}
