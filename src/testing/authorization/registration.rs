//! How does a client make itself known? (RFC 7591)

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::json;

use crate::testing::{
    authorization::{device::DEVICE_CODE, random::unguessable, redirect::RedirectUri},
    clients::Client,
    endpoints::{Exchange, json_response},
    issuer::State,
};

/// What it says of itself, as far as it matters. A scope that stands there does not bind it: what a client needs shows later, where
/// the resource server asks for more.
#[derive(Deserialize)]
struct Introduction {
    client_name: Option<String>,
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
}

/// Takes in a public client: it has redirect URIs, and nothing to prove itself by.
pub(in crate::testing) fn register(issuer: &State, exchange: &Exchange<'_>) -> Response<Vec<u8>> {
    let mut response = taken_in(issuer, exchange).unwrap_or_else(RegistrationError::into_response);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn taken_in(issuer: &State, exchange: &Exchange<'_>) -> Result<Response<Vec<u8>>, RegistrationError> {
    use RegistrationError::{InvalidClientMetadata, InvalidRedirectUri, TooMany};
    // RFC 7591 §3.1. Anything else a page of any origin may send without being asked who it is.
    let media_type = exchange.headers.get(CONTENT_TYPE).and_then(|field| field.to_str().ok());
    let media_type = media_type.and_then(|field| field.split(';').next()).map(str::trim);
    if !media_type.is_some_and(|field| field.eq_ignore_ascii_case("application/json")) {
        return Err(InvalidClientMetadata("the content is not application/json"));
    }
    let introduction: Introduction = serde_json::from_slice(exchange.body)
        .map_err(|_| InvalidClientMetadata("the content is not client metadata in JSON"))?;
    if introduction.token_endpoint_auth_method.is_some_and(|method| method != "none") {
        return Err(InvalidClientMetadata("token_endpoint_auth_method is not none"));
    }
    let lacks =
        |list: Option<Vec<String>>, word: &str| list.is_some_and(|list| list.iter().all(|one| one != word));
    if lacks(introduction.grant_types, "authorization_code") || lacks(introduction.response_types, "code") {
        return Err(InvalidClientMetadata("grant_types lacks authorization_code, or response_types code"));
    }
    let redirect_uris = introduction.redirect_uris.unwrap_or_default();
    if redirect_uris.is_empty() || redirect_uris.len() > MAX_REDIRECT_URIS {
        return Err(InvalidRedirectUri("redirect_uris has none, or too many"));
    }
    let redirect_uris = redirect_uris.iter().map(|uri| RedirectUri::parse(uri)).collect::<Option<Vec<_>>>();
    let redirect_uris = redirect_uris.ok_or(InvalidRedirectUri(
        "a redirect URI is neither https, nor http on loopback, nor an application's own",
    ))?;
    let id = unguessable("client");
    // The client is told what is left of it (RFC 7591 §3.2.1).
    let name = introduction.client_name.filter(|name| !name.trim().is_empty());
    let name: Option<String> = name.map(|name| name.chars().take(MAX_NAME_CHARACTERS).collect());
    let mut answer = json!({
        "client_id": id,
        "client_id_issued_at": issuer.clock.wall().as_secs(),
        "redirect_uris": redirect_uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>(),
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token", DEVICE_CODE],
        "response_types": ["code"],
    });
    if let (Some(name), Some(members)) = (&name, answer.as_object_mut()) {
        members.insert("client_name".into(), name.as_str().into());
    }
    if issuer.clients.register(id, Client::public(redirect_uris, None).named(name)) {
        Ok(json_response(StatusCode::CREATED, &answer))
    } else {
        Err(TooMany)
    }
}

/// RFC 7591 §3.2.2.
#[derive(Clone, Copy, Debug)]
enum RegistrationError {
    InvalidClientMetadata(&'static str),
    InvalidRedirectUri(&'static str),
    TooMany,
}

impl RegistrationError {
    fn into_response(self) -> Response<Vec<u8>> {
        let (status, code, description) = match self {
            Self::InvalidClientMetadata(what) => (StatusCode::BAD_REQUEST, "invalid_client_metadata", what),
            Self::InvalidRedirectUri(what) => (StatusCode::BAD_REQUEST, "invalid_redirect_uri", what),
            Self::TooMany => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "too many clients are registered",
            ),
        };
        json_response(status, &json!({"error": code, "error_description": description}))
    }
}

/// A name is a few words.
const MAX_NAME_CHARACTERS: usize = 200;

/// An application has one, or one per platform.
const MAX_REDIRECT_URIS: usize = 8;
