//! Is this text strict JSON, and where do its members stand?
//!
//! RFC 8259 grammar, and what RFC 7515 §4 and RFC 7519 §4 let us refuse beyond it: duplicate member names (compared
//! after unescaping) at any depth, lone surrogates, more than [`MAX_DEPTH`] levels, names that serde_json reads as something
//! else than names. It allocates nothing as long as at
//! most 32 member names are open at a time and none of them holds an escape.

use std::ops::Range;

use self::{
    names::Names,
    string::{hex4, plain_length},
};

mod names;
mod string;

pub(crate) use string::RawStr;

/// Access tokens nest a handful of levels; recursion stays shallow.
pub(crate) const MAX_DEPTH: usize = 64;

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

/// The text is not JSON that we take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JsonError {
    DuplicateName,
    NotAnObject,
    ReservedName,
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
        let mark = self.names.open();
        loop {
            let name = self.string()?;
            if name.is_magic() {
                return Err(JsonError::ReservedName);
            }
            if unique {
                self.names.push(mark, name)?;
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
                    return self.names.close(mark);
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

#[cfg(test)]
mod tests;
