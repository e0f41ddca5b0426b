//! How is tower-oauth2-resource-server set up? As its documentation says: a tenant, and the claims as an extension.

use axum::{Extension, Router, routing::get};
use http::StatusCode;
use tower_oauth2_resource_server::{
    server::OAuth2ResourceServer, tenant::TenantConfiguration, validation::ClaimsValidationSpec,
};

use super::SetUp;
use crate::{
    handler::MyClaims,
    subject::Routed,
    tokens::{ISSUER, RESOURCE, World},
};

pub(crate) async fn set_up(world: &World) -> SetUp {
    // What discovery would choose: with a `jwks_url` alone, `iss` is not checked.
    let checks = ClaimsValidationSpec::new().iss(ISSUER).aud(&vec![RESOURCE.to_owned()]).exp(true);
    let tenant = TenantConfiguration::builder(ISSUER)
        .jwks_url(&world.jwks_url)
        .audiences(&[RESOURCE])
        .claims_validation(checks)
        .build()
        .await?;
    let server = OAuth2ResourceServer::<MyClaims>::builder().add_tenant(tenant).build().await?;
    Ok(Routed::boxed(Router::new().route("/", get(handler)).layer(server.into_layer())))
}

async fn handler(claims: Extension<MyClaims>) -> StatusCode {
    claims.seen()
}
