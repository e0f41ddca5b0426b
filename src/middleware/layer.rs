//! The `tower` layer that protects a service.

use std::{fmt, marker::PhantomData, sync::Arc};

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
/// extensions. Made by [`ResourceServer::layer`](crate::ResourceServer::layer).
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
        let gate = Gatekeeper {
            validator,
            server,
            clock,
            optional: false,
            preflight: false,
            paths: None,
            claims: PhantomData,
        };
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
        self.gate.optional = true;
        self
    }

    /// Asks for more than a good token where a path says so. A refusal names the scopes of its path, a 401 too. Where a path asks
    /// for something, [`optional`](Self::optional) does not count. **Default:** every path asks for a good token.
    #[must_use]
    pub fn require_by_path(mut self, requirements: PathRequirements) -> Self {
        self.gate.paths = Some(Arc::new(requirements));
        self
    }

    /// Lets CORS preflights pass as anonymous, for services that answer them behind the layer. **Default:** they get 401; the
    /// usual place of a CORS layer is outside of this one, where it answers them itself.
    #[must_use]
    pub fn pass_preflight(mut self) -> Self {
        self.gate.preflight = true;
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

/// What a layer hands to its services.
pub(crate) struct Gatekeeper<C> {
    pub(crate) validator: Arc<dyn ValidateToken>,
    pub(crate) server: Arc<Responder>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) optional: bool,
    pub(crate) preflight: bool,
    pub(crate) paths: Option<Arc<PathRequirements>>,
    claims: PhantomData<fn() -> C>,
}

impl<C> Clone for Gatekeeper<C> {
    fn clone(&self) -> Self {
        Self {
            validator: Arc::clone(&self.validator),
            server: Arc::clone(&self.server),
            clock: Arc::clone(&self.clock),
            optional: self.optional,
            preflight: self.preflight,
            paths: self.paths.clone(),
            claims: PhantomData,
        }
    }
}
