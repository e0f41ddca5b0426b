//! Which member names has an object had so far?

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use super::{JsonError, string::RawStr};

/// The names of the objects that are open, innermost last.
pub(super) struct Names<'a> {
    /// Plain names, each compared with those of its object as it comes.
    inline: [&'a str; INLINE_NAMES],
    inline_length: usize,
    /// A bit for each shape that an inline name had so far, in whichever object: a name of a new shape is compared with none.
    shapes: u64,
    /// Names with escapes, and those for which `inline` has no place, with a keyed hash of the unescaped name: whoever
    /// chose the names cannot make comparing them costly.
    spilled: Vec<(u64, RawStr<'a>)>,
    hasher: Option<RandomState>,
}

/// Where the names of an object begin.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    inline: usize,
    spilled: usize,
}

impl<'a> Names<'a> {
    pub(super) fn new() -> Self {
        Self { inline: [""; INLINE_NAMES], inline_length: 0, shapes: 0, spilled: Vec::new(), hasher: None }
    }

    pub(super) fn open(&self) -> Mark {
        Mark { inline: self.inline_length, spilled: self.spilled.len() }
    }

    /// Adds a name to the object that began at `mark`. A plain name is compared at once; the others are left to `close`,
    /// which sorts, so that many names cost no more than n log n.
    pub(super) fn push(&mut self, mark: Mark, name: RawStr<'a>) -> Result<(), JsonError> {
        let known = self.inline.get(mark.inline..self.inline_length).unwrap_or_default();
        match self.inline.get(self.inline_length) {
            Some(_) if !name.escaped => {
                let shape = shape(name.raw.as_bytes());
                if self.shapes & shape != 0 && known.contains(&name.raw) {
                    return Err(JsonError::DuplicateName);
                }
                self.shapes |= shape;
                if let Some(place) = self.inline.get_mut(self.inline_length) {
                    *place = name.raw;
                }
                self.inline_length = self.inline_length.saturating_add(1);
            }
            _ => {
                let hash = self.hash(name);
                self.spilled.push((hash, name));
            }
        }
        Ok(())
    }

    fn hash(&mut self, name: RawStr<'a>) -> u64 {
        let mut hasher = self.hasher.get_or_insert_default().build_hasher();
        hasher.write(name.unescape().as_bytes());
        hasher.finish()
    }

    pub(super) fn close(&mut self, mark: Mark) -> Result<(), JsonError> {
        if self.spilled.len() > mark.spilled {
            for place in mark.inline..self.inline_length {
                let raw = self.inline.get(place).copied().unwrap_or_default();
                let name = RawStr { raw, escaped: false };
                let hash = self.hash(name);
                self.spilled.push((hash, name));
            }
            let names = self.spilled.get_mut(mark.spilled..).unwrap_or_default();
            let order = |one: &(u64, RawStr<'a>), other: &(u64, RawStr<'a>)| {
                one.0.cmp(&other.0).then_with(|| one.1.order(other.1))
            };
            names.sort_unstable_by(order);
            if names.windows(2).any(|pair| matches!(pair, [one, other] if order(one, other).is_eq())) {
                return Err(JsonError::DuplicateName);
            }
            self.spilled.truncate(mark.spilled);
        }
        self.inline_length = mark.inline;
        Ok(())
    }
}

/// One bit of 64 by length, first and last octet: equal names have the same.
fn shape(name: &[u8]) -> u64 {
    let octet = |octet: Option<&u8>| u32::from(octet.copied().unwrap_or_default());
    let length = u32::try_from(name.len()).unwrap_or_default();
    let mixed =
        length.wrapping_mul(5) ^ octet(name.first()).wrapping_mul(3) ^ octet(name.last()).wrapping_mul(17);
    1_u64.wrapping_shl(mixed)
}

/// Plain member names that are kept without allocation.
const INLINE_NAMES: usize = 32;
