//! How is aliri_tower set up? As its documentation says: an authority, and the claims as an extension.

use std::time::Duration;

use aliri::{jwa, jwt};
use aliri_clock::UnixTime;
use aliri_oauth2::{Authority, HasScope, Scope};
use aliri_tower::Oauth2Authorizer;
use axum::{Extension, Router, body::Body, routing::get};
use bearergate::Algorithm;
use http::StatusCode;
use serde::Deserialize;

use super::SetUp;
use crate::{
    handler,
    subject::Routed,
    tokens::{ISSUER, RESOURCE, World},
};

/// Its checks ask the claims type for what they check.
#[derive(Clone, Deserialize)]
struct CustomClaims {
    iss: jwt::Issuer,
    aud: jwt::Audiences,
    sub: jwt::Subject,
    exp: UnixTime,
    nbf: Option<UnixTime>,
    scope: Scope,
    client_id: String,
    tenant: String,
    roles: Vec<String>,
}

impl jwt::CoreClaims for CustomClaims {
    fn nbf(&self) -> Option<UnixTime> {
        self.nbf
    }

    fn exp(&self) -> Option<UnixTime> {
        Some(self.exp)
    }

    fn aud(&self) -> &jwt::Audiences {
        &self.aud
    }

    fn iss(&self) -> Option<&jwt::IssuerRef> {
        Some(&self.iss)
    }

    fn sub(&self) -> Option<&jwt::SubjectRef> {
        Some(&self.sub)
    }
}

impl HasScope for CustomClaims {
    fn scope(&self) -> &Scope {
        &self.scope
    }
}

pub(crate) fn gap(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::EdDsa => Some("aliri has no EdDSA"),
        Algorithm::Es256 if cfg!(not(feature = "openssl")) => {
            Some("aliri has ES256 with its feature `ec` only, which needs OpenSSL: built without it")
        }
        _ => None,
    }
}

pub(crate) async fn set_up(world: &World) -> SetUp {
    let algorithm: jwa::Algorithm = serde_json::from_value(world.algorithm.name().into())?;
    let validator = jwt::CoreValidator::default()
        .add_approved_algorithm(algorithm)
        .add_allowed_audience(jwt::Audience::from_static(RESOURCE))
        .require_issuer(jwt::Issuer::from_static(ISSUER));
    let authority = Authority::new_from_url(world.jwks_url.clone(), validator).await?;
    authority.spawn_refresh(Duration::from_secs(3600));
    let authorizer = Oauth2Authorizer::new().with_claims::<CustomClaims>().with_terse_error_handler::<Body>();
    Ok(Routed::boxed(Router::new().route("/", get(handler)).layer(authorizer.jwt_layer(authority))))
}

async fn handler(claims: Extension<CustomClaims>) -> StatusCode {
    handler::seen(claims.sub.as_str(), &claims.client_id, &claims.tenant, &claims.roles)
}
