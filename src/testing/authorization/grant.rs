//! What does a client get for an authorization code? (RFC 6749 §4.1.3)

use http::Response;

use crate::testing::{
    authorization::{
        codes::{Consented, Grant, Worthless},
        families::family_name,
        identity::{Login, id_token},
    },
    form::Form,
    issuer::State,
    mint::TokenBuilder,
    token_endpoint::{Granted, TokenError, access_token, token_response},
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
    let (authorization, now) = (&issuer.authorization, issuer.clock.wall());
    let family = family_name();
    let fits = |grant: &Grant| {
        if grant.consented.client_id != client_id {
            return Err(TokenError::InvalidGrant("the code was given to another client"));
        }
        if grant.redirect_uri != redirect_uri {
            return Err(TokenError::InvalidGrant("the code was sent to another redirect_uri"));
        }
        if !grant.challenge.is_met_by(verifier) {
            return Err(TokenError::InvalidGrant("code_verifier does not fit the challenge"));
        }
        is_within(form, &grant.consented)
    };
    let give = |grant: &Grant| begun(issuer, form, &grant.consented, Some(&grant.login), &family);
    match authorization.codes.redeem(code, now, &family, fits, give) {
        Ok(response) => Ok(response),
        Err(Worthless::Refused(error)) => Err(error),
        // What it was exchanged for is over (RFC 6749 §4.1.2), as far as it can be: a JWT cannot.
        Err(Worthless::ComesAgain(family)) => {
            authorization.families.end(&family);
            Err(TokenError::InvalidGrant("the code came again: what it was exchanged for is over"))
        }
    }
}

/// The first tokens of a consent.
pub(super) fn begun(
    issuer: &State,
    form: &Form,
    consented: &Consented,
    login: Option<&Login>,
    family: &str,
) -> Result<Response<Vec<u8>>, TokenError> {
    let token = issuer.token().subject(&consented.subject).client_id(&consented.client_id);
    let token = audience(token, form, consented);
    let access_token = access_token(issuer, token, &consented.scope, Some(family))?;
    let id_token = id_token(issuer, consented, login, &access_token);
    let refresh_token = issuer.authorization.families.begin(family, consented.clone(), issuer.clock.wall());
    Ok(token_response(
        issuer,
        Granted { access_token, scope: &consented.scope, refresh_token: Some(refresh_token), id_token },
    ))
}

/// Fewer resources than the user consented to, but no other (RFC 8707 §2.2).
pub(super) fn is_within(form: &Form, consented: &Consented) -> Result<(), TokenError> {
    if form
        .all("resource")
        .filter(|asked| !asked.is_empty())
        .all(|asked| consented.resources.iter().any(|known| known == asked))
    {
        Ok(())
    } else {
        Err(TokenError::InvalidTarget("the user did not consent to that resource"))
    }
}

/// A token for the resources that are named, or else for all that the user consented to.
pub(super) fn audience(token: TokenBuilder, form: &Form, consented: &Consented) -> TokenBuilder {
    let mut audience: Vec<&str> = Vec::new();
    for asked in form.all("resource").filter(|asked| !asked.is_empty()) {
        if !audience.contains(&asked) {
            audience.push(asked);
        }
    }
    if audience.is_empty() {
        audience.extend(consented.resources.iter().map(String::as_str));
    }
    match audience.as_slice() {
        [one] => token.audience(*one),
        several => token.claim("aud", several),
    }
}
