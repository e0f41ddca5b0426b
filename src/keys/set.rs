//! Which keys of an issuer fit a token? *Select*, apart from *fetch*.

use crate::{
    keys::{
        algorithm::{Algorithm, AlgorithmSet},
        jwk::{SkipReason, import},
        key::VerificationKey,
    },
    token::json::{Kind, Nested, scan_object},
};

/// A set of 256 RSA-4096 keys with certificates is about 512 KiB; the largest real sets hold some dozens.
pub(crate) const MAX_KEYS: usize = 256;

/// Signatures that one token may cost, when several keys share its `kid`.
pub(crate) const MAX_CANDIDATES: usize = 4;

/// The usable keys of one issuer.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<VerificationKey>,
    skipped: Vec<Skipped>,
}

/// A JWK that is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Skipped {
    /// Its place in the set, from 0.
    pub(crate) index: usize,
    /// Why.
    pub(crate) reason: SkipReason,
}

/// A document is no JWK Set (RFC 7517 §5).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum JwksError {
    /// It is no strict JSON object.
    #[error("the document is not one strict JSON object in UTF-8")]
    NotJson,
    /// It has no array `keys`.
    #[error("the document has no array `keys`")]
    NotAKeySet,
    /// It holds more keys than are taken.
    #[error("the document holds more than 256 keys")]
    TooManyKeys,
}

/// What a set has for a token.
#[derive(Debug)]
pub(crate) enum Selection<'k> {
    /// Several keys fit a token without `kid`: no guess is made.
    Ambiguous,
    /// These fit, at most [`MAX_CANDIDATES`].
    Keys([Option<&'k VerificationKey>; MAX_CANDIDATES]),
    /// None fits; a newer set might hold one.
    Missing,
    /// The named key is there, and is one for other algorithms (RFC 8725 §3.1). A newer set is not asked for: `alg` is the
    /// token's word.
    OtherAlgorithm,
}

impl KeySet {
    /// Reads a JWK Set. One odd JWK is skipped with its reason and spoils nothing.
    pub(crate) fn parse(document: &[u8], allowed: &AlgorithmSet) -> Result<Self, JwksError> {
        let text = std::str::from_utf8(document).map_err(|_| JwksError::NotJson)?;
        let mut list = None;
        scan_object(text, Nested::Any, |name, value| {
            if name.is("keys") {
                list = Some(value);
            }
        })
        .map_err(|_| JwksError::NotJson)?;
        let list = list.filter(|value| value.kind() == Kind::Array).ok_or(JwksError::NotAKeySet)?;
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, jwk) in list.elements(text).enumerate() {
            if index >= MAX_KEYS {
                return Err(JwksError::TooManyKeys);
            }
            match import(jwk.text(text), index, allowed) {
                Ok(imported) => keys.extend(imported),
                Err(reason) => skipped.push(Skipped { index, reason }),
            }
        }
        Ok(Self { keys, skipped })
    }

    pub(crate) fn of(keys: Vec<VerificationKey>) -> Self {
        Self { keys, skipped: Vec::new() }
    }

    pub(crate) const fn none() -> Self {
        Self { keys: Vec::new(), skipped: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// What tells the JWKs in use apart, in order.
    pub(crate) fn identities(&self) -> Vec<u64> {
        let mut identities: Vec<_> = self.keys.iter().map(VerificationKey::identity).collect();
        identities.sort_unstable();
        identities.dedup();
        identities
    }

    pub(crate) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The keys for `algorithm` that answer to `kid`. A token without `kid` is taken only if exactly one JWK fits.
    pub(crate) fn select(&self, algorithm: Algorithm, kid: Option<&str>) -> Selection<'_> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm() == algorithm && key.answers_to(kid));
        let Some(first) = fitting.next() else {
            let named = kid.is_some() && self.keys.iter().any(|key| key.answers_to(kid));
            return if named { Selection::OtherAlgorithm } else { Selection::Missing };
        };
        if kid.is_none() && fitting.clone().any(|key| key.jwk() != first.jwk()) {
            return Selection::Ambiguous;
        }
        let mut keys = [Some(first), None, None, None];
        for (place, key) in keys.iter_mut().skip(1).zip(fitting) {
            *place = Some(key);
        }
        Selection::Keys(keys)
    }
}

#[cfg(all(test, any(feature = "aws-lc-rs", feature = "rust-crypto")))]
mod tests;
