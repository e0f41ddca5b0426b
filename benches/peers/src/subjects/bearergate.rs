//! How is bearergate set up? As its README says, with and without its cache of verified tokens.

use std::time::Duration;

use axum::{Router, routing::get};
use bearergate::{AccessToken, Issuer, ResourceServer};
use http::StatusCode;

use super::SetUp;
use crate::{
    handler::MyClaims,
    subject::Routed,
    tokens::{ISSUER, RESOURCE, World},
};

pub(crate) async fn set_up(world: &World, remembered: Option<u64>) -> SetUp {
    let issuer = Issuer::jwks_uri(ISSUER, &world.jwks_url).allow_http_on_loopback();
    let mut builder = ResourceServer::builder(RESOURCE).trust(issuer);
    if let Some(entries) = remembered {
        builder = builder.with_token_cache(entries);
    }
    let api = builder.build()?;
    api.ready_all(Duration::from_secs(5)).await?;
    Ok(Routed::boxed(Router::new().route("/", get(handler)).layer(api.layer_for::<MyClaims>())))
}

async fn handler(token: AccessToken<MyClaims>) -> StatusCode {
    token.claims().seen()
}
