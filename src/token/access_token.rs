//! What a handler gets: a token that passed every check, with its typed claims.

use std::{
    any::{Any, TypeId, type_name},
    fmt,
    sync::Arc,
};

use secrecy::SecretString;
use serde::de::DeserializeOwned;

use crate::{
    clock::UnixTime,
    error::{AuthError, AuthErrorKind},
    token::{
        claims::{Claims, Core},
        mismatch::Mismatch,
    },
};

/// A verified access token. There is no way to make one but to pass validation.
///
/// Cheap to clone, whatever `C` is. `Debug` prints neither the token nor a claim.
pub struct AccessToken<C = Claims> {
    core: Arc<Core>,
    claims: Arc<C>,
    raw: Option<Arc<SecretString>>,
}

impl<C> AccessToken<C> {
    /// The claims, parsed once from the verified text.
    pub fn claims(&self) -> &C {
        &self.claims
    }

    /// Who issued the token: `iss` (RFC 7519 §4.1.1).
    pub fn issuer(&self) -> &str {
        self.core.issuer()
    }

    /// Who the token speaks for: `sub` (RFC 7519 §4.1.2). Only together with the [issuer](Self::issuer) it names one
    /// subject.
    pub fn subject(&self) -> Option<&str> {
        self.core.subject()
    }

    /// Whom the token is meant for: `aud` (RFC 7519 §4.1.3).
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.core.audience()
    }

    /// The client that the token was issued to: `client_id` (RFC 8693 §4.3).
    pub fn client_id(&self) -> Option<&str> {
        self.core.client_id()
    }

    /// The token's identifier: `jti` (RFC 7519 §4.1.7).
    pub fn token_id(&self) -> Option<&str> {
        self.core.token_id()
    }

    /// The scopes, from `scope` (RFC 8693 §4.2) or else `scp`.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.core.scopes()
    }

    /// Whether the token carries exactly this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.core.has_scope(scope)
    }

    /// When the token expires: `exp` (RFC 7519 §4.1.4), without leeway.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.core.expires_at()
    }

    /// When the token begins to be valid: `nbf` (RFC 7519 §4.1.5), without leeway.
    pub fn not_before(&self) -> Option<UnixTime> {
        self.core.not_before()
    }

    /// When the token was issued: `iat` (RFC 7519 §4.1.6).
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.core.issued_at()
    }

    /// The claims as another type, for one route's own needs.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::PolicyDenied`] (403) when the verified claims do not deserialize into `D`.
    pub fn claims_as<D: DeserializeOwned>(&self) -> Result<D, AuthError> {
        serde_json::from_str(self.core.payload())
            .map_err(|_| AuthErrorKind::PolicyDenied.because(Mismatch::find::<D>(self.core.payload())))
    }

    /// The token's text, if the builder was told to [`keep_token`](crate::ResourceServerBuilder::keep_token).
    pub fn raw(&self) -> Option<&SecretString> {
        self.raw.as_deref()
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> AccessToken<C> {
    /// Gives verified claims their type.
    pub(crate) fn new(core: Arc<Core>, raw: Option<Arc<SecretString>>) -> Result<Self, AuthError> {
        let claims = match core.typed() {
            // The default claims hold the core: to keep them in it would be a circle.
            Some(typed) if TypeId::of::<C>() != TypeId::of::<Claims>() => {
                typed.get(|| Self::parse(&core).map(Arc::new))?
            }
            _ => Arc::new(Self::parse(&core)?),
        };
        Ok(Self { core, claims, raw })
    }

    fn parse(core: &Arc<Core>) -> Result<C, AuthError> {
        let mut claims: Option<C> = None;
        // The default claims are a view of `Core`: nothing to parse.
        if let Some(default) = (&mut claims as &mut dyn Any).downcast_mut::<Option<Claims>>() {
            *default = Some(Claims::new(Arc::clone(core)));
        }
        match claims {
            Some(claims) => Ok(claims),
            None => serde_json::from_str(core.payload()).map_err(|_| {
                AuthErrorKind::ClaimsMismatch
                    .because(Mismatch::find::<C>(core.payload()))
                    .of_issuer(core.issuer())
            }),
        }
    }
}

/// By hand: no `C: Clone`.
impl<C> Clone for AccessToken<C> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), claims: Arc::clone(&self.claims), raw: self.raw.clone() }
    }
}

impl<C> fmt::Debug for AccessToken<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("claims", &type_name::<C>()).finish_non_exhaustive()
    }
}
