//! How a handler asks for what the layer verified: extractors for axum, through axum-core.

use std::{fmt, marker::PhantomData, ops::Deref};

use axum_core::{
    body::Body,
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{header::AUTHORIZATION, request::Parts};
use serde::de::DeserializeOwned;

use crate::{
    middleware::{refusal::Refusal, request_auth::RequestAuth},
    server::ResourceServer,
    token::{
        access_token::AccessToken, claims::Claims, presented::Presented, requirement::Requirement,
        scope::RequiredScopes,
    },
};

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.has_body() {
            self.into_response_with_body::<Body>()
        } else {
            Refusal::into_response::<Body>(self)
        }
    }
}

/// As the layer in front puts its own.
fn put(refusal: Refusal, parts: &Parts) -> Refusal {
    RequestAuth::put(refusal, &parts.extensions, &parts.method, &parts.headers)
}

/// The token that the layer verified. Rejects with 401 where the request is anonymous, and with 500 where the layer is
/// missing or verified other claims than `C`.
impl<C, S> FromRequestParts<S> for AccessToken<C>
where
    C: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::from_extensions(&parts.extensions).map_err(|refusal| put(refusal, parts))
    }
}

/// `None` for an anonymous request behind an [`optional`](crate::BearerAuthLayer::optional) layer. A missing layer is 500,
/// never `None`.
impl<C, S> OptionalFromRequestParts<S> for AccessToken<C>
where
    C: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Refusal> {
        Self::optional_from_extensions(&parts.extensions).map_err(|refusal| put(refusal, parts))
    }
}

/// A token that carries every scope of `S`, or 403. Declare `S` with [`scopes!`](crate::scopes).
///
/// ```
/// use bearergate::{Scoped, scopes};
///
/// scopes!(pub ReadOrders = "read:orders");
///
/// async fn orders(token: Scoped<ReadOrders>) -> String {
///     format!("orders of {}", token.subject().unwrap_or("nobody"))
/// }
/// ```
pub struct Scoped<S, C = Claims> {
    token: AccessToken<C>,
    scopes: PhantomData<fn() -> S>,
}

impl<S, C> Scoped<S, C> {
    /// The token itself.
    pub fn into_token(self) -> AccessToken<C> {
        self.token
    }
}

impl<S, C> Deref for Scoped<S, C> {
    type Target = AccessToken<C>;

    fn deref(&self) -> &AccessToken<C> {
        &self.token
    }
}

impl<S, C> Clone for Scoped<S, C> {
    fn clone(&self) -> Self {
        Self { token: self.token.clone(), scopes: PhantomData }
    }
}

impl<S, C> fmt::Debug for Scoped<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scoped").field(&self.token).finish()
    }
}

impl<S, C, State> FromRequestParts<State> for Scoped<S, C>
where
    S: RequiredScopes,
    C: Send + Sync + 'static,
    State: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Refusal> {
        let requirement = Requirement::scopes(S::SCOPES);
        let refused = |refusal: Refusal| put(refusal.of(requirement.clone()), parts);
        let auth = RequestAuth::of_handler(&parts.extensions).map_err(refused)?;
        let token = AccessToken::<C>::from_extensions(&parts.extensions).map_err(refused)?;
        // Scopes alone: no clock is asked.
        match requirement.check(token.core(), &auth.server.hierarchy, crate::clock::UnixTime::UNREADABLE) {
            Ok(()) => Ok(Self { token, scopes: PhantomData }),
            Err(error) => Err(refused(auth.refuse_logged(error))),
        }
    }
}

/// A token that this extractor verifies itself, without a layer: the router's state gives the [`ResourceServer`].
///
/// ```
/// use axum::{Router, routing::get};
/// use bearergate::{ResourceServer, Validated};
///
/// async fn me(Validated(token): Validated) -> String {
///     token.subject().unwrap_or_default().to_owned()
/// }
///
/// // A larger state implements `FromRef` for the `ResourceServer` in it.
/// fn app(api: ResourceServer) -> Router {
///     Router::new().route("/me", get(me)).with_state(api)
/// }
/// ```
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart")]
pub struct Validated<C = Claims>(pub AccessToken<C>);

impl<C> Clone for Validated<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> fmt::Debug for Validated<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Validated").field(&self.0).finish()
    }
}

impl<C, S> FromRequestParts<S> for Validated<C>
where
    C: DeserializeOwned + Send + Sync + 'static,
    S: Send + Sync,
    ResourceServer: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let server = ResourceServer::from_ref(state);
        let refuse = |error| server.refuse(error);
        let presented = Presented::from_parts(parts).map_err(refuse)?;
        server.validate(&presented).await.map(Self).map_err(refuse)
    }
}

/// `None` only for a request without credentials; a bad token is refused.
impl<C, S> OptionalFromRequestParts<S> for Validated<C>
where
    C: DeserializeOwned + Send + Sync + 'static,
    S: Send + Sync,
    ResourceServer: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(validated) => Ok(Some(validated)),
            Err(_) if !parts.headers.contains_key(AUTHORIZATION) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}
