//! How does this resource server sign who it is (RFC 7523 §3, OpenID Connect Core 1.0 §9)?

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::{
    clock::UnixTime,
    keys::{algorithm::Algorithm, signing::SigningKey},
};

/// The value of `client_assertion_type` (RFC 7523 §2.2).
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An assertion is used at once, and clocks differ.
const LIFETIME: i64 = 60;

/// The key of HS256 has at least the length of its hash (RFC 7518 §3.2).
const FEWEST_SECRET_BYTES: usize = 32;

/// What is said about a client.
pub(super) struct Assertion<'a> {
    pub(super) client_id: &'a str,
    pub(super) audience: &'a str,
    pub(super) key_id: Option<&'a str>,
    pub(super) now: UnixTime,
}

impl Assertion<'_> {
    /// Signed by HS256. The error says what to change.
    pub(super) fn by_secret(&self, secret: &SecretString) -> Result<SecretString, &'static str> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < FEWEST_SECRET_BYTES {
            return Err(
                "the client secret is too short for `ClientAuth::client_secret_jwt(..)`: HS256 needs 32 octets or more (RFC 7518 §3.2)",
            );
        }
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length (RFC 2104 §2)");
        let input = self.signing_input(Algorithm::Hs256);
        mac.update(input.as_bytes());
        Ok(signed(input, &mac.finalize().into_bytes()))
    }

    pub(super) fn by_key(&self, key: &SigningKey) -> SecretString {
        let input = self.signing_input(key.algorithm());
        let signature = key.sign(input.as_bytes());
        signed(input, &signature)
    }

    fn signing_input(&self, algorithm: Algorithm) -> String {
        let mut header = Map::new();
        header.insert("alg".into(), algorithm.name().into());
        header.insert("typ".into(), "JWT".into());
        header.extend(self.key_id.map(|kid| ("kid".to_owned(), kid.into())));
        let issued = self.now.as_secs();
        // Unique is enough: it is no secret.
        let id = URL_SAFE_NO_PAD.encode(fastrand::u128(..).to_le_bytes());
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "jti": id,
            "iat": issued,
            "exp": issued.saturating_add(LIFETIME),
        });
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", encode(Value::Object(header)), encode(claims))
    }
}

fn signed(mut input: String, signature: &[u8]) -> SecretString {
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut input);
    input.into()
}

/// Whether HS256 with this secret gives this signature: what the embedded issuer asks.
#[cfg(feature = "testing")]
pub(crate) fn is_by_secret(secret: &str, input: &str, signature: &[u8]) -> bool {
    Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .is_ok_and(|mac| mac.chain_update(input).verify_slice(signature).is_ok())
}

/// The private key that was read last. To read one costs more than to sign with it.
#[derive(Clone, Default)]
pub(super) struct LastKey(Arc<Mutex<Option<Read>>>);

/// A text in PEM, and the key that it holds.
type Read = (SecretString, Arc<SigningKey>);

impl LastKey {
    pub(super) fn of(
        &self,
        pem: &SecretString,
        algorithm: Option<Algorithm>,
    ) -> Result<Arc<SigningKey>, &'static str> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((text, key)) = &*last
            && text.expose_secret() == pem.expose_secret()
        {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(SigningKey::from_pem(pem.expose_secret(), algorithm)?);
        *last = Some((pem.clone(), Arc::clone(&key)));
        Ok(key)
    }
}

impl fmt::Debug for LastKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastKey").finish_non_exhaustive()
    }
}
