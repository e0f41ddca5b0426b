//! What can nobody guess?

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// 256 random bits as text, behind a word that says what it is: more than the 128 that an authorization code needs (RFC 6749 §10.10).
///
/// Panics if the system has no random octets.
pub(in crate::testing) fn unguessable(word: &str) -> String {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).expect("the system has random octets");
    format!("{word}-{}", URL_SAFE_NO_PAD.encode(octets))
}
