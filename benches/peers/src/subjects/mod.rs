//! Who is measured, under which names, and what is known to be impossible?

mod aliri_tower;
mod axum_jwt_auth;
mod bare;
mod bearergate;
mod hand_written;
mod huskarl_axum;
mod jwt_authorizer;
mod oauth_resource_server;
mod tower_oauth2_resource_server;

use std::error::Error;

pub(crate) use axum_jwt_auth::Backend;

use crate::{
    subject::Subject,
    tokens::{Tokens, World},
};

pub(crate) type SetUp = Result<Box<dyn Subject>, Box<dyn Error + Send + Sync>>;

pub(crate) const RAW: &str = "raw signature check";
pub(crate) const BARE: &str = "bare router";
pub(crate) const BARE_07: &str = "bare router (axum 0.7)";
pub(crate) const OURS: &str = "bearergate";
pub(crate) const OURS_REMEMBERING: &str = "bearergate with token cache";
/// More than the tokens of a run.
const REMEMBERED: u64 = 20_000;

/// One that should be measured.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) set_up: SetUp,
    /// The router without the middleware, which it is measured above.
    pub(crate) above: &'static str,
    /// Why this one cannot do the algorithm, as far as known.
    pub(crate) gap: Option<&'static str>,
}

/// The controls, without which nothing can be related to anything.
pub(crate) fn controls(tokens: &Tokens) -> [(&'static str, Box<dyn Subject>); 3] {
    [(RAW, Box::new(tokens.raw.clone())), (BARE, bare::axum_08()), (BARE_07, bare::axum_07())]
}

pub(crate) async fn peers(world: &World, backend: Backend) -> Vec<Entry> {
    let entry = |name, set_up| Entry { name, set_up, above: BARE, gap: None };
    vec![
        entry(OURS, bearergate::set_up(world, None).await),
        entry(OURS_REMEMBERING, bearergate::set_up(world, Some(REMEMBERED)).await),
        entry("hand-written with jsonwebtoken", hand_written::set_up(world).await),
        entry("tower-oauth2-resource-server", tower_oauth2_resource_server::set_up(world).await),
        Entry { above: BARE_07, ..entry("jwt-authorizer", jwt_authorizer::set_up(world).await) },
        entry("oauth-resource-server", oauth_resource_server::set_up(world).await),
        entry("huskarl-axum", huskarl_axum::set_up(world).await),
        entry(backend.name(), axum_jwt_auth::set_up(world).await),
        Entry {
            gap: aliri_tower::gap(world.algorithm),
            ..entry("aliri_tower", aliri_tower::set_up(world).await)
        },
    ]
}
