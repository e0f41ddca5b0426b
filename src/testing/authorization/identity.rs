//! Who has signed in? (OpenID Connect Core §2)

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::{
    clock::UnixTime,
    keys::algorithm::Algorithm,
    testing::{authorization::codes::Consented, issuer::State},
};

/// Of a user who was sent here to sign in.
#[derive(Clone, Debug)]
pub(super) struct Login {
    /// What the client sent along to know its own request by (OpenID Connect Core §3.1.2.1).
    pub(super) nonce: Option<String>,
    pub(super) at: UnixTime,
}

/// For the client, beside this access token, where the user consented to `openid`. It has the user's name where they consented to
/// `profile` too: there is no userinfo endpoint to ask.
pub(super) fn id_token(
    issuer: &State,
    consented: &Consented,
    login: Option<&Login>,
    access_token: &str,
) -> Option<String> {
    let has = |scope: &str| consented.scope.split(' ').any(|word| word == scope);
    if !has("openid") {
        return None;
    }
    let mut token = issuer.token().subject(&consented.subject).id_token(&consented.client_id);
    if let Some(hash) = access_token_hash(token.algorithm(), access_token) {
        token = token.claim("at_hash", hash);
    }
    if let Some(name) = issuer.authorization.consent.name_of(&consented.subject)
        && has("profile")
    {
        token = token.claim("name", name);
    }
    if let Some(Login { nonce, at }) = login {
        token = token.claim("auth_time", at.as_secs());
        if let Some(nonce) = nonce {
            token = token.claim("nonce", nonce);
        }
    }
    Some(token.mint())
}

/// The left half of its hash, by the hash function of the signature (OpenID Connect Core §3.1.3.6).
fn access_token_hash(algorithm: Algorithm, access_token: &str) -> Option<String> {
    use Algorithm::{Ed25519, EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let hash = match algorithm {
        Es256 | Ps256 | Rs256 => Sha256::digest(access_token).to_vec(),
        Es384 | Ps384 | Rs384 => Sha384::digest(access_token).to_vec(),
        Es512 | Ps512 | Rs512 | EdDsa | Ed25519 => Sha512::digest(access_token).to_vec(),
        _ => return None,
    };
    let (left, _) = hash.split_at_checked(hash.len() / 2)?;
    Some(URL_SAFE_NO_PAD.encode(left))
}
