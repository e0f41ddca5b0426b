//! Who asks the embedded issuer?

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header::AUTHORIZATION};
use url::form_urlencoded;

use crate::{
    testing::{
        endpoints::{Exchange, Form, TokenError, parameter},
        issuer::State,
    },
    token::scope::Scopes,
};

/// One that is registered with the issuer.
pub(super) struct Client {
    pub(super) secret: String,
    pub(super) scopes: Scopes,
}

/// The client, by either method of RFC 6749 §2.3.1.
pub(super) fn authenticated<'i>(
    issuer: &'i State,
    exchange: &Exchange<'_>,
    form: &Form,
) -> Result<(String, &'i Client), TokenError> {
    let basic = exchange
        .headers
        .get(AUTHORIZATION)
        .map(|field| basic_credentials(field).ok_or(TokenError::InvalidClient));
    let (id, secret) = match basic.transpose()? {
        Some(credentials) => credentials,
        None => match (parameter(form, "client_id"), parameter(form, "client_secret")) {
            (Some(id), Some(secret)) => (id.to_owned(), secret.to_owned()),
            _ => return Err(TokenError::InvalidClient),
        },
    };
    let client =
        issuer.clients.get(&id).filter(|client| client.secret == secret).ok_or(TokenError::InvalidClient)?;
    Ok((id, client))
}

/// Both halves are form-encoded (RFC 6749 §2.3.1).
fn basic_credentials(field: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = field.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode = |half: &str| {
        let (name, _) = form_urlencoded::parse(half.as_bytes()).next().unwrap_or_default();
        name.into_owned()
    };
    Some((decode(id), decode(secret)))
}
