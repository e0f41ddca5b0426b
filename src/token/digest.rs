//! What does a cache know a token by?

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use sha2::{Digest as _, Sha256};

/// SHA-256 of a whole token, or of a key. A cache holds this instead of the token; what is shorter, or faster to compute, could be made
/// to collide.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(crate) fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }
}

/// Half of it finds the place in a table, by a hash that is keyed anew in each process; all of it is compared there.
impl Hash for TokenDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (half, _) = self.0.split_first_chunk().unwrap_or((&[0; 16], &[]));
        state.write_u128(u128::from_ne_bytes(*half));
    }
}

/// Prints nothing that could be compared with a token.
impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenDigest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int_09_the_digest_is_sha_256_of_every_octet() {
        // FIPS 180-4, the example "abc".
        let digest: String = TokenDigest::of(b"abc").0.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let token = [b'x'; 16 * 1024];
        let whole = TokenDigest::of(&token);
        for place in [0, 1, 8191, token.len() - 1] {
            let mut changed = token;
            changed[place] ^= 1;
            assert!(TokenDigest::of(&changed) != whole, "{place}");
            assert!(TokenDigest::of(&token[..place]) != whole, "{place}");
        }
    }
}
