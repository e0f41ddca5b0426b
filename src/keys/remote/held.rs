//! By which entity tag does its server know the set that is held?

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, ETAG},
};
use url::Url;

use crate::keys::{
    remote::fetcher::{Fetched, lifetime},
    set::KeySet,
    snapshot::Published,
};

/// The last set that was read from its server, if the server gave it a tag.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Option<Held>>);

/// A set with the tag of its document: neither is ever kept without the other.
#[derive(Clone)]
pub(super) struct Held {
    jwks_uri: Url,
    tag: HeaderValue,
    set: Arc<KeySet>,
    lifetime: Option<Duration>,
    /// As it is kept across restarts.
    published: Option<Arc<Published>>,
    read: Duration,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is held of this place. A set of another place, or one that was read long ago, is forgotten.
    pub(super) fn of(&self, jwks_uri: &Url, now: Duration) -> Option<Held> {
        let mut held = self.lock();
        *held = held
            .take()
            .filter(|held| held.jwks_uri == *jwks_uri && now.saturating_sub(held.read) < READ_AGAIN);
        held.clone()
    }

    /// Keeps a set that was read in full.
    pub(super) fn put(&self, jwks_uri: Url, headers: &HeaderMap, fetched: &Fetched, now: Duration) {
        let held = entity_tag(headers).map(|tag| Held {
            jwks_uri,
            tag: tag.clone(),
            set: Arc::clone(&fetched.set),
            lifetime: fetched.lifetime,
            published: fetched.published.clone(),
            read: now,
        });
        *self.lock() = held;
    }

    /// The set once more, if 304 is about it: an answer that names another document's tag is not (RFC 9111 §4.3.4), and what
    /// is held is forgotten. A `Cache-Control` of the answer takes the place of the earlier one.
    pub(super) fn renew(&self, held: Held, headers: &HeaderMap) -> Option<Fetched> {
        let ours = !headers.contains_key(ETAG)
            || entity_tag(headers).is_some_and(|tag| opaque(tag) == opaque(&held.tag));
        if !ours {
            *self.lock() = None;
            return None;
        }
        let lifetime = if headers.contains_key(CACHE_CONTROL) { lifetime(headers) } else { held.lifetime };
        let fetched =
            Fetched { set: Arc::clone(&held.set), lifetime, skew: None, published: held.published.clone() };
        *self.lock() = Some(Held { lifetime, ..held });
        Some(fetched)
    }
}

impl Held {
    pub(super) fn tag(&self) -> HeaderValue {
        self.tag.clone()
    }
}

/// The entity tag, if there is exactly one, in the form of RFC 9110 §8.8.3. Any other text could mean something else in
/// `If-None-Match`: a `*` there fits every document.
fn entity_tag(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut tags = headers.get_all(ETAG).into_iter();
    let tag = tags.next().filter(|tag| tag.len() <= MAX_TAG_BYTES && tags.next().is_none())?;
    let inner = opaque(tag).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    inner.iter().all(|octet| !matches!(octet, b'"' | b' ' | b'\t')).then_some(tag)
}

/// What weak comparison, that of `If-None-Match`, looks at (RFC 9110 §8.8.3.2).
fn opaque(tag: &HeaderValue) -> &[u8] {
    tag.as_bytes().strip_prefix(b"W/").unwrap_or(tag.as_bytes())
}

/// Tags of real servers have 10 to 70 octets.
const MAX_TAG_BYTES: usize = 256;

/// A server whose tag does not change with its keys is found out within half a day.
const READ_AGAIN: Duration = Duration::from_secs(12 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entity_tags_are_kept() {
        let long = |length: usize| format!("\"{}\"", "a".repeat(length - 2));
        for (text, kept) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"\"", true),
            ("\"a,b\"", true),
            (&long(256), true),
            (&long(257), false),
            ("*", false),
            ("a", false),
            ("\"", false),
            ("\"a", false),
            ("w/\"a\"", false),
            ("\"a\", \"b\"", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ETAG, HeaderValue::from_str(text).unwrap())]);
            assert_eq!(entity_tag(&headers).is_some(), kept, "{text}");
        }
        let mut two = HeaderMap::new();
        two.append(ETAG, HeaderValue::from_static("\"a\""));
        two.append(ETAG, HeaderValue::from_static("\"b\""));
        assert_eq!(entity_tag(&two), None);
    }
}
