//! Tokens that only the issuer can read, and what it says of them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    clock::UnixTime,
    introspection::auth::ClientAuth,
    server::issuer::Issuer,
    testing::{
        authorization::unguessable,
        issuer::{State, TestIssuer},
        token_endpoint::TokenError,
    },
};

/// An opaque access token in the making: active until it expires or is [revoked](super::TestIssuer::revoke). Made by
/// [`TestIssuer::opaque_token`](super::TestIssuer::opaque_token).
#[derive(Clone)]
#[must_use = "a token does not exist until it is minted"]
pub struct OpaqueTokenBuilder {
    issuer: Arc<State>,
    claims: Map<String, Value>,
}

impl OpaqueTokenBuilder {
    pub(super) fn new(issuer: Arc<State>) -> Self {
        let url = issuer.url.clone();
        let audience = issuer.default_audience.clone();
        let (now, lifetime) = (issuer.clock.wall().as_secs(), issuer.lifetime);
        let builder = Self { issuer, claims: Map::new() }
            .claim("iss", url)
            .claim("iat", now)
            .claim("token_type", "Bearer")
            .subject("test-user")
            .client_id("test-client")
            .expires_in(lifetime);
        match audience {
            Some(audience) => builder.audience(audience),
            None => builder,
        }
    }

    /// Sets `sub`. **Default:** `test-user`.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// Sets `client_id`. **Default:** `test-client`.
    pub fn client_id(self, client_id: impl Into<String>) -> Self {
        self.claim("client_id", client_id.into())
    }

    /// Sets `aud`. **Default:** the issuer's default audience, if it has one.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.claim("aud", audience.into())
    }

    /// Sets `scope`, words with spaces between. **Default:** absent.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.claim("scope", scope.into())
    }

    /// Sets `exp` so much later than now. **Default:** the issuer's [lifetime](super::TestIssuerBuilder::access_token_lifetime), 300 s.
    pub fn expires_in(self, lifetime: Duration) -> Self {
        let exp = self.issuer.clock.wall().saturating_add(lifetime).as_secs();
        self.claim("exp", exp)
    }

    /// Sets any member of the answer, also to a value that it must not have.
    ///
    /// # Panics
    ///
    /// When the value is not JSON.
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), serde_json::to_value(value).expect("the value is JSON"));
        self
    }

    /// Leaves a member out of the answer.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// The token, known to the issuer from now on.
    pub fn mint(&self) -> String {
        self.mint_as(format!("opaque-{:032x}", fastrand::u128(..)))
    }

    /// The token with this very text.
    pub fn mint_as(&self, token: impl Into<String>) -> String {
        let token = token.into();
        let known = Known { claims: self.claims.clone(), family: None, is_ended_jwt: false };
        self.issuer.opaque.lock().insert(token.clone(), known);
        token
    }
}

impl fmt::Debug for OpaqueTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpaqueTokenBuilder").finish_non_exhaustive()
    }
}

impl TestIssuer {
    /// This issuer as one that a resource server asks about each token. The credentials are those of one of its
    /// [clients](super::TestIssuerBuilder::client), by [`ClientAuth::basic`], [`ClientAuth::post`] or
    /// [`ClientAuth::client_secret_jwt`], or by [`ClientAuth::private_key_jwt`] for one
    /// [with a key](super::TestIssuerBuilder::client_with_key). The endpoint knows [opaque tokens](Self::opaque_token), those of
    /// [clients that get such](super::TestIssuerBuilder::opaque_tokens_for), and JWTs of this issuer with the `typ` of an access token: active until
    /// they expire, their key is no longer published, or a test [revokes](Self::revoke) them.
    pub fn introspected(&self, auth: ClientAuth) -> Issuer {
        Issuer::introspect(self.url(), format!("{}/introspect", self.url()), auth).allow_http_on_loopback()
    }

