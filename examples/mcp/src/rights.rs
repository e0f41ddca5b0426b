//! What does a tool ask of the token that it is called with?

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bearergate::{AccessToken, Requirement, ResourceServer, scopes};
use serde_json::Value;

/// All that it asks for, whatever the token has already, and whatever stands for it: so a client has to ask its user once.
pub(crate) fn needed(tool: &str) -> Requirement {
    match tool {
        "whoami" => Requirement::default(),
        "list_notes" => scopes!["notes:read"].into(),
        // And whatever nobody has thought of.
        _ => scopes!["notes:read", "notes:write"].into(),
    }
}

/// Refuses a call in HTTP, by 403 with the scopes that it needs, before MCP sees it: an answer of a tool would be 200, and no client
/// would ask its user for more.
///
/// The name of the tool stands in the message, which has to be read for that. Clients of 2026-07-28 repeat it in `Mcp-Name`, older
/// ones do not.
pub(crate) async fn by_tool(
    State(api): State<ResourceServer>,
    token: AccessToken,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(message) = to_bytes(body, MAX_MESSAGE_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let checked = called_tool(&message).map_or(Ok(()), |tool| api.check(&token, needed(&tool)));
    match checked {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(message))).await,
        Err(refusal) => refusal.into_response::<Body>(),
    }
}

/// The tool that a message calls. What cannot be read here is left to MCP, which looks at the rights again.
fn called_tool(message: &Bytes) -> Option<String> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let is_call = message.get("method")? == "tools/call";
    message.pointer("/params/name")?.as_str().filter(|_| is_call).map(str::to_owned)
}

/// A note is a few lines; what MCP puts around it, a few hundred octets.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 * 1024;
