//! Is this JWT an access token that one of our issuers made for us? The steps, in order.

pub(crate) mod cache;
pub(crate) mod compact;
pub(crate) mod headers;
pub(crate) mod signature;
#[cfg(all(test, any(feature = "aws-lc-rs", feature = "rust-crypto")))]
mod vectors;

use crate::{
    clock::UnixTime,
    error::{
        AuthError,
        AuthErrorKind::{
            self, AlgorithmNotAllowed, ClockUnavailable, InvalidClaim, TokenTooLong, UnknownKey, WrongType,
        },
    },
    jwt::{
        compact::{Segments, Type},
        headers::KnownHeaders,
    },
    keys::{
        algorithm::{Algorithm, AlgorithmSet},
        key::KeyPrint,
        set::{KeySet, Selection},
    },
    policy::{ClaimPolicy, Profile, check_binding},
    token::claims::Core,
};

/// One step of the judgement of a token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Check {
    /// A length within the limit, three segments (RFC 7515 §3.1).
    Structure,
    /// Strict base64url and JSON; `alg`, `kid`, `crit`, `b64` (RFC 7515 §4.1).
    Header,
    /// Strict base64url and JSON (RFC 7519 §7.2).
    Payload,
    /// `iss` names a trusted issuer.
    Issuer,
    /// `exp`, `nbf`, `iat` and `aud`, before the signature: they may refuse here, never admit.
    UnverifiedTimesAndAudience,
    /// `alg` is on the issuer's allow-list.
    Algorithm,
    /// `typ` is that of an access token.
    Type,
    /// A key of the issuer fits.
    Key,
    /// The signature holds.
    Signature,
    /// All registered claims, on the verified text.
    Claims,
    /// The token is not bound to a key that was not proven.
    Binding,
    /// The issuer says that the token is active (RFC 7662 §2.2). In place of all steps between
    /// [`Structure`](Self::Structure) and [`Claims`](Self::Claims) where the token is opaque; in place of key and signature
    /// where it is a JWT of an issuer without keys; behind all others where keys have verified a JWT that is asked about.
    Introspection,
    /// The token carries the scopes that a route asks for (RFC 6750 §3.1).
    Scope,
    /// The claims hold the values that a route asks for.
    ClaimValues,
    /// `acr` and `auth_time` are what a route asks for (RFC 9470 §3).
    Authentication,
}

impl Check {
    /// Every check of a token that is judged by keys, in order. [`Introspection`](Self::Introspection) is not among them.
    /// Neither are [`Scope`](Self::Scope), [`ClaimValues`](Self::ClaimValues) and [`Authentication`](Self::Authentication): a
    /// route asks for these, behind all others.
    pub const ALL: &'static [Self] = &[
        Self::Structure,
        Self::Header,
        Self::Payload,
        Self::Issuer,
        Self::UnverifiedTimesAndAudience,
        Self::Algorithm,
        Self::Type,
        Self::Key,
        Self::Signature,
        Self::Claims,
        Self::Binding,
    ];

    /// A fixed label for logs and tools.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Issuer => "issuer",
            Self::UnverifiedTimesAndAudience => "unverified_times_and_audience",
            Self::Algorithm => "algorithm",
            Self::Type => "type",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Binding => "binding",
            Self::Introspection => "introspection",
            Self::Scope => "scope",
            Self::ClaimValues => "claim_values",
            Self::Authentication => "authentication",
        }
    }
}

/// What a token finds its key by, and which one that was.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<Box<str>>,
    pub(crate) key: KeyPrint,
}

/// Watches the steps. `()` watches nothing and compiles to nothing.
pub(crate) trait Observer<E> {
    /// Whether it wants to know of the key.
    const WITNESS: bool = false;

    /// This key made the signature.
    fn verified(&mut self, _: Witness) {}
    fn passed(&mut self, check: Check);
    fn failed(&mut self, check: Check, kind: AuthErrorKind);
    /// The token's issuer selected this entry.
    fn selected(&mut self, entry: &E);
}

/// Keeps the key's witness, and nothing else.
impl<E> Observer<E> for Option<Witness> {
    const WITNESS: bool = true;

    fn verified(&mut self, witness: Witness) {
        *self = Some(witness);
    }

    fn passed(&mut self, _: Check) {}
    fn failed(&mut self, _: Check, _: AuthErrorKind) {}
    fn selected(&mut self, _: &E) {}
}

impl<E> Observer<E> for () {
    fn passed(&mut self, _: Check) {}
    fn failed(&mut self, _: Check, _: AuthErrorKind) {}
    fn selected(&mut self, _: &E) {}
}

/// How one issuer's JWTs are judged: one unit, never mixed with another's (RFC 8725 §3.8).
#[derive(Debug)]
pub(crate) struct JwtRules {
    pub(crate) policy: ClaimPolicy,
    pub(crate) algorithms: AlgorithmSet,
}

impl JwtRules {
    fn takes(&self, typ: Type) -> bool {
        match (self.policy.profile, typ) {
            (_, Type::AccessToken) | (Profile::Lenient, Type::Jwt | Type::Absent) => true,
            (Profile::Lenient, Type::IntrospectionAnswer | Type::Other)
            | (Profile::Rfc9068, Type::Absent | Type::IntrospectionAnswer | Type::Jwt | Type::Other) => false,
        }
    }
}

