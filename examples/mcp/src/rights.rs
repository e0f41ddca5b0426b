//! What does a tool ask of the token that it is called with?

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest as _, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bearergate::{AccessToken, Requirement, ResourceServer, scopes};
use serde::Deserialize;

use crate::notes::Notes;

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
    // As far as the router's limit goes.
    let message = match Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await {
        Ok(message) => message,
        Err(rejection) => return rejection.into_response(),
    };
    let checked = called_tool(&message).map_or(Ok(()), |tool| api.check(&token, needed(&tool)));
    match checked {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(message))).await,
        Err(refusal) => refusal.into_response::<Body>(),
    }
}

/// The tool that a message calls. What cannot be read here is left to MCP, which looks at the rights again; and a tool that is not there
/// too, for no scope would help.
fn called_tool(message: &Bytes) -> Option<String> {
    let Call { method, params } = serde_json::from_slice(message).ok()?;
    Some(params?.name).filter(|name| method == "tools/call" && Notes::has(name))
}

/// What of a message matters here. Other members are passed over unread.
#[derive(Deserialize)]
struct Call {
    method: String,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    name: String,
}

/// A note is a few lines; what MCP puts around it, a few hundred octets.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 * 1024;
