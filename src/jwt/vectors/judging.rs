//! At which step is a vector refused?

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::tally::Tally;
use crate::{
    clock::UnixTime,
    error::{
        AuthError,
        AuthErrorKind::{
            self, AlgorithmNotAllowed, InvalidSignature, MalformedToken, UnknownIssuer, UnknownKey,
        },
    },
    jwt::{
        Check, Issuers, Judgement, JwtRules, Observer,
        compact::{Segments, UnverifiedJwt},
        judge, signature,
    },
    keys::{
        algorithm::{Algorithm, AlgorithmSet},
        jwk::{SkipReason, import},
        key::VerificationKey,
        set::{KeySet, MAX_CANDIDATES, Selection},
    },
    policy::{Audience, ClaimPolicy, IssuerId, Profile},
};

/// What became of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Accepted,
    Refused(Check, AuthErrorKind),
}

impl Outcome {
    pub(super) fn is_accepted(self) -> bool {
        self == Self::Accepted
    }

    /// Whether the signature was found to hold.
    pub(super) fn is_past_signature(self) -> bool {
        matches!(self, Self::Accepted | Self::Refused(Check::Claims | Check::Binding, _))
    }
}

/// The default of a resource server.
pub(super) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// One trusted issuer.
pub(super) struct Trust<'i> {
    /// `None` trusts whoever the token names.
    pub(super) issuer: Option<&'i str>,
    pub(super) audience: Option<&'i str>,
    pub(super) algorithms: AlgorithmSet,
    pub(super) profile: Profile,
    pub(super) keys: Arc<KeySet>,
}

impl Trust<'_> {
    /// Trusts every issuer, looks at no audience and allows what a remote issuer can be allowed.
    pub(super) fn in_anyone(keys: KeySet) -> Self {
        let (algorithms, keys) = (public_key_algorithms(), Arc::new(keys));
        Self { issuer: None, audience: None, algorithms, profile: Profile::Lenient, keys }
    }
}

impl Issuers for Trust<'_> {
    type Entry = Arc<JwtRules>;
    type Keys = Arc<KeySet>;

    fn max_token_bytes(&self) -> usize {
        MAX_TOKEN_BYTES
    }

    fn entry(&self, issuer: &str) -> Option<Arc<JwtRules>> {
        if self.issuer.is_some_and(|trusted| trusted != issuer) {
            return None;
        }
        let policy = ClaimPolicy {
            may_omit: crate::policy::MayOmit::default(),
            issuer: IssuerId::parse(issuer)?,
            audiences: self.audience.map(|audience| [Audience::parse(audience).unwrap()].into()),
            leeway: Duration::ZERO,
            profile: self.profile,
        };
        Some(Arc::new(JwtRules { policy, algorithms: self.algorithms.clone() }))
    }

    fn unknown(&self, _: &str) -> AuthError {
        UnknownIssuer.into()
    }

    fn rules<'e>(&self, entry: &'e Arc<JwtRules>) -> &'e JwtRules {
        entry
    }

    fn by_keys(&self, _: &Arc<JwtRules>) -> bool {
        true
    }

    fn keys(&self, _: &Arc<JwtRules>) -> Option<Arc<KeySet>> {
        Some(Arc::clone(&self.keys))
    }
}

/// Remembers which checks were passed, and which was not.
#[derive(Default)]
struct Trail {
    passed: Vec<Check>,
    failed: Option<(Check, AuthErrorKind)>,
}

impl<E> Observer<E> for Trail {
    fn passed(&mut self, check: Check) {
        self.passed.push(check);
    }

    fn failed(&mut self, check: Check, kind: AuthErrorKind) {
        assert_eq!(self.failed.replace((check, kind)), None, "a second check failed");
    }

    fn selected(&mut self, _: &E) {}
}

/// The verdict of the whole pipeline.
pub(super) fn judged(token: impl AsRef<[u8]>, trust: &Trust<'_>, now: i64) -> Outcome {
    let mut trail = Trail::default();
    let judgement = judge(token.as_ref(), trust, UnixTime::from_secs(now), &mut trail);
    assert_eq!(
        trail.passed,
        Check::ALL[..trail.passed.len()],
        "the checks come in order, and none is left out"
    );
    if let Some((check, _)) = trail.failed {
        assert_eq!(Some(&check), Check::ALL.get(trail.passed.len()), "the next check is the one that failed");
    }
    match (judgement, trail.failed) {
        (Judgement::Accepted(..), None) if trail.passed == Check::ALL => Outcome::Accepted,
        (Judgement::Rejected(error), Some((check, kind))) if error.kind() == kind => {
            Outcome::Refused(check, kind)
        }
        (Judgement::MissingKey(_), Some((Check::Key, kind @ UnknownKey))) => {
            Outcome::Refused(Check::Key, kind)
        }
        (Judgement::BadSignature(_), Some((Check::Signature, kind @ InvalidSignature))) => {
            Outcome::Refused(Check::Signature, kind)
        }
        (_, failed) => panic!("the verdict and what the observer saw disagree: {failed:?}"),
    }
}

/// The pipeline without its rules for claims and `typ`: does the token carry a signature of one of these keys?
///
/// RFC 7515 signs any octets. Where the payload is no claims set, header and signature are read beside `{}` instead, and
/// the signature is checked over the token's own text.
pub(super) fn signed(token: &str, keys: &KeySet) -> Outcome {
    let verdict = match steps(token, keys, signature_of_claims) {
        Err((Check::Structure | Check::Payload, MalformedToken)) if has_payload_of_another_kind(token) => {
            let [header, _, signature] = segments(token).unwrap();
            let (signing_input, _) = token.rsplit_once('.').unwrap();
            steps(&format!("{header}.e30.{signature}"), keys, |jwt, candidates| {
                candidates.into_iter().flatten().any(|key| {
                    key.algorithm() == jwt.algorithm()
                        && key.verify(signing_input.as_bytes(), jwt.signature())
                })
            })
        }
        verdict => verdict,
    };
    verdict.map_or_else(|(check, kind)| Outcome::Refused(check, kind), |()| Outcome::Accepted)
}