/// Where the entries and their keys are found.
pub(crate) trait Issuers {
    type Entry;
    type Keys: AsRef<KeySet>;

    /// The length of the longest token that is looked at.
    fn max_token_bytes(&self) -> usize;
    /// Headers that need no parsing again, if they are remembered.
    fn headers(&self) -> Option<&KnownHeaders> {
        None
    }
    fn entry(&self, issuer: &str) -> Option<Self::Entry>;
    /// The error for an issuer without an entry, with what an operator should know.
    fn unknown(&self, issuer: &str) -> AuthError;
    fn rules<'e>(&self, entry: &'e Self::Entry) -> &'e JwtRules;
    /// Whether the tokens of this issuer are judged by keys.
    fn by_keys(&self, entry: &Self::Entry) -> bool;
    /// The keys in force; `None` when there are none to trust at the moment.
    fn keys(&self, entry: &Self::Entry) -> Option<Self::Keys>;
}

/// What came out, and what could change it.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack, and only while one token is judged")]
pub(crate) enum Judgement<E> {
    Accepted(E, Core),
    Rejected(AuthError),
    /// No key fits; newer keys might.
    MissingKey(E),
    /// There are no keys at the moment.
    NoKeys(E),
    /// The issuer's tokens are not judged by keys, whatever their shape. What this one says of itself does not refuse it.
    NotByKeys(E),
    /// A key of that name did not make the signature; unless it was replaced, this is final.
    BadSignature(E),
}

/// Judges a token. Synchronous: where keys are missing it says so, and the caller decides whether to wait.
pub(crate) fn judge<I: Issuers, O: Observer<I::Entry>>(
    token: &[u8],
    issuers: &I,
    now: UnixTime,
    observer: &mut O,
) -> Judgement<I::Entry> {
    macro_rules! step {
        ($check:ident, $result:expr) => {
            match $result {
                Ok(value) => {
                    observer.passed(Check::$check);
                    value
                }
                Err(error) => {
                    let error = AuthError::from(error);
                    observer.failed(Check::$check, error.kind());
                    return Judgement::Rejected(error);
                }
            }
        };
    }
    if !now.is_readable() {
        return Judgement::Rejected(ClockUnavailable.into());
    }
    let too_long = token.len() > issuers.max_token_bytes();
    let segments = step!(Structure, if too_long { Err(TokenTooLong) } else { Segments::split(token) });
    let known = issuers.headers();
    let header = step!(
        Header,
        match known {
            Some(known) => segments.recognize_header(known),
            None => segments.decode_header(),
        }
    );
    let learns = header.is_new();
    let jwt = step!(Payload, segments.decode_payload(header));
    let entry = step!(
        Issuer,
        jwt.unverified_issuer().ok_or(InvalidClaim.into()).and_then(|iss| {
            let iss = iss.unescape();
            issuers.entry(&iss).ok_or_else(|| issuers.unknown(&iss))
        })
    );
    observer.selected(&entry);
    let (rules, by_keys) = (issuers.rules(&entry), issuers.by_keys(&entry));
    let claims = jwt.unverified_claims();
    step!(
        UnverifiedTimesAndAudience,
        if by_keys {
            rules.policy.check_times_and_audience(claims, now)
        } else {
            rules.policy.check_times_and_audience_if_present(claims, now)
        }
    );
    if by_keys {
        let allowed = rules.algorithms.contains(jwt.algorithm());
        step!(Algorithm, if allowed { Ok(()) } else { Err(AlgorithmNotAllowed) });
    }
    step!(Type, if rules.takes(jwt.unverified_type()) { Ok(()) } else { Err(WrongType) });
    if !by_keys {
        // It says so itself, whatever its issuer may say.
        if let Err(kind) = check_binding(jwt.unverified_claims()) {
            observer.failed(Check::Binding, kind);
            return Judgement::Rejected(kind.into());
        }
        return Judgement::NotByKeys(entry);
    }

    let Some(keys) = issuers.keys(&entry) else {
        observer.failed(Check::Key, AuthErrorKind::KeysUnavailable);
        return Judgement::NoKeys(entry);
    };
    let kid = jwt.unverified_kid().map(|kid| kid.unescape());
    let candidates = match keys.as_ref().select(jwt.algorithm(), kid.as_deref()) {
        Selection::Keys(candidates) => candidates,
        Selection::Ambiguous | Selection::OtherAlgorithm => step!(Key, Err(UnknownKey)),
        Selection::Missing => {
            observer.failed(Check::Key, UnknownKey);
            return Judgement::MissingKey(entry);
        }
    };
    observer.passed(Check::Key);
    let (algorithm, named) = (jwt.algorithm(), if O::WITNESS { kid.as_deref().map(Box::from) } else { None });
    drop(kid);
    let Some((payload, key)) = signature::verify(jwt, candidates) else {
        observer.failed(Check::Signature, AuthErrorKind::InvalidSignature);
        return Judgement::BadSignature(entry);
    };
    observer.passed(Check::Signature);
    step!(Claims, rules.policy.check(payload.claims(), now));
    step!(Binding, check_binding(payload.claims()));
    if O::WITNESS {
        observer.verified(Witness { algorithm, kid: named, key: *key.print() });
    }
    if let (true, Some(known)) = (learns, known) {
        segments.learn_header(known);
    }
    Judgement::Accepted(entry, Core::new(payload.into_claims()))
}
