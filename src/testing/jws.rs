//! What does a JWT say, and whose keys signed it?

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{
    clock::UnixTime,
    introspection::assertion::is_by_secret,
    keys::{
        algorithm::Algorithm,
        set::{KeySet, Selection},
    },
};

/// One in compact serialization (RFC 7515 §3.1). Nothing of it is true before its signature holds.
pub(super) struct Jws<'t> {
    header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    input: &'t str,
    signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    pub(super) fn parse(token: &'t str) -> Option<Self> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, claims) = input.split_once('.')?;
        let read = |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let header: Map<_, _> = read(header)?;
        // Nothing is supported that could be critical (RFC 7515 §4.1.11).
        if header.contains_key("crit") {
            return None;
        }
        Some(Self { header, claims: read(claims)?, input, signature })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }

    pub(super) fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// Whether its time has come (RFC 7519 §4.1.5), and is not over (§4.1.4).
    pub(super) fn is_in_time(&self, now: UnixTime) -> bool {
        let time = |name| self.claims.get(name).map(Value::as_f64);
        let now = now.as_secs() as f64;
        time("exp").flatten().is_some_and(|exp| now < exp)
            && time("nbf").is_none_or(|nbf| nbf.is_some_and(|nbf| nbf <= now))
    }

    /// Whether one of these keys signed it (RFC 7515 §5.2).
    pub(super) fn is_by(&self, keys: &KeySet) -> bool {
        let Some(algorithm) = self.header("alg").and_then(Algorithm::from_name) else { return false };
        let Selection::Keys(keys) = keys.select(algorithm, self.header("kid")) else { return false };
        keys.into_iter().flatten().any(|key| key.verify(self.input.as_bytes(), &self.signature))
    }

    /// Whether it is by HS256 with this secret.
    pub(super) fn is_by_secret(&self, secret: &str) -> bool {
        self.header("alg") == Some(Algorithm::Hs256.name())
            && is_by_secret(secret, self.input, &self.signature)
    }
}
