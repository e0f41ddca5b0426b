//! What does a made-up token say?

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderValue;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    clock::UnixTime,
    testing::{
        mint::DEFAULT_LIFETIME,
        mock::{MockAuth, Tokens},
    },
};

/// A made-up access token in the making: good until told otherwise. Made by [`MockAuth::token`].
#[derive(Clone)]
#[must_use = "a token does not exist until it is minted"]
pub struct MockTokenBuilder {
    tokens: Arc<Tokens>,
    now: UnixTime,
    claims: Map<String, Value>,
}

impl MockTokenBuilder {
    pub(super) fn new(tokens: Arc<Tokens>, audience: &str, now: UnixTime) -> Self {
        Self { tokens, now, claims: Map::new() }
            .issuer(MockAuth::ISSUER)
            .audience(audience)
            .subject("test-user")
            .client_id("test-client")
            .claim("jti", format!("{:032x}", fastrand::u128(..)))
            .claim("iat", now.as_secs())
            .expires_in(DEFAULT_LIFETIME)
    }

    /// Sets `iss`. **Default:** [`MockAuth::ISSUER`].
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.claim("iss", issuer.into())
    }

    /// Sets `sub`. **Default:** `test-user`.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// Sets `client_id`. **Default:** `test-client`.
    pub fn client_id(self, client_id: impl Into<String>) -> Self {
        self.claim("client_id", client_id.into())
    }

    /// Sets `aud`. **Default:** the resource identifier that [`MockAuth::new`] was given.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.claim("aud", audience.into())
    }

    /// Sets `scope`, words with spaces between. **Default:** absent.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.claim("scope", scope.into())
    }

    /// Sets `acr`, how the user logged in (RFC 9470 §6). **Default:** absent.
    pub fn acr(self, acr: impl Into<String>) -> Self {
        self.claim("acr", acr.into())
    }

    /// Sets `auth_time`, when the user logged in, so much earlier than now (RFC 9470 §6). **Default:** absent.
    pub fn auth_age(self, age: Duration) -> Self {
        let moment = self.now.saturating_sub(age).as_secs();
        self.claim("auth_time", moment)
    }

    /// Sets `exp` so much later than now. **Default:** 300 s.
    pub fn expires_in(self, lifetime: Duration) -> Self {
        let exp = self.now.saturating_add(lifetime).as_secs();
        self.claim("exp", exp)
    }

    /// Makes a token that expired an hour ago.
    pub fn expired(self) -> Self {
        let exp = self.now.as_secs().saturating_sub(3600);
        self.claim("iat", exp.saturating_sub(300)).claim("exp", exp)
    }

    /// Sets any claim, also to a value that it must not have.
    ///
    /// # Panics
    ///
    /// When the value is not JSON.
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), serde_json::to_value(value).expect("the value is JSON"));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// The token, a text that says nothing, known from now on.
    ///
    /// # Panics
    ///
    /// When 10,000 tokens were made up already.
    pub fn mint(&self) -> String {
        let token = format!("made-up-{:032x}", fastrand::u128(..));
        self.tokens.add(token.clone(), self.claims.clone());
        token
    }

    /// The same as the value of an `Authorization` field.
    ///
    /// # Panics
    ///
    /// As [`mint`](Self::mint).
    pub fn bearer(&self) -> HeaderValue {
        let field = format!("Bearer {}", self.mint());
        let mut field = HeaderValue::try_from(field).expect("a made-up token is ASCII");
        field.set_sensitive(true);
        field
    }
}

/// Prints no claim.
impl fmt::Debug for MockTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockTokenBuilder").finish_non_exhaustive()
    }
}
