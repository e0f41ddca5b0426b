//! What does a client get for a refresh token? (RFC 6749 §6)

use http::Response;

use crate::{
    testing::{
        authorization::{
            codes::Consented,
            grant::{audience, is_within},
        },
        form::Form,
        issuer::State,
        token_endpoint::{Granted, TokenError, access_token, token_response},
    },
    token::scope::Scopes,
};

/// A token for what the user consented to, or for less, and the refresh token that takes the place of this one.
pub(in crate::testing) fn refresh_for_token(
    issuer: &State,
    client_id: &str,
    form: &Form,
) -> Result<Response<Vec<u8>>, TokenError> {
    let refresh_token = form.once("refresh_token")?;
    let refresh_token = refresh_token.ok_or(TokenError::InvalidRequest("refresh_token is missing"))?;
    let asked = form.once("scope")?.map(Scopes::parse).transpose().map_err(|_| TokenError::InvalidScope)?;
    let give = |consented: &Consented, family: &str| {
        let has = |word: &str| consented.scope.split(' ').any(|known| known == word);
        if !asked.as_ref().is_none_or(|asked| asked.iter().all(has)) {
            return Err(TokenError::InvalidScope);
        }
        is_within(form, consented)?;
        let asked_for = |word: &&str| asked.as_ref().is_none_or(|asked| asked.iter().any(|one| one == *word));
        let scope = consented.scope.split(' ').filter(asked_for).collect::<Vec<_>>().join(" ");
        let token = issuer.token().subject(&consented.subject).client_id(client_id);
        let token = access_token(issuer, audience(token, form, consented), &scope, Some(family))?;
        Ok((token, scope))
    };
    let families = &issuer.authorization.families;
    let ((access_token, scope), next) = families.next(refresh_token, client_id, issuer.clock.wall(), give)?;
    // Nobody has signed in, so there is no ID token (OpenID Connect Core §12.2).
    Ok(token_response(
        issuer,
        Granted { access_token, scope: &scope, refresh_token: Some(next), id_token: None },
    ))
}
