//! What does the token endpoint give, and to whom?

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, WWW_AUTHENTICATE},
};
use serde_json::json;

use crate::{
    testing::{
        clients::{Client, authenticated},
        endpoints::{Exchange, json_response},
        form::Form,
        issuer::State,
        mint::DEFAULT_LIFETIME,
    },
    token::scope::Scopes,
};

/// Client credentials (RFC 6749 §4.4) with a resource indicator (RFC 8707 §2).
pub(super) fn token(issuer: &State, exchange: &Exchange<'_>) -> Result<Response<Vec<u8>>, TokenError> {
    let form = Form::parse(exchange.body);
    let (id, client) = authenticated(issuer, exchange, &form)?;
    let parameter = |name: &str| form.first(name);
    match parameter("grant_type") {
        Some("client_credentials") => (),
        Some(_) => return Err(TokenError::UnsupportedGrantType),
        None => return Err(TokenError::InvalidRequest),
    }
    let audience =
        parameter("resource").or(issuer.default_audience.as_deref()).ok_or(TokenError::InvalidTarget)?;
    let scope = granted(client, parameter("scope"))?;
    let token = issuer.token(audience).subject(&id).client_id(&id).scope(&scope).mint();
    let mut response = json_response(
        StatusCode::OK,
        &json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": DEFAULT_LIFETIME.as_secs(),
            "scope": scope,
        }),
    );
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What is asked for, if the client may have all of it; all that it may have where nothing is asked for.
fn granted(client: &Client, asked: Option<&str>) -> Result<String, TokenError> {
    let Some(asked) = asked else { return Ok(client.scopes.to_string()) };
    let asked = Scopes::parse(asked).map_err(|_| TokenError::InvalidScope)?;
    let allowed = asked.iter().all(|scope| client.scopes.iter().any(|known| known == scope));
    if allowed { Ok(asked.to_string()) } else { Err(TokenError::InvalidScope) }
}

/// RFC 6749 §5.2, RFC 8707 §2.
#[derive(Clone, Copy, Debug)]
pub(super) enum TokenError {
    InvalidClient,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    MissingToken,
    UnsupportedGrantType,
}

impl TokenError {
    pub(super) fn into_response(self) -> Response<Vec<u8>> {
        let (status, code, description) = match self {
            Self::InvalidClient => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "the client is unknown, or its credentials are wrong",
            ),
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request", "grant_type is missing"),
            Self::InvalidScope => {
                (StatusCode::BAD_REQUEST, "invalid_scope", "the client may not have that scope")
            }
            Self::InvalidTarget => {
                (StatusCode::BAD_REQUEST, "invalid_target", "name the audience in the parameter `resource`")
            }
            Self::MissingToken => (StatusCode::BAD_REQUEST, "invalid_request", "token is missing"),
            Self::UnsupportedGrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "only client_credentials is supported")
            }
        };
        let mut response = json_response(status, &json!({"error": code, "error_description": description}));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"test issuer\""));
        }
        response
    }
}
