//! What does the embedded issuer answer, before anything goes wrong?

use std::iter;

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::{Value, json};

use crate::{
    keys::algorithm::Algorithm,
    testing::{
        authorization::{
            DEVICE_CODE, authorize, decide, decide_device, device_authorization, device_page, register,
            revoke,
        },
        clients::{self, authenticated},
        fault::Endpoint,
        form::Form,
        issuer::State,
        token_endpoint::{TokenError, token},
    },
};

/// One request, as far as it matters.
pub(super) struct Exchange<'r> {
    pub(super) method: &'r Method,
    pub(super) path: &'r str,
    /// Empty where there is none.
    pub(super) query: &'r str,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: &'r [u8],
}

pub(super) fn answer(issuer: &State, exchange: &Exchange<'_>) -> Response<Vec<u8>> {
    match Endpoint::of(exchange.method, exchange.path) {
        Some(Endpoint::Authorization) => authorize(issuer, exchange),
        Some(Endpoint::Consent) => decide(issuer, exchange),
        Some(Endpoint::Device) if exchange.method == Method::POST => decide_device(issuer, exchange),
        Some(Endpoint::Device) => device_page(issuer, exchange),
        Some(Endpoint::DeviceAuthorization) => {
            device_authorization(issuer, exchange).unwrap_or_else(TokenError::into_response)
        }
        Some(Endpoint::Metadata) => json_response(StatusCode::OK, &metadata(issuer)),
        Some(Endpoint::Jwks) => json_response(StatusCode::OK, &issuer.jwks()),
        Some(Endpoint::Introspection) => {
            introspection(issuer, exchange).unwrap_or_else(TokenError::into_response)
        }
        Some(Endpoint::Registration) => register(issuer, exchange),
        Some(Endpoint::Revocation) => revoke(issuer, exchange).unwrap_or_else(TokenError::into_response),
        Some(Endpoint::Token) => token(issuer, exchange).unwrap_or_else(TokenError::into_response),
        None => not_found(),
    }
}

/// RFC 8414 §2 and OpenID Connect Discovery §3, with RFC 7591 §5, RFC 7636 §6.2 and RFC 9207 §3.
fn metadata(issuer: &State) -> Value {
    let url = &issuer.url;
    let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];
    let or_none: Vec<_> = methods.into_iter().chain(["none"]).collect();
    let algorithms: Vec<_> =
        iter::once(Algorithm::Hs256).chain(clients::algorithms().iter()).map(Algorithm::name).collect();
    let mut metadata = json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks"),
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "registration_endpoint": format!("{url}/register"),
        "introspection_endpoint": format!("{url}/introspect"),
        "revocation_endpoint": format!("{url}/revoke"),
        "device_authorization_endpoint": format!("{url}/device_authorization"),
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token", DEVICE_CODE],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [issuer.algorithm().name()],
        "token_endpoint_auth_methods_supported": or_none,
        "revocation_endpoint_auth_methods_supported": or_none,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
    });
    if let (Some(scopes), Some(members)) = (&issuer.authorization.scopes, metadata.as_object_mut()) {
        members.insert("scopes_supported".into(), scopes.iter().collect());
    }
    metadata
}

/// RFC 7662 §2, and signed where that is asked for (RFC 9701 §4).
fn introspection(issuer: &State, exchange: &Exchange<'_>) -> Result<Response<Vec<u8>>, TokenError> {
    let form = Form::parse(exchange.body);
    let (client, _) = authenticated(issuer, exchange, &form)?;
    let token = form.once("token")?.ok_or(TokenError::InvalidRequest("token is missing"))?;
    let goes_on = |family: &str| issuer.authorization.goes_on(family);
    let answer = issuer.opaque.introspect(token, issuer.clock.wall(), goes_on).or_else(|| {
        let mut claims = issuer.claims_of(token)?;
        claims.extend([("active".into(), true.into()), ("token_type".into(), "Bearer".into())]);
        Some(Value::Object(claims))
    });
    let answer = answer.unwrap_or_else(|| json!({"active": false}));
    let mut response = if exchange.headers.get(ACCEPT).is_some_and(|accept| accept == SIGNED) {
        let jwt = issuer.token().audience(&client).header("typ", "token-introspection+jwt");
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

pub(super) fn not_found() -> Response<Vec<u8>> {
    json_response(StatusCode::NOT_FOUND, &json!({"error": "not_found"}))
}

pub(super) fn json_response(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_string().into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
