//! What does a client get for an authorization code? (RFC 6749 §4.1.3)

use http::Response;

use crate::testing::{
    form::Form,
    issuer::State,
    token_endpoint::{TokenError, token_response},
};

/// A token for what the user consented to, if the code is this client's, comes from where it was sent to, and with the verifier of
/// its challenge.
pub(in crate::testing) fn code_for_token(
    issuer: &State,
    client_id: &str,
    form: &Form,
) -> Result<Response<Vec<u8>>, TokenError> {
    let needed = |name| {
        form.once(name)?.ok_or(TokenError::InvalidRequest("code, redirect_uri or code_verifier is missing"))
    };
    let (code, redirect_uri, verifier) = (needed("code")?, needed("redirect_uri")?, needed("code_verifier")?);
    let grant = issuer.authorization.codes.redeem(code, issuer.clock.wall(), |grant| {
        if grant.client_id != client_id {
            return Err(TokenError::InvalidGrant("the code was given to another client"));
        }
        if grant.redirect_uri != redirect_uri {
            return Err(TokenError::InvalidGrant("the code was sent to another redirect_uri"));
        }
        if !grant.challenge.is_met_by(verifier) {
            return Err(TokenError::InvalidGrant("code_verifier does not fit the challenge"));
        }
        // Fewer than the user consented to, but no other (RFC 8707 §2.2).
        if !form.all("resource").all(|asked| grant.resources.iter().any(|known| known == asked)) {
            return Err(TokenError::InvalidTarget("the code is not for that resource"));
        }
        Ok(())
    })?;
    let mut audience: Vec<&str> = Vec::new();
    for asked in form.all("resource") {
        if !audience.contains(&asked) {
            audience.push(asked);
        }
    }
    if audience.is_empty() {
        audience.extend(grant.resources.iter().map(String::as_str));
    }
    let token = issuer.token().subject(&grant.subject).client_id(client_id);
    let token = match audience.as_slice() {
        [one] => token.audience(*one),
        several => token.claim("aud", several),
    };
    Ok(token_response(token, &grant.scope))
}
