//! Is this text strict JSON, and where do its members stand?
//!
//! RFC 8259 grammar, and what RFC 7515 §4 and RFC 7519 §4 let us refuse beyond it: duplicate member names (compared
//! after unescaping) at any depth, lone surrogates, more than [`MAX_DEPTH`] levels. It allocates nothing as long as at
//! most [`INLINE_NAMES`] member names are open at a time.

use std::{
    borrow::Cow,
    cmp::Ordering,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    ops::Range,
};

/// Access tokens nest a handful of levels; recursion stays shallow.
pub(crate) const MAX_DEPTH: usize = 64;

/// Member names that are kept without allocation.
const INLINE_NAMES: usize = 32;

/// A value's place in the scanned text. For strings the quotes belong to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Value {
    start: usize,
    end: usize,
    kind: Kind,
}

impl Value {
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    /// The value's own text.
    pub(crate) fn text(self, scanned: &str) -> &str {
        scanned.get(self.start..self.end).unwrap_or_default()
    }

    /// The place of a string's content, between the quotes.
    pub(crate) fn content(self) -> Range<usize> {
        self.start.saturating_add(1)..self.end.saturating_sub(1)
    }

    /// The content of a string, as it stands between the quotes; `None` for any other kind.
    pub(crate) fn raw_str(self, scanned: &str) -> Option<RawStr<'_>> {
        let Kind::String { escaped } = self.kind else { return None };
        let raw = scanned.get(self.content())?;
        Some(RawStr { raw, escaped })
    }

    /// The elements of an array; nothing for any other kind. Only for values of a text that was accepted whole.
    pub(crate) fn elements(self, scanned: &str) -> Elements<'_> {
        let from_first = match self.kind {
            Kind::Array => scanned.get(self.start.saturating_add(1)..).unwrap_or_default(),
            _ => "",
        };
        Elements { scanner: Scanner::new(scanned, from_first.as_bytes(), Nested::Any) }
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Array,
    False,
    Null,
    Number,
    Object,
    String { escaped: bool },
    True,
}

/// The content of a JSON string before unescaping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawStr<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> RawStr<'a> {
    pub(crate) fn unescape(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(Unescape(self.raw.chars()).collect()) } else { Cow::Borrowed(self.raw) }
    }

    /// Compares byte for byte after unescaping.
    pub(crate) fn is(self, other: &str) -> bool {
        if self.escaped { Unescape(self.raw.chars()).eq(other.chars()) } else { self.raw == other }
    }

    fn same(self, other: Self) -> bool {
        if self.escaped || other.escaped {
            self.order(other) == Ordering::Equal
        } else {
            self.raw == other.raw
        }
    }

    fn order(self, other: Self) -> Ordering {
        if self.escaped || other.escaped {
            Unescape(self.raw.chars()).cmp(Unescape(other.raw.chars()))
        } else {
            self.raw.cmp(other.raw)
        }
    }
}

/// The text is not JSON that we take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JsonError {
    DuplicateName,
    NotAnObject,
    Syntax,
    TooDeep,
}

/// What is asked of the members of nested objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Nested {
    /// Duplicate names are left alone below the top level.
    Any,
    /// No duplicate names at any depth.
    Unique,
}

/// Checks `text` as one JSON object and reports each of its members, in order.
pub(crate) fn scan_object<'a>(
    text: &'a str,
    nested: Nested,
    mut member: impl FnMut(RawStr<'a>, Value),
) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(text, text.as_bytes(), nested);
    scanner.space();
    if scanner.rest.first() != Some(&b'{') {
        return Err(JsonError::NotAnObject);
    }
    scanner.object(1, true, &mut member)?;
    scanner.space();
    if scanner.rest.is_empty() { Ok(()) } else { Err(JsonError::Syntax) }
}

/// See [`Value::elements`].
pub(crate) struct Elements<'a> {
    scanner: Scanner<'a>,
}

