//! Which tools are there, and whose notes do they see?

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::request::Parts;
use bearergate::{AccessToken, ResourceServer};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::{
        tool::{Extension, ToolCallContext},
        wrapper::Parameters,
    },
    model::{CallToolRequestParams, CallToolResponse},
    service::RequestContext,
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::rights::needed;

/// The notes of everybody, in memory.
#[derive(Clone)]
pub(crate) struct Notes {
    api: ResourceServer,
    kept: Arc<Mutex<Vec<(Owner, String)>>>,
}

/// A subject is a name within its issuer (RFC 9068 §2.2).
#[derive(Clone, Eq, PartialEq)]
struct Owner {
    issuer: String,
    subject: String,
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    text: String,
}

impl Notes {
    pub(crate) fn new(api: ResourceServer) -> Self {
        Self { api, kept: Arc::default() }
    }

    /// Whether there is a tool of this name.
    pub(crate) fn has(tool: &str) -> bool {
        Self::tool_router().has_route(tool)
    }
}

#[tool_router]
impl Notes {
    #[tool(description = "Says who calls")]
    fn whoami(&self, Extension(parts): Extension<Parts>) -> Result<String, ErrorData> {
        Ok(owner(token(&parts)?)?.subject)
    }

    #[tool(description = "Lists the notes of who calls")]
    fn list_notes(&self, Extension(parts): Extension<Parts>) -> Result<String, ErrorData> {
        let owner = owner(token(&parts)?)?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let own: Vec<_> = kept.iter().filter(|(of, _)| *of == owner).map(|(_, text)| text.as_str()).collect();
        Ok(own.join("\n"))
    }

    #[tool(description = "Keeps a note for who calls")]
    fn add_note(
        &self,
        Extension(parts): Extension<Parts>,
        Parameters(note): Parameters<Note>,
    ) -> Result<String, ErrorData> {
        let owner = owner(token(&parts)?)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.iter().filter(|(of, _)| *of == owner).count();
        if note.text.len() > MAX_NOTE_BYTES || own >= MAX_NOTES_EACH || kept.len() >= MAX_NOTES {
            return Err(ErrorData::invalid_request("the note is too long, or there is no room for it", None));
        }
        kept.push((owner, note.text));
        Ok("kept".to_owned())
    }
}

#[tool_handler]
impl ServerHandler for Notes {
    /// Looks at the rights once more, now for the very tool that is called: whoever reads JSON in another way than the middleware in
    /// front, as where a member stands there twice, gains nothing by it.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<Parts>().ok_or_else(unwired)?;
        let allowed = self.api.check(token(parts)?, needed(&request.name));
        allowed.map_err(|refusal| ErrorData::invalid_request(refusal.to_string(), None))?;
        Self::tool_router().call(ToolCallContext::new(self, request, context)).await
    }
}

/// The token that the layer has accepted; rmcp hands the request on to its tools, without the content.
fn token(parts: &Parts) -> Result<&AccessToken, ErrorData> {
    parts.extensions.get::<AccessToken>().ok_or_else(unwired)
}

fn owner(token: &AccessToken) -> Result<Owner, ErrorData> {
    let subject =
        token.subject().ok_or_else(|| ErrorData::invalid_request("the token has no subject", None))?;
    Ok(Owner { issuer: token.issuer().to_owned(), subject: subject.to_owned() })
}

fn unwired() -> ErrorData {
    ErrorData::internal_error("the layer that accepts tokens is missing", None)
}

/// A few lines.
const MAX_NOTE_BYTES: usize = 1024;

/// All of them are one answer: 100 KiB at most.
const MAX_NOTES_EACH: usize = 100;

/// Of everybody: 10 MiB at most.
const MAX_NOTES: usize = 10_000;
