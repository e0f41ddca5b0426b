//! What does the `WWW-Authenticate` field say?

use std::{fmt::Write as _, sync::OnceLock};

use http::HeaderValue;

use crate::{
    error::{AuthErrorKind, ErrorCode},
    middleware::{body::Renderer, rejection::Challenge},
    telemetry::RefusalLog,
    token::scope::{Requirement, Scopes},
};

/// What every refusal of one resource server shares.
#[derive(Debug, Default)]
pub(crate) struct Responder {
    pub(crate) realm: String,
    /// What clients should ask for, named in each 401.
    pub(crate) challenge_scopes: Option<Scopes>,
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
        let mut text = String::from("Bearer");
        parameter(&mut text, "realm", &self.realm);
        if let Some(url) = self.resource_metadata.get() {
            parameter(&mut text, "resource_metadata", url);
        }
        let wanted = requirement.and_then(Requirement::wanted_scopes);
        let scopes = match code {
            Some(ErrorCode::InvalidRequest) => None,
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
    let separator = if text.ends_with('"') { "," } else { "" };
    let value = value.chars().filter(|char| is_quotable(*char));
    let _infallible = write!(text, "{separator} {name}=\"");
    text.extend(value);
    text.push('"');
}

/// `%x20-21 / %x23-5B / %x5D-7E` (RFC 6750 §3).
pub(crate) fn is_quotable(char: char) -> bool {
    matches!(char, ' ' | '!' | '#'..='[' | ']'..='~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{middleware::rejection::answer, scopes};

    fn challenge(responder: &Responder, kind: AuthErrorKind, requirement: Option<&Requirement>) -> String {
        let value = responder.challenge(kind, answer(kind).challenge, requirement).unwrap();
        value.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_challenge_is_never_bare() {
        let responder = Responder { realm: "api".into(), ..Responder::default() };
        assert_eq!(challenge(&responder, AuthErrorKind::MissingToken, None), r#"Bearer realm="api""#);
    }

    #[test]
    fn each_parameter_has_its_place() {
        let responder = Responder {
            realm: "https://api.example.com".into(),
            challenge_scopes: Some(scopes!["read"]),
            resource_metadata: OnceLock::from(
                "https://api.example.com/.well-known/oauth-protected-resource".to_owned(),
            ),
            ..Responder::default()
        };
        assert_eq!(
            challenge(&responder, AuthErrorKind::Expired, None),
            "Bearer realm=\"https://api.example.com\", \
             resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\", scope=\"read\", \
             error=\"invalid_token\", error_description=\"the token is expired\""
        );
        let requirement = Requirement::scopes(scopes!["read", "write"]);
        assert_eq!(
            challenge(&responder, AuthErrorKind::InsufficientScope, Some(&requirement)),
            "Bearer realm=\"https://api.example.com\", \
             resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\", \
             scope=\"read write\", error=\"insufficient_scope\", error_description=\"a required scope is missing\""
        );
    }

    #[test]
    fn htp_06_what_a_quoted_string_cannot_hold_is_left_out() {
        let responder = Responder { realm: "a\"b\\c\r\nX-Evil: é1".into(), ..Responder::default() };
        assert_eq!(
            challenge(&responder, AuthErrorKind::MissingToken, None),
            r#"Bearer realm="abcX-Evil: 1""#
        );
    }

    #[test]
    fn step_up_names_what_it_wants() {
        let requirement =
            Requirement::default().acr(["gold", "silver"]).max_age(std::time::Duration::from_secs(300));
        let text =
            challenge(&Responder::default(), AuthErrorKind::InsufficientAuthentication, Some(&requirement));
        assert!(text.starts_with(r#"Bearer realm="", error="insufficient_user_authentication""#), "{text}");
        assert!(text.ends_with(r#", acr_values="gold silver", max_age="300""#), "{text}");
    }
}
