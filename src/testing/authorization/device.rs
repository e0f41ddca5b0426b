//! How does a device without a browser ask its user? (RFC 8628)

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::json;

use crate::testing::{
    authorization::{
        consent::Consent,
        devices::{Asked, INTERVAL, LIFETIME, NoDevice},
        families::family_name,
        grant::audience,
        request::resources,
    },
    clients::identified,
    endpoints::{Exchange, json_response},
    form::Form,
    issuer::State,
    token_endpoint::{TokenError, token_response},
};

/// Codes for the device and for its user (§3.1, §3.2).
pub(in crate::testing) fn device_authorization(
    issuer: &State,
    exchange: &Exchange<'_>,
) -> Result<Response<Vec<u8>>, TokenError> {
    let form = Form::parse(exchange.body);
    let (client_id, client) = identified(issuer, exchange, &form)?;
    let scope = client.granted(issuer, form.once("scope")?).ok_or(TokenError::InvalidScope)?;
    let resources = resources(issuer, &form)
        .ok_or(TokenError::InvalidTarget("resource is missing, or no absolute URI without fragment"))?;
    let asked = Asked { client_id, resources, scope };
    let codes = issuer.authorization.devices.begin(asked, issuer.clock.wall());
    let codes = codes.ok_or(TokenError::TemporarilyUnavailable)?;
    let page = format!("{}/device", issuer.url);
    let mut response = json_response(
        StatusCode::OK,
        &json!({
            "device_code": codes.device_code,
            "user_code": codes.user_code,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={}", codes.user_code),
            "expires_in": LIFETIME.as_secs(),
            "interval": INTERVAL.as_secs(),
        }),
    );
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What the user's browser is shown (§3.3). Consent is settled: with the code, it is given or refused at once.
pub(in crate::testing) fn device_page(issuer: &State, exchange: &Exchange<'_>) -> Response<Vec<u8>> {
    let form = Form::parse(exchange.query.as_bytes());
    let Some(typed) = form.once("user_code").ok().flatten() else { return page(StatusCode::OK, ASK) };
    let subject = match &issuer.authorization.consent {
        Consent::Denied => None,
        Consent::GivenBy(subject) => Some(subject.as_str()),
    };
    match issuer.authorization.devices.decide(typed, subject, issuer.clock.wall()) {
        Ok(()) if subject.is_some() => {
            page(StatusCode::OK, "<p>The device may go on. This page can be closed.</p>")
        }
        Ok(()) => page(StatusCode::OK, "<p>The device was refused. This page can be closed.</p>"),
        Err(NoDevice::Unknown) => page(StatusCode::NOT_FOUND, "<p>No device waits with this code.</p>"),
        Err(NoDevice::TooManyTries) => {
            page(StatusCode::TOO_MANY_REQUESTS, "<p>Too many codes were tried. Wait a minute.</p>")
        }
    }
}

/// Nothing of the request is shown.
fn page(status: StatusCode, content: &str) -> Response<Vec<u8>> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Test issuer</title><h1>Test issuer, not for production</h1>{content}</html>"
    );
    let mut response = Response::new(html.into_bytes());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("content-security-policy", HeaderValue::from_static(CONTENT_POLICY));
    response
}

const ASK: &str = "<form action=\"/device\"><label>The code that the device shows \
     <input name=\"user_code\" autocomplete=\"off\" required></label> <button>Go on</button></form>";

const CONTENT_POLICY: &str = "default-src 'none'; form-action 'self'; frame-ancestors 'none'";

/// A token for a device whose user has said yes (§3.4).
pub(in crate::testing) fn device_code_for_token(
    issuer: &State,
    client_id: &str,
    form: &Form,
) -> Result<Response<Vec<u8>>, TokenError> {
    let code = form.once("device_code")?.ok_or(TokenError::InvalidRequest("device_code is missing"))?;
    let consented = issuer.authorization.devices.poll(code, client_id, issuer.clock.wall())?;
    let token = issuer.token().subject(&consented.subject).client_id(client_id);
    // What is named here beside it does not count: the user consented to what was named first.
    let token = audience(token, &Form::parse(b""), &consented);
    let refresh = issuer.authorization.families.begin(family_name(), consented.clone(), issuer.clock.wall());
    token_response(issuer, token, &consented.scope, refresh)
}

/// RFC 8628 §3.4.
pub(in crate::testing) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
