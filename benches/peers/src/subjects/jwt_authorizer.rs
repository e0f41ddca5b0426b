//! How is jwt-authorizer set up? As its README says: a JWKS endpoint, and the extractor `JwtClaims`.

use axum_07::{Router, routing::get};
use http::StatusCode;
use jwt_authorizer::{Authorizer, IntoLayer as _, JwtAuthorizer, JwtClaims, Validation};

use super::SetUp;
use crate::{
    handler::MyClaims,
    subject::Routed,
    tokens::{ISSUER, RESOURCE, World},
};

pub(crate) async fn set_up(world: &World) -> SetUp {
    let validation = Validation::new().iss(&[ISSUER]).aud(&[RESOURCE]).nbf(true);
    let authorizer: Authorizer<MyClaims> =
        JwtAuthorizer::from_jwks_url(&world.jwks_url).validation(validation).build().await?;
    Ok(Routed::boxed(Router::new().route("/", get(handler)).layer(authorizer.into_layer())))
}

async fn handler(JwtClaims(claims): JwtClaims<MyClaims>) -> StatusCode {
    claims.seen()
}
