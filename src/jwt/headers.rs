//! Which encoded headers need no parsing again?

use std::{fmt, ops::Deref, sync::Arc};

use arc_swap::{ArcSwapOption, Guard};

use crate::jwt::compact::Header;

/// Headers of tokens that were good, and what they say. An issuer writes one header for each of its keys, so nearly all tokens
/// have one that was seen. What is recognized, octet by octet, was parsed before and says the same: nothing else follows.
pub(crate) struct KnownHeaders([ArcSwapOption<Known>; PLACES]);

/// A header as it came, and what it says.
struct Known {
    encoded: Box<[u8]>,
    header: Header,
}

/// What a token's header says.
pub(super) enum Found {
    Known(Recognized),
    New(Header),
}

/// A header that was parsed before.
pub(super) struct Recognized(Guard<Option<Arc<Known>>>);

impl KnownHeaders {
    pub(super) fn recognize(&self, encoded: &[u8]) -> Option<Recognized> {
        let known = self.place(encoded)?.load();
        let is_it = known.as_ref().is_some_and(|known| *known.encoded == *encoded);
        is_it.then_some(Recognized(known))
    }

    /// Remembers the header of a token that was good. Where its place is taken it seldom replaces what is there, so that issuers
    /// whose headers share a place do not take turns at it.
    pub(super) fn learn(&self, encoded: &[u8], read: impl FnOnce() -> Option<Header>) {
        let Some(place) = self.place(encoded) else { return };
        if encoded.len() <= LONGEST && (place.load().is_none() || fastrand::u8(..) == 0) {
            let known = read().map(|header| Arc::new(Known { encoded: encoded.into(), header }));
            place.store(known);
        }
    }

    /// By eight octets from the end, where the last member of the header stands, and by eight from the middle.
    fn place(&self, encoded: &[u8]) -> Option<&ArcSwapOption<Known>> {
        let end = encoded.last_chunk::<8>().map_or(0, |octets| u64::from_le_bytes(*octets));
        let half = encoded.get(..encoded.len().div_euclid(2)).unwrap_or_default();
        let middle = half.last_chunk::<8>().map_or(0, |octets| u64::from_le_bytes(*octets));
        let mixed = (end ^ middle.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0.get(usize::try_from(mixed >> PLACE_SHIFT).unwrap_or_default())
    }
}

impl Default for KnownHeaders {
    fn default() -> Self {
        Self(std::array::from_fn(|_| ArcSwapOption::empty()))
    }
}

impl Deref for Found {
    type Target = Header;

    fn deref(&self) -> &Header {
        match self {
            Self::Known(Recognized(known)) => &known.as_ref().expect("what was recognized is there").header,
            Self::New(header) => header,
        }
    }
}

impl fmt::Debug for KnownHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownHeaders").finish_non_exhaustive()
    }
}

/// Two issuers with two keys each, a few times over. Those that share a place are parsed, as all are without this.
const PLACES: usize = 16;

/// What leaves the upper four bits.
const PLACE_SHIFT: u32 = 60;

/// Headers have about 100 octets.
const LONGEST: usize = 1024;

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::{jwt::compact::Segments, keys::algorithm::Algorithm};

    fn encoded(header: &str) -> String {
        URL_SAFE_NO_PAD.encode(header)
    }

    fn token(header: &str) -> String {
        format!("{}.e30.AA", encoded(header))
    }

    #[test]
    fn a_header_is_recognized_by_every_octet() {
        let known = KnownHeaders::default();
        let header = r#"{"typ":"at+jwt","alg":"ES256","kid":"one"}"#;
        let token = token(header);
        let segments = Segments::split(token.as_bytes()).unwrap();
        assert!(segments.recognize_header(&known).unwrap().is_new());
        segments.learn_header(&known);
        let recognized = segments.recognize_header(&known).unwrap();
        assert!(!recognized.is_new());
        let jwt = segments.decode_payload(recognized).unwrap();
        assert_eq!(jwt.algorithm(), Algorithm::Es256);
        assert!(jwt.unverified_kid().is_some_and(|kid| kid.is("one")));

        let encoded = encoded(header);
        for place in 0..encoded.len() {
            let mut changed = encoded.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert!(known.recognize(&changed).is_none(), "{place}");
            assert!(known.recognize(&encoded.as_bytes()[..place]).is_none(), "{place}");
        }
    }

    #[test]
    fn it_is_bounded_and_a_stranger_in_a_place_is_not_taken_for_another() {
        let known = KnownHeaders::default();
        let headers: Vec<String> =
            (0..1000).map(|number| token(&format!(r#"{{"alg":"ES256","kid":"{number}"}}"#))).collect();
        for token in &headers {
            Segments::split(token.as_bytes()).unwrap().learn_header(&known);
        }
        let mut found = 0;
        for (number, token) in headers.iter().enumerate() {
            let segments = Segments::split(token.as_bytes()).unwrap();
            let header = segments.recognize_header(&known).unwrap();
            found += usize::from(!header.is_new());
            let jwt = segments.decode_payload(header).unwrap();
            assert!(jwt.unverified_kid().is_some_and(|kid| kid.is(&number.to_string())));
        }
        assert!((1..=PLACES).contains(&found), "{found}");
        let long = token(&format!(r#"{{"alg":"ES256","x":"{}"}}"#, "x".repeat(LONGEST)));
        let segments = Segments::split(long.as_bytes()).unwrap();
        (0..1000).for_each(|_| segments.learn_header(&known));
        assert!(segments.recognize_header(&known).unwrap().is_new());
    }
}
