//! The `tower` layer that protects a service.

use std::{fmt, marker::PhantomData, ops::Deref, sync::Arc};

use tower::Layer;

use crate::{
    clock::Clock,
    middleware::{
        body::{NoBody, WithBody},
        challenge::Responder,
        paths::PathRequirements,
        service::BearerAuth,
    },
    token::claims::Claims,
    validate::ValidateToken,
};

/// Lets only requests with a good bearer token reach the service, with [`AccessToken<C>`](crate::AccessToken) in their
/// extensions. Made by [`ResourceServer::layer`](crate::ResourceServer::layer). Where it stands: the guide, for
/// [axum](crate::guide::axum), [gRPC](crate::guide::tonic) and [others](crate::guide::other_frameworks).
pub struct BearerAuthLayer<C = Claims, M = NoBody> {
    gate: Gatekeeper<C>,
    mode: PhantomData<fn() -> M>,
}

impl<C> BearerAuthLayer<C> {
    pub(crate) fn new(
        validator: Arc<dyn ValidateToken>,
        server: Arc<Responder>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let gate =
            Gate { validator, server, clock, optional: false, preflight: false, grpc: false, paths: None };
        let gate = Gatekeeper { gate: Arc::new(gate), claims: PhantomData };
        Self { gate, mode: PhantomData }
    }

    /// Sends refusals with a body: problem details (RFC 9457), or what the builder's
    /// [renderer](crate::ResourceServerBuilder::render_refusals) makes. The extractors behind the layer do as it does.
    /// **Default:** no body, so that any body type will do.
    #[must_use]
    pub fn with_body(self) -> BearerAuthLayer<C, WithBody> {
        BearerAuthLayer { gate: self.gate, mode: PhantomData }
    }
}

impl<C, M> BearerAuthLayer<C, M> {
    /// Lets requests without `Authorization` pass as anonymous; a bad token, and any other scheme, is still refused.
    /// **Default:** they get 401.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.gate.change().optional = true;
        self
    }

    /// Answers in gRPC to a call of gRPC or gRPC-Web, which is told by POST and a `Content-Type` of `application/grpc`,
    /// `application/grpc-web` or `application/grpc-web-text`: 200 without content, with `grpc-status`, `grpc-message` and the challenge
    /// as metadata. [`require`](crate::ResourceServer::require) and the extractors behind the layer do as it does. A page of another
    /// origin sees these fields only if the CORS layer exposes them.
    ///
    /// The caller chooses the `Content-Type`, and with it whether a refusal is 200: not for an endpoint that a proxy asks whether to
    /// let a request in (`auth_request`, `forwardAuth`, `ext_authz`). **Default:** HTTP, whatever is called; a gRPC client makes codes
    /// of its own of these statuses.
    #[must_use]
    pub fn grpc(mut self) -> Self {
        self.gate.change().grpc = true;
        self
    }

    /// Asks for more than a good token where a path says so. A refusal names the scopes of its path, a 401 too. Where a path asks
    /// for something, or is closed for a method, [`optional`](Self::optional) and [`pass_preflight`](Self::pass_preflight) do not count. A second table takes the
    /// place of the first. **Default:** every path asks for a good token.
    #[must_use]
    pub fn require_by_path(mut self, requirements: PathRequirements) -> Self {
        self.gate.change().paths = Some(requirements);
        self
    }

    /// Lets CORS preflights pass as anonymous, for services that answer them behind the layer. Not for a service that does not look
    /// at the method, such as tonic: its methods would run for whoever says OPTIONS. **Default:** they get 401; the usual place of a
    /// CORS layer is outside of this one, where it answers them itself.
    #[must_use]
    pub fn pass_preflight(mut self) -> Self {
        self.gate.change().preflight = true;
        self
    }
}

impl<S, C, M> Layer<S> for BearerAuthLayer<C, M> {
    type Service = BearerAuth<S, C, M>;

    fn layer(&self, inner: S) -> BearerAuth<S, C, M> {
        BearerAuth::new(inner, self.gate.clone())
    }
}

impl<C, M> Clone for BearerAuthLayer<C, M> {
    fn clone(&self) -> Self {
        Self { gate: self.gate.clone(), mode: PhantomData }
    }
}

impl<C, M> fmt::Debug for BearerAuthLayer<C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerAuthLayer").field("optional", &self.gate.optional).finish_non_exhaustive()
    }
}

/// What a layer hands to its services. One handle: frameworks clone a service for each request.
pub(crate) struct Gatekeeper<C> {
    gate: Arc<Gate>,
    claims: PhantomData<fn() -> C>,
}

/// How requests are judged, and how they are answered.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) validator: Arc<dyn ValidateToken>,
    pub(crate) server: Arc<Responder>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) optional: bool,
    pub(crate) preflight: bool,
    pub(crate) grpc: bool,
    pub(crate) paths: Option<PathRequirements>,
}

impl<C> Gatekeeper<C> {
    /// The gate, to be set up: services that were made before keep theirs.
    fn change(&mut self) -> &mut Gate {
        Arc::make_mut(&mut self.gate)
    }
}

impl<C> Deref for Gatekeeper<C> {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.gate
    }
}

impl<C> Clone for Gatekeeper<C> {
    fn clone(&self) -> Self {
        Self { gate: Arc::clone(&self.gate), claims: PhantomData }
    }
}
