//! Who has signed in? (OpenID Connect Core §3.1.3.7)

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearergate::UnixTime;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct IdClaims {
    iss: String,
    sub: String,
    aud: Value,
    azp: Option<String>,
    /// Perhaps with a fraction (RFC 7519 §2).
    exp: f64,
    nonce: Option<String>,
    name: Option<String>,
    preferred_username: Option<String>,
}

/// Somebody, as the issuer calls them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    pub(crate) subject: String,
    pub(crate) name: String,
}

/// What the ID token says. It came from the token endpoint itself, over a connection that nobody else is on: TLS, or loopback; so its
/// signature need not be checked (§3.1.3.7, 6). Everything else must be.
pub(crate) fn identity(
    id_token: &str,
    issuer: &str,
    client_id: &str,
    nonce: &str,
    now: UnixTime,
) -> Result<Identity, &'static str> {
    let payload = id_token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice::<IdClaims>(&payload).ok());
    let claims = claims.ok_or("it cannot be read")?;
    if claims.iss != issuer {
        return Err("it is of another issuer");
    }
    // For nobody else: this page knows of nobody whom it would trust with its users.
    let is_for_us = match &claims.aud {
        Value::Array(several) => !several.is_empty() && several.iter().all(|one| one == client_id),
        one => one == client_id,
    };
    if !is_for_us || claims.azp.is_some_and(|party| party != client_id) {
        return Err("it is for another client");
    }
    if claims.exp * 1000.0 <= now.as_millis() as f64 {
        return Err("it is expired");
    }
    if claims.nonce.as_deref() != Some(nonce) {
        return Err("it answers another request");
    }
    let name = claims.name.or(claims.preferred_username).unwrap_or_else(|| claims.sub.clone());
    Ok(Identity { subject: claims.sub, name })
}
