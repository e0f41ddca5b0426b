//! One request through the gate.

use std::{
    fmt,
    marker::PhantomData,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    Method, Request, Response,
    header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN},
};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tower::Service;
use tracing::trace;

use crate::{
    error::{AuthError, AuthErrorKind},
    middleware::{
        bearer::bearer_token,
        body::{NoBody, RefusalBody, RefusalMode},
        future::ResponseFuture,
        layer::Gatekeeper,
        refusal::Refusal,
        request_auth::{Outcome, RequestAuth},
    },
    token::{access_token::AccessToken, claims::Claims, presented::Presented, requirement::Requirement},
    validate::{Validation, Verdict},
};

/// The service that [`BearerAuthLayer`](crate::BearerAuthLayer) makes.
pub struct BearerAuth<S, C = Claims, M = NoBody> {
    inner: S,
    gate: Gatekeeper<C>,
    mode: PhantomData<fn() -> M>,
}

impl<S, C, M> BearerAuth<S, C, M> {
    pub(crate) fn new(inner: S, gate: Gatekeeper<C>) -> Self {
        Self { inner, gate, mode: PhantomData }
    }
}

impl<S, C, M, ReqBody, ResBody> Service<Request<ReqBody>> for BearerAuth<S, C, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    C: DeserializeOwned + Send + Sync + 'static,
    M: RefusalBody<ResBody>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, C, ReqBody, M>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        // Whatever an outer layer left is not our verdict.
        request.extensions_mut().remove::<AccessToken<C>>();
        request.extensions_mut().remove::<RequestAuth>();

        let token = match bearer_token(request.headers()) {
            Ok(token) => token,
            Err(AuthErrorKind::MissingToken) if self.gate.lets_pass_without_token(&request) => {
                let auth = RequestAuth::new::<C>(&self.gate, Outcome::Anonymous, M::WITH_BODY);
                request.extensions_mut().insert(auth);
                return ResponseFuture::inner(self.inner.call(request));
            }
            Err(kind) => return ResponseFuture::rejected(self.gate.refuse(kind.into(), &request)),
        };
        let presented = Presented::bearer_bytes(token)
            .with_request(request.method(), request.uri())
            .with_headers(request.headers());
        match self.gate.validator.validate(&presented) {
            Validation::Done(verdict) => match self.gate.admit::<M, _>(verdict, &mut request) {
                Ok(()) => ResponseFuture::inner(self.inner.call(request)),
                Err(refusal) => ResponseFuture::rejected(refusal),
            },
            Validation::Pending(verdict) => {
                // A request that waits for a key must not hold a place that a good token could have. So the service that was
                // polled ready is dropped, its place with it, and a clone is polled ready when the verdict is there.
                let clone = self.inner.clone();
                drop(mem::replace(&mut self.inner, clone));
                ResponseFuture::validating(verdict, self.gate.clone(), request, self.inner.clone())
            }
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Gatekeeper<C> {
    /// Puts the verdict into the request, or says why not.
    pub(crate) fn admit<M: RefusalMode, B>(
        &self,
        verdict: Verdict,
        request: &mut Request<B>,
    ) -> Result<(), Refusal> {
        let typed = verdict.and_then(|core| {
            let raw = if self.server.keep_token { kept_token(request) } else { None };
            AccessToken::<C>::new(core, raw).inspect_err(|error| self.validator.mismatched(error))
        });
        let token = typed.map_err(|error| self.refuse(error, request))?;
        if let Some(requirement) = self.wanted(request) {
            let checked = requirement.check(token.core(), &self.server.hierarchy, self.clock.wall());
            checked.map_err(|error| self.refuse(error, request))?;
        }
        trace!(issuer = token.issuer(), "accepted");
        if self.server.strip_credentials {
            request.headers_mut().remove(AUTHORIZATION);
        } else if let Some(field) = request.headers_mut().get_mut(AUTHORIZATION) {
            field.set_sensitive(true);
        }
        let outcome = Outcome::Verified(Arc::clone(token.core()));
        let auth = RequestAuth::new::<C>(self, outcome, M::WITH_BODY);
        request.extensions_mut().insert(auth);
        request.extensions_mut().insert(token);
        Ok(())
    }
}

impl<C> Gatekeeper<C> {
    /// Anonymous is who sends no credentials at all; a CORS preflight never does.
    fn lets_pass_without_token<B>(&self, request: &Request<B>) -> bool {
        if request.headers().contains_key(AUTHORIZATION) {
            return false;
        }
        let is_optional = || self.optional || (self.preflight && is_preflight(request));
        match self.wanted(request) {
            Some(requirement) => {
                requirement.needs_no_token() || (requirement.asks_for_nothing() && is_optional())
            }
            None => is_optional(),
        }
    }

    /// What the request's path asks for, beyond a good token.
    fn wanted<B>(&self, request: &Request<B>) -> Option<&Requirement> {
        self.paths.as_ref()?.of(request.method(), request.uri().path())
    }

    fn refuse<B>(&self, error: AuthError, request: &Request<B>) -> Refusal {
        self.server.log.record(&error);
        let mut refusal = Refusal::new(error, Arc::clone(&self.server));
        if self.grpc {
            refusal = refusal.in_reply_to(request.method(), request.headers());
        }
        match self.wanted(request) {
            Some(requirement) => refusal.of(requirement.clone()),
            None => refusal,
        }
    }
}

/// What a browser asks before it sends a request with credentials to another origin (Fetch standard, CORS-preflight fetch).
fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn kept_token<B>(request: &Request<B>) -> Option<Arc<SecretString>> {
    let token = bearer_token(request.headers()).ok()?;
    let text = std::str::from_utf8(token).ok()?;
    Some(Arc::new(SecretString::from(text)))
}

impl<S: Clone, C, M> Clone for BearerAuth<S, C, M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), gate: self.gate.clone(), mode: PhantomData }
    }
}

impl<S: fmt::Debug, C, M> fmt::Debug for BearerAuth<S, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerAuth").field("inner", &self.inner).finish_non_exhaustive()
    }
}