type Candidates<'k> = [Option<&'k VerificationKey>; MAX_CANDIDATES];

fn signature_of_claims(jwt: UnverifiedJwt<'_>, candidates: Candidates<'_>) -> bool {
    signature::verify(jwt, candidates).is_some()
}

fn steps(
    token: &str,
    keys: &KeySet,
    holds: impl FnOnce(UnverifiedJwt<'_>, Candidates<'_>) -> bool,
) -> Result<(), (Check, AuthErrorKind)> {
    let at = |check| move |kind| (check, kind);
    let segments = Segments::split(token.as_bytes()).map_err(at(Check::Structure))?;
    let header = segments.decode_header().map_err(at(Check::Header))?;
    let jwt = segments.decode_payload(header).map_err(at(Check::Payload))?;
    if !public_key_algorithms().contains(jwt.algorithm()) {
        return Err((Check::Algorithm, AlgorithmNotAllowed));
    }
    let kid = jwt.unverified_kid().map(|kid| kid.unescape().into_owned());
    let Selection::Keys(candidates) = keys.select(jwt.algorithm(), kid.as_deref()) else {
        return Err((Check::Key, UnknownKey));
    };
    if holds(jwt, candidates) { Ok(()) } else { Err((Check::Signature, InvalidSignature)) }
}

fn has_payload_of_another_kind(token: &str) -> bool {
    segments(token).is_some_and(|[_, payload, _]| URL_SAFE_NO_PAD.decode(payload).is_ok())
}

pub(super) fn segments(token: &str) -> Option<[&str; 3]> {
    token.split('.').collect::<Vec<_>>().try_into().ok()
}

/// A token that only a shared secret could sign is refused, and its secrets are no keys.
pub(super) fn refuse_hmac(tally: &mut Tally, name: &str, token: &str, secrets: &[Value]) {
    tally.left_out();
    // Even if an allow-list could hold HMAC.
    let everything = AlgorithmSet::new(Algorithm::ALL.iter().copied());
    let document = json!({ "keys": secrets }).to_string();
    let keys = KeySet::parse(document.as_bytes(), &everything).unwrap();
    tally.expect(keys.is_empty(), || format!("{name}: a shared secret became a key"));
    let outcome = signed(token, &keys);
    let before_keys = matches!(
        outcome,
        Outcome::Refused(Check::Structure | Check::Header | Check::Payload | Check::Algorithm, _)
    );
    tally.expect(before_keys, || format!("{name}: {outcome:?} without a secret"));
    let outcome = judged(token, &Trust::in_anyone(keys), 0);
    tally.expect(!outcome.is_accepted(), || format!("{name}: {outcome:?} as a token"));
}

/// Whether the backend in force has no algorithm for a key that is good otherwise.
pub(super) fn is_unsupported(key: &Value) -> bool {
    key["crv"] == "P-521" && !Algorithm::Es512.is_supported()
}

/// Where ES512 cannot be listed, its keys are not taken and its tokens are refused by the name of their algorithm.
pub(super) fn refuse_unsupported(tally: &mut Tally, name: &str, token: Option<&str>, key: &Value) {
    tally.left_out();
    let found = imported(key);
    tally.expect(found == Err(SkipReason::AlgorithmNotAllowed), || format!("{name}: {found:?}"));
    if let Some(token) = token {
        let outcome = signed(token, &key_set(key));
        let wanted = Outcome::Refused(Check::Algorithm, AlgorithmNotAllowed);
        tally.expect(outcome == wanted, || format!("{name}: {outcome:?}"));
    }
}

/// All that a remote issuer can be allowed: any other is a `ConfigError`.
pub(super) fn public_key_algorithms() -> AlgorithmSet {
    AlgorithmSet::new(Algorithm::ALL.iter().copied().filter(|algorithm| algorithm.is_supported()))
}

/// The keys of a JWK Set, or of one JWK.
pub(super) fn key_set(keys: &Value) -> KeySet {
    let set =
        if keys.get("keys").is_some() { keys.to_string() } else { json!({ "keys": [keys] }).to_string() };
    KeySet::parse(set.as_bytes(), &public_key_algorithms()).unwrap()
}

/// The algorithms that one JWK can verify.
pub(super) fn imported(jwk: &Value) -> Result<Vec<Algorithm>, SkipReason> {
    let keys = import(&jwk.to_string(), 0, &public_key_algorithms())?;
    Ok(keys.iter().map(VerificationKey::algorithm).collect())
}

/// The JWK without the parameters that only its owner knows.
pub(super) fn public_part(jwk: &Value) -> Value {
    let members: BTreeMap<_, _> = jwk.as_object().unwrap().iter().collect();
    let private = ["d", "p", "q", "dp", "dq", "qi"];
    members
        .into_iter()
        .filter(|(name, _)| !private.contains(&name.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Octets that stand in hexadecimal.
pub(super) fn octets(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap().as_bytes();
    assert!(hex.len().is_multiple_of(2));
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.chunks_exact(2).map(octet).collect()
}

/// The text of a member that must be there.
pub(super) fn text<'v>(vector: &'v Value, name: &str) -> &'v str {
    vector[name].as_str().unwrap_or_else(|| panic!("no text {name:?} in {vector}"))
}
