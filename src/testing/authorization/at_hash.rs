//! Which access token does an ID token go with?

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::keys::algorithm::Algorithm;

/// The left half of its hash, by the hash function of the ID token's signature (OpenID Connect Core §3.1.3.6).
/// For ML-DSA none is laid down; it is the longest.
pub(super) fn access_token_hash(algorithm: Algorithm, access_token: &str) -> String {
    use Algorithm::{
        Ed25519, EdDsa, Es256, Es384, Es512, Hs256, Hs384, Hs512, MlDsa44, MlDsa65, MlDsa87, Ps256, Ps384,
        Ps512, Rs256, Rs384, Rs512,
    };
    let hash = match algorithm {
        Es256 | Hs256 | Ps256 | Rs256 => Sha256::digest(access_token).to_vec(),
        Es384 | Hs384 | Ps384 | Rs384 => Sha384::digest(access_token).to_vec(),
        EdDsa | Ed25519 | Es512 | Hs512 | MlDsa44 | MlDsa65 | MlDsa87 | Ps512 | Rs512 => {
            Sha512::digest(access_token).to_vec()
        }
    };
    let half = hash.len() / 2;
    URL_SAFE_NO_PAD.encode(hash.into_iter().take(half).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_printed_in_openid_connect_core_appendix_a_3() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(access_token_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn it_is_half_as_long_as_the_hash() {
        for (algorithm, octets) in
            [(Algorithm::Es256, 16), (Algorithm::Ps384, 24), (Algorithm::EdDsa, 32), (Algorithm::MlDsa44, 32)]
        {
            let hash = URL_SAFE_NO_PAD.decode(access_token_hash(algorithm, "token")).unwrap();
            assert_eq!(hash.len(), octets, "{algorithm:?}");
        }
    }
}
