//! Do these claims hold, for this issuer entry, at this moment? Pure: no clock, no network, no state.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    clock::UnixTime,
    error::AuthErrorKind::{
        self, Expired, InvalidClaim, IssuedInFuture, NotYetValid, UnknownIssuer, WrongAudience, WrongType,
    },
    token::{
        claims::{Claim, Core, RegisteredClaims},
        json::{Kind, RawStr},
    },
};

/// An issuer identifier: compared byte for byte, never normalized (RFC 7519 §4.1.1, RFC 8414 §3.3).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct IssuerId(Arc<str>);

impl IssuerId {
    /// Takes the identifier as the authorization server writes it into `iss`; `None` when it is empty.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// The identifier as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for IssuerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that `aud` must name: compared byte for byte (RFC 7519 §4.1.3).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Audience(Arc<str>);

impl Audience {
    /// Takes the identifier as the authorization server writes it into `aud`; `None` when it is empty.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// The identifier as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which set of claims a token must carry.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Profile {
    /// `iss`, `aud`, `exp`; `typ` is `at+jwt`, `JWT` or absent.
    #[default]
    Lenient,
    /// The JWT profile for access tokens (RFC 9068 §2.2, §4): also `sub`, `client_id`, `iat`, `jti`; `typ` is `at+jwt`.
    Rfc9068,
}

/// What the claims of one issuer's tokens must say.
#[derive(Clone, Debug)]
pub(crate) struct ClaimPolicy {
    pub(crate) issuer: IssuerId,
    /// `None` only by [`dangerous`](crate::Issuer::dangerous) choice.
    pub(crate) audiences: Option<Box<[Audience]>>,
    pub(crate) leeway: Duration,
    pub(crate) profile: Profile,
    pub(crate) may_omit: MayOmit,
}

/// A claim that an introspection answer may be allowed to leave out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum OmittableClaim {
    /// `aud`: the issuer tells this resource server of no token that is meant for another one (RFC 7662 §4).
    Audience,
    /// `iss`: the endpoint knows the tokens of this issuer alone.
    Issuer,
}

/// Which of the claims may be absent that a JWT has to carry. What is there is checked in any case.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct MayOmit {
    pub(crate) audience: bool,
    pub(crate) expiry: bool,
    pub(crate) issuer: bool,
}

/// The moments that a token's claims name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Times {
    pub(crate) expires_at: Option<UnixTime>,
    not_before: Option<UnixTime>,
    issued_at: Option<UnixTime>,
}

impl Times {
    /// Those of a token that was judged.
    pub(crate) fn of_core(core: &Core) -> Self {
        let (expires_at, not_before) = (core.expires_at(), core.not_before());
        Self { expires_at, not_before, issued_at: core.issued_at() }
    }

    pub(crate) fn of(claims: &RegisteredClaims) -> Result<Self, AuthErrorKind> {
        let date = |claim: Claim| claims.date(claim).map_err(|_| InvalidClaim);
        Ok(Self {
            expires_at: date(claims.exp)?,
            not_before: date(claims.nbf)?,
            issued_at: date(claims.iat)?,
        })
    }
}

impl MayOmit {
    /// Nothing has to be there.
    pub(crate) const ALL: Self = Self { audience: true, expiry: true, issuer: true };
}

impl ClaimPolicy {
    /// The checks that may refuse before anything is verified: times and audience. They can only lower the answer.
    pub(crate) fn check_times_and_audience(
        &self,
        claims: &RegisteredClaims,
        now: UnixTime,
    ) -> Result<(), AuthErrorKind> {
        self.times_and_audience(claims, now, self.may_omit)
    }

    /// The same for a token whose claims somebody else will tell: what it lacks, it may lack.
    pub(crate) fn check_times_and_audience_if_present(
        &self,
        claims: &RegisteredClaims,
        now: UnixTime,
    ) -> Result<(), AuthErrorKind> {
        self.times_and_audience(claims, now, MayOmit::ALL)
    }

