//! What does the `WWW-Authenticate` field say?

use std::sync::OnceLock;

use http::HeaderValue;

use crate::{
    error::{AuthErrorKind, ErrorCode},
    middleware::{body::Renderer, rejection::Challenge},
    telemetry::RefusalLog,
    token::{hierarchy::ScopeHierarchy, requirement::Requirement, scope::Scopes},
};

/// What every refusal of one resource server shares.
#[derive(Debug, Default)]
pub(crate) struct Responder {
    pub(crate) realm: String,
    /// Which scopes stand for others.
    pub(crate) hierarchy: ScopeHierarchy,
    /// What clients should ask for, named in each 401.
    pub(crate) challenge_scopes: Option<Scopes>,
    /// What the metadata lists beside them.
    pub(crate) scopes_supported: Vec<Scopes>,
    /// Known once the metadata is served.
    pub(crate) resource_metadata: OnceLock<String>,
    /// The field is removed before the inner service.
    pub(crate) strip_credentials: bool,
    pub(crate) keep_token: bool,
    pub(crate) log: RefusalLog,
    /// Chosen by the application; problem details where a layer wants a body and nothing was chosen.
    pub(crate) renderer: Option<Renderer>,
}

impl Responder {
    /// Writes a Bearer challenge (RFC 6750 §3): `realm` first, so that it is never bare, then `resource_metadata`
    /// (RFC 9728 §5.1), `scope`, `error`, `error_description`, `acr_values` and `max_age` (RFC 9470 §3).
    pub(crate) fn challenge(
        &self,
        kind: AuthErrorKind,
        challenge: Challenge,
        requirement: Option<&Requirement>,
    ) -> Option<HeaderValue> {
        let code = match challenge {
            Challenge::Absent => return None,
            Challenge::Plain => None,
            Challenge::Error(code) => Some(code),
        };
        let mut text = String::with_capacity(USUAL_LENGTH);
        text.push_str("Bearer");
        parameter(&mut text, "realm", &self.realm);
        if let Some(url) = self.resource_metadata.get() {
            parameter(&mut text, "resource_metadata", url);
        }
        let wanted = requirement.and_then(Requirement::wanted_scopes);
        let scopes = match code {
            Some(ErrorCode::InvalidRequest) => None,
            // No scope would help.
            None if kind == AuthErrorKind::PolicyDenied => None,
            Some(ErrorCode::InsufficientScope) => wanted,
            _ => wanted.or(self.challenge_scopes.as_ref()),
        };
        if let Some(scopes) = scopes {
            parameter(&mut text, "scope", &scopes.to_string());
        }
        if let Some(code) = code {
            parameter(&mut text, "error", code.as_str());
            parameter(&mut text, "error_description", &kind.to_string());
        }
        if let (Some(ErrorCode::InsufficientUserAuthentication), Some(requirement)) = (code, requirement) {
            if !requirement.wanted_acr().is_empty() {
                parameter(&mut text, "acr_values", &requirement.wanted_acr().join(" "));
            }
            if let Some(age) = requirement.wanted_max_age() {
                parameter(&mut text, "max_age", &age.as_secs().to_string());
            }
        }
        HeaderValue::try_from(text).ok()
    }
}

/// Adds a parameter as a quoted string. What a quoted string cannot hold unescaped, or RFC 6750 §3 forbids, is left out.
fn parameter(text: &mut String, name: &str, value: &str) {
    text.push_str(if text.ends_with('"') { ", " } else { " " });
    text.push_str(name);
    text.push_str("=\"");
    if value.bytes().all(|octet| is_quotable(octet.into())) {
        text.push_str(value);
    } else {
        text.extend(value.chars().filter(|char| is_quotable(*char)));
    }
    text.push('"');
}

/// Realm, code and description; longer ones grow it.
const USUAL_LENGTH: usize = 256;

/// `%x20-21 / %x23-5B / %x5D-7E` (RFC 6750 §3).
pub(crate) fn is_quotable(char: char) -> bool {
    matches!(char, ' ' | '!' | '#'..='[' | ']'..='~')
}

#[cfg(test)]
mod tests;
