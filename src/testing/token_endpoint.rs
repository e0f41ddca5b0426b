//! What does the token endpoint give, and to whom?

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use crate::testing::{
    authorization::{DEVICE_CODE, code_for_token, device_code_for_token, is_resource, refresh_for_token},
    clients::{Client, identified},
    endpoints::{Exchange, json_response},
    form::{Form, Repeated},
    issuer::State,
    mint::TokenBuilder,
};

pub(super) fn token(issuer: &State, exchange: &Exchange<'_>) -> Result<Response<Vec<u8>>, TokenError> {
    let form = Form::parse(exchange.body);
    let (id, client) = identified(issuer, exchange, &form)?;
    match form.once("grant_type")? {
        Some("authorization_code") => code_for_token(issuer, &id, &form),
        Some("client_credentials") => client_credentials(issuer, &id, &client, &form),
        Some(DEVICE_CODE) => device_code_for_token(issuer, &id, &form),
        Some("refresh_token") => refresh_for_token(issuer, &id, &form),
        Some(_) => Err(TokenError::UnsupportedGrantType),
        None => Err(TokenError::InvalidRequest("grant_type is missing")),
    }
}

/// RFC 6749 §4.4, with a resource indicator (RFC 8707 §2).
fn client_credentials(
    issuer: &State,
    id: &str,
    client: &Client,
    form: &Form,
) -> Result<Response<Vec<u8>>, TokenError> {
    // Anybody could ask in its name.
    if client.is_public() {
        return Err(TokenError::UnauthorizedClient);
    }
    let audience = form.once("resource").map_err(|_| TokenError::InvalidTarget("name one `resource`"))?;
    if !audience.is_none_or(is_resource) {
        return Err(TokenError::InvalidTarget(
            "the resource is no absolute URI without fragment, or too long",
        ));
    }
    let audience = audience.or(issuer.default_audience.as_deref());
    let audience =
        audience.ok_or(TokenError::InvalidTarget("name the audience in the parameter `resource`"))?;
    let scope = client.granted(issuer, form.once("scope")?).ok_or(TokenError::InvalidScope)?;
    // There is no user whom it could name.
    let rest = scope.split(' ').filter(|word| *word != "openid").collect::<Vec<_>>().join(" ");
    if rest.is_empty() && !scope.is_empty() {
        return Err(TokenError::InvalidScope);
    }
    let scope = rest;
    let token = issuer.token().audience(audience).subject(id).client_id(id);
    let access_token = access_token(issuer, token, &scope, None)?;
    Ok(token_response(issuer, Granted { access_token, scope: &scope, refresh_token: None, id_token: None }))
}

/// A JWT, or a text that says nothing, as the client is set up. Of a family of refresh tokens, it ends with that.
pub(super) fn access_token(
    issuer: &State,
    token: TokenBuilder,
    scope: &str,
    family: Option<&str>,
) -> Result<String, TokenError> {
    let token = if scope.is_empty() { token } else { token.scope(scope) };
    let client = token.claims.get("client_id").and_then(Value::as_str);
    let is_opaque = client.is_some_and(|id| issuer.clients.get(id).is_some_and(|client| client.is_opaque));
    if is_opaque {
        let kept = issuer.opaque.keep(token.claims, family, issuer.clock.wall());
        kept.ok_or(TokenError::TemporarilyUnavailable)
    } else {
        Ok(token.mint())
    }
}

/// What a client gets.
pub(super) struct Granted<'s> {
    pub(super) access_token: String,
    /// Words with spaces between, or none.
    pub(super) scope: &'s str,
    pub(super) refresh_token: Option<String>,
    /// OpenID Connect Core §3.1.3.3.
    pub(super) id_token: Option<String>,
}

/// RFC 6749 §5.1.
pub(super) fn token_response(issuer: &State, granted: Granted<'_>) -> Response<Vec<u8>> {
    let Granted { access_token, scope, refresh_token, id_token } = granted;
    let mut content = json!({"token_type": "Bearer", "expires_in": issuer.lifetime.as_secs()});
    if let Some(members) = content.as_object_mut() {
        members.insert("access_token".into(), access_token.into());
        members.extend(refresh_token.map(|token| ("refresh_token".to_owned(), token.into())));
        members.extend(id_token.map(|token| ("id_token".to_owned(), token.into())));
        members.extend((!scope.is_empty()).then(|| ("scope".to_owned(), scope.into())));
    }
    let mut response = json_response(StatusCode::OK, &content);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// RFC 6749 §5.2, RFC 8707 §2.
#[derive(Clone, Copy, Debug)]
pub(super) enum TokenError {
    /// RFC 8628 §3.5.
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidClient,
    InvalidGrant(&'static str),
    InvalidRequest(&'static str),
    InvalidScope,
    InvalidTarget(&'static str),
    /// RFC 8628 §3.5.
    SlowDown,
    TemporarilyUnavailable,
    UnauthorizedClient,
    UnsupportedGrantType,
    /// RFC 7009 §2.2.1.
    UnsupportedTokenType,
}

impl TokenError {
    pub(super) fn into_response(self) -> Response<Vec<u8>> {
        let (status, code, description) = match self {
            Self::AccessDenied => (StatusCode::BAD_REQUEST, "access_denied", "the user does not consent"),
            Self::AuthorizationPending => {
                (StatusCode::BAD_REQUEST, "authorization_pending", "the user has not decided yet")
            }
            Self::ExpiredToken => (StatusCode::BAD_REQUEST, "expired_token", "the device code is expired"),
            Self::SlowDown => {
                (StatusCode::BAD_REQUEST, "slow_down", "asked too soon: wait five seconds longer each time")
            }
            Self::TemporarilyUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "too many devices wait, or too many tokens are out: try again in ten minutes",
            ),
            Self::InvalidClient => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "the client is unknown, or its credentials are wrong",
            ),
            Self::InvalidGrant(what) => (StatusCode::BAD_REQUEST, "invalid_grant", what),
            Self::InvalidRequest(what) => (StatusCode::BAD_REQUEST, "invalid_request", what),
            Self::InvalidScope => {
                (StatusCode::BAD_REQUEST, "invalid_scope", "the client may not have that scope")
            }
            Self::InvalidTarget(what) => (StatusCode::BAD_REQUEST, "invalid_target", what),
            Self::UnauthorizedClient => {
                (StatusCode::BAD_REQUEST, "unauthorized_client", "a public client has no credentials")
            }
            Self::UnsupportedGrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "only authorization_code, client_credentials, device_code and refresh_token are supported; the password and implicit grants are not: they hand over what a client must not see (RFC 9700 §2.1.2, §2.4)",
            ),
            Self::UnsupportedTokenType => {
                (StatusCode::BAD_REQUEST, "unsupported_token_type", "a JWT is good until it expires")
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

impl From<Repeated> for TokenError {
    fn from(_: Repeated) -> Self {
        Self::InvalidRequest("a parameter is repeated")
    }
}
