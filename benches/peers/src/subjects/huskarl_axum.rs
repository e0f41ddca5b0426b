//! How is huskarl-axum set up? As its documentation says for tokens of RFC 9068.

use axum::{Router, routing::get};
use http::StatusCode;
use huskarl_axum::{
    extractors::ValidatedToken,
    layers::ValidatorLayer,
    resource_server::validator::rfc9068::{Rfc9068AccessTokenClaims, Rfc9068Validator},
};
use huskarl_reqwest::ReqwestClient;
use serde::Deserialize;

use super::SetUp;
use crate::{
    handler,
    subject::Routed,
    tokens::{ISSUER, RESOURCE, World},
};

/// Its own claims type has `client_id`, its token `sub`.
#[derive(Clone, Deserialize)]
struct Extra {
    tenant: String,
    roles: Vec<String>,
}

pub(crate) async fn set_up(world: &World) -> SetUp {
    let validator = Rfc9068Validator::builder()
        .with_claims::<Extra>()
        .issuer(ISSUER)
        .audience(RESOURCE)
        .jwks_uri(world.jwks_url.parse()?)
        .jwks_source(ReqwestClient::builder().build().await?)
        .build()
        .await?;
    let layer = ValidatorLayer::builder().validator(validator).build();
    Ok(Routed::boxed(Router::new().route("/", get(handler)).layer(layer.authenticated())))
}

async fn handler(token: ValidatedToken<Rfc9068AccessTokenClaims<Extra>>) -> StatusCode {
    let Extra { tenant, roles } = &token.claims.extra_claims;
    handler::seen(token.sub.as_deref().unwrap_or_default(), &token.claims.client_id, tenant, roles)
}
