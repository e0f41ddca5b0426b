//! How does a device without a browser ask its user? (RFC 8628)

use http::{HeaderValue, Response, StatusCode, header::CACHE_CONTROL};
use serde_json::json;

use crate::testing::{
    authorization::{
        consent::Consent,
        decision::{Decision, read_decision},
        devices::{Asked, INTERVAL, LIFETIME, NoDevice},
        families::family_name,
        grant::{begun, is_within},
        page,
        request::resources,
        same_origin::{is_no_page, is_of_another_site},
    },
    clients::identified,
    endpoints::{Exchange, json_response, not_found},
    form::Form,
    issuer::State,
    token_endpoint::TokenError,
};

/// Codes for the device and for its user (§3.1, §3.2).
pub(in crate::testing) fn device_authorization(
    issuer: &State,
    exchange: &Exchange<'_>,
) -> Result<Response<Vec<u8>>, TokenError> {
    let form = Form::parse(exchange.body);
    if is_of_another_site(issuer, exchange.headers) {
        return Err(TokenError::InvalidRequest("a web page of another site asks"));
    }
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

/// What the user's browser is shown (§3.3): a field for the code, then what the device wants. Where consent is settled, it is given or refused
/// at once.
pub(in crate::testing) fn device_page(issuer: &State, exchange: &Exchange<'_>) -> Response<Vec<u8>> {
    let form = Form::parse(exchange.query.as_bytes());
    let Some(typed) = form.once("user_code").ok().flatten() else { return page::device_code(false) };
    if is_no_page(exchange.headers) {
        return page::notice(StatusCode::FORBIDDEN, "A device is connected on a page of its own.");
    }
    let (authorization, now) = (&issuer.authorization, issuer.clock.wall());
    let subject = match &authorization.consent {
        Consent::AskedOf(users) => {
            return match authorization.devices.asked(typed, now) {
                Ok((asked, code)) => {
                    let client = issuer.clients.get(&asked.client_id);
                    let name = client.and_then(|client| client.name.clone());
                    page::device_question(issuer, &asked, name.as_deref(), users, &code)
                }
                Err(none) => no_device(none),
            };
        }
        Consent::Denied => None,
        Consent::GivenBy(subject) => Some(subject.as_str()),
    };
    decided(issuer, typed, subject)
}

/// What a user decided on the page.
pub(in crate::testing) fn decide_device(issuer: &State, exchange: &Exchange<'_>) -> Response<Vec<u8>> {
    let Consent::AskedOf(users) = &issuer.authorization.consent else { return not_found() };
    if is_of_another_site(issuer, exchange.headers) {
        return page::notice(StatusCode::FORBIDDEN, "This came from another page, and decides nothing.");
    }
    let form = Form::parse(exchange.body);
    match (form.once("user_code"), read_decision(&form, users)) {
        (Ok(Some(typed)), Ok(Some(Decision::Allowed(user)))) => decided(issuer, typed, Some(&user.subject)),
        (Ok(Some(typed)), Ok(Some(Decision::Denied))) => decided(issuer, typed, None),
        _ => page::notice(StatusCode::BAD_REQUEST, "Pick a user of the list, and allow or deny."),
    }
}

fn decided(issuer: &State, typed: &str, subject: Option<&str>) -> Response<Vec<u8>> {
    match issuer.authorization.devices.decide(typed, subject, issuer.clock.wall()) {
        Ok(()) if subject.is_some() => page::device_answer("The device may go on"),
        Ok(()) => page::device_answer("The device was refused"),
        Err(none) => no_device(none),
    }
}

fn no_device(why: NoDevice) -> Response<Vec<u8>> {
    match why {
        NoDevice::Unknown => page::device_code(true),
        NoDevice::TooManyTries => {
            page::notice(StatusCode::TOO_MANY_REQUESTS, "Too many codes were tried. Wait a minute.")
        }
    }
}

/// A token for a device whose user has said yes (§3.4).
pub(in crate::testing) fn device_code_for_token(
    issuer: &State,
    client_id: &str,
    form: &Form,
) -> Result<Response<Vec<u8>>, TokenError> {
    let code = form.once("device_code")?.ok_or(TokenError::InvalidRequest("device_code is missing"))?;
    issuer.authorization.devices.poll(code, client_id, issuer.clock.wall(), |consented| {
        is_within(form, consented)?;
        begun(issuer, form, consented, None, &family_name())
    })
}

/// RFC 8628 §3.4.
pub(in crate::testing) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
