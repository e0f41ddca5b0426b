//! What the layer leaves in a request for those behind it, whatever the claims type.

use std::{any::type_name, sync::Arc};

use http::Extensions;
use tracing::error;

use crate::{
    error::AuthErrorKind::{ClaimsTypeDiffers, MissingLayer, MissingToken},
    middleware::{challenge::Responder, refusal::Refusal},
    token::{access_token::AccessToken, claims::Core},
};

/// The layer's verdict about one request. Private, and not generic: requirements, refusals and telemetry read only this.
#[derive(Clone)]
pub(crate) struct RequestAuth {
    pub(crate) server: Arc<Responder>,
    pub(crate) outcome: Outcome,
    claims: &'static str,
}

#[derive(Clone)]
pub(crate) enum Outcome {
    /// No credentials, behind an optional layer.
    Anonymous,
    Verified(Arc<Core>),
}

impl RequestAuth {
    pub(crate) fn new<C>(server: Arc<Responder>, outcome: Outcome) -> Self {
        Self { server, outcome, claims: type_name::<C>() }
    }

    /// What the layer left, or the 500 that says that there is no layer.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Self, Refusal> {
        extensions.get::<Self>().ok_or_else(|| {
            error!("a handler asks for the access token, but the request did not pass `ResourceServer::layer()`: add it to the router");
            Refusal::unwired(MissingLayer)
        })
    }

    /// The token, if there is one.
    ///
    /// A layer that verified another claims type is a wiring fault: 500, never anonymous.
    pub(crate) fn token<C: Send + Sync + 'static>(
        extensions: &Extensions,
    ) -> Result<Option<AccessToken<C>>, Refusal> {
        let auth = Self::of(extensions)?;
        if matches!(auth.outcome, Outcome::Anonymous) {
            return Ok(None);
        }
        // The layer that spoke last removed what an outer one had left, for its own claims type only: so the name counts.
        if auth.claims == type_name::<C>()
            && let Some(token) = extensions.get::<AccessToken<C>>()
        {
            return Ok(Some(token.clone()));
        }
        error!(
            layer = auth.claims,
            handler = type_name::<C>(),
            "the layer verifies another claims type than a handler asks for: use one type, or `layer_for::<C>()` on its routes"
        );
        Err(Refusal::new(ClaimsTypeDiffers, Arc::clone(&auth.server)))
    }

    /// The token, or the 401 that asks for one.
    pub(crate) fn required_token<C: Send + Sync + 'static>(
        extensions: &Extensions,
    ) -> Result<AccessToken<C>, Refusal> {
        match Self::token(extensions)? {
            Some(token) => Ok(token),
            None => Err(Refusal::new(MissingToken, Arc::clone(&Self::of(extensions)?.server))),
        }
    }
}
