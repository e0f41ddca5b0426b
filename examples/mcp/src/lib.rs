//! An MCP server: clients that know nothing but its URL find the authorization server, and ask a user for what a tool needs.

mod notes;
mod origin;
mod rights;

use std::{io, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use bearergate::{ConfigError, Issuer, ResourceServer, ScopeHierarchy, scopes};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use tokio::net::TcpListener;

use crate::notes::Notes;

/// The identifier of the server that listens here: its URL, which clients name as `resource` (RFC 8707) and tokens in `aud`.
///
/// # Errors
///
/// Those of the listener.
pub fn resource(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}/mcp", listener.local_addr()?))
}

/// A resource server that trusts one issuer. A client without a token is told to ask for `notes:read`, which is enough to begin
/// with; it learns what else a tool needs when it calls it. Whoever may write may read. No tool sees the token's text, so none can
/// pass it on.
///
/// # Errors
///
/// For an issuer that is no URL, and the like.
pub fn resource_server(resource: &str, issuer: Issuer) -> Result<ResourceServer, ConfigError> {
    ResourceServer::builder(resource)
        .trust(issuer)
        .challenge_scopes(scopes!["notes:read"])
        .scope_hierarchy(ScopeHierarchy::new([(scopes!["notes:write"], scopes!["notes:read"])]))
        .strip_credentials()
        .build()
}

/// The router, as a test may call it too.
///
/// # Errors
///
/// When the resource has no place for its metadata.
pub fn app(api: &ResourceServer) -> Result<Router, ConfigError> {
    Ok(Router::new()
        .route_service("/mcp", mcp(api))
        .layer(from_fn_with_state(api.clone(), rights::by_tool))
        .layer(DefaultBodyLimit::max(rights::MAX_MESSAGE_BYTES))
        .layer(api.layer())
        .layer(from_fn(origin::none))
        .route_service(&api.metadata_path()?, api.metadata_service()?))
}

/// MCP over HTTP. No sessions: each request is answered for the token that it carries, and for no other.
fn mcp(api: &ResourceServer) -> StreamableHttpService<Notes, NeverSessionManager> {
    let notes = Notes::new(api.clone());
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(rights::MAX_MESSAGE_BYTES);
    StreamableHttpService::new(move || Ok(notes.clone()), Arc::default(), config)
}

/// Serves until the listener fails.
///
/// # Errors
///
/// Those of the listener, and those of [`app`].
pub async fn serve(api: ResourceServer, listener: TcpListener) -> io::Result<()> {
    axum::serve(listener, app(&api).map_err(io::Error::other)?).await
}

#[cfg(test)]
mod tests;