    fn times_and_audience(
        &self,
        claims: &RegisteredClaims,
        now: UnixTime,
        may_omit: MayOmit,
    ) -> Result<(), AuthErrorKind> {
        let times = Times::of(claims)?;
        if times.expires_at.is_none() && !may_omit.expiry {
            return Err(InvalidClaim);
        }
        self.check_times(times, now)?;
        self.check_audience(claims, may_omit.audience)
    }

    /// All that depends on the moment.
    pub(crate) fn check_times(&self, times: Times, now: UnixTime) -> Result<(), AuthErrorKind> {
        // RFC 7519 §4.1.4: the moment of `exp` itself is too late.
        if times.expires_at.is_some_and(|end| now >= end.saturating_add(self.leeway)) {
            return Err(Expired);
        }
        // RFC 7519 §4.1.5: the moment of `nbf` itself is early enough.
        if times.not_before.is_some_and(|start| now < start.saturating_sub(self.leeway)) {
            return Err(NotYetValid);
        }
        if times.issued_at.is_some_and(|issue| issue > now.saturating_add(self.leeway)) {
            return Err(IssuedInFuture);
        }
        Ok(())
    }

    /// Every check of the registered claims but the binding.
    pub(crate) fn check(&self, claims: &RegisteredClaims, now: UnixTime) -> Result<(), AuthErrorKind> {
        // RFC 7519 §4.1.1
        if (claims.iss.is_some() || !self.may_omit.issuer)
            && !claims.str(claims.iss).ok_or(InvalidClaim)?.is(self.issuer.as_str())
        {
            return Err(UnknownIssuer);
        }
        self.check_times_and_audience(claims, now)?;
        for claim in [claims.sub, claims.jti, claims.client_id, claims.acr] {
            if claim.is_some() && claims.str(claim).is_none() {
                return Err(InvalidClaim);
            }
        }
        claims.date(claims.auth_time).map_err(|_| InvalidClaim)?;
        for claim in [claims.scope, claims.scp] {
            if !claims.is_strings(claim) {
                return Err(InvalidClaim);
            }
        }
        // RFC 8725 §3.12: ID tokens, logout tokens and security events are not access tokens.
        if claims.of_another_kind {
            return Err(WrongType);
        }
        match self.profile {
            Profile::Lenient => Ok(()),
            // RFC 9068 §2.2
            Profile::Rfc9068 => {
                let present =
                    [claims.sub, claims.client_id, claims.iat, claims.jti].iter().all(Option::is_some);
                if present { Ok(()) } else { Err(InvalidClaim) }
            }
        }
    }

    /// RFC 7519 §4.1.3: a string or an array of strings, one of them ours.
    fn check_audience(&self, claims: &RegisteredClaims, may_omit: bool) -> Result<(), AuthErrorKind> {
        let Some(value) = claims.aud else {
            let needed = self.audiences.is_some() && !may_omit;
            return if needed { Err(InvalidClaim) } else { Ok(()) };
        };
        let ours = |entry: RawStr<'_>| match &self.audiences {
            Some(audiences) => audiences.iter().any(|audience| entry.is(audience.as_str())),
            None => true,
        };
        let mut found = false;
        match value.kind() {
            Kind::String { .. } => found = value.raw_str(claims.text()).is_some_and(ours),
            Kind::Array => {
                for element in value.elements(claims.text()) {
                    found |= ours(element.raw_str(claims.text()).ok_or(InvalidClaim)?);
                }
            }
            _ => return Err(InvalidClaim),
        }
        if found || self.audiences.is_none() { Ok(()) } else { Err(WrongAudience) }
    }
}

/// Refuses every token that is bound to a key: until possession can be proven, a `cnf` of any shape is not "unbound"
/// (RFC 7800 §3.1, RFC 9449 §7.2). Each path that makes an `AccessToken` passes here.
pub(crate) fn check_binding(claims: &RegisteredClaims) -> Result<(), AuthErrorKind> {
    if claims.cnf.is_some() { Err(AuthErrorKind::BindingNotProven) } else { Ok(()) }
}
