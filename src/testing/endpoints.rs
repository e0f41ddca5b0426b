//! What does the embedded issuer answer, before anything goes wrong?

use std::iter;

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    keys::algorithm::Algorithm,
    testing::{
        clients::{self, Client, authenticated},
        fault::Endpoint,
        issuer::State,
        mint::DEFAULT_LIFETIME,
    },
    token::scope::Scopes,
};

/// One request, as far as it matters.
pub(super) struct Exchange<'r> {
    pub(super) method: &'r Method,
    pub(super) path: &'r str,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: &'r [u8],
}

pub(super) fn answer(issuer: &State, exchange: &Exchange<'_>) -> Response<Vec<u8>> {
    match Endpoint::of(exchange.method, exchange.path) {
        Some(Endpoint::Metadata) => json_response(StatusCode::OK, &metadata(issuer)),
        Some(Endpoint::Jwks) => json_response(StatusCode::OK, &issuer.jwks()),
        Some(Endpoint::Introspection) => {
            introspection(issuer, exchange).unwrap_or_else(TokenError::into_response)
        }
        Some(Endpoint::Token) => token(issuer, exchange).unwrap_or_else(TokenError::into_response),
        None => json_response(StatusCode::NOT_FOUND, &json!({"error": "not_found"})),
    }
}

/// RFC 8414 §2.
fn metadata(issuer: &State) -> Value {
    let url = &issuer.url;
    let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];
    let algorithms: Vec<_> =
        iter::once(Algorithm::Hs256).chain(clients::algorithms().iter()).map(Algorithm::name).collect();
    json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks"),
        "token_endpoint": format!("{url}/token"),
        "introspection_endpoint": format!("{url}/introspect"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
    })
}

/// RFC 7662 §2, and signed where that is asked for (RFC 9701 §4).
fn introspection(issuer: &State, exchange: &Exchange<'_>) -> Result<Response<Vec<u8>>, TokenError> {
    let form = form(exchange);
    let (client, _) = authenticated(issuer, exchange, &form)?;
    let token = parameter(&form, "token").ok_or(TokenError::MissingToken)?;
    let answer = issuer.opaque.introspect(token, issuer.clock.wall());
    let mut response = if exchange.headers.get(ACCEPT).is_some_and(|accept| accept == SIGNED) {
        let jwt = issuer.token(&client).header("typ", "token-introspection+jwt");
        let jwt = ["sub", "client_id", "jti", "exp"].into_iter().fold(jwt, |jwt, claim| jwt.without(claim));
        let mut response = Response::new(jwt.claim("token_introspection", answer).mint().into_bytes());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(SIGNED));
        response
    } else {
        json_response(StatusCode::OK, &answer)
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The media type of a signed answer.
const SIGNED: &str = "application/token-introspection+jwt";

pub(super) type Form = Vec<(String, String)>;

fn form(exchange: &Exchange<'_>) -> Form {
    form_urlencoded::parse(exchange.body).into_owned().collect()
}

pub(super) fn parameter<'f>(form: &'f Form, name: &str) -> Option<&'f str> {
    form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Client credentials (RFC 6749 §4.4) with a resource indicator (RFC 8707 §2).
fn token(issuer: &State, exchange: &Exchange<'_>) -> Result<Response<Vec<u8>>, TokenError> {
    let form = form(exchange);
    let (id, client) = authenticated(issuer, exchange, &form)?;
    let parameter = |name: &str| parameter(&form, name);
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
    fn into_response(self) -> Response<Vec<u8>> {
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

fn json_response(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_string().into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
