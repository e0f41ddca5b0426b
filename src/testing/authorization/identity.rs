//! Who has signed in? (OpenID Connect Core §2)

use crate::{
    clock::UnixTime,
    testing::{
        authorization::{at_hash::access_token_hash, codes::Consented},
        issuer::State,
    },
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
    let token = issuer.token().subject(&consented.subject).id_token(&consented.client_id);
    let hash = access_token_hash(token.algorithm(), access_token);
    let mut token = token.claim("at_hash", hash);
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
