//! Who asks the embedded issuer?

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header::AUTHORIZATION};
use serde_json::Value;
use url::form_urlencoded;

use crate::{
    introspection::assertion::ASSERTION_TYPE,
    keys::{
        algorithm::{Algorithm, AlgorithmSet},
        set::KeySet,
    },
    testing::{
        authorization::RedirectUri, endpoints::Exchange, form::Form, issuer::State, jws::Jws,
        token_endpoint::TokenError,
    },
    token::scope::Scopes,
};

/// Those that the issuer knows.
#[derive(Debug)]
pub(super) struct Clients {
    /// From the start.
    configured: HashMap<String, Arc<Client>>,
    /// By themselves (RFC 7591).
    registered: Mutex<HashMap<String, Arc<Client>>>,
}

impl Clients {
    pub(super) fn new(configured: HashMap<String, Client>) -> Self {
        let configured = configured.into_iter().map(|(id, client)| (id, Arc::new(client))).collect();
        Self { configured, registered: Mutex::default() }
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Client>> {
        let configured = self.configured.get(id).cloned();
        configured.or_else(|| self.registered.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned())
    }

    /// Takes one in, if there are not too many.
    pub(super) fn register(&self, id: String, client: Client) -> bool {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = registered.len() < MAX_REGISTERED_CLIENTS;
        if has_room {
            registered.insert(id, Arc::new(client));
        }
        has_room
    }
}

/// One that is registered with the issuer.
#[derive(Debug)]
pub(super) struct Client {
    proof: Proof,
    /// What it may ask for; `None`: what the issuer has.
    scopes: Option<Scopes>,
    /// Where it may let users be sent.
    pub(super) redirect_uris: Vec<RedirectUri>,
    /// It gets access tokens that only the issuer can read.
    pub(super) is_opaque: bool,
    /// What it calls itself, which nobody has checked.
    pub(super) name: Option<String>,
}

/// What a client shows that it is the one.
enum Proof {
    Key(KeySet),
    /// It cannot prove it: a public client (RFC 6749 §2.1).
    Nothing,
    Secret(String),
}

impl Client {
    pub(super) fn with_secret(secret: String, scopes: Scopes) -> Self {
        Self {
            proof: Proof::Secret(secret),
            scopes: Some(scopes),
            redirect_uris: Vec::new(),
            is_opaque: false,
            name: None,
        }
    }

    pub(super) fn public(redirect_uris: Vec<RedirectUri>, scopes: Option<Scopes>) -> Self {
        Self { proof: Proof::Nothing, scopes, redirect_uris, is_opaque: false, name: None }
    }

    pub(super) fn named(self, name: Option<String>) -> Self {
        Self { name, ..self }
    }

    /// Panics for a JWK that is no public signature key which this build can use.
    pub(super) fn with_key(jwk: &str, scopes: Scopes) -> Self {
        let keys = KeySet::parse(format!("{{\"keys\":[{jwk}]}}").as_bytes(), &algorithms())
            .expect("the client's key is a JWK in JSON");
        let skipped = keys.skipped().first().map(|skipped| skipped.reason.to_string());
        assert_eq!(skipped, None, "the client's key is a public signature key that this build can use");
        assert!(!keys.is_empty(), "the client's key is missing");
        Self {
            proof: Proof::Key(keys),
            scopes: Some(scopes),
            redirect_uris: Vec::new(),
            is_opaque: false,
            name: None,
        }
    }

    pub(super) fn is_public(&self) -> bool {
        matches!(self.proof, Proof::Nothing)
    }

    /// The scope that it asks for, if it may have all of it; where it asks for none, all that is registered for it (RFC 6749 §3.3).
    pub(super) fn granted(&self, issuer: &State, asked: Option<&str>) -> Option<String> {
        let Some(asked) = asked else {
            return Some(self.scopes.as_ref().map(Scopes::to_string).unwrap_or_default());
        };
        let asked = Scopes::parse(asked).ok().filter(|_| asked.len() <= MAX_SCOPE_BYTES)?;
        let allowed = self.scopes.as_ref().or(issuer.authorization.scopes.as_ref());
        let may_have = |scope| allowed.is_none_or(|allowed| allowed.iter().any(|known| known == scope));
        let mut granted: Vec<&str> = Vec::new();
        for scope in asked.iter() {
            if !may_have(scope) {
                return None;
            }
            if !granted.contains(&scope) {
                granted.push(scope);
            }
        }
        Some(granted.join(" "))
    }

