//! What does a client get for a refresh token? (RFC 6749 §6)

use http::Response;

use crate::testing::{
    authorization::grant::{audience, is_within},
    form::Form,
    issuer::State,
    token_endpoint::{TokenError, token_response},
};

/// A token for what the user consented to, or for less, and the refresh token that takes the place of this one.
pub(in crate::testing) fn refresh_for_token(
    issuer: &State,
    client_id: &str,
    form: &Form,
) -> Result<Response<Vec<u8>>, TokenError> {
    let token = form.once("refresh_token")?;
    let token = token.ok_or(TokenError::InvalidRequest("refresh_token is missing"))?;
    let scope = form.once("scope")?;
    let (consented, next) =
        issuer.authorization.families.next(token, client_id, issuer.clock.wall(), |consented| {
            let has = |word: &str| consented.scope.split(' ').any(|known| known == word);
            if !scope.is_none_or(|scope| scope.split(' ').all(has)) {
                return Err(TokenError::InvalidScope);
            }
            is_within(form, consented)
        })?;
    let scope = scope.unwrap_or(&consented.scope);
    let token = issuer.token().subject(&consented.subject).client_id(client_id);
    token_response(issuer, audience(token, form, &consented), scope, Some(next))
}
