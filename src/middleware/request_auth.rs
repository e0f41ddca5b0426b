//! What the layer leaves in a request for those behind it, whatever the claims type.

use std::{
    any::{TypeId, type_name},
    sync::{Arc, LazyLock},
};

use http::{Extensions, HeaderMap, Method};

use crate::{
    error::{
        AuthError,
        AuthErrorKind::{ClaimsTypeDiffers, MissingLayer, MissingToken},
    },
    middleware::{challenge::Responder, layer::Gate, refusal::Refusal},
    telemetry::RefusalLog,
    token::{access_token::AccessToken, claims::Core},
};

/// The layer's verdict about one request. Private, and not generic: requirements, refusals and telemetry read only this.
#[derive(Clone)]
pub(crate) struct RequestAuth {
    pub(crate) server: Arc<Responder>,
    pub(crate) outcome: Outcome,
    /// Whether the layer answers with bodies.
    pub(crate) with_body: bool,
    /// Whether it answers in gRPC where it is asked in gRPC.
    grpc: bool,
    /// The claims type, and its name for logs.
    claims: (TypeId, &'static str),
}

#[derive(Clone)]
pub(crate) enum Outcome {
    /// No credentials, behind an optional layer.
    Anonymous,
    Verified(Arc<Core>),
}

impl RequestAuth {
    pub(crate) fn new<C: 'static>(gate: &Gate, outcome: Outcome, with_body: bool) -> Self {
        let claims = (TypeId::of::<C>(), type_name::<C>());
        Self { server: Arc::clone(&gate.server), outcome, with_body, grpc: gate.grpc, claims }
    }

    /// Puts a refusal as the layer in front of it puts its own.
    pub(crate) fn put(
        refusal: Refusal,
        extensions: &Extensions,
        method: &Method,
        headers: &HeaderMap,
    ) -> Refusal {
        let is_grpc = extensions.get::<Self>().is_some_and(|auth| auth.grpc);
        if is_grpc { refusal.in_reply_to(method, headers) } else { refusal }
    }

    /// A refusal behind the layer, as the layer itself would send it.
    pub(crate) fn refuse(&self, error: impl Into<AuthError>) -> Refusal {
        Refusal::new(error, Arc::clone(&self.server)).like_layer(self.with_body)
    }

    /// The same for a handler: nobody behind it logs.
    pub(crate) fn refuse_logged(&self, error: impl Into<AuthError>) -> Refusal {
        let refusal = self.refuse(error);
        self.server.log.record(refusal.error());
        refusal
    }

    /// What the layer left, or the 500 that says that there is no layer. Whoever asks logs it.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Self, AuthError> {
        extensions.get::<Self>().ok_or_else(|| MissingLayer.because(NoLayer))
    }

    /// The token that the layer of this very server verified: 500 where that did not happen, 401 where the request is anonymous.
    pub(crate) fn verified_of<'e>(
        extensions: &'e Extensions,
        server: &Arc<Responder>,
    ) -> Result<&'e Arc<Core>, Refusal> {
        let auth = Self::of(extensions).map_err(Refusal::unwired)?;
        if !Arc::ptr_eq(&auth.server, server) {
            return Err(Refusal::new(MissingLayer.because(ForeignLayer), Arc::clone(server)));
        }
        match &auth.outcome {
            Outcome::Anonymous => Err(Refusal::new(MissingToken, Arc::clone(server))),
            Outcome::Verified(core) => Ok(core),
        }
    }

    /// The same for a handler, which has no server's log at hand.
    pub(crate) fn of_handler(extensions: &Extensions) -> Result<&Self, Refusal> {
        static LOG: LazyLock<RefusalLog> = LazyLock::new(RefusalLog::default);
        Self::of(extensions).map_err(|error| {
            LOG.record(&error);
            Refusal::unwired(error)
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the request did not pass `ResourceServer::layer()`: add it to the router")]
struct NoLayer;

/// The layer in front is that of another server.
#[derive(Debug, thiserror::Error)]
#[error(
    "this route stands behind the layer of another resource server: its tokens were not judged for this one"
)]
struct ForeignLayer;

#[derive(Debug, thiserror::Error)]
#[error(
    "the layer verifies claims of the type {layer}, and a handler asks for {handler}: use one type, or \
     `layer_for::<C>()` on its routes; if they are the same, something behind the layer put another token in its place"
)]
struct OtherClaims {
    layer: &'static str,
    handler: &'static str,
}

impl<C: Send + Sync + 'static> AccessToken<C> {
    /// The token that the layer left in a request's extensions; `None` for an anonymous request behind an optional layer.
    ///
    /// # Errors
    ///
    /// [`MissingLayer`] (500) when the request did not pass the layer, [`ClaimsTypeDiffers`] (500) when the layer verified
    /// other claims than `C`: never anonymous.
    pub fn optional_from_extensions(extensions: &Extensions) -> Result<Option<Self>, Refusal> {
        let auth = RequestAuth::of_handler(extensions)?;
        let Outcome::Verified(core) = &auth.outcome else { return Ok(None) };
        // The layer that spoke last removed what an outer one had left, but of its own claims type only: so the type counts. And
        // whoever came after the layer may have put a token of another server there: so the token does.
        if auth.claims.0 == TypeId::of::<C>()
            && let Some(token) = extensions.get::<Self>()
            && Arc::ptr_eq(core, token.core())
        {
            return Ok(Some(token.clone()));
        }
        let error =
            ClaimsTypeDiffers.because(OtherClaims { layer: auth.claims.1, handler: type_name::<C>() });
        Err(auth.refuse_logged(error))
    }

    /// The token that the layer left in a request's extensions: what the extractors do, for handlers without axum.
    ///
    /// # Errors
    ///
    /// As [`optional_from_extensions`](Self::optional_from_extensions), and [`MissingToken`] (401) when the request is
    /// anonymous.
    pub fn from_extensions(extensions: &Extensions) -> Result<Self, Refusal> {
        match Self::optional_from_extensions(extensions)? {
            Some(token) => Ok(token),
            None => Err(RequestAuth::of_handler(extensions)?.refuse_logged(MissingToken)),
        }
    }
}
