//! Which token is to be over? (RFC 7009)

use http::{HeaderValue, Response, header::CACHE_CONTROL};

use crate::testing::{
    clients::identified, endpoints::Exchange, form::Form, issuer::State, jws::Jws, token_endpoint::TokenError,
};

/// Ends a refresh token with its family, or an opaque access token, if it is one of the client that asks. What is not known is over
/// already (§2.2). A JWT cannot be taken back, and the client is told so (§2.2.1).
pub(in crate::testing) fn revoke(
    issuer: &State,
    exchange: &Exchange<'_>,
) -> Result<Response<Vec<u8>>, TokenError> {
    let form = Form::parse(exchange.body);
    let (client_id, _) = identified(issuer, exchange, &form)?;
    let token = form.once("token")?.ok_or(TokenError::InvalidRequest("token is missing"))?;
    let is_refresh_token = issuer.authorization.families.revoke(token, Some(&client_id))?;
    if !is_refresh_token {
        let was_opaque = issuer.opaque.revoke_of(token, &client_id)?;
        match issuer.claims_of(token) {
            // A test has put an answer of its own in its place, which is over; so it is itself.
            Some(claims) if was_opaque => {
                issuer.opaque.end_jwt(token, claims);
            }
            _ if !was_opaque && Jws::parse(token).is_some() => return Err(TokenError::UnsupportedTokenType),
            _ => (),
        }
    }
    let mut response = Response::new(Vec::new());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