    /// A good token that only this issuer can read, to be changed at will.
    ///
    /// ```
    /// use bearergate::{Claims, ClientAuth, Presented, ResourceServer, scopes, testing::TestIssuer};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::builder()
    ///     .default_audience("https://api.example.com")
    ///     .client("orders-api", "secret", scopes!["read"])
    ///     .start()
    ///     .await?;
    /// let api = ResourceServer::builder("https://api.example.com")
    ///     .trust(issuer.introspected(ClientAuth::basic("orders-api", "secret")))
    ///     .build()?;
    ///
    /// let token = issuer.opaque_token().scope("read").mint();
    /// assert!(api.validate::<Claims>(&Presented::bearer(&token)).await.is_ok());
    /// issuer.revoke(&token);
    /// api.cached_tokens().forget(&token); // or wait until the kept answer is over
    /// assert!(api.validate::<Claims>(&Presented::bearer(&token)).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn opaque_token(&self) -> OpaqueTokenBuilder {
        OpaqueTokenBuilder::new(Arc::clone(&self.state))
    }

    /// Makes an opaque token inactive, or ends a refresh token with all that came of it, as `/revoke` does for a client (RFC 7009). A JWT
    /// of this issuer is inactive from then on too, for who asks; who checks it by keys alone does not hear of it. Tells whether there
    /// was one.
    pub fn revoke(&self, token: &str) -> bool {
        match self.state.claims_of(token) {
            Some(claims) => self.state.opaque.end_jwt(token, claims),
            None => self.state.opaque.revoke(token) || self.state.authorization.end(token),
        }
    }
}

/// The opaque tokens that the issuer knows, with their claims.
#[derive(Default)]
pub(super) struct OpaqueTokens(Mutex<HashMap<String, Known>>);

struct Known {
    claims: Map<String, Value>,
    /// The refresh tokens that it ends with.
    family: Option<String>,
    /// A JWT that a test has ended: it is kept, for it would be good without.
    is_ended_jwt: bool,
}

impl OpaqueTokens {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn revoke(&self, token: &str) -> bool {
        self.lock().remove(token).is_some()
    }

    /// A token with these claims, if not too many are out.
    pub(super) fn keep(
        &self,
        mut claims: Map<String, Value>,
        family: Option<&str>,
        now: UnixTime,
    ) -> Option<String> {
        let mut known = self.lock();
        if known.len() >= MAX_TOKENS {
            known.retain(|_, known| !is_over(&known.claims, now));
        }
        if known.len() >= MAX_TOKENS {
            return None;
        }
        claims.insert("token_type".into(), "Bearer".into());
        let token = unguessable("opaque");
        known.insert(token.clone(), Known { claims, family: family.map(str::to_owned), is_ended_jwt: false });
        Some(token)
    }

    /// Only the client's own (RFC 7009 §2.1).
    pub(super) fn revoke_of(&self, token: &str, client_id: &str) -> Result<bool, TokenError> {
        let mut known = self.lock();
        match known.get(token) {
            Some(found) if found.is_ended_jwt => Ok(false),
            Some(found) if found.claims.get("client_id").and_then(Value::as_str) == Some(client_id) => {
                Ok(known.remove(token).is_some())
            }
            Some(_) => Err(TokenError::InvalidGrant("the token was issued to another client")),
            None => Ok(false),
        }
    }

    /// RFC 7662 §2.2, of a token that is known. `goes_on` says of a family of refresh tokens whether it does.
    pub(super) fn introspect(
        &self,
        token: &str,
        now: UnixTime,
        goes_on: impl FnOnce(&str) -> bool,
    ) -> Option<Value> {
        let found = self.lock();
        let Known { claims, family, is_ended_jwt } = found.get(token)?;
        let (mut claims, family, is_ended_jwt) = (claims.clone(), family.clone(), *is_ended_jwt);
        drop(found);
        if is_ended_jwt || is_over(&claims, now) || !family.as_deref().is_none_or(goes_on) {
            return Some(json!({"active": false}));
        }
        claims.entry("active").or_insert(Value::Bool(true));
        Some(Value::Object(claims))
    }

    /// Whatever it says of itself. Tells whether it was good until now.
    pub(super) fn end_jwt(&self, token: &str, claims: Map<String, Value>) -> bool {
        let known = Known { claims, family: None, is_ended_jwt: true };
        !self.lock().insert(token.to_owned(), known).is_some_and(|before| before.is_ended_jwt)
    }
}

fn is_over(claims: &Map<String, Value>, now: UnixTime) -> bool {
    claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| exp <= now.as_secs())
}

/// Those that clients ask for: more than a demonstration has while one is good. Each has at most eight
/// resources of 2 KiB, and 4 KiB of scopes.
const MAX_TOKENS: usize = 10_000;
