//! What does a JSON string say once its escapes are resolved?

use std::{borrow::Cow, cmp::Ordering};

/// The content of a JSON string before unescaping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawStr<'a> {
    pub(super) raw: &'a str,
    pub(super) escaped: bool,
}

impl<'a> RawStr<'a> {
    pub(crate) fn unescape(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(Unescape(self.raw.chars()).collect()) } else { Cow::Borrowed(self.raw) }
    }

    /// Compares byte for byte after unescaping.
    pub(crate) fn is(self, other: &str) -> bool {
        if self.escaped { Unescape(self.raw.chars()).eq(other.chars()) } else { self.raw == other }
    }

    /// Whether serde_json would take an object with this member name for another value, which the scan has not seen: it
    /// smuggles numbers and raw text through such objects, depending on what features any crate of the build switches on.
    pub(super) fn is_magic(self) -> bool {
        const MAGIC: &str = "$serde_json::private::";
        if self.escaped { self.unescape().starts_with(MAGIC) } else { self.raw.starts_with(MAGIC) }
    }

    pub(super) fn order(self, other: Self) -> Ordering {
        if self.escaped || other.escaped {
            Unescape(self.raw.chars()).cmp(Unescape(other.raw.chars()))
        } else {
            self.raw.cmp(other.raw)
        }
    }
}

/// The number of leading bytes that end no string, begin no escape, and are no control characters.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut rest = bytes;
    let mut length = 0_usize;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
        let quote = zero_in(word ^ 0x2222_2222_2222_2222);
        let backslash = zero_in(word ^ 0x5C5C_5C5C_5C5C_5C5C);
        let control = word.wrapping_sub(0x2020_2020_2020_2020) & !word & HIGHS;
        let stops = quote | backslash | control;
        if stops != 0 {
            // The lowest flag is exact; borrows only disturb those above it.
            let byte = usize::try_from(stops.trailing_zeros() / 8).unwrap_or_default();
            return length.saturating_add(byte);
        }
        length = length.saturating_add(8);
        rest = tail;
    }
    let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..=0x1F);
    length.saturating_add(rest.iter().position(|byte| !plain(byte)).unwrap_or(rest.len()))
}

/// The characters of a string whose escapes were checked.
struct Unescape<'a>(std::str::Chars<'a>);

impl Unescape<'_> {
    fn unit(&mut self) -> Option<u32> {
        hex4([self.0.next()?, self.0.next()?, self.0.next()?, self.0.next()?])
    }
}

impl Iterator for Unescape<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let plain = self.0.next()?;
        if plain != '\\' {
            return Some(plain);
        }
        match self.0.next()? {
            'b' => Some('\u{8}'),
            'f' => Some('\u{C}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'u' => {
                let high = self.unit()?;
                if !(0xD800..=0xDBFF).contains(&high) {
                    return char::from_u32(high);
                }
                let _backslash_u = (self.0.next(), self.0.next());
                let low = self.unit()?;
                let pair =
                    char::decode_utf16([u16::try_from(high).ok()?, u16::try_from(low).ok()?]).next()?;
                pair.ok()
            }
            same => Some(same),
        }
    }
}

pub(super) fn hex4(digits: [char; 4]) -> Option<u32> {
    digits.into_iter().try_fold(0_u32, |value, digit| Some((value << 4) | digit.to_digit(16)?))
}
