//! How is oauth-resource-server set up? As its README says: a configuration, a validator, the `AuthLayer`.

use std::sync::Arc;

use axum::{Router, routing::get};
use http::StatusCode;
use oauth_resource_server::{
    AuthorizedToken, KeyNaming, OAuthConfig, OAuthValidator, axum::AuthLayer, static_token_policy,
};

use super::SetUp;
use crate::{
    handler::MyClaims,
    subject::Routed,
    tokens::{ISSUER, RESOURCE, World},
};

pub(crate) async fn set_up(world: &World) -> SetUp {
    let config = OAuthConfig {
        enabled: true,
        issuer: ISSUER.into(),
        jwks_uri: Some(world.jwks_url.clone()),
        audience: RESOURCE.into(),
        resource: RESOURCE.into(),
        // It wants this or a scope, and recommends this one for servers that issue `at+jwt`.
        require_at_jwt: true,
        ..OAuthConfig::default()
    };
    let resolved = config.resolve(KeyNaming::Dotted("oauth"))?.ok_or("it is enabled")?;
    let oauth = Arc::new(OAuthValidator::new(&resolved)?);
    oauth.spawn_background_refresh();
    oauth.refresh_now().await?;
    let decision = static_token_policy(None, Some(&resolved), false)?;
    let layer = AuthLayer::from_decision(decision, Some(oauth))?;
    Ok(Routed::boxed(Router::new().route("/", get(handler)).route_layer(layer)))
}

async fn handler(token: AuthorizedToken) -> Result<StatusCode, StatusCode> {
    let claims: MyClaims = token.claims_as().map_err(|_| StatusCode::FORBIDDEN)?;
    Ok(claims.seen())
}
