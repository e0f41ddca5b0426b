//! What is a snapshot called, and who wrote it?

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The name of an issuer's snapshot: SHA-256 of its identifier, in hexadecimal digits. It is a safe file name, and tells
/// nothing of the issuer.
pub(super) fn name(issuer: &str) -> String {
    Sha256::digest(issuer.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The code over the document, a line feed, and the document.
pub(super) fn seal(key: &[u8], document: &[u8]) -> Vec<u8> {
    let mut sealed = URL_SAFE_NO_PAD.encode(mac(key, document).finalize().into_bytes()).into_bytes();
    sealed.push(b'\n');
    sealed.extend_from_slice(document);
    sealed
}

/// The document, if the code in front of it was made with this key. Nothing of it is read before.
pub(super) fn open<'s>(key: &[u8], sealed: &'s [u8]) -> Option<&'s [u8]> {
    let (code, rest) = sealed.split_at_checked(CODE_BYTES)?;
    let document = rest.strip_prefix(b"\n")?;
    let code = URL_SAFE_NO_PAD.decode(code).ok()?;
    mac(key, document).verify_slice(&code).ok()?;
    Some(document)
}

fn mac(key: &[u8], document: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 §2)");
    mac.update(PURPOSE);
    mac.update(document);
    mac
}

/// A code for something else, made with the same key against all advice, is none for keys.
const PURPOSE: &[u8] = b"bearergate key snapshot\0";

/// 32 octets in base64url without padding.
const CODE_BYTES: usize = 43;

/// What a seal adds to a document.
pub(super) const SEAL_BYTES: usize = CODE_BYTES + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_digest_of_the_issuer() {
        // FIPS 180-4, the example "abc".
        assert_eq!(name("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_ne!(name("https://as.example"), name("https://as.example/"));
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_alone() {
        let sealed = seal(&[7; 32], b"document");
        assert_eq!(sealed.len(), SEAL_BYTES + b"document".len());
        assert_eq!(open(&[7; 32], &sealed), Some(&b"document"[..]));
        assert_eq!(open(&[8; 32], &sealed), None);
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(open(&[7; 32], &changed), None, "{place}");
            assert_eq!(open(&[7; 32], &sealed[..place]), None, "{place}");
        }
    }

    #[test]
    fn the_code_is_hmac_sha_256() {
        // RFC 4231 §4.3, which our prefix changes: checked without it.
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let code: String = mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(code, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
