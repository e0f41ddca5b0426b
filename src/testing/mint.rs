//! Any token, good or bad, in one line.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    clock::UnixTime,
    keys::{algorithm::Algorithm, signing::SigningKey},
};

/// An access token in the making (RFC 9068): complete and good until told otherwise. Made by
/// [`TestIssuer::token`](super::TestIssuer::token).
#[derive(Clone)]
#[must_use = "a token does not exist until it is minted"]
pub struct TokenBuilder {
    pub(super) key: Arc<SigningKey>,
    pub(super) now: UnixTime,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    pub(super) header_text: Option<String>,
    pub(super) payload_text: Option<String>,
}

impl TokenBuilder {
    pub(super) fn new(key: Arc<SigningKey>, issuer: &str, now: UnixTime, lifetime: Duration) -> Self {
        let mut builder =
            Self { key, now, header: Map::new(), claims: Map::new(), header_text: None, payload_text: None };
        builder.set_key_header();
        builder
            .header("typ", ACCESS_TOKEN)
            .issuer(issuer)
            .subject("test-user")
            .client_id("test-client")
            .claim("jti", format!("{:032x}", fastrand::u128(..)))
            .issued_in(0)
            .expires_in(lifetime)
    }

    fn set_key_header(&mut self) {
        self.header.insert("alg".into(), self.key.algorithm().name().into());
        self.header.insert("kid".into(), self.key.kid().into());
    }

    /// Sets `iss`. **Default:** the issuer's URL.
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

    /// Makes an ID token for this client of it (OpenID Connect Core §2): `typ` is `JWT`, `aud` the client, `at_hash` that of no access token
    /// that is known, and there is neither `client_id` nor `jti`. It says who signed in, to the client alone. A resource server here refuses
    /// it for its `at_hash`, whatever its own name; one without that, which issuers may leave out, for its `aud`.
    ///
    /// ```
    /// use bearergate::{Claims, Presented, ResourceServer, testing::TestIssuer};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::start().await?;
    /// let api = ResourceServer::builder("https://api.example.com").trust(issuer.trusted()).build()?;
    /// let id_token = issuer.token().id_token("dashboard").mint();
    /// assert!(api.validate::<Claims>(&Presented::bearer(&id_token)).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn id_token(self, client_id: impl Into<String>) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(fastrand::u128(..).to_be_bytes());
        let token = self.header("typ", "JWT").audience(client_id).claim("at_hash", hash);
        token.without("client_id").without("jti")
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
        let exp = self.now.saturating_add(lifetime).as_secs();
        self.claim("exp", exp)
    }

    /// Makes a token that expired an hour ago.
    pub fn expired(self) -> Self {
        let exp = self.now.as_secs().saturating_sub(3600);
        self.issued_in(-3900).claim("exp", exp)
    }

    fn issued_in(self, seconds: i64) -> Self {
        let iat = self.now.as_secs().saturating_add(seconds);
        self.claim("iat", iat)
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

    /// Sets any header parameter, also to a value that it must not have.
    ///
    /// # Panics
    ///
    /// When the value is not JSON.
    pub fn header(mut self, name: &str, value: impl Serialize) -> Self {
        self.header.insert(name.into(), serde_json::to_value(value).expect("the value is JSON"));
        self
    }

    /// Leaves a header parameter out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signs this text as the header, whatever it is.
    pub fn header_text(mut self, text: impl Into<String>) -> Self {
        self.header_text = Some(text.into());
        self
    }

    /// Signs this text as the payload, whatever it is.
    pub fn payload_text(mut self, text: impl Into<String>) -> Self {
        self.payload_text = Some(text.into());
        self
    }

    /// Signs with a new key that the issuer does not know, under the `kid` of the real one: a forgery.
    pub fn forged(mut self) -> Self {
        self.key = Arc::new(SigningKey::generate(self.key.algorithm(), self.key.kid().into()));
        self
    }

    /// The header as JSON text.
    pub fn header_json(&self) -> String {
        self.header_text.clone().unwrap_or_else(|| Value::Object(self.header.clone()).to_string())
    }

    /// The claims as JSON text.
    pub fn payload_json(&self) -> String {
        self.payload_text.clone().unwrap_or_else(|| Value::Object(self.claims.clone()).to_string())
    }

    /// The algorithm of the key that signs.
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// Signs a text with the key of this token: for tokens of another form.
    pub fn sign(&self, signing_input: &[u8]) -> Vec<u8> {
        self.key.sign(signing_input)
    }

    /// The token in compact serialization (RFC 7515 §3.1).
    pub fn mint(&self) -> String {
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let signing_input = format!("{}.{}", encode(self.header_json()), encode(self.payload_json()));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signing_input.as_bytes()));
        format!("{signing_input}.{signature}")
    }
}

impl fmt::Debug for TokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuilder").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The `typ` of an access token (RFC 9068 §2.1).
pub(super) const ACCESS_TOKEN: &str = "at+jwt";

pub(super) const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);
