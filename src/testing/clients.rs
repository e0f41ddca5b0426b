//! Who asks the embedded issuer?

use std::fmt;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderValue, header::AUTHORIZATION};
use serde_json::Value;
use url::form_urlencoded;

use crate::{
    introspection::assertion::{ASSERTION_TYPE, is_by_secret},
    keys::{
        algorithm::{Algorithm, AlgorithmSet},
        set::{KeySet, Selection},
    },
    testing::{endpoints::Exchange, form::Form, issuer::State, token_endpoint::TokenError},
    token::scope::Scopes,
};

/// One that is registered with the issuer.
#[derive(Debug)]
pub(super) struct Client {
    proof: Proof,
    pub(super) scopes: Scopes,
}

/// What a client shows that it is the one.
enum Proof {
    Key(KeySet),
    Secret(String),
}

impl Client {
    pub(super) fn with_secret(secret: String, scopes: Scopes) -> Self {
        Self { proof: Proof::Secret(secret), scopes }
    }

    /// Panics for a JWK that is no public signature key which this build can use.
    pub(super) fn with_key(jwk: &str, scopes: Scopes) -> Self {
        let keys = KeySet::parse(format!("{{\"keys\":[{jwk}]}}").as_bytes(), &algorithms())
            .expect("the client's key is a JWK in JSON");
        let skipped = keys.skipped().first().map(|skipped| skipped.reason.to_string());
        assert_eq!(skipped, None, "the client's key is a public signature key that this build can use");
        assert!(!keys.is_empty(), "the client's key is missing");
        Self { proof: Proof::Key(keys), scopes }
    }

    /// Whether the client signed this (RFC 7515 §5.2). A client with a key is not taken for one with a secret.
    fn signed(&self, header: &Value, input: &str, signature: &[u8]) -> bool {
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
        match (&self.proof, algorithm) {
            (Proof::Secret(secret), Some(Algorithm::Hs256)) => is_by_secret(secret, input, signature),
            (Proof::Key(keys), Some(algorithm)) => {
                let kid = header.get("kid").and_then(Value::as_str);
                let Selection::Keys(keys) = keys.select(algorithm, kid) else { return false };
                keys.into_iter().flatten().any(|key| key.verify(input.as_bytes(), signature))
            }
            (Proof::Secret(_), _) | (Proof::Key(_), None) => false,
        }
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key",
            Self::Secret(_) => "Secret",
        })
    }
}

/// What a client's key may sign by.
pub(super) fn algorithms() -> AlgorithmSet {
    AlgorithmSet::new(Algorithm::ALL.iter().copied().filter(|algorithm| algorithm.is_supported()))
}

/// The client, by exactly one method (RFC 6749 §2.3): both of its §2.3.1, and an assertion (RFC 7523 §2.2).
pub(super) fn authenticated<'i>(
    issuer: &'i State,
    exchange: &Exchange<'_>,
    form: &Form,
) -> Result<(String, &'i Client), TokenError> {
    let parameter = |name| form.first(name);
    let field = exchange.headers.get(AUTHORIZATION);
    let id = match (field, parameter("client_secret"), parameter("client_assertion")) {
        (Some(field), None, None) => {
            let credentials = basic_credentials(field);
            credentials.filter(|(id, secret)| knows(issuer, id, secret)).map(|(id, _)| id)
        }
        (None, Some(secret), None) => {
            parameter("client_id").filter(|id| knows(issuer, id, secret)).map(str::to_owned)
        }
        (None, None, Some(assertion)) if parameter("client_assertion_type") == Some(ASSERTION_TYPE) => {
            let id = asserted(issuer, assertion);
            // RFC 7521 §4.2: it may stand there, and says the same then.
            id.filter(|id| parameter("client_id").is_none_or(|named| named == id))
        }
        _ => None,
    };
    let id = id.ok_or(TokenError::InvalidClient)?;
    let client = issuer.clients.get(&id).ok_or(TokenError::InvalidClient)?;
    Ok((id, client))
}

fn knows(issuer: &State, id: &str, secret: &str) -> bool {
    let proof = issuer.clients.get(id).map(|client| &client.proof);
    matches!(proof, Some(Proof::Secret(known)) if known == secret)
}

/// The client that made an assertion (RFC 7523 §3).
fn asserted(issuer: &State, assertion: &str) -> Option<String> {
    let (input, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = input.split_once('.')?;
    let read = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    let (header, claims) = (read(header)?, read(claims)?);
    let id = claims.get("sub")?.as_str()?;
    let client = issuer.clients.get(id)?;
    let is_good = client.signed(&header, input, &URL_SAFE_NO_PAD.decode(signature).ok()?)
        && claims.get("iss")?.as_str()? == id
        && is_made_out_to(issuer, claims.get("aud")?)
        && claims.get("exp")?.as_i64()? > issuer.clock.wall().as_secs()
        && claims.get("jti")?.is_string();
    is_good.then(|| id.to_owned())
}

/// To the issuer, or to the endpoint that older clients name (RFC 7523 §3).
fn is_made_out_to(issuer: &State, audience: &Value) -> bool {
    let url = &issuer.url;
    let is_ours = |audience: &Value| {
        audience
            .as_str()
            .and_then(|audience| audience.strip_prefix(url.as_str()))
            .is_some_and(|rest| matches!(rest, "" | "/introspect" | "/token"))
    };
    audience.as_array().map_or_else(|| is_ours(audience), |list| list.iter().any(is_ours))
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
