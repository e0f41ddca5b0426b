//! What does a snapshot say, and do its keys serve? Pure: nothing is read or written here.

use std::{borrow::Cow, fmt::Write as _, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::Reason;
use crate::{
    clock::UnixTime,
    fetch::MAX_JWKS_BYTES,
    keys::{algorithm::AlgorithmSet, refresh::Limits, set::KeySet},
    token::json::{Nested, scan_object},
};

/// The keys of a fetched set that are used, as JSON text, and where they were.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Published {
    jwks_uri: String,
    jwks: String,
}

impl Published {
    /// `document` is what `set` was made of. A key that is not used is left out, and of the others everything that does
    /// not make the public key: whatever else an issuer publishes by mistake is not written anywhere.
    pub(crate) fn of(jwks_uri: &Url, document: &[u8], set: &KeySet) -> Self {
        let text = std::str::from_utf8(document).unwrap_or_default();
        let mut list = None;
        let _a_set_was_made_of_it = scan_object(text, Nested::Any, |name, value| {
            if name.is("keys") {
                list = Some(value);
            }
        });
        let elements = list.iter().flat_map(|list| list.elements(text).enumerate());
        let used = elements.filter(|(index, _)| set.skipped().iter().all(|jwk| jwk.index != *index));
        let keys: Vec<String> = used.map(|(_, jwk)| public_members(jwk.text(text))).collect();
        Self { jwks_uri: jwks_uri.as_str().to_owned(), jwks: format!("{{\"keys\":[{}]}}", keys.join(",")) }
    }
}

/// The JWK with nothing but what makes a public key.
fn public_members(jwk: &str) -> String {
    let mut text = String::from("{");
    let _it_was_imported = scan_object(jwk, Nested::Any, |name, value| {
        if let Some(name) = PUBLIC_MEMBERS.iter().find(|member| name.is(member)) {
            let comma = if text.len() > 1 { "," } else { "" };
            let _a_string_takes_all = write!(text, "{comma}\"{name}\":{}", value.text(jwk));
        }
    });
    text.push('}');
    text
}

/// RFC 7517 §4, RFC 7518 §6, RFC 8037 §2, RFC 9964 §3.
const PUBLIC_MEMBERS: [&str; 11] = ["kty", "kid", "use", "key_ops", "alg", "crv", "x", "y", "n", "e", "pub"];

/// Keys, and when they were fetched for how long.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) fetched: UnixTime,
    /// The lifetime in force.
    pub(crate) lifetime: Duration,
    pub(crate) published: Arc<Published>,
}

impl Snapshot {
    /// The document. `None`: it would be longer than one that is read again.
    pub(super) fn encode(&self, issuer: &str) -> Option<Vec<u8>> {
        let document = Document {
            format: FORMAT.into(),
            version: VERSION,
            issuer: issuer.into(),
            jwks_uri: self.published.jwks_uri.as_str().into(),
            // Rounded down, both: keys never live longer through a restart.
            fetched: self.fetched.as_secs(),
            lifetime: self.lifetime.as_secs(),
            jwks: serde_json::from_str(&self.published.jwks).ok()?,
        };
        serde_json::to_vec(&document).ok().filter(|document| document.len() <= MAX_DOCUMENT_BYTES)
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document<'d> {
    #[serde(borrow)]
    format: Cow<'d, str>,
    version: u32,
    #[serde(borrow)]
    issuer: Cow<'d, str>,
    #[serde(borrow)]
    jwks_uri: Cow<'d, str>,
    /// Seconds since 1970.
    fetched: i64,
    /// Seconds.
    lifetime: u64,
    #[serde(borrow)]
    jwks: &'d RawValue,
}

/// What a snapshot must fit.
pub(crate) struct Expected<'e> {
    pub(crate) issuer: &'e str,
    /// Whether the entry could have fetched from there.
    pub(crate) fits: &'e dyn Fn(&str) -> bool,
    pub(crate) algorithms: &'e AlgorithmSet,
    pub(crate) limits: Limits,
    pub(crate) now: UnixTime,
}

/// Keys of a snapshot that serve.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) set: KeySet,
    /// How long they do: as long as they would have without a restart.
    pub(crate) left: Duration,
}

/// Reads a document by the rules of a fetched set, and more.
pub(super) fn judge(document: &[u8], expected: &Expected<'_>) -> Result<Restored, Reason> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(Reason::Damaged);
    }
    let text = std::str::from_utf8(document).map_err(|_| Reason::Damaged)?;
    scan_object(text, Nested::Unique, |_, _| ()).map_err(|_| Reason::Damaged)?;
    let document: Document<'_> = serde_json::from_str(text).map_err(|_| Reason::Damaged)?;
    if document.format != FORMAT || document.version != VERSION {
        return Err(Reason::Damaged);
    }
    if document.issuer != expected.issuer {
        return Err(Reason::ForeignIssuer);
    }
    if !(expected.fits)(&document.jwks_uri) {
        return Err(Reason::OtherPlace);
    }
    let fetched = UnixTime::from_secs(document.fetched);
    if fetched > expected.now.saturating_add(LARGEST_STEP_BACK) {
        return Err(Reason::FromTheFuture);
    }
    let fresh = Duration::from_secs(document.lifetime).min(expected.limits.fresh_max);
    let age = expected.now.saturating_duration_since(fetched);
    let left = fresh.saturating_add(expected.limits.stale).saturating_sub(age);
    if left.is_zero() {
        return Err(Reason::TooOld);
    }
    let jwks = document.jwks.get().as_bytes();
    let set = KeySet::parse(jwks, expected.algorithms).map_err(|_| Reason::Damaged)?;
    if set.is_empty() { Err(Reason::NoUsableKey) } else { Ok(Restored { set, left }) }
}

const FORMAT: &str = "bearergate key snapshot";

/// Another version is another format.
const VERSION: u32 = 1;

/// The keys, and room for the two URLs and the rest.
pub(super) const MAX_DOCUMENT_BYTES: usize = MAX_JWKS_BYTES + 16 * 1024;

/// The largest leeway of tokens: a clock that is set further back says nothing about an age.
const LARGEST_STEP_BACK: Duration = Duration::from_secs(300);

#[cfg(all(test, any(feature = "aws-lc-rs", feature = "rust-crypto")))]
mod tests;
