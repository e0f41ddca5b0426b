//! Is the one who brings the code the one who asked for it? (RFC 7636)

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a verifier that only the client knows: `S256`. There is no `plain`, which shows the verifier to whoever sees the
/// request (RFC 9700 §2.1.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Challenge([u8; 32]);

impl Challenge {
    /// 43 characters of base64url (RFC 7636 §4.2).
    pub(super) fn s256(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// 43 to 128 unreserved characters (RFC 7636 §4.1) that hash to the challenge (§4.6).
    pub(super) fn is_met_by(self, verifier: &str) -> bool {
        let is_unreserved = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
        (43..=128).contains(&verifier.len())
            && verifier.bytes().all(is_unreserved)
            && Sha256::digest(verifier).as_slice() == self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both are printed in RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_holds_and_its_neighbours_do_not() {
        let challenge = Challenge::s256(CHALLENGE).unwrap();
        assert!(challenge.is_met_by(VERIFIER));
        let longer = format!("{VERIFIER}k");
        for other in ["", &VERIFIER[1..], &VERIFIER.to_lowercase(), CHALLENGE, &longer] {
            assert!(!challenge.is_met_by(other), "{other}");
        }
    }

    #[test]
    fn a_verifier_has_its_length_and_its_alphabet() {
        let hashed = |verifier: &str| Challenge(Sha256::digest(verifier).into()).is_met_by(verifier);
        assert!(hashed(&"a".repeat(43)));
        assert!(hashed(&"~.-_".repeat(32)));
        assert!(!hashed(&"a".repeat(42)));
        assert!(!hashed(&"a".repeat(129)));
        assert!(!hashed(&"a+".repeat(32)));
        assert!(!hashed(&"ä".repeat(32)));
    }

    #[test]
    fn a_challenge_is_32_octets_in_strict_base64url() {
        let padded = format!("{CHALLENGE}=");
        let longer = format!("{CHALLENGE}AA");
        for bad in
            ["", "E9Melhoa", &CHALLENGE.replace('-', "+"), &padded, &longer, &CHALLENGE.replace("cM", "cN")]
        {
            assert!(Challenge::s256(bad).is_none(), "{bad}");
        }
    }
}
