//! The `tower` layer that protects a service.

use std::{fmt, marker::PhantomData, sync::Arc};

use tower::Layer;

use crate::{
    middleware::{
        body::{NoBody, WithBody},
        challenge::Responder,
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
    pub(crate) fn new(validator: Arc<dyn ValidateToken>, server: Arc<Responder>) -> Self {
        Self {
            gate: Gatekeeper { validator, server, optional: false, preflight: false, claims: PhantomData },
            mode: PhantomData,
        }
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
    pub(crate) optional: bool,
    pub(crate) preflight: bool,
    claims: PhantomData<fn() -> C>,
}

impl<C> Clone for Gatekeeper<C> {
    fn clone(&self) -> Self {
        Self {
            validator: Arc::clone(&self.validator),
            server: Arc::clone(&self.server),
            optional: self.optional,
            preflight: self.preflight,
            claims: PhantomData,
        }
    }
}