    /// Whether the client signed this. One with a key is not taken for one with a secret.
    fn signed(&self, assertion: &Jws<'_>) -> bool {
        match &self.proof {
            Proof::Key(keys) => assertion.is_by(keys),
            Proof::Nothing => false,
            Proof::Secret(secret) => assertion.is_by_secret(secret),
        }
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key",
            Self::Nothing => "Nothing",
            Self::Secret(_) => "Secret",
        })
    }
}

/// What a client's key may sign by.
pub(super) fn algorithms() -> AlgorithmSet {
    AlgorithmSet::new(Algorithm::ALL.iter().copied().filter(|algorithm| algorithm.is_supported()))
}

/// The client, if it proves that it is the one.
pub(super) fn authenticated(
    issuer: &State,
    exchange: &Exchange<'_>,
    form: &Form,
) -> Result<(String, Arc<Client>), TokenError> {
    let known = identified(issuer, exchange, form)?;
    if known.1.is_public() { Err(TokenError::InvalidClient) } else { Ok(known) }
}

/// The client, by exactly one method (RFC 6749 §2.3): both of its §2.3.1, an assertion (RFC 7523 §2.2), or its mere name where it has
/// nothing else (RFC 6749 §3.2.1).
pub(super) fn identified(
    issuer: &State,
    exchange: &Exchange<'_>,
    form: &Form,
) -> Result<(String, Arc<Client>), TokenError> {
    let named = form.once("client_id")?;
    let field = exchange.headers.get(AUTHORIZATION);
    let assertion_type = form.once("client_assertion_type")?;
    // An empty secret is one, and wrong.
    let secret = form.once("client_secret").map(|_| form.first("client_secret"))?;
    let id = match (field, secret, form.once("client_assertion")?) {
        (Some(field), None, None) => {
            let credentials = basic_credentials(field);
            credentials.filter(|(id, secret)| knows(issuer, id, secret)).map(|(id, _)| id)
        }
        (None, Some(secret), None) => named.filter(|id| knows(issuer, id, secret)).map(str::to_owned),
        (None, None, Some(assertion)) if assertion_type == Some(ASSERTION_TYPE) => {
            asserted(issuer, assertion)
        }
        (None, None, None) => {
            let is_public = |id: &str| issuer.clients.get(id).is_some_and(|client| client.is_public());
            named.filter(|id| is_public(id)).map(str::to_owned)
        }
        _ => None,
    };
    // Where the name stands there beside something else, it says the same (RFC 7521 §4.2).
    let id = id.filter(|id| named.is_none_or(|named| named == id)).ok_or(TokenError::InvalidClient)?;
    let client = issuer.clients.get(&id).ok_or(TokenError::InvalidClient)?;
    Ok((id, client))
}

fn knows(issuer: &State, id: &str, secret: &str) -> bool {
    let client = issuer.clients.get(id);
    client.is_some_and(|client| matches!(&client.proof, Proof::Secret(known) if known == secret))
}

/// The client that made an assertion (RFC 7523 §3).
fn asserted(issuer: &State, assertion: &str) -> Option<String> {
    let assertion = Jws::parse(assertion)?;
    let id = assertion.claim("sub")?;
    let is_good = issuer.clients.get(id)?.signed(&assertion)
        && assertion.claim("iss") == Some(id)
        && is_made_out_to(issuer, assertion.claims.get("aud")?)
        && assertion.is_in_time(issuer.clock.wall())
        && assertion.claim("jti").is_some();
    is_good.then(|| id.to_owned())
}

/// To the issuer, or to the endpoint that older clients name (RFC 7523 §3).
fn is_made_out_to(issuer: &State, audience: &Value) -> bool {
    let url = &issuer.url;
    let is_ours = |audience: &Value| {
        audience.as_str().and_then(|audience| audience.strip_prefix(url.as_str())).is_some_and(|rest| {
            matches!(rest, "" | "/device_authorization" | "/introspect" | "/revoke" | "/token")
        })
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
    // Each half is one value, and no form of several.
    if pair.contains(['=', '&']) {
        return None;
    }
    let decode = |half: &str| {
        let (name, _) = form_urlencoded::parse(half.as_bytes()).next().unwrap_or_default();
        name.into_owned()
    };
    Some((decode(id), decode(secret)))
}

/// Of what a client asks for at once.
const MAX_SCOPE_BYTES: usize = 4096;

/// Each start of an application may register one; a server that shall run for months is not this one. Each has at most 16 KiB of
/// redirect URIs.
const MAX_REGISTERED_CLIENTS: usize = 1000;