impl Iterator for Elements<'_> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        self.scanner.space();
        if let [b',', rest @ ..] = self.scanner.rest {
            self.scanner.rest = rest;
            self.scanner.space();
        }
        self.scanner.value(1).ok()
    }
}

struct Scanner<'a> {
    text: &'a str,
    rest: &'a [u8],
    nested: Nested,
    names: Names<'a>,
}

impl<'a> Scanner<'a> {
    /// `rest` is a suffix of `text`.
    fn new(text: &'a str, rest: &'a [u8], nested: Nested) -> Self {
        Self { text, rest, nested, names: Names::new() }
    }

    fn offset(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        let start = self.offset();
        let kind = match self.rest.first() {
            Some(b'"') => Kind::String { escaped: self.string()?.escaped },
            Some(b'{') => {
                let unique = self.nested == Nested::Unique;
                self.object(depth.saturating_add(1), unique, &mut |_, _| ())?;
                Kind::Object
            }
            Some(b'[') => {
                self.array(depth.saturating_add(1))?;
                Kind::Array
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            Some(b't') => self.word(b"true", Kind::True)?,
            Some(b'f') => self.word(b"false", Kind::False)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            _ => return Err(JsonError::Syntax),
        };
        Ok(Value { start, end: self.offset(), kind })
    }

    fn object(
        &mut self,
        depth: usize,
        unique: bool,
        member: &mut impl FnMut(RawStr<'a>, Value),
    ) -> Result<(), JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        self.take(b'{')?;
        self.space();
        if let [b'}', rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(());
        }
        let first = self.names.len();
        loop {
            let name = self.string()?;
            if unique {
                self.names.push(first, name)?;
            }
            self.space();
            self.take(b':')?;
            self.space();
            let value = self.value(depth)?;
            member(name, value);
            self.space();
            match self.rest {
                [b',', rest @ ..] => self.rest = rest,
                [b'}', rest @ ..] => {
                    self.rest = rest;
                    return self.names.close(first);
                }
                _ => return Err(JsonError::Syntax),
            }
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        self.take(b'[')?;
        self.space();
        if let [b']', rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.space();
            match self.rest {
                [b',', rest @ ..] => self.rest = rest,
                [b']', rest @ ..] => {
                    self.rest = rest;
                    return Ok(());
                }
                _ => return Err(JsonError::Syntax),
            }
            self.space();
        }
    }

    fn string(&mut self) -> Result<RawStr<'a>, JsonError> {
        self.take(b'"')?;
        let start = self.offset();
        let mut escaped = false;
        loop {
            let (_, tail) = self.rest.split_at_checked(plain_length(self.rest)).ok_or(JsonError::Syntax)?;
            match tail {
                [b'"', rest @ ..] => {
                    self.rest = tail;
                    let raw = self.text.get(start..self.offset()).ok_or(JsonError::Syntax)?;
                    self.rest = rest;
                    return Ok(RawStr { raw, escaped });
                }
                [b'\\', rest @ ..] => {
                    escaped = true;
                    self.rest = rest;
                    self.escape()?;
                }
                _ => return Err(JsonError::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        match self.rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => {
                self.rest = rest;
                Ok(())
            }
            [b'u', rest @ ..] => {
                self.rest = rest;
                match self.hex()? {
                    0xDC00..=0xDFFF => Err(JsonError::Syntax),
                    0xD800..=0xDBFF => {
                        self.take(b'\\')?;
                        self.take(b'u')?;
                        if (0xDC00..=0xDFFF).contains(&self.hex()?) { Ok(()) } else { Err(JsonError::Syntax) }
                    }
                    _ => Ok(()),
                }
            }
            _ => Err(JsonError::Syntax),
        }
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let (digits, rest) = self.rest.split_first_chunk::<4>().ok_or(JsonError::Syntax)?;
        self.rest = rest;
        hex4(digits.map(char::from)).ok_or(JsonError::Syntax)
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if let [b'-', rest @ ..] = self.rest {
            self.rest = rest;
        }
        match self.rest {
            [b'0', rest @ ..] => self.rest = rest,
            _ => self.digits()?,
        }
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits()?;
        }
        if let [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = match rest {
                [b'+' | b'-', rest @ ..] => rest,
                _ => rest,
            };
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let [b'0'..=b'9', rest @ ..] = self.rest else { return Err(JsonError::Syntax) };
        self.rest = rest;
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, JsonError> {
        self.rest = self.rest.strip_prefix(word).ok_or(JsonError::Syntax)?;
        Ok(kind)
    }

    fn take(&mut self, byte: u8) -> Result<(), JsonError> {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(JsonError::Syntax),
        }
    }
}

/// The names of the objects that are open, innermost last.
struct Names<'a> {
    inline: [RawStr<'a>; INLINE_NAMES],
    /// With a keyed hash of the unescaped name, so that sorting compares texts only where they are equal.
    spilled: Vec<(u64, RawStr<'a>)>,
    hasher: Option<RandomState>,
    len: usize,
}

impl<'a> Names<'a> {
    fn new() -> Self {
        Self {
            inline: [RawStr { raw: "", escaped: false }; INLINE_NAMES],
            spilled: Vec::new(),
            hasher: None,
            len: 0,
        }
    }

    fn len(&self) -> usize {
        self.len
    }

    /// Adds a name to the object whose first name stands at `first`. An object with few names compares it with each;
    /// a large one leaves that to `close`, which sorts, so that many names cost no more than n log n.
    fn push(&mut self, first: usize, name: RawStr<'a>) -> Result<(), JsonError> {
        if self.len < INLINE_NAMES {
            let known = self.inline.get(first..self.len).unwrap_or_default();
            if known.iter().any(|other| other.same(name)) {
                return Err(JsonError::DuplicateName);
            }
            if let Some(place) = self.inline.get_mut(self.len) {
                *place = name;
            }
        } else {
            let hash = self.hash(name);
            self.spilled.push((hash, name));
        }
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    fn hash(&mut self, name: RawStr<'a>) -> u64 {
        let mut hasher = self.hasher.get_or_insert_default().build_hasher();
        if name.escaped {
            Unescape(name.raw.chars()).for_each(|char| hasher.write_u32(char.into()));
        } else {
            name.raw.chars().for_each(|char| hasher.write_u32(char.into()));
        }
        hasher.finish()
    }

    fn close(&mut self, first: usize) -> Result<(), JsonError> {
        if self.len > INLINE_NAMES {
            let spilled_from = first.saturating_sub(INLINE_NAMES);
            let hashes: Vec<u64> = self
                .inline
                .get(first..)
                .unwrap_or_default()
                .to_vec()
                .into_iter()
                .map(|name| self.hash(name))
                .collect();
            let inline = self.inline.get(first..).unwrap_or_default();
            let spilled = self.spilled.get_mut(spilled_from..).unwrap_or_default();
            let order = |one: &(u64, RawStr<'a>), other: &(u64, RawStr<'a>)| {
                one.0.cmp(&other.0).then_with(|| one.1.order(other.1))
            };
            spilled.sort_unstable_by(order);
            let twice =
                spilled.windows(2).any(|pair| matches!(pair, [one, other] if order(one, other).is_eq()));
            let across = inline
                .iter()
                .zip(&hashes)
                .any(|(name, hash)| spilled.binary_search_by(|other| order(other, &(*hash, *name))).is_ok());
            if twice || across {
                return Err(JsonError::DuplicateName);
            }
            self.spilled.truncate(spilled_from);
        }
        self.len = first;
        Ok(())
    }
}

/// The number of leading bytes that end no string, begin no escape, and are no control characters.
fn plain_length(bytes: &[u8]) -> usize {
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

fn hex4(digits: [char; 4]) -> Option<u32> {
    digits.into_iter().try_fold(0_u32, |value, digit| Some((value << 4) | digit.to_digit(16)?))
}

#[cfg(test)]
mod tests;
