//! What is remembered of tokens, and how much of it?

use std::{fmt, hash::RandomState};

use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};

use crate::token::digest::TokenDigest;

/// What may weigh as one entry: claims have 200 to 2,000 octets.
const OCTETS_PER_ENTRY: usize = 4096;

/// Something that is remembered of a token.
pub(crate) trait Remembered: Clone {
    /// Its length in octets, about.
    fn octets(&self) -> usize;
}

/// Values by the digests of tokens, bounded in number and octets. A hit takes the lock of one of many shards, for reading.
pub(crate) struct TokenCache<V: Remembered>(Cache<TokenDigest, V, Octets, RandomState>);

/// An entry counts as one, and as one more for each 4 KiB.
#[derive(Clone)]
struct Octets;

impl<V: Remembered> Weighter<TokenDigest, V> for Octets {
    fn weight(&self, _: &TokenDigest, value: &V) -> u64 {
        let more = value.octets().checked_div(OCTETS_PER_ENTRY).unwrap_or_default();
        u64::try_from(more).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl<V: Remembered> TokenCache<V> {
    pub(crate) fn new(entries: u64) -> Self {
        let items = usize::try_from(entries).unwrap_or(usize::MAX).min(LARGEST_ESTIMATE);
        Self(Cache::with(items, entries, Octets, RandomState::new(), DefaultLifecycle::default()))
    }

    pub(crate) fn get(&self, token: &TokenDigest) -> Option<V> {
        self.0.get(token)
    }

    pub(crate) fn insert(&self, token: TokenDigest, value: V) {
        self.0.insert(token, value);
    }

    pub(crate) fn forget(&self, token: &TokenDigest) {
        let _forgotten = self.0.remove(token);
    }

    /// Forgets each value of which `is_wanted` says no. It looks at all of them.
    pub(crate) fn retain(&self, is_wanted: impl Fn(&V) -> bool) {
        self.0.retain(|_, value| is_wanted(value));
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<V: Remembered> fmt::Debug for TokenCache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// For how many entries room is made at the start; more of them grow it.
const LARGEST_ESTIMATE: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Text(usize);

    impl Remembered for Text {
        fn octets(&self) -> usize {
            self.0
        }
    }

    fn token(number: usize) -> TokenDigest {
        TokenDigest::of(&number.to_be_bytes())
    }

    #[test]
    fn int_07_it_is_bounded_in_number_and_in_octets() {
        for (octets, most) in [(0, 1000), (4095, 1000), (4096, 500), (40_960, 1000 / 11)] {
            let cache = TokenCache::new(1000);
            (0..10_000).for_each(|number| cache.insert(token(number), Text(octets)));
            assert!(cache.len() <= most && cache.len() >= most / 4, "{octets}: {}", cache.len());
        }
        let none = TokenCache::new(0);
        none.insert(token(1), Text(0));
        assert!(none.get(&token(1)).is_none());
    }

    #[test]
    fn what_is_forgotten_is_gone() {
        let cache = TokenCache::new(100);
        (0..10).for_each(|number| cache.insert(token(number), Text(number)));
        cache.forget(&token(3));
        assert!(cache.get(&token(3)).is_none() && cache.get(&token(4)).is_some());
        cache.retain(|text| text.0 < 5);
        assert!(cache.get(&token(4)).is_some() && cache.get(&token(5)).is_none());
        cache.clear();
        assert_eq!(cache.len(), 0);
    }
}
