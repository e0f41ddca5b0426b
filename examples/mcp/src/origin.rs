//! May a web page ask?

use axum::{
    extract::Request,
    http::{StatusCode, header::ORIGIN},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// None may: `Origin` says that a page asks, and MCP wants one that is not known refused by 403, whoever else it is (2026-07-28, Streamable
/// HTTP, security). A server for clients in browsers names their origins here, and has a CORS layer outside, which exposes
/// `WWW-Authenticate`.
pub(crate) async fn none(request: Request, next: Next) -> Response {
    if request.headers().contains_key(ORIGIN) {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}
